"""Stops as they are told to be: reached or left at other times than planned."""

from dataclasses import replace

from routing.rounds.plan import DeliveryRound, PlannedStop
from routing.rounds.problem import Problem
from routing.rounds.travel_times import TravelTimes


def reached_at(problem: Problem, stop: PlannedStop, arrival_s: float) -> PlannedStop:
    """The stop when it is reached at `arrival_s`; after its last window it is served at once, late."""
    later = max(0.0, arrival_s - stop.arrival_s)
    rests = tuple(replace(rest, start_s=rest.start_s + later, end_s=rest.end_s + later) for rest in stop.breaks_before)
    ready = rests[-1].end_s if rests else arrival_s
    windows = problem.visit(stop.visit_idx).windows
    start = next((max(ready, window.start_s) for window in windows if ready <= window.end_s), ready)
    lasts = stop.departure_s - stop.start_s
    return left_at(replace(stop, arrival_s=arrival_s, start_s=start, breaks_before=rests), start + lasts)


def left_at(stop: PlannedStop, departure_s: float) -> PlannedStop:
    """The stop when its service ends at `departure_s`; breaks after it are taken as much later."""
    by = departure_s - stop.departure_s
    rests = tuple(replace(rest, start_s=rest.start_s + by, end_s=rest.end_s + by) for rest in stop.breaks_after)
    start = min(stop.start_s, departure_s)
    return replace(stop, start_s=start, departure_s=departure_s, breaks_after=rests)


def turned_away(
    problem: Problem, times: TravelTimes, one: DeliveryRound, heading: int, shipment_idx: int, now_s: float
) -> DeliveryRound:
    """Round of a vehicle on its way (to stop `heading`) to an order no longer wanted: it sets off for the next one now.

    Where it is between two stops is not known: it counts as still at the one before.
    """
    stops = [stop for stop in one.stops if problem.visits[stop.visit_idx][0] != shipment_idx]
    vehicle = problem.vehicles[one.vehicle_idx]
    at = problem.depots[vehicle.start_depot_idx].location_idx
    if heading:
        at = problem.visit(stops[heading - 1].visit_idx).location_idx
    if heading < len(stops):
        to = problem.visit(stops[heading].visit_idx).location_idx
        stops[heading] = reached_at(problem, stops[heading], times.arrival_s(vehicle.profile, at, to, now_s))
    return replace(one, stops=tuple(stops))

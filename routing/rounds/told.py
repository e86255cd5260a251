"""Stops as they are told to be: reached or left at other times than planned."""

import math
from dataclasses import replace

from routing.rounds.errors import UnknownIdError
from routing.rounds.plan import DeliveryRound, PlannedStop
from routing.rounds.problem import Problem
from routing.rounds.standing import leaves_stop_s
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


def done_at(problem: Problem, times: TravelTimes, one: DeliveryRound, at: int, done_s: float, now_s: float) -> DeliveryRound:
    """Round in which stop `at` was left at `done_s`, by `now_s` at the latest.

    Stops that were to be left later come after it. What follows is timed from there as far as it has been set off for; the
    rest keeps its times, to be timed anew.

    Raises
    ------
    UnknownIdError
        The pickup that belongs to the stop would come after it.
    """
    stop, others = one.stops[at], [*one.stops[:at], *one.stops[at + 1 :]]
    turn = min(at, next((k for k, other in enumerate(others) if leaves_stop_s(other) > done_s), at))
    s, is_delivery = problem.visits[stop.visit_idx]
    if is_delivery and any(problem.visits[other.visit_idx] == (s, False) for other in others[turn:at]):
        raise UnknownIdError(f"order {problem.shipments[s].id!r} was not picked up before: say first when it was")
    if turn == at and stop.departure_s == done_s:
        return one
    vehicle, place = problem.vehicles[one.vehicle_idx], problem.visit(stop.visit_idx).location_idx
    early = min(0.0, done_s - (stop.departure_s - stop.start_s) - stop.arrival_s)
    if early:
        since = leaves_stop_s(others[turn - 1]) if turn else -math.inf
        arrival = min(done_s, max(since, stop.arrival_s + early))
        rests = tuple(replace(rest, start_s=rest.start_s + early, end_s=rest.end_s + early) for rest in stop.breaks_before)
        stop = replace(stop, arrival_s=arrival, start_s=arrival, breaks_before=rests)
    stops = [*others[:turn], left_at(stop, done_s), *others[turn:]]
    departure = one.departure_s
    if not turn:
        home = problem.depots[vehicle.start_depot_idx].location_idx
        drives = times.arrival_s(vehicle.profile, home, place, departure) - departure
        departure = min(departure, stops[0].arrival_s - drives)
    for k in range(turn + 1, len(stops)):
        to = problem.visit(stops[k].visit_idx).location_idx
        reached = times.arrival_s(vehicle.profile, place, to, leaves_stop_s(stops[k - 1]))
        stops[k] = reached_at(problem, stops[k], reached)
        place = to
        if leaves_stop_s(stops[k]) >= now_s:
            break
    return replace(one, departure_s=departure, stops=tuple(stops))

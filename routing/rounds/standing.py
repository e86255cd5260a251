"""Where the vehicles of a plan stand at a moment, and what they still can do from there.

A vehicle that has left is bound to the stop it is driving to: the *frozen* part of its round ends there. It goes on from that
stop at once, with what is left of its limits.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import takewhile

from routing.rounds.plan import DeliveryRound, PlannedStop
from routing.rounds.problem import Break, Depot, DrivingRules, Problem, TimeWindow, Vehicle

LengthOf = Callable[[int, int, int], float]
"""Metres from one location to another for a profile."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A vehicle at a moment.

    Attributes
    ----------
    location_idx : int
        Where its free part begins.
    ready_s : float
        When it leaves there, at the earliest.
    away : bool
        Whether it has left its start.
    done : tuple of PlannedStop
        The frozen stops: done, or driven to.
    departure_s : float
        When the round began; of vehicles that have not left, `ready_s`.
    broken : bool
        Whether it can no longer drive.
    """

    location_idx: int
    ready_s: float
    away: bool
    done: tuple[PlannedStop, ...]
    departure_s: float
    broken: bool = False


def leaves_stop_s(stop: PlannedStop) -> float:
    """When a vehicle leaves a stop, breaks taken and held."""
    return stop.left_s


def frozen_stops(one: DeliveryRound | None, now_s: float) -> tuple[PlannedStop, ...]:
    """Stops of a round that are done or driven to at `now_s`."""
    if one is None:
        return ()
    left = [one.departure_s, *(leaves_stop_s(stop) for stop in one.stops[:-1])]
    set_off = sum(1 for _ in takewhile(lambda t: t < now_s, left))
    done = sum(1 for _ in takewhile(lambda stop: stop.departure_s <= now_s, one.stops))
    return one.stops[: max(set_off, done)]


def stand(
    problem: Problem, vehicle_idx: int, one: DeliveryRound | None, now_s: float, held_s: float | None, *, broken: bool = False
) -> Standing:
    """Where a vehicle stands at `now_s`; with `held_s` it does not leave before."""
    vehicle = problem.vehicles[vehicle_idx]
    done = frozen_stops(one, now_s)
    held = now_s if held_s is None else held_s
    if one is None or not done:
        ready = max(now_s, held, vehicle.shift.start_s)
        return Standing(problem.depots[vehicle.start_depot_idx].location_idx, ready, False, (), ready, broken)
    ready = done[-1].left_s
    if done[-1].held_s > 0.0:  # who only waits for better roads may go at once
        ready = max(ready - done[-1].held_s, min(ready, now_s))
    if held_s is not None:
        ready = max(ready, held)
    if len(done) == len(one.stops):  # nothing follows: what is added is set off for now
        ready = max(ready, now_s)
    return Standing(problem.visit(done[-1].visit_idx).location_idx, ready, True, done, one.departure_s, broken)


def standing_vehicle(
    problem: Problem, vehicle_idx: int, here: Standing, depot_idx: int, metres: float = 0.0
) -> tuple[Vehicle, Depot]:
    """The vehicle as it stands, with the depot it starts from; `metres` have been driven."""
    vehicle = problem.vehicles[vehicle_idx]
    start = problem.depots[vehicle.start_depot_idx].window
    if here.away:  # it goes on at once, or when it was to be held until
        held_s = here.done[-1].left_s if here.done and here.done[-1].held_s > 0.0 else here.ready_s
        opens = TimeWindow(here.ready_s, max(here.ready_s, held_s))
    else:
        opens = TimeWindow(max(start.start_s, here.ready_s), max(start.end_s, start.start_s, here.ready_s))
    shift = TimeWindow(
        here.ready_s if here.away else max(here.ready_s, vehicle.shift.start_s), max(here.ready_s, vehicle.shift.end_s)
    )
    used = here.ready_s - here.departure_s if here.away else 0.0
    longest = None if vehicle.max_duration_s is None else max(0.0, vehicle.max_duration_s - used)
    regular = None if vehicle.overtime_after_s is None else max(0.0, vehicle.overtime_after_s - used)
    farthest = None if vehicle.max_length_m is None else max(0.0, vehicle.max_length_m - metres)
    most = None if vehicle.max_stops is None else max(0, vehicle.max_stops - len(here.done))
    # (used + x)² = used² + 2 used x + x²: what a second more costs after what has been used.
    per_s = vehicle.cost_per_s + 2.0 * vehicle.balance_cost_per_s2 * used
    kept = _goods_for_the_end(problem, here.done)
    capacity = tuple(max(0, room - kept[d]) for d, room in enumerate(vehicle.capacity))
    standing = replace(
        vehicle, start_depot_idx=depot_idx, shift=shift, breaks=_breaks_left(vehicle, here), max_duration_s=longest,
        max_length_m=farthest, max_stops=most, capacity=capacity, fixed_cost=0.0 if here.away else vehicle.fixed_cost,
        overtime_after_s=regular, cost_per_s=per_s, driving_rules=_rules_left(vehicle.driving_rules, here),
    )  # fmt: skip
    return standing, Depot(f"{vehicle.id} now", here.location_idx, opens)


def metres_of(problem: Problem, vehicle_idx: int, stops: Iterable[PlannedStop], length_m: LengthOf) -> float:
    """Metres driven along some first stops of a round."""
    vehicle = problem.vehicles[vehicle_idx]
    at, metres = problem.depots[vehicle.start_depot_idx].location_idx, 0.0
    for stop in stops:
        to = problem.visit(stop.visit_idx).location_idx
        metres += length_m(vehicle.profile, at, to)
        at = to
    return metres


def _breaks_left(vehicle: Vehicle, here: Standing) -> tuple[Break, ...]:
    """Breaks neither taken on the way nor over before the departure."""
    if not here.away:
        return tuple(rest for rest in vehicle.breaks if rest.latest_s >= here.ready_s)
    early, clock = 0, float("-inf")
    for rest in vehicle.breaks:
        clock = max(clock, rest.earliest_s) + rest.duration_s
        if clock > here.departure_s:
            break
        early += 1
    taken = sum(not rest.by_rule for stop in here.done for rest in (*stop.breaks_before, *stop.breaks_after))
    return tuple(rest for rest in vehicle.breaks[early + taken :] if rest.latest_s >= here.ready_s)


def _rules_left(rules: DrivingRules | None, here: Standing) -> DrivingRules | None:
    """Rules of a driver with what has been driven."""
    if rules is None or not here.away:
        return rules
    driven, today, part, left = rules.driven_s, rules.driven_today_s, rules.part_taken, here.departure_s
    for stop in here.done:
        done = 0.0
        for rest in stop.road_rests:
            driven, part = rules.after_rest(rest.end_s - rest.start_s, driven + rest.after_s - done, part)
            done = rest.after_s
        driven, today = driven + stop.driven_s(left) - done, today + stop.driven_s(left)
        for pause in (*stop.breaks_before, *stop.breaks_after):
            driven, part = rules.after_rest(pause.end_s - pause.start_s, driven, part)
        left = leaves_stop_s(stop)
    return replace(rules, driven_s=driven, driven_today_s=today, part_taken=part)


def _goods_for_the_end(problem: Problem, done: tuple[PlannedStop, ...]) -> list[int]:
    """Load picked up that stays on board until the end of the round."""
    kept = [0] * problem.dimensions
    for stop in done:
        s, is_delivery = problem.visits[stop.visit_idx]
        if not is_delivery and problem.shipments[s].delivery is None:
            for d, amount in enumerate(problem.shipments[s].load):
                kept[d] += amount
    return kept

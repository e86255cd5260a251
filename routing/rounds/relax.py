"""One constraint of a problem loosened: what can be loosened for an order and a vehicle, by how much, and the problem then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from routing.rounds.problem import Break, Depot, Problem, Shipment, TimeWindow, Vehicle

MOST_TIME_S = 86_400.0
"""No time limit is loosened by more than a day."""
MOST_LENGTH_M = 1e6


class Limit(StrEnum):
    """What is loosened; `Relaxation.amount` says by how much, and is 0 for what is lifted or given as a whole."""

    WINDOW_LATER = "window_later"
    WINDOW_EARLIER = "window_earlier"
    RIDE = "ride"
    BREAK_LATER = "break_later"
    BREAK_EARLIER = "break_earlier"
    DURATION = "duration"
    SHIFT_END = "shift_end"
    SHIFT_START = "shift_start"
    LENGTH = "length"
    STOPS = "stops"
    CAPACITY = "capacity"
    SKILLS = "skills"
    LOCK = "lock"
    APART = "apart"
    TOGETHER = "together"
    PRIZE = "prize"
    LEFT_OUT = "left_out"
    VEHICLE = "vehicle"


WHOLE = frozenset({Limit.SKILLS, Limit.LOCK, Limit.APART, Limit.TOGETHER, Limit.LEFT_OUT, Limit.VEHICLE})
"""Limits without an amount."""
COUNTED = frozenset({Limit.CAPACITY, Limit.STOPS})
"""Limits in whole numbers."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """One limit loosened.

    Attributes
    ----------
    limit : Limit
    amount : float
        Seconds; units of load (CAPACITY), stops, metres (LENGTH), cost (PRIZE).
    shipment_idx : int
        Whose windows, ride, lock, bond or prize; with LEFT_OUT the order that is left out; -1 = a limit of the vehicle.
    vehicle_idx : int
        Whose limit; with LOCK who may serve the order too, with VEHICLE the vehicle that one more is like.
    is_delivery : bool
        With windows: whether those of the delivery.
    place : int
        With windows which of them, with CAPACITY which load dimension.
    """

    limit: Limit
    amount: float = 0.0
    shipment_idx: int = -1
    vehicle_idx: int = -1
    is_delivery: bool = True
    place: int = 0


def list_relaxations(problem: Problem, vehicle_idx: int, shipment_idx: int) -> list[Relaxation]:
    """Limits that may keep the vehicle from serving the shipment, each loosened as far as goes; dearest changes first."""
    vehicle, shipment = problem.vehicles[vehicle_idx], problem.shipments[shipment_idx]
    of_vehicle = {
        Limit.STOPS: 2.0 if vehicle.max_stops is not None else 0.0,
        Limit.LENGTH: MOST_LENGTH_M if vehicle.max_length_m is not None else 0.0,
        Limit.SHIFT_START: MOST_TIME_S,
        Limit.SHIFT_END: MOST_TIME_S,
        Limit.DURATION: MOST_TIME_S if vehicle.max_duration_s is not None else 0.0,
        Limit.BREAK_EARLIER: MOST_TIME_S if vehicle.breaks else 0.0,
        Limit.BREAK_LATER: MOST_TIME_S if vehicle.breaks else 0.0,
    }
    found = []
    if shipment.together:
        found.append(Relaxation(Limit.TOGETHER, shipment_idx=shipment_idx))
    if shipment.apart:
        found.append(Relaxation(Limit.APART, shipment_idx=shipment_idx))
    if shipment.vehicle_ids and vehicle.id not in shipment.vehicle_ids:
        found.append(Relaxation(Limit.LOCK, shipment_idx=shipment_idx, vehicle_idx=vehicle_idx))
    if not shipment.skills <= vehicle.skills:
        found.append(Relaxation(Limit.SKILLS, shipment_idx=shipment_idx, vehicle_idx=vehicle_idx))
    loads = [
        Relaxation(Limit.CAPACITY, float(amount), vehicle_idx=vehicle_idx, place=d)
        for d, amount in enumerate(shipment.load[: len(vehicle.capacity)])
        if amount
    ]
    of_vehicle_found = [Relaxation(limit, most, vehicle_idx=vehicle_idx) for limit, most in of_vehicle.items() if most]
    rides = [Relaxation(Limit.RIDE, MOST_TIME_S, shipment_idx)] if shipment.max_ride_s is not None else []
    windows = [
        Relaxation(limit, MOST_TIME_S, shipment_idx, is_delivery=visit is shipment.delivery, place=k)
        for limit in (Limit.WINDOW_EARLIER, Limit.WINDOW_LATER)
        for visit in (shipment.pickup, shipment.delivery)
        if visit is not None
        for k in range(len(visit.windows))
    ]
    return [*found, *loads, *of_vehicle_found, *rides, *windows]


def relaxed(problem: Problem, changes: Sequence[Relaxation]) -> Problem:
    """The problem with these limits loosened; LEFT_OUT changes nothing in it, VEHICLE adds a vehicle at the end."""
    depots, vehicles, shipments = list(problem.depots), list(problem.vehicles), list(problem.shipments)
    for change in changes:
        if change.limit is Limit.LEFT_OUT:
            continue
        if change.limit is Limit.VEHICLE:
            vehicles.append(one_more(vehicles, vehicles[change.vehicle_idx]))
        elif change.limit in (Limit.SHIFT_END, Limit.SHIFT_START):
            _longer_shift(depots, vehicles, change)
        elif change.limit is Limit.SKILLS:
            vehicle = vehicles[change.vehicle_idx]
            vehicles[change.vehicle_idx] = replace(vehicle, skills=vehicle.skills | shipments[change.shipment_idx].skills)
        elif change.limit is Limit.LOCK:
            shipment = shipments[change.shipment_idx]
            allowed = shipment.vehicle_ids | {vehicles[change.vehicle_idx].id}
            shipments[change.shipment_idx] = replace(shipment, vehicle_ids=allowed)
        elif change.shipment_idx >= 0:
            shipments[change.shipment_idx] = _relaxed_shipment(shipments[change.shipment_idx], change)
        else:
            vehicles[change.vehicle_idx] = _relaxed_vehicle(vehicles[change.vehicle_idx], change)
    return Problem(problem.location_count, tuple(depots), tuple(vehicles), tuple(shipments))


def duty_end_s(problem: Problem, vehicle_idx: int) -> float:
    """When a vehicle must be back: its shift ends or its depot closes."""
    vehicle = problem.vehicles[vehicle_idx]
    closes = [] if vehicle.end_depot_idx is None else [problem.depots[vehicle.end_depot_idx].window.end_s]
    return min([vehicle.shift.end_s, *closes])


def duty_start_s(problem: Problem, vehicle_idx: int) -> float:
    """When a vehicle may leave: its shift has begun and its depot is open."""
    vehicle = problem.vehicles[vehicle_idx]
    return max(vehicle.shift.start_s, problem.depots[vehicle.start_depot_idx].window.start_s)


def one_more(vehicles: Sequence[Vehicle], like: Vehicle) -> Vehicle:
    """A vehicle like another one, under a name that is free."""
    known = {one.id for one in vehicles}
    name = next(name for k in range(2, len(known) + 3) if (name := f"{like.id} ({k})") not in known)
    return replace(like, id=name)


def _longer_shift(depots: list[Depot], vehicles: list[Vehicle], change: Relaxation) -> None:
    """Let a vehicle leave earlier or be back later; where the depot would be closed it opens for it."""
    vehicle = vehicles[change.vehicle_idx]
    if change.limit is Limit.SHIFT_START:
        depot = depots[vehicle.start_depot_idx]
        start = max(vehicle.shift.start_s, depot.window.start_s) - change.amount
        depots[vehicle.start_depot_idx] = replace(depot, window=replace(depot.window, start_s=min(depot.window.start_s, start)))
        shift = replace(vehicle.shift, start_s=min(vehicle.shift.start_s, start))
    else:
        end = vehicle.shift.end_s
        if vehicle.end_depot_idx is not None:
            end = min(end, depots[vehicle.end_depot_idx].window.end_s)
        end += change.amount
        for k in {vehicle.start_depot_idx, vehicle.end_depot_idx} - {None}:
            assert k is not None
            depots[k] = replace(depots[k], window=replace(depots[k].window, end_s=max(depots[k].window.end_s, end)))
        shift = replace(vehicle.shift, end_s=max(vehicle.shift.end_s, end))
    vehicles[change.vehicle_idx] = replace(vehicle, shift=shift)


def _relaxed_vehicle(vehicle: Vehicle, change: Relaxation) -> Vehicle:
    by = change.amount
    match change.limit:
        case Limit.CAPACITY:
            more = [int(by) if d == change.place else 0 for d in range(len(vehicle.capacity))]
            return replace(vehicle, capacity=tuple(a + b for a, b in zip(vehicle.capacity, more, strict=True)))
        case Limit.STOPS:
            return replace(vehicle, max_stops=(vehicle.max_stops or 0) + int(by))
        case Limit.LENGTH:
            return replace(vehicle, max_length_m=(vehicle.max_length_m or 0.0) + by)
        case Limit.DURATION:
            return replace(vehicle, max_duration_s=(vehicle.max_duration_s or 0.0) + by)
    late, early = (by, 0.0) if change.limit is Limit.BREAK_LATER else (0.0, by)
    rests = tuple(Break(one.earliest_s - early, one.latest_s + late, one.duration_s) for one in vehicle.breaks)
    return replace(vehicle, breaks=rests)


def _relaxed_shipment(shipment: Shipment, change: Relaxation) -> Shipment:
    match change.limit:
        case Limit.RIDE:
            return replace(shipment, max_ride_s=(shipment.max_ride_s or 0.0) + change.amount)
        case Limit.PRIZE:
            return replace(shipment, prize=(shipment.prize or 0.0) + change.amount)
        case Limit.APART:
            return replace(shipment, apart="")
        case Limit.TOGETHER:
            return replace(shipment, together="")
    visit = shipment.delivery if change.is_delivery else shipment.pickup
    assert visit is not None
    late, early = (change.amount, 0.0) if change.limit is Limit.WINDOW_LATER else (0.0, change.amount)
    windows = list(visit.windows)
    own = windows[change.place]
    windows[change.place] = TimeWindow(own.start_s - early, own.end_s + late)
    changed = replace(visit, windows=joined_windows(windows))
    return replace(shipment, delivery=changed) if change.is_delivery else replace(shipment, pickup=changed)


def joined_windows(windows: Sequence[TimeWindow]) -> tuple[TimeWindow, ...]:
    """Windows in the order of their starts, those that touch or overlap as one."""
    answer: list[TimeWindow] = []
    for one in sorted(windows, key=lambda window: window.start_s):
        if answer and one.start_s <= answer[-1].end_s:
            answer[-1] = TimeWindow(answer[-1].start_s, max(answer[-1].end_s, one.end_s))
        else:
            answer.append(one)
    return tuple(answer)

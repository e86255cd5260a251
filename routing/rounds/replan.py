"""Changing a plan while it is driven: what is done is fixed, the rest is a smaller problem over the same locations.

`residual` cuts a plan at a moment: every vehicle stands at the stop it is at or driving to (`standing`), goods on board are
locked to it, and nothing new can be loaded at the depot by a vehicle that has left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from routing.rounds.api import build_plan
from routing.rounds.arrays import build_arrays
from routing.rounds.errors import InvalidProblemError
from routing.rounds.explain import NOBODY
from routing.rounds.plan import DeliveryRound, Plan, PlannedStop, resting_s
from routing.rounds.problem import Problem, Shipment, TimeWindow, Visit
from routing.rounds.search import Search
from routing.rounds.standing import LengthOf, frozen_stops, leaves_stop_s, metres_of, stand, standing_vehicle
from routing.rounds.travel_times import TravelTimes

NO_RELOADS = "a plan with vehicles that may reload cannot be changed while it is driven yet: plan the rest anew"


@dataclass(frozen=True, slots=True)
class Residual:
    """What is left of a plan at a moment.

    Attributes
    ----------
    problem : Problem
        The rest; `shipments[k]` is shipment ``shipment_of[k]`` of the whole problem.
    done : tuple of (PlannedStop, …)
        Per vehicle: stops that can no longer change.
    routes : list of visit indices
        Per vehicle: the rest of its round in the residual problem's visits.
    """

    problem: Problem
    shipment_of: tuple[int, ...]
    done: tuple[tuple[PlannedStop, ...], ...]
    routes: list[list[int]]


@dataclass(frozen=True, slots=True)
class Insertion:
    """Result of inserting one shipment: the vehicle and the change of cost, or neither when it cannot be served."""

    plan: Plan
    vehicle_idx: int | None
    cost_delta: float


def insert_shipment(rest: Residual, travel_times: TravelTimes, shipment_idx: int) -> Insertion:
    """Insert a shipment of the whole problem into the residual rounds where it costs least; all else keeps vehicle and order.

    Raises
    ------
    ValueError
        The shipment is not part of the rest.
    """
    own = rest.shipment_of.index(shipment_idx)
    search = Search(build_arrays(rest.problem, travel_times), travel_times.arrays)
    search.load(rest.routes)
    before = build_plan(rest.problem, travel_times, search.routes())
    found = search.insert(own)
    after = build_plan(rest.problem, travel_times, search.routes(), explained=found is None)
    penalty = rest.problem.shipments[own].penalty
    return Insertion(after, None if found is None else found[1], after.cost - before.cost + (penalty if found else 0.0))


def residual(
    problem: Problem,
    plan: Plan,
    now_s: float,
    *,
    held_until_s: dict[int, float] | None = None,
    without_vehicles: frozenset[int] = frozenset(),
    without_shipments: frozenset[int] = frozenset(),
    length_m: LengthOf = lambda profile, i, j: 0.0,  # noqa: ARG005 - lengths are unknown
) -> Residual:
    """Cut `plan` at `now_s`.

    Parameters
    ----------
    held_until_s : dict, optional
        By vehicle index: the moment before which it does not leave the place where it is (see `leaves_at`).
    without_vehicles : frozenset of int
        Broken down: they serve nothing more; goods on board cannot be taken over (unserved), the rest may.
    without_shipments : frozenset of int
        Refused: they leave the plan.
    length_m : callable, optional
        Metres driven, where rounds have a longest length.

    Raises
    ------
    InvalidProblemError
        A vehicle may reload: what it loads later cannot be told from what is on board.
    """
    for r, one in enumerate(problem.vehicles):
        if one.max_reloads:
            raise InvalidProblemError.of(f"vehicles[{r}].max_reloads", NO_RELOADS)
    rounds = {one.vehicle_idx: one for one in plan.rounds}
    done, depots, vehicles = [], list(problem.depots), []
    locks: dict[int, frozenset[str]] = {}
    away: set[int] = set()
    for r in range(len(problem.vehicles)):
        here = stand(problem, r, rounds.get(r), now_s, (held_until_s or {}).get(r))
        away |= {r} if here.away else set()
        done.append(here.done)
        metres = metres_of(problem, r, here.done, length_m)
        vehicle, depot = standing_vehicle(problem, r, here, len(depots), metres)
        depots.append(depot)
        vehicles.append(vehicle)
    names = frozenset(v.id for r, v in enumerate(vehicles) if r not in without_vehicles)
    grounded = frozenset(v.id for r, v in enumerate(vehicles) if r not in without_vehicles and r not in away)
    finished = {stop.visit_idx: stop for stops in done for stop in stops}
    rode = {problem.visits[stop.visit_idx][0]: problem.vehicles[r].id for r, stops in enumerate(done) for stop in stops}
    shipments, kept = [], []
    planned = {problem.visits[stop.visit_idx][0]: r for r, one in rounds.items() for stop in one.stops}
    for s, shipment in enumerate(problem.shipments):
        rest = _rest(problem, s, finished)
        if rest is None or s in without_shipments:
            continue
        pickup_done = rest.pickup is None and shipment.pickup is not None
        on_board = shipment.pickup is None or pickup_done
        if on_board and planned.get(s) in away:
            locks[s] = frozenset({problem.vehicles[planned[s]].id}) & names or frozenset({"-"})
        elif on_board:
            locks[s] = (shipment.vehicle_ids or grounded) & grounded or frozenset({"-"})
        else:
            locks[s] = _bonded((shipment.vehicle_ids or names) & names, problem, shipment, rode) or frozenset({"-"})
        shipments.append(rest)
        kept.append(s)
    known = {v.id for v in vehicles}
    shipments = [replace(rest, vehicle_ids=locks[s] & known, skills=rest.skills if locks[s] & known else NOBODY)
                 for rest, s in zip(shipments, kept, strict=True)]  # fmt: skip
    left = Problem(problem.location_count, tuple(depots), tuple(vehicles), tuple(shipments))
    place = {s: k for k, s in enumerate(kept)}
    index = {(left.visits[v][0], left.visits[v][1]): v for v in range(len(left.visits))}
    routes = [
        [
            index[place[problem.visits[stop.visit_idx][0]], problem.visits[stop.visit_idx][1]]
            for stop in (rounds[r].stops if r in rounds else ())
            if stop.visit_idx not in finished and problem.visits[stop.visit_idx][0] in place and r not in without_vehicles
        ]
        for r in range(len(vehicles))
    ]
    return Residual(left, tuple(kept), tuple(done), routes)


def repair(rest: Residual, travel_times: TravelTimes) -> tuple[Plan, list[int]]:
    """Keep the residual rounds as far as they are feasible, insert the rest anew: the plan and the shipments that moved."""
    search = Search(build_arrays(rest.problem, travel_times), travel_times.arrays)
    moved = search.load(rest.routes)
    search.insert_all(moved)
    return build_plan(rest.problem, travel_times, search.routes(), explained=True), moved


def leaves_at(plan: Plan, vehicle_idx: int, now_s: float) -> float:
    """When a vehicle leaves the place it is at or driving to as planned, in engine seconds."""
    one = next((one for one in plan.rounds if one.vehicle_idx == vehicle_idx), None)
    if one is None:
        return now_s
    frozen = frozen_stops(one, now_s)
    return leaves_stop_s(frozen[-1]) if frozen else one.departure_s


def _bonded(names: frozenset[str], problem: Problem, shipment: Shipment, rode: Mapping[int, str]) -> frozenset[str]:
    """Vehicles of `names` that those served (shipment → vehicle) leave a shipment that rides with or apart from them."""
    for s, name in rode.items():
        if shipment.together and problem.shipments[s].together == shipment.together:
            names &= {name}
        if shipment.apart and problem.shipments[s].apart == shipment.apart:
            names -= {name}
    return names


def _rest(problem: Problem, shipment_idx: int, finished: Mapping[int, PlannedStop]) -> Shipment | None:
    """What is left of a shipment; None when it is done. What rides now is to be delivered in time."""
    shipment = problem.shipments[shipment_idx]
    first = problem.first_visit(shipment_idx)
    pickup = None if shipment.pickup is not None and first in finished else shipment.pickup
    delivery = None if first + (shipment.pickup is not None) in finished else shipment.delivery
    if pickup is None and delivery is None:
        return None
    if shipment.max_ride_s is None or (pickup is not None and delivery is not None):
        return replace(shipment, pickup=pickup, delivery=delivery)
    if delivery is not None:
        delivery = _by(delivery, finished[first].departure_s + shipment.max_ride_s)
    return replace(shipment, pickup=pickup, delivery=delivery, max_ride_s=None)


def _by(visit: Visit, by_s: float) -> Visit:
    """Visit whose service starts by `by_s`; a moment that no window allows is kept as one that cannot be met."""
    windows = visit.windows or (TimeWindow(min(0.0, by_s), by_s),)
    kept = tuple(TimeWindow(one.start_s, min(one.end_s, by_s)) for one in windows if one.start_s <= by_s)
    return replace(visit, windows=kept or (TimeWindow(min(0.0, by_s), min(0.0, by_s)),))


def merge(problem: Problem, travel_times: TravelTimes, plan: Plan, rest: Residual, after: Plan) -> Plan:
    """Join what is done of `plan` with the new plan of the rest, in the words of the whole problem.

    The rest has been validated; what is done is history and keeps its times.
    """
    before = {one.vehicle_idx: one for one in plan.rounds}
    new = {one.vehicle_idx: one for one in after.rounds}
    whole = {visit: v for v, visit in enumerate(problem.visits)}
    rounds = []
    for r in range(len(problem.vehicles)):
        stops = list(rest.done[r])
        if stops and r in new and problem.vehicles[r].cost_per_driving_s > 0.0:  # it holds there until it leaves now
            free_s = stops[-1].left_s - stops[-1].held_s
            stops[-1] = replace(stops[-1], held_s=max(0.0, new[r].departure_s - free_s))
        for stop in new[r].stops if r in new else ():
            s, is_delivery = rest.problem.visits[stop.visit_idx]
            stops.append(replace(stop, visit_idx=whole[rest.shipment_of[s], is_delivery]))
        if stops:
            departure = before[r].departure_s if rest.done[r] else new[r].departure_s
            rounds.append(joined_round(problem, travel_times, r, departure, stops, new.get(r)))
    served = {problem.visits[stop.visit_idx][0] for one in rounds for stop in one.stops}
    unserved = tuple(replace(one, shipment_idx=rest.shipment_of[one.shipment_idx]) for one in after.unserved)
    unserved = tuple(one for one in unserved if one.shipment_idx not in served)
    cost = sum(one.cost for one in rounds) + sum(problem.shipments[one.shipment_idx].penalty for one in unserved)
    return Plan(tuple(rounds), unserved, cost, plan.iterations, plan.first_cost)


def joined_round(
    problem: Problem, travel_times: TravelTimes, r: int, departure_s: float, stops: list[PlannedStop], new: DeliveryRound | None
) -> DeliveryRound:
    """Round of vehicle `r` with these stops; loads, length and cost of the whole."""
    vehicle = problem.vehicles[r]
    at, now, driving, metres = problem.depots[vehicle.start_depot_idx].location_idx, departure_s, 0.0, 0.0
    load = [0] * problem.dimensions
    for stop in stops:
        s, is_delivery = problem.visits[stop.visit_idx]
        if is_delivery and problem.shipments[s].pickup is None:
            load = [a + b for a, b in zip(load, _padded(problem, s), strict=True)]
    start, timed = tuple(load), []
    for stop in stops:
        s, is_delivery = problem.visits[stop.visit_idx]
        to = problem.visit(stop.visit_idx).location_idx
        driving, metres = driving + max(0.0, stop.driven_s(now)), metres + travel_times.length_m(vehicle.profile, at, to)
        load = [a + (-b if is_delivery else b) for a, b in zip(load, _padded(problem, s), strict=True)]
        timed.append(stop if stop.load_after == tuple(load) else replace(stop, load_after=tuple(load)))
        at, now = to, stop.left_s
    end, rests = now, () if new is None else new.road_rests
    if vehicle.end_depot_idx is not None:
        home = problem.depots[vehicle.end_depot_idx].location_idx
        end = new.end_s if new is not None else travel_times.arrival_s(vehicle.profile, at, home, now)
        driving, metres = driving + end - now - resting_s(rests), metres + travel_times.length_m(vehicle.profile, at, home)
    cost = vehicle.fixed_cost + problem.driver_cost(r, end - departure_s) + vehicle.cost_per_m * metres
    cost += vehicle.cost_per_driving_s * driving
    cost += sum(problem.visit(stop.visit_idx).late_cost(stop.start_s) for stop in stops)
    cost += sum(problem.dislike(r, s) for s in {problem.visits[stop.visit_idx][0] for stop in stops})
    co2_g = metres * vehicle.co2_g_per_m
    return DeliveryRound(r, departure_s, end, start, tuple(timed), driving, metres, cost, co2_g, rests)


def _padded(problem: Problem, shipment_idx: int) -> list[int]:
    load = problem.shipments[shipment_idx].load
    return [*load, *([0] * (problem.dimensions - len(load)))]

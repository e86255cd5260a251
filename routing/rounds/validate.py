"""Exact check of a plan against its problem. Every plan passes it before it leaves the engine, in production too.

Plain Python over the problem's own dataclasses: shares no code with the kernels that made the plan.
"""

from collections import defaultdict
from collections.abc import Iterator

from routing.rounds.errors import InfeasiblePlanError
from routing.rounds.plan import DeliveryRound, Plan, PlannedBreak, PlannedReload, PlannedStop
from routing.rounds.problem import Break, Problem, Vehicle, Visit
from routing.rounds.travel_times import TravelTimes
from routing.rounds.validate_driving import check_driving, drive_leg
from routing.rounds.validate_loads import check_loads, check_reload

TOLERANCE_S = 1e-5
"""Times may differ by this much (rounding of doubles along a day)."""


def list_violations(problem: Problem, travel_times: TravelTimes, plan: Plan) -> list[str]:
    """Return every constraint `plan` breaks, each as a sentence; empty = feasible, and its costs are right."""
    found = [*_coverage(problem, plan)]
    vehicles = [one.vehicle_idx for one in plan.rounds]
    if len(set(vehicles)) < len(vehicles):
        found.append("a vehicle drives two rounds")
    for one in plan.rounds:
        name = problem.vehicles[one.vehicle_idx].id
        found += [f"vehicle {name!r}: {text}" for text in _check_round(problem, travel_times, one)]
    found += _check_bonds(problem, plan)
    cost = sum(one.cost for one in plan.rounds) + sum(problem.shipments[u.shipment_idx].penalty for u in plan.unserved)
    if abs(cost - plan.cost) > 1e-6 * max(1.0, abs(cost)):
        found.append(f"the plan says it costs {plan.cost}, its parts cost {cost}")
    return found


def check_plan(problem: Problem, travel_times: TravelTimes, plan: Plan) -> Plan:
    """Return `plan` if it is feasible.

    Raises
    ------
    InfeasiblePlanError
        With every violation in words.
    """
    violations = list_violations(problem, travel_times, plan)
    if violations:
        raise InfeasiblePlanError(violations)
    return plan


def _coverage(problem: Problem, plan: Plan) -> Iterator[str]:
    seen = [0] * len(problem.visits)
    for one in plan.rounds:
        for stop in one.stops:
            seen[stop.visit_idx] += 1
    unserved = [one.shipment_idx for one in plan.unserved]
    if len(set(unserved)) < len(unserved):
        yield "an order is listed as unserved twice"
    for v, times in enumerate(seen):
        shipment_idx = problem.visits[v][0]
        name = problem.shipments[shipment_idx].id
        if times > 1:
            yield f"order {name!r} is visited {times} times"
        if times == 0 and shipment_idx not in unserved:
            yield f"order {name!r} is neither served nor listed as unserved"
        if times and shipment_idx in unserved:
            yield f"order {name!r} is served and listed as unserved"


def _check_bonds(problem: Problem, plan: Plan) -> Iterator[str]:
    """Who rides together, and apart."""
    rides: dict[int, int] = {problem.visits[stop.visit_idx][0]: one.vehicle_idx for one in plan.rounds for stop in one.stops}
    together, apart = defaultdict(list), defaultdict(list)
    for s, r in rides.items():
        together[problem.shipments[s].together].append(r)
        apart[problem.shipments[s].apart].append(r)
    for name, vehicles in together.items():
        if name and len(set(vehicles)) > 1:
            yield f"the orders {name!r} are to ride together but ride in {len(set(vehicles))} vehicles"
    for name, vehicles in apart.items():
        if name and len(set(vehicles)) < len(vehicles):
            yield f"two of the orders {name!r} ride in the same vehicle although they are to ride apart"


def _check_round(problem: Problem, travel_times: TravelTimes, one: DeliveryRound) -> Iterator[str]:
    vehicle = problem.vehicles[one.vehicle_idx]
    start_depot = problem.depots[vehicle.start_depot_idx]
    if not one.stops:
        yield "a round without stops"
    for window in (vehicle.shift, start_depot.window):
        if not window.start_s - TOLERANCE_S <= one.departure_s <= window.end_s + TOLERANCE_S:
            yield f"leaves at {one.departure_s:g}, outside {window.start_s:g}–{window.end_s:g}"
    at, now, driving, metres = start_depot.location_idx, one.departure_s, 0.0, 0.0
    for halt in one.halts:
        to = problem.location_of(halt)
        reached, drives = drive_leg(travel_times, vehicle.profile, at, to, now, halt.road_rests)
        if isinstance(halt, PlannedReload):
            yield from (f"reload: {text}" for text in check_reload(problem, one.vehicle_idx, halt, reached))
        else:
            visit, name = problem.visit(halt.visit_idx), problem.shipments[problem.visits[halt.visit_idx][0]].id
            yield from (f"order {name!r}: {text}" for text in _check_stop(vehicle, visit, halt, reached))
        driving += drives
        metres += travel_times.length_m(vehicle.profile, at, to)
        at, now = to, halt.left_s
    back = now
    if vehicle.end_depot_idx is not None:
        end_depot = problem.depots[vehicle.end_depot_idx]
        back, drives = drive_leg(travel_times, vehicle.profile, at, end_depot.location_idx, now, one.road_rests)
        driving += drives
        metres += travel_times.length_m(vehicle.profile, at, end_depot.location_idx)
        if back > end_depot.window.end_s + TOLERANCE_S:
            yield f"is back at {back:g}, after the depot closed at {end_depot.window.end_s:g}"
    if not abs(back - one.end_s) <= TOLERANCE_S:
        yield f"says it ends at {one.end_s:g} but ends at {back:g}"
    if back > vehicle.shift.end_s + TOLERANCE_S:
        yield f"ends at {back:g}, after the shift's end {vehicle.shift.end_s:g}"
    if vehicle.max_duration_s is not None and one.duration_s > vehicle.max_duration_s + TOLERANCE_S:
        yield f"lasts {one.duration_s:g} s, longer than {vehicle.max_duration_s:g} s"
    if vehicle.max_length_m is not None and metres > vehicle.max_length_m + 1e-3:
        yield f"drives {metres:g} m, more than {vehicle.max_length_m:g} m"
    if vehicle.max_stops is not None and len(one.stops) > vehicle.max_stops:
        yield f"makes {len(one.stops)} stops, more than {vehicle.max_stops}"
    cost = vehicle.fixed_cost + vehicle.cost_per_s * (back - one.departure_s) + vehicle.cost_per_m * metres
    cost += vehicle.cost_per_driving_s * driving
    cost += vehicle.balance_cost_per_s2 * (back - one.departure_s) ** 2
    cost += _wishes_cost(problem, one)
    if vehicle.overtime_after_s is not None and one.duration_s > vehicle.overtime_after_s:
        cost += vehicle.overtime_cost_per_s * (one.duration_s - vehicle.overtime_after_s)
    for label, said, true in (
        ("cost", one.cost, cost),
        ("length", one.length_m, metres),
        ("driving time", one.driving_s, driving),
    ):
        if not abs(said - true) <= 1e-6 * max(1.0, abs(true)) + TOLERANCE_S:
            yield f"says its {label} is {said:g} but it is {true:g}"
    yield from check_loads(problem, one)
    yield from _check_breaks(problem, one)
    yield from check_driving(vehicle, one)
    yield from _check_rides(problem, one)


def _wishes_cost(problem: Problem, one: DeliveryRound) -> float:
    """Cost of what a round does against wishes: late starts, orders in vehicles they do not prefer."""
    total = 0.0
    for s in {problem.visits[stop.visit_idx][0] for stop in one.stops}:
        shipment = problem.shipments[s]
        if shipment.preferred_vehicle_ids and problem.vehicles[one.vehicle_idx].id not in shipment.preferred_vehicle_ids:
            total += shipment.other_vehicle_cost
    for stop in one.stops:
        visit = problem.visit(stop.visit_idx)
        if visit.due_s is not None and stop.start_s > visit.due_s:
            total += (stop.start_s - visit.due_s) * visit.late_cost_per_s
    return total


def _check_rides(problem: Problem, one: DeliveryRound) -> Iterator[str]:
    left: dict[int, float] = {}
    for stop in one.stops:
        s, is_delivery = problem.visits[stop.visit_idx]
        shipment = problem.shipments[s]
        if not is_delivery:
            left[s] = stop.departure_s
        elif shipment.max_ride_s is not None and s in left and stop.start_s - left[s] > shipment.max_ride_s + TOLERANCE_S:
            yield f"order {shipment.id!r} rides for {stop.start_s - left[s]:g} s, longer than {shipment.max_ride_s:g} s"


def _check_stop(vehicle: Vehicle, visit: Visit, stop: PlannedStop, reached: float) -> Iterator[str]:
    if not abs(reached - stop.arrival_s) <= TOLERANCE_S:
        yield f"says it is reached at {stop.arrival_s:g} but is reached at {reached:g}"
    ready = stop.breaks_before[-1].end_s if stop.breaks_before else stop.arrival_s
    if stop.start_s < ready - TOLERANCE_S:
        yield f"service starts at {stop.start_s:g}, before the vehicle is ready at {ready:g}"
    if visit.windows and not any(w.start_s - TOLERANCE_S <= stop.start_s <= w.end_s + TOLERANCE_S for w in visit.windows):
        yield f"service starts at {stop.start_s:g}, outside its time windows"
    service = dict(visit.service_by_class).get(vehicle.service_class, visit.service_s)
    stays = visit.setup_s + vehicle.service_factor * service
    if stop.held_s < 0.0:
        yield f"is held for {stop.held_s:g} s"
    if not abs(stop.departure_s - stop.start_s - stays) <= TOLERANCE_S:
        yield f"service lasts {stop.departure_s - stop.start_s:g} s instead of {stays:g} s"


def _check_breaks(problem: Problem, one: DeliveryRound) -> Iterator[str]:
    """Every break is taken in order, at a stop, or possible before the departure or after the end."""
    vehicle = problem.vehicles[one.vehicle_idx]
    taken: list[PlannedBreak] = []
    for stop in one.halts:
        for rests, not_before in ((stop.breaks_before, stop.arrival_s), (stop.breaks_after, stop.departure_s)):
            clock = not_before
            for rest in rests:
                if rest.start_s < clock - TOLERANCE_S:
                    yield f"rests at {rest.start_s:g} while not free before {clock:g}"
                clock = rest.end_s
                if not rest.by_rule:
                    taken.append(rest)
    count = len(vehicle.breaks) - len(taken)
    if count < 0:
        yield f"takes {len(taken)} breaks, {len(vehicle.breaks)} are asked for"
        return
    # Breaks are in order: some before leaving, then those taken, the rest after the end.
    if not any(_breaks_fit(vehicle.breaks, early, taken, one) for early in range(count + 1)):
        yield "its breaks do not fit their times"


def _breaks_fit(breaks: tuple[Break, ...], early: int, taken: list[PlannedBreak], one: DeliveryRound) -> bool:
    clock = float("-inf")
    for rest in breaks[:early]:
        begin = max(clock, rest.earliest_s)
        clock = begin + rest.duration_s
        if begin > rest.latest_s + TOLERANCE_S or clock > one.departure_s + TOLERANCE_S:
            return False
    for rest, real in zip(breaks[early : early + len(taken)], taken, strict=True):
        inside = rest.earliest_s - TOLERANCE_S <= real.start_s <= rest.latest_s + TOLERANCE_S
        if not inside or abs(real.end_s - real.start_s - rest.duration_s) > TOLERANCE_S:
            return False
    clock = one.end_s
    for rest in breaks[early + len(taken) :]:
        begin = max(clock, rest.earliest_s)
        if begin > rest.latest_s + TOLERANCE_S:
            return False
        clock = begin + rest.duration_s
    return True

"""From the problem's dataclasses to the arrays the kernels read."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_route import BREAK, SHIPMENT, VEHICLE, VISIT, WINDOW, ProblemArrays
from routing.kernels.rounds_times import Records
from routing.rounds.errors import InvalidProblemError
from routing.rounds.problem import DrivingRules, Problem, Visit
from routing.rounds.travel_times import TravelTimes


def build_arrays(problem: Problem, travel_times: TravelTimes) -> ProblemArrays:
    """Arrays of `problem`.

    Raises
    ------
    InvalidProblemError
        The travel times do not cover its locations or profiles, or there are micro-hubs.
    """
    if problem.hubs:
        raise InvalidProblemError.of("hubs", "cannot be combined with what is asked for; only planning knows micro-hubs yet")
    if travel_times.location_count < problem.location_count:
        raise InvalidProblemError.of(
            "travel_times", f"covers {travel_times.location_count} locations, the problem has {problem.location_count}"
        )
    for k, vehicle in enumerate(problem.vehicles):
        if not 0 <= vehicle.profile < travel_times.profile_count:
            raise InvalidProblemError.of(
                f"vehicles[{k}].profile", f"there is no profile {vehicle.profile}: {travel_times.profile_count} are given"
            )
    demand, allowed = _demand(problem), _allowed(problem)
    vehicles = _vehicles(problem)
    allowed[:, never_drives(vehicles)] = False
    dislike = np.where(allowed, _dislike(problem), np.float32(np.inf))
    capacity = np.zeros((len(problem.vehicles), problem.dimensions), np.int64)
    for k, vehicle in enumerate(problem.vehicles):
        capacity[k, : len(vehicle.capacity)] = vehicle.capacity
    visits = [problem.visit(v) for v in range(len(problem.visits))]
    windows = [(window.start_s, window.end_s) for visit in visits for window in visit.windows]
    breaks = [(rest.earliest_s, rest.latest_s, rest.duration_s) for vehicle in problem.vehicles for rest in vehicle.breaks]
    number_kinds(vehicles, capacity, dislike, [(one.max_reloads, one.reload_depots, one.reload_s) for one in problem.vehicles])
    first, other, apart = _bonds(problem)
    due, rides = _due(visits), _longest_rides(problem)
    special = np.isfinite(rides)
    for (shipment_idx, _), late_cost_per_s in zip(problem.visits, due[:, 1], strict=True):
        special[shipment_idx] |= late_cost_per_s > 0
    arrays = ProblemArrays(
        _visits(problem, visits),
        _records(windows, WINDOW),
        _shipments(problem),
        vehicles,
        _records(breaks, BREAK),
        demand,
        capacity,
        _service(problem, visits),
        dislike,
        first,
        other,
        apart,
        due,
        rides,
        special,
    )
    return with_reloads(problem, arrays) if problem.reloads else arrays


def never_drives(vehicles: Records) -> npt.NDArray[np.bool_]:
    """Vehicles that serve nobody, because the shift and the depot's opening hours do not meet."""
    never: npt.NDArray[np.bool_] = (vehicles.leave_from_s > vehicles.leave_by_s) | (
        vehicles.leave_from_s > vehicles.return_by_s
    )
    return never


def number_kinds(
    vehicles: Records, capacity: npt.NDArray[np.int64], dislike: npt.NDArray[np.float32], reloads: Sequence[object] = ()
) -> None:
    """Number the vehicles that differ in nothing: fills ``vehicles.kind``; a driver's breaks make a kind of their own.

    `reloads` says where, how often and how quickly each may reload.
    """
    known: dict[tuple[object, ...], int] = {}
    kinds = []
    for r, row in enumerate(vehicles.tolist()):
        own = row[:-4]
        if row[12] == row[13]:
            own = (*row[:12], *row[14:-4])
        kinds.append(
            known.setdefault((own, reloads[r] if reloads else None, capacity[r].tobytes(), dislike[:, r].tobytes()), len(known))
        )
    vehicles.kind[:] = kinds


def _records(rows: Sequence[tuple[float, ...]], dtype: np.dtype[np.void]) -> Records:
    return np.array(list(rows), dtype).view(np.recarray)


def _visits(problem: Problem, visits: list[Visit]) -> Records:
    rows: list[tuple[float, ...]] = []
    window = 0
    for v, (visit, (shipment_idx, is_delivery)) in enumerate(zip(visits, problem.visits, strict=True)):
        shipment = problem.shipments[shipment_idx]
        paired = shipment.pickup is not None and shipment.delivery is not None
        partner = -1 if not paired else v - 1 if is_delivery else v + 1
        last = window + len(visit.windows)
        rows.append((visit.location_idx, window, last, shipment_idx, partner, is_delivery, False))
        window = last
    return _records(rows, VISIT)


def _shipments(problem: Problem) -> Records:
    rows: list[tuple[float, ...]] = []
    first = 0
    for shipment in problem.shipments:
        last = first + (shipment.pickup is not None) + (shipment.delivery is not None)
        rows.append((shipment.penalty, first, last, False))
        first = last
    return _records(rows, SHIPMENT)


def _demand(problem: Problem) -> npt.NDArray[np.int64]:
    demand = np.zeros((len(problem.shipments), problem.dimensions), np.int64)
    for k, shipment in enumerate(problem.shipments):
        amounts = shipment.load[: problem.dimensions]
        demand[k, : len(amounts)] = amounts
    return demand


def _allowed(problem: Problem) -> npt.NDArray[np.bool_]:
    """Skills and locks as a table; shipments alike in both share a row's computation."""
    known: dict[tuple[frozenset[str], frozenset[str]], npt.NDArray[np.bool_]] = {}
    allowed = np.zeros((len(problem.shipments), len(problem.vehicles)), np.bool_)
    for k, shipment in enumerate(problem.shipments):
        key = (shipment.skills, shipment.vehicle_ids)
        if key not in known:
            known[key] = np.array([problem.may_carry(r, k) for r in range(len(problem.vehicles))], np.bool_)
        allowed[k] = known[key]
    return allowed


def service_classes(problem: Problem) -> dict[tuple[str, float], int]:
    """Classes of vehicles that take different times for the same service, numbered; there is at least one."""
    classes: dict[tuple[str, float], int] = {}
    for vehicle in problem.vehicles:
        classes.setdefault((vehicle.service_class, vehicle.service_factor), len(classes))
    return classes or {("", 1.0): 0}


def _service(problem: Problem, visits: list[Visit]) -> npt.NDArray[np.float64]:
    """Time at the stop by class of service, float64[c, m]."""
    answer = np.array([[visit.setup_s + visit.service_s for visit in visits]] * len(service_classes(problem)), np.float64)
    known = service_classes(problem)
    for vehicle in {(one.service_class, one.service_factor): one for one in problem.vehicles}.values():
        answer[known[vehicle.service_class, vehicle.service_factor]] = [visit.stays_s(vehicle) for visit in visits]
    return answer


def _dislike(problem: Problem) -> npt.NDArray[np.float32]:
    dislike = np.zeros((len(problem.shipments), len(problem.vehicles)), np.float32)
    for k, shipment in enumerate(problem.shipments):
        if shipment.preferred_vehicle_ids and shipment.other_vehicle_cost:
            dislike[k] = [problem.dislike(r, k) for r in range(len(problem.vehicles))]
    return dislike


def _bonds(problem: Problem) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Who is to ride with whom, or apart: first (int64[k + 1]), other and whether apart (one entry for each of a pair)."""
    groups: dict[tuple[str, bool], list[int]] = {}
    for k, shipment in enumerate(problem.shipments):
        for name, apart in ((shipment.together, False), (shipment.apart, True)):
            if name:
                groups.setdefault((name, apart), []).append(k)
    first, others, aparts = [0], [], []
    for k, shipment in enumerate(problem.shipments):
        for name, apart in ((shipment.together, False), (shipment.apart, True)):
            mates = [s for s in groups.get((name, apart), ()) if s != k]
            others += mates
            aparts += [apart] * len(mates)
        first.append(len(others))
    return np.array(first, np.int64), np.array(others, np.int32), np.array(aparts, np.bool_)


def _due(visits: list[Visit]) -> npt.NDArray[np.float64]:
    """When a service is due and the cost of every second after, float64[m, 2]."""
    rows = [
        (one.due_s, one.late_cost_per_s) if one.due_s is not None and one.late_cost_per_s else (math.inf, 0.0) for one in visits
    ]
    return np.array(rows, np.float64).reshape(len(visits), 2)


def _longest_rides(problem: Problem) -> npt.NDArray[np.float64]:
    return np.array([math.inf if one.max_ride_s is None else one.max_ride_s for one in problem.shipments], np.float64)


def _rules(rules: DrivingRules | None) -> tuple[float, ...]:
    """Fields of VEHICLE from `max_driving_s` to `part_taken`."""
    if rules is None:
        return (math.inf, math.inf, 0.0, math.inf, math.inf, False, 0.0, 0.0, False)
    daily = math.inf if rules.max_daily_driving_s is None else rules.max_daily_driving_s
    parts = rules.split_s or (math.inf, math.inf)
    behind = (rules.driven_s, rules.driven_today_s, rules.part_taken)
    return (rules.max_driving_s, daily, rules.rest_s, *parts, rules.waiting_rests, *behind)


def _vehicles(problem: Problem) -> Records:
    rows: list[tuple[float, ...]] = []
    classes = service_classes(problem)
    first, reload = 0, len(problem.visits)
    for v in problem.vehicles:
        start = problem.depots[v.start_depot_idx]
        end = None if v.end_depot_idx is None else problem.depots[v.end_depot_idx]
        last = first + len(v.breaks)
        rows.append(
            (
                start.location_idx,
                -1 if end is None else end.location_idx,
                max(v.shift.start_s, start.window.start_s),
                min(v.shift.end_s, start.window.end_s),
                v.shift.end_s if end is None else min(v.shift.end_s, end.window.end_s),
                math.inf if v.max_duration_s is None else v.max_duration_s,
                math.inf if v.max_length_m is None else v.max_length_m,
                2**31 - 1 if v.max_stops is None else v.max_stops,
                v.profile,
                v.fixed_cost,
                v.cost_per_s,
                v.cost_per_m,
                v.cost_per_driving_s,
                first,
                last,
                math.inf if v.overtime_after_s is None or not v.overtime_cost_per_s else v.overtime_after_s,
                v.overtime_cost_per_s,
                classes[v.service_class, v.service_factor],
                v.balance_cost_per_s2,
                *_rules(v.driving_rules),
                reload,
                reload + v.max_reloads * len(v.reload_depots),
                v.max_reloads,
                0,
            )
        )
        first, reload = last, reload + v.max_reloads * len(v.reload_depots)
    return _records(rows, VEHICLE)


def with_reloads(problem: Problem, arrays: ProblemArrays) -> ProblemArrays:
    """The arrays with a visit, and a shipment of nothing, for every reload that may be made: the last ones of each.

    They are no deliveries, so that loads are looked at place by place.
    """
    m, k, q = len(arrays.visits), len(arrays.shipments), len(problem.reloads)
    depots = [problem.depots[depot] for _, depot in problem.reloads]
    windows = _records([(depot.window.start_s, depot.window.end_s) for depot in depots], WINDOW)
    w, takes = len(arrays.windows), [problem.vehicles[r].reload_s for r, _ in problem.reloads]
    visits = [(depot.location_idx, w + n, w + n + 1, k + n, -1, False, True) for n, depot in enumerate(depots)]
    dislike = np.full((q, len(problem.vehicles)), np.inf, np.float32)
    dislike[np.arange(q), [r for r, _ in problem.reloads]] = 0.0

    def joined(one: Records, two: Records) -> Records:
        return np.concatenate([one, two]).view(np.recarray)

    return arrays._replace(
        visits=joined(arrays.visits, _records(visits, VISIT)),
        windows=joined(arrays.windows, windows),
        shipments=joined(arrays.shipments, _records([(0.0, m + n, m + n + 1, True) for n in range(q)], SHIPMENT)),
        demand=np.concatenate([arrays.demand, np.zeros((q, arrays.demand.shape[1]), np.int64)]),
        service_s=np.concatenate([arrays.service_s, np.tile(np.array(takes), (len(arrays.service_s), 1))], axis=1),
        dislike=np.concatenate([arrays.dislike, dislike]),
        bond_first=np.concatenate([arrays.bond_first, np.full(q, arrays.bond_first[-1])]),
        due=np.concatenate([arrays.due, np.tile([math.inf, 0.0], (q, 1))]),
        max_ride_s=np.concatenate([arrays.max_ride_s, np.full(q, math.inf)]),
        special=np.concatenate([arrays.special, np.zeros(q, np.bool_)]),
    )

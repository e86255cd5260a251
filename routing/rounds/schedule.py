"""Exact schedule of a round: every arrival, wait, service and break for a given order of visits."""

from collections.abc import Sequence

import numpy as np

from routing.kernels.rounds_driving import drive_round
from routing.kernels.rounds_held import may_hold
from routing.kernels.rounds_held_plan import plan_held
from routing.kernels.rounds_live import time_stops
from routing.kernels.rounds_refresh import leg_loads, route_metres
from routing.kernels.rounds_route import (
    ProblemArrays,
    best_departure,
    end_of_round,
    forward_breaks,
    is_ruled,
    rests,
    time_cost,
)
from routing.kernels.rounds_state import SEARCH_STEPS
from routing.kernels.rounds_times import F64, STATIC, TimesArrays
from routing.kernels.rounds_whole import best_whole, time_whole, value_of
from routing.rounds.plan import DeliveryRound, PlannedBreak, PlannedReload, PlannedStop, resting_s
from routing.rounds.rested import Halt, list_halts

HELD_POINTS = (181, 4321)
"""Grids on which holds are planned: that of the search, and ten seconds of twelve hours."""
FINE_STEPS = 24
"""Departures tried when a round with breaks or rests is timed for a plan (rounds without are timed exactly)."""


def build_round(
    problem: ProblemArrays, times: TimesArrays, vehicle_idx: int, route: Sequence[int], departure_s: float | None = None
) -> DeliveryRound | None:
    """Time `route` exactly, leaving at `departure_s` or, without it, when it is cheapest; None if infeasible in time.

    Where time costs nothing, and among equals, the shortest round is taken.
    """
    visits = np.array(route, np.int32)
    special = bool(problem.special[problem.visits.shipment[visits]].any())
    if departure_s is None and not special and len(visits):
        held = _held(problem, times, vehicle_idx, visits)
        if held is not None:
            return held
    if departure_s is None:
        departure_s = _departure(problem, times, vehicle_idx, visits, special)
    vehicle = problem.vehicles[vehicle_idx]
    outside = not vehicle.leave_from_s <= departure_s <= vehicle.leave_by_s
    not_before, late = np.full(len(visits), -np.inf), 0.0
    if special:
        end_s, late = time_whole(problem, times, vehicle_idx, visits, departure_s, np.empty(len(visits)), not_before)
    else:
        end_s = end_of_round(problem, times, vehicle_idx, visits, departure_s)
    if outside or not np.isfinite(end_s):
        return None
    loads = _loads(problem, visits).T.tolist()
    halts = _ruled(problem, times, vehicle_idx, visits, departure_s, not_before)
    if halts is None:
        halts, back, driving = _halts(problem, times, vehicle_idx, visits, departure_s, not_before)
    else:
        back, driving = end_s, _driven(halts, departure_s, end_s)
    stops = _stops(problem, visits, halts, loads)
    metres = float(route_metres(problem, times, vehicle_idx, visits))
    cost = (
        problem.vehicles[vehicle_idx].fixed_cost
        + time_cost(problem, vehicle_idx, back - departure_s)
        + problem.vehicles[vehicle_idx].cost_per_m * metres
        + problem.vehicles[vehicle_idx].cost_per_driving_s * driving
        + late
        + _dislikes(problem, vehicle_idx, visits)
    )
    return DeliveryRound(
        vehicle_idx, float(departure_s), float(back), tuple(loads[0]), tuple(stops), float(driving), metres, float(cost),
        road_rests=halts[-1].road_rests if halts[-1].service is None else (),
    )  # fmt: skip


def _held(problem: ProblemArrays, times: TimesArrays, r: int, visits: np.ndarray) -> DeliveryRound | None:
    """The round with holds where they pay; None = the vehicle does not hold, or the grid is too coarse for its windows."""
    vehicle = problem.vehicles[r]
    if times.kind == STATIC or not vehicle.cost_per_driving_s > 0.0 or not may_hold(problem, r):
        return None
    best: DeliveryRound | None = None
    for points in HELD_POINTS:
        leave, made = np.full(len(visits) + 1, -np.inf), np.zeros((len(visits), 4))
        _, end_s, driving = plan_held(problem, times, r, visits, points, leave, made)
        if not np.isfinite(end_s):
            continue
        metres = float(route_metres(problem, times, r, visits))
        cost = vehicle.fixed_cost + vehicle.cost_per_s * (end_s - leave[0]) + vehicle.cost_per_driving_s * driving
        cost += vehicle.cost_per_m * metres + _dislikes(problem, r, visits)
        if best is None or cost < best.cost:
            loads = _loads(problem, visits).T.tolist()
            stops = tuple(
                PlannedStop(v, arrived, start, done, tuple(load), held_s=left - done)
                for v, (arrived, start, done, left), load in zip(visits.tolist(), made.tolist(), loads[1:], strict=True)
            )
            best = DeliveryRound(r, float(leave[0]), end_s, tuple(loads[0]), stops, driving, metres, float(cost))
    return best


def _dislikes(problem: ProblemArrays, r: int, visits: np.ndarray) -> float:
    return sum(float(problem.dislike[s, r]) for s in {int(s) for s in problem.visits.shipment[visits]})


def _stops(problem: ProblemArrays, visits: np.ndarray, halts: list[Halt], loads: list[list[int]]) -> list[PlannedStop]:
    """Stops of the halts, each with the reload before it."""
    stops: list[PlannedStop] = []
    reload: PlannedReload | None = None
    for v, one, load in zip(visits.tolist(), halts, loads[1:], strict=False):
        assert one.service is not None
        begin, end = one.service
        before, after, on_road = one.breaks_before, one.breaks_after, one.road_rests
        if problem.visits.is_reload[v]:
            at = int(problem.visits.location[v])
            reload = PlannedReload(v, at, one.arrival_s, begin, end, tuple(load), before, after, on_road)
        else:
            stops.append(PlannedStop(v, one.arrival_s, begin, end, tuple(load), before, after, on_road, reload))
            reload = None
    return stops


def _ruled(
    problem: ProblemArrays, times: TimesArrays, r: int, visits: np.ndarray, departure_s: float, not_before: F64
) -> list[Halt] | None:
    """Halts of a round in which the driver rests by the time driven; None = no need to."""
    if not is_ruled(problem, r):
        return None
    _, last, book = drive_round(problem, times, r, visits, departure_s, not_before)
    return None if last < 0 else list_halts(book, last)


def _driven(halts: list[Halt], departure_s: float, end_s: float) -> float:
    left, driving = departure_s, 0.0
    for one in halts:
        reached = end_s if one.service is None else one.arrival_s
        driving += reached - left - resting_s(one.road_rests)
        if one.service is not None:
            left = one.breaks_after[-1].end_s if one.breaks_after else one.service[1]
    return driving


def _halts(
    problem: ProblemArrays, times: TimesArrays, r: int, visits: np.ndarray, departure_s: float, not_before: F64
) -> tuple[list[Halt], float, float]:
    """Halts of a round with breaks of the vehicle alone, its end and its driving time."""
    rests = _rests(problem, times, r, visits, departure_s, not_before)
    resting = np.array([(before, after) for before, after, _ in rests], np.int64).reshape(len(visits), 2)
    taken = rests[0][2] if rests else 0
    times_s, back, driving = time_stops(problem, times, r, visits, departure_s, not_before, resting, taken)
    halts = []
    for k, (arrived, start, done, _) in enumerate(times_s.tolist()):
        before: tuple[PlannedBreak, ...] = ()
        after: tuple[PlannedBreak, ...] = ()
        if rests[k][0] or rests[k][1]:
            before, _, taken = _take(problem, r, taken, rests[k][0], arrived)
            after, _, taken = _take(problem, r, taken, rests[k][1], done)
        halts.append(Halt(arrived, (start, done), (), before, after))
    return halts, float(back), float(driving)


def _departure(problem: ProblemArrays, times: TimesArrays, r: int, visits: np.ndarray, special: bool) -> float:
    """Cheapest departure of those found finely and as the search does."""
    tried = []
    exact = not special and not rests(problem, r)
    for steps in (SEARCH_STEPS,) if exact else (FINE_STEPS, SEARCH_STEPS):
        if special:
            start, end, late = best_whole(problem, times, r, visits, steps)
            tried.append((value_of(problem, r, start, end, late) if np.isfinite(end) else np.inf, start))
        else:
            start, end = best_departure(problem, times, r, visits, steps)
            tried.append((end - start if np.isfinite(end) else np.inf, start))
    if not special and is_ruled(problem, r) and problem.vehicles[r].last_break == problem.vehicles[r].first_break:
        start, _ = best_departure(_without_rules(problem), times, r, visits, SEARCH_STEPS)  # exact where nobody has to rest
        end = end_of_round(problem, times, r, visits, start) if np.isfinite(start) else np.inf
        tried.append((end - start if np.isfinite(end) else np.inf, start))
    return float(min(tried, key=lambda one: one[0])[1])


def _without_rules(problem: ProblemArrays) -> ProblemArrays:
    vehicles = problem.vehicles.copy()
    vehicles.max_driving_s = vehicles.max_daily_s = np.inf
    return problem._replace(vehicles=vehicles)


def _loads(problem: ProblemArrays, visits: np.ndarray) -> np.ndarray:
    loads = np.zeros((problem.demand.shape[1], len(visits) + 1), np.int64)
    for d in range(len(loads)):
        leg_loads(problem, visits, d, loads[d])
    return loads


def _rests(
    problem: ProblemArrays, times: TimesArrays, r: int, visits: np.ndarray, departure_s: float, not_before: F64
) -> list[tuple[int, int, int]]:
    """Per position: breaks taken before and after the service, and the number behind on arrival."""
    count = int(problem.vehicles[r].last_break - problem.vehicles[r].first_break)
    if count == 0:
        return [(0, 0, 0)] * len(visits)
    rows = 2 * (len(visits) + 1)
    state, source = np.full((rows, count + 1), np.inf), np.zeros((rows, count + 1), np.int64)
    _, behind = forward_breaks(problem, times, r, visits, departure_s, not_before, state, source)
    answer = []
    for k in range(len(visits) - 1, -1, -1):
        served = int(source[2 * k + 1, behind])
        arrived = int(source[2 * k, served])
        answer.append((served - arrived, behind - served, arrived))
        behind = arrived
    return answer[::-1]


def _take(problem: ProblemArrays, r: int, taken: int, count: int, t: float) -> tuple[tuple[PlannedBreak, ...], float, int]:
    """Take the next `count` breaks from `t` on; return them, the time after and the number behind."""
    breaks = []
    for b in range(taken, taken + count):
        at = int(problem.vehicles[r].first_break) + b
        begin = max(t, float(problem.breaks[at].earliest_s))
        t = begin + float(problem.breaks[at].duration_s)
        breaks.append(PlannedBreak(begin, t))
    return tuple(breaks), t, taken + count

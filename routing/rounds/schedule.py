"""Exact schedule of a round: every arrival, wait, service and break for a given order of visits."""

from collections.abc import Sequence

import numpy as np

from routing.kernels.rounds_live import time_stops
from routing.kernels.rounds_refresh import leg_loads, route_metres
from routing.kernels.rounds_route import ProblemArrays, best_departure, end_of_round, forward_breaks, time_cost
from routing.kernels.rounds_state import SEARCH_STEPS
from routing.kernels.rounds_times import F64, TimesArrays
from routing.kernels.rounds_whole import best_whole, time_whole, value_of
from routing.rounds.plan import DeliveryRound, PlannedBreak, PlannedStop

FINE_STEPS = 24
"""Departures tried when a round with breaks is timed for a plan (rounds without are timed exactly)."""


def build_round(
    problem: ProblemArrays, times: TimesArrays, vehicle_idx: int, route: Sequence[int], departure_s: float | None = None
) -> DeliveryRound | None:
    """Time `route` exactly, leaving at `departure_s` or, without it, when it is cheapest; None if infeasible in time.

    Where time costs nothing, and among equals, the shortest round is taken.
    """
    visits = np.array(route, np.int32)
    special = bool(problem.special[problem.visits.shipment[visits]].any())
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
    rests = _rests(problem, times, vehicle_idx, visits, departure_s, not_before)
    loads = _loads(problem, visits).T.tolist()
    resting = np.array([(before, after) for before, after, _ in rests], np.int64).reshape(len(visits), 2)
    times_s, back, driving = time_stops(problem, times, vehicle_idx, visits, departure_s, not_before, resting, _rested(rests))
    stops, taken = [], _rested(rests)
    for k, (v, (arrived, start, done, _)) in enumerate(zip(visits.tolist(), times_s.tolist(), strict=True)):
        before: tuple[PlannedBreak, ...] = ()
        after: tuple[PlannedBreak, ...] = ()
        if rests[k][0] or rests[k][1]:
            before, _, taken = _take(problem, vehicle_idx, taken, rests[k][0], arrived)
            after, _, taken = _take(problem, vehicle_idx, taken, rests[k][1], done)
        stops.append(PlannedStop(v, arrived, start, done, tuple(loads[k + 1]), before, after))
    metres = float(route_metres(problem, times, vehicle_idx, visits))
    cost = (
        problem.vehicles[vehicle_idx].fixed_cost
        + time_cost(problem, vehicle_idx, back - departure_s)
        + problem.vehicles[vehicle_idx].cost_per_m * metres
        + late
        + sum(float(problem.dislike[s, vehicle_idx]) for s in {int(s) for s in problem.visits.shipment[visits]})
    )
    return DeliveryRound(
        vehicle_idx, float(departure_s), float(back), tuple(loads[0]), tuple(stops), float(driving), metres, float(cost)
    )


def _departure(problem: ProblemArrays, times: TimesArrays, r: int, visits: np.ndarray, special: bool) -> float:
    """Cheapest departure of those found finely and as the search does."""
    tried = []
    exact = not special and problem.vehicles[r].last_break == problem.vehicles[r].first_break
    for steps in (SEARCH_STEPS,) if exact else (FINE_STEPS, SEARCH_STEPS):
        if special:
            start, end, late = best_whole(problem, times, r, visits, steps)
            tried.append((value_of(problem, r, start, end, late) if np.isfinite(end) else np.inf, start))
        else:
            start, end = best_departure(problem, times, r, visits, steps)
            tried.append((end - start if np.isfinite(end) else np.inf, start))
    return float(min(tried, key=lambda one: one[0])[1])


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


def _rested(rests: list[tuple[int, int, int]]) -> int:
    return rests[0][2] if rests else 0


def _take(problem: ProblemArrays, r: int, taken: int, count: int, t: float) -> tuple[tuple[PlannedBreak, ...], float, int]:
    """Take the next `count` breaks from `t` on; return them, the time after and the number behind."""
    breaks = []
    for b in range(taken, taken + count):
        at = int(problem.vehicles[r].first_break) + b
        begin = max(t, float(problem.breaks[at].earliest_s))
        t = begin + float(problem.breaks[at].duration_s)
        breaks.append(PlannedBreak(begin, t))
    return tuple(breaks), t, taken + count

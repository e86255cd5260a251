"""Whole plans under change: all rounds timed anew after travel times or vehicles changed; the stops of one."""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np
import numpy.typing as npt

from routing.kernels.jit import kernel
from routing.kernels.rounds_refresh import refresh, route_metres
from routing.kernels.rounds_route import ProblemArrays, best_departure, service_of, time_cost
from routing.kernels.rounds_state import SEARCH_STEPS, State
from routing.kernels.rounds_times import F64, I32, I64, TimesArrays, arrival, service_start


@kernel
def refresh_some(
    problem: ProblemArrays, times: TimesArrays, state: State, wanted: npt.NDArray[np.bool_], broken: npt.NDArray[np.bool_]
) -> int:
    """Refresh the `wanted` rounds (bool[V]); note in `broken` those that are infeasible now and return how many they are."""
    count = 0
    for r in range(len(wanted)):
        if wanted[r]:
            broken[r] = not refresh(problem, times, state, r)
            count += broken[r]
    return count


@kernel
def time_all(problem: ProblemArrays, times: TimesArrays, state: State, start_s: F64, end_s: F64) -> float:
    """Exact departure and end (float64[V]; inf = infeasible) of every round at its best departure; return the total cost."""
    total = 0.0
    for r in range(len(start_s)):
        size = state.rounds[r].length
        start_s[r] = end_s[r] = problem.vehicles[r].leave_from_s
        if size == 0:
            continue
        route = state.routes[r, :size]
        start_s[r], end_s[r] = best_departure(problem, times, r, route, SEARCH_STEPS)
        total += problem.vehicles[r].fixed_cost + time_cost(problem, r, end_s[r] - start_s[r])
        total += problem.vehicles[r].cost_per_m * route_metres(problem, times, r, route)
    return total


@kernel
def time_stops(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, departure: float, not_before: F64, resting: I64, rested: int
) -> tuple[F64, float, float]:
    """Arrival, start and end of the service and departure (float64[L, 4]) of every stop, the round's end and its driving time.

    Before and after the service the driver takes so many breaks (int64[L, 2]), having taken `rested` before the departure.
    No service starts before ``not_before[k]`` (float64[L]).
    """
    p, at, t, driving = problem.vehicles[r].profile, problem.vehicles[r].start_location, departure, 0.0
    made, b = np.empty((len(route), 4)), problem.vehicles[r].first_break + rested
    for k in range(len(route)):
        v = route[k]
        made[k, 0] = arrival(times, p, at, problem.visits[v].location, t)
        driving += made[k, 0] - t
        ready = made[k, 0]
        for _ in range(resting[k, 0]):
            ready = max(ready, problem.breaks[b].earliest_s) + problem.breaks[b].duration_s
            b += 1
        ready = max(ready, not_before[k])
        made[k, 1] = service_start(problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, ready)
        made[k, 2] = t = made[k, 1] + service_of(problem, r, v)
        for _ in range(resting[k, 1]):
            t = max(t, problem.breaks[b].earliest_s) + problem.breaks[b].duration_s
            b += 1
        made[k, 3] = t
        at = problem.visits[v].location
    end = problem.vehicles[r].end_location
    back = t if end < 0 else arrival(times, p, at, end, t)
    return made, back, driving + back - t

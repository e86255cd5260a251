"""What it costs to put a visit into a place of a round: exact in feasibility, constant time a place.

The change of duration is read off the head of the visit before and the tail of the visit after (`rounds_tails`) for a few
departures; the round is then timed exactly.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import inlined, kernel
from routing.kernels.rounds_held import driving_rate, holds, place_held
from routing.kernels.rounds_refresh import route_drives, route_metres, unliked
from routing.kernels.rounds_route import ProblemArrays, backward, serve, service_of, time_cost
from routing.kernels.rounds_state import State, is_timed
from routing.kernels.rounds_tails import between
from routing.kernels.rounds_times import EPS_S, I32, TimesArrays, arrival, latest_arrival, latest_departure
from routing.kernels.rounds_whole import time_whole


@inlined
def next_random(seed: np.ndarray) -> float:
    """Uniform number in [0, 1); xorshift64* on ``seed`` (uint64[1])."""
    x = seed[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    seed[0] = x
    return float((x * np.uint64(2685821657736338717)) >> np.uint64(11)) / 9007199254740992.0


@inlined
def detour_m(problem: ProblemArrays, times: TimesArrays, r: int, i: int, at: int, j: int, empty: bool) -> float:
    """Metres added by driving over location `at` between `i` and `j` (-1 = open end); an unused vehicle does not drive home."""
    if times.length_m.shape[0] == 0:
        return 0.0
    p = problem.vehicles[r].profile
    if j < 0:
        return times.length_m[p, i, at]
    return times.length_m[p, i, at] + times.length_m[p, at, j] - (0.0 if empty else times.length_m[p, i, j])


@inlined
def detour_s(times: TimesArrays, p: int, i: int, at: int, j: int, empty: bool) -> float:
    """Driving time added by location `at` between `i` and `j` without traffic (-1 = open end)."""
    if j < 0:
        return times.matrix_s[p, i, at]
    return times.matrix_s[p, i, at] + times.matrix_s[p, at, j] - (0.0 if empty else times.matrix_s[p, i, j])


@inlined
def reach_of(problem: ProblemArrays, state: State, r: int, k: int) -> float:
    """Latest feasible arrival at position `k` of the round (its length: at the end)."""
    return problem.vehicles[r].return_by_s if k == state.rounds[r].length else state.reach_s[state.routes[r, k]]


@inlined
def end_after(state: State, r: int, k: int, t: float) -> float:
    """End of the round when position `k` (its length: the end) is reached at `t`."""
    if k == state.rounds[r].length:
        return t
    v = state.routes[r, k]
    return between(state.tail_x[v], state.tail_y[v], state.points[v, 0], t)


@inlined
def start_before(problem: ProblemArrays, state: State, r: int, k: int, t: float) -> float:
    """Latest start of the round when position ``k - 1`` (before 0: the start) is left at `t`."""
    if k == 0:
        return min(t, problem.vehicles[r].leave_by_s)
    v = state.routes[r, k - 1]
    return between(state.head_x[v], state.head_y[v], state.points[v, 1], t)


@inlined
def single_cost(problem: ProblemArrays, times: TimesArrays, state: State, r: int, v: int, k: int, limit: float) -> float:
    """Added cost of visit `v` before position `k` of a round (breaks left out); inf = infeasible or not below `limit`."""
    size = state.rounds[r].length
    p, at = problem.vehicles[r].profile, problem.visits[v].location
    i = problem.vehicles[r].start_location if k == 0 else problem.visits[state.routes[r, k - 1]].location
    j = problem.vehicles[r].end_location if k == size else problem.visits[state.routes[r, k]].location
    added = 0.0 if size else problem.vehicles[r].fixed_cost
    if times.length_m.shape[0]:
        metres = detour_m(problem, times, r, i, at, j, size == 0)
        if state.rounds[r].metres + metres > problem.vehicles[r].max_length_m + 1e-7:
            return np.inf
        added += problem.vehicles[r].cost_per_m * metres
    held = holds(problem, state, r)
    timed = is_timed(problem, r) and not held
    if problem.vehicles[r].cost_per_driving_s > 0.0 and not held:
        added += problem.vehicles[r].cost_per_driving_s * detour_s(times, p, i, at, j, size == 0)
    if not timed and not held and added >= limit:
        return np.inf
    early = problem.vehicles[r].leave_from_s if k == 0 else state.earliest_s[state.routes[r, k - 1]]
    left = serve(problem, r, v, arrival(times, p, i, at, early))
    reached = left if j < 0 or left == np.inf else arrival(times, p, at, j, left)
    if reached > reach_of(problem, state, r, k) + EPS_S:
        return np.inf
    if held:
        spent, total = state.rounds[r].held_cost if size else 0.0, np.inf
        if spent < np.inf:
            total = place_held(problem, times, state, r, v, k)
        if total < np.inf:
            return added + total - spent
        # Feasible, but only between the times of the grid.
        return added + driving_rate(problem, r) * detour_s(times, p, i, at, j, size == 0)
    if not timed:
        return added
    if size == 0:
        after, before = reached - _start_alone(problem, times, r, v, left), 0.0
    else:
        after = _duration_with(problem, times, state, r, v, k, i, j, early, left, reached)
        before = state.rounds[r].plain_end_s - state.rounds[r].start_s
    if after > problem.vehicles[r].max_duration_s + 1e-7:
        return np.inf
    added += (problem.vehicles[r].cost_per_s + problem.vehicles[r].balance_per_s2 * (after + before)) * (after - before)
    regular = problem.vehicles[r].overtime_after_s
    if after > regular or before > regular:
        added += problem.vehicles[r].overtime_per_s * (max(after - regular, 0.0) - max(before - regular, 0.0))
    return added


@inlined
def _start_alone(problem: ProblemArrays, times: TimesArrays, r: int, v: int, left: float) -> float:
    """Latest start of a round of `v` alone that leaves it at `left`."""
    x = latest_ready(problem, times, r, v, problem.vehicles[r].start_location, left)
    return min(max(x, problem.vehicles[r].leave_from_s), problem.vehicles[r].leave_by_s)


@inlined
def latest_ready(problem: ProblemArrays, times: TimesArrays, r: int, v: int, i: int, left: float) -> float:
    """Latest departure from `i` after which visit `v` is left by `left`."""
    first, last = problem.visits[v].first_window, problem.visits[v].last_window
    by = latest_arrival(problem.windows, first, last, left - service_of(problem, r, v))
    return latest_departure(times, problem.vehicles[r].profile, i, problem.visits[v].location, by)


@inlined
def _duration_with(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, v: int, k: int, i: int, j: int, early: float, left: float,
    reached: float,
) -> float:  # fmt: skip
    """Duration of the round with `v` between locations `i` and `j`: the best of up to four schedules that exist.

    They leave `i` as early as possible, as late as still leaves `v` then, as late as still ends earliest, or as in the round
    as it is.
    """
    p, at = problem.vehicles[r].profile, problem.visits[v].location
    end = end_after(state, r, k, reached)
    after = end - start_before(problem, state, r, k, early)
    x = latest_ready(problem, times, r, v, i, left)
    if x > early + 1e-6:
        after = min(after, end - start_before(problem, state, r, k, x))
    if k < state.rounds[r].length:
        w = state.routes[r, k]
        last = start_before(problem, state, r, k, np.inf)
        for q in range(state.points[w, 0] if times.kind in (1, 2) else 1):
            if state.tail_x[w, q] > reached and state.tail_y[w, q] - last < after:
                x = latest_ready(problem, times, r, v, i, latest_departure(times, p, at, j, state.tail_x[w, q]))
                if x >= early:
                    after = min(after, state.tail_y[w, q] - start_before(problem, state, r, k, x))
    x = state.rounds[r].start_s if k == 0 else state.base_s[state.routes[r, k - 1]]
    if x > early + 1e-6:
        t = serve(problem, r, v, arrival(times, p, i, at, x))
        if t < np.inf and j >= 0:
            t = arrival(times, p, at, j, t)
        if t <= reach_of(problem, state, r, k) + EPS_S:
            after = min(after, end_after(state, r, k, t) - start_before(problem, state, r, k, x))
    return after


@kernel
def whole_cost(problem: ProblemArrays, times: TimesArrays, state: State, r: int, route: I32) -> float:
    """Added cost of turning round `r` into `route`, timed whole (breaks, dues, longest rides); inf = infeasible."""
    metres = route_metres(problem, times, r, route)
    if metres > problem.vehicles[r].max_length_m + 1e-7:
        return np.inf
    low = problem.vehicles[r].leave_from_s
    starts, not_before = np.empty(len(route)), np.empty(len(route))
    end, late = time_whole(problem, times, r, route, low, starts, not_before)
    if end == np.inf:
        return end
    running = running_cost(problem, r, low, end, late)
    base = state.rounds[r].start_s if state.rounds[r].length else low
    # Also as the round leaves now, and as late as it can without any break.
    for start in (base, backward(problem, times, r, route, end, np.empty(len(route) + 1))):
        if start > low:
            end, late = time_whole(problem, times, r, route, start, starts, not_before)
            if end < np.inf:
                running = min(running, running_cost(problem, r, start, end, late))
    if problem.vehicles[r].cost_per_driving_s > 0.0:
        running += problem.vehicles[r].cost_per_driving_s * route_drives(problem, times, r, route)
    there = state.rounds[r].cost - unliked(problem, state, r)  # what rides with a vehicle it does not prefer stays as dear
    return running + problem.vehicles[r].fixed_cost + problem.vehicles[r].cost_per_m * metres - there


@inlined
def running_cost(problem: ProblemArrays, r: int, start: float, end: float, late: float) -> float:
    """Cost of a round's duration and of being late; inf = it lasts too long."""
    if end - start > problem.vehicles[r].max_duration_s + 1e-7:
        return np.inf
    return time_cost(problem, r, end - start) + late


@kernel
def spliced(route: I32, k: int, v: int) -> I32:
    """Return the route with `v` inserted before position `k`."""
    answer = np.empty(len(route) + 1, np.int32)
    answer[:k] = route[:k]
    answer[k] = v
    answer[k + 1 :] = route[k:]
    return answer

"""Cheapest places of a pickup and its delivery in one round."""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import kernel, lean
from routing.kernels.rounds_held import driving_rate, holds
from routing.kernels.rounds_places import (
    detour_m,
    detour_s,
    end_after,
    latest_ready,
    next_random,
    reach_of,
    spliced,
    start_before,
    whole_cost,
)
from routing.kernels.rounds_refresh import leg_loads
from routing.kernels.rounds_route import ProblemArrays, location_before, serve, time_cost
from routing.kernels.rounds_state import State, is_timed, is_whole
from routing.kernels.rounds_times import EPS_S, I64, TimesArrays, arrival


@kernel
def best_pair(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, s: int, blink: float, seed: np.ndarray, limit: float
) -> tuple[float, int, int]:
    """Cheapest places of a pickup and its delivery: every pair of places of the round."""
    size = state.rounds[r].length
    best, at, then = limit, -1, -1
    loads = np.empty((problem.demand.shape[1], size + 1), np.int64)
    for d in range(problem.demand.shape[1]):
        leg_loads(problem, state.routes[r, :size], d, loads[d])
    for k in range(size + 1):
        if blink > 0.0 and next_random(seed) < blink:
            continue
        cost, m = pair_from(problem, times, state, r, s, k, loads, best, blink == 0.0)
        if cost < best:
            best, at, then = cost, k, m
    return best, at, then


@lean
def pair_from(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, s: int, k: int, loads: I64, limit: float, exact: bool
) -> tuple[float, int]:
    """Cheapest place of the delivery when the pickup comes before position `k`: (added cost, its position then).

    Two schedules run along: leaving as early as possible, and as the round does now. A round to be timed whole is so where
    they promise a better place.
    """
    size, pickup = state.rounds[r].length, problem.shipments[s].first_visit
    delivery, p, whole, held = (
        pickup + 1,
        problem.vehicles[r].profile,
        is_whole(problem, state, r, s, exact),
        holds(problem, state, r),
    )
    timed = is_timed(problem, r) and not held
    rate = driving_rate(problem, r) if held else problem.vehicles[r].cost_per_driving_s
    route, best, then = state.routes[r, :size], limit, -1
    i, at = location_before(problem, r, route, k), problem.visits[pickup].location
    to = problem.visits[delivery].location
    early = problem.vehicles[r].leave_from_s if k == 0 else state.earliest_s[route[k - 1]]
    usual = state.rounds[r].start_s if k == 0 else state.base_s[route[k - 1]]
    soon = serve(problem, r, pickup, arrival(times, p, i, at, early))
    if soon == np.inf:
        return best, then
    later = serve(problem, r, pickup, arrival(times, p, i, at, usual)) if size else soon
    start_soon = start_before(problem, state, r, k, max(early, latest_ready(problem, times, r, pickup, i, soon)))
    start_later, tail, metres, seconds = start_before(problem, state, r, k, usual), at, 0.0, 0.0
    before = state.rounds[r].plain_end_s - state.rounds[r].start_s if size else 0.0
    fixed = 0.0 if size else problem.vehicles[r].fixed_cost
    for m in range(k, size + 1):  # delivery before position m of the old round
        if not _leg_has_room(problem, r, s, loads, m):
            break
        if m > k:
            v = route[m - 1]
            here = problem.visits[v].location
            if m == k + 1:
                metres, seconds = detour_m(problem, times, r, i, at, here, False), detour_s(times, p, i, at, here, False)
            soon, later = arrival(times, p, tail, here, soon), arrival(times, p, tail, here, later)
            if soon > state.reach_s[v] + EPS_S:
                break
            soon = serve(problem, r, v, soon)
            later = serve(problem, r, v, later) if later <= state.reach_s[v] + EPS_S else np.inf
            tail = here
        head = problem.vehicles[r].end_location if m == size else problem.visits[route[m]].location
        if m > k:
            more = metres + detour_m(problem, times, r, tail, to, head, False)
            drives = seconds + detour_s(times, p, tail, to, head, False)
        else:
            more = _metres_together(problem, times, r, i, at, to, head, size == 0)
            drives = detour_s(times, p, i, at, head, size == 0) + times.matrix_s[p, at, to]
            if head >= 0:
                drives += times.matrix_s[p, to, head] - times.matrix_s[p, at, head]
        cost = fixed + problem.vehicles[r].cost_per_m * more
        if rate > 0.0:
            cost += rate * drives
        if state.rounds[r].metres + more > problem.vehicles[r].max_length_m + 1e-7 or (not timed and cost >= best):
            continue
        left = serve(problem, r, delivery, arrival(times, p, tail, to, soon))
        reached = left if head < 0 or left == np.inf else arrival(times, p, to, head, left)
        if reached > reach_of(problem, state, r, m) + EPS_S:
            continue
        if timed:
            lasts = end_after(state, r, m, reached) - start_soon
            if later < np.inf and size:
                left = serve(problem, r, delivery, arrival(times, p, tail, to, later))
                reached = left if head < 0 or left == np.inf else arrival(times, p, to, head, left)
                if reached <= reach_of(problem, state, r, m) + EPS_S:
                    lasts = min(lasts, end_after(state, r, m, reached) - start_later)
            if lasts > problem.vehicles[r].max_duration_s + 1e-7 and not whole:
                continue
            cost += time_cost(problem, r, lasts) - time_cost(problem, r, before)
        if whole and cost < best:
            cost = whole_cost(problem, times, state, r, spliced(spliced(route, k, pickup), m + 1, delivery))
        if cost < best:
            best, then = cost, m + 1
    return best, then


@lean
def _leg_has_room(problem: ProblemArrays, r: int, s: int, loads: I64, leg: int) -> bool:
    for d in range(problem.demand.shape[1]):  # noqa: SIM110 - no generators in nopython mode
        if loads[d, leg] + problem.demand[s, d] > problem.capacity[r, d]:
            return False
    return True


@lean
def _metres_together(
    problem: ProblemArrays, times: TimesArrays, r: int, i: int, at: int, to: int, head: int, empty: bool
) -> float:
    """Metres added by driving ``i → at → to → head`` instead of ``i → head`` (-1 = open end)."""
    if times.length_m.shape[0] == 0:
        return 0.0
    p = problem.vehicles[r].profile
    more = times.length_m[p, i, at] + times.length_m[p, at, to]
    if head >= 0:
        more += times.length_m[p, to, head] - (0.0 if empty else times.length_m[p, i, head])
    return more

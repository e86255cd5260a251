"""Places of a visit near its neighbours: the granular neighbourhood of the search.

References
----------
Vidal, Crainic, Gendreau and Prins (2013), A hybrid genetic algorithm with adaptive diversity management for a large class of
vehicle routing problems with time-windows, doi:10.1016/j.cor.2012.07.018.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import lean, merged
from routing.kernels.rounds_insertion import (
    best_in_route,
    best_insertion,
    has_room,
    like_an_earlier_empty,
    may_add,
)
from routing.kernels.rounds_places import next_random, reach_of, single_cost
from routing.kernels.rounds_refresh import often
from routing.kernels.rounds_reload import asks_for_reload, best_with_reload
from routing.kernels.rounds_route import ProblemArrays, service_of
from routing.kernels.rounds_state import SHORTLIST, State, is_whole
from routing.kernels.rounds_times import EPS_S, I32, TimesArrays


@merged
def best_near(
    problem: ProblemArrays, times: TimesArrays, state: State, s: int, mixed: bool, blink: float, seed: np.ndarray, near: I32
) -> tuple[float, int, int, int]:
    """As `best_insertion`, but visits are tried only next to their neighbours ``near[v]`` and in unused vehicles."""
    first = problem.shipments[s].first_visit
    if problem.shipments[s].last_visit - first == 2:
        return best_insertion(problem, times, state, s, mixed, blink, seed)
    best, vehicle, at = np.inf, -1, -1
    for r in range(len(state.rounds)):
        if state.rounds[r].length and not is_whole(problem, state, r, s, blink == 0.0):
            continue
        if like_an_earlier_empty(problem, state, r) or not may_add(problem, state, r, s, mixed):
            continue
        unliked = problem.dislike[s, r]
        cost, k, _ = best_in_route(problem, times, state, r, s, mixed, blink, seed, best - unliked)
        if k >= 0 and cost + unliked < best:
            best, vehicle, at = cost + unliked, r, k
    listed = 0
    for u in near[first]:
        r = state.route_of[u]
        if r < 0 or is_whole(problem, state, r, s, blink == 0.0) or not may_add(problem, state, r, s, mixed):
            continue
        for k in range(state.position[u], state.position[u] + 2):
            if blink > 0.0 and next_random(seed) < blink:
                continue
            if often(times):
                listed = _enlist(problem, times, state, r, first, k, listed)
                continue
            unliked = problem.dislike[s, r]
            cost = single_cost(problem, times, state, r, first, k, best - unliked) + unliked
            if cost < best and (not mixed or has_room(problem, state, r, first, k)):
                best, vehicle, at = cost, r, k
    for q in range(listed):
        r, k = int(state.shortlist[1, q]), int(state.shortlist[2, q])
        unliked = problem.dislike[s, r]
        cost = single_cost(problem, times, state, r, first, k, best - unliked) + unliked
        if cost < best and (not mixed or has_room(problem, state, r, first, k)):
            best, vehicle, at = cost, r, k
    if vehicle < 0:
        return best_insertion(problem, times, state, s, mixed, 0.0, seed)
    if asks_for_reload(problem, state, s, best, vehicle, seed):
        return best_with_reload(problem, times, state, s, best, vehicle, at, int(np.int64(-1)))
    return best, vehicle, at, -1


@lean
def _enlist(problem: ProblemArrays, times: TimesArrays, state: State, r: int, v: int, k: int, listed: int) -> int:
    """Put a place on the shortlist if its detour is among the shortest; answer how many are on it."""
    p, size, at = problem.vehicles[r].profile, state.rounds[r].length, problem.visits[v].location
    i = problem.vehicles[r].start_location if k == 0 else problem.visits[state.routes[r, k - 1]].location
    j = problem.vehicles[r].end_location if k == size else problem.visits[state.routes[r, k]].location
    early = problem.vehicles[r].leave_from_s if k == 0 else state.earliest_s[state.routes[r, k - 1]]
    there = early + times.matrix_s[p, i, at]
    if problem.visits[v].last_window > problem.visits[v].first_window:
        if there > problem.windows[problem.visits[v].last_window - 1].closes_s + EPS_S:
            return listed
        there = max(there, problem.windows[problem.visits[v].first_window].opens_s)
    detour = times.matrix_s[p, i, at]
    if j >= 0:
        if there + service_of(problem, r, v) + times.matrix_s[p, at, j] > reach_of(problem, state, r, k) + EPS_S:
            return listed
        detour += times.matrix_s[p, at, j] - times.matrix_s[p, i, j]
    q = listed
    if listed == SHORTLIST:
        q -= 1
        if detour >= state.shortlist[0, q]:
            return listed
    else:
        listed += 1
    while q > 0 and state.shortlist[0, q - 1] > detour:
        for row in range(3):
            state.shortlist[row, q] = state.shortlist[row, q - 1]
        q -= 1
    state.shortlist[0, q], state.shortlist[1, q], state.shortlist[2, q] = detour, r, k
    return listed

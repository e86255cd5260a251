"""Cheapest feasible insertion of a shipment into a set of rounds."""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import inlined, kernel, lean
from routing.kernels.rounds_pairs import best_pair
from routing.kernels.rounds_places import next_random, single_cost, spliced, whole_cost
from routing.kernels.rounds_refresh import fits, refresh
from routing.kernels.rounds_reload import asks_for_reload, best_with_reload, may_ride, with_reload
from routing.kernels.rounds_route import ProblemArrays
from routing.kernels.rounds_state import State, insert_at, is_whole, set_route
from routing.kernels.rounds_times import TimesArrays


@inlined
def may_add(problem: ProblemArrays, state: State, r: int, s: int, mixed: bool) -> bool:
    """Whether vehicle `r` may carry shipment `s` and, when all is delivered from the depot, has room for it."""
    if problem.dislike[s, r] == np.inf:
        return False
    for d in range(problem.demand.shape[1]):
        room = problem.capacity[r, d] - (0 if mixed else state.load[r, d])
        if problem.demand[s, d] > room:
            return False
    return may_ride(problem, state, r, s)


@inlined
def has_room(problem: ProblemArrays, state: State, r: int, v: int, k: int) -> bool:
    """Whether the load of a single visit fits before position `k` of a round of pickups and deliveries."""
    s, size = problem.visits[v].shipment, state.rounds[r].length
    if size == 0:
        return True
    for d in range(problem.demand.shape[1]):
        if problem.visits[v].is_delivery:
            if k < size:
                most = state.before[state.routes[r, k], d]
            else:
                u = state.routes[r, size - 1]
                most = state.after[u, d] if problem.visits[u].is_reload else max(state.before[u, d], state.after[u, d])
        elif k > 0:
            most = state.after[state.routes[r, k - 1], d]
        else:
            u = state.routes[r, 0]
            most = state.before[u, d] if problem.visits[u].is_reload else max(state.before[u, d], state.after[u, d])
        if most + problem.demand[s, d] > problem.capacity[r, d]:
            return False
    return True


@lean
def best_in_route(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, s: int, mixed: bool, blink: float, seed: np.ndarray,
    limit: float,
) -> tuple[float, int, int]:  # fmt: skip
    """Cheapest insertion of shipment `s` into round `r`: (added cost, position of its first visit, of its second or -1)."""
    size, first = state.rounds[r].length, problem.shipments[s].first_visit
    if problem.shipments[s].last_visit - first == 2:
        return best_pair(problem, times, state, r, s, blink, seed, limit)
    if is_whole(problem, state, r, s, blink == 0.0):
        return _best_whole_place(problem, times, state, r, first, mixed, blink, seed, limit)
    best, at = limit, -1
    closes = np.inf
    if problem.visits[first].last_window > problem.visits[first].first_window:
        closes = problem.windows[problem.visits[first].last_window - 1].closes_s
    for k in range(size + 1):
        if k > 0 and state.earliest_s[state.routes[r, k - 1]] > closes:
            break
        if blink > 0.0 and next_random(seed) < blink:
            continue
        cost = single_cost(problem, times, state, r, first, k, best)
        if cost < best and (not mixed or has_room(problem, state, r, first, k)):
            best, at = cost, k
    return best, at, -1


@kernel
def _best_whole_place(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, v: int, mixed: bool, blink: float, seed: np.ndarray,
    limit: float,
) -> tuple[float, int, int]:  # fmt: skip
    """Best place of a single visit in a round to be timed whole: places are ranked by heads and tails, the best timed whole.

    While searching (`blink` > 0) three places are timed; otherwise as many as it takes to find a feasible one.
    """
    size = state.rounds[r].length
    route = state.routes[r, :size]
    costs = np.full(size + 1, np.inf)
    for k in range(size + 1):
        if blink == 0.0 or next_random(seed) >= blink:
            costs[k] = single_cost(problem, times, state, r, v, k, np.inf)
    best, at, timed = limit, -1, 0
    for k in np.argsort(costs):
        if costs[k] == np.inf or (timed >= 3 and (blink > 0.0 or at >= 0)):
            break
        candidate = spliced(route, k, v)
        if mixed and not fits(problem, r, candidate):
            continue
        timed += 1
        cost = whole_cost(problem, times, state, r, candidate)
        if cost < best:
            best, at = cost, k
    return best, at, -1


@lean
def best_insertion(
    problem: ProblemArrays, times: TimesArrays, state: State, s: int, mixed: bool, blink: float, seed: np.ndarray
) -> tuple[float, int, int, int]:
    """Cheapest insertion over all rounds: (added cost, vehicle, first position, second position); vehicle -1 = none.

    Of the unused vehicles that are alike only the first is tried. A second position below -1 is that of a place together with a
    reload (`rounds_reload`).
    """
    best, vehicle, at, then = np.inf, -1, -1, -1
    for r in range(len(state.rounds)):
        if like_an_earlier_empty(problem, state, r) or not may_add(problem, state, r, s, mixed):
            continue
        unliked = problem.dislike[s, r]
        cost, k, m = best_in_route(problem, times, state, r, s, mixed, blink, seed, best - unliked)
        if k >= 0 and cost + unliked < best:
            best, vehicle, at, then = cost + unliked, r, k, m
    if asks_for_reload(problem, state, s, best, vehicle, seed):
        return best_with_reload(problem, times, state, s, best, vehicle, at, then)
    return best, vehicle, at, then


@inlined
def like_an_earlier_empty(problem: ProblemArrays, state: State, r: int) -> bool:
    """Whether vehicles `r` and ``r - 1`` are both unused and differ in nothing."""
    return (
        r > 0
        and state.rounds[r].length == 0
        and state.rounds[r - 1].length == 0
        and problem.vehicles[r].kind == problem.vehicles[r - 1].kind
    )


@kernel
def apply_insertion(problem: ProblemArrays, times: TimesArrays, state: State, s: int, vehicle: int, at: int, then: int) -> bool:
    """Insert shipment `s` where `best_insertion` said; False (and nothing changed) if exact timing refuses it."""
    first = problem.shipments[s].first_visit
    old = state.routes[vehicle, : state.rounds[vehicle].length].copy()
    if then < -1:
        set_route(state, vehicle, with_reload(problem, old, s, at, then))
    else:
        insert_at(state, vehicle, at, first)
        if then >= 0:
            insert_at(state, vehicle, then, first + 1)
    if refresh(problem, times, state, vehicle):
        return True
    set_route(state, vehicle, old)
    refresh(problem, times, state, vehicle)
    return False

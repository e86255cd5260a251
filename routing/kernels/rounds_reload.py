"""Reloads: orders put into a round together with a visit to a depot, and reloads taken out again.

A round with reloads is several trips in one schedule; loads are counted by trip. An order that fits into no trip, or only where
it is dear, is tried beside a new reload: just after it (the next trip begins with the order) or just before (the trip ends with
it). Places are ranked by the least travel times, the best are timed whole.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import inlined, kernel, lean
from routing.kernels.rounds_places import next_random, whole_cost
from routing.kernels.rounds_records import ProblemArrays, location_before, service_of
from routing.kernels.rounds_refresh import fits
from routing.kernels.rounds_state import State, remove_shipment
from routing.kernels.rounds_times import I32, I64, TimesArrays

TIMED = 4
"""Places timed whole."""
OFTEN = 0.2
"""How often a reload is tried where the order has a place without."""


@inlined
def asks_for_reload(problem: ProblemArrays, state: State, s: int, cost: float, vehicle: int, seed: np.ndarray) -> bool:
    """Whether a place with a reload is looked for: there is none without or it opens a round, or now and then."""
    if not problem.shipments[len(problem.shipments) - 1].is_reload:
        return False
    dear = vehicle < 0 or cost > problem.shipments[s].penalty or state.rounds[vehicle].length == 0
    return dear or next_random(seed) < OFTEN


@lean
def free_reload(problem: ProblemArrays, state: State, r: int, after: int) -> int:
    """First reload of vehicle `r` from visit `after` on that it does not make yet; -1 = it may make no more."""
    made, found = 0, -1
    for u in range(problem.vehicles[r].first_reload, problem.vehicles[r].last_reload):
        if state.route_of[u] >= 0:
            made += 1
        elif found < 0 and u >= after:
            found = u
    return found if made < problem.vehicles[r].max_reloads else -1


@kernel
def best_with_reload(
    problem: ProblemArrays, times: TimesArrays, state: State, s: int, cost: float, vehicle: int, at: int, then: int
) -> tuple[float, int, int, int]:
    """Cheapest place of shipment `s` with a reload, as `best_insertion` answers; what was given if that costs less."""
    costs, rounds = np.full(TIMED, np.inf), np.full(TIMED, -1, np.int64)
    places, codes = np.zeros(TIMED, np.int64), np.zeros(TIMED, np.int64)
    for r in range(len(state.rounds)):
        size = state.rounds[r].length
        if size == 0 or problem.dislike[s, r] == np.inf or not may_ride(problem, state, r, s):
            continue
        u = free_reload(problem, state, r, problem.vehicles[r].first_reload)
        while u >= 0:
            for k in range(size + 1):
                for first in range(2):  # the order first, or the reload first
                    if (first == 1 and k == 0) or (first == 0 and k == size):
                        continue
                    guess = _guess(problem, times, state, r, s, u, k, first)
                    if guess >= costs[TIMED - 1]:
                        continue
                    if not fits(problem, r, with_reload(problem, state.routes[r, :size], s, k, -2 - 2 * u - first)):
                        continue
                    q = TIMED - 1
                    while q > 0 and costs[q - 1] > guess:
                        costs[q], rounds[q], places[q], codes[q] = costs[q - 1], rounds[q - 1], places[q - 1], codes[q - 1]
                        q -= 1
                    costs[q], rounds[q], places[q], codes[q] = guess, r, k, -2 - 2 * u - first
            u = _elsewhere(problem, state, r, u)
    for q in range(TIMED):
        r = rounds[q]
        if r < 0:
            break
        route = with_reload(problem, state.routes[r, : state.rounds[r].length], s, places[q], codes[q])
        real = whole_cost(problem, times, state, r, route) + problem.dislike[s, r]
        if real < cost:
            cost, vehicle, at, then = real, r, places[q], codes[q]
    return cost, vehicle, at, then


@lean
def _elsewhere(problem: ProblemArrays, state: State, r: int, u: int) -> int:
    """Next free reload of the vehicle at another depot than that of `u`; -1 = there is none."""
    other = u
    while other >= 0 and problem.visits[other].location == problem.visits[u].location:
        other = free_reload(problem, state, r, other + 1)
    return other


@inlined
def may_ride(problem: ProblemArrays, state: State, r: int, s: int) -> bool:
    """Whether bonds and the number of stops let shipment `s` ride with vehicle `r`."""
    stops = problem.shipments[s].last_visit - problem.shipments[s].first_visit
    if stops_of(problem, state, r) + stops > problem.vehicles[r].max_stops:
        return False
    for b in range(problem.bond_first[s], problem.bond_first[s + 1]):
        other = state.route_of[problem.shipments[problem.bond_other[b]].first_visit]
        if other >= 0 and (other == r) == problem.bond_apart[b]:
            return False
    return True


@inlined
def stops_of(problem: ProblemArrays, state: State, r: int) -> int:
    """Number of stops of a round without its reloads."""
    size = state.rounds[r].length
    if problem.vehicles[r].max_reloads == 0:
        return size
    stops = size
    for k in range(size):
        stops -= problem.visits[state.routes[r, k]].is_reload
    return stops


@lean
def _guess(problem: ProblemArrays, times: TimesArrays, state: State, r: int, s: int, u: int, k: int, first: int) -> float:
    """Added cost by the least travel times, waiting left out."""
    p, size, v = problem.vehicles[r].profile, state.rounds[r].length, problem.shipments[s].first_visit
    pair = problem.shipments[s].last_visit - v == 2
    i = location_before(problem, r, state.routes[r, :size], k)
    j = problem.vehicles[r].end_location if k == size else problem.visits[state.routes[r, k]].location
    one, two, depot = problem.visits[v].location, problem.visits[v + pair].location, problem.visits[u].location
    a, b, c, d = (depot, depot, one, two) if first == 1 else (one, two, depot, depot)
    seconds = times.matrix_s[p, i, a] + times.matrix_s[p, a, b] + times.matrix_s[p, b, c] + times.matrix_s[p, c, d]
    if j >= 0:
        seconds += times.matrix_s[p, d, j] - times.matrix_s[p, i, j]
    cost = problem.vehicles[r].cost_per_driving_s * seconds
    seconds += service_of(problem, r, v) + service_of(problem, r, u)
    if pair:
        seconds += service_of(problem, r, v + 1)
    cost += (problem.vehicles[r].cost_per_s + 2.0 * problem.vehicles[r].balance_per_s2 * seconds) * seconds
    if times.length_m.shape[0]:
        metres = times.length_m[p, i, a] + times.length_m[p, a, b] + times.length_m[p, b, c] + times.length_m[p, c, d]
        if j >= 0:
            metres += times.length_m[p, d, j] - times.length_m[p, i, j]
        cost += problem.vehicles[r].cost_per_m * metres
    return cost + problem.dislike[s, r]


@kernel
def with_reload(problem: ProblemArrays, route: I32, s: int, k: int, code: int) -> I32:
    """Return the route with shipment `s` and a reload before position `k`; the code is that of `best_with_reload`."""
    first, v = (-2 - code) % 2, problem.shipments[s].first_visit
    u, stops = (-2 - code) // 2, problem.shipments[s].last_visit - v
    answer = np.empty(len(route) + stops + 1, np.int32)
    answer[:k] = route[:k]
    answer[k + (0 if first == 1 else stops)] = u
    for q in range(stops):
        answer[k + q + first] = v + q
    answer[k + stops + 1 :] = route[k:]
    return answer


@kernel
def drop_idle_reloads(problem: ProblemArrays, state: State, r: int) -> None:
    """Take reloads out of a round that it can do without; call `refresh` after."""
    k = 0
    while k < state.rounds[r].length:
        u = state.routes[r, k]
        size = state.rounds[r].length
        if problem.visits[u].is_reload:
            route = np.empty(size - 1, np.int32)
            route[:k] = state.routes[r, :k]
            route[k:] = state.routes[r, k + 1 : size]
            if fits(problem, r, route):
                take_out_at(state, r, k)
                continue
        k += 1


@lean
def take_out_at(state: State, r: int, k: int) -> None:
    """Remove the visit at position `k`; call `refresh` after."""
    size = state.rounds[r].length
    state.route_of[state.routes[r, k]] = -1
    for q in range(k, size - 1):
        state.routes[r, q] = state.routes[r, q + 1]
        state.position[state.routes[r, q]] = q
    state.rounds[r].length = size - 1


@kernel
def mend_trips(
    problem: ProblemArrays, state: State, r: int, near: int, seed: np.ndarray, removed: I64, count: int
) -> int:  # fmt: skip
    """Take more out of a round about position `near` until all trips fit, then the reloads that are idle."""
    spread = 1.0
    while state.rounds[r].length and not fits(problem, r, state.routes[r, : state.rounds[r].length]):
        size = state.rounds[r].length
        k = near + int((2.0 * next_random(seed) - 1.0) * spread)
        s = problem.visits[state.routes[r, min(max(k, 0), size - 1)]].shipment
        if not problem.shipments[s].is_reload:
            count = take_out(problem, state, s, removed, count)
        spread += 0.5
    drop_idle_reloads(problem, state, r)
    return count


@lean
def take_out(problem: ProblemArrays, state: State, s: int, removed: I64, count: int) -> int:
    """Remove a shipment with those that must ride with it (in the same round): one that stayed would call it back."""
    remove_shipment(problem, state, s)
    removed[count] = s
    count += 1
    for b in range(problem.bond_first[s], problem.bond_first[s + 1]):
        other = problem.bond_other[b]
        if not problem.bond_apart[b] and state.route_of[problem.shipments[other].first_visit] >= 0:
            remove_shipment(problem, state, other)
            removed[count] = other
            count += 1
    return count

"""Cheapest feasible insertion of a shipment into a set of rounds, exact in feasibility.

The change of duration is estimated by feasible schedules (upper bounds): the rest of the round later, its beginning
earlier, or leaving as early as possible; so what is accepted is feasible, and the round is then timed exactly.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.rounds_route import ProblemArrays, end_of_round, location_before, serve
from routing.kernels.rounds_state import (
    State,
    advanced_start,
    delayed_end,
    fits,
    insert_at,
    leg_loads,
    refresh,
    route_metres,
    set_route,
)
from routing.kernels.rounds_times import EPS_S, I64, TimesArrays, arrival, latest_arrival, latest_departure


@kernel
def next_random(seed: np.ndarray) -> float:
    """Uniform number in [0, 1); xorshift64* on ``seed`` (uint64[1])."""
    x = seed[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    seed[0] = x
    return float((x * np.uint64(2685821657736338717)) >> np.uint64(11)) / 9007199254740992.0


@kernel
def detour_m(problem: ProblemArrays, times: TimesArrays, r: int, i: int, v: int, j: int) -> float:
    """Metres added by visiting `v` between locations `i` and `j` (-1 = open end)."""
    if times.length_m.shape[0] == 0:
        return 0.0
    p, at = problem.vehicles[r].profile, problem.visits[v].location
    if j < 0:
        return times.length_m[p, i, at]
    return times.length_m[p, i, at] + times.length_m[p, at, j] - times.length_m[p, i, j]


@kernel
def single_cost(problem: ProblemArrays, times: TimesArrays, state: State, r: int, v: int, k: int, limit: float) -> float:
    """Added cost of visit `v` before position `k` of a round without breaks; inf = infeasible or not below `limit`."""
    size = state.rounds[r].length
    route = state.routes[r, :size]
    p, at = problem.vehicles[r].profile, problem.visits[v].location
    i = location_before(problem, r, route, k)
    j = problem.vehicles[r].end_location if k == size else problem.visits[route[k]].location
    metres = detour_m(problem, times, r, i, v, j)
    if size == 0 and j >= 0 and times.length_m.shape[0]:
        metres += times.length_m[p, i, j]  # an unused vehicle does not drive home
    if state.rounds[r].metres + metres > problem.vehicles[r].max_length_m + 1e-7:
        return np.inf
    added = problem.vehicles[r].cost_per_m * metres + (problem.vehicles[r].fixed_cost if size == 0 else 0.0)
    if added >= limit and problem.vehicles[r].cost_per_s == 0.0:
        return np.inf
    left = serve(problem, v, arrival(times, p, i, at, state.earliest_s[r, k]))
    reached = left if j < 0 or left == np.inf else arrival(times, p, at, j, left)
    if reached > state.reach_s[r, k] + EPS_S:
        return np.inf
    if problem.vehicles[r].cost_per_s == 0.0 and problem.vehicles[r].max_duration_s == np.inf:
        return added
    before = plain_end(problem, times, state, r) - state.rounds[r].start_s if size else 0.0
    after = _duration_with(problem, times, state, r, v, k, j, reached)
    if after > problem.vehicles[r].max_duration_s + 1e-7:
        return np.inf
    return added + problem.vehicles[r].cost_per_s * (after - before)


@kernel
def _duration_with(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, v: int, k: int, j: int, reached: float
) -> float:
    """Duration of the round with `v` before position `k`: the best of three feasible schedules (`reached`: the earliest)."""
    size = state.rounds[r].length
    route = state.routes[r, :size]
    p, at = problem.vehicles[r].profile, problem.visits[v].location
    i = location_before(problem, r, route, k)
    a, b = problem.visits[v].first_window, problem.visits[v].last_window
    if size == 0:
        begin = (reached if j < 0 else serve(problem, v, arrival(times, p, i, at, state.earliest_s[r, 0]))) - problem.visits[
            v
        ].service_s
        by = latest_arrival(problem.windows, a, b, begin)
        return reached - min(
            max(latest_departure(times, p, i, at, by), problem.vehicles[r].leave_from_s), problem.vehicles[r].leave_by_s
        )
    start, end, after = state.rounds[r].start_s, plain_end(problem, times, state, r), np.inf
    left = serve(problem, v, arrival(times, p, i, at, state.base_s[r, k]))  # the rest later
    if left < np.inf:
        later = left if j < 0 else arrival(times, p, at, j, left)
        if later <= state.reach_s[r, k] + EPS_S:
            after = delayed_end(problem, times, r, route, state.base_s[r], k, later, end) - start
    if k < size:  # the beginning earlier
        by = state.base_s[r, k + 1] - problem.visits[route[k]].service_s
        by = latest_departure(times, p, at, j, by) - problem.visits[v].service_s
        by = latest_departure(times, p, i, at, latest_arrival(problem.windows, a, b, by))
        if by > -np.inf:
            sooner = advanced_start(problem, times, r, route, state.base_s[r], k, by)
            if sooner > -np.inf:
                after = min(after, end - sooner)
    if after == np.inf:
        after = delayed_end(problem, times, r, route, state.earliest_s[r], k, reached, _early_end(problem, times, state, r))
        after -= problem.vehicles[r].leave_from_s
    return after


@kernel
def plain_end(problem: ProblemArrays, times: TimesArrays, state: State, r: int) -> float:
    """End of the round at its best departure, breaks left out."""
    if problem.vehicles[r].last_break == problem.vehicles[r].first_break:
        return state.rounds[r].end_s
    size, end = state.rounds[r].length, problem.vehicles[r].end_location
    t = state.base_s[r, size]
    if end < 0 or size == 0:
        return t
    return arrival(times, problem.vehicles[r].profile, problem.visits[state.routes[r, size - 1]].location, end, t)


@kernel
def _early_end(problem: ProblemArrays, times: TimesArrays, state: State, r: int) -> float:
    size = state.rounds[r].length
    t, end = state.earliest_s[r, size], problem.vehicles[r].end_location
    return (
        t
        if end < 0
        else arrival(times, problem.vehicles[r].profile, problem.visits[state.routes[r, size - 1]].location, end, t)
    )


@kernel
def whole_cost(problem: ProblemArrays, times: TimesArrays, state: State, r: int, route: I64) -> float:
    """Added cost of turning round `r` into `route`, timed whole (rounds with breaks); inf = infeasible."""
    low = problem.vehicles[r].leave_from_s
    end = end_of_round(problem, times, r, route, low)
    if end == np.inf:
        return end
    after = end - low
    base = state.rounds[r].start_s
    if state.rounds[r].length and base > low:
        end = end_of_round(problem, times, r, route, base)
        after = min(after, end - base)
    if after > problem.vehicles[r].max_duration_s + 1e-7:
        return np.inf
    metres = route_metres(problem, times, r, route)
    if metres > problem.vehicles[r].max_length_m + 1e-7:
        return np.inf
    total = problem.vehicles[r].fixed_cost + problem.vehicles[r].cost_per_s * after + problem.vehicles[r].cost_per_m * metres
    return total - state.rounds[r].cost


@kernel
def spliced(route: I64, k: int, v: int) -> I64:
    """Return the route with `v` inserted before position `k`."""
    answer = np.empty(len(route) + 1, np.int64)
    answer[:k] = route[:k]
    answer[k] = v
    answer[k + 1 :] = route[k:]
    return answer


@kernel
def may_add(problem: ProblemArrays, state: State, r: int, s: int, mixed: bool) -> bool:
    """Whether vehicle `r` may carry shipment `s` and, when all is delivered from the depot, has room for it."""
    if not problem.allowed[s, r]:
        return False
    if (
        state.rounds[r].length + problem.shipments[s].last_visit - problem.shipments[s].first_visit
        > problem.vehicles[r].max_stops
    ):
        return False
    for d in range(problem.demand.shape[1]):
        room = problem.capacity[r, d] - (0 if mixed else state.load[r, d])
        if problem.demand[s, d] > room:
            return False
    return True


@kernel
def best_in_route(
    problem: ProblemArrays,
    times: TimesArrays,
    state: State,
    r: int,
    s: int,
    mixed: bool,
    blink: float,
    seed: np.ndarray,
    limit: float,
) -> tuple[float, int, int]:
    """Cheapest insertion of shipment `s` into round `r`: (added cost, position of its first visit, of its second or -1)."""
    size, first = state.rounds[r].length, problem.shipments[s].first_visit
    route = state.routes[r, :size]
    if problem.shipments[s].last_visit - first == 2:
        return _best_pair(problem, times, state, r, s, blink, seed, limit)
    if problem.vehicles[r].last_break > problem.vehicles[r].first_break:
        return _best_with_breaks(problem, times, state, r, first, mixed, blink, seed, limit)
    best, at = limit, -1
    closes = np.inf
    if problem.visits[first].last_window > problem.visits[first].first_window:
        closes = problem.windows[problem.visits[first].last_window - 1].closes_s
    for k in range(size + 1):
        if state.earliest_s[r, k] > closes:
            break
        if blink > 0.0 and next_random(seed) < blink:
            continue
        cost = single_cost(problem, times, state, r, first, k, best)
        if cost < best and (not mixed or fits(problem, r, spliced(route, k, first))):
            best, at = cost, k
    return best, at, -1


@kernel
def _best_with_breaks(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, v: int, mixed: bool, blink: float, seed: np.ndarray,
    limit: float,
) -> tuple[float, int, int]:  # fmt: skip
    """Best place of a single visit in a round with breaks: places are ranked without the breaks, the best timed with them.

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


@kernel
def _best_pair(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, s: int, blink: float, seed: np.ndarray, limit: float
) -> tuple[float, int, int]:
    size, pickup = state.rounds[r].length, problem.shipments[s].first_visit
    route, delivery = state.routes[r, :size], problem.shipments[s].first_visit + 1
    p = problem.vehicles[r].profile
    breaks = problem.vehicles[r].last_break > problem.vehicles[r].first_break
    timed = problem.vehicles[r].cost_per_s > 0.0 or problem.vehicles[r].max_duration_s < np.inf
    best, at, then = limit, -1, -1
    loads = np.empty((problem.demand.shape[1], size + 1), np.int64)
    for d in range(problem.demand.shape[1]):
        leg_loads(problem, route, d, loads[d])
    for k in range(size + 1):
        if blink > 0.0 and next_random(seed) < blink:
            continue
        i = location_before(problem, r, route, k)
        t = np.inf
        if not breaks:
            t = serve(problem, pickup, arrival(times, p, i, problem.visits[pickup].location, state.earliest_s[r, k]))
            if t == np.inf:
                continue
        tail = problem.visits[pickup].location
        for m in range(k, size + 1):  # delivery before position m of the old route
            if not _leg_has_room(problem, r, s, loads, m):
                break
            if m > k:
                v = route[m - 1]
                if not breaks:
                    t = arrival(times, p, tail, problem.visits[v].location, t)
                    if t > state.reach_s[r, m - 1] + EPS_S:
                        break
                    t = serve(problem, v, t)
                tail = problem.visits[v].location
            head = problem.vehicles[r].end_location if m == size else problem.visits[route[m]].location
            if not breaks:
                left = serve(problem, delivery, arrival(times, p, tail, problem.visits[delivery].location, t))
                if left < np.inf and head >= 0:
                    left = arrival(times, p, problem.visits[delivery].location, head, left)
                if left > state.reach_s[r, m] + EPS_S:
                    continue
            candidate = spliced(spliced(route, k, pickup), m + 1, delivery)
            if breaks or timed or problem.vehicles[r].max_length_m < np.inf:
                cost = whole_cost(problem, times, state, r, candidate)
            else:
                cost = (
                    problem.vehicles[r].fixed_cost
                    + problem.vehicles[r].cost_per_m * route_metres(problem, times, r, candidate)
                    - state.rounds[r].cost
                )
            if cost < best:
                best, at, then = cost, k, m + 1
    return best, at, then


@kernel
def _leg_has_room(problem: ProblemArrays, r: int, s: int, loads: np.ndarray, leg: int) -> bool:
    for d in range(problem.demand.shape[1]):  # noqa: SIM110 - no generators in nopython mode
        if loads[d, leg] + problem.demand[s, d] > problem.capacity[r, d]:
            return False
    return True


@kernel
def best_insertion(
    problem: ProblemArrays, times: TimesArrays, state: State, s: int, mixed: bool, blink: float, seed: np.ndarray
) -> tuple[float, int, int, int]:
    """Cheapest insertion over all rounds: (added cost, vehicle, first position, second position); vehicle -1 = none.

    Of the unused vehicles that are alike only the first is tried.
    """
    best, vehicle, at, then = np.inf, -1, -1, -1
    for r in range(len(state.rounds)):
        if not may_add(problem, state, r, s, mixed) or (
            state.rounds[r].length == 0 and like_an_earlier_empty(problem, state, r, s)
        ):
            continue
        cost, k, m = best_in_route(problem, times, state, r, s, mixed, blink, seed, best)
        if k >= 0 and cost < best:
            best, vehicle, at, then = cost, r, k, m
    return best, vehicle, at, then


@kernel
def like_an_earlier_empty(problem: ProblemArrays, state: State, r: int, s: int) -> bool:
    """Whether vehicle ``r - 1`` is unused too and differs in nothing that matters for shipment `s`."""
    q = r - 1
    if q < 0 or state.rounds[q].length > 0 or not problem.allowed[s, q]:
        return False
    same = (
        problem.vehicles[q].start_location == problem.vehicles[r].start_location
        and problem.vehicles[q].end_location == problem.vehicles[r].end_location
        and problem.vehicles[q].profile == problem.vehicles[r].profile
        and problem.vehicles[q].leave_from_s == problem.vehicles[r].leave_from_s
        and problem.vehicles[q].leave_by_s == problem.vehicles[r].leave_by_s
        and problem.vehicles[q].return_by_s == problem.vehicles[r].return_by_s
        and problem.vehicles[q].max_duration_s == problem.vehicles[r].max_duration_s
        and problem.vehicles[q].max_length_m == problem.vehicles[r].max_length_m
        and problem.vehicles[q].max_stops == problem.vehicles[r].max_stops
        and problem.vehicles[q].fixed_cost == problem.vehicles[r].fixed_cost
        and problem.vehicles[q].cost_per_s == problem.vehicles[r].cost_per_s
        and problem.vehicles[q].cost_per_m == problem.vehicles[r].cost_per_m
        and problem.vehicles[q].last_break == problem.vehicles[q].first_break
        and problem.vehicles[r].last_break == problem.vehicles[r].first_break
    )
    for d in range(problem.capacity.shape[1]):
        same = same and problem.capacity[q, d] == problem.capacity[r, d]
    return same


@kernel
def apply_insertion(problem: ProblemArrays, times: TimesArrays, state: State, s: int, vehicle: int, at: int, then: int) -> bool:
    """Insert shipment `s` where `best_insertion` said; False (and nothing changed) if exact timing refuses it."""
    first = problem.shipments[s].first_visit
    old = state.routes[vehicle, : state.rounds[vehicle].length].copy()
    insert_at(state, vehicle, at, first)
    if then >= 0:
        insert_at(state, vehicle, then, first + 1)
    if refresh(problem, times, state, vehicle):
        return True
    set_route(state, vehicle, old)
    refresh(problem, times, state, vehicle)
    return False

"""Ruin and recreate for delivery rounds.

Adjacent strings of visits are removed, then inserted one by one where it costs least, sometimes blinking at the best place;
worse plans are accepted as in simulated annealing. Deterministic for a seed and a number of iterations.

References
----------
Christiaens and Vanden Berghe (2020), Slack induction by string removals for vehicle routing problems,
doi:10.1287/trsc.2019.0914.
"""

import math

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.rounds_insertion import (
    apply_insertion,
    best_in_route,
    best_insertion,
    like_an_earlier_empty,
    may_add,
    next_random,
    single_cost,
    spliced,
)
from routing.kernels.rounds_route import ProblemArrays
from routing.kernels.rounds_state import State, fits, refresh, remove_shipment
from routing.kernels.rounds_times import F64, I64, TimesArrays

BLINK = 0.01
MEAN_REMOVED = 10.0
LONGEST_STRING = 10


@kernel
def best_near(
    problem: ProblemArrays, times: TimesArrays, state: State, s: int, mixed: bool, blink: float, seed: np.ndarray, near: I64
) -> tuple[float, int, int, int]:
    """As `best_insertion`, but single visits are tried only next to their neighbours ``near[v]``, at both ends and alone."""
    first = problem.shipments[s].first_visit
    if problem.shipments[s].last_visit - first == 2:
        return best_insertion(problem, times, state, s, mixed, blink, seed)
    best, vehicle, at = np.inf, -1, -1
    for r in range(len(state.rounds)):
        size = state.rounds[r].length
        if not may_add(problem, state, r, s, mixed) or (size == 0 and like_an_earlier_empty(problem, state, r, s)):
            continue
        if problem.vehicles[r].last_break > problem.vehicles[r].first_break:
            cost, k, _ = best_in_route(problem, times, state, r, s, mixed, blink, seed, best)
            if k >= 0 and cost < best:
                best, vehicle, at = cost, r, k
            continue
        for side in range(2):
            k = side * size
            if blink > 0.0 and next_random(seed) < blink:
                continue
            cost = single_cost(problem, times, state, r, first, k, best)
            if cost < best and (not mixed or fits(problem, r, spliced(state.routes[r, :size], k, first))):
                best, vehicle, at = cost, r, k
            if size == 0:
                break
    for u in near[first]:
        r = state.places[u].route
        if (
            r < 0
            or problem.vehicles[r].last_break > problem.vehicles[r].first_break
            or not may_add(problem, state, r, s, mixed)
        ):
            continue
        place, size = state.places[u].position, state.rounds[r].length
        for k in range(place, place + 2):
            if k in (0, size) or (blink > 0.0 and next_random(seed) < blink):
                continue
            cost = single_cost(problem, times, state, r, first, k, best)
            if cost < best and (not mixed or fits(problem, r, spliced(state.routes[r, :size], k, first))):
                best, vehicle, at = cost, r, k
    if vehicle < 0:
        return best_insertion(problem, times, state, s, mixed, 0.0, seed)
    return best, vehicle, at, -1


@kernel
def ruin(problem: ProblemArrays, state: State, close: I64, seed: np.ndarray, touched: np.ndarray, removed: I64) -> int:
    """Remove adjacent strings; note the shipments in `removed` (count returned) and their routes in ``touched[V]``."""
    used, served = 0, 0
    for r in range(len(state.rounds)):
        if state.rounds[r].length:
            used, served = used + 1, served + state.rounds[r].length
    if used == 0:
        return 0
    longest = min(float(LONGEST_STRING), served / used)
    strings = int(1.0 + next_random(seed) * (4.0 * MEAN_REMOVED / (1.0 + longest) - 1.0))
    middle = int(next_random(seed) * len(state.places))
    count, done = 0, 0
    ruined = np.zeros(len(state.rounds), np.bool_)
    for step in range(-1, close.shape[1]):
        v = middle if step < 0 else close[middle, step]
        r = state.places[v].route
        if r < 0 or ruined[r]:
            continue
        ruined[r], touched[r] = True, True
        size = state.rounds[r].length
        length = int(1.0 + next_random(seed) * min(float(size), longest))
        length = min(length, size)
        kept = 0
        if length > 1 and length < size and next_random(seed) < 0.5:  # split string: some in the middle stay
            kept = 1
            while length + kept < size and next_random(seed) > 0.5:
                kept += 1
        span, place = length + kept, state.places[v].position
        low, high = max(0, place - span + 1), min(place, size - span)
        begin = low + int(next_random(seed) * (high - low + 1))
        hole = begin + int(next_random(seed) * (length + 1)) if kept else begin + span
        picked = state.routes[r, begin : begin + span].copy()
        for k in range(span):
            if kept and hole <= begin + k < hole + kept:
                continue
            s = problem.visits[picked[k]].shipment
            if state.places[problem.shipments[s].first_visit].route >= 0:
                remove_shipment(problem, state, s)
                removed[count] = s
                count += 1
        done += 1
        if done >= strings:
            break
    return count


@kernel
def order(problem: ProblemArrays, removed: I64, count: int, distance: F64, seed: np.ndarray) -> I64:
    """Order in which the removed shipments come back: random, large first, far first, near first, or by windows."""
    keys = np.empty(count)
    draw = next_random(seed) * 15.0
    for k in range(count):
        s = removed[k]
        v = problem.shipments[s].first_visit
        a, b = problem.visits[v].first_window, problem.visits[v].last_window
        if draw < 4.0 or (draw >= 11.0 and a == b):
            keys[k] = next_random(seed)
        elif draw < 8.0:
            keys[k] = -float(problem.demand[s, 0])
        elif draw < 10.0:
            keys[k] = -distance[v]
        elif draw < 11.0:
            keys[k] = distance[v]
        elif draw < 13.0:
            keys[k] = problem.windows[b - 1].closes_s - problem.windows[a].opens_s
        elif draw < 14.0:
            keys[k] = problem.windows[a].opens_s
        else:
            keys[k] = -problem.windows[b - 1].closes_s
    # Insertion sort by (penalty of leaving out, key): what must be served comes first.
    answer = removed[:count].copy()
    for i in range(1, count):
        s, key, penalty = answer[i], keys[i], problem.shipments[answer[i]].penalty
        k = i
        while k > 0 and (
            problem.shipments[answer[k - 1]].penalty < penalty
            or (problem.shipments[answer[k - 1]].penalty == penalty and keys[k - 1] > key)
        ):
            answer[k], keys[k] = answer[k - 1], keys[k - 1]
            k -= 1
        answer[k], keys[k] = s, key
    return answer


@kernel
def total_cost(problem: ProblemArrays, state: State) -> float:
    """Cost of all rounds and of what is left out."""
    total = 0.0
    for r in range(len(state.rounds)):
        total += state.rounds[r].cost
    for s in range(len(problem.shipments)):
        if state.places[problem.shipments[s].first_visit].route < 0:
            total += problem.shipments[s].penalty
    return total


@kernel
def recreate(
    problem: ProblemArrays, times: TimesArrays, state: State, queue: I64, mixed: bool, blink: float, seed: np.ndarray,
    near: I64, touched: np.ndarray,
) -> None:  # fmt: skip
    """Insert the queued shipments greedily, noting the changed rounds; those without a worthwhile place stay out."""
    for s in queue:
        cost, r, k, m = best_near(problem, times, state, s, mixed, blink, seed, near)
        if r < 0 or cost > problem.shipments[s].penalty:
            continue
        touched[r] = True
        apply_insertion(problem, times, state, s, r, k, m)


@kernel
def improve(
    problem: ProblemArrays, times: TimesArrays, state: State, backup: State, best: State, close: I64, near: I64, distance: F64,
    mixed: bool, iterations: int, temperature: float, cooling: float, costs: F64, seed: np.ndarray,
) -> int:  # fmt: skip
    """Run `iterations` of ruin and recreate; return how often the best plan improved.

    ``costs[0]`` is the cost of `state`, ``costs[1]`` of `best`; both are kept. `backup` is scratch of the same shape.
    """
    improved, vehicles = 0, len(state.rounds)
    shipments = len(problem.shipments)
    removed = np.empty(shipments, np.int64)
    touched = np.zeros(vehicles, np.bool_)
    for _ in range(iterations):
        touched[:] = False
        _keep_all(state, backup)
        count = ruin(problem, state, close, seed, touched, removed)
        absent = count
        for s in range(shipments):  # what was left out before gets another chance
            if state.places[problem.shipments[s].first_visit].route < 0 and absent < count + 10:
                known = False
                for k in range(count):
                    known = known or removed[k] == s
                if not known and absent < shipments and next_random(seed) < 0.5:
                    removed[absent] = s
                    absent += 1
        for r in range(vehicles):
            if touched[r]:
                refresh(problem, times, state, r)
        queue = order(problem, removed, absent, distance, seed)
        recreate(problem, times, state, queue, mixed, BLINK, seed, near, touched)
        cost = total_cost(problem, state)
        if cost < costs[0] - temperature * math.log(max(next_random(seed), 1e-12)):
            costs[0] = cost
            if cost < costs[1] - 1e-7:
                costs[1] = cost
                improved += 1
                _keep_all(state, best)
        else:
            _restore(state, backup, touched)
        temperature *= cooling
    return improved


@kernel
def _copy_round(source: State, target: State, r: int) -> None:
    size = source.rounds[r].length
    target.rounds[r] = source.rounds[r]
    target.routes[r, :size] = source.routes[r, :size]
    target.earliest_s[r, : size + 1] = source.earliest_s[r, : size + 1]
    target.base_s[r, : size + 1] = source.base_s[r, : size + 1]
    target.reach_s[r, : size + 1] = source.reach_s[r, : size + 1]
    target.load[r] = source.load[r]


@kernel
def _keep_all(state: State, other: State) -> None:
    """Copy all rounds with what is cached about them."""
    for r in range(len(state.rounds)):
        _copy_round(state, other, r)


@kernel
def _restore(state: State, backup: State, touched: np.ndarray) -> None:
    """Take the touched rounds back from the backup."""
    for r in range(len(state.rounds)):
        if touched[r]:
            for k in range(state.rounds[r].length):
                v = state.routes[r, k]
                if state.places[v].route == r:
                    state.places[v].route, state.places[v].position = -1, -1
    for r in range(len(state.rounds)):
        if touched[r]:
            _copy_round(backup, state, r)
            for k in range(state.rounds[r].length):
                v = state.routes[r, k]
                state.places[v].route, state.places[v].position = r, k

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

from routing.kernels.jit import kernel, lean, merged
from routing.kernels.rounds_insertion import (
    apply_insertion,
)
from routing.kernels.rounds_near import best_near
from routing.kernels.rounds_places import next_random
from routing.kernels.rounds_refresh import often, refresh, sharpen
from routing.kernels.rounds_reload import mend_trips, take_out
from routing.kernels.rounds_route import ProblemArrays
from routing.kernels.rounds_state import State, copy_round, remove_shipment
from routing.kernels.rounds_times import F64, I32, I64, TimesArrays

MEAN_REMOVED = 10.0
LONGEST_STRING = 10
WHOLE_ROUND = 0.02
"""How often a whole round is taken out instead of strings, if it is not longer than `LONGEST_ROUND`."""
LONGEST_ROUND = 40


@kernel
def ruin(
    problem: ProblemArrays, state: State, backup: State, close: I32, seed: np.ndarray, touched: np.ndarray, removed: I64
) -> int:
    """Remove adjacent strings; note the shipments in `removed` (count returned) and keep their routes (``touched[V]``)."""
    used, served = 0, 0
    for r in range(len(state.rounds)):
        if state.rounds[r].length:
            used, served = used + 1, served + state.rounds[r].length
    if used == 0:
        return 0
    middle = int(next_random(seed) * len(close))
    r = state.route_of[middle]
    if next_random(seed) < WHOLE_ROUND and r >= 0 and state.rounds[r].length <= LONGEST_ROUND:
        keep(state, backup, touched, r)
        return _empty(problem, state, r, removed)
    longest = min(float(LONGEST_STRING), served / used)
    strings = int(1.0 + next_random(seed) * (4.0 * MEAN_REMOVED / (1.0 + longest) - 1.0))
    count, done = 0, 0
    ruined = np.zeros(len(state.rounds), np.bool_)
    for step in range(-1, close.shape[1]):
        v = middle if step < 0 else close[middle, step]
        r = state.route_of[v]
        if r < 0 or ruined[r]:
            continue
        ruined[r] = True
        keep(state, backup, touched, r)
        size = state.rounds[r].length
        length = int(1.0 + next_random(seed) * min(float(size), longest))
        length = min(length, size)
        kept = 0
        if length > 1 and length < size and next_random(seed) < 0.5:  # split string: some in the middle stay
            kept = 1
            while length + kept < size and next_random(seed) > 0.5:
                kept += 1
        span, place = length + kept, state.position[v]
        low, high = max(0, place - span + 1), min(place, size - span)
        begin = low + int(next_random(seed) * (high - low + 1))
        hole = begin + int(next_random(seed) * (length + 1)) if kept else begin + span
        picked = state.routes[r, begin : begin + span].copy()
        for k in range(span):
            if kept and hole <= begin + k < hole + kept:
                continue
            s = problem.visits[picked[k]].shipment
            if problem.shipments[s].is_reload:
                remove_shipment(problem, state, s)
            elif state.route_of[problem.shipments[s].first_visit] >= 0:
                count = take_out(problem, state, s, removed, count)
        if problem.vehicles[r].max_reloads > 0:
            count = mend_trips(problem, state, r, begin, seed, removed, count)
        done += 1
        if done >= strings:
            break
    return count


@lean
def _empty(problem: ProblemArrays, state: State, r: int, removed: I64) -> int:
    """Remove all shipments of a round, and its reloads; answer how many shipments."""
    count = 0
    while state.rounds[r].length:
        s = problem.visits[state.routes[r, 0]].shipment
        if problem.shipments[s].is_reload:
            remove_shipment(problem, state, s)
        else:
            count = take_out(problem, state, s, removed, count)
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


@lean
def total_cost(problem: ProblemArrays, state: State) -> float:
    """Cost of all rounds and of what is left out."""
    total = 0.0
    for r in range(len(state.rounds)):
        total += state.rounds[r].cost
    for s in range(len(problem.shipments)):
        if state.route_of[problem.shipments[s].first_visit] < 0:
            total += problem.shipments[s].penalty
    return total


@merged
def recreate(
    problem: ProblemArrays, times: TimesArrays, state: State, backup: State, queue: I64, mixed: bool, blink: float,
    seed: np.ndarray, near: I32, touched: np.ndarray,
) -> None:  # fmt: skip
    """Insert the queued shipments greedily, keeping the changed rounds; those without a worthwhile place stay out."""
    for s in queue:
        cost, r, k, m = best_near(problem, times, state, s, mixed, blink, seed, near)
        if r < 0 or cost > problem.shipments[s].penalty:
            continue
        keep(state, backup, touched, r)
        apply_insertion(problem, times, state, s, r, k, m)


@lean
def cost_of_touched(state: State, touched: np.ndarray) -> float:
    """Cost of the touched rounds."""
    total = 0.0
    for r in range(len(touched)):
        if touched[r]:
            total += state.rounds[r].cost
    return total


@lean
def cost_of_absent(problem: ProblemArrays, state: State) -> float:
    """Cost of what is left out."""
    total = 0.0
    for s in range(len(problem.shipments)):
        if state.route_of[problem.shipments[s].first_visit] < 0:
            total += problem.shipments[s].penalty
    return total


@kernel
def improve(
    problem: ProblemArrays, times: TimesArrays, state: State, backup: State, best: I32, close: I32, near: I32, distance: F64,
    mixed: bool, iterations: int, temperature: float, cooling: float, costs: F64, seed: np.ndarray, changed: np.ndarray,
    blink: float,
) -> int:  # fmt: skip
    """Run `iterations` of ruin and recreate; return how often the best plan improved.

    ``costs[0]`` is the cost of `state`, ``costs[1]`` of `best` (int32[V, m + 1], the number of visits first), ``costs[2]`` how
    much cheaper a plan may become when the best departures of its rounds are found surely; all are kept.
    `backup` is scratch of the shape of `state`; ``changed[V]`` says where `state` differs from `best`; a place is overlooked
    with probability `blink`.
    """
    improved, vehicles = 0, len(state.rounds)
    shipments = len(problem.shipments)
    removed = np.empty(shipments, np.int64)
    touched = np.zeros(vehicles, np.bool_)
    left_out = cost_of_absent(problem, state)
    for _ in range(iterations):
        touched[:] = False
        count = ruin(problem, state, backup, close, seed, touched, removed)
        absent = count
        if left_out > 0.0:
            absent = _call_absent(problem, state, removed, count, seed)
        if not _refresh_touched(problem, times, state, touched):
            restore(state, backup, touched)
            continue
        queue = order(problem, removed, absent, distance, seed)
        recreate(problem, times, state, backup, queue, mixed, blink, seed, near, touched)
        still_out = left_out
        if left_out > 0.0 or _any_out(problem, state, queue):
            still_out = cost_of_absent(problem, state)
        cost = costs[0] + cost_of_touched(state, touched) - cost_of_touched(backup, touched)
        cost += still_out - left_out
        limit = costs[0] - temperature * math.log(max(next_random(seed), 1e-12))
        if often(times) and cost < limit + costs[2]:
            roughly = cost
            cost += _sharpen_touched(problem, times, state, touched)
            if cost < np.inf:
                costs[2] += 0.02 * (3.0 * (roughly - cost) - costs[2])
        if cost < limit:
            costs[0], left_out = cost, still_out
            changed |= touched
            if cost < costs[1] - 1e-7:
                costs[1] = cost
                improved += 1
                _keep_best(state, best, changed)
        else:
            restore(state, backup, touched)
        temperature *= cooling
    return improved


@merged
def _call_absent(problem: ProblemArrays, state: State, removed: I64, count: int, seed: np.ndarray) -> int:
    """Append up to ten shipments left out before, each by a coin, to those just removed; return how many there are now."""
    absent, shipments = count, len(problem.shipments)
    begin = int(next_random(seed) * shipments)
    for step in range(shipments):
        s = (begin + step) % shipments
        if absent >= count + 10 or absent >= shipments:
            break
        if state.route_of[problem.shipments[s].first_visit] < 0 and not problem.shipments[s].is_reload:
            known = False
            for k in range(count):
                known = known or removed[k] == s
            if not known and next_random(seed) < 0.5:
                removed[absent] = s
                absent += 1
    return absent


@merged
def _refresh_touched(problem: ProblemArrays, times: TimesArrays, state: State, touched: np.ndarray) -> bool:
    """Refresh the ruined rounds; False = one cannot be driven, since what was left out lay on a short cut."""
    for r in range(len(touched)):  # noqa: SIM110 - no generators in nopython mode
        if touched[r] and not refresh(problem, times, state, r):
            return False
    return True


@merged
def _sharpen_touched(problem: ProblemArrays, times: TimesArrays, state: State, touched: np.ndarray) -> float:
    """Find the surely best departures of the touched rounds; answer the change of cost (inf = one is infeasible)."""
    change = 0.0
    for r in range(len(touched)):
        if touched[r]:
            before = state.rounds[r].cost
            if not sharpen(problem, times, state, r):
                return np.inf
            change += state.rounds[r].cost - before
    return change


@merged
def _any_out(problem: ProblemArrays, state: State, queue: I64) -> bool:
    for s in queue:  # noqa: SIM110 - no generators in nopython mode
        if state.route_of[problem.shipments[s].first_visit] < 0:
            return True
    return False


@lean
def keep(state: State, backup: State, touched: np.ndarray, r: int) -> None:
    """Copy round `r` before its first change."""
    if not touched[r]:
        touched[r] = True
        copy_round(state, backup, r)


@lean
def restore(state: State, backup: State, touched: np.ndarray) -> None:
    """Take the touched rounds back from the backup."""
    for r in range(len(touched)):
        if touched[r]:
            for v in state.routes[r, : state.rounds[r].length]:
                if state.route_of[v] == r:
                    state.route_of[v] = -1
    for r in range(len(touched)):
        if touched[r]:
            copy_round(backup, state, r)
            for k in range(state.rounds[r].length):
                v = state.routes[r, k]
                state.route_of[v], state.position[v] = r, k


@merged
def _keep_best(state: State, best: I32, changed: np.ndarray) -> None:
    for r in range(len(changed)):
        if changed[r]:
            size = state.rounds[r].length
            best[r, 0] = size
            for k in range(size):
                best[r, k + 1] = state.routes[r, k]
            changed[r] = False

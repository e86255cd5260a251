"""Ruin and recreate under travel times that do not change over the day (`rounds_fixed`), by the rules of `rounds_ruin`.

References
----------
Christiaens and Vanden Berghe (2020), Slack induction by string removals for vehicle routing problems,
doi:10.1287/trsc.2019.0914.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import math

import numpy as np

from routing.kernels.jit import inlined, kernel, lean
from routing.kernels.rounds_fixed import Fixed, Links, copy_links, join, settle
from routing.kernels.rounds_fixed_cross import cross, restore
from routing.kernels.rounds_fixed_places import WIDTH, best_place, list_unused, put_at
from routing.kernels.rounds_places import next_random
from routing.kernels.rounds_ruin import LONGEST_ROUND, LONGEST_STRING, MEAN_REMOVED, WHOLE_ROUND
from routing.kernels.rounds_times import F64, I32, I64

CROSSING = 0.5
"""How often tails change places before strings are removed."""


@lean
def ruin(fixed: Fixed, links: Links, backup: Links, close: I32, seed: np.ndarray, touched: np.ndarray, removed: I64) -> int:
    """Remove adjacent strings; note the leads in `removed` (count returned, -1 = see `take_string`), keep their rounds."""
    m, vehicles = len(fixed.penalty), len(fixed.vehicles)
    used, served = 0, 0
    for r in range(vehicles):
        touched[r] = False
        if links.size[r]:
            used, served = used + 1, served + links.size[r]
    if used == 0:
        return 0
    middle, count = int(next_random(seed) * len(close)), 0
    r = links.route_of[middle]
    if next_random(seed) < WHOLE_ROUND and r >= 0 and links.size[r] <= LONGEST_ROUND:
        keep(fixed, links, backup, touched, r)
        return take_string(fixed, links, r, links.after[m + r], links.size[r], -1, 0, removed, count)
    longest = min(float(LONGEST_STRING), served / used)
    strings = int(1.0 + next_random(seed) * (4.0 * MEAN_REMOVED / (1.0 + longest) - 1.0))
    for step in range(-1, close.shape[1]):
        v = middle if step < 0 else close[middle, step]
        r = links.route_of[v]
        if r < 0 or touched[r]:
            continue
        keep(fixed, links, backup, touched, r)
        size = links.size[r]
        length = min(int(1.0 + next_random(seed) * min(float(size), longest)), size)
        kept = 0
        if length > 1 and length < size and next_random(seed) < 0.5:  # split string: some in the middle stay
            kept = 1
            while length + kept < size and next_random(seed) > 0.5:
                kept += 1
        span, behind, ahead, i = length + kept, 0, 0, v
        while behind < span - 1 and links.before[i] < m:
            i = links.before[i]
            behind += 1
        j = v
        while ahead < span - 1 and links.after[j] < m:
            j = links.after[j]
            ahead += 1
        low, high = max(0, span - 1 - ahead), behind  # stops of the string before v
        back = low + int(next_random(seed) * (high - low + 1))
        for _ in range(behind - back):
            i = links.after[i]
        hole = int(next_random(seed) * (length + 1)) if kept else -1
        count = take_string(fixed, links, r, i, span, hole, kept, removed, count)
        strings -= 1
        if strings <= 0 or count < 0:
            break
    return count


@lean
def take_string(
    fixed: Fixed, links: Links, r: int, first: int, span: int, hole: int, kept: int, removed: I64, count: int
) -> int:
    """Take `span` visits out from `first` on, with their mates, but for `kept` from the `hole`-th on.

    Answers how many leads are removed by now; -1 = what is left cannot be driven, since what was left out lay on a short cut.
    """
    v, taken = first, count
    for k in range(span):
        if not hole <= k < hole + kept:
            removed[taken] = v
            taken += 1
        v = links.after[v]
    write = count
    for k in range(count, taken):
        v = removed[k]
        if links.route_of[v] < 0:
            continue
        w = fixed.mate[v]
        _unlink(links, v)
        if w >= 0:
            _unlink(links, w)
        removed[write] = v if fixed.leads[v] else w
        write += 1
    return write if settle(fixed, links, r) else -1


@inlined
def _unlink(links: Links, v: int) -> None:
    join(links, links.before[v], links.after[v])
    links.route_of[v] = -1


@lean
def put_in_order(fixed: Fixed, removed: I64, count: int, far: F64, keys: F64, seed: np.ndarray) -> None:
    """Order in which the removed visits come back: random, large first, far first, near first, or by windows.

    What is dearer to leave out comes first.
    """
    draw = next_random(seed) * 15.0
    for k in range(count):
        v = removed[k]
        if draw < 4.0:
            key = next_random(seed)
        elif draw < 8.0:
            key = -float(fixed.demand[v, 0])
        elif draw < 10.0:
            key = -far[v]
        elif draw < 11.0:
            key = far[v]
        elif draw < 13.0:
            key = fixed.closes_s[v] - fixed.opens_s[v]
        elif draw < 14.0:
            key = fixed.opens_s[v]
        else:
            key = -fixed.closes_s[v]
        penalty, q = fixed.penalty[v], k
        while q > 0 and (
            fixed.penalty[removed[q - 1]] < penalty or (fixed.penalty[removed[q - 1]] == penalty and keys[q - 1] > key)
        ):
            removed[q], keys[q] = removed[q - 1], keys[q - 1]
            q -= 1
        removed[q], keys[q] = v, key


@lean
def keep(fixed: Fixed, links: Links, backup: Links, touched: np.ndarray, r: int) -> None:
    """Copy round `r` before its first change."""
    if not touched[r]:
        touched[r] = True
        copy_links(fixed, links, backup, r)


@lean
def cost_of_absent(fixed: Fixed, links: Links) -> float:
    """Cost of what is left out."""
    total = 0.0
    for v in range(len(fixed.penalty)):
        if links.route_of[v] < 0:
            total += fixed.penalty[v]
    return total


@lean
def call_absent(fixed: Fixed, links: Links, removed: I64, count: int, seed: np.ndarray) -> int:
    """Append up to ten visits left out before, each by a coin, to those just removed; return how many there are now."""
    absent, m = count, len(links.route_of)
    begin = int(next_random(seed) * m)
    for step in range(m):
        v = (begin + step) % m
        if absent >= count + 10:
            break
        if links.route_of[v] < 0 and fixed.leads[v]:
            known = False
            for k in range(count):
                known = known or removed[k] == v
            if not known and next_random(seed) < 0.5:
                removed[absent] = v
                absent += 1
    return absent


@lean
def keep_best(fixed: Fixed, links: Links, best: I32, changed: np.ndarray) -> None:
    """Write the rounds that differ into `best` (the number of visits first)."""
    m = len(fixed.penalty)
    for r in range(len(changed)):
        if changed[r]:
            best[r, 0] = links.size[r]
            v, k = links.after[m + r], 1
            while v < m:
                best[r, k] = v
                v, k = links.after[v], k + 1
            changed[r] = False


@lean
def _take(links: Links, backup: Links, touched: np.ndarray, changed: np.ndarray) -> float:
    """Note the touched rounds as changed; answer how their cost changed."""
    change = 0.0
    for r in range(len(touched)):
        if touched[r]:
            changed[r] = True
            change += links.cost[r] - backup.cost[r]
    return change


@kernel
def improve_fixed(
    fixed: Fixed, links: Links, backup: Links, best: I32, close: I32, near: I32, far: F64, iterations: int, temperature: float,
    cooling: float, costs: F64, seed: np.ndarray
, changed: np.ndarray,
) -> int:  # fmt: skip
    """Run `iterations` of ruin and recreate; return how often the best plan improved.

    ``costs[0]`` is the cost of `links`, ``costs[1]`` that of `best` (int32[V, m + 1]); both are kept. ``changed[V]`` says
    where they differ. `backup` is scratch.
    """
    m, vehicles = len(fixed.penalty), len(fixed.vehicles)
    if m == 0:
        return 0
    removed, keys, unused = np.empty(m, np.int64), np.empty(m), np.empty(vehicles, np.int64)
    touched = np.zeros(vehicles, np.bool_)
    return _improve(
        fixed, links, backup, best, close, near, far, iterations, temperature, cooling, costs, seed, changed, removed, keys,
        unused, touched,
    )  # fmt: skip


@lean
def _improve(
    fixed: Fixed, links: Links, backup: Links, best: I32, close: I32, near: I32, far: F64, iterations: int, temperature: float,
    cooling: float, costs: F64, seed: np.ndarray, changed: np.ndarray, removed: I64, keys: F64, unused: I64,
    touched: np.ndarray,
) -> int:  # fmt: skip
    improved, left_out = 0, cost_of_absent(fixed, links)
    for _ in range(iterations):
        if next_random(seed) < CROSSING and cross(fixed, links, backup, near, WIDTH, temperature, seed, touched):
            costs[0] += _take(links, backup, touched, changed)
            if costs[0] < costs[1] - 1e-7:
                costs[1] = costs[0]
                improved += 1
                keep_best(fixed, links, best, changed)
        count = ruin(fixed, links, backup, close, seed, touched, removed)
        if count < 0:
            restore(fixed, links, backup, touched)
            continue
        absent = call_absent(fixed, links, removed, count, seed) if left_out > 0.0 else count
        put_in_order(fixed, removed, absent, far, keys, seed)
        free, out = list_unused(fixed, links, unused), False
        for k in range(absent):
            v = removed[k]
            cost, r, i, then = best_place(fixed, links, v, near, unused, free, seed)
            if r < 0 or cost > fixed.penalty[v]:
                out = True
                continue
            keep(fixed, links, backup, touched, r)
            put_at(fixed, links, r, v, i, then)
            if links.size[r] == (1 if then < 0 else 2):
                free = list_unused(fixed, links, unused)
        still_out = cost_of_absent(fixed, links) if left_out > 0.0 or out else 0.0
        cost = costs[0] + still_out - left_out
        for r in range(len(touched)):
            if touched[r]:
                cost += links.cost[r] - backup.cost[r]
        if cost < costs[0] - temperature * math.log(max(next_random(seed), 1e-12)):
            costs[0], left_out = cost, still_out
            _take(links, backup, touched, changed)
            if cost < costs[1] - 1e-7:
                costs[1] = cost
                improved += 1
                keep_best(fixed, links, best, changed)
        else:
            restore(fixed, links, backup, touched)
        temperature *= cooling
    return improved

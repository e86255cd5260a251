"""Tails of two rounds change places: what strings of a few stops cannot do to long rounds.

References
----------
Potvin and Rousseau (1995), An exchange heuristic for routeing problems with time windows, doi:10.1057/jors.1995.204 (2-opt*).
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import math

import numpy as np

from routing.kernels.jit import inlined, lean
from routing.kernels.rounds_fixed import Fixed, Links, copy_links, join, price, settle
from routing.kernels.rounds_places import next_random
from routing.kernels.rounds_times import EPS_S, I32


@lean
def cross(
    fixed: Fixed, links: Links, backup: Links, near: I32, width: int, temperature: float, seed: np.ndarray, touched: np.ndarray
) -> bool:
    """Swap the tail after a drawn visit with another one, where that costs least among its `width` nearest visits.

    Or the tail goes to an unused vehicle.

    True = it was done and accepted as in simulated annealing; ``touched[V]`` are its rounds, and `backup` holds what they were.
    """
    m, vehicles = len(fixed.penalty), len(fixed.vehicles)
    for r in range(vehicles):
        touched[r] = False
    u = int(next_random(seed) * len(near))
    r = links.route_of[u]
    if r < 0 or (fixed.mixed and links.riding[u] > 0):
        return False
    limit = -temperature * math.log(max(next_random(seed), 1e-12))
    best, one, x, end = limit, -1, links.after[u], m + vehicles
    for w in near[u, :width]:
        q = links.route_of[w]
        if q < 0 or q == r:
            continue
        for v in (links.before[w], w):  # u goes on to what followed v, and v to x, which followed u
            y = links.after[v]
            if (x >= m and y >= m) or (fixed.mixed and links.riding[v] > 0):
                continue
            added = _change(fixed, links, r, q, u, x if x < m else end + q, v, y if y < m else end + r)
            if added < best and (fixed.mixed or _has_room(fixed, links, r, q, u, v)):
                best, one = added, v
    earlier = -1
    for q in range(vehicles if x < m else 0):  # or part the round: an unused vehicle takes the tail
        kind = fixed.vehicles[q].kind if links.size[q] == 0 else -1
        if kind >= 0 and kind != earlier:
            added = _change(fixed, links, r, q, u, x, m + q, end + r)
            if added < best and _has_room(fixed, links, r, q, u, m + q):
                best, one = added, m + q
        earlier = kind
    if one < 0:
        return False
    q = links.route_of[one] if one < m else one - m
    touched[r] = touched[q] = True
    copy_links(fixed, links, backup, r)
    copy_links(fixed, links, backup, q)
    swap_tails(fixed, links, r, q, u, one)
    fine = settle(fixed, links, r)
    fine &= settle(fixed, links, q)
    if fine and links.cost[r] + links.cost[q] - backup.cost[r] - backup.cost[q] < limit:
        return True
    restore(fixed, links, backup, touched)
    return False


@inlined
def _change(fixed: Fixed, links: Links, r: int, q: int, u: int, x: int, v: int, y: int) -> float:
    """Change of cost when `u` of round `r` goes on to `y` and `v` of round `q` to `x`; inf = too late or too long.

    `x` and `y` are nodes of the round they come to (an end) or go to. Exact where both vehicles are alike.
    """
    m, p = len(fixed.penalty), fixed.vehicles[r].profile
    a, b, c, d = fixed.location[u], fixed.location[y], fixed.location[v], fixed.location[x]
    there, back = fixed.drive_s[p, a, b], fixed.drive_s[p, c, d]
    if links.early_s[u] + there > links.late_s[y] + EPS_S or links.early_s[v] + back > links.late_s[x] + EPS_S:
        return np.inf
    emptied, opened = v >= m and x >= m, links.size[q] == 0
    metres = fixed.metres[p, a, b] - fixed.metres[p, a, fixed.location[links.after[u]]]
    metres += 0.0 if emptied else fixed.metres[p, c, d]
    metres -= 0.0 if opened else fixed.metres[p, c, fixed.location[links.after[v]]]
    added = fixed.vehicles[r].cost_per_m * metres
    if emptied or opened:
        added += fixed.vehicles[q].fixed_cost if opened else -fixed.vehicles[q].fixed_cost
    if fixed.timed:
        end = m + len(fixed.vehicles)
        one, two = _joined(links, u, there, y), 0.0 if emptied else _joined(links, v, back, x)
        if one > fixed.vehicles[r].max_duration_s + 1e-7 or two > fixed.vehicles[q].max_duration_s + 1e-7:
            return np.inf
        added += price(fixed, r, 0.0, one) - price(fixed, r, 0.0, links.head_s[end + r])
        added += price(fixed, q, 0.0, two) - price(fixed, q, 0.0, 0.0 if opened else links.head_s[end + q])
    return added


@inlined
def _joined(links: Links, i: int, drive: float, j: int) -> float:
    """Shortest duration of a round that goes from node `i` to node `j`."""
    lasts = links.head_s[i] + drive
    return lasts + max(0.0, links.first_s[j] - lasts - links.last_s[i]) + links.tail_s[j]


@inlined
def _has_room(fixed: Fixed, links: Links, r: int, q: int, u: int, v: int) -> bool:
    """Whether both rounds can carry what they have after the tails behind `u` and `v` changed places."""
    for d in range(fixed.demand.shape[1]):
        more = _tail_load(fixed, links, v, d) - _tail_load(fixed, links, u, d)
        if links.load[r, d] + more > fixed.capacity[r, d] or links.load[q, d] - more > fixed.capacity[q, d]:
            return False
    return True


@lean
def _tail_load(fixed: Fixed, links: Links, i: int, d: int) -> int:
    m, total, v = len(fixed.penalty), 0, links.after[i]
    while v < m:
        total += fixed.demand[v, d]
        v = links.after[v]
    return total


@lean
def swap_tails(fixed: Fixed, links: Links, r: int, q: int, u: int, v: int) -> None:
    """Let node `u` of round `r` go on to what follows node `v` of round `q`, and the other way round; `settle` both after."""
    m = len(fixed.penalty)
    end_r, end_q = m + len(fixed.vehicles) + r, m + len(fixed.vehicles) + q
    x, y, last_r, last_q = links.after[u], links.after[v], links.before[end_r], links.before[end_q]
    if y < m:
        join(links, u, y)
        join(links, last_q, end_r)
    else:
        join(links, u, end_r)
    if x < m:
        join(links, v, x)
        join(links, last_r, end_q)
    else:
        join(links, v, end_q)


@lean
def restore(fixed: Fixed, links: Links, backup: Links, touched: np.ndarray) -> None:
    """Take the touched rounds back from the backup."""
    m = len(fixed.penalty)
    for r in range(len(touched)):
        if touched[r]:
            v = links.after[m + r]
            while v < m:
                if links.route_of[v] == r:
                    links.route_of[v] = -1
                v = links.after[v]
    for r in range(len(touched)):
        if touched[r]:
            copy_links(fixed, backup, links, r)
            v = links.after[m + r]
            while v < m:
                links.route_of[v] = r
                v = links.after[v]

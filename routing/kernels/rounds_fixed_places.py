"""Cheapest places of a visit, or of a pair, under fixed travel times: next to its nearest visits, or in an unused vehicle."""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import inlined, lean
from routing.kernels.rounds_fixed import Fixed, Links, join, price, put_in, settle
from routing.kernels.rounds_fixed_pairs import pair_cost
from routing.kernels.rounds_places import next_random
from routing.kernels.rounds_times import EPS_S, I32, I64

BLINK = 0.01
"""As in `rounds_ruin`, but that places are overlooked which would be the best so far."""
WIDTH = 25
"""Of the neighbours of a visit so many are looked at."""


@inlined
def place_cost(fixed: Fixed, links: Links, r: int, v: int, i: int, limit: float) -> float:
    """Added cost of visit `v` after node `i` of round `r`, which has room for it; inf = infeasible or not below `limit`."""
    p, j = fixed.vehicles[r].profile, links.after[i]
    a, at, b = fixed.location[i], fixed.location[v], fixed.location[j]
    used = links.size[r] > 0
    metres = fixed.metres[p, a, at] + fixed.metres[p, at, b] - (fixed.metres[p, a, b] if used else 0.0)
    added = fixed.vehicles[r].cost_per_m * metres
    if not fixed.timed and added >= limit:
        return np.inf
    there = fixed.drive_s[p, a, at]
    reached = links.early_s[i] + there
    if reached > fixed.closes_s[v] + EPS_S:
        return np.inf
    stays, back = fixed.stays_s[fixed.vehicles[r].service_class, v], fixed.drive_s[p, at, b]
    if max(reached, fixed.opens_s[v]) + stays + back > links.late_s[j] + EPS_S:
        return np.inf
    if links.metres[r] + metres > fixed.vehicles[r].max_length_m + 1e-7:
        return np.inf
    if not used:
        added += fixed.vehicles[r].fixed_cost
    if fixed.timed:
        lasts = links.head_s[i] + there
        wait = max(0.0, fixed.opens_s[v] - lasts - links.last_s[i])
        last = min(fixed.closes_s[v] - lasts, links.last_s[i])
        lasts += wait + stays + back
        lasts += max(0.0, links.first_s[j] - lasts - last) + links.tail_s[j]
        if lasts > fixed.vehicles[r].max_duration_s + 1e-7:
            return np.inf
        now = links.head_s[len(fixed.penalty) + len(fixed.vehicles) + r] if used else 0.0
        added += price(fixed, r, 0.0, lasts) - price(fixed, r, 0.0, now)
    return added


@inlined
def may_ride(fixed: Fixed, links: Links, r: int, v: int) -> bool:
    """Whether vehicle `r` may serve visit `v` and, unless loads are mixed, has room for it."""
    for d in range(fixed.demand.shape[1]):
        if (0 if fixed.mixed else links.load[r, d]) + fixed.demand[v, d] > fixed.capacity[r, d]:
            return False
    return fixed.dislike[v, r] < np.inf and links.size[r] < fixed.vehicles[r].max_stops


@lean
def best_place(
    fixed: Fixed, links: Links, v: int, near: I32, unused: I64, count: int, seed: np.ndarray
) -> tuple[float, int, int, int]:
    """Cheapest place of visit `v` (and its mate) next to its neighbours or in an unused vehicle.

    Answers added cost, vehicle, node before it, and node before the mate (-1 = it has none; may be `v`). Where there is none
    all places are tried; vehicle -1 = infeasible.
    """
    m, best, vehicle, at, then = len(fixed.penalty), np.inf, -1, -1, -1
    begin = int(next_random(seed) * count) if count > 1 else 0
    for q in range(count):
        r = unused[(begin + q) % count]
        if may_ride(fixed, links, r, v):
            cost, k = _cost_at(fixed, links, r, v, m + r, best)
            if cost < best and next_random(seed) >= BLINK:
                best, vehicle, at, then = cost, r, m + r, k
    for u in near[v, :WIDTH]:
        r = links.route_of[u]
        if r < 0 or not may_ride(fixed, links, r, v):
            continue
        for i in (links.before[u], u):
            cost, k = _cost_at(fixed, links, r, v, i, best)
            if cost < best and next_random(seed) >= BLINK:
                best, vehicle, at, then = cost, r, i, k
    if vehicle < 0:
        return any_place(fixed, links, v)
    return best, vehicle, at, then


@lean
def any_place(fixed: Fixed, links: Links, v: int) -> tuple[float, int, int, int]:
    """Cheapest of all places, as `best_place`."""
    m, best, vehicle, at, then = len(fixed.penalty), np.inf, -1, -1, -1
    for r in range(len(fixed.vehicles)):
        if not may_ride(fixed, links, r, v):
            continue
        i = m + r
        while i < m + len(fixed.vehicles):
            cost, k = _cost_at(fixed, links, r, v, i, best)
            if cost < best:
                best, vehicle, at, then = cost, r, i, k
            i = links.after[i]
    return best, vehicle, at, then


@inlined
def _cost_at(fixed: Fixed, links: Links, r: int, v: int, i: int, limit: float) -> tuple[float, int]:
    """Added cost of visit `v` after node `i`, and where its mate is best then (-1 = it has none); inf = not below `limit`."""
    unliked = float(fixed.dislike[v, r])
    if not fixed.mixed:
        return place_cost(fixed, links, r, v, i, limit - unliked) + unliked, -1
    if fixed.mate[v] >= 0:
        cost, then = pair_cost(fixed, links, r, v, i, limit - unliked)
        return cost + unliked, then
    cost = place_cost(fixed, links, r, v, i, limit - unliked) + unliked
    for d in range(fixed.demand.shape[1]):
        most = links.most_before[i, d] if fixed.change[v, d] < 0 else links.most_after[i, d]
        if most + fixed.demand[v, d] > fixed.capacity[r, d]:
            cost = np.inf
    return cost, -1


@lean
def put_at(fixed: Fixed, links: Links, r: int, v: int, i: int, then: int) -> None:
    """Insert visit `v` after node `i` of round `r`, and its mate after node `then` where it has one."""
    if then >= 0:
        w, j = fixed.mate[v], links.after[i]
        join(links, i, v)
        join(links, v, j)
        j = links.after[then]
        join(links, then, w)
        join(links, w, j)
        settle(fixed, links, r)
    else:
        put_in(fixed, links, r, v, i)


@lean
def list_unused(fixed: Fixed, links: Links, unused: I64) -> int:
    """List the first vehicle of every row of unused ones that are alike; answer how many there are."""
    count, earlier = 0, -1
    for r in range(len(fixed.vehicles)):
        kind = fixed.vehicles[r].kind if links.size[r] == 0 else -1
        if kind >= 0 and kind != earlier:
            unused[count] = r
            count += 1
        earlier = kind
    return count

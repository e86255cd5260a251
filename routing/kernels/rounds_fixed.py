"""Rounds whose travel times do not change over the day: little more than two numbers a stop are cached.

What the general kernels keep of heads and tails comes down to the earliest departure and the latest arrival here, and, where
durations matter, to the shortest duration up to a stop and from it on (Savelsbergh 1992). Rounds are linked lists, so that a
change costs only what it changes.

Nodes: visits ``0..m-1``, then the starts of the V vehicles, then their ends.

References
----------
Savelsbergh (1992), The vehicle routing problem with time windows: minimizing route duration, doi:10.1287/ijoc.4.2.146.
Vidal, Crainic, Gendreau and Prins (2013), doi:10.1016/j.cor.2012.07.018 (segments that are joined in constant time).
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from routing.kernels.jit import inlined, lean
from routing.kernels.rounds_times import EPS_S, F64, I32, I64, Records


class Fixed(NamedTuple):
    """A problem of m visits and V vehicles; N = m + 2 V nodes at l different locations.

    A visit *leads* its shipment if it is its only one or its pickup; what follows a lead is in the same round.

    Attributes
    ----------
    location : int32[N]
    drive_s, metres : float64[p, l, l]
        By profile; the last location is nowhere: from and to it nothing is driven.
    opens_s, closes_s : float64[N]
        Window of the service; of a start when the vehicle may leave, of an end when it may be back.
    stays_s : float64[c, m]
        Time at the stop by class of service.
    mate : int32[m]
        The other visit of a pair; -1 without.
    leads : bool[m]
    demand : int64[m, D]
        Of the shipment.
    change : int64[m, D]
        How the load changes at the visit.
    capacity : int64[V, D]
    dislike : float32[m, V]
        Cost of the visit in a vehicle; inf = it may not ride there; of a pair the lead has the cost.
    penalty : float64[m]
        Cost of leaving the visit out; of a pair the lead has it.
    vehicles : VEHICLE[V]
        See `rounds_records`.
    timed : bool
        Whether the duration of any round matters.
    mixed : bool
        Whether there are pairs, or deliveries and pickups: loads are looked at place by place.
    """

    location: I32
    drive_s: F64
    metres: F64
    opens_s: F64
    closes_s: F64
    stays_s: F64
    mate: I32
    leads: npt.NDArray[np.bool_]
    demand: I64
    change: I64
    capacity: I64
    dislike: npt.NDArray[np.float32]
    penalty: F64
    vehicles: Records
    timed: bool
    mixed: bool


class Links(NamedTuple):
    """Rounds as linked lists from start to end.

    Attributes
    ----------
    after, before : int32[N]
    route_of : int32[m]
        -1 = left out.
    early_s, late_s : float64[N]
        Earliest departure after the node, latest arrival at it.
    head_s, last_s : float64[N]
        Shortest duration from the start until the departure after the node, and the latest start that has it.
    tail_s, first_s : float64[N]
        Shortest duration from the start of the service at the node to the end, and the earliest service that has it.
    board, most_before, most_after : int64[N, D]
        Where loads are mixed: load on leaving the node, and the most until then and from then on.
    riding : int32[N]
        Pairs on board on leaving the node.
    size : int64[V]
    load : int64[V, D]
        Sum of all demands; where loads are mixed the most on board.
    metres, dislike, cost : float64[V]
    """

    after: I32
    before: I32
    route_of: I32
    early_s: F64
    late_s: F64
    head_s: F64
    last_s: F64
    tail_s: F64
    first_s: F64
    board: I64
    most_before: I64
    most_after: I64
    riding: I32
    size: I64
    load: I64
    metres: F64
    dislike: F64
    cost: F64


def empty_links(fixed: Fixed) -> Links:
    """Links of unused vehicles."""
    m, vehicles = len(fixed.penalty), len(fixed.vehicles)
    nodes = m + 2 * vehicles
    after, before = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)
    after[m : m + vehicles] = np.arange(m + vehicles, nodes)
    before[m + vehicles :] = np.arange(m, m + vehicles)
    early, late, head, last, tail, first = np.zeros((6, nodes))
    board, before_most, after_most = np.zeros((3, nodes, fixed.capacity.shape[1]), np.int64)
    load, (metres, dislike, cost) = np.zeros((vehicles, fixed.capacity.shape[1]), np.int64), np.zeros((3, vehicles))
    links = Links(
        after, before, np.full(m, -1, np.int32), early, late, head, last, tail, first, board, before_most, after_most,
        np.zeros(nodes, np.int32), np.zeros(vehicles, np.int64), load, metres, dislike, cost,
    )  # fmt: skip
    for r in range(vehicles):
        settle(fixed, links, r)
    return links


@inlined
def price(fixed: Fixed, r: int, metres: float, lasts: float) -> float:
    """Cost of so many metres and seconds with vehicle `r`."""
    cost = fixed.vehicles[r].cost_per_m * metres
    if fixed.timed:
        cost += (fixed.vehicles[r].cost_per_s + fixed.vehicles[r].balance_per_s2 * lasts) * lasts
        over = lasts - fixed.vehicles[r].overtime_after_s
        if over > 0.0:
            cost += fixed.vehicles[r].overtime_per_s * over
    return cost


@inlined
def pass_on(fixed: Fixed, links: Links, r: int, i: int, v: int) -> None:
    """Earliest departure after node `v`, and the shortest duration until then, from those of node `i` before it."""
    m, p = len(fixed.penalty), fixed.vehicles[r].profile
    drive = fixed.drive_s[p, fixed.location[i], fixed.location[v]]
    stays = fixed.stays_s[fixed.vehicles[r].service_class, v] if v < m else 0.0
    links.early_s[v] = max(links.early_s[i] + drive, fixed.opens_s[v]) + stays
    if fixed.timed:
        lasts = links.head_s[i] + drive
        wait = max(0.0, fixed.opens_s[v] - lasts - links.last_s[i])
        links.last_s[v] = min(fixed.closes_s[v] - lasts, links.last_s[i])
        links.head_s[v] = lasts + wait + stays


@inlined
def pass_back(fixed: Fixed, links: Links, r: int, v: int, j: int) -> None:
    """Latest arrival at node `v`, and the shortest duration from it on, from those of node `j` after it."""
    m, p = len(fixed.penalty), fixed.vehicles[r].profile
    stays = fixed.stays_s[fixed.vehicles[r].service_class, v] if v < m else 0.0
    lasts = stays + fixed.drive_s[p, fixed.location[v], fixed.location[j]]
    links.late_s[v] = min(fixed.closes_s[v], links.late_s[j] - lasts)
    if fixed.timed:
        wait = max(0.0, links.first_s[j] - lasts - fixed.closes_s[v])
        links.first_s[v] = max(links.first_s[j] - lasts, fixed.opens_s[v]) - wait
        links.tail_s[v] = lasts + wait + links.tail_s[j]


@lean
def settle(fixed: Fixed, links: Links, r: int) -> bool:
    """Compute anew what is cached about round `r`; False = it is infeasible."""
    m, vehicles = len(fixed.penalty), len(fixed.vehicles)
    start, end, p = m + r, m + vehicles + r, fixed.vehicles[r].profile
    links.early_s[start], links.head_s[start], links.last_s[start] = fixed.opens_s[start], 0.0, fixed.closes_s[start]
    links.late_s[end], links.tail_s[end], links.first_s[end] = fixed.closes_s[end], 0.0, fixed.opens_s[end]
    for d in range(fixed.demand.shape[1]):
        links.load[r, d] = 0
    size, metres, dislike, feasible, i = 0, 0.0, 0.0, True, start
    while i != end:
        v = links.after[i]
        metres += fixed.metres[p, fixed.location[i], fixed.location[v]]
        pass_on(fixed, links, r, i, v)
        if v != end:
            size += 1
            links.route_of[v] = r
            dislike += fixed.dislike[v, r]
            for d in range(fixed.demand.shape[1]):
                links.load[r, d] += fixed.demand[v, d]
            feasible &= links.early_s[v] - fixed.stays_s[fixed.vehicles[r].service_class, v] <= fixed.closes_s[v] + EPS_S
        else:
            feasible &= links.early_s[v] <= fixed.closes_s[v] + EPS_S
        i = v
    while i != start:
        v = links.before[i]
        pass_back(fixed, links, r, v, i)
        i = v
    links.size[r], links.metres[r], links.dislike[r] = size, metres if size else 0.0, dislike
    if fixed.mixed:
        _load(fixed, links, r)
    return reprice(fixed, links, r) and feasible


@lean
def _load(fixed: Fixed, links: Links, r: int) -> None:
    """Loads place by place, and the pairs that ride."""
    m, start, end = len(fixed.penalty), len(fixed.penalty) + r, len(fixed.penalty) + len(fixed.vehicles) + r
    links.riding[start] = 0
    for d in range(fixed.demand.shape[1]):
        now, v = 0, links.after[start]
        while v < m:
            if fixed.mate[v] < 0 and fixed.change[v, d] < 0:
                now -= fixed.change[v, d]
            v = links.after[v]
        links.board[start, d] = links.most_before[start, d] = now
        i = start
        while links.after[i] < m:
            v = links.after[i]
            now += fixed.change[v, d]
            links.board[v, d], links.most_before[v, d] = now, max(now, links.most_before[i, d])
            links.riding[v] = links.riding[i]
            if fixed.mate[v] >= 0:
                links.riding[v] += 1 if fixed.leads[v] else -1
            i = v
        links.most_after[end, d] = now
        while True:
            links.most_after[i, d] = max(links.board[i, d], links.most_after[links.after[i], d])
            if i == start:
                break
            i = links.before[i]
        links.load[r, d] = links.most_after[start, d]


@inlined
def reprice(fixed: Fixed, links: Links, r: int) -> bool:
    """Cost of the round as its length and duration are; False = too long, or too many stops or too much on board."""
    lasts = links.head_s[len(fixed.penalty) + len(fixed.vehicles) + r]
    links.cost[r] = 0.0
    if links.size[r]:
        links.cost[r] = fixed.vehicles[r].fixed_cost + price(fixed, r, links.metres[r], lasts) + links.dislike[r]
    inside = links.metres[r] <= fixed.vehicles[r].max_length_m + 1e-6 and links.size[r] <= fixed.vehicles[r].max_stops
    for d in range(fixed.demand.shape[1]):
        inside &= links.load[r, d] <= fixed.capacity[r, d]
    return inside and (not fixed.timed or lasts <= fixed.vehicles[r].max_duration_s + 1e-6)


@inlined
def join(links: Links, i: int, j: int) -> None:
    """Let node `j` follow node `i`."""
    links.after[i] = j
    links.before[j] = i


@lean
def link(fixed: Fixed, links: Links, r: int, route: I32) -> bool:
    """Make `route` round `r`; False = it is infeasible."""
    m, i = len(fixed.penalty), len(fixed.penalty) + r
    v = links.after[i]
    while v < m:
        links.route_of[v] = -1
        v = links.after[v]
    for k in range(len(route)):
        join(links, i, route[k])
        i = route[k]
    join(links, i, m + len(fixed.vehicles) + r)
    return settle(fixed, links, r)


@lean
def put_in(fixed: Fixed, links: Links, r: int, v: int, i: int) -> None:
    """Insert visit `v` after node `i` of round `r` and pass on what changes."""
    if fixed.mixed:
        j = links.after[i]
        join(links, i, v)
        join(links, v, j)
        settle(fixed, links, r)
        return
    m, vehicles, p = len(fixed.penalty), len(fixed.vehicles), fixed.vehicles[r].profile
    start, end, j = m + r, m + vehicles + r, links.after[i]
    a, at, b = fixed.location[i], fixed.location[v], fixed.location[j]
    links.metres[r] += fixed.metres[p, a, at] + fixed.metres[p, at, b]
    links.metres[r] -= fixed.metres[p, a, b] if links.size[r] else 0.0
    join(links, i, v)
    join(links, v, j)
    links.route_of[v] = r
    links.size[r] += 1
    links.dislike[r] += fixed.dislike[v, r]
    for d in range(fixed.demand.shape[1]):
        links.load[r, d] += fixed.demand[v, d]
    k = i
    while k != end:
        u = links.after[k]
        before = links.early_s[u]
        pass_on(fixed, links, r, k, u)
        if not fixed.timed and u != v and links.early_s[u] == before:
            break
        k = u
    k = j
    while k != start:
        u = links.before[k]
        before = links.late_s[u]
        pass_back(fixed, links, r, u, k)
        if not fixed.timed and u != v and links.late_s[u] == before:
            break
        k = u
    reprice(fixed, links, r)


@lean
def copy_links(fixed: Fixed, source: Links, target: Links, r: int) -> None:
    """Copy round `r` with all that is cached about it, but not where visits are."""
    m, vehicles = len(fixed.penalty), len(fixed.vehicles)
    target.size[r], target.metres[r], target.cost[r] = source.size[r], source.metres[r], source.cost[r]
    target.dislike[r] = source.dislike[r]
    for d in range(fixed.demand.shape[1]):
        target.load[r, d] = source.load[r, d]
    i = m + r
    while True:
        target.early_s[i], target.late_s[i] = source.early_s[i], source.late_s[i]
        if fixed.timed:
            target.head_s[i], target.last_s[i] = source.head_s[i], source.last_s[i]
            target.tail_s[i], target.first_s[i] = source.tail_s[i], source.first_s[i]
        if fixed.mixed:
            target.riding[i] = source.riding[i]
            for d in range(fixed.demand.shape[1]):
                target.board[i, d], target.most_before[i, d] = source.board[i, d], source.most_before[i, d]
                target.most_after[i, d] = source.most_after[i, d]
        if i == m + vehicles + r:
            break
        j = source.after[i]
        target.after[i], target.before[j] = j, i
        i = j

"""Queries on a customised hierarchy: climbs along the elimination tree, meeting points, sweeps over all nodes.

All up arcs of a node lead to its ancestors in the elimination tree, so a search upward needs no queue: it walks from the start
to the root and relaxes up arcs on its way. A trip may start or end at several nodes (*anchors*) with times of their own.
``side`` is 0 for searches from sources (up arcs as driven) and 1 for searches from targets (against the direction of travel).

References
----------
Dibbelt, Strasser, Wagner: Customizable Contraction Hierarchies. ACM JEA 21 (2016), doi:10.1145/2886843, section 8.
Delling, Goldberg, Nowatzyk, Werneck: PHAST. J. Parallel Distrib. Comput. 73 (2013), doi:10.1016/j.jpdc.2012.02.007 (sweeps).
"""

from typing import NamedTuple

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.cch_unpack import climb_arcs, unpack
from routing.kernels.jit import inlined, kernel, lean
from routing.kernels.street_search import INFINITE
from routing.kernels.street_types import Int32, Int64, Number, UInt32


class Side(NamedTuple):
    """The up arcs of one direction that can be travelled, for queries: less than half of all.

    Attributes
    ----------
    first : uint32[n + 1]
    head : int32[k]
    weight_ms : int32[k, 1]
    arc : int32[k]
        Their numbers among all up arcs.
    """

    first: UInt32
    head: Int32
    weight_ms: Int32
    arc: Int32


@inlined
def _relax(up_first: UInt32, up_head: Int32, weight_ms: Int32, side: int, v: Number, time_ms: Int32, via: Int32) -> None:
    """Relax the up arcs of `v`."""
    now = time_ms[v]
    for a in range(np.uint64(up_first[v]), np.uint64(up_first[v + 1])):
        then = np.int32(now + weight_ms[a, side])
        up = np.uint64(up_head[a])
        if then < time_ms[up]:
            time_ms[up] = then
            via[up] = np.int32(a)


@kernel
def _merge(
    up_first: UInt32,
    up_head: Int32,
    parent: Int32,
    weight_ms: Int32,
    side: int,
    rank: Int32,
    node: Int32,
    node_ms: Int32,
    time_ms: Int32,
    via: Int32,
    path: Int32,
) -> tuple[Number, Number, Number]:
    """Climb from anchors until their ways are one; anchors are called by their rank if `rank` is empty.

    Returns
    -------
    visited : int
        Nodes written to `path`.
    tip : int
        The next node, not visited yet (-1: all roots are passed).
    dropped : bool
        Some anchor's way ended at a root of its own.
    """
    if len(node) == 1:
        if node_ms[0] >= FAR:
            return 0, np.int64(-1), False
        tip = np.int64(rank[node[0]] if len(rank) else node[0])
        time_ms[tip], via[tip] = node_ms[0], -1
        return 0, tip, False
    tips = np.empty(len(node), np.int32)
    count, visited, dropped = 0, 0, False
    for i in range(len(node)):
        v = rank[node[i]] if len(rank) else node[i]
        if node_ms[i] < time_ms[v]:
            if time_ms[v] == FAR:
                tips[count] = v
                count += 1
            time_ms[v] = node_ms[i]
            via[v] = -1 - i
    while count > 1:
        at = 0
        for i in range(1, count):
            if tips[i] < tips[at]:
                at = i
        v = tips[at]
        path[visited] = v
        visited += 1
        if time_ms[v] < FAR:
            _relax(up_first, up_head, weight_ms, side, v, time_ms, via)
        tips[at] = parent[v]
        merged = parent[v] < 0
        dropped |= merged
        for i in range(count):
            if i != at and tips[i] == tips[at]:
                merged = True
        if merged:
            count -= 1
            tips[at] = tips[count]
    return visited, np.int64(tips[0]) if count == 1 else np.int64(-1), dropped


@kernel
def climb(
    up_first: UInt32,
    up_head: Int32,
    parent: Int32,
    weight_ms: Int32,
    side: int,
    node: Int32,
    node_ms: Int32,
    time_ms: Int32,
    via: Int32,
    path: Int32,
) -> tuple[Number, Number]:
    """Search upward from anchors.

    Parameters
    ----------
    node, node_ms : int32[k]
        Anchors (ranks) and the time at each; may repeat. Times are from 0.
    time_ms : int32[n]
        In: all `FAR`. Out: time at the visited nodes (to be put back to `FAR` by the caller).
    via : int32[n]
        Out: the arc a visited node was reached by, or ``-1 - anchor``.
    path : int32[n]
        Out: visited nodes in ascending order.

    Returns
    -------
    visited : int
    common : int
        From ``path[common]`` on all anchors share their way to the root (= `visited` if they never meet).
    """
    called_by_rank = np.empty(0, np.int32)
    visited, tip, dropped = _merge(
        up_first, up_head, parent, weight_ms, side, called_by_rank, node, node_ms, time_ms, via, path
    )
    common = visited
    while tip >= 0:
        path[visited] = tip
        visited += 1
        if time_ms[tip] < FAR:
            _relax(up_first, up_head, weight_ms, side, tip, time_ms, via)
        tip = np.int64(parent[tip])
    return visited, visited if dropped else common


@lean
def meet(
    up_first: UInt32,
    up_head: Int32,
    parent: Int32,
    rank: Int32,
    weight_ms: Int32,
    source: Int32,
    source_ms: Int32,
    target: Int32,
    target_ms: Int32,
    time_ms: Int32,
    via: Int32,
    back_time_ms: Int32,
    back_via: Int32,
    path: Int32,
) -> tuple[Number, Number]:
    """Quickest connection between anchors: ``(time_ms, node where both climbs meet)``, ``(FAR, -1)`` if there is none.

    Both climbs go on together once they are on the same way to the root, and nodes farther than the best connection so far are
    not relaxed. Anchors are node numbers. `time_ms` and `back_time_ms` (int32[n], all `FAR`) are left as they came; `via` and
    `back_via` tell the way to `climb_arcs`.
    """
    return _meet(
        up_first, up_head, weight_ms, 0, up_first, up_head, weight_ms, 1, parent, rank, source, source_ms, target, target_ms,
        time_ms, via, back_time_ms, back_via, path,
    )  # fmt: skip


@lean
def meet_at(
    up_first: UInt32,
    up_head: Int32,
    up_ms: Int32,
    down_first: UInt32,
    down_head: Int32,
    down_ms: Int32,
    parent: Int32,
    rank: Int32,
    source: Int32,
    source_ms: Int32,
    target: Int32,
    target_ms: Int32,
    rows: Int32,
) -> tuple[Number, Number]:
    """`meet_on_sides` for calls from Python, which cost by the array: working arrays are the rows of one (int32[6, n])."""
    return _meet(
        up_first, up_head, up_ms, 0, down_first, down_head, down_ms, 0, parent, rank, source, source_ms, target, target_ms,
        rows[0], rows[1], rows[2], rows[3], rows[4:].reshape(-1),
    )  # fmt: skip


@lean
def meet_on_sides(
    up: Side,
    down: Side,
    parent: Int32,
    rank: Int32,
    source: Int32,
    source_ms: Int32,
    target: Int32,
    target_ms: Int32,
    time_ms: Int32,
    via: Int32,
    back_time_ms: Int32,
    back_via: Int32,
    path: Int32,
) -> tuple[Number, Number]:
    """`meet` on the arcs of each direction; `via` and `back_via` tell the way to `climb_side_arcs`."""
    return _meet(
        up.first, up.head, up.weight_ms, 0, down.first, down.head, down.weight_ms, 0, parent, rank, source, source_ms, target,
        target_ms, time_ms, via, back_time_ms, back_via, path,
    )  # fmt: skip


@lean
def _meet(
    first: UInt32,
    head: Int32,
    weight_ms: Int32,
    side: int,
    back_first: UInt32,
    back_head: Int32,
    back_weight_ms: Int32,
    back_side: int,
    parent: Int32,
    rank: Int32,
    source: Int32,
    source_ms: Int32,
    target: Int32,
    target_ms: Int32,
    time_ms: Int32,
    via: Int32,
    back_time_ms: Int32,
    back_via: Int32,
    path: Int32,
) -> tuple[Number, Number]:
    """`meet` on any arcs: column `side` of the weights is climbed from the sources, `back_side` from the targets."""
    visited, f, _ = _merge(first, head, parent, weight_ms, side, rank, source, source_ms, time_ms, via, path)
    back = path[len(path) // 2 :]
    back_visited, b, _ = _merge(
        back_first, back_head, parent, back_weight_ms, back_side, rank, target, target_ms, back_time_ms, back_via, back
    )
    best, meeting = np.int32(FAR), np.int64(-1)
    for i in range(back_visited):
        v = np.int64(back[i])
        if time_ms[v] + back_time_ms[v] < best:
            best, meeting = np.int32(time_ms[v] + back_time_ms[v]), v
    low, back_low, branched = f, b, visited + back_visited > 0
    while f != b:  # apart: the lower one goes on; it may come through what the other's anchors have left behind
        v = f if b < 0 or 0 <= f < b else b
        if branched and time_ms[v] + back_time_ms[v] < best:
            best, meeting = np.int32(time_ms[v] + back_time_ms[v]), v
        if v == f:
            if time_ms[v] < best:
                _relax(first, head, weight_ms, side, v, time_ms, via)
            f = np.int64(parent[v])
        else:
            if back_time_ms[v] < best:
                _relax(back_first, back_head, back_weight_ms, back_side, v, back_time_ms, back_via)
            b = np.int64(parent[v])
    v = f
    while v >= 0:  # together
        now, then = time_ms[v], back_time_ms[v]
        if now + then < best:
            best, meeting = np.int32(now + then), v
        if now < best:
            _relax(first, head, weight_ms, side, v, time_ms, via)
        if then < best:
            _relax(back_first, back_head, back_weight_ms, back_side, v, back_time_ms, back_via)
        v = np.int64(parent[v])
    _forget(path[:visited], low, parent, time_ms)
    _forget(back[:back_visited], back_low, parent, back_time_ms)
    return best, meeting


@inlined
def _forget(path: Int32, v: Number, parent: Int32, time_ms: Int32) -> None:
    """Put back to `FAR` what a climb has reached: the nodes of `path`, `v` and its ancestors."""
    for x in path:
        time_ms[x] = FAR
    while v >= 0:
        time_ms[v] = FAR
        v = np.int64(parent[v])


@lean
def sweep(first: UInt32, head: Int32, weight_ms: Int32, time_ms: Int32) -> None:
    """Bring the times of a climb down to all nodes: ``time_ms`` (int32[n], `FAR` where not reached) becomes exact everywhere.

    The arcs are those of the `Side` opposite to the climb's. O(arcs), in order of memory.
    """
    for x in range(len(time_ms) - 1, -1, -1):
        best = time_ms[x]
        for a in range(np.uint64(first[x]), np.uint64(first[x + 1])):
            best = min(best, np.int32(time_ms[np.uint64(head[a])] + weight_ms[a, 0]))
        time_ms[x] = best


@lean
def sweep_chosen(chosen: Int32, first: UInt32, head: Int32, weight_ms: Int32, time_ms: Int32) -> None:
    """`sweep` over some nodes only: `chosen` holds them in descending order, with all their ancestors (RPHAST)."""
    for x in chosen:
        best = time_ms[x]
        for a in range(np.uint64(first[x]), np.uint64(first[x + 1])):
            best = min(best, np.int32(time_ms[np.uint64(head[a])] + weight_ms[a, 0]))
        time_ms[x] = best


@kernel
def with_ancestors(node: Int32, parent: Int32, seen: Int64) -> Int32:
    """Nodes and all their ancestors, descending; `seen` is a bit set (int64[⌈n / 64⌉]), all 0 before and after."""
    count = 0
    for v in node:
        x = np.int64(v)
        while x >= 0 and not (seen[x >> 6] >> (x & 63)) & 1:
            seen[x >> 6] |= np.int64(1) << (x & 63)
            count += 1
            x = np.int64(parent[x])
    out = np.empty(count, np.int32)
    at = 0
    for word in range(len(seen) - 1, -1, -1):
        if seen[word] != 0:
            for bit in range(63, -1, -1):
                if (seen[word] >> bit) & 1:
                    out[at] = (word << 6) + bit
                    at += 1
            seen[word] = 0
    return out


@kernel
def by_node(time_ms: Int32, rank: Int32, limit_ms: int, out_ms: Int32) -> None:
    """Times by rank → times by node number, `INFINITE` for what is not reached within the limit."""
    for v in range(len(rank)):
        time = time_ms[rank[v]]
        out_ms[v] = time if time < FAR and time <= limit_ms else np.int32(INFINITE)


__all__ = [
    "Side", "by_node", "climb", "climb_arcs", "meet", "meet_at", "meet_on_sides", "sweep", "sweep_chosen", "unpack",
    "with_ancestors",
]  # fmt: skip

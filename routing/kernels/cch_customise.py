"""Customisation: weights of the input edges → weights of all arcs of the hierarchy.

``weight_ms`` is int32[a, 2]: column 0 from the arc's tail up to its head, column 1 from the head down to the tail. The lower
triangles of an arc are met node by node: the row of a node's up arcs is spread over the depths of its ancestors, where all
up arcs of its lower neighbours find their place without a search. Work is one addition and one minimum per triangle and
direction; memory is read in order.

References
----------
Dibbelt, Strasser, Wagner: Customizable Contraction Hierarchies. ACM JEA 21 (2016), doi:10.1145/2886843, section 7.
"""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_types import Int32, Int64, Number, UInt16, UInt32

FAR = 1_073_741_823
"""Weight (int32) of what is closed or not connected: 2³⁰ - 1, so that the sum of two still fits. No trip takes 12.4 days."""


@kernel
def respect(slot: Int32, edge_ms: Int32, flat_ms: Int32) -> None:
    """Set ``flat_ms`` (int32[2a]) to the lightest input edge of every slot, `FAR` where there is none."""
    flat_ms[:] = FAR
    for e in range(len(slot)):
        s = slot[e]
        if s >= 0 and edge_ms[e] < flat_ms[s]:
            flat_ms[s] = edge_ms[e]


@kernel
def customise(
    up_first: UInt32,
    head_depth: UInt16,
    down_first: UInt32,
    down_arc: UInt32,
    down_end: UInt32,
    weight_ms: Int32,
    row_ms: Int32,
    begin: int,
    end: int,
) -> None:
    """Relax all lower triangles of the up arcs of the nodes ``begin … end - 1``, whose lower neighbours must be done.

    Parameters
    ----------
    down_end : uint32[a]
        Where the up arcs of the tail of ``down_arc[k]`` end.
    weight_ms : int32[a, 2]
        In: respecting weights. Out: customised.
    row_ms : int32[greatest depth + 1, 2]
        Scratch.
    """
    one = np.uint64(1)
    a: Number
    for y in range(begin, end):
        first, last = np.uint64(down_first[y]), np.uint64(down_first[y + 1])
        if first == last:
            continue
        own, own_end = np.uint64(up_first[y]), np.uint64(up_first[y + 1])
        for a in range(own, own_end):
            d = head_depth[a]
            row_ms[d, 0] = weight_ms[a, 0]
            row_ms[d, 1] = weight_ms[a, 1]
        for k in range(first, last):
            a = np.uint64(down_arc[k])
            up, down = weight_ms[a, 0], weight_ms[a, 1]
            for b in range(a + one, np.uint64(down_end[k])):
                d = head_depth[b]
                row_ms[d, 0] = min(row_ms[d, 0], np.int32(down + weight_ms[b, 0]))
                row_ms[d, 1] = min(row_ms[d, 1], np.int32(up + weight_ms[b, 1]))
        for a in range(own, own_end):
            d = head_depth[a]
            weight_ms[a, 0] = row_ms[d, 0]
            weight_ms[a, 1] = row_ms[d, 1]


@kernel
def find_arc(up_first: UInt32, up_head: Int32, low: Number, high: Number) -> Number:
    """Number of the up arc from `low` to `high`, -1 if there is none."""
    left, right = np.int64(up_first[low]), np.int64(up_first[low + 1])
    end = right
    while left < right:
        middle = (left + right) >> 1
        if up_head[middle] < high:
            left = middle + 1
        else:
            right = middle
    return left if left < end and up_head[left] == high else -1


@kernel
def recustomise(
    up_first: UInt32,
    up_head: Int32,
    up_tail: Int32,
    head_depth: UInt16,
    down_first: UInt32,
    down_arc: UInt32,
    slot_first: Int32,
    slot_edge: Int32,
    slot: Int32,
    edge_ms: Int32,
    changed: Int64,
    weight_ms: Int32,
    row_arc: Int32,
    pending: Int64,
    limit: int,
) -> Number:
    """Bring customised weights up to date after the input edges `changed` got new weights; gives up after `limit` triangles.

    Every arc whose inputs changed is computed anew from its input edges and lower triangles; where that changes it, the arcs
    that it helps are looked at later. Arcs are numbered so that an arc comes after those of its lower triangles.

    Parameters
    ----------
    slot_first, slot_edge : int32
        Input edges by slot (CSR over ``2 · arc + direction``).
    row_arc : int32[greatest depth + 1]
        Scratch, all -1.
    pending : int64[⌈a / 64⌉]
        Scratch bit set, all 0.

    Returns
    -------
    int
        Arcs looked at as sides of triangles, or -1 if more than `limit` were: `weight_ms` is then of no use.
    """
    looked: Number = 0
    lowest = len(pending)
    for e in changed:
        if slot[e] >= 0:
            a = slot[e] >> 1
            pending[a >> 6] |= np.int64(1) << (a & 63)
            lowest = min(lowest, a >> 6)
    word = lowest
    while word < len(pending):
        if pending[word] == 0:
            word += 1
            continue
        a = word << 6
        while not (pending[word] >> (a & 63)) & 1:
            a += 1
        pending[word] &= ~(np.int64(1) << (a & 63))
        x, y = up_tail[a], up_head[a]
        looked += np.int64(down_first[x + 1]) - np.int64(down_first[x]) + 1
        if looked > limit:
            pending[word:] = 0
            return -1
        up, down = _arc_weight(
            up_first, up_head, up_tail, down_first, down_arc, slot_first, slot_edge, edge_ms, weight_ms, a, x, y
        )
        if up == weight_ms[a, 0] and down == weight_ms[a, 1]:
            continue
        weight_ms[a, 0], weight_ms[a, 1] = up, down
        _mark_helped(up_first, up_head, head_depth, row_arc, pending, x, y)
    return looked


@kernel
def _arc_weight(
    up_first: UInt32,
    up_head: Int32,
    up_tail: Int32,
    down_first: UInt32,
    down_arc: UInt32,
    slot_first: Int32,
    slot_edge: Int32,
    edge_ms: Int32,
    weight_ms: Int32,
    a: Number,
    x: Number,
    y: Number,
) -> tuple[Number, Number]:
    """Weights of arc `a` from `x` to `y` by its input edges and lower triangles."""
    up = down = np.int32(FAR)
    for k in range(slot_first[2 * a], slot_first[2 * a + 1]):
        up = min(up, edge_ms[slot_edge[k]])
    for k in range(slot_first[2 * a + 1], slot_first[2 * a + 2]):
        down = min(down, edge_ms[slot_edge[k]])
    for k in range(down_first[x], down_first[x + 1]):
        b = np.int64(down_arc[k])
        c = find_arc(up_first, up_head, up_tail[b], y)
        if c >= 0:
            up = min(up, np.int32(weight_ms[b, 1] + weight_ms[c, 0]))
            down = min(down, np.int32(weight_ms[c, 1] + weight_ms[b, 0]))
    return up, down


@kernel
def _mark_helped(
    up_first: UInt32, up_head: Int32, head_depth: UInt16, row_arc: Int32, pending: Int64, x: Number, y: Number
) -> None:
    """Mark every arc for which the one from `x` to `y` is part of a lower triangle."""
    for b in range(up_first[y], up_first[y + 1]):
        row_arc[head_depth[b]] = b
    for b in range(up_first[x], up_first[x + 1]):
        z = up_head[b]
        if z > y:
            c = np.int64(row_arc[head_depth[b]])
            pending[c >> 6] |= np.int64(1) << (c & 63)
        elif z < y:
            c = np.int64(find_arc(up_first, up_head, z, y))
            pending[c >> 6] |= np.int64(1) << (c & 63)
    for b in range(up_first[y], up_first[y + 1]):
        row_arc[head_depth[b]] = -1


@kernel
def add_to_parents(parent: Int32, size: Int64) -> None:
    """Add the size of every subtree to its parent's: ones become the sizes of subtrees."""
    for x in range(len(parent)):
        if parent[x] >= 0:
            size[parent[x]] += size[x]

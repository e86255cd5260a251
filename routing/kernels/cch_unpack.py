"""From the node where two climbs met to the input edges of the way."""

import numpy as np

from routing.kernels.cch_customise import find_arc
from routing.kernels.jit import inlined, kernel, lean
from routing.kernels.street_types import Int32, Memory, Number, UInt32


@kernel
def climb_arcs(meeting: int, via: Int32, back_via: Int32, up_tail: Int32, slots: Int32) -> tuple[Number, Number, Number]:
    """Arcs of the way found by `meet`, as slots in order of travel.

    Returns
    -------
    count, source anchor, target anchor : int
    """
    itself = np.empty(0, np.int32)
    return climb_side_arcs(meeting, via, back_via, itself, itself, up_tail, slots)


@lean
def climb_side_arcs(
    meeting: int, via: Int32, back_via: Int32, arc: Int32, back_arc: Int32, up_tail: Int32, slots: Int32
) -> tuple[Number, Number, Number]:
    """`climb_arcs` for the way found by `meet_on_sides`; `arc` and `back_arc` are those of the sides (empty: all arcs)."""
    count = 0
    v = np.int64(meeting)
    while via[v] >= 0:
        a = np.int64(arc[via[v]] if len(arc) else via[v])
        slots[count] = 2 * a
        count += 1
        v = np.int64(up_tail[a])
    source = -1 - via[v]
    for i in range(count // 2):
        slots[i], slots[count - 1 - i] = slots[count - 1 - i], slots[i]
    v = np.int64(meeting)
    while back_via[v] >= 0:
        a = np.int64(back_arc[back_via[v]] if len(back_arc) else back_via[v])
        slots[count] = 2 * a + 1
        count += 1
        v = np.int64(up_tail[a])
    return count, source, -1 - back_via[v]


@lean
def unpack(
    slots: Int32,
    count: int,
    up_first: UInt32,
    up_head: Int32,
    up_tail: Int32,
    down_first: UInt32,
    down_arc: UInt32,
    weight_ms: Int32,
    slot_first: Int32,
    slot_edge: Int32,
    edge_ms: Int32,
    known: Memory,
    stack: Int32,
    edges: Int32,
) -> int:
    """Replace hierarchy arcs by the input edges they stand for, in order of travel.

    Parameters
    ----------
    known : int64[2a]
        What earlier calls found for these weights, 0 = not asked: a slot's triangle as ``high << 32 | low + 1``, or its
        input edge as ``-1 - edge``. One look at it spares up to a dozen at the arrays above. Threads may share it.

    Returns
    -------
    int
        Number of edges; -1 if `edges` or `stack` is too short; -2 if a weight has no triangle, as weights of another hierarchy.
    """
    written = 0
    for i in range(count):
        stack[0] = slots[i]
        size = 1
        while size > 0:
            size -= 1
            slot = stack[size]
            parts = known[slot]
            if parts == 0:
                edge = _input_edge(slot, weight_ms[slot >> 1, slot & 1], slot_first, slot_edge, edge_ms)
                if edge >= 0:
                    parts = -1 - edge
                else:
                    low, high = _lower_triangle(slot, up_first, up_head, up_tail, down_first, down_arc, weight_ms)
                    if low < 0:
                        return -2
                    parts = (high << 32) | (low + 1)
                known[slot] = parts
            if parts < 0:
                if written == len(edges):
                    return -1
                edges[written] = -1 - parts
                written += 1
                continue
            low, high = (parts & 0xFFFFFFFF) - 1, parts >> 32
            if size + 2 > len(stack):
                return -1
            # Upward x → z → y: first down `low`, then up `high`; downward y → z → x the other way round.
            first, second = (2 * low + 1, 2 * high) if slot & 1 == 0 else (2 * high + 1, 2 * low)
            stack[size], stack[size + 1] = second, first
            size += 2
    return written


@inlined
def _input_edge(slot: Number, wanted_ms: Number, slot_first: Int32, slot_edge: Int32, edge_ms: Int32) -> Number:
    for k in range(slot_first[slot], slot_first[slot + 1]):
        if edge_ms[slot_edge[k]] == wanted_ms:
            return np.int64(slot_edge[k])
    return np.int64(-1)


@inlined
def _lower_triangle(
    slot: Number, up_first: UInt32, up_head: Int32, up_tail: Int32, down_first: UInt32, down_arc: UInt32, weight_ms: Int32
) -> tuple[Number, Number]:
    """The arcs ``(z → x, z → y)`` of the triangle whose sum is the weight of `slot`; ``(-1, -1)`` if there is none."""
    a, side = slot >> 1, slot & 1
    x, y, wanted = up_tail[a], up_head[a], weight_ms[a, side]
    for k in range(np.int64(down_first[x + 1]) - 1, np.int64(down_first[x]) - 1, -1):
        low = np.int64(down_arc[k])
        part = weight_ms[low, 1 - side]
        if part <= wanted:
            high = find_arc(up_first, up_head, up_tail[low], y)
            if high >= 0 and part + weight_ms[high, side] == wanted:
                return low, np.int64(high)
    return np.int64(-1), np.int64(-1)

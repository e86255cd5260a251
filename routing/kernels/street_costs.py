"""What a way takes, from its arcs alone."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_anchors import part_ms
from routing.kernels.street_search import INFINITE
from routing.kernels.street_types import Int32, Number, UInt32


@kernel
def way_ms(
    arcs: Int32,
    start: float,
    end: float,
    arc_time_ms: UInt32,
    edge_based: bool,
    arc_first_state: Int32,
    arc_states: Int32,
    state_arc: Int32,
    first_edge: Int32,
    edge_to: Int32,
    turn_ms: Int32,
) -> tuple[Number, Number]:
    """Time along a way (with turns), and the part of it lost in turning; `start`, `end` are fractions of first and last arc.

    ``(INFINITE, 0)`` if it cannot be driven: an arc is closed, or a turn is none.
    """
    total, turning = np.int64(0), np.int64(0)
    for k in range(len(arcs)):
        arc = arcs[k]
        if arc_time_ms[arc] >= INFINITE:
            return np.int64(INFINITE), np.int64(0)
        share = 1.0
        if k == 0:
            share -= start
        if k == len(arcs) - 1:
            share -= 1.0 - end
        total += part_ms(arc_time_ms[arc], share)
        if not edge_based or k == len(arcs) - 1:
            continue
        plain = arc_states[arc_first_state[arc]]
        turn = np.int64(INFINITE)
        for e in range(first_edge[plain], first_edge[plain + 1]):
            if state_arc[edge_to[e]] == arcs[k + 1]:
                turn = min(turn, np.int64(turn_ms[e]))
        if turn >= INFINITE:
            return np.int64(INFINITE), np.int64(0)
        total += turn
        turning += turn
    return total, turning

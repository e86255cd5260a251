"""Perfect customisation: from the weights of all arcs to shortest times, and the arcs that are worth walking along.

After the (basic) customisation an arc weighs as much as the quickest way between its ends through lower nodes. Here it
learns of ways through higher nodes, too: seen from the root downward, the upper and intermediate triangles of an arc consist
of arcs that are exact already. An arc that gets lighter by them is part of no quickest way that goes up and then down, and is
left out, in each direction on its own; what stays keeps its weight, so that ways are unpacked as before.

References
----------
Dibbelt, Strasser, Wagner: Customizable Contraction Hierarchies. ACM JEA 21 (2016), doi:10.1145/2886843, section 7.3.
Buchhold, Sanders, Wagner: Real-time Traffic Assignment Using Engineered Customizable Contraction Hierarchies. ACM JEA 24
(2019), doi:10.1145/3362693.
"""

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.jit import kernel
from routing.kernels.street_types import Int32, Number, UInt16, UInt32


@kernel
def shortest(
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
    """Relax the upper and intermediate triangles below the nodes ``end - 1 … begin``, whose own up arcs must be exact.

    Parameters
    ----------
    weight_ms : int32[a, 2]
        In: customised weights, exact for up arcs of the ancestors. Out: exact for those of all lower neighbours seen last.
    row_ms : int32[greatest depth + 1, 2]
        Scratch.
    """
    one = np.uint64(1)
    a: Number
    for y in range(end - 1, begin - 1, -1):
        first, last = np.uint64(down_first[y]), np.uint64(down_first[y + 1])
        if first == last:
            continue
        for a in range(np.uint64(up_first[y]), np.uint64(up_first[y + 1])):
            d = head_depth[a]
            row_ms[d, 0] = weight_ms[a, 0]
            row_ms[d, 1] = weight_ms[a, 1]
        for k in range(first, last):
            a = np.uint64(down_arc[k])
            up, down = weight_ms[a, 0], weight_ms[a, 1]
            best_up, best_down = up, down
            for b in range(a + one, np.uint64(down_end[k])):
                d = head_depth[b]
                beyond, back = row_ms[d, 0], row_ms[d, 1]
                over, under = weight_ms[b, 0], weight_ms[b, 1]
                best_up = min(best_up, np.int32(over + back))
                best_down = min(best_down, np.int32(beyond + under))
                weight_ms[b, 0] = min(over, np.int32(up + beyond))
                weight_ms[b, 1] = min(under, np.int32(back + down))
            weight_ms[a, 0], weight_ms[a, 1] = best_up, best_down


@kernel
def keep(
    up_first: UInt32,
    up_head: Int32,
    weight_ms: Int32,
    shortest_ms: Int32,
    side: int,
    first: UInt32,
    head: Int32,
    arc: Int32,
) -> Number:
    """List the arcs of one direction that can be travelled and are not heavier than the shortest time between their ends.

    Parameters
    ----------
    first : uint32[n + 1]
        Out: where those of every node begin.
    head, arc : int32[a]
        Out: their heads and numbers; longer than needed.

    Returns
    -------
    int
        How many there are.
    """
    count = np.uint64(0)
    for x in range(len(first) - 1):
        first[x] = count
        for a in range(np.uint64(up_first[x]), np.uint64(up_first[x + 1])):
            head[count], arc[count] = up_head[a], a  # written over if it does not stay
            stays = (weight_ms[a, side] < FAR) & (weight_ms[a, side] == shortest_ms[a, side])
            count += np.uint64(stays)
    first[len(first) - 1] = count
    return np.int64(count)


@kernel
def pick(weight_ms: Int32, side: int, arc: Int32, picked_ms: Int32) -> None:
    """Weights of some arcs (int32[k, 1])."""
    for k in range(len(arc)):
        picked_ms[k, 0] = weight_ms[arc[k], side]

"""Ways compared with each other: what they have in common, and whether they go back on themselves."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_types import Bools, Float64, Int32, Int64, Number


@kernel
def common_ms(arcs: Int32, step_ms: Int64, arc_ms: Float64, first_turn: Int32, turn_next: Int32, turn_to: Int32) -> Number:
    """Time a way spends on arcs of other ways, with the turn at their end where another way takes it too.

    Parameters
    ----------
    arcs : int32[a]
    step_ms, arc_ms : int64[a], float64[a]
        From one arc to the next, and the part of it along the arc.
    first_turn : int32[m]
        First turn of the other ways out of an arc, -1 = they do not take the arc.
    turn_next, turn_to : int32[t]
        Further turn out of the same arc (-1 = none), and the arc turned into (-1 = the way ends).
    """
    total = 0.0
    for k in range(len(arcs)):
        turn = first_turn[arcs[k]]
        if turn < 0:
            continue
        after = arcs[k + 1] if k + 1 < len(arcs) else np.int32(-1)
        part = arc_ms[k]
        while turn >= 0:
            if turn_to[turn] == after:
                part = np.float64(step_ms[k])
            turn = turn_next[turn]
        total += part
    return total


@kernel
def add_turns(arcs: Int32, first_turn: Int32, turn_next: Int32, turn_to: Int32, count: int) -> int:
    """Add the turns of a way to those known (see `common_ms`); their number after it."""
    for k in range(len(arcs)):
        turn_to[count] = arcs[k + 1] if k + 1 < len(arcs) else np.int32(-1)
        turn_next[count] = first_turn[arcs[k]]
        first_turn[arcs[k]] = count
        count += 1
    return count


@kernel
def repeats(arcs: Int32, arc_reverse: Int32, seen: Bools) -> tuple[Number, Number]:
    """How many arcs a way travels again, and how many in both directions; ``seen`` (bool[m]) is all false before and after."""
    again, both = 0, 0
    for arc in arcs:
        again += seen[arc]
        both += arc_reverse[arc] >= 0 and seen[arc_reverse[arc]]
        seen[arc] = True
    for arc in arcs:
        seen[arc] = False
    return again, both


@kernel
def strike(states: Int32, total_ms: Number, row_of: Int32, via_ms: Int64, done: Bools) -> None:
    """Strike off the candidates that lie on a way and take as long: the way over them is this one."""
    for state in states:
        row = row_of[state]
        if row >= 0 and via_ms[row] == total_ms:
            done[row] = True

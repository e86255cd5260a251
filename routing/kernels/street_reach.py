"""Short searches from one position on a street to several others near it: what map matching asks for at every step.

Dijkstra's algorithm on the state graph with an early end: it stops when all targets are reached, or beyond a bound of length.
Only what was touched is cleared, so a search costs what it looks at, whatever the size of the network.
"""

from typing import NamedTuple

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_search import INFINITE, pop, push
from routing.kernels.street_types import Bools, Float32, Float64, Int32, Int64


class Ways(NamedTuple):
    """A weighted network as these searches take it; s states, e edges, m arcs.

    Attributes
    ----------
    edge_based : bool
    first_edge : int32[s + 1]
    edge_to, edge_arc : int32[e]
    edge_weight : int32[e]
        What the way is chosen by; `INFINITE` = closed.
    arc_weight : int32[m]
    arc_ms, arc_m : float32[m]
        Time and length, added up along the way.
    turn_ms : int32[e]
    arc_first_state, arc_states : int32
        States of an arc (edge-based).
    arc_tail, arc_head : int32[m]
    blocked : bool[n]
        Nodes that cannot be passed (node-based).
    """

    edge_based: bool
    first_edge: Int32
    edge_to: Int32
    edge_arc: Int32
    edge_weight: Int32
    arc_weight: Int32
    arc_ms: Float32
    arc_m: Float32
    turn_ms: Int32
    arc_first_state: Int32
    arc_states: Int32
    arc_tail: Int32
    arc_head: Int32
    blocked: Bools


class Reach(NamedTuple):
    """Scratch of one thread.

    Attributes
    ----------
    weight : int32[s]
        `INFINITE` between searches.
    length_m, time_ms : float32[s]
    parent_edge, parent_state : int32[s]
    touched : int32[s]
    heap : int64[…]
    goal : int32[s]
        First entry of a state among the goals, -1 for none.
    goal_next, goal_target, goal_state : int32[…]
        Goals of one state in a chain, the target each stands for, and its state.
    """

    weight: Int32
    length_m: Float32
    time_ms: Float32
    parent_edge: Int32
    parent_state: Int32
    touched: Int32
    heap: Int64
    goal: Int32
    goal_next: Int32
    goal_target: Int32
    goal_state: Int32


@kernel
def mark_goals(ways: Ways, reach: Reach, arc: Int32, count: int) -> int:
    """Make the states where the first `count` arcs begin goals; return the number of entries for `clear_goals`."""
    entries = 0
    for j in range(count):
        a = arc[j]
        low, high = 0, 1
        if ways.edge_based:
            low, high = ways.arc_first_state[a], ways.arc_first_state[a + 1]
        elif ways.blocked[ways.arc_tail[a]]:
            continue
        for i in range(low, high):
            state = ways.arc_states[i] if ways.edge_based else ways.arc_tail[a]
            reach.goal_next[entries] = reach.goal[state]
            reach.goal_target[entries], reach.goal_state[entries] = j, state
            reach.goal[state] = entries
            entries += 1
    return entries


@kernel
def clear_goals(reach: Reach, entries: int) -> None:
    """Undo `mark_goals`."""
    for i in range(entries):
        reach.goal[reach.goal_state[i]] = -1


@kernel
def reach_goals(
    ways: Ways, reach: Reach, arc: int, fraction: float, most_m: float, goals: int, route_m: Float64, route_ms: Float64
) -> int:
    """Length and time from a position, travelling along its arc, to where every marked goal begins.

    Parameters
    ----------
    arc, fraction : int, float
        The position.
    most_m : float
        Ways longer than this are not followed.
    goals : int
        Number of different targets marked.
    route_m, route_ms : float64[goals]
        Out: `inf` where not reached.

    Returns
    -------
    int
        State where the last goal was reached, -1 if not all were. The parents lead back from it until the next search.
    """
    route_m[:goals] = np.inf
    route_ms[:goals] = np.inf
    touched, size = _leave(ways, reach, arc, fraction, most_m)
    left, last = goals, -1
    while size > 0 and left > 0:
        key = reach.heap[0]
        size = pop(reach.heap, size)
        s = key & 0xFFFFFFFF
        now = key >> 32
        if now > reach.weight[s]:
            continue
        entry = reach.goal[s]
        while entry >= 0:
            j = reach.goal_target[entry]
            if route_m[j] == np.inf:
                route_m[j], route_ms[j] = reach.length_m[s], reach.time_ms[s]
                left -= 1
                last = s
            entry = reach.goal_next[entry]
        for e in range(ways.first_edge[s], ways.first_edge[s + 1]):
            length = reach.length_m[s] + ways.arc_m[ways.edge_arc[e]]
            if ways.edge_weight[e] == INFINITE or length > most_m:
                continue
            then = now + ways.edge_weight[e]
            to = ways.edge_to[e]
            if then < reach.weight[to]:
                if reach.weight[to] == INFINITE:
                    reach.touched[touched] = to
                    touched += 1
                time = reach.time_ms[s] + ways.arc_ms[ways.edge_arc[e]] + ways.turn_ms[e]
                reach.weight[to], reach.length_m[to], reach.time_ms[to] = then, length, time
                reach.parent_edge[to], reach.parent_state[to] = e, s
                size = push(reach.heap, size, (then << 32) | np.int64(to))
    for i in range(touched):
        reach.weight[reach.touched[i]] = INFINITE
    return last if left == 0 else -1


@kernel
def _leave(ways: Ways, reach: Reach, arc: int, fraction: float, most_m: float) -> tuple[int, int]:
    """Enter the states a position leads to; return how many were touched and the size of the heap."""
    touched, size = 0, 0
    rest = 1.0 - fraction
    length = rest * ways.arc_m[arc]
    if length > most_m or ways.arc_weight[arc] == INFINITE:
        return touched, size
    low, high = 0, 1
    if ways.edge_based:
        if ways.arc_first_state[arc] == ways.arc_first_state[arc + 1]:
            return touched, size
        plain = ways.arc_states[ways.arc_first_state[arc]]
        low, high = ways.first_edge[plain], ways.first_edge[plain + 1]
    elif ways.blocked[ways.arc_head[arc]]:
        return touched, size
    for e in range(low, high):
        to, turn, turn_ms = ways.arc_head[arc], 0, 0
        if ways.edge_based:
            if ways.edge_weight[e] == INFINITE:
                continue
            to, turn, turn_ms = ways.edge_to[e], ways.edge_weight[e] - ways.arc_weight[arc], ways.turn_ms[e]
        then = np.int64(rest * ways.arc_weight[arc]) + turn
        if then < reach.weight[to]:
            if reach.weight[to] == INFINITE:
                reach.touched[touched] = to
                touched += 1
            reach.weight[to], reach.length_m[to] = then, length
            reach.time_ms[to] = rest * ways.arc_ms[arc] + turn_ms
            reach.parent_edge[to], reach.parent_state[to] = -1, -1
            size = push(reach.heap, size, (then << 32) | np.int64(to))
    return touched, size


@kernel
def way_back(ways: Ways, reach: Reach, state: int, arcs: Int32) -> int:
    """Arcs travelled between the position's own arc and the goal's arc, last first; return how many (-1: no room)."""
    count = 0
    while reach.parent_edge[state] >= 0:
        if count == len(arcs):
            return -1
        arcs[count] = ways.edge_arc[reach.parent_edge[state]]
        state = reach.parent_state[state]
        count += 1
    return count

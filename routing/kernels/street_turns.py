"""The turns a mode may take: states are accessible arcs, edges are allowed turns with their cost."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_search import INFINITE
from routing.kernels.street_types import Bools, Float32, Int32, Int64, Number, UInt32


@kernel
def bearings(first_shape: Int64, shape_lat_e7: Int32, shape_lon_e7: Int32, tail_deg: Float32, head_deg: Float32) -> None:
    """Fill the compass bearing (degrees) with which every arc leaves its tail and reaches its head."""
    for a in range(len(tail_deg)):
        for end in range(2):
            i = first_shape[a] if end == 0 else first_shape[a + 1] - 2
            north = np.float64(shape_lat_e7[i + 1]) - np.float64(shape_lat_e7[i])
            east = np.float64(shape_lon_e7[i + 1]) - np.float64(shape_lon_e7[i])
            east *= np.cos(np.radians(shape_lat_e7[i] * 1e-7))
            degrees = np.degrees(np.arctan2(east, north))
            if end == 0:
                tail_deg[a] = degrees
            else:
                head_deg[a] = degrees


@kernel
def junction_degree(arc_tail: Int32, arc_head: Int32, arc_reverse: Int32, usable: Bools, degree: Int32) -> None:
    """Count at every node the street ends a mode may use (a two-way street counts once, a loop twice)."""
    for a in range(len(arc_tail)):
        if usable[a]:
            back = arc_reverse[a]
            if back < 0 or not usable[back] or a < back:
                degree[arc_tail[a]] += 1
                degree[arc_head[a]] += 1


@kernel
def turn_cost(angle_deg: float, right_ms: int, left_ms: int) -> int:
    """Cost of a turn by its angle (clockwise, -180…180): none below 30°, half of it below 60°, half more from 120°."""
    side = right_ms if angle_deg >= 0.0 else left_ms
    sharpness = abs(angle_deg)
    if sharpness < 30.0:
        return 0
    if sharpness < 60.0:
        return side // 2
    if sharpness < 120.0:
        return side
    return side + side // 2


@kernel
def _is_banned(banned: Int64, key: Number) -> bool:
    """Whether the sorted keys hold `key`."""
    low, high = 0, len(banned)
    while low < high:
        middle = (low + high) >> 1
        if banned[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low < len(banned) and banned[low] == key


@kernel
def turns(
    first_out: Int32,
    arc_tail: Int32,
    arc_head: Int32,
    arc_reverse: Int32,
    arc_length_m: Float32,
    usable: Bools,
    blocked: Bools,
    signal: Bools,
    degree: Int32,
    tail_deg: Float32,
    head_deg: Float32,
    banned: Int64,
    right_ms: int,
    left_ms: int,
    u_turn_ms: int,
    signal_ms: int,
    first: Int64,
    to: Int32,
    cost_ms: Int32,
    write: bool,
) -> int:
    """Count (`write` false) or write every allowed turn out of every arc; turns out of arc `a` are ``first[a]:first[a + 1]``.

    A turn back into the same street is allowed only where nothing else goes on (dead ends, barriers). Nodes where at most two
    street ends meet cost nothing, so cutting a street in two changes no answer. A signal costs once: not again on the next
    signal within 40 m (wide junctions carry several signal nodes).

    Parameters
    ----------
    usable : bool[m]
        Arcs of the mode.
    blocked, signal : bool[n]
    banned : int64[b], sorted
        ``from_arc * m + to_arc`` of the forbidden two-arc manoeuvres.
    first : int64[m + 1]
    """
    m = len(arc_tail)
    count = 0
    for a in range(m):
        first[a] = count
        if not usable[a]:
            continue
        node = arc_head[a]
        back = arc_reverse[a]
        wait = 0
        if signal[node] and not (signal[arc_tail[a]] and arc_length_m[a] < 40.0):
            wait = signal_ms
        onward = 0
        if not blocked[node]:
            for b in range(first_out[node], first_out[node + 1]):
                if not usable[b] or b == back:
                    continue
                onward += 1
                if _is_banned(banned, np.int64(a) * m + b):
                    continue
                if write:
                    cost = wait
                    if degree[node] > 2:
                        angle = (tail_deg[b] - head_deg[a] + 540.0) % 360.0 - 180.0
                        cost += turn_cost(angle, right_ms, left_ms)
                    to[count] = b
                    cost_ms[count] = cost
                count += 1
        if onward == 0 and back >= 0 and usable[back] and not _is_banned(banned, np.int64(a) * m + back):
            if write:
                to[count] = back
                cost_ms[count] = u_turn_ms
            count += 1
    first[m] = count
    return count


@kernel
def edge_weights(
    edge_arc: Int32, edge_cost_ms: Int32, back_edge: Int32, arc_time_ms: UInt32, edge_ms: Int32, back_edge_ms: Int32
) -> None:
    """Fill the weight of every edge (driving its arc, then turning; `INFINITE` where closed), forward and in reversed order."""
    for e in range(len(edge_arc)):
        time = np.int64(arc_time_ms[edge_arc[e]]) + np.int64(edge_cost_ms[e])
        edge_ms[e] = min(time, np.int64(INFINITE))
    for e in range(len(back_edge)):
        back_edge_ms[e] = edge_ms[back_edge[e]]


@kernel
def reversed_edges(first_edge: Int32, edge_to: Int32, back_first: Int32, back_to: Int32, back_edge: Int32) -> None:
    """Fill the reversed CSR: edges by head, each with its tail and its number in the forward CSR, in forward order."""
    states = len(first_edge) - 1
    for e in range(first_edge[states]):
        back_first[edge_to[e] + 1] += 1
    for s in range(states):
        back_first[s + 1] += back_first[s]
    place = back_first[:-1].copy()
    for s in range(states):
        for e in range(first_edge[s], first_edge[s + 1]):
            at = place[edge_to[e]]
            back_to[at] = s
            back_edge[at] = e
            place[edge_to[e]] = at + 1

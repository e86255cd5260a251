"""Where trips enter and leave the state graph when they begin and end part-way along arcs.

A *source anchor* is a state a trip can enter after leaving its position, with the time until then; a *target anchor* is a
state from which the position is reached, with the time still needed. Rows of one position are consecutive
(``first[i]:first[i + 1]``).
"""

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.jit import kernel
from routing.kernels.street_search import INFINITE
from routing.kernels.street_types import Bools, Float32, Int32, Int64, Number, UInt8, UInt32

AnchorColumns = tuple[Int32, Int32, Int32, Int32]


@kernel
def part_ms(arc_ms: Number, fraction: Number) -> Number:
    """Milliseconds for `fraction` of an arc, rounded to the nearest."""
    return np.int64(np.floor(np.float64(fraction) * np.float64(arc_ms) + 0.5))


@kernel
def turn_sources(
    arcs: Int32,
    fractions: Float32,
    arc_time_ms: UInt32,
    arc_reverse: Int32,
    arc_first_state: Int32,
    arc_states: Int32,
    first_edge: Int32,
    edge_to: Int32,
    turn_ms: Int32,
) -> AnchorColumns:
    """Source anchors of an edge-based network: every turn out of the arc, in both directions of a two-way street.

    Turns that cost `INFINITE` are forbidden.

    Returns ``first int32[k + 1], state int32[a], time_ms int32[a], arc int32[a]`` (the arc travelled first).
    """
    first = np.zeros(len(arcs) + 1, np.int32)
    for write in range(2):
        if write == 1:
            state = np.empty(first[-1], np.int32)
            time = np.empty(first[-1], np.int32)
            along = np.empty(first[-1], np.int32)
        count = 0
        for i in range(len(arcs)):
            for way in range(2):
                arc = arcs[i] if way == 0 or arcs[i] < 0 else arc_reverse[arcs[i]]
                if arcs[i] < 0 or arc < 0 or arc_time_ms[arc] >= INFINITE or arc_first_state[arc] == arc_first_state[arc + 1]:
                    continue
                rest = part_ms(arc_time_ms[arc], 1.0 - fractions[i] if way == 0 else np.float64(fractions[i]))
                plain = arc_states[arc_first_state[arc]]
                for e in range(first_edge[plain], first_edge[plain + 1]):
                    if turn_ms[e] >= INFINITE:
                        continue
                    if write == 1:
                        state[count] = edge_to[e]
                        time[count] = rest + turn_ms[e]
                        along[count] = arc
                    count += 1
            first[i + 1] = count
    return first, state, time, along


@kernel
def turn_targets(
    arcs: Int32, fractions: Float32, arc_time_ms: UInt32, arc_reverse: Int32, arc_first_state: Int32, arc_states: Int32
) -> AnchorColumns:
    """Target anchors of an edge-based network: every state of the arc, in both directions of a two-way street.

    Returns as `turn_sources`; `arc` is the arc travelled last.
    """
    first = np.zeros(len(arcs) + 1, np.int32)
    for write in range(2):
        if write == 1:
            state = np.empty(first[-1], np.int32)
            time = np.empty(first[-1], np.int32)
            along = np.empty(first[-1], np.int32)
        count = 0
        for i in range(len(arcs)):
            for way in range(2):
                arc = arcs[i] if way == 0 or arcs[i] < 0 else arc_reverse[arcs[i]]
                if arcs[i] < 0 or arc < 0 or arc_time_ms[arc] >= INFINITE:
                    continue
                part = part_ms(arc_time_ms[arc], np.float64(fractions[i]) if way == 0 else 1.0 - fractions[i])
                for s in range(arc_first_state[arc], arc_first_state[arc + 1]):
                    if write == 1:
                        state[count] = arc_states[s]
                        time[count] = part
                        along[count] = arc
                    count += 1
            first[i + 1] = count
    return first, state, time, along


@kernel
def node_anchors(
    arcs: Int32,
    fractions: Float32,
    arc_time_ms: UInt32,
    arc_reverse: Int32,
    arc_tail: Int32,
    arc_head: Int32,
    blocked: Bools,
    leaving: bool,
) -> AnchorColumns:
    """Source (`leaving`) or target anchors of a node-based network: the two ends of the street, unless a barrier stands there.

    Returns as `turn_sources`.
    """
    first = np.zeros(len(arcs) + 1, np.int32)
    state = np.empty(2 * len(arcs), np.int32)
    time = np.empty(2 * len(arcs), np.int32)
    along = np.empty(2 * len(arcs), np.int32)
    count = 0
    for i in range(len(arcs)):
        for way in range(2):
            arc = arcs[i] if way == 0 or arcs[i] < 0 else arc_reverse[arcs[i]]
            if arcs[i] < 0 or arc < 0 or arc_time_ms[arc] >= INFINITE:
                continue
            node = arc_head[arc] if leaving else arc_tail[arc]
            if blocked[node]:
                continue
            fraction = np.float64(fractions[i]) if way == 0 else 1.0 - fractions[i]
            state[count] = node
            time[count] = part_ms(arc_time_ms[arc], 1.0 - fraction if leaving else fraction)
            along[count] = arc
            count += 1
        first[i + 1] = count
    return first, state[:count], time[:count], along[:count]


@kernel
def direct(
    source_arc: Number,
    source_fraction: Number,
    target_arc: Number,
    target_fraction: Number,
    arc_time_ms: UInt32,
    arc_reverse: Int32,
    source_directed: bool,
    target_directed: bool,
) -> tuple[Number, Number]:
    """Time along one street when both ends lie on it: ``(time_ms, arc)``, or ``(INFINITE, -1)``.

    A directed end is left or reached in the direction of its own arc only.
    """
    if source_arc < 0 or target_arc < 0:
        return np.int64(INFINITE), np.int64(-1)
    back = arc_reverse[source_arc]
    if target_arc not in (source_arc, back):
        return np.int64(INFINITE), np.int64(-1)
    start = np.float64(source_fraction)
    end = np.float64(target_fraction) if target_arc == source_arc else 1.0 - target_fraction
    best, best_arc = np.int64(INFINITE), np.int64(-1)
    if end >= start and arc_time_ms[source_arc] < INFINITE and not (target_directed and target_arc == back):
        best, best_arc = part_ms(arc_time_ms[source_arc], end - start), np.int64(source_arc)
    if source_directed or (target_directed and target_arc != back):
        return best, best_arc
    if end <= start and back >= 0 and arc_time_ms[back] < INFINITE:
        time = part_ms(arc_time_ms[back], start - end)
        if time < best:
            best, best_arc = time, np.int64(back)
    return best, best_arc


@kernel
def mark(states: Int32, goal: UInt8, value: int) -> int:
    """Set ``goal[states] = value``; return how many changed."""
    changed = 0
    for s in states:
        if goal[s] != value:
            goal[s] = value
            changed += 1
    return changed


@kernel
def gather(
    first: Int32,
    state: Int32,
    anchor_ms: Int32,
    time_ms: Int32,
    limit_ms: int,
    one_arc: Number,
    one_fraction: Number,
    one_directed: bool,
    arcs: Int32,
    fractions: Float32,
    directed: Bools,
    arc_time_ms: UInt32,
    arc_reverse: Int32,
    backward: bool,
    out_ms: UInt32,
) -> None:
    """Best time of every position from the state times of a search, or directly along the arc both ends share.

    `out_ms` (uint32[k]) receives 4294967295 for what is not reached within `limit_ms`. `backward`: the search ran from the
    target (`one_*`) and the positions are sources.
    """
    for i in range(len(arcs)):
        if backward:
            best, _ = direct(
                arcs[i], fractions[i], one_arc, one_fraction, arc_time_ms, arc_reverse, directed[i], one_directed
            )  # fmt: skip
        else:
            best, _ = direct(
                one_arc, one_fraction, arcs[i], fractions[i], arc_time_ms, arc_reverse, one_directed, directed[i]
            )  # fmt: skip
        for a in range(first[i], first[i + 1]):
            if time_ms[state[a]] != INFINITE:
                best = min(best, np.int64(time_ms[state[a]]) + np.int64(anchor_ms[a]))
        out_ms[i] = best if best <= limit_ms and best < INFINITE else np.int64(4_294_967_295)


@kernel
def close_matrix(
    found_ms: Int32,
    limit_ms: int,
    source_arc: Int32,
    source_fraction: Float32,
    source_directed: Bools,
    target_arc: Int32,
    target_fraction: Float32,
    target_directed: Bools,
    arc_time_ms: UInt32,
    arc_reverse: Int32,
    out_ms: UInt32,
) -> None:
    """Fill ``out_ms`` (uint32[s, t]) with the better of ``found_ms`` (int32[s, t]) and the way along a street both ends share.

    4294967295 for what is not reached within `limit_ms`.
    """
    limit = min(np.int64(limit_ms), np.int64(FAR - 1))
    for i in range(len(source_arc)):
        back = arc_reverse[source_arc[i]] if source_arc[i] >= 0 else np.int32(-1)
        for j in range(len(target_arc)):
            best = np.int64(found_ms[i, j])
            arc = target_arc[j]
            if arc >= 0 and arc in (source_arc[i], back):
                along, _ = direct(
                    source_arc[i], source_fraction[i], arc, target_fraction[j], arc_time_ms, arc_reverse, source_directed[i],
                    target_directed[j],
                )  # fmt: skip
                best = min(best, along)
            out_ms[i, j] = best if best <= limit else np.int64(4_294_967_295)


@kernel
def node_times(time_ms: Int32, edge_based: bool, state_arc: Int32, arc_head: Int32, arc_time_ms: UInt32, out_ms: Int64) -> None:
    """Lower ``out_ms`` (int64[n], prefilled) to the earliest time at every node, from the state times of a search."""
    for s in range(len(time_ms)):
        if time_ms[s] == INFINITE:
            continue
        if not edge_based:
            out_ms[s] = min(out_ms[s], np.int64(time_ms[s]))
            continue
        arc = state_arc[s]
        if arc_time_ms[arc] < INFINITE:
            node = arc_head[arc]
            out_ms[node] = min(out_ms[node], np.int64(time_ms[s]) + np.int64(arc_time_ms[arc]))

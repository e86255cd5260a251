"""A way between two positions in one call: anchors of both ends, where the climbs meet, the arcs between."""

from typing import NamedTuple

import numpy as np

from routing.kernels import cch_query, cch_unpack
from routing.kernels.jit import kernel
from routing.kernels.street_anchors import AnchorColumns, direct, node_anchors, turn_sources, turn_targets
from routing.kernels.street_search import INFINITE
from routing.kernels.street_types import Bools, Float32, Int32, Memory, Number, UInt32

TOO_SHORT, NO_TRIANGLE = -1, -2
"""What `find_way` says instead of a number of arcs: working arrays are too short, weights of another hierarchy."""


class Positions(NamedTuple):
    """Columns of `routing.street.snapping.Snaps`."""

    arc: Int32
    fraction: Float32
    directed: Bools


class States(NamedTuple):
    """What anchors need of a graph, its network and a metric."""

    arc_time_ms: UInt32
    turn_ms: Int32
    arc_reverse: Int32
    arc_tail: Int32
    arc_head: Int32
    arc_first_state: Int32
    arc_states: Int32
    first_edge: Int32
    edge_to: Int32
    edge_arc: Int32
    blocked: Bools


class Tree(NamedTuple):
    """What pairs and their ways need of `routing.street.cch.Hierarchy`."""

    rank: Int32
    parent: Int32
    up_first: UInt32
    up_head: Int32
    up_tail: Int32
    down_first: UInt32
    down_arc: UInt32
    slot_first: Int32
    slot_edge: Int32


class Work(NamedTuple):
    """Working arrays of one thread, see `routing.kernels.cch_query`."""

    time: Int32
    via: Int32
    back_time: Int32
    back_via: Int32
    path: Int32
    slots: Int32
    stack: Int32
    edges: Int32


@kernel
def find_way(
    start: Positions,
    i: int,
    end: Positions,
    j: int,
    edge_based: bool,
    states: States,
    tree: Tree,
    up: cch_query.Side,
    down: cch_query.Side,
    weight_ms: Int32,
    edge_ms: Int32,
    known: Memory,
    work: Work,
    arcs: Int32,
) -> tuple[Number, Number]:
    """Quickest way from position `i` of `start` to position `j` of `end`.

    Parameters
    ----------
    up, down, weight_ms, edge_ms, known
        Of the hierarchy's weights.
    arcs : int32[…]
        Out: the arcs travelled.

    Returns
    -------
    time_ms : int
        `INFINITE` where no way leads.
    count : int
        Arcs written; `TOO_SHORT` if an array of `work` or `arcs` is too short, `NO_TRIANGLE`.
    """
    _, seed, seed_ms, seed_arc = _anchors(start, i, edge_based, states, True)
    _, goal, goal_ms, goal_arc = _anchors(end, j, edge_based, states, False)
    best, meeting = cch_query.meet_on_sides(
        up, down, tree.parent, tree.rank, seed, seed_ms, goal, goal_ms, work.time, work.via, work.back_time, work.back_via,
        work.path,
    )  # fmt: skip
    along, arc = direct(
        start.arc[i], start.fraction[i], end.arc[j], end.fraction[j], states.arc_time_ms, states.arc_reverse,
        start.directed[i], end.directed[j],
    )  # fmt: skip
    if meeting < 0 or along <= best:
        arcs[0] = arc
        return np.int64(along), np.int64(along < INFINITE)
    count, first, last = cch_unpack.climb_side_arcs(
        meeting, work.via, work.back_via, up.arc, down.arc, tree.up_tail, work.slots
    )
    edges = cch_unpack.unpack(
        work.slots, count, tree.up_first, tree.up_head, tree.up_tail, tree.down_first, tree.down_arc, weight_ms,
        tree.slot_first, tree.slot_edge, edge_ms, known, work.stack, work.edges,
    )  # fmt: skip
    if edges < 0:
        return np.int64(best), np.int64(edges)
    if edges + 2 > len(arcs):
        return np.int64(best), np.int64(TOO_SHORT)
    arcs[0], arcs[edges + 1] = seed_arc[first], goal_arc[last]
    for k in range(edges):
        arcs[k + 1] = states.edge_arc[work.edges[k]]
    return np.int64(best), np.int64(edges + 2)


@kernel
def _anchors(position: Positions, i: int, edge_based: bool, states: States, leaving: bool) -> AnchorColumns:
    """Anchors of position `i`; those that travel a directed position's street the other way are left out."""
    arc, fraction = position.arc[i : i + 1], position.fraction[i : i + 1]
    if not edge_based:
        found = node_anchors(
            arc, fraction, states.arc_time_ms, states.arc_reverse, states.arc_tail, states.arc_head, states.blocked, leaving
        )
    elif leaving:
        found = turn_sources(
            arc, fraction, states.arc_time_ms, states.arc_reverse, states.arc_first_state, states.arc_states,
            states.first_edge, states.edge_to, states.turn_ms,
        )  # fmt: skip
    else:
        found = turn_targets(arc, fraction, states.arc_time_ms, states.arc_reverse, states.arc_first_state, states.arc_states)
    if not position.directed[i]:
        return found
    first, state, time, along = found
    count = 0
    for k in range(len(state)):
        if along[k] == arc[0]:
            state[count], time[count], along[count] = state[k], time[k], along[k]
            count += 1
    first[1] = count
    return first, state[:count], time[:count], along[:count]

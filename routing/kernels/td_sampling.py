"""TD-S: time-dependent routing by sampling.

The quickest ways at a few fixed moments are found on a contraction hierarchy. Their states, with all edges between them, form a
small graph, and a time-dependent search on it gives the answer: the time of a real way, never too early, seldom too late.

References
----------
Strasser: Dynamic Time-Dependent Routing in Road Networks Through Sampling. ATMOS 2017, doi:10.4230/OASIcs.ATMOS.2017.3.
"""

from typing import NamedTuple

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.cch_query import climb_arcs, meet, unpack
from routing.kernels.jit import inlined, kernel, lean
from routing.kernels.street_search import pop, push
from routing.kernels.street_types import Float32, Int32, Number, UInt8, UInt32
from routing.kernels.td_functions import CLOSED, SLOT_MS, Edges, Functions, arrival
from routing.kernels.td_potentials import Scratch, Tree

TOO_SHORT = -3
"""Answer of a call whose arrays for ways were too short."""
NOT_THESE = -4
"""Answer of a call whose weights are not those of the hierarchy: an arc's weight is the sum of no two others."""


class Arcs(NamedTuple):
    """What a hierarchy needs to unpack its arcs (see `routing.street.cch`)."""

    up_tail: Int32
    down_first: UInt32
    down_arc: UInt32
    slot_first: Int32
    slot_edge: Int32


class Sample(NamedTuple):
    """Customised weights of a slot: int32[a, 2], int32[e], int32[2a]; see `routing.street.customization`."""

    weight_ms: Int32
    edge_ms: Int32
    known: Int32


class Ways(NamedTuple):
    """Working arrays of one thread, beside `Scratch`.

    Attributes
    ----------
    back_ms : int32[s]
        All `FAR` before and after.
    back_via : int32[s]
    slots, stack, edges : int32[…]
    allowed : uint8[s]
        All 0 before and after.
    chosen : int32[s]
    """

    back_ms: Int32
    back_via: Int32
    slots: Int32
    stack: Int32
    edges: Int32
    allowed: UInt8
    chosen: Int32


@inlined
def _allow(s: Number, count: int, ways: Ways) -> int:
    if ways.allowed[s] == 0:
        ways.allowed[s] = 1
        ways.chosen[count] = s
        count += 1
    return count


@lean
def sample(
    edges: Edges, tree: Tree, arcs: Arcs, weights: Sample, seed_state: Int32, seed_ms: Int32, end_state: Int32, end_ms: Int32,
    chosen: int, scratch: Scratch, ways: Ways,
) -> tuple[int, Number]:  # fmt: skip
    """Allow the states of the quickest way under one set of weights.

    Returns the number of allowed ones, or `TOO_SHORT` or `NOT_THESE`, and the time of the way (`FAR` = none).
    """
    best, meeting = meet(
        tree.up_first, tree.up_head, tree.parent, tree.rank, weights.weight_ms, seed_state, seed_ms, end_state, end_ms,
        scratch.climbed_ms, scratch.via, ways.back_ms, ways.back_via, scratch.path,
    )  # fmt: skip
    if meeting < 0 or best >= FAR:
        return chosen, np.int32(FAR)
    count, seed, _ = climb_arcs(meeting, scratch.via, ways.back_via, arcs.up_tail, ways.slots)
    written = unpack(
        ways.slots, count, tree.up_first, tree.up_head, arcs.up_tail, arcs.down_first, arcs.down_arc, weights.weight_ms,
        arcs.slot_first, arcs.slot_edge, weights.edge_ms, weights.known, ways.stack, ways.edges,
    )  # fmt: skip
    if written < 0:
        return TOO_SHORT if written == -1 else NOT_THESE, best
    chosen = _allow(seed_state[seed], chosen, ways)
    for i in range(written):
        chosen = _allow(edges.to[ways.edges[i]], chosen, ways)
    return chosen, best


@kernel
def sampled_arrival(
    edges: Edges, functions: Functions, tree: Tree, arcs: Arcs, weights: tuple[Sample, ...], pace: Float32, samples: int,
    depart_ms: Number, seed_state: Int32, seed_ms: Int32, end_state: Int32, end_profile: Int32, end_work_ms: Int32,
    end_cost_ms: Int32, scratch: Scratch, ways: Ways,
) -> tuple[Number, Number, int]:  # fmt: skip
    """Arrival on the best way made of sampled ones.

    Parameters
    ----------
    weights : tuple of Sample
    pace : float32[…, profiles]
    samples : int
        Number of samples to use, the first ones.
    depart_ms : int
    Others
        As `td_potentials.earliest_arrival`.

    Returns
    -------
    arrival_ms : int
        `FAR` if there is no way, `TOO_SHORT` if the call must be repeated with longer arrays, `NOT_THESE` if it is hopeless.
    end : int
        Row of the target anchor used; its chain of ``scratch.parent`` is the way.
    settled : int
    """
    begin_ms, rest_ms = np.empty(len(seed_ms), np.int32), np.empty(len(end_state), np.int32)
    for i in range(len(seed_ms)):
        begin_ms[i] = seed_ms[i] - depart_ms if seed_ms[i] < FAR else FAR
    chosen, first, k = 0, np.int64(depart_ms) // SLOT_MS, 0
    while k < samples:
        for i in range(len(end_state)):
            rest_ms[i] = FAR
            if end_work_ms[i] != CLOSED:
                rest = np.floor(np.float64(end_work_ms[i]) * pace[k, end_profile[i]] + 0.5) + end_cost_ms[i]
                if rest < FAR:
                    rest_ms[i] = np.int32(rest)
        more, time = sample(
            edges, tree, arcs, weights[k], seed_state, begin_ms, end_state, rest_ms, chosen, scratch, ways,
        )  # fmt: skip
        if more < 0:
            for i in range(chosen):
                ways.allowed[ways.chosen[i]] = 0
            return np.int64(more), np.int64(-1), 0
        chosen = more
        if k == 0:
            # A trip that is over before a slot begins cannot use its ways.
            samples = min(samples, (depart_ms + time) // SLOT_MS - first + 1)
        k += 1
    best, end, settled = _search(
        edges, functions, seed_state, seed_ms, end_state, end_profile, end_work_ms, end_cost_ms, scratch, ways
    )
    for i in range(chosen):
        ways.allowed[ways.chosen[i]] = 0
        scratch.label_ms[ways.chosen[i]] = FAR
    return best, end, settled


@lean
def _search(
    edges: Edges, functions: Functions, seed_state: Int32, seed_ms: Int32, end_state: Int32, end_profile: Int32,
    end_work_ms: Int32, end_cost_ms: Int32, scratch: Scratch, ways: Ways,
) -> tuple[Number, Number, int]:  # fmt: skip
    """Time-dependent search among the allowed states; labels of allowed states are left to be cleaned."""
    label, heap, size, settled = scratch.label_ms, scratch.heap, 0, 0
    for i in range(len(seed_state)):
        s = seed_state[i]
        if ways.allowed[s] and seed_ms[i] < label[s]:
            label[s] = seed_ms[i]
            scratch.parent[s] = -1 - i
            size = push(heap, size, (np.int64(seed_ms[i]) << 32) | np.int64(s))
    best: Number = np.int64(FAR)
    end = np.int64(-1)
    while size > 0 and heap[0] >> 32 < best:
        key = heap[0]
        size = pop(heap, size)
        now, s = key >> 32, key & 0xFFFFFFFF
        if now > label[s]:
            continue
        settled += 1
        for i in range(len(end_state)):
            if end_state[i] == s and end_work_ms[i] != CLOSED:
                there = arrival(now, end_work_ms[i], end_profile[i], functions.pace) + end_cost_ms[i]
                if there < best:
                    best, end = there, np.int64(i)
        last_arc: Number = np.int32(-1)
        done: Number = np.int64(0)
        for e in range(edges.first[s], edges.first[s + 1]):
            arc, to = edges.arc[e], edges.to[e]
            if ways.allowed[to] == 0 or functions.arc_work_ms[arc] == CLOSED:
                continue
            if arc != last_arc:
                done = arrival(now, functions.arc_work_ms[arc], functions.arc_profile[arc], functions.pace)
                last_arc = arc
            then = done + edges.cost_ms[e]
            if then < label[to]:
                label[to] = then
                scratch.parent[to] = e
                size = push(heap, size, (then << 32) | np.int64(to))
    return best, end, settled

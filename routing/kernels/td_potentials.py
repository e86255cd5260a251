"""A* on travel-time functions with potentials from a contraction hierarchy.

The hierarchy carries lower bounds: what every edge takes at least while a trip stays inside a *window* of slots. The distance
to the target under these bounds is the best potential there is for them; it is computed for the states the search asks for,
along the elimination tree, and remembered (*lazily*).

Bounds of a window say nothing about trips that leave it. All states on a quickest way that arrives within the window lie inside
it too, keys of states beyond are later than the window's end, and a search that has not arrived by then says `OUTLASTED`:
another window has to be tried. An answer within the window is exact.

References
----------
Strasser, Zeitz: A Fast and Tight Heuristic for A* in Road Networks. SEA 2021, doi:10.4230/LIPIcs.SEA.2021.6.
"""

from typing import NamedTuple

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.cch_query import climb
from routing.kernels.jit import kernel
from routing.kernels.street_search import pop, push
from routing.kernels.street_types import Float32, Int32, Int64, Number, UInt32
from routing.kernels.td_functions import CLOSED, ROUNDING_SLACK, Edges, Functions, arrival, departure

OUTLASTED = -2
"""Answer of a search whose trip would leave the window."""


class Tree(NamedTuple):
    """A hierarchy (see `routing.street.cch`)."""

    rank: Int32
    up_first: UInt32
    up_head: Int32
    parent: Int32


class Bounds(NamedTuple):
    """Lower bounds of a window.

    Attributes
    ----------
    weight_ms : int32[a, 2]
        Customised weights.
    pace : float32[profiles]
        Least pace in the window.
    first_ms, end_ms : int
        The window.
    """

    weight_ms: Int32
    pace: Float32
    first_ms: int
    end_ms: int


class Scratch(NamedTuple):
    """Working arrays of one thread.

    Attributes
    ----------
    label_ms : int32[s]
        All `FAR` before and after.
    parent, touched : int32[s]
    climbed_ms : int32[s]
        All `FAR` before and after.
    potential_ms : int32[s]
        All -1 before and after.
    via, path, known, stack : int32[s]
    heap : int64[e + …]
    """

    label_ms: Int32
    parent: Int32
    touched: Int32
    climbed_ms: Int32
    potential_ms: Int32
    via: Int32
    path: Int32
    known: Int32
    stack: Int32
    heap: Int64


@kernel
def potential(v: Number, known: Number, tree: Tree, weight_ms: Int32, side: int, scratch: Scratch) -> Number:
    """Make the potential of `v` (a rank) and its ancestors known; returns the number of known ones."""
    size = 0
    x = np.int64(v)
    while x >= 0 and scratch.potential_ms[x] < 0:
        scratch.stack[size] = x
        size += 1
        x = np.int64(tree.parent[x])
    for i in range(size - 1, -1, -1):
        y = np.uint64(scratch.stack[i])
        best = scratch.climbed_ms[y]
        for a in range(np.uint64(tree.up_first[y]), np.uint64(tree.up_first[y + np.uint64(1)])):
            best = min(best, np.int32(weight_ms[a, side] + scratch.potential_ms[np.uint64(tree.up_head[a])]))
        scratch.potential_ms[y] = min(best, np.int32(FAR))
        scratch.known[known] = y
        known += 1
    return known


@kernel
def _bound_of_parts(profile: Int32, work_ms: Int32, cost_ms: Int32, bounds: Bounds, out_ms: Int32) -> None:
    """Least time of parts of arcs and turns, `FAR` where closed."""
    for i in range(len(profile)):
        out_ms[i] = FAR
        if work_ms[i] != CLOSED:
            time = np.floor(np.float64(work_ms[i]) * bounds.pace[profile[i]] + ROUNDING_SLACK) + cost_ms[i]
            if time < FAR:
                out_ms[i] = np.int32(time)


@kernel
def _clean(touched: int, known: int, climbed: int, scratch: Scratch) -> None:
    for i in range(touched):
        scratch.label_ms[scratch.touched[i]] = FAR
    for i in range(known):
        scratch.potential_ms[scratch.known[i]] = -1
    for i in range(climbed):
        scratch.climbed_ms[scratch.path[i]] = FAR


@kernel
def earliest_arrival(
    edges: Edges, functions: Functions, tree: Tree, bounds: Bounds, seed_state: Int32, seed_ms: Int32, end_state: Int32,
    end_profile: Int32, end_work_ms: Int32, end_cost_ms: Int32, scratch: Scratch,
) -> tuple[Number, Number, int]:  # fmt: skip
    """Earliest arrival from source anchors with their moments to a position.

    Parameters
    ----------
    seed_state, seed_ms : int32[k]
        `FAR` = not from there.
    end_state, end_profile, end_work_ms, end_cost_ms : int32[j]
        Target anchors: the state, and what is left to do from there.

    Returns
    -------
    arrival_ms : int
        `FAR` if there is no way, `OUTLASTED` if the trip would leave the window.
    end : int
        Row of the target anchor used; its chain of ``scratch.parent`` is the way.
    settled : int
    """
    bound_ms = np.empty(len(end_state), np.int32)
    _bound_of_parts(end_profile, end_work_ms, end_cost_ms, bounds, bound_ms)
    end_rank = tree.rank[end_state]
    climbed, _ = climb(
        tree.up_first, tree.up_head, tree.parent, bounds.weight_ms, 1, end_rank, bound_ms, scratch.climbed_ms, scratch.via,
        scratch.path,
    )  # fmt: skip
    label, ahead, heap = scratch.label_ms, scratch.potential_ms, scratch.heap
    known, touched, size, settled = 0, 0, 0, 0
    for i in range(len(seed_state)):
        s, now = seed_state[i], seed_ms[i]
        if now < label[s]:
            known = potential(tree.rank[s], known, tree, bounds.weight_ms, 0, scratch)
            if ahead[tree.rank[s]] < FAR:
                if label[s] == FAR:
                    scratch.touched[touched] = s
                    touched += 1
                label[s] = now
                scratch.parent[s] = -1 - i
                size = push(heap, size, ((np.int64(now) + ahead[tree.rank[s]]) << 32) | np.int64(s))
    best: Number = np.int64(FAR)
    end, outlasted = np.int64(-1), False
    while size > 0:
        key = heap[0]
        if key >> 32 > bounds.end_ms:
            outlasted = True
            break
        if key >> 32 >= best:
            break
        size = pop(heap, size)
        s = key & 0xFFFFFFFF
        now = np.int64(label[s])
        if key >> 32 > now + ahead[tree.rank[s]]:
            continue
        settled += 1
        for i in range(len(end_state)):
            if end_state[i] == s and bound_ms[i] < FAR:
                there = arrival(now, end_work_ms[i], end_profile[i], functions.pace) + end_cost_ms[i]
                if there < best:
                    best, end = there, np.int64(i)
        last_arc: Number = np.int32(-1)
        done: Number = np.int64(0)
        for e in range(edges.first[s], edges.first[s + 1]):
            arc, to = edges.arc[e], edges.to[e]
            if functions.arc_work_ms[arc] == CLOSED:
                continue
            if arc != last_arc:
                done = arrival(now, functions.arc_work_ms[arc], functions.arc_profile[arc], functions.pace)
                last_arc = arc
            then = done + edges.cost_ms[e]
            if then < label[to] and then < best:
                known = potential(tree.rank[to], known, tree, bounds.weight_ms, 0, scratch)
                key = then + ahead[tree.rank[to]]
                if ahead[tree.rank[to]] < FAR and key < best:
                    if label[to] == FAR:
                        scratch.touched[touched] = to
                        touched += 1
                    label[to] = then
                    scratch.parent[to] = e
                    size = push(heap, size, (key << 32) | np.int64(to))
    _clean(touched, known, climbed, scratch)
    if outlasted or FAR > best > bounds.end_ms:
        return np.int64(OUTLASTED), np.int64(-1), settled
    return best, end, settled


@kernel
def latest_departure(
    edges: Edges, functions: Functions, tree: Tree, bounds: Bounds, deadline_ms: Number, end_state: Int32, end_ms: Int32,
    seed_state: Int32, seed_profile: Int32, seed_work_ms: Int32, seed_cost_ms: Int32, scratch: Scratch,
) -> tuple[Number, Number, int]:  # fmt: skip
    """Latest departure from a position to be at target anchors by their moments.

    Parameters
    ----------
    deadline_ms : int
        Labels are leads before it.
    end_state, end_ms : int32[j]
        Latest moment at the target anchors, -1 = not there.
    seed_state, seed_profile, seed_work_ms, seed_cost_ms : int32[k]
        Source anchors: what is to be done before the state.

    Returns
    -------
    departure_ms : int
        -1 if there is none within the functions, `OUTLASTED` if the trip would begin before the window.
    seed : int
        Row of the source anchor used; its chain of ``scratch.parent`` is the way.
    settled : int
    """
    bound_ms = np.empty(len(seed_state), np.int32)
    _bound_of_parts(seed_profile, seed_work_ms, seed_cost_ms, bounds, bound_ms)
    seed_rank = tree.rank[seed_state]
    climbed, _ = climb(
        tree.up_first, tree.up_head, tree.parent, bounds.weight_ms, 0, seed_rank, bound_ms, scratch.climbed_ms, scratch.via,
        scratch.path,
    )  # fmt: skip
    label, ahead, heap = scratch.label_ms, scratch.potential_ms, scratch.heap
    known, touched, size, settled = 0, 0, 0, 0
    longest = deadline_ms - bounds.first_ms
    for i in range(len(end_state)):
        s = end_state[i]
        lead = deadline_ms - np.int64(end_ms[i])
        if end_ms[i] >= 0 and lead < label[s]:
            known = potential(tree.rank[s], known, tree, bounds.weight_ms, 1, scratch)
            if ahead[tree.rank[s]] < FAR:
                if label[s] == FAR:
                    scratch.touched[touched] = s
                    touched += 1
                label[s] = lead
                scratch.parent[s] = -1 - i
                size = push(heap, size, ((lead + ahead[tree.rank[s]]) << 32) | np.int64(s))
    best: Number = np.int64(FAR)
    seed, outlasted = np.int64(-1), False
    while size > 0:
        key = heap[0]
        if key >> 32 > longest:
            outlasted = True
            break
        if key >> 32 >= best:
            break
        size = pop(heap, size)
        s = key & 0xFFFFFFFF
        lead = np.int64(label[s])
        if key >> 32 > lead + ahead[tree.rank[s]]:
            continue
        settled += 1
        for i in range(len(seed_state)):
            if seed_state[i] == s and bound_ms[i] < FAR:
                limit = deadline_ms - lead - seed_cost_ms[i]
                begun = departure(limit, seed_work_ms[i], seed_profile[i], functions.pace)
                if begun >= 0 and deadline_ms - begun < best:
                    best, seed = deadline_ms - begun, np.int64(i)
        for b in range(edges.back_first[s], edges.back_first[s + 1]):
            e, to = edges.back_edge[b], edges.back_to[b]
            arc = edges.arc[e]
            if functions.arc_work_ms[arc] == CLOSED:
                continue
            limit = deadline_ms - lead - edges.cost_ms[e]
            begun = departure(limit, functions.arc_work_ms[arc], functions.arc_profile[arc], functions.pace)
            then = deadline_ms - begun
            if begun >= 0 and then < label[to] and then < best:
                known = potential(tree.rank[to], known, tree, bounds.weight_ms, 1, scratch)
                key = then + ahead[tree.rank[to]]
                if ahead[tree.rank[to]] < FAR and key < best:
                    if label[to] == FAR:
                        scratch.touched[touched] = to
                        touched += 1
                    label[to] = then
                    scratch.parent[to] = e
                    size = push(heap, size, (key << 32) | np.int64(to))
    _clean(touched, known, climbed, scratch)
    if best < FAR and best <= longest:
        return deadline_ms - best, seed, settled
    if (outlasted or best < FAR) and bounds.first_ms > 0:
        return np.int64(OUTLASTED), np.int64(-1), settled
    return np.int64(-1), np.int64(-1), settled

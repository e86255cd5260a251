"""A* on travel-time functions with potentials from a contraction hierarchy.

The hierarchy carries lower bounds: what every edge takes at least while a trip stays inside a *window* of slots. The distance
to the target under these bounds is the best potential there is for them; it is computed for the states the search asks for,
along the elimination tree, and remembered (*lazily*).

Bounds of a window say nothing about trips that leave it. All states on a quickest way that arrives within the window lie inside
it too, keys of states beyond are later than the window's end, and a search that has not arrived by then says `OUTLASTED`:
another window has to be tried. An answer within the window is exact.

Potentials that are no bounds (paces above the least) make the search quicker and its answer late now and then.

References
----------
Strasser, Zeitz: A Fast and Tight Heuristic for A* in Road Networks. SEA 2021, doi:10.4230/LIPIcs.SEA.2021.6.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.cch_query import Side, climb
from routing.kernels.jit import kernel, lean
from routing.kernels.street_search import pop, push
from routing.kernels.street_types import Float32, Int32, Int64, Number
from routing.kernels.td_functions import CLOSED, ROUNDING_SLACK, Edges, Functions
from routing.kernels.td_search import extended

OUTLASTED = -2
"""Answer of a search whose trip would leave the window."""


class Tree(NamedTuple):
    """A hierarchy (see `routing.street.cch`)."""

    rank: Int32
    parent: Int32


class Bounds(NamedTuple):
    """Lower bounds of a window; or, where a way may be late, times that are nearer to what it takes.

    Attributes
    ----------
    up, down : Side
        The arcs of each direction with their customised weights: a search touches little else that is the window's own.
    pace : float32[profiles]
        What the weights were made from: for bounds the least pace in the window.
    first_ms, end_ms : int
        The window.
    """

    up: Side
    down: Side
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
    before : int32[s]
        State a state was entered from (forward searches).
    climbed_ms : int32[s]
        All `FAR` before and after.
    potential_ms : int32[s]
        All -1 before and after.
    via, path, known, stack : int32[s]
    heap : int64[e + …]
    """

    label_ms: Int32
    parent: Int32
    before: Int32
    touched: Int32
    climbed_ms: Int32
    potential_ms: Int32
    via: Int32
    path: Int32
    known: Int32
    stack: Int32
    heap: Int64


@lean
def potential(v: Number, known: Number, parent: Int32, ahead: Side, scratch: Scratch) -> Number:
    """Make the potential of `v` (a rank) and its ancestors known along the arcs `ahead`; returns the number of known ones."""
    size = 0
    x = np.int64(v)
    while x >= 0 and scratch.potential_ms[x] < 0:
        scratch.stack[size] = x
        size += 1
        x = np.int64(parent[x])
    for i in range(size - 1, -1, -1):
        y = np.uint64(scratch.stack[i])
        best = scratch.climbed_ms[y]
        for a in range(np.uint64(ahead.first[y]), np.uint64(ahead.first[y + np.uint64(1)])):
            best = min(best, np.int32(ahead.weight_ms[a, 0] + scratch.potential_ms[np.uint64(ahead.head[a])]))
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


Search = Callable[
    [Edges, Functions, Tree, Bounds, Number, Int32, Int32, Int32, Int32, Int32, Int32, Scratch], tuple[Number, Number, int]
]


def _make_search(backward: bool) -> Search:
    """Make the search of one direction: backward is from targets to the latest departure at a source."""

    @kernel
    def search(
        edges: Edges, functions: Functions, tree: Tree, bounds: Bounds, deadline_ms: Number, from_state: Int32,
        from_label: Int32, to_state: Int32, to_profile: Int32, to_work_ms: Int32, to_cost_ms: Int32, scratch: Scratch,
    ) -> tuple[Number, Number, int]:  # fmt: skip
        """Least label of a position, from anchors with their labels on; see `routing.kernels.td_search` for labels.

        Parameters
        ----------
        deadline_ms : int
            Backward labels are leads before it.
        from_state, from_label : int32[k]
            Anchors the search starts from; `FAR` = not from there.
        to_state, to_profile, to_work_ms, to_cost_ms : int32[j]
            Anchors of the position searched for: the state, and what is to be done behind (backward: before) it.

        Returns
        -------
        label : int
            `FAR` if there is no way, `OUTLASTED` if the trip would leave the window. Only with potentials that are no bounds
            `FAR` may also mean that states were reached again and again until the heap was full.
        row : int
            Anchor of the position that was used; its chain of ``scratch.parent`` is the way. If the trip would leave the
            window: the label that is to be expected.
        settled : int
        """
        ahead, behind = (bounds.down, bounds.up) if backward else (bounds.up, bounds.down)
        limit = deadline_ms - bounds.first_ms if backward else np.int64(bounds.end_ms)
        bound_ms = np.empty(len(to_state), np.int32)
        _bound_of_parts(to_profile, to_work_ms, to_cost_ms, bounds, bound_ms)
        climbed, _ = climb(
            behind.first, behind.head, tree.parent, behind.weight_ms, 0, tree.rank[to_state], bound_ms, scratch.climbed_ms,
            scratch.via, scratch.path,
        )  # fmt: skip
        label, ahead_ms, heap = scratch.label_ms, scratch.potential_ms, scratch.heap
        known, touched, size, settled = 0, 0, 0, 0
        for i in range(len(from_state)):
            s, now = from_state[i], from_label[i]
            if now < label[s]:
                known = potential(tree.rank[s], known, tree.parent, ahead, scratch)
                if ahead_ms[tree.rank[s]] < FAR:
                    if label[s] == FAR:
                        scratch.touched[touched] = s
                        touched += 1
                    label[s] = now
                    scratch.parent[s] = -1 - i
                    size = push(heap, size, ((np.int64(now) + ahead_ms[tree.rank[s]]) << 32) | np.int64(s))
        best: Number = np.int64(FAR)
        row, outlasted = np.int64(-1), np.int64(-1)
        first = edges.back_first if backward else edges.first
        while size > 0 and heap[0] >> 32 < best:
            key = heap[0]
            if key >> 32 > limit:
                outlasted = key >> 32
                break
            size = pop(heap, size)
            s = key & 0xFFFFFFFF
            if size + first[s + 1] - first[s] > len(heap):
                best, outlasted = np.int64(FAR), np.int64(-1)
                break
            now = np.int64(label[s])
            if key >> 32 > now + ahead_ms[tree.rank[s]]:
                continue
            settled += 1
            for i in range(len(to_state)):
                if to_state[i] == s and bound_ms[i] < FAR:
                    there = extended(now, to_work_ms[i], to_profile[i], to_cost_ms[i], backward, deadline_ms, functions.pace)
                    if there < best:
                        best, row = there, np.int64(i)
            last_arc: Number = np.int32(-1)
            done: Number = np.int64(0)
            for k in range(first[s], first[s + 1]):
                e = np.int64(edges.back_edge[k]) if backward else np.int64(k)
                to = edges.back_to[k] if backward else edges.to[k]
                arc = edges.arc[e]
                if functions.arc_work_ms[arc] == CLOSED:
                    continue
                if backward or arc != last_arc:
                    cost = edges.cost_ms[e] if backward else np.int32(0)
                    work, profile = functions.arc_work_ms[arc], functions.arc_profile[arc]
                    done = extended(now, work, profile, cost, backward, deadline_ms, functions.pace)
                    last_arc = arc
                then = done if backward else done + edges.cost_ms[e]
                if then < label[to] and then < best:
                    v = tree.rank[to]
                    if ahead_ms[v] < 0:
                        known = potential(v, known, tree.parent, ahead, scratch)
                    key = then + ahead_ms[v]
                    if ahead_ms[v] < FAR and key < best:
                        if label[to] == FAR:
                            scratch.touched[touched] = to
                            touched += 1
                        label[to] = then
                        scratch.parent[to], scratch.before[to] = e, s
                        size = push(heap, size, (key << 32) | np.int64(to))
        _clean(touched, known, climbed, scratch)
        if best < FAR and best <= limit:
            return best, row, settled
        if (outlasted >= 0 or best < FAR) and not (backward and bounds.first_ms == 0):
            return np.int64(OUTLASTED), max(outlasted, best if best < FAR else outlasted), settled
        return np.int64(FAR), np.int64(-1), settled

    return search


earliest_arrival = _make_search(False)
latest_departure = _make_search(True)

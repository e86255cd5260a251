"""Dijkstra's algorithm on travel-time functions: the reference for everything quicker.

With arrivals that are first in, first out a label-setting search is exact (Kaufman, Smith 1993, doi:10.1080/10248079308903779).
Forward *labels* are arrivals. Backward labels are latest departures, kept as leads ``deadline - departure``, so that both are
searches for the smallest.
"""

from collections.abc import Callable

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.jit import kernel
from routing.kernels.street_search import pop, push
from routing.kernels.street_types import Float32, Int32, Int64, Number
from routing.kernels.td_functions import CLOSED, Edges, Functions, arrival, departure

Spread = Callable[[Edges, Functions, Number, Int32, Int32, Int32, Int32, Int64], int]


@kernel
def extended(
    label: Number, work_ms: Number, profile: Number, cost_ms: Number, backward: bool, deadline_ms: Number, pace: Float32
) -> Number:
    """Label behind a piece of work and a turn (backward: before them); `FAR` and more = none."""
    if not backward:
        return arrival(label, work_ms, profile, pace) + cost_ms
    begun = departure(deadline_ms - label - cost_ms, work_ms, profile, pace)
    return deadline_ms - begun if begun >= 0 else np.int64(FAR)


@kernel
def anchor_labels(
    backward: bool, moment_ms: Number, profile: Int32, work_ms: Int32, cost_ms: Int32, functions: Functions, label_ms: Int32
) -> None:
    """Labels at anchors (int32[k], `FAR` = none): part of an arc and a turn from `moment_ms` on, or (backward) before it."""
    start = np.int64(0) if backward else np.int64(moment_ms)
    for i in range(len(profile)):
        label_ms[i] = FAR
        if work_ms[i] != CLOSED:
            then = extended(start, work_ms[i], profile[i], cost_ms[i], backward, moment_ms, functions.pace)
            if then < FAR:
                label_ms[i] = then


def _make_spread(backward: bool) -> Spread:
    """Make the search of one direction: known when compiled, so that the other's code is not in it."""

    @kernel
    def spread(
        edges: Edges, functions: Functions, deadline_ms: Number, from_state: Int32, from_label: Int32,
        label_ms: Int32, parent: Int32, heap: Int64,
    ) -> int:  # fmt: skip
        """Least label of every state.

        Parameters
        ----------
        deadline_ms : int
            Of backward labels; any number forward.
        from_state, from_label : int32[k]
            Where the search starts; `FAR` = not from there.
        label_ms : int32[s]
            Out: `FAR` where no way leads.
        parent : int32[s]
            Out: edge a state was entered by (backward: is left by); ``-1 - i`` for anchor `i`.
        heap : int64[>= e + k]
            Scratch.

        Returns
        -------
        int
            States settled.
        """
        label_ms[:] = FAR
        size = 0
        for i in range(len(from_state)):
            s = from_state[i]
            if from_label[i] < label_ms[s]:
                label_ms[s] = from_label[i]
                parent[s] = -1 - i
                size = push(heap, size, (np.int64(from_label[i]) << 32) | np.int64(s))
        settled = 0
        first = edges.back_first if backward else edges.first
        while size > 0:
            key = heap[0]
            size = pop(heap, size)
            now, s = key >> 32, key & 0xFFFFFFFF
            if now > label_ms[s]:
                continue
            settled += 1
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
                if then < label_ms[to]:
                    label_ms[to] = then
                    parent[to] = e
                    size = push(heap, size, (then << 32) | np.int64(to))
        return settled

    return spread


earliest = _make_spread(False)
latest = _make_spread(True)


@kernel
def trace(state: Number, parent: Int32, before: Int32) -> tuple[Int32, int]:
    """Edges (int32[…]) that led to `state` in order of travel, and the seed they began at; `before`: states entered from."""
    count, s = 0, np.int64(state)
    while parent[s] >= 0:
        s = np.int64(before[s])
        count += 1
    seed = -1 - parent[s]
    edges = np.empty(count, np.int32)
    s = np.int64(state)
    for i in range(count - 1, -1, -1):
        edges[i] = parent[s]
        s = np.int64(before[s])
    return edges, seed

"""Dijkstra's algorithm on travel-time functions: the reference for everything quicker.

With arrivals that are first in, first out a label-setting search is exact (Kaufman, Smith 1993, doi:10.1080/10248079308903779).
Forward labels are arrivals. Backward labels are latest departures, kept as *leads* ``deadline - departure`` so that the search
is again one for the smallest.
"""

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.jit import kernel
from routing.kernels.street_search import pop, push
from routing.kernels.street_types import Int32, Int64, Number
from routing.kernels.td_functions import CLOSED, Edges, Functions, arrival, departure


@kernel
def depart_from(
    depart_ms: Number, profile: Int32, work_ms: Int32, cost_ms: Int32, functions: Functions, seed_ms: Int32
) -> None:
    """Arrivals at source anchors (`seed_ms` int32[k], `FAR` = none): part of an arc, then a turn."""
    for i in range(len(profile)):
        seed_ms[i] = FAR
        if work_ms[i] != CLOSED:
            then = arrival(depart_ms, work_ms[i], profile[i], functions.pace) + cost_ms[i]
            if then < FAR:
                seed_ms[i] = then


@kernel
def arrive_at(deadline_ms: Number, profile: Int32, work_ms: Int32, cost_ms: Int32, functions: Functions, end_ms: Int32) -> None:
    """Latest moments at target anchors (`end_ms` int32[k], -1 = none) to be at the position by `deadline_ms`."""
    for i in range(len(profile)):
        end_ms[i] = -1
        if work_ms[i] != CLOSED:
            end_ms[i] = departure(deadline_ms - cost_ms[i], work_ms[i], profile[i], functions.pace)


@kernel
def earliest(
    edges: Edges, functions: Functions, seed_state: Int32, seed_ms: Int32, time_ms: Int32, parent: Int32, heap: Int64
) -> int:
    """Earliest arrival at every state.

    Parameters
    ----------
    seed_state, seed_ms : int32[k]
        Where the search starts and when; `FAR` = not from there.
    time_ms : int32[s]
        Out: `FAR` where no way leads.
    parent : int32[s]
        Out: edge a state was entered by; ``-1 - i`` for seed `i`.
    heap : int64[>= e + k]
        Scratch.

    Returns
    -------
    int
        States settled.
    """
    time_ms[:] = FAR
    size = 0
    for i in range(len(seed_state)):
        s = seed_state[i]
        if seed_ms[i] < time_ms[s]:
            time_ms[s] = seed_ms[i]
            parent[s] = -1 - i
            size = push(heap, size, (np.int64(seed_ms[i]) << 32) | np.int64(s))
    settled = 0
    while size > 0:
        key = heap[0]
        size = pop(heap, size)
        now, s = key >> 32, key & 0xFFFFFFFF
        if now > time_ms[s]:
            continue
        settled += 1
        last_arc: Number = np.int32(-1)
        done: Number = np.int64(0)
        for e in range(edges.first[s], edges.first[s + 1]):
            arc = edges.arc[e]
            if functions.arc_work_ms[arc] == CLOSED:
                continue
            if arc != last_arc:
                done = arrival(now, functions.arc_work_ms[arc], functions.arc_profile[arc], functions.pace)
                last_arc = arc
            then, to = done + edges.cost_ms[e], edges.to[e]
            if then < time_ms[to]:
                time_ms[to] = then
                parent[to] = e
                size = push(heap, size, (then << 32) | np.int64(to))
    return settled


@kernel
def latest(
    edges: Edges, functions: Functions, deadline_ms: Number, end_state: Int32, end_ms: Int32, lead_ms: Int32, parent: Int32,
    heap: Int64,
) -> int:  # fmt: skip
    """Latest departure from every state from which a target anchor is reached in time, as a lead before the deadline.

    Parameters
    ----------
    end_state, end_ms : int32[k]
        Target anchors and the latest moment there; -1 = not there.
    lead_ms : int32[s]
        Out: `FAR` where no way leads.
    parent : int32[s]
        Out: the edge a state is left by; ``-1 - i`` for anchor `i`.
    heap : int64[>= e + k]
        Scratch.

    Returns
    -------
    int
        States settled.
    """
    lead_ms[:] = FAR
    size = 0
    for i in range(len(end_state)):
        s = end_state[i]
        if end_ms[i] >= 0 and deadline_ms - end_ms[i] < lead_ms[s]:
            lead_ms[s] = deadline_ms - end_ms[i]
            parent[s] = -1 - i
            size = push(heap, size, (np.int64(lead_ms[s]) << 32) | np.int64(s))
    settled = 0
    while size > 0:
        key = heap[0]
        size = pop(heap, size)
        lead, s = key >> 32, key & 0xFFFFFFFF
        if lead > lead_ms[s]:
            continue
        settled += 1
        for b in range(edges.back_first[s], edges.back_first[s + 1]):
            e, to = edges.back_edge[b], edges.back_to[b]
            arc = edges.arc[e]
            if functions.arc_work_ms[arc] == CLOSED:
                continue
            limit = deadline_ms - lead - edges.cost_ms[e]
            begun = departure(limit, functions.arc_work_ms[arc], functions.arc_profile[arc], functions.pace)
            if begun >= 0 and deadline_ms - begun < lead_ms[to]:
                lead_ms[to] = deadline_ms - begun
                parent[to] = e
                size = push(heap, size, (np.int64(deadline_ms - begun) << 32) | np.int64(to))
    return settled


@kernel
def trace(state: Number, parent: Int32, first_edge: Int32) -> tuple[Int32, int]:
    """Edges (int32[…]) that led to `state`, in order of travel, and the seed they began at."""
    count, s = 0, np.int64(state)
    while parent[s] >= 0:
        s = _tail(parent[s], first_edge)
        count += 1
    seed = -1 - parent[s]
    edges = np.empty(count, np.int32)
    s = np.int64(state)
    for i in range(count - 1, -1, -1):
        edges[i] = parent[s]
        s = _tail(parent[s], first_edge)
    return edges, seed


@kernel
def _tail(edge: Number, first_edge: Int32) -> Number:
    """State an edge leaves: the last one whose edges begin at `edge` or before."""
    low, high = 0, len(first_edge) - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if first_edge[middle] <= edge:
            low = middle
        else:
            high = middle - 1
    return low

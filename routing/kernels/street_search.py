"""Dijkstra on a weighted state graph in CSR form (Dijkstra 1959), with an implicit 4-ary heap and lazy deletion.

States are arcs being entered (edge-based networks: turn costs and restrictions live on the edges) or nodes (walking).
Times are int32 milliseconds; `INFINITE` marks closed edges and states never reached, so trips beyond 24.8 days do not exist.
A heap key is ``time << 32 | state``: ties are broken by state, which makes every answer deterministic.
"""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_types import Int32, Int64, Number, UInt8

INFINITE = 2_147_483_647
"""Time (int32) of what is closed or not reached."""


@kernel
def push(heap: Int64, size: int, key: Number) -> int:
    """Insert `key` into ``heap[:size]`` and return the new size."""
    i = size
    while i > 0:
        up = (i - 1) >> 2
        if heap[up] <= key:
            break
        heap[i] = heap[up]
        i = up
    heap[i] = key
    return size + 1


@kernel
def pop(heap: Int64, size: int) -> int:
    """Remove the smallest key (read it at ``heap[0]`` before) from ``heap[:size]`` and return the new size."""
    size -= 1
    key = heap[size]
    i = 0
    while True:
        child = (i << 2) + 1
        if child >= size:
            break
        best, best_key = child, heap[child]
        for other in range(child + 1, min(child + 4, size)):
            if heap[other] < best_key:
                best, best_key = other, heap[other]
        if best_key >= key:
            break
        heap[i] = best_key
        i = best
    heap[i] = key
    return size


@kernel
def search(
    first_edge: Int32,
    edge_to: Int32,
    weight_ms: Int32,
    seed_state: Int32,
    seed_ms: Int32,
    limit_ms: int,
    goal: UInt8,
    goals: int,
    time_ms: Int32,
    parent: Int32,
    heap: Int64,
) -> int:
    """Settle states from the seeds until `goals` marked states are settled, or the next one lies beyond `limit_ms`.

    Parameters
    ----------
    first_edge : int32[s + 1]
    edge_to, weight_ms : int32[e]
    seed_state, seed_ms : int32[k]
        Where the search starts, and with what time.
    limit_ms : int
        States later than this keep `INFINITE`.
    goal : uint8[s]
        1 = counts towards `goals`; left as found.
    goals : int
        Number of marked states to settle; 0 = settle all.
    time_ms : int32[s]
        Out; filled here. Final for every settled state; when the search stops at its last goal, later ones are upper bounds.
    parent : int32[s]
        Out: the edge a settled state was entered by; ``-1 - i`` for seed `i`.
    heap : int64[>= e + k]
        Scratch.

    Returns
    -------
    int
        Number of states settled.
    """
    time_ms[:] = INFINITE
    size = 0
    for i in range(len(seed_state)):
        s = seed_state[i]
        if seed_ms[i] <= limit_ms and seed_ms[i] < time_ms[s]:
            time_ms[s] = seed_ms[i]
            parent[s] = -1 - i
            size = push(heap, size, (np.int64(seed_ms[i]) << 32) | np.int64(s))
    settled = 0
    left = goals
    while size > 0:
        key = heap[0]
        size = pop(heap, size)
        now = key >> 32
        s = key & 0xFFFFFFFF
        if now > time_ms[s]:
            continue
        settled += 1
        if goal[s] == 1:
            left -= 1
            if left == 0:
                break
        for e in range(first_edge[s], first_edge[s + 1]):
            w = weight_ms[e]
            if w == INFINITE:
                continue
            then = now + w
            to = edge_to[e]
            if then < time_ms[to] and then <= limit_ms:
                time_ms[to] = then
                parent[to] = e
                size = push(heap, size, (then << 32) | np.int64(to))
    return settled


@kernel
def _settle_one(
    first_edge: Int32,
    edge_to: Int32,
    weight_ms: Int32,
    time_ms: Int32,
    parent: Int32,
    heap: Int64,
    size: int,
    other_ms: Int32,
    best: Number,
    meeting: Number,
) -> tuple[int, Number, Number]:
    """Settle the first state of one side's heap; return its new size and the best way and meeting state known now."""
    key = heap[0]
    size = pop(heap, size)
    now = key >> 32
    s = key & 0xFFFFFFFF
    if now > time_ms[s]:
        return size, best, meeting
    for e in range(first_edge[s], first_edge[s + 1]):
        to = edge_to[e]
        then = now + weight_ms[e]
        if weight_ms[e] != INFINITE and then < time_ms[to]:
            time_ms[to] = then
            parent[to] = e
            size = push(heap, size, (then << 32) | np.int64(to))
            if other_ms[to] != INFINITE and then + other_ms[to] < best:
                best = then + other_ms[to]
                meeting = np.int64(to)
    return size, best, meeting


@kernel
def search_pair(
    first_edge: Int32,
    edge_to: Int32,
    weight_ms: Int32,
    seed_state: Int32,
    seed_ms: Int32,
    back_first: Int32,
    back_to: Int32,
    back_weight_ms: Int32,
    end_state: Int32,
    end_ms: Int32,
    time_ms: Int32,
    parent: Int32,
    heap: Int64,
    back_time_ms: Int32,
    back_parent: Int32,
    back_heap: Int64,
) -> tuple[Number, Number]:
    """Quickest way from any seed to any end, searching from both sides until the two fronts cannot improve it.

    Arguments as in `search`; ``back_*`` are the reversed edges, `end_ms` the time still needed after entering `end_state`.

    Returns
    -------
    best_ms : int
        `INFINITE` if there is no way.
    meeting : int
        The state both searches share on the best way; its two parent chains are the way.
    """
    time_ms[:] = INFINITE
    back_time_ms[:] = INFINITE
    size = 0
    for i in range(len(seed_state)):
        s = seed_state[i]
        if seed_ms[i] < time_ms[s]:
            time_ms[s] = seed_ms[i]
            parent[s] = -1 - i
            size = push(heap, size, (np.int64(seed_ms[i]) << 32) | np.int64(s))
    back_size = 0
    best = np.int64(INFINITE)
    meeting = np.int64(-1)
    for i in range(len(end_state)):
        s = end_state[i]
        if end_ms[i] < back_time_ms[s]:
            back_time_ms[s] = end_ms[i]
            back_parent[s] = -1 - i
            back_size = push(back_heap, back_size, (np.int64(end_ms[i]) << 32) | np.int64(s))
            if time_ms[s] != INFINITE and np.int64(time_ms[s]) + end_ms[i] < best:
                best = np.int64(time_ms[s]) + end_ms[i]
                meeting = np.int64(s)
    while size > 0 and back_size > 0 and (heap[0] >> 32) + (back_heap[0] >> 32) < best:
        if heap[0] >> 32 <= back_heap[0] >> 32:
            size, best, meeting = _settle_one(
                first_edge, edge_to, weight_ms, time_ms, parent, heap, size, back_time_ms, best, meeting
            )
        else:
            back_size, best, meeting = _settle_one(
                back_first, back_to, back_weight_ms, back_time_ms, back_parent, back_heap, back_size, time_ms, best, meeting
            )
    return best, meeting

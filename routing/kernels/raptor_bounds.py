"""Least time from every stop to the destination if every vehicle came at once: what cannot be beaten need not be tried."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.raptor_types import NEVER, Int32, Lines, Walks

FAR = NEVER // 2
"""Bound of stops from which the destination cannot be reached; two of them still fit in int32."""


@kernel
def list_hops(lines: Lines) -> tuple[Int32, Int32, Int32]:
    """Fastest ride between neighbouring stops of any line, by the stop it ends at: `first` int32[s + 1], `origin`, `seconds`."""
    stops = len(lines.first_stop_line) - 1
    first = np.zeros(stops + 1, np.int32)
    origin, seconds = np.empty(len(lines.position_stop), np.int32), np.empty(len(lines.position_stop), np.int32)
    best = np.full(stops, NEVER, np.int32)
    touched = np.empty(stops, np.int32)
    total = 0
    for stop in range(stops):
        count = 0
        for x in range(lines.first_stop_line[stop], lines.first_stop_line[stop + 1]):
            line, position = lines.stop_line[x], lines.stop_position[x]
            if position == 0:
                continue
            before = lines.position_stop[lines.first_position[line] + position - 1]
            n = lines.first_position[line + 1] - lines.first_position[line]
            fastest = NEVER
            for j in range(lines.first_instance[line + 1] - lines.first_instance[line]):
                row = 2 * (lines.first_time[line] + j * n + position)
                fastest = min(fastest, lines.times[row] - lines.times[row - 1])
            if best[before] == NEVER:
                touched[count] = before
                count += 1
            best[before] = min(best[before], fastest)
        for i in range(count):
            origin[total] = touched[i]
            seconds[total] = best[touched[i]]
            best[touched[i]] = NEVER
            total += 1
        first[stop + 1] = total
    return first, origin[:total].copy(), seconds[:total].copy()


@kernel
def bound_times(hops: Walks, walks_back: Walks, egress_s: Int32) -> Int32:
    """Lower bound of the seconds from arriving at each stop to the destination (Dijkstra backwards over hops and footpaths).

    `hops.to` and `walks_back.to` are where one comes *from*.
    """
    stops = len(egress_s)
    bound = np.full(stops, FAR, np.int32)
    heap = np.empty(stops, np.int32)
    place = np.full(stops, -1, np.int32)
    size = 0
    for stop in range(stops):
        if egress_s[stop] >= 0:
            bound[stop] = egress_s[stop]
            size = _push(heap, place, bound, size, stop)
    while size > 0:
        stop = heap[0]
        size = _pop(heap, place, bound, size)
        for x in range(hops.first[stop], hops.first[stop + 1]):
            size = _lower(heap, place, bound, size, hops.to[x], bound[stop] + hops.seconds[x])
        for x in range(walks_back.first[stop], walks_back.first[stop + 1]):
            size = _lower(heap, place, bound, size, walks_back.to[x], bound[stop] + walks_back.seconds[x])
    return bound


@kernel
def _lower(heap: Int32, place: Int32, bound: Int32, size: int, stop: int, value: int) -> int:
    if value >= bound[stop]:
        return size
    bound[stop] = value
    return _push(heap, place, bound, size, stop)


@kernel
def _push(heap: Int32, place: Int32, bound: Int32, size: int, stop: int) -> int:
    """Add a stop to the heap, or move it up after its bound was lowered."""
    i = place[stop]
    if i < 0:
        i = size
        size += 1
    while i > 0:
        parent = (i - 1) >> 1
        if bound[heap[parent]] <= bound[stop]:
            break
        heap[i] = heap[parent]
        place[heap[i]] = i
        i = parent
    heap[i] = stop
    place[stop] = i
    return size


@kernel
def _pop(heap: Int32, place: Int32, bound: Int32, size: int) -> int:
    """Take the nearest stop off the heap."""
    place[heap[0]] = -1
    size -= 1
    if size == 0:
        return 0
    stop = heap[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and bound[heap[child + 1]] < bound[heap[child]]:
            child += 1
        if bound[heap[child]] >= bound[stop]:
            break
        heap[i] = heap[child]
        place[heap[i]] = i
        i = child
    heap[i] = stop
    place[stop] = i
    return size

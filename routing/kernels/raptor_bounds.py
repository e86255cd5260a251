"""Least time from every stop to the destination if every vehicle came at once: what cannot be beaten need not be tried."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.raptor_types import NEVER, Int32, Lines, Walks

FAR = NEVER // 2
"""Bound of stops from which the destination cannot be reached; two of them still fit in int32."""


@kernel
def list_hops(lines: Lines) -> tuple[Int32, Int32, Int32]:
    """Fastest ride between neighbouring stops of any line, by the stop it ends at: columns of `Walks`."""
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

    `hops.to` and `walks_back.to` are where one comes *from*. The heap holds ``bound << 32 | stop`` and keeps outdated entries;
    it is written out here because a call for each push costs more than the push.
    """
    stops = len(egress_s)
    bound = np.full(stops, FAR, np.int32)
    heap = np.empty(stops + len(hops.to) + len(walks_back.to), np.int64)
    size = 0
    for stop in range(stops):
        if egress_s[stop] >= 0:
            bound[stop] = egress_s[stop]
            heap[size] = np.int64(egress_s[stop]) << 32 | stop
            size += 1
    heap[:size].sort()
    hop_first, hop_to, hop_s = hops.first, hops.to, hops.seconds
    walk_first, walk_to, walk_s = walks_back.first, walks_back.to, walks_back.seconds
    while size > 0:
        top = heap[0]
        size -= 1
        moved, i = heap[size], 0
        while True:
            child = 2 * i + 1
            if child >= size:
                break
            if child + 1 < size and heap[child + 1] < heap[child]:
                child += 1
            if heap[child] >= moved:
                break
            heap[i] = heap[child]
            i = child
        heap[i] = moved
        stop, value = top & 0xFFFFFFFF, top >> 32
        if value > bound[stop]:
            continue
        hop_count = hop_first[stop + 1] - hop_first[stop]
        for x in range(hop_count + walk_first[stop + 1] - walk_first[stop]):
            if x < hop_count:
                origin, seconds = hop_to[hop_first[stop] + x], hop_s[hop_first[stop] + x]
            else:
                y = walk_first[stop] + x - hop_count
                origin, seconds = walk_to[y], walk_s[y]
            if value + seconds >= bound[origin]:
                continue
            bound[origin] = value + seconds
            entry = (value + seconds) << 32 | origin
            i = size
            size += 1
            while i > 0 and heap[(i - 1) >> 1] > entry:
                heap[i] = heap[(i - 1) >> 1]
                i = (i - 1) >> 1
            heap[i] = entry
    return bound

"""Lay the trips of a window of time out as lines on which no trip overtakes another."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.raptor_types import Int32, Int64, Lines, UInt8


@kernel
def select_instances(
    first_pattern_trip: Int32,
    trip_service: Int32,
    first_stop_time: Int64,
    arrival_s: Int32,
    departure_s: Int32,
    service_days: UInt8,
    pattern_day_start: Int32,
    first_day: int,
    begin: int,
    end: int,
) -> Int32:
    """Trips under way in [begin, end], by pattern: rows (trip, day, time of the day's start), shape int32[i, 3].

    `pattern_day_start[p, d]` is the start of day ``first_day + d`` for pattern p in window time.
    """
    days = pattern_day_start.shape[1]
    total = 0
    rows = np.empty((0, 3), np.int32)
    for fill in range(2):
        if fill:
            rows = np.empty((total, 3), np.int32)
            total = 0
        for pattern in range(len(first_pattern_trip) - 1):
            for d in range(days):
                day = first_day + d
                start = pattern_day_start[pattern, d]
                for trip in range(first_pattern_trip[pattern], first_pattern_trip[pattern + 1]):
                    if service_days[trip_service[trip], day >> 3] >> (day & 7) & 1 == 0:
                        continue
                    late = start + departure_s[first_stop_time[trip]] > end
                    if late or start + arrival_s[first_stop_time[trip + 1] - 1] < begin:
                        continue
                    if fill:
                        rows[total, 0] = trip
                        rows[total, 1] = day
                        rows[total, 2] = start
                    total += 1
    return rows


@kernel
def gather_times(
    rows: Int32, first_stop_time: Int64, arrival_s: Int32, departure_s: Int32, first: Int64
) -> tuple[Int32, Int32]:
    """Times of the instances `rows` in window time; those of row i begin at ``first[i]``."""
    arrival, departure = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32)
    for i in range(len(rows)):
        source = first_stop_time[rows[i, 0]]
        for x in range(first[i + 1] - first[i]):
            arrival[first[i] + x] = arrival_s[source + x] + rows[i, 2]
            departure[first[i] + x] = departure_s[source + x] + rows[i, 2]
    return arrival, departure


@kernel
def split_lines(group: Int32, first: Int64, arrival: Int32, departure: Int32) -> tuple[Int64, Int32, Int32]:
    """Split the instances of each group into lines without overtaking (greedy: the first line that takes the instance).

    `group` is sorted. Returns the instances ordered by group and time, the line of each, and the group of each line.
    Takes one comparison of times for each pair of instance and line of its group.
    """
    n = len(group)
    order = np.arange(n)
    line = np.empty(n, np.int32)
    line_group = np.empty(n, np.int32)
    last_of_line = np.empty(n, np.int64)
    lines = 0
    begin = 0
    while begin < n:
        end = begin
        while end < n and group[end] == group[begin]:
            end += 1
        keys = np.empty(end - begin, np.int64)
        for i in range(begin, end):
            keys[i - begin] = (np.int64(departure[first[i]]) << 32) + arrival[first[i + 1] - 1]
        order[begin:end] = begin + np.argsort(keys, kind="mergesort")
        group_lines = lines
        for x in range(begin, end):
            i = order[x]
            chosen = -1
            for candidate in range(group_lines, lines):
                if _follows(first, arrival, departure, last_of_line[candidate], i):
                    chosen = candidate
                    break
            if chosen < 0:
                chosen = lines
                line_group[lines] = group[begin]
                lines += 1
            line[x] = chosen
            last_of_line[chosen] = i
        begin = end
    return order, line, line_group[:lines].copy()


@kernel
def _follows(first: Int64, arrival: Int32, departure: Int32, before: int, after: int) -> bool:
    """Whether instance `after` is nowhere earlier than instance `before`."""
    a, b = first[before], first[after]
    for x in range(first[after + 1] - b):
        if arrival[b + x] < arrival[a + x] or departure[b + x] < departure[a + x]:
            return False
    return True


@kernel
def fill_times(
    first: Int64, arrival: Int32, departure: Int32, instances: Int64, first_instance: Int32, first_position: Int32
) -> tuple[Int64, Int32, Int32]:
    """Make `first_time`, `departures` and `times` of `Lines`; `instances` are in order of line and time."""
    lines = len(first_instance) - 1
    first_time = np.empty(lines, np.int64)
    total = 0
    for line in range(lines):
        first_time[line] = total
        total += np.int64(first_instance[line + 1] - first_instance[line]) * (first_position[line + 1] - first_position[line])
    departures, times = np.empty(total, np.int32), np.empty(2 * total, np.int32)
    for line in range(lines):
        n = first_position[line + 1] - first_position[line]
        m = first_instance[line + 1] - first_instance[line]
        begin = first_time[line]
        for j in range(m):
            source = first[instances[first_instance[line] + j]]
            for position in range(n):
                departures[begin + position * m + j] = departure[source + position]
                times[2 * (begin + j * n + position)] = arrival[source + position]
                times[2 * (begin + j * n + position) + 1] = departure[source + position]
    return first_time, departures, times


@kernel
def index_stops(first_position: Int32, position_stop: Int32, first_instance: Int32, stops: int) -> tuple[Int32, Int32, Int32]:
    """Make `first_stop_line`, `stop_line` and `stop_position` of `Lines`; lines without trips are left out."""
    first = np.zeros(stops + 1, np.int32)
    for line in range(len(first_position) - 1):
        if first_instance[line + 1] > first_instance[line]:
            for x in range(first_position[line], first_position[line + 1]):
                first[position_stop[x] + 1] += 1
    for stop in range(stops):
        first[stop + 1] += first[stop]
    fill = first[:-1].copy()
    stop_line, stop_position = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32)
    for line in range(len(first_position) - 1):
        if first_instance[line + 1] > first_instance[line]:
            for x in range(first_position[line], first_position[line + 1]):
                stop = position_stop[x]
                stop_line[fill[stop]] = line
                stop_position[fill[stop]] = x - first_position[line]
                fill[stop] += 1
    return first, stop_line, stop_position


@kernel
def mirror_times(lines: Lines) -> tuple[Int32, UInt8, Int64, Int32, Int32]:
    """Turn time and direction round: stops reversed, getting on and off swapped, the last trip first, times negated.

    Returns `position_stop`, `position_use`, the instance each instance of the mirrored lines stands for, `departures`, `times`.
    """
    position_stop, position_use = np.empty_like(lines.position_stop), np.empty_like(lines.position_use)
    instances = np.empty(lines.first_instance[-1], np.int64)
    departures, times = np.empty_like(lines.departures), np.empty_like(lines.times)
    for line in range(len(lines.first_time)):
        first, n = lines.first_position[line], lines.first_position[line + 1] - lines.first_position[line]
        base, m = lines.first_instance[line], lines.first_instance[line + 1] - lines.first_instance[line]
        begin = lines.first_time[line]
        for p in range(n):
            use = lines.position_use[first + n - 1 - p]
            position_stop[first + p] = lines.position_stop[first + n - 1 - p]
            position_use[first + p] = (use & 1) << 1 | use >> 1
        for j in range(m):
            instances[base + j] = base + m - 1 - j
            for p in range(n):
                source = 2 * (begin + (m - 1 - j) * n + (n - 1 - p))
                target = 2 * (begin + j * n + p)
                times[target] = -lines.times[source + 1]
                times[target + 1] = -lines.times[source]
                departures[begin + p * m + j] = -lines.times[source]
    return position_stop, position_use, instances, departures, times

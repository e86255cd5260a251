"""RAPTOR and range RAPTOR on lines of trips.

Rounds: after round k every stop knows the earliest arrival with at most k trips. A range of departures is searched from the
latest to the earliest, keeping the labels: what a later departure reached as early need not be looked at again.

References
----------
Delling, Pajor, Werneck (2012): Round-Based Public Transit Routing, ALENEX, https://doi.org/10.1137/1.9781611972924.13
"""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.raptor_types import ALIGHT, BOARD, NEVER, Found, Int32, Labels, Lines, Query, UInt8, Walks


@kernel
def reset(labels: Labels, best: int) -> None:
    """Forget everything; no arrival later than or at `best` is wanted."""
    labels.arrival[:] = NEVER
    labels.ready[:] = NEVER
    labels.best[:] = best
    labels.best_new[:] = 0
    labels.is_ready_new[:] = 0
    labels.is_arrival_new[:] = 0
    labels.line_place[:] = -1


@kernel
def _first_trip(departures: Int32, begin: int, count: int, time: int) -> int:
    """Smallest j < `count` with ``departures[begin + j] >= time``, else `count`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if departures[begin + middle] < time:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def scan_lines(lines: Lines, query: Query, labels: Labels, k: int, begin: int, end: int, queue: Int32) -> int:
    """Ride the lines ``queue[begin:end]`` in round `k`, catching earlier trips where the round before makes it possible.

    Rows of `queue` are (…, line, first position, trip caught there or -1 to look for it). Returns the number of stops flagged
    in `arrival_list`. Arrays are taken out of their bundles first: reading a bundle in an inner loop costs reference counts.
    """
    first_position, first_instance, first_time = lines.first_position, lines.first_instance, lines.first_time
    position_stop, position_use = lines.position_stop, lines.position_use
    departures, times = lines.departures, lines.times
    stop_allowed, bound_s, egress_s = query.stop_allowed, query.bound_s, query.egress_s
    arrivals, arrival, ready = labels.arrival, labels.arrival[k], labels.ready[k - 1]
    from_instance, from_positions = labels.from_instance[k], labels.from_positions[k]
    best, best_stop, best_new = labels.best, labels.best_stop, labels.best_new
    is_ready_new, is_arrival_new, arrival_list = labels.is_ready_new, labels.is_arrival_new, labels.arrival_list
    rounds = len(best)
    after = min(k + 1, rounds - 1)
    new = 0
    for i in range(begin, end):
        line, boarded = queue[i, 1], queue[i, 2]
        first = first_position[line]
        n = first_position[line + 1] - first
        base = first_instance[line]
        m = first_instance[line + 1] - base
        start = first_time[line]
        j = queue[i, 3] if queue[i, 3] >= 0 else m
        row = 2 * (start + j * n)
        for position in range(boarded, n):
            stop = position_stop[first + position]
            use = position_use[first + position]
            if stop_allowed[stop] == 0:
                continue
            if j < m and use & ALIGHT and position > boarded:
                time = times[row + 2 * position]
                egress = egress_s[stop]
                # Who cannot end here needs another trip, and has to be better than what is known with one more.
                if time < arrival[stop] and time + bound_s[stop] < best[k if egress >= 0 else after]:
                    for later in range(k, rounds):
                        if arrivals[later, stop] <= time:
                            break
                        arrivals[later, stop] = time
                    from_instance[stop] = base + j
                    from_positions[stop] = boarded << 16 | position
                    if is_arrival_new[stop] == 0:
                        is_arrival_new[stop] = 1
                        arrival_list[new] = stop
                        new += 1
                    if egress >= 0 and time + egress < best[k]:
                        best_new[k] = 1
                        best_stop[k] = stop
                        for later in range(k, rounds):
                            if best[later] <= time + egress:
                                break
                            best[later] = time + egress
            if use & BOARD and is_ready_new[stop] != 0:
                time = ready[stop]
                if j == m or time <= times[row + 2 * position + 1]:
                    earlier = _first_trip(departures, start + position * m, j, time)
                    if earlier < j:
                        j = earlier
                        boarded = position
                        row = 2 * (start + j * n)
    return new


@kernel
def _queue_lines(lines: Lines, query: Query, labels: Labels, count: int) -> int:
    """Queue the lines through the `count` stops of `ready_list`; returns their number."""
    first_stop_line, stop_line, stop_position = lines.first_stop_line, lines.stop_line, lines.stop_position
    line_allowed, line_place, queue, ready_list = query.line_allowed, labels.line_place, labels.queue, labels.ready_list
    queued = 0
    for i in range(count):
        stop = ready_list[i]
        for x in range(first_stop_line[stop], first_stop_line[stop + 1]):
            line, position = stop_line[x], stop_position[x]
            if line_allowed[line] == 0:
                continue
            place = line_place[line]
            if place < 0:
                line_place[line] = queued
                queue[queued, 1] = line
                queue[queued, 2] = position
                queue[queued, 3] = -1
                queued += 1
            elif position < queue[place, 2]:
                queue[place, 2] = position
    for i in range(queued):
        line_place[queue[i, 1]] = -1
    return queued


@kernel
def _walk(walks: Walks, query: Query, labels: Labels, k: int, new: int) -> int:
    """From the stops newly arrived at, change at the stop or walk to others; returns how many stops became ready."""
    first, to, seconds = walks.first, walks.to, walks.seconds
    change_s, bound_s = query.change_s, query.bound_s
    arrival, readies, ready, ready_from = labels.arrival[k], labels.ready, labels.ready[k], labels.ready_from[k]
    is_arrival_new, arrival_list = labels.is_arrival_new, labels.arrival_list
    is_ready_new, ready_list = labels.is_ready_new, labels.ready_list
    limit = labels.best[k + 1]  # whoever goes on needs another trip
    count = 0
    for i in range(new):
        origin = arrival_list[i]
        is_arrival_new[origin] = 0
        for x in range(first[origin] - 1, first[origin + 1]):
            stop, walk = (origin, change_s[origin]) if x < first[origin] else (to[x], seconds[x])
            time = arrival[origin] + walk
            if time >= ready[stop] or time + bound_s[stop] >= limit:
                continue
            for later in range(k, len(readies)):
                if readies[later, stop] <= time:
                    break
                readies[later, stop] = time
            ready_from[stop] = origin
            if is_ready_new[stop] == 0:
                is_ready_new[stop] = 1
                ready_list[count] = stop
                count += 1
    return count


@kernel
def _clear(flags: UInt8, stops: Int32, count: int) -> None:
    for i in range(count):
        flags[stops[i]] = 0


@kernel
def _rounds(lines: Lines, walks: Walks, query: Query, labels: Labels, k: int, new: int) -> None:
    """Finish round `k`, whose `new` arrivals are known, and do all rounds after it."""
    last = labels.arrival.shape[0] - 1
    while k < last and new > 0:
        ready = _walk(walks, query, labels, k, new)
        k += 1
        queued = _queue_lines(lines, query, labels, ready)
        new = scan_lines(lines, query, labels, k, 0, queued, labels.queue)
        _clear(labels.is_ready_new, labels.ready_list, ready)
    _clear(labels.is_arrival_new, labels.arrival_list, new)


@kernel
def search_from(lines: Lines, walks: Walks, query: Query, labels: Labels, time: int) -> None:
    """Search once, leaving the origin at `time`."""
    count = 0
    for i in range(len(query.access_stop)):
        stop = query.access_stop[i]
        labels.ready[0, stop] = time + query.access_s[i]
        if query.stop_allowed[stop] != 0:
            labels.is_ready_new[stop] = 1
            labels.ready_list[count] = stop
            count += 1
    queued = _queue_lines(lines, query, labels, count)
    new = scan_lines(lines, query, labels, 1, 0, queued, labels.queue)
    _clear(labels.is_ready_new, labels.ready_list, count)
    _rounds(lines, walks, query, labels, 1, new)


@kernel
def collect(lines: Lines, labels: Labels, found: Found, time: int) -> None:
    """Write down the journeys by which the destination was newly reached, and clear the flags."""
    for k in range(1, labels.best.shape[0]):
        if labels.best_new[k] == 0:
            continue
        labels.best_new[k] = 0
        number, leg = found.total[0], found.total[1]
        found.total[0] += 1
        found.total[1] += k
        if number >= found.journey.shape[0] or leg + k > found.leg.shape[0]:
            continue
        stop = labels.best_stop[k]
        found.journey[number, 0] = time
        found.journey[number, 1] = labels.best[k]
        found.journey[number, 2] = k
        found.journey[number, 3] = leg
        found.journey[number, 4] = stop
        for j in range(k, 0, -1):
            instance, positions = labels.from_instance[j, stop], labels.from_positions[j, stop]
            found.leg[leg, 0] = instance
            found.leg[leg, 1] = positions >> 16
            found.leg[leg, 2] = positions & 0xFFFF
            leg += 1
            line = np.searchsorted(lines.first_instance, instance, side="right") - 1
            boarded = lines.position_stop[lines.first_position[line] + (positions >> 16)]
            stop = labels.ready_from[j - 1, boarded]


@kernel
def search_one(lines: Lines, walks: Walks, query: Query, labels: Labels, found: Found, time: int, horizon: int) -> None:
    """Journeys leaving at `time`: Pareto over arrival (before `horizon`) and transfers."""
    reset(labels, horizon)
    search_from(lines, walks, query, labels, time)
    collect(lines, labels, found, time)


@kernel
def list_departures(lines: Lines, query: Query, begin: int, end: int) -> Int32:
    """Trips to be caught by leaving the origin in [begin, end): rows (leaving time, line, position, trip), latest first."""
    total = 0
    rows = np.empty((0, 4), np.int32)
    for fill in range(2):
        if fill:
            rows = np.empty((total, 4), np.int32)
            total = 0
        for i in range(len(query.access_stop)):
            stop, access = query.access_stop[i], query.access_s[i]
            if query.stop_allowed[stop] == 0:
                continue
            for x in range(lines.first_stop_line[stop], lines.first_stop_line[stop + 1]):
                line, position = lines.stop_line[x], lines.stop_position[x]
                if query.line_allowed[line] == 0 or lines.position_use[lines.first_position[line] + position] & BOARD == 0:
                    continue
                m = lines.first_instance[line + 1] - lines.first_instance[line]
                row = lines.first_time[line] + position * m
                for j in range(_first_trip(lines.departures, row, m, begin + access), m):
                    leave = lines.departures[row + j] - access
                    if leave >= end:
                        break
                    if fill:
                        rows[total, 0] = leave
                        rows[total, 1] = line
                        rows[total, 2] = position
                        rows[total, 3] = j
                    total += 1
    return rows[np.argsort(-rows[:, 0], kind="mergesort")]


@kernel
def search_range(
    lines: Lines, walks: Walks, query: Query, labels: Labels, found: Found, begin: int, end: int, horizon: int
) -> None:
    """Journeys leaving in [begin, end): Pareto over departure, arrival and transfers.

    Journeys that one leaving at or after `end` makes pointless are left out.
    """
    reset(labels, horizon)
    search_from(lines, walks, query, labels, end)
    labels.best_new[:] = 0
    rows = list_departures(lines, query, begin, end)
    i = 0
    while i < len(rows):
        first, time = i, rows[i, 0]
        while i < len(rows) and rows[i, 0] == time:
            i += 1
        new = scan_lines(lines, query, labels, 1, first, i, rows)
        _rounds(lines, walks, query, labels, 1, new)
        collect(lines, labels, found, time)

"""RAPTOR and range RAPTOR on lines of trips.

Rounds: after round k every stop knows the earliest arrival with at most k trips. A range of departures is searched from the
latest to the earliest, keeping the labels: what a later departure reached as early need not be looked at again.

References
----------
Delling, Pajor, Werneck (2012): Round-Based Public Transit Routing, ALENEX, https://doi.org/10.1137/1.9781611972924.13
"""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.raptor_types import ALIGHT, BOARD, NEVER, Found, Int32, Labels, Lines, Query, Walks


@kernel
def reset(labels: Labels, best: int) -> None:
    """Forget everything; no arrival later than or at `best` is wanted."""
    labels.arrival[:] = NEVER
    labels.ready[:] = NEVER
    labels.best[:] = best
    labels.best_new[:] = 0
    labels.is_ready_new[:] = 0
    labels.is_arrival_new[:] = 0
    labels.line_start[:] = -1


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
def _arrive(labels: Labels, query: Query, k: int, stop: int, time: int, new: int) -> int:
    """Lower the arrival at `stop` for k trips and more; returns the number of newly flagged stops."""
    rounds = labels.arrival.shape[0]
    for j in range(k, rounds):
        if labels.arrival[j, stop] <= time:
            break
        labels.arrival[j, stop] = time
    egress = query.egress_s[stop]
    if egress >= 0 and time + egress < labels.best[k]:
        labels.best_new[k] = 1
        labels.best_stop[k] = stop
        for j in range(k, rounds):
            if labels.best[j] <= time + egress:
                break
            labels.best[j] = time + egress
    if labels.is_arrival_new[stop] == 0:
        labels.is_arrival_new[stop] = 1
        labels.arrival_list[new] = stop
        new += 1
    return new


@kernel
def scan_line(lines: Lines, query: Query, labels: Labels, k: int, line: int, start: int, trip: int, new: int) -> int:
    """Ride one line from position `start` on, catching earlier trips where the round before makes it possible.

    `trip` is the trip caught at `start`, or -1 to look for it. Returns the number of stops flagged in `arrival_list`.
    """
    first = lines.first_position[line]
    n = lines.first_position[line + 1] - first
    base = lines.first_instance[line]
    m = lines.first_instance[line + 1] - base
    begin = lines.first_time[line]
    boarded = start
    j = trip if trip >= 0 else m
    row = 2 * (begin + j * n)
    arrival, ready = labels.arrival[k], labels.ready[k - 1]
    for position in range(start, n):
        stop = lines.position_stop[first + position]
        use = lines.position_use[first + position]
        if query.stop_allowed[stop] == 0:
            continue
        if j < m and use & ALIGHT and position > boarded:
            time = lines.times[row + 2 * position]
            if time < arrival[stop] and time < labels.best[k]:
                new = _arrive(labels, query, k, stop, time, new)
                labels.from_instance[k, stop] = base + j
                labels.from_positions[k, stop] = boarded << 16 | position
        if use & BOARD and labels.is_ready_new[stop] != 0:
            time = ready[stop]
            if j == m or time <= lines.times[row + 2 * position + 1]:
                earlier = _first_trip(lines.departures, begin + position * m, j, time)
                if earlier < j:
                    j = earlier
                    boarded = position
                    row = 2 * (begin + j * n)
    return new


@kernel
def _queue_lines(lines: Lines, query: Query, labels: Labels, count: int) -> int:
    """Queue the lines through the `count` stops of `ready_list`; returns their number."""
    queued = 0
    for i in range(count):
        stop = labels.ready_list[i]
        for x in range(lines.first_stop_line[stop], lines.first_stop_line[stop + 1]):
            line, position = lines.stop_line[x], lines.stop_position[x]
            if query.line_allowed[line] == 0:
                continue
            if labels.line_start[line] < 0:
                labels.line_start[line] = position
                labels.line_list[queued] = line
                queued += 1
            elif position < labels.line_start[line]:
                labels.line_start[line] = position
    return queued


@kernel
def _walk(walks: Walks, query: Query, labels: Labels, k: int, new: int) -> int:
    """From the stops newly arrived at, change at the stop or walk to others; returns how many stops became ready."""
    count = 0
    limit = labels.best[k]
    for i in range(new):
        stop = labels.arrival_list[i]
        labels.is_arrival_new[stop] = 0
        arrival = labels.arrival[k, stop]
        count = _be_ready(labels, k, stop, stop, arrival + query.change_s[stop], limit, count)
        for x in range(walks.first[stop], walks.first[stop + 1]):
            time = arrival + walks.seconds[x]
            if time >= limit:
                break  # footpaths are sorted by duration
            count = _be_ready(labels, k, stop, walks.to[x], time, limit, count)
    return count


@kernel
def _be_ready(labels: Labels, k: int, origin: int, stop: int, time: int, limit: int, count: int) -> int:
    if time >= labels.ready[k, stop] or time >= limit:
        return count
    for j in range(k, labels.ready.shape[0]):
        if labels.ready[j, stop] <= time:
            break
        labels.ready[j, stop] = time
    labels.ready_from[k, stop] = origin
    if labels.is_ready_new[stop] == 0:
        labels.is_ready_new[stop] = 1
        labels.ready_list[count] = stop
        count += 1
    return count


@kernel
def _rounds(lines: Lines, walks: Walks, query: Query, labels: Labels, k: int, new: int) -> None:
    """Finish round `k`, whose `new` arrivals are known, and do all rounds after it."""
    last = labels.arrival.shape[0] - 1
    while k < last and new > 0:
        ready = _walk(walks, query, labels, k, new)
        k += 1
        queued = _queue_lines(lines, query, labels, ready)
        new = 0
        for i in range(queued):
            line = labels.line_list[i]
            new = scan_line(lines, query, labels, k, line, labels.line_start[line], -1, new)
            labels.line_start[line] = -1
        for i in range(ready):
            labels.is_ready_new[labels.ready_list[i]] = 0
    for i in range(new):
        labels.is_arrival_new[labels.arrival_list[i]] = 0


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
    new = 0
    for i in range(queued):
        line = labels.line_list[i]
        new = scan_line(lines, query, labels, 1, line, labels.line_start[line], -1, new)
        labels.line_start[line] = -1
    for i in range(count):
        labels.is_ready_new[labels.ready_list[i]] = 0
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
        time = rows[i, 0]
        new = 0
        while i < len(rows) and rows[i, 0] == time:
            new = scan_line(lines, query, labels, 1, rows[i, 1], rows[i, 2], rows[i, 3], new)
            i += 1
        _rounds(lines, walks, query, labels, 1, new)
        collect(lines, labels, found, time)

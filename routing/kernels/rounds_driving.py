"""Rests by the time driven: the earliest schedule of a round whose driver may drive only so long between two rests.

A *label* is a vehicle at a moment: time, time driven since the last whole rest and today, whether the first part of a rest in
two parts is taken, and breaks behind. At every stop all rests that may begin there are tried; a label that is neither earlier
nor less driven than another one is dropped. Exact with times that do not change (Goel 2010, doi:10.1287/trsc.1100.0330); with
traffic what is kept may drive a little longer than what was dropped. On the road a driver rests only where a drive is longer
than may be driven at all, at the last moment; what is left takes its share of a drive that would have left that much later.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

from typing import NamedTuple

import numpy as np

from routing.kernels.jit import inlined, kernel, lean
from routing.kernels.rounds_records import ProblemArrays, location_before, service_of
from routing.kernels.rounds_times import EPS_S, F64, I32, I64, TimesArrays, arrival, service_start

WIDTH = 16
"""Most labels of a moment in a round; the latest are dropped."""
STARTED, DROVE, SERVED, RESTED, PAUSED, ON_THE_ROAD = 0, 1, 2, 3, 4, 5
"""How a label came about: PAUSED = a break of the vehicle, RESTED = a rest by the time driven, ON_THE_ROAD = one there."""
DRIVING_EPS_S = 1e-6


class Book(NamedTuple):
    """Labels, each with the one it came from (`parent`, -1 = none).

    Attributes
    ----------
    begin_s, time_s : float64[P]
        When what made the label began, and ended.
    since_s, today_s : float64[P]
        Time driven since the last whole rest, and today.
    parent, part, behind, action : int64[P]
    size : int64[1]
    """

    begin_s: F64
    time_s: F64
    since_s: F64
    today_s: F64
    parent: I64
    part: I64
    behind: I64
    action: I64
    size: I64


@kernel
def empty_book(labels: int) -> Book:
    """Return a book with room for so many labels."""
    return Book(
        np.empty(labels), np.empty(labels), np.empty(labels), np.empty(labels), np.empty(labels, np.int64),
        np.empty(labels, np.int64), np.empty(labels, np.int64), np.empty(labels, np.int64), np.zeros(1, np.int64),
    )  # fmt: skip


@lean
def _write(
    book: Book, parent: int, action: int, begin: float, time: float, since: float, today: float, part: int, behind: int
) -> int:
    """Append a label; -1 = the book is full."""
    n = book.size[0]
    if n == len(book.time_s):
        return -1
    book.begin_s[n], book.time_s[n], book.since_s[n], book.today_s[n] = begin, time, since, today
    book.parent[n], book.part[n], book.behind[n], book.action[n] = parent, part, behind, action
    book.size[0] = n + 1
    return n


@inlined
def _dominates(
    one_s: float, since_1: float, today_1: float, part_1: int, two_s: float, since_2: float, today_2: float, part_2: int
) -> bool:
    return one_s <= two_s + EPS_S and since_1 <= since_2 + EPS_S and today_1 <= today_2 + EPS_S and part_1 >= part_2


@lean
def _offer(
    book: Book, layer: I64, count: int, parent: int, action: int, begin: float, time: float, since: float, today: float,
    part: int, behind: int,
) -> int:  # fmt: skip
    """Put a label into a layer of labels none of which dominates another; return their number."""
    kept, latest = 0, -1
    for q in range(count):
        n = layer[q]
        if book.behind[n] == behind and _dominates(
            book.time_s[n], book.since_s[n], book.today_s[n], book.part[n], time, since, today, part
        ):
            return count
    for q in range(count):
        n = layer[q]
        if book.behind[n] == behind and _dominates(
            time, since, today, part, book.time_s[n], book.since_s[n], book.today_s[n], book.part[n]
        ):
            continue
        layer[kept] = n
        if latest < 0 or book.time_s[n] > book.time_s[layer[latest]]:
            latest = kept
        kept += 1
    if kept == len(layer):
        if book.time_s[layer[latest]] <= time:
            return kept
        kept -= 1
        layer[latest] = layer[kept]
    n = _write(book, parent, action, begin, time, since, today, part, behind)
    if n >= 0:
        layer[kept] = n
        kept += 1
    return kept


@lean
def _drive(
    problem: ProblemArrays, times: TimesArrays, r: int, book: Book, n: int, at: int, to: int, layer: I64, count: int
) -> int:
    """Drive from `at` to `to` with label `n`, resting on the road where the drive alone is longer than allowed."""
    p, most, daily = problem.vehicles[r].profile, problem.vehicles[r].max_driving_s, problem.vehicles[r].max_daily_s
    left, since, today, part = book.time_s[n], book.since_s[n], book.today_s[n], book.part[n]
    reached = arrival(times, p, at, to, left)
    lasts = reached - left
    if reached == np.inf or today + lasts > daily + DRIVING_EPS_S:
        return count
    if since + lasts <= most + DRIVING_EPS_S:
        return _offer(book, layer, count, n, DROVE, left, reached, since + lasts, today + lasts, part, book.behind[n])
    if lasts <= most + DRIVING_EPS_S or most - since <= DRIVING_EPS_S:
        return count
    share, now, late, parent = 1.0, left, 0.0, n
    while since + share * lasts > most + DRIVING_EPS_S:
        drives = most - since
        share -= drives / lasts
        rest = problem.vehicles[r].second_part_s if part else problem.vehicles[r].rest_s
        now, late, today, since, part = now + drives + rest, late + rest, today + drives, 0.0, 0
        parent = _write(book, parent, ON_THE_ROAD, now - rest, now, 0.0, today, 0, book.behind[n])
        if parent < 0 or most <= DRIVING_EPS_S:
            return count
        lasts = arrival(times, p, at, to, left + late) - left - late
        if not lasts < np.inf:
            return count
    lasts *= share
    if today + lasts > daily + DRIVING_EPS_S:
        return count
    return _offer(book, layer, count, parent, DROVE, left, now + lasts, since + lasts, today + lasts, 0, book.behind[n])


@lean
def _rest(problem: ProblemArrays, r: int, book: Book, layer: I64, old: I64, count: int, k: int, opens: bool, free: bool) -> int:
    """Let the vehicle rest where it stands, once or more, or not; breaks always, by the time driven where `free`.

    With `opens` a rest waits until the service of visit `k` could start. Where the round starts (`k` -1) are no breaks.
    """
    first, breaks = problem.vehicles[r].first_break, 0
    if k >= 0:
        breaks = problem.vehicles[r].last_break - first
    whole, one, two = problem.vehicles[r].rest_s, problem.vehicles[r].first_part_s, problem.vehicles[r].second_part_s
    fresh = 0
    for _ in range(2 + breaks):
        size, mark = count, book.size[0]
        for q in range(size):
            old[q] = layer[q]
        for q in range(size):
            n = old[q]
            if n < fresh:
                continue
            time, since, today, part, b = book.time_s[n], book.since_s[n], book.today_s[n], book.part[n], book.behind[n]
            if b < breaks:
                begin = max(time, problem.breaks[first + b].earliest_s)
                lasts = problem.breaks[first + b].duration_s
                if begin <= problem.breaks[first + b].latest_s + EPS_S:
                    resets = lasts >= whole or (part > 0 and lasts >= two)
                    then = 0 if resets else 1 if lasts >= one and since > 0.0 else part
                    count = _offer(
                        book, layer, count, n, PAUSED, begin, begin + lasts, 0.0 if resets else since, today, then, b + 1
                    )
            if not free or since <= 0.0:
                continue
            begin = time
            if opens:
                begin = service_start(problem.windows, problem.visits[k].first_window, problem.visits[k].last_window, time)
                if begin == np.inf:
                    continue
            count = _offer(book, layer, count, n, RESTED, begin, begin + whole, 0.0, today, 0, b)
            if part > 0:
                count = _offer(book, layer, count, n, RESTED, begin, begin + two, 0.0, today, 0, b)
            elif one < np.inf:
                count = _offer(book, layer, count, n, RESTED, begin, begin + one, since, today, 1, b)
        fresh = mark
        if book.size[0] == mark:
            break
    return count


@kernel
def drive_round(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, start: float, not_before: F64
) -> tuple[float, int, Book]:
    """Earliest end of a round that leaves at `start`, with all breaks and rests; inf = infeasible.

    Also the last label and the book it is in; label -1 = nobody has to rest. No service at position k starts before
    ``not_before[k]``.
    """
    size, end = len(route), problem.vehicles[r].end_location
    breaks = problem.vehicles[r].last_break - problem.vehicles[r].first_break
    if breaks == 0:
        until, due = _without_rests(problem, times, r, route, start, not_before, np.empty(size))
        if until == np.inf or not due:
            return until, -1, empty_book(0)
    book = empty_book(128 + 96 * (size + 1))
    layer, new, old = np.empty(WIDTH, np.int64), np.empty(WIDTH, np.int64), np.empty(WIDTH, np.int64)
    count = _leave(problem, r, book, layer, start)
    count = _rest(problem, r, book, layer, old, count, -1, False, problem.vehicles[r].driven_s > 0.0)
    for k in range(size):
        v, at = route[k], location_before(problem, r, route, k)
        reached = 0
        for q in range(count):
            reached = _drive(problem, times, r, book, layer[q], at, problem.visits[v].location, new, reached)
        waits = problem.vehicles[r].rests_waiting
        rides = problem.max_ride_s[problem.visits[v].shipment] < np.inf
        reached = _rest(problem, r, book, new, old, reached, v, not waits, waits or rides)
        count = 0
        for q in range(reached):
            n = new[q]
            ready = max(book.time_s[n], not_before[k])
            begin = service_start(problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, ready)
            if begin < np.inf:
                count = _offer(
                    book, layer, count, n, SERVED, begin, begin + service_of(problem, r, v), book.since_s[n], book.today_s[n],
                    book.part[n], book.behind[n],
                )  # fmt: skip
        if count == 0:
            return np.inf, -1, book
        if k < size - 1 or end >= 0:
            count = _rest(problem, r, book, layer, old, count, v, False, True)
    if end >= 0:
        reached = 0
        for q in range(count):
            reached = _drive(
                problem, times, r, book, layer[q], location_before(problem, r, route, size), end, new, reached
            )  # fmt: skip
        layer, count = new, reached
    answer, last = np.inf, -1
    for q in range(count):
        n = layer[q]
        if book.time_s[n] < answer and _may_end(problem, r, book, n):
            answer, last = book.time_s[n], n
    return answer, last, book


@lean
def _without_rests(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, start: float, not_before: F64, starts: F64
) -> tuple[float, bool]:
    """End of the round without any rest (inf = too late even so), and whether rests are due; fills the starts of service."""
    p, t, driven = problem.vehicles[r].profile, start, 0.0
    for k in range(len(route)):
        v = route[k]
        reached = arrival(times, p, location_before(problem, r, route, k), problem.visits[v].location, t)
        driven += reached - t
        t = service_start(
            problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, max(reached, not_before[k])
        )
        if t == np.inf:
            return t, False
        starts[k] = t
        t += service_of(problem, r, v)
    if problem.vehicles[r].end_location >= 0:
        reached = arrival(times, p, location_before(problem, r, route, len(route)), problem.vehicles[r].end_location, t)
        driven, t = driven + reached - t, reached
    due = (
        problem.vehicles[r].driven_s + driven > problem.vehicles[r].max_driving_s + DRIVING_EPS_S
        or problem.vehicles[r].driven_today_s + driven > problem.vehicles[r].max_daily_s + DRIVING_EPS_S
    )
    return (t if t <= problem.vehicles[r].return_by_s + EPS_S else np.inf), due


@lean
def _leave(problem: ProblemArrays, r: int, book: Book, layer: I64, start: float) -> int:
    """Labels of the start: with no break behind, and with those that can be taken before."""
    first, rested = problem.vehicles[r].first_break, -np.inf
    since, today, part = problem.vehicles[r].driven_s, problem.vehicles[r].driven_today_s, int(problem.vehicles[r].part_taken)
    count = _offer(book, layer, 0, -1, STARTED, start, start, since, today, part, 0)
    for b in range(problem.vehicles[r].last_break - first):
        rested = max(rested, problem.breaks[first + b].earliest_s)
        if rested > problem.breaks[first + b].latest_s + EPS_S:
            break
        rested += problem.breaks[first + b].duration_s
        if rested > start + EPS_S:
            break
        count = _offer(book, layer, count, -1, STARTED, start, start, since, today, part, b + 1)
    return count


@lean
def _may_end(problem: ProblemArrays, r: int, book: Book, n: int) -> bool:
    """Whether the round may end with label `n`: in time, and the breaks that are left are possible after."""
    t = book.time_s[n]
    if t > problem.vehicles[r].return_by_s + EPS_S:
        return False
    for b in range(problem.vehicles[r].first_break + book.behind[n], problem.vehicles[r].last_break):
        begin = max(t, problem.breaks[b].earliest_s)
        if begin > problem.breaks[b].latest_s + EPS_S:
            return False
        t = begin + problem.breaks[b].duration_s
    return True


@lean
def fill_starts(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, start: float, not_before: F64, book: Book, last: int,
    starts: F64,
) -> None:  # fmt: skip
    """Fill ``starts[L]`` with the starts of service of what `drive_round` answered."""
    if last < 0:
        _without_rests(problem, times, r, route, start, not_before, starts)
        return
    n, k = last, len(route)
    while n >= 0:
        if book.action[n] == SERVED:
            k -= 1
            starts[k] = book.begin_s[n]
        n = book.parent[n]

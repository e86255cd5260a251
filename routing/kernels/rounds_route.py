"""One delivery round: exact schedules under time-dependent travel times, windows and breaks.

A route is an array of visit indices; L is its length.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import kernel, lean
from routing.kernels.rounds_compose import arrival_function, compose, window_function
from routing.kernels.rounds_driving import drive_round
from routing.kernels.rounds_records import (
    BREAK,
    SHIPMENT,
    VEHICLE,
    VISIT,
    WINDOW,
    ProblemArrays,
    is_ruled,
    location_before,
    rests,
    serve,
    service_of,
    time_cost,
)
from routing.kernels.rounds_times import EPS_S, F64, I32, I64, TimesArrays, arrival, latest_arrival, latest_departure

__all__ = [
    "BREAK", "SHIPMENT", "VEHICLE", "VISIT", "WINDOW", "ProblemArrays", "backward", "best_departure", "end_of_round",
    "forward", "forward_breaks", "is_ruled", "location_before", "rests", "round_function", "serve", "service_of", "take_breaks",
    "time_cost",
]  # fmt: skip


@lean
def forward(problem: ProblemArrays, times: TimesArrays, r: int, route: I32, start: float, ready: F64) -> float:
    """Fill ``ready[0..L]`` (departure from start and from each visit, no breaks); return the end of the round or inf."""
    p, t = problem.vehicles[r].profile, start
    ready[0] = t
    for k in range(len(route)):
        v = route[k]
        t = serve(problem, r, v, arrival(times, p, location_before(problem, r, route, k), problem.visits[v].location, t))
        ready[k + 1] = t
        if t == np.inf:
            for m in range(k + 1, len(route) + 1):
                ready[m] = np.inf
            return t
    end = problem.vehicles[r].end_location
    if end >= 0:
        t = arrival(times, p, location_before(problem, r, route, len(route)), end, t)
    return t if t <= problem.vehicles[r].return_by_s + EPS_S else np.inf


@lean
def backward(problem: ProblemArrays, times: TimesArrays, r: int, route: I32, by: float, latest: F64) -> float:
    """Fill ``latest[0..L]``: the latest departure from start (0) and from each visit that still ends by `by`; return [0]."""
    p, size, end = problem.vehicles[r].profile, len(route), problem.vehicles[r].end_location
    t = by
    if end >= 0:
        t = latest_departure(times, p, location_before(problem, r, route, size), end, by)
    latest[size] = t
    for k in range(size - 1, -1, -1):
        v = route[k]
        reach = latest_arrival(
            problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, t - service_of(problem, r, v)
        )
        t = latest_departure(times, p, location_before(problem, r, route, k), problem.visits[v].location, reach)
        latest[k] = t
    return min(t, problem.vehicles[r].leave_by_s)


@lean
def take_breaks(problem: ProblemArrays, r: int, best: F64, taken: I64) -> None:
    """Let the vehicle rest where it stands: relax ``best[b]`` (earliest time with `b` breaks behind it); note the source."""
    first = problem.vehicles[r].first_break
    for b in range(len(best)):
        taken[b] = b
    for b in range(len(best) - 1):
        begin = max(best[b], problem.breaks[first + b].earliest_s)
        if begin <= problem.breaks[first + b].latest_s + EPS_S and begin + problem.breaks[first + b].duration_s < best[b + 1]:
            best[b + 1] = begin + problem.breaks[first + b].duration_s
            taken[b + 1] = taken[b]


@kernel
def forward_breaks(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, start: float, not_before: F64, state: F64, source: I64
) -> tuple[float, int]:
    """Earliest end of a round with breaks when leaving at `start`, and the number of breaks taken by then.

    ``state[2 k, b]`` is the earliest time before service at position `k` with `b` breaks behind, ``state[2 k + 1, b]``
    after it (k = L: at the end); ``source[…]`` how many of them were behind before resting there (2 (L + 1) rows).
    No service at position `k` starts before ``not_before[k]``. A break may lie before the departure or after the end of the
    round. Exact for the rule "rest at stops, not while driving".
    """
    first, count = problem.vehicles[r].first_break, problem.vehicles[r].last_break - problem.vehicles[r].first_break
    p, size, end = problem.vehicles[r].profile, len(route), problem.vehicles[r].end_location
    now = np.full(count + 1, np.inf)
    now[0] = start
    rested = -np.inf
    for b in range(count):  # rested before leaving
        rested = max(rested, problem.breaks[first + b].earliest_s)
        if rested > problem.breaks[first + b].latest_s + EPS_S:
            break
        rested += problem.breaks[first + b].duration_s
        if rested > start + EPS_S:
            break
        now[b + 1] = start
    for k in range(size):
        v, tail = route[k], location_before(problem, r, route, k)
        for b in range(count + 1):
            if now[b] < np.inf:
                now[b] = arrival(times, p, tail, problem.visits[v].location, now[b])
        take_breaks(problem, r, now, source[2 * k])
        state[2 * k, : count + 1] = now
        for b in range(count + 1):
            if now[b] < np.inf:
                now[b] = serve(problem, r, v, max(now[b], not_before[k]))
        take_breaks(problem, r, now, source[2 * k + 1])
        state[2 * k + 1, : count + 1] = now
    if end >= 0:
        for b in range(count + 1):
            if now[b] < np.inf:
                now[b] = arrival(times, p, location_before(problem, r, route, size), end, now[b])
    state[2 * size, : count + 1] = now
    answer, behind = np.inf, -1
    for b in range(count + 1):  # the breaks not taken must be possible after the end
        t = now[b]
        possible = t <= problem.vehicles[r].return_by_s + EPS_S
        for c in range(b, count):
            begin = max(t, problem.breaks[first + c].earliest_s)
            possible = possible and begin <= problem.breaks[first + c].latest_s + EPS_S
            t = begin + problem.breaks[first + c].duration_s
        if possible and now[b] < answer:
            answer, behind = now[b], b
    return answer, behind


@kernel
def end_of_round(problem: ProblemArrays, times: TimesArrays, r: int, route: I32, start: float) -> float:
    """Earliest end of the round when leaving at `start`, with all breaks and rests; inf = infeasible."""
    if is_ruled(problem, r):
        return drive_round(problem, times, r, route, start, np.full(len(route), -np.inf))[0]
    count = problem.vehicles[r].last_break - problem.vehicles[r].first_break
    if count == 0:
        return forward(problem, times, r, route, start, np.empty(len(route) + 1))
    rows = 2 * (len(route) + 1)
    state, source = np.empty((rows, count + 1)), np.empty((rows, count + 1), np.int64)
    return forward_breaks(problem, times, r, route, start, np.full(len(route), -np.inf), state, source)[0]


@kernel
def round_function(problem: ProblemArrays, times: TimesArrays, r: int, route: I32, low: float, high: float) -> tuple[F64, F64]:
    """End of the round (no breaks) as a piecewise-linear function of the departure in [low, high]."""
    p = problem.vehicles[r].profile
    xs, ys = np.empty(2), np.empty(2)
    xs[0], xs[1] = low, high
    ys[0], ys[1] = low, high
    for k in range(len(route) + 1):
        head = problem.vehicles[r].end_location if k == len(route) else problem.visits[route[k]].location
        if len(xs) == 0:
            return xs, ys
        if head >= 0:
            gx, gy = arrival_function(times, p, location_before(problem, r, route, k), head, ys[0], ys[len(ys) - 1])
            xs, ys = compose(xs, ys, gx, gy)
        if k < len(route) and len(xs):
            v = route[k]
            a, b = problem.visits[v].first_window, problem.visits[v].last_window
            if a < b:
                gx, gy = window_function(problem.windows, a, b, ys[0], service_of(problem, r, v))
                xs, ys = compose(xs, ys, gx, gy)
            else:
                ys = ys + service_of(problem, r, v)
    return xs, ys


@kernel
def best_departure(problem: ProblemArrays, times: TimesArrays, r: int, route: I32, steps: int) -> tuple[float, float]:
    """Departure of the shortest feasible round and its end; (inf, inf) if none.

    Without breaks and rests exact (minimum over the breakpoints of the composed function, the earliest departure among equals);
    with them the best of ``steps + 1`` departures, then moved as late as its end allows.
    """
    low, high = problem.vehicles[r].leave_from_s, problem.vehicles[r].leave_by_s
    first_end = end_of_round(problem, times, r, route, low)
    if first_end == np.inf:
        return np.inf, np.inf
    scratch = np.empty(len(route) + 1)
    high = min(high, backward(problem, times, r, route, problem.vehicles[r].return_by_s, scratch))
    start, end = low, first_end
    if not rests(problem, r):
        if high > low:
            xs, ys = round_function(problem, times, r, route, low, high)
            for k in range(len(xs)):
                if ys[k] - xs[k] < end - start - 1e-7 and ys[k] <= problem.vehicles[r].return_by_s + EPS_S:
                    start, end = xs[k], ys[k]
            if start > low:
                exact = end_of_round(problem, times, r, route, start)
                if exact - start > first_end - low:
                    start, exact = low, first_end
                end = exact
        return start, end
    for k in range(1, steps + 1 if high > low else 0):
        candidate = low + (high - low) * k / steps
        until = end_of_round(problem, times, r, route, candidate)
        if until - candidate < end - start - 1e-7:
            start, end = candidate, until
    good, bad = start, min(high, start + (high - low) / steps)
    for _ in range(4 + steps if bad > good else 0):  # the wait that is left is spared by leaving later
        middle = (good + bad) / 2
        if end_of_round(problem, times, r, route, middle) <= end + EPS_S:
            good = middle
        else:
            bad = middle
    return good, end

"""Tails and heads: what a round becomes when one of its visits is reached later or left earlier.

The *tail* of a visit says when the round ends if the vehicle arrives there at t, its *head* how late the round may start if
the vehicle is to leave there at t. Each is kept as a few exact points joined by straight lines. Without traffic two points
describe it whole (Savelsbergh 1992, doi:10.1287/ijoc.4.2.146); with traffic it is close between the points. They rank
insertions in constant time; what is accepted is timed anew.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import inlined, lean
from routing.kernels.rounds_route import ProblemArrays, serve, service_of
from routing.kernels.rounds_state import POINTS, State
from routing.kernels.rounds_times import F64, TimesArrays, arrival, latest_arrival, latest_departure


@inlined
def between(xs: F64, ys: F64, n: int, x: float) -> float:
    """Value at `x` of the line through the first `n` points; level beyond its ends."""
    if x <= xs[0]:
        return ys[0]
    for q in range(1, n):
        if x <= xs[q]:
            return ys[q - 1] + (x - xs[q - 1]) / (xs[q] - xs[q - 1]) * (ys[q] - ys[q - 1])
    return ys[n - 1]


@lean
def fill_tails(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, soonest: float, timed: bool, end: float, step: float
) -> tuple[float, int]:
    """Tails and latest arrivals of the round that ends at `soonest` at best; return its latest start and a count.

    Points are found from the end backwards: the latest arrival for an end is exact, because nobody overtakes. Ends are spread
    over all that is feasible, or lie about a known `end` (inf = none), half a `step`, one and two after it. The first two
    lines of `scratch` are left with the tail of the start, of as many points as returned.
    """
    p, head, by = problem.vehicles[r].profile, problem.vehicles[r].end_location, problem.vehicles[r].return_by_s
    xs, ys = state.scratch[0], state.scratch[1]
    old_x, old_y = state.scratch[2], state.scratch[3]
    n = POINTS if timed else 1
    for q in range(n):
        share = q / (POINTS - 1.0)
        xs[q] = ys[q] = soonest + share * share * (by - soonest) if timed else by
        if end < np.inf and 0 < q < n - 1:
            xs[q] = ys[q] = min(by, end + (0.0 if q == 1 else 2.0 ** (q - 3) * step))
    for k in range(state.rounds[r].length, -1, -1):
        v = state.routes[r, k - 1] if k > 0 else -1
        at = problem.visits[v].location if k > 0 else problem.vehicles[r].start_location
        service = service_of(problem, r, v) if k > 0 else 0.0
        first = state.earliest_s[v] - service if k > 0 else problem.vehicles[r].leave_from_s
        for q in range(n):
            old_x[q], old_y[q] = xs[q], ys[q]
        kept = 0
        for q in range(n):
            depart = old_x[q] if head < 0 else latest_departure(times, p, at, head, old_x[q])
            x, y = depart, old_y[q]
            if k > 0:
                x = latest_arrival(
                    problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, depart - service
                )
                if timed and q > 0 and x + service < depart - 1e-6:  # a window closes before: what its last moment costs
                    reached = x + service if head < 0 else arrival(times, p, at, head, x + service)
                    y = min(y, between(old_x, old_y, n, reached))
            x = max(x, first)  # the earliest schedule exists, whatever rounding says
            if kept and x <= xs[kept - 1] + 1e-9:
                continue
            xs[kept], ys[kept] = x, y
            kept += 1
        n = kept
        if k > 0:
            state.reach_s[v] = xs[n - 1]
            state.points[v, 0] = n
            for q in range(n):
                state.tail_x[v, q], state.tail_y[v, q] = xs[q], ys[q]
        head = at
    return xs[n - 1], n


@lean
def best_start(problem: ProblemArrays, state: State, r: int, n: int, soonest: float) -> float:
    """Start of the shortest round by the tail in `scratch`, the latest of equals."""
    xs, ys = state.scratch[0], state.scratch[1]
    low, high = problem.vehicles[r].leave_from_s, problem.vehicles[r].leave_by_s
    start, shortest = low, soonest - low
    for q in range(n):
        x = min(xs[q], high)
        if x >= low:
            lasts = (ys[q] if x == xs[q] else between(xs, ys, n, x)) - x
            if lasts < shortest + 1e-9:
                start, shortest = x, lasts
    return start


@lean
def fill_heads(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, latest: float, start: float, step: float
) -> None:
    """Heads of the round that may start until `latest`, from the start forwards.

    Starts are spread over all that is feasible, or lie about a known `start` (inf = none), half a `step`, one and two before.
    """
    p, at, low = problem.vehicles[r].profile, problem.vehicles[r].start_location, problem.vehicles[r].leave_from_s
    xs, ys = state.scratch[0], state.scratch[1]
    old_x, old_y = state.scratch[2], state.scratch[3]
    n = POINTS if latest > low + 1e-9 else 1
    for q in range(n):
        xs[q] = ys[q] = low + q / (POINTS - 1.0) * (latest - low)
        if start < np.inf and 0 < q < n - 1:
            xs[q] = ys[q] = max(low, start - (0.0 if q == n - 2 else 2.0 ** (n - 4 - q) * step))
    for k in range(state.rounds[r].length):
        v = state.routes[r, k]
        to, soonest = problem.visits[v].location, state.earliest_s[v]
        for q in range(n):
            old_x[q], old_y[q] = xs[q], ys[q]
        xs[0], ys[0], kept = soonest, old_y[0], 1
        for q in range(1, n):
            x = serve(problem, r, v, arrival(times, p, at, to, old_x[q]))
            if x == np.inf:
                break
            if x <= soonest + 1e-9:  # waits here anyhow
                ys[0] = old_y[q]
                continue
            if kept == 1:  # the latest that still waits
                by = latest_arrival(
                    problem.windows, problem.visits[v].first_window, problem.visits[v].last_window,
                    soonest - service_of(problem, r, v),
                )  # fmt: skip
                ys[0] = max(ys[0], between(old_x, old_y, n, latest_departure(times, p, at, to, by)))
            if x > xs[kept - 1] + 1e-9:
                xs[kept], ys[kept] = x, old_y[q]
                kept += 1
            else:
                ys[kept - 1] = old_y[q]
        n = kept
        state.points[v, 1] = n
        for q in range(n):
            state.head_x[v, q], state.head_y[v, q] = xs[q], ys[q]
        at = to

"""The schedule of a planned round that may hold: found on a grid, refined, priced exactly."""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import kernel, lean
from routing.kernels.rounds_held import (
    IDLE,
    WORTH_S,
    best_leave,
    cost_after,
    driving_rate,
    leave_at,
    on_grid,
    waiting_rate,
)
from routing.kernels.rounds_route import ProblemArrays, serve, service_of
from routing.kernels.rounds_times import EPS_S, F64, I32, TimesArrays, arrival

FINEST_S = 0.25
"""A schedule is refined until its departures move by less than this."""


@lean
def price_held(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, leave: F64, made: F64
) -> tuple[float, float, float]:
    """Cost of the time, end and time driven of a round that leaves no stop before ``leave[L + 1]`` (its start first).

    Fills ``made[L, 4]``: arrival, start and end of the service, departure. (inf, …) = infeasible.
    """
    p, t, at, drives = problem.vehicles[r].profile, leave[0], problem.vehicles[r].start_location, 0.0
    for k in range(len(route)):
        v = route[k]
        to = problem.visits[v].location
        x = arrival(times, p, at, to, t)
        ready = serve(problem, r, v, x)
        if ready == np.inf:
            return np.inf, np.inf, np.inf
        drives += x - t
        made[k, 0], made[k, 2] = x, ready
        made[k, 1] = ready - service_of(problem, r, v)
        t, at = max(ready, leave[k + 1]), to
        made[k, 3] = t
    end = problem.vehicles[r].end_location
    if end >= 0:
        x = arrival(times, p, at, end, t)
        drives += x - t
        t = x
    else:
        t = made[len(route) - 1, 2]
        made[len(route) - 1, 3] = t
    if t > problem.vehicles[r].return_by_s + EPS_S:
        return np.inf, np.inf, np.inf
    cost = problem.vehicles[r].cost_per_driving_s * drives + problem.vehicles[r].cost_per_s * (t - leave[0])
    return cost + IDLE * problem.vehicles[r].cost_per_driving_s * (t - leave[0] - drives), t, drives


@kernel
def plan_held(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, points: int, leave: F64, made: F64
) -> tuple[float, float, float]:
    """Schedule of a round with holds, found on a grid of so many points, refined; fills `leave` and `made` (`price_held`)."""
    low = problem.vehicles[r].leave_from_s
    step = max(problem.vehicles[r].return_by_s - low, 1.0) / (points - 1)
    rows, size = np.empty((len(route) + 1, points), np.float32), len(route)
    for k in range(size, -1, -1):
        i = problem.vehicles[r].start_location if k == 0 else problem.visits[route[k - 1]].location
        v = route[k] if k < size else -1
        cost_after(problem, times, r, i, v, rows[min(k + 1, size)], rows[k], low, step)
    t = best_leave(problem, r, rows[0], low, step)
    if t == np.inf:
        return np.inf, np.inf, np.inf
    driving, waiting, p = driving_rate(problem, r), waiting_rate(problem, r), problem.vehicles[r].profile
    leave[0], at = t, problem.vehicles[r].start_location
    for k in range(size):
        v = route[k]
        t = serve(problem, r, v, arrival(times, p, at, problem.visits[v].location, t))
        at = problem.visits[v].location
        leave[k + 1] = -np.inf
        if t == np.inf:
            return np.inf, np.inf, np.inf
        head = problem.visits[route[k + 1]].location if k + 1 < size else problem.vehicles[r].end_location
        if head < 0:
            break
        x = arrival(times, p, at, head, t)
        now = driving * (x - t)
        if k + 1 < size:
            ready = serve(problem, r, route[k + 1], x)
            now = now + waiting * (ready - x) + on_grid(rows[k + 2], low, step, ready) if ready < np.inf else np.inf
        later = leave_at(rows[k + 1], low, step, t, now, waiting, WORTH_S * driving)
        if later > t:
            leave[k + 1] = t = later
    return _refine(problem, times, r, route, step, leave, made)


@lean
def _refine(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, step: float, leave: F64, made: F64
) -> tuple[float, float, float]:
    """Move each departure to and fro by less and less while the cost falls."""
    best, _, _ = price_held(problem, times, r, route, leave, made)
    by = step
    while by >= FINEST_S:
        better = False
        for k in range(len(leave)):
            if leave[k] == -np.inf:
                continue
            for sign in (1.0, -1.0):
                was = leave[k]
                leave[k] = was + sign * by
                if k == 0:
                    leave[0] = min(max(leave[0], problem.vehicles[r].leave_from_s), problem.vehicles[r].leave_by_s)
                cost, _, _ = price_held(problem, times, r, route, leave, made)
                if cost < best - 1e-9:
                    best, better = cost, True
                else:
                    leave[k] = was
        if not better:
            by /= 2.0
    return price_held(problem, times, r, route, leave, made)

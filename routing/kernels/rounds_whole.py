"""Rounds timed whole: what heads and tails cannot say, dues with a cost of being late and longest rides, breaks included.

For a departure the earliest schedule is best in everything: all constraints bound a service's start from below by a
non-decreasing function of others, so a least solution exists. A ride that is too long is mended by starting its pickup later,
again and again until all hold (the waiting moves before the pickup). With static times and single windows as many passes as
there are rides are exact, as in Bellman and Ford's method; otherwise passes are bounded and a round that needs more counts as
infeasible. With breaks, or rests by the time driven, those are placed for the earliest end.

References
----------
Hunsaker and Savelsbergh (2002), Efficient feasibility testing for dial-a-ride problems, doi:10.1016/S0167-6377(02)00120-7.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import kernel, lean
from routing.kernels.rounds_compose import arrival_function, compose, window_function
from routing.kernels.rounds_driving import drive_round, fill_starts
from routing.kernels.rounds_route import (
    ProblemArrays,
    backward,
    forward_breaks,
    is_ruled,
    location_before,
    rests,
    service_of,
    time_cost,
)
from routing.kernels.rounds_times import EPS_S, F64, I32, TimesArrays, arrival, service_start

MORE_PASSES = 20
RIDE_EPS_S = 1e-7
EXACT_STEPS = 24
"""From so many steps on the departure of a round without breaks and rides is found exactly."""


@kernel
def time_whole(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, start: float, starts: F64, not_before: F64
) -> tuple[float, float]:
    """Earliest end of a round that leaves at `start`, and its cost of being late; (inf, inf) = infeasible.

    Fills ``starts[L]`` with the starts of service and ``not_before[L]`` with the times before which none may begin, so that
    no ride gets too long.
    """
    for k in range(len(route)):
        not_before[k] = -np.inf
    rides = count_rides(problem, route)
    for _ in range(1 if rides == 0 else 4 * rides + MORE_PASSES):
        end = _pass(problem, times, r, route, start, starts, not_before)
        if end == np.inf:
            break
        if rides == 0 or not _raise_pickups(problem, r, route, starts, not_before):
            late = 0.0
            for k in range(len(route)):
                if starts[k] > problem.due[route[k], 0]:
                    late += problem.due[route[k], 1] * (starts[k] - problem.due[route[k], 0])
            return end, late
    return np.inf, np.inf


@lean
def count_rides(problem: ProblemArrays, route: I32) -> int:
    """Number of deliveries of the route whose ride is limited."""
    rides = 0
    for v in route:
        if problem.visits[v].is_delivery and problem.max_ride_s[problem.visits[v].shipment] < np.inf:
            rides += 1
    return rides


@lean
def _raise_pickups(problem: ProblemArrays, r: int, route: I32, starts: F64, not_before: F64) -> bool:
    """Raise ``not_before`` of pickups whose rides are too long; whether there is one."""
    raised = False
    for k in range(len(route)):
        v = route[k]
        longest = problem.max_ride_s[problem.visits[v].shipment]
        if longest == np.inf or not problem.visits[v].is_delivery:
            continue
        for j in range(k):
            if route[j] == problem.visits[v].partner:
                need = starts[k] - longest - service_of(problem, r, route[j])
                if need > starts[j] + RIDE_EPS_S:
                    not_before[j] = need
                    raised = True
    return raised


@kernel
def _pass(problem: ProblemArrays, times: TimesArrays, r: int, route: I32, start: float, starts: F64, not_before: F64) -> float:
    """Earliest end with these lower bounds; fills ``starts``."""
    size, first = len(route), problem.vehicles[r].first_break
    count = problem.vehicles[r].last_break - first
    if is_ruled(problem, r):
        end, last, book = drive_round(problem, times, r, route, start, not_before)
        if end < np.inf:
            fill_starts(problem, times, r, route, start, not_before, book, last, starts)
        return end
    if count == 0:
        p, t, at = problem.vehicles[r].profile, start, problem.vehicles[r].start_location
        for k in range(size):
            v = route[k]
            t = max(arrival(times, p, at, problem.visits[v].location, t), not_before[k])
            t = service_start(problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, t)
            if t == np.inf:
                return t
            starts[k] = t
            t += service_of(problem, r, v)
            at = problem.visits[v].location
        if problem.vehicles[r].end_location >= 0:
            t = arrival(times, p, at, problem.vehicles[r].end_location, t)
        return t if t <= problem.vehicles[r].return_by_s + EPS_S else np.inf
    rows = 2 * (size + 1)
    state, source = np.empty((rows, count + 1)), np.empty((rows, count + 1), np.int64)
    end, behind = forward_breaks(problem, times, r, route, start, not_before, state, source)
    if end == np.inf:
        return end
    for k in range(size - 1, -1, -1):
        v, served = route[k], source[2 * k + 1, behind]
        first_window, last_window = problem.visits[v].first_window, problem.visits[v].last_window
        starts[k] = service_start(problem.windows, first_window, last_window, max(state[2 * k, served], not_before[k]))
        behind = source[2 * k, served]
    return end


@kernel
def best_whole(problem: ProblemArrays, times: TimesArrays, r: int, route: I32, steps: int) -> tuple[float, float, float]:
    """Departure of the cheapest feasible round, its end and its cost of being late; end inf = there is none.

    From `EXACT_STEPS` steps on exact for rounds without breaks and longest rides; otherwise the best of ``steps + 1``
    departures, then refined about it. Without steps the earliest departure. A round that lasts too long whenever it leaves is
    answered as it is.
    """
    starts, not_before = np.empty(len(route)), np.empty(len(route))
    low = problem.vehicles[r].leave_from_s
    end, late = time_whole(problem, times, r, route, low, starts, not_before)
    if end == np.inf or steps == 0:
        return low, end, late
    by = backward(problem, times, r, route, problem.vehicles[r].return_by_s, np.empty(len(route) + 1))
    high = min(problem.vehicles[r].leave_by_s, by)
    best = np.array([low, end, late, value_of(problem, r, low, end, late)])
    if high <= low:
        return low, end, late
    if steps >= EXACT_STEPS and not rests(problem, r) and count_rides(problem, route) == 0:
        for x in departures(problem, times, r, route, low, high):
            _try(problem, times, r, route, x, starts, not_before, best)
        return best[0], best[1], best[2]
    step = (high - low) / steps
    for k in range(1, steps + 1):
        _try(problem, times, r, route, low + step * k, starts, not_before, best)
    left, right = max(low, best[0] - step), min(high, best[0] + step)
    for _ in range(2 * steps):
        one, two = left + (right - left) / 3.0, right - (right - left) / 3.0
        if _try(problem, times, r, route, one, starts, not_before, best) < (
            _try(problem, times, r, route, two, starts, not_before, best) - 1e-9
        ):
            right = two
        else:
            left = one
    return best[0], best[1], best[2]


@lean
def value_of(problem: ProblemArrays, r: int, start: float, end: float, late: float) -> float:
    """What departures are compared by: cost, a little for the duration where it costs nothing, much for lasting too long."""
    lasts = end - start
    return (
        time_cost(problem, r, lasts) + 1e-7 * lasts + late + 1e9 * max(0.0, lasts - problem.vehicles[r].max_duration_s - 1e-7)
    )


@kernel
def _try(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I32, start: float, starts: F64, not_before: F64, best: F64
) -> float:
    """Value of leaving at `start`; keeps it in ``best`` (start, end, late, value) if it is the best yet."""
    end, late = time_whole(problem, times, r, route, start, starts, not_before)
    if end == np.inf:
        return end
    value = value_of(problem, r, start, end, late)
    if value < best[3] - 1e-9:
        best[0], best[1], best[2], best[3] = start, end, late, value
    return value


@kernel
def departures(problem: ProblemArrays, times: TimesArrays, r: int, route: I32, low: float, high: float) -> F64:
    """Departures in [low, high] among which the cheapest is (no breaks, no rides): where any time of the round has a bend."""
    p, found = problem.vehicles[r].profile, [low, high]
    xs, ys = np.empty(2), np.empty(2)
    xs[0], xs[1] = low, high
    ys[0], ys[1] = low, high
    for k in range(len(route) + 1):
        head = problem.vehicles[r].end_location if k == len(route) else problem.visits[route[k]].location
        if len(xs) == 0:
            break
        if head >= 0:
            gx, gy = arrival_function(times, p, location_before(problem, r, route, k), head, ys[0], ys[len(ys) - 1])
            xs, ys = compose(xs, ys, gx, gy)
        if k == len(route) or len(xs) == 0:
            break
        v = route[k]
        if problem.visits[v].first_window < problem.visits[v].last_window:
            gx, gy = window_function(problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, ys[0], 0.0)
            xs, ys = compose(xs, ys, gx, gy)
        due = problem.due[v, 0]
        for q in range(len(xs)):
            found.append(xs[q])
            if q and ys[q - 1] < due < ys[q] and xs[q] > xs[q - 1]:
                found.append(xs[q - 1] + (due - ys[q - 1]) / (ys[q] - ys[q - 1]) * (xs[q] - xs[q - 1]))
        ys = ys + service_of(problem, r, v)
    for q in range(len(xs)):
        found.append(xs[q])
        if q and xs[q] > xs[q - 1]:  # where the round lasts just as long as it may, or as costs no more
            for longest in (problem.vehicles[r].max_duration_s, problem.vehicles[r].overtime_after_s):
                one, two = ys[q - 1] - xs[q - 1] - longest, ys[q] - xs[q] - longest
                if one * two < 0.0 and longest < np.inf:
                    found.append(xs[q - 1] + one / (one - two) * (xs[q] - xs[q - 1]))
    return np.unique(np.array(found))

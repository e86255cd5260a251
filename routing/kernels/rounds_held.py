"""Rounds of vehicles whose time at the wheel costs more than their time: they hold where driving later is quicker.

With a price of driving on top of that of time the best schedule is not the earliest one after the best departure: a vehicle may
stand for a quarter of an hour where the rush hour ends. What a round costs from a stop on is a function of when the vehicle is
ready to leave there, what it has cost so far one of when it was; both are kept on a grid of times, joined by straight lines,
and found by dynamic programming from stop to stop. Places of a visit are judged by both; a round is then driven exactly by what
its grid says, so that its cost is that of a schedule that exists.

References
----------
Dabia, Ropke, van Woensel and De Kok (2013), Branch and price for the time-dependent vehicle routing problem with time windows,
doi:10.1287/trsc.1120.0445 (costs as functions of time along a path).
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import math

import numpy as np
import numpy.typing as npt

from routing.kernels.jit import inlined, lean
from routing.kernels.rounds_route import ProblemArrays, serve
from routing.kernels.rounds_state import State
from routing.kernels.rounds_times import EPS_S, NO_WAY_S, STEP_SNAP_S, TimesArrays, arrival

F32 = npt.NDArray[np.float32]
IDLE = 1e-4
"""Waiting costs at least this share of driving, so that nobody holds for nothing."""
WORTH_S = 0.05
"""Vehicles do not hold to save less driving than this."""
SAMPLES = 60
"""Departures by which a place is judged, before those next to the best one."""


@inlined
def travel(times: TimesArrays, p: int, i: int, j: int, t: float, at: int) -> tuple[float, int]:
    """Arrival, and where in the pair's points or slots it was found: looked for from `at` on (-1 = from the first).

    For departures one after the other; SLOTS and FUNCTIONS, others by `arrival`.
    """
    if i == j:
        return t, at
    if times.kind == 2:
        n = times.matrix_s.shape[1]
        pair = (p * n + i) * n + j
        first, end = times.first_point[pair], times.first_point[pair + 1]
        k = first if at < 0 else at
        while k < end and times.point_x_s[k] < t - STEP_SNAP_S:
            k += 1
        if k == end:
            return np.inf, k
        x1, y1 = times.point_x_s[k], times.point_y_s[k]
        if x1 - t <= STEP_SNAP_S:
            return y1, k
        if k == first:
            return np.inf, k
        x0, y0 = times.point_x_s[k - 1], times.point_y_s[k - 1]
        return y0 + (t - x0) / (x1 - x0) * (y1 - y0), k
    if times.kind == 1 and times.slot_start_s[0] <= t:
        k, last = max(at, 0), len(times.slot_start_s) - 1
        while k < last and times.slot_start_s[k + 1] <= t:
            k += 1
        d0 = times.slot_s[p, k, i, j]
        if d0 == NO_WAY_S:
            return np.inf, k
        if k == last:
            return t + d0, k
        x0, x1 = times.slot_start_s[k], times.slot_start_s[k + 1]
        return t + d0 + (t - x0) / (x1 - x0) * (times.slot_s[p, k + 1, i, j] - d0), k
    return arrival(times, p, i, j, t), at


@inlined
def driving_rate(problem: ProblemArrays, r: int) -> float:
    """Cost of a second at the wheel."""
    return problem.vehicles[r].cost_per_driving_s + problem.vehicles[r].cost_per_s


@inlined
def waiting_rate(problem: ProblemArrays, r: int) -> float:
    """Cost of a second standing."""
    return max(problem.vehicles[r].cost_per_s, IDLE * problem.vehicles[r].cost_per_driving_s)


@inlined
def on_grid(row: F32, low: float, step: float, t: float) -> float:
    """Value at `t` of a row of the grid; inf where a neighbour is infeasible."""
    q = (t - low) / step
    k = int(q)
    if q < -1e-6 or k >= len(row) - 1:
        return row[len(row) - 1] if abs(q - len(row) + 1) < 1e-6 else np.inf
    share = q - k
    return row[k] if share < 1e-6 else row[k] + share * (row[k + 1] - row[k])


@lean
def cost_before(
    problem: ProblemArrays, times: TimesArrays, r: int, i: int, v: int, before: F32, after: F32, low: float, step: float
) -> None:
    """Least cost so far by when the vehicle is ready to leave `v` (``after[G]``), from that of leaving location `i`."""
    driving, waiting, p, to = driving_rate(problem, r), waiting_rate(problem, r), problem.vehicles[r].profile, 0
    to = problem.visits[v].location
    for g in range(len(after)):
        after[g] = np.inf
    last_ready, last_cost, where = 0.0, np.inf, -1
    for g in range(len(before)):
        t = low + g * step
        if before[g] == np.inf:
            last_cost = np.inf
            continue
        x, where = travel(times, p, i, to, t, where)
        if x == np.inf:
            last_cost = np.inf
            continue
        ready = serve(problem, r, v, x)
        k = math.ceil((ready - low) / step - 1e-6) if ready < np.inf else len(after)
        if k >= len(after):
            break
        cost = before[g] + driving * (x - t) + waiting * (ready - x)
        after[k] = min(after[k], cost + waiting * (low + k * step - ready))
        if last_cost < np.inf and ready > last_ready + 1e-6:
            rise = (cost - last_cost) / (ready - last_ready)
            for m in range(math.floor((last_ready - low) / step) + 1, k):
                after[m] = min(after[m], last_cost + rise * (low + m * step - last_ready))
        last_ready, last_cost = ready, cost
    for g in range(1, len(after)):
        after[g] = min(after[g], after[g - 1] + waiting * step)


@lean
def cost_after(
    problem: ProblemArrays, times: TimesArrays, r: int, i: int, v: int, after: F32, before: F32, low: float, step: float
) -> None:
    """Least cost to the end by when the vehicle is ready to leave location `i` (``before[G]``), from that of leaving `v`.

    `v` -1 is the end of the round; `after` does not count then.
    """
    driving, waiting, p = driving_rate(problem, r), waiting_rate(problem, r), problem.vehicles[r].profile
    to = problem.visits[v].location if v >= 0 else problem.vehicles[r].end_location
    by = problem.vehicles[r].return_by_s + EPS_S
    where = -1
    for g in range(len(before)):
        t = low + g * step
        if to < 0:
            before[g] = 0.0 if t <= by else np.inf
            continue
        x, where = travel(times, p, i, to, t, where)
        if v < 0:
            before[g] = driving * (x - t) if x <= by else np.inf
            continue
        ready = serve(problem, r, v, x) if x < np.inf else np.inf
        rest = on_grid(after, low, step, ready) if ready < np.inf else np.inf
        before[g] = rest + driving * (x - t) + waiting * (ready - x) if rest < np.inf else np.inf
    for g in range(len(before) - 2, -1, -1):
        before[g] = min(before[g], before[g + 1] + waiting * step)


@inlined
def leave_at(row: F32, low: float, step: float, t: float, now: float, waiting: float, worth: float) -> float:
    """When to leave a stop where the vehicle is ready at `t`, leaving then costs `now`, and the grid says what later does."""
    k = math.ceil((t - low) / step - 1e-9)
    if k >= len(row) or not waiting * (low + k * step - t) + row[k] < now - worth:
        return t
    while k < len(row) - 1 and row[k] >= (waiting * step + row[k + 1]) * (1.0 - 1e-6):
        k += 1
    return low + k * step


@lean
def best_leave(problem: ProblemArrays, r: int, row: F32, low: float, step: float) -> float:
    """Departure of the round of least cost by the grid (the first of equals); inf = there is none."""
    start, least = np.inf, np.inf
    for g in range(len(row)):
        t = low + g * step
        inside = problem.vehicles[r].leave_from_s - 1e-9 <= t <= problem.vehicles[r].leave_by_s + 1e-9
        if inside and row[g] < least:
            start, least = t, row[g]
    return start


@inlined
def holds(problem: ProblemArrays, state: State, r: int) -> bool:
    """Whether the vehicle of round `r` may hold: driving costs, and nothing in the round asks for other ways of timing it."""
    return (
        state.held_grid.shape[0] > 0
        and problem.vehicles[r].cost_per_driving_s > 0.0
        and state.rounds[r].special == 0
        and may_hold(problem, r)
    )


@inlined
def may_hold(problem: ProblemArrays, r: int) -> bool:
    """Whether nothing about the vehicle itself (rests, longest duration, overtime, balance, reloads) keeps it from holding."""
    return (
        problem.vehicles[r].last_break == problem.vehicles[r].first_break
        and problem.vehicles[r].max_driving_s == np.inf
        and problem.vehicles[r].max_daily_s == np.inf
        and problem.vehicles[r].max_duration_s == np.inf
        and problem.vehicles[r].overtime_after_s == np.inf
        and problem.vehicles[r].balance_per_s2 == 0.0
        and problem.vehicles[r].max_reloads == 0
    )


@lean
def fill_held(problem: ProblemArrays, times: TimesArrays, state: State, r: int) -> None:
    """Costs by time before and after every stop of the round; those that did not change are left alone."""
    low, step, size = state.held_grid[0], state.held_grid[1], state.rounds[r].length
    mine = -1 - r
    came, at = mine, problem.vehicles[r].start_location
    start = state.held_start[r]
    for k in range(size):
        v = state.routes[r, k]
        if state.held_marks[v, 1] != came or state.held_marks[v, 0] == 0:
            before = start
            if k == 0:
                for g in range(len(start)):
                    t = low + g * step
                    inside = problem.vehicles[r].leave_from_s <= t <= problem.vehicles[r].leave_by_s
                    start[g] = 0.0 if inside else np.inf
            else:
                before = state.held_before[state.routes[r, k - 1]]
            cost_before(problem, times, r, at, v, before, state.held_before[v], low, step)
            state.held_count[0] += 1
            state.held_marks[v, 0], state.held_marks[v, 1] = state.held_count[0], came
        came, at = state.held_marks[v, 0], problem.visits[v].location
    goes, after = mine, -1
    for k in range(size - 1, -1, -1):
        v = state.routes[r, k]
        if state.held_marks[v, 3] != goes or state.held_marks[v, 2] == 0:
            row = state.held_after[after] if after >= 0 else start
            cost_after(problem, times, r, problem.visits[v].location, after, row, state.held_after[v], low, step)
            state.held_count[0] += 1
            state.held_marks[v, 2], state.held_marks[v, 3] = state.held_count[0], goes
        goes, after = state.held_marks[v, 2], v
    if size:
        first = state.routes[r, 0]
        cost_after(problem, times, r, problem.vehicles[r].start_location, first, state.held_after[first], start, low, step)


@lean
def drive_held(problem: ProblemArrays, times: TimesArrays, state: State, r: int) -> bool:
    """Drive the round as its grid says: fills its start, end, time driven and ``base_s``; False = that is infeasible."""
    low, step, size, p = state.held_grid[0], state.held_grid[1], state.rounds[r].length, problem.vehicles[r].profile
    driving, waiting = driving_rate(problem, r), waiting_rate(problem, r)
    t, drives, at = best_leave(problem, r, state.held_start[r], low, step), 0.0, problem.vehicles[r].start_location
    start = t
    if t == np.inf:
        state.rounds[r].held_cost = np.inf
        return False
    state.rounds[r].held_cost = on_grid(state.held_start[r], low, step, t)
    for k in range(size + 1):
        v = state.routes[r, k] if k < size else -1
        to = problem.visits[v].location if k < size else problem.vehicles[r].end_location
        if to < 0:
            break
        for turn in range(2):  # as soon as may be, then as late as pays
            x = arrival(times, p, at, to, t)
            ready = serve(problem, r, v, x) if v >= 0 else x
            if turn or k == 0:
                break
            now = np.inf
            if v >= 0 and ready < np.inf:
                now = driving * (x - t) + waiting * (ready - x) + on_grid(state.held_after[v], low, step, ready)
            elif ready < np.inf:
                now = driving * (x - t)
            later = leave_at(state.held_after[state.routes[r, k - 1]], low, step, t, now, waiting, WORTH_S * driving)
            if later == t:
                break
            t = later
            state.base_s[state.routes[r, k - 1]] = t
        if ready == np.inf:
            return False
        drives += x - t
        t, at = ready, to
        if v >= 0:
            state.base_s[v] = t
    if t > problem.vehicles[r].return_by_s + EPS_S:
        return False
    state.rounds[r].start_s, state.rounds[r].end_s, state.rounds[r].plain_end_s = start, t, t
    state.rounds[r].driving_s = drives
    return True


@lean
def place_held(problem: ProblemArrays, times: TimesArrays, state: State, r: int, v: int, k: int) -> float:
    """Least cost of the round's time with visit `v` before position `k`, by some departures from the stop before; inf = none.

    The vehicle may hold everywhere but after `v`.
    """
    low, step, size, p = state.held_grid[0], state.held_grid[1], state.rounds[r].length, problem.vehicles[r].profile
    driving, waiting, count = driving_rate(problem, r), waiting_rate(problem, r), state.held_before.shape[1]
    u = state.routes[r, k] if k < size else -1
    i = problem.vehicles[r].start_location if k == 0 else problem.visits[state.routes[r, k - 1]].location
    at, j = problem.visits[v].location, problem.visits[u].location if k < size else problem.vehicles[r].end_location
    stride = max(1, count // SAMPLES)
    best, found, here, there = np.inf, 0, -1, -1
    sampled = -(-count // stride)
    for n in range(sampled + 2 * (stride - 1)):
        g = n * stride
        if n >= sampled:  # then those next to the best one
            if n == sampled:
                here = there = -1
            g = n - sampled - (stride - 1) + (1 if n - sampled >= stride - 1 else 0) + found
            if best == np.inf or g < 0 or g >= count:
                continue
        t = low + g * step
        spent = 0.0
        if k > 0:
            spent = state.held_before[state.routes[r, k - 1], g]
        elif t < problem.vehicles[r].leave_from_s or t > problem.vehicles[r].leave_by_s:
            continue
        if spent >= best:
            continue
        x, here = travel(times, p, i, at, t, here)
        ready = serve(problem, r, v, x) if x < np.inf else np.inf
        if ready == np.inf:
            continue
        cost = spent + driving * (x - t) + waiting * (ready - x)
        if j >= 0:
            y, there = travel(times, p, at, j, ready, there)
            if y == np.inf:
                continue
            cost += driving * (y - ready)
            if u >= 0:
                left = serve(problem, r, u, y)
                if left == np.inf:
                    continue
                cost += waiting * (left - y) + on_grid(state.held_after[u], low, step, left)
            elif y > problem.vehicles[r].return_by_s + EPS_S:
                continue
        elif ready > problem.vehicles[r].return_by_s + EPS_S:
            continue
        if cost < best:
            best = cost
            if n < sampled:
                found = g
    return best

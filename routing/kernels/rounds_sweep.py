"""The best departure of a round where travel times change often over the day: a sweep over the pieces of its end.

The end of a round is a piecewise-linear, non-decreasing function of its departure, with steps upwards where travel times rise
at once. A departure is followed stop by stop, together with how far it can be put off until something on the way changes;
so every piece costs one pass. As nobody overtakes, a round that leaves at t and lasts g longer than the best one known cannot
become better by leaving less than g later: those pieces are left out.
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import inlined, lean
from routing.kernels.rounds_route import ProblemArrays, service_of
from routing.kernels.rounds_state import State
from routing.kernels.rounds_times import NO_WAY_S, STEP_SNAP_S, TimesArrays, find_slot, first_not_below

MOST_PIECES = 5000
NEXT_S = 1e-3
"""Pieces shorter than this may be passed over."""


@inlined
def leg_in_slots(times: TimesArrays, p: int, i: int, j: int, t: float) -> tuple[float, float, float]:
    """Arrival under SLOTS, its slope by the departure, and for how long both hold on."""
    last, k = len(times.slot_start_s) - 1, find_slot(times.slot_start_s, t)
    d0 = times.slot_s[p, max(k, 0), i, j]
    if d0 == NO_WAY_S:
        return np.inf, 1.0, np.inf
    if k < 0:
        return t + d0, 1.0, times.slot_start_s[0] - t
    if k == last:
        return t + d0, 1.0, np.inf
    x0, x1 = times.slot_start_s[k], times.slot_start_s[k + 1]
    rise = (times.slot_s[p, k + 1, i, j] - d0) / (x1 - x0)
    return t + d0 + (t - x0) * rise, 1.0 + rise, x1 - t


@inlined
def leg_by_function(times: TimesArrays, p: int, i: int, j: int, t: float) -> tuple[float, float, float]:
    """Arrival under FUNCTIONS, its slope by the departure, and for how long both hold on (0 at a point)."""
    n = times.matrix_s.shape[1]
    pair = (p * n + i) * n + j
    a, b = times.first_point[pair], times.first_point[pair + 1]
    if a == b or t < times.point_x_s[a] - STEP_SNAP_S:
        return np.inf, 1.0, np.inf
    k = first_not_below(times.point_x_s, a, b, t - STEP_SNAP_S)
    if k == b:
        return np.inf, 1.0, np.inf
    x1, y1 = times.point_x_s[k], times.point_y_s[k]
    if x1 - t <= STEP_SNAP_S:
        return y1, 1.0, 0.0
    x0, y0 = times.point_x_s[k - 1], times.point_y_s[k - 1]
    slope = (y1 - y0) / (x1 - x0)
    return y0 + (t - x0) * slope, slope, x1 - t


@lean
def sweep_departures(
    problem: ProblemArrays, times: TimesArrays, state: State, r: int, high: float, start: float, shortest: float
) -> float:
    """Departure until `high` of the shortest round, breaks left out, given one that leaves at `start` and lasts `shortest`.

    SLOTS and FUNCTIONS only. O(pieces * length) at most.
    """
    p, size = problem.vehicles[r].profile, state.rounds[r].length
    t = problem.vehicles[r].leave_from_s
    for _ in range(MOST_PIECES):
        x, slope, room, at = t, 1.0, high - t, problem.vehicles[r].start_location
        for k in range(size + 1):
            v = state.routes[r, k] if k < size else -1
            to = problem.visits[v].location if k < size else problem.vehicles[r].end_location
            if to < 0:
                break
            if to != at:
                if times.kind == 1:
                    x, steeper, holds = leg_in_slots(times, p, at, to, x)
                else:
                    x, steeper, holds = leg_by_function(times, p, at, to, x)
                if holds < room * slope:
                    room = holds / slope
                slope *= steeper
            if k == size:
                break
            opens, closes = x, np.inf
            for w in range(problem.visits[v].first_window, problem.visits[v].last_window):
                opens, closes = problem.windows[w].opens_s, problem.windows[w].closes_s
                if x <= closes:
                    break
            if x > closes:
                return start
            if x < opens:
                if opens - x < room * slope:
                    room = (opens - x) / slope
                x, slope = opens, 0.0
            elif closes - x < room * slope:
                room = (closes - x) / slope
            x += service_of(problem, r, v)
            at = to
        lasts = x - t
        if lasts == np.inf:
            return start
        if lasts < shortest - 1e-6:
            start, shortest = t, lasts
        if lasts + (slope - 1.0) * room < shortest - 1e-6:
            start, shortest = t + room, lasts + (slope - 1.0) * room
        t = max(t + room + NEXT_S, x - shortest)
        if t > high:
            return start
    return start

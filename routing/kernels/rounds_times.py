"""Travel times of delivery rounds: arrival functions that never let a later departure arrive earlier (FIFO).

p profiles, n locations, s slots, q periods, c categories. Four kinds share one record so that every kernel compiles once:
STATIC (a matrix), SLOTS (durations at slot starts, linear arrival in between), FUNCTIONS (one piecewise-linear arrival
function per pair, vertical steps allowed: at a step the smallest value holds, as MAMUT defines it) and SPEEDS (a length and
a category per pair, a speed per category and period; Ichoua, Gendreau and Potvin 2003, doi:10.1016/S0377-2217(02)00147-9).
"""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from routing.kernels.jit import inlined

STATIC, SLOTS, FUNCTIONS, SPEEDS = 0, 1, 2, 3
NO_WAY_S = 2_147_483_647
EPS_S = 1e-9
STEP_SNAP_S = 1e-6

F64 = npt.NDArray[np.float64]

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
Records = Any
"""A record array (``np.recarray``): NumPy's types cannot name its fields."""


class TimesArrays(NamedTuple):
    """Arrays of `TravelTimes`, those of the other kinds empty.

    Attributes
    ----------
    kind : int
    matrix_s : float64[p, n, n]
        STATIC: seconds, inf = no way; otherwise the least travel time over the day (a lower bound).
    slot_start_s : float64[s]
    slot_s : int32[p, s, n, n]
        FIFO; `NO_WAY_S` = no way.
    first_point : int64[p * n * n + 1]
    point_x_s, point_y_s : float64[points]
        Departure and arrival.
    length_m : float64[p, n, n] or float64[0, 0, 0]
    work : float64[p, n, n]
        SPEEDS: what is to be driven, in metres or any unit of the speeds.
    category : uint8[p, n, n]
    period_start_s : float64[q]
        The first period also holds before its start, the last one for ever.
    speed, driven : float64[c, q]
        Speed in a period, and what is driven from the first period's start until its own.
    """

    kind: int
    matrix_s: F64
    slot_start_s: F64
    slot_s: npt.NDArray[np.int32]
    first_point: I64
    point_x_s: F64
    point_y_s: F64
    length_m: F64
    work: F64
    category: npt.NDArray[np.uint8]
    period_start_s: F64
    speed: F64
    driven: F64


@inlined
def arrival_by_speed(times: TimesArrays, p: int, i: int, j: int, t: float) -> float:
    """Arrival under SPEEDS when leaving `i` at `t`. O(q)."""
    starts, c = times.period_start_s, times.category[p, i, j]
    k, last = 0, len(starts) - 1
    while k < last and starts[k + 1] <= t:
        k += 1
    goal = times.driven[c, k] + (t - starts[k]) * times.speed[c, k] + times.work[p, i, j]
    while k < last and times.driven[c, k + 1] <= goal:
        k += 1
    return max(t, starts[k] + (goal - times.driven[c, k]) / times.speed[c, k])


@inlined
def latest_by_speed(times: TimesArrays, p: int, i: int, j: int, by: float) -> float:
    """Latest departure from `i` under SPEEDS that reaches `j` by `by`. O(q)."""
    starts, c = times.period_start_s, times.category[p, i, j]
    k, last = 0, len(starts) - 1
    while k < last and starts[k + 1] <= by:
        k += 1
    goal = times.driven[c, k] + (by - starts[k]) * times.speed[c, k] - times.work[p, i, j]
    while k > 0 and times.driven[c, k] > goal:
        k -= 1
    return min(by, starts[k] + (goal - times.driven[c, k]) / times.speed[c, k])


@inlined
def first_not_below(values: F64, a: int, b: int, t: float) -> int:
    """First index in ``a:b`` whose value is at least `t`, else b: from where it would be if they were evenly spread."""
    if a == b or values[a] >= t:
        return a
    if values[b - 1] < t:
        return b
    k = a + int((t - values[a]) / (values[b - 1] - values[a]) * (b - 1 - a))
    low, high, steps = a, b - 1, 0  # values[low] < t <= values[high]
    while high - low > 1:
        if values[k] < t:
            low = k
            k += 1
        else:
            high = k
            k -= 1
        steps += 1
        if steps > 4 or k <= low or k >= high:
            k = (low + high) >> 1
    return high


@inlined
def find_slot(starts: F64, t: float) -> int:
    """Last index with ``starts[index] <= t``; -1 before the first."""
    k = first_not_below(starts, 0, len(starts), t)
    return k if k < len(starts) and starts[k] == t else k - 1


@inlined
def arrival(times: TimesArrays, p: int, i: int, j: int, t: float) -> float:
    """Arrival at `j` when leaving `i` at `t`; inf = no way. Non-decreasing in `t`."""
    if times.kind == 0:
        return t + times.matrix_s[p, i, j]
    if times.kind == 1:
        if i == j:
            return t
        last = len(times.slot_start_s) - 1
        k = find_slot(times.slot_start_s, t)
        d0 = times.slot_s[p, max(k, 0), i, j]
        if d0 == NO_WAY_S:
            return np.inf
        if k < 0 or k == last:
            return t + d0
        x0, x1 = times.slot_start_s[k], times.slot_start_s[k + 1]
        d1 = times.slot_s[p, k + 1, i, j]
        return t + d0 + (t - x0) * (d1 - d0) / (x1 - x0)
    if i == j:
        return t
    if times.kind == 3:
        return arrival_by_speed(times, p, i, j, t)
    n = times.matrix_s.shape[1]
    pair = (p * n + i) * n + j
    a, b = times.first_point[pair], times.first_point[pair + 1]
    return function_value(times.point_x_s, times.point_y_s, a, b, t)


@inlined
def function_value(xs: F64, ys: F64, a: int, b: int, t: float) -> float:
    """Value of the arrival function of points ``a:b``; inf outside its domain."""
    if a == b or t < xs[a] - STEP_SNAP_S:
        return np.inf
    k = first_not_below(xs, a, b, t - STEP_SNAP_S)  # at a vertical step the smallest value
    if k == b:
        return np.inf
    if xs[k] - t <= STEP_SNAP_S:
        return ys[k]
    return ys[k - 1] + (t - xs[k - 1]) / (xs[k] - xs[k - 1]) * (ys[k] - ys[k - 1])


@inlined
def latest_departure(times: TimesArrays, p: int, i: int, j: int, by: float) -> float:
    """Latest departure from `i` that reaches `j` by `by`; -inf if none does."""
    if times.kind == 0:
        return by - times.matrix_s[p, i, j]
    if i == j:
        return by
    if times.kind == 1:
        return _latest_in_slots(times, p, i, j, by)
    if times.kind == 3:
        return latest_by_speed(times, p, i, j, by)
    n = times.matrix_s.shape[1]
    pair = (p * n + i) * n + j
    a, b = times.first_point[pair], times.first_point[pair + 1]
    k = first_not_below(times.point_y_s, a, b, by)
    while k < b and times.point_y_s[k] == by:
        k += 1
    k -= 1  # the last point that is reached by then
    if k < a:
        return -np.inf
    x0, x1 = times.point_x_s[k], times.point_x_s[min(k + 1, b - 1)]
    if x1 == x0:
        return x0
    y0, y1 = times.point_y_s[k], times.point_y_s[k + 1]
    return x0 + (by - y0) / (y1 - y0) * (x1 - x0)


@inlined
def _latest_in_slots(times: TimesArrays, p: int, i: int, j: int, by: float) -> float:
    starts = times.slot_start_s
    if times.slot_s[p, 0, i, j] == NO_WAY_S:
        return -np.inf
    k = find_slot(starts, by - times.slot_s[p, max(find_slot(starts, by), 0), i, j])
    while k < len(starts) - 1 and starts[k + 1] + times.slot_s[p, k + 1, i, j] <= by:
        k += 1
    while k >= 0 and starts[k] + times.slot_s[p, k, i, j] > by:
        k -= 1
    if k < 0:
        return by - times.slot_s[p, 0, i, j]
    d0 = times.slot_s[p, k, i, j]
    if k == len(starts) - 1:
        return by - d0
    x0, x1 = starts[k], starts[k + 1]
    y0, y1 = x0 + d0, x1 + times.slot_s[p, k + 1, i, j]
    return x0 + (by - y0) / (y1 - y0) * (x1 - x0)


@inlined
def service_start(windows: Records, first: int, last: int, t: float) -> float:
    """Earliest start of service in windows ``first:last`` for an arrival at `t` (inf = too late); no windows = at once."""
    if first == last:
        return t
    for k in range(first, last):
        if t <= windows[k].closes_s + EPS_S:
            return max(t, windows[k].opens_s)
    return np.inf


@inlined
def latest_arrival(windows: Records, first: int, last: int, start_by: float) -> float:
    """Latest arrival whose service starts by `start_by`; -inf if none."""
    if first == last:
        return start_by
    for k in range(last - 1, first - 1, -1):
        if windows[k].opens_s <= start_by + EPS_S:
            return min(windows[k].closes_s, start_by)
    return -np.inf

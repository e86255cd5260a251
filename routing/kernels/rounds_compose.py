"""Composition of piecewise-linear arrival functions: the exact duration of a round for every departure.

A function is two arrays (x, y), both non-decreasing; equal x are a vertical step, at which the smallest value holds.

References
----------
Visser and Spliet (2020), Efficient move evaluations for time-dependent vehicle routing problems, doi:10.1287/trsc.2019.0938.
"""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.rounds_times import EPS_S, F64, Records, TimesArrays, arrival_by_speed, latest_by_speed


@kernel
def _push(xs: F64, ys: F64, n: int, x: float, y: float) -> int:
    """Append a point, dropping repeated and collinear ones; return the new count."""
    if n and x <= xs[n - 1] + 1e-12 and y <= ys[n - 1] + 1e-12:
        return n
    if n > 1:
        dx0, dy0 = xs[n - 1] - xs[n - 2], ys[n - 1] - ys[n - 2]
        dx1, dy1 = x - xs[n - 1], y - ys[n - 1]
        if (dx0 == 0.0 and dx1 == 0.0) or (dx0 > 0.0 and dx1 > 0.0 and abs(dy1 * dx0 - dy0 * dx1) <= 1e-10 * dx0 * dx1):
            n -= 1
    xs[n] = x
    ys[n] = y
    return n + 1


@kernel
def compose(fx: F64, fy: F64, gx: F64, gy: F64) -> tuple[F64, F64]:
    """Return ``g(f(x))`` where it is defined (`f` inside the domain of `g`, cut exactly); O(len f + len g)."""
    nf, ng = len(fx), len(gx)
    hx, hy = np.empty(2 * nf + 2 * ng + 4), np.empty(2 * nf + 2 * ng + 4)
    n, k = 0, 0  # k: first point of g with gx[k] >= the current value of f
    if nf == 0 or ng == 0:
        return hx[:0], hy[:0]
    for i in range(nf):
        if i and fx[i] > fx[i - 1] and fy[i] > fy[i - 1]:
            slope = (fx[i] - fx[i - 1]) / (fy[i] - fy[i - 1])
            while k < ng and gx[k] < fy[i]:
                if gx[k] >= fy[i - 1]:  # a breakpoint (or the upper end of a step) of g inside this piece of f
                    n = _push(hx, hy, n, fx[i - 1] + (gx[k] - fy[i - 1]) * slope, gy[k])
                k += 1
        while k < ng and gx[k] < fy[i]:
            k += 1
        if k == ng:
            if fy[i] > gx[ng - 1] + EPS_S:
                break
            n = _push(hx, hy, n, fx[i], gy[ng - 1])
            continue
        if fy[i] < gx[0] - EPS_S:
            continue
        if k == 0 or gx[k] <= fy[i]:
            value = gy[k]
        else:
            value = gy[k - 1] + (fy[i] - gx[k - 1]) / (gx[k] - gx[k - 1]) * (gy[k] - gy[k - 1])
        n = _push(hx, hy, n, fx[i], value)
    return hx[:n].copy(), hy[:n].copy()


@kernel
def slot_function(times: TimesArrays, p: int, i: int, j: int, low: float, high: float) -> tuple[F64, F64]:
    """Arrival function of one pair in SLOTS or STATIC times over departures [low, high]."""
    starts = times.slot_start_s
    xs, ys = np.empty(len(starts) + 2), np.empty(len(starts) + 2)
    n = 0
    if times.kind == 0 or i == j:
        d = 0.0 if i == j else times.matrix_s[p, i, j]
        if d == np.inf:
            return xs[:0], ys[:0]
        xs, ys = np.empty(2), np.empty(2)
        xs[0], xs[1] = low, high
        ys[0], ys[1] = low + d, high + d
        return xs, ys
    last = len(starts) - 1
    for k in range(len(starts)):
        d = times.slot_s[p, k, i, j]
        if d == 2147483647:
            return xs[:0], ys[:0]
        if k == 0 and low < starts[0]:
            xs[n], ys[n] = low, low + d
            n += 1
        if (k == last or starts[k + 1] > low) and (k == 0 or starts[k - 1] < high):
            xs[n], ys[n] = starts[k], starts[k] + d
            n += 1
        if k == last and high > starts[last]:
            xs[n], ys[n] = high, high + d
            n += 1
    return xs[:n], ys[:n]


@kernel
def speed_function(times: TimesArrays, p: int, i: int, j: int, low: float, high: float) -> tuple[F64, F64]:
    """Arrival function of one pair in SPEEDS over departures [low, high]: breaks where departure or arrival change periods."""
    starts = times.period_start_s
    xs = np.empty(2 * len(starts) + 2)
    xs[0], n = low, 1
    for k in range(1, len(starts)):
        for x in (starts[k], latest_by_speed(times, p, i, j, starts[k])):
            if low < x < high:
                xs[n] = x
                n += 1
    if high > low:
        xs[n] = high
        n += 1
    xs = np.sort(xs[:n])
    ys = np.empty(n)
    for k in range(n):
        ys[k] = arrival_by_speed(times, p, i, j, xs[k])
        if k:
            ys[k] = max(ys[k], ys[k - 1])
    return xs, ys


@kernel
def arrival_function(times: TimesArrays, p: int, i: int, j: int, low: float, high: float) -> tuple[F64, F64]:
    """Arrival function of one pair covering the departures [low, high] where it is defined."""
    if times.kind == 3 and i != j:
        return speed_function(times, p, i, j, low, high)
    if times.kind != 2 or i == j:
        return slot_function(times, p, i, j, low, high)
    n = times.matrix_s.shape[1]
    pair = (p * n + i) * n + j
    a, b = times.first_point[pair], times.first_point[pair + 1]
    return times.point_x_s[a:b], times.point_y_s[a:b]


@kernel
def window_function(windows: Records, first: int, last: int, low: float, service: float) -> tuple[F64, F64]:
    """Departure after service as a function of the arrival: waits for a window, is undefined after the last one.

    A window may close to arrivals before it opens (`routing.rounds.sure`).
    """
    n = last - first
    xs, ys = np.empty(3 * n + 1), np.empty(3 * n + 1)
    xs[0], ys[0] = min(low, windows[first].opens_s, windows[first].closes_s), windows[first].opens_s + service
    m = 1
    for k in range(first, last):
        if k > first:
            xs[m], ys[m] = windows[k - 1].closes_s, windows[k].opens_s + service
            m += 1
        xs[m], ys[m] = min(windows[k].opens_s, windows[k].closes_s), windows[k].opens_s + service
        xs[m + 1], ys[m + 1] = windows[k].closes_s, max(windows[k].opens_s, windows[k].closes_s) + service
        m += 2
    return xs[:m], ys[:m]

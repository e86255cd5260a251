"""Positions of traces put in order, and those set aside that say nothing."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

USED, OUTLIER, OFF_STREET, DUPLICATE, INVALID = 0, 5, 6, 7, 8
"""Values of `Points.status`: as in `routing.street.matching.PointStatus`, 0 for positions to be matched."""

_METRES_PER_DEGREE = 111_319.49


@dataclass(frozen=True, slots=True)
class Points:
    """Positions sorted by trace and time.

    Attributes
    ----------
    first : int64[t + 1]
        Positions of a trace.
    order : int64[k]
        Number of each position as it was given.
    lat_deg, lon_deg, time_s : float64[k]
        Time NaN = unknown.
    status : int8[k]
    """

    first: Int64
    order: Int64
    lat_deg: Float64
    lon_deg: Float64
    time_s: Float64
    status: npt.NDArray[np.int8]

    def chunks(self, most: int) -> list[tuple[int, int]]:
        """Ranges of traces with about `most` positions each (one trace is never split)."""
        cuts, begin = [], 0
        traces = len(self.first) - 1
        for trace in range(traces):
            if self.first[trace + 1] - self.first[begin] >= most or trace == traces - 1:
                cuts.append((begin, trace + 1))
                begin = trace + 1
        return cuts


def in_order(
    lat_deg: npt.ArrayLike,
    lon_deg: npt.ArrayLike,
    time_s: npt.ArrayLike | None,
    first_point: npt.ArrayLike | None,
    max_mps: float,
) -> Points:
    """Sort the positions of every trace by time; mark those without sense, repeated ones and jumps there and back.

    Raises
    ------
    InvalidInput
        For columns of different lengths, or traces that do not cover the positions.
    """
    lat, lon = np.atleast_1d(np.asarray(lat_deg, np.float64)), np.atleast_1d(np.asarray(lon_deg, np.float64))
    k = len(lat)
    time = np.full(k, np.nan) if time_s is None else np.atleast_1d(np.asarray(time_s, np.float64))
    if lat.ndim != 1 or lat.shape != lon.shape or lat.shape != time.shape:
        raise InvalidInput(
            f"lat_deg {lat.shape}, lon_deg {lon.shape} and time_s {time.shape} must be equally long columns", "lat_deg"
        )
    first = np.array([0, k]) if first_point is None else np.atleast_1d(np.asarray(first_point, np.int64))
    if first.ndim != 1 or len(first) < 1 or first[0] != 0 or first[-1] != k or (np.diff(first) < 0).any():
        raise InvalidInput(f"first_point must rise from 0 to the number of positions, {k}", "first_point")
    trace = np.repeat(np.arange(len(first) - 1), np.diff(first))
    bad = ~((np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0))
    if time_s is not None:
        bad |= ~np.isfinite(time)
    order = np.arange(k)
    if time_s is not None and not _sorted(trace, time):
        order = np.lexsort((time, trace))
    lat, lon, time, trace = lat[order], lon[order], time[order], trace[order]
    status = np.where(bad[order], INVALID, USED).astype(np.int8)
    if time_s is not None:
        kept = np.flatnonzero(status == USED)
        same = (time[kept][1:] == time[kept][:-1]) & (trace[kept][1:] == trace[kept][:-1])
        status[kept[1:][same]] = DUPLICATE
        _mark_jumps(lat, lon, time, trace, status, max_mps)
    return Points(first.astype(np.int64), order, lat, lon, time, status)


def _sorted(trace: Int64, time: Float64) -> bool:
    return bool(((np.diff(time) >= 0) | (np.diff(trace) > 0)).all())


def _mark_jumps(lat: Float64, lon: Float64, time: Float64, trace: Int64, status: npt.NDArray[np.int8], max_mps: float) -> None:
    """Mark positions that are reached and left too fast while their neighbours fit each other."""
    kept = np.flatnonzero(status == USED)
    if len(kept) < 3:
        return
    a, b, c = kept[:-2], kept[1:-1], kept[2:]

    def fast(p: Int64, q: Int64) -> npt.NDArray[np.bool_]:
        north = (lat[q] - lat[p]) * _METRES_PER_DEGREE
        east = (lon[q] - lon[p]) * _METRES_PER_DEGREE * np.cos(np.radians(lat[p]))
        too_fast: npt.NDArray[np.bool_] = np.hypot(north, east) > max_mps * (time[q] - time[p]) + 100.0
        return too_fast

    jump = (trace[a] == trace[c]) & fast(a, b) & fast(b, c) & ~fast(a, c)
    status[b[jump]] = OUTLIER

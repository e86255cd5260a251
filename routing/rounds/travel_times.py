"""Travel times between the locations of a problem: time-dependent, first in first out.

SLOTS: the duration is given at the start of each slot; the arrival is linear in between, the duration constant before the
first and after the last slot. Where a later departure would arrive earlier, the arrival is lowered to that of the later
departure (waiting on the way never helps then): the lower envelope of Malandraki and Daskin (1992), doi:10.1287/trsc.26.3.185.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_times import FUNCTIONS, NO_WAY_S, SLOTS, SPEEDS, STATIC, STEP_SNAP_S, TimesArrays
from routing.rounds.errors import InvalidProblemError

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TravelTimes:
    """Arrival functions of p profiles over n locations.

    Attributes
    ----------
    arrays : TimesArrays
        What the kernels read.
    lowered : int
        Number of slot durations that were lowered to restore first in, first out.
    """

    arrays: TimesArrays
    lowered: int = 0

    @classmethod
    def static(cls, duration_s: npt.ArrayLike, length_m: npt.ArrayLike | None = None) -> "TravelTimes":
        """Times that do not change: float[n, n] or float[p, n, n], inf = no way.

        Raises
        ------
        InvalidProblemError
            Not square, NaN or negative.
        """
        matrix = _cube("duration_s", duration_s)
        return cls(_arrays(STATIC, matrix, length_m))

    @classmethod
    def slots(cls, slots_s: npt.ArrayLike, duration_s: npt.ArrayLike, length_m: npt.ArrayLike | None = None) -> "TravelTimes":
        """Durations int32[s, n, n] or [p, s, n, n] at the slot starts `slots_s` [s]; `NO_WAY_S` = no way (then in all slots).

        Raises
        ------
        InvalidProblemError
            Wrong shape, negative durations or slots out of order.
        """
        starts = np.ascontiguousarray(slots_s, np.float64)
        given = np.asarray(duration_s)
        if given.dtype.kind == "f" and not np.isfinite(given).all():
            raise InvalidProblemError.of("duration_s", "holds NaN or infinite values; write NO_WAY_S where there is no way")
        durations = np.array(given, np.int32, ndmin=3)
        durations = durations[None] if durations.ndim == 3 else durations
        if (
            durations.ndim != 4
            or durations.shape[2] != durations.shape[3]
            or durations.shape[1] != len(starts)
            or not len(starts)
        ):
            raise InvalidProblemError.of(
                "duration_s", f"must be [slots, n, n] with {len(starts)} slots and at least one, not {durations.shape[1:]}"
            )
        if (durations < 0).any():
            raise InvalidProblemError.of("duration_s", f"holds {int((durations < 0).sum())} negative durations")
        if not np.isfinite(starts).all() or (np.diff(starts) <= 0).any():
            raise InvalidProblemError.of("slots_s", "slot starts must be finite and increasing")
        lowered = restore_fifo(starts, durations)
        least = durations.min(axis=1).astype(np.float64)
        least[durations.min(axis=1) == NO_WAY_S] = math.inf
        arrays = _arrays(SLOTS, least, length_m)._replace(slot_start_s=starts, slot_s=durations)
        return cls(arrays, lowered)

    @classmethod
    def functions(cls, n: int, arcs: Mapping[tuple[int, int], tuple[Sequence[float], Sequence[float]]]) -> "TravelTimes":
        """One arrival function (departures, arrivals; both non-decreasing, vertical steps allowed) per pair.

        Raises
        ------
        InvalidProblemError
            A function that decreases, has no points, or holds NaN.
        """
        first = np.zeros(n * n + 1, np.int64)
        for (i, j), (xs, _) in arcs.items():
            first[i * n + j + 1] = len(xs)
        np.cumsum(first, out=first)
        x, y = np.empty(first[-1]), np.empty(first[-1])
        least = np.full((1, n, n), math.inf)
        for (i, j), (xs, ys) in arcs.items():
            a, b = first[i * n + j], first[i * n + j + 1]
            x[a:b], y[a:b] = xs, ys
            if a == b or not (np.diff(x[a:b]) >= 0).all() or not (np.diff(y[a:b]) >= 0).all():
                raise InvalidProblemError.of(f"arcs[{i},{j}]", "an arrival function needs points that never decrease")
            least[0, i, j] = (y[a:b] - x[a:b]).min()
        np.einsum("pii->pi", least)[:] = 0.0
        return cls(_arrays(FUNCTIONS, least, None)._replace(first_point=first, point_x_s=x, point_y_s=y))

    @classmethod
    def speeds(
        cls, work: npt.ArrayLike, category: npt.ArrayLike, period_start_s: npt.ArrayLike, speed: npt.ArrayLike
    ) -> "TravelTimes":
        """Speeds by category and period (Ichoua, Gendreau and Potvin 2003): exact, and as small as two matrices.

        Parameters
        ----------
        work : float[n, n] or float[p, n, n]
            Length of every pair in the unit of the speeds; inf = no way.
        category : int[n, n] or int[p, n, n]
            Row of `speed` that holds for the pair, at most 255.
        period_start_s : float[q]
            Starts of the periods, increasing; the first also holds before its start, the last one for ever.
        speed : float[c, q]
            Units a second, above 0.

        Raises
        ------
        InvalidProblemError
            Shapes that do not fit together, negative lengths, unknown categories, speeds that are not above 0.
        """
        lengths, starts = _cube("work", work), np.ascontiguousarray(period_start_s, np.float64)
        given, table = np.array(category, np.int64, ndmin=3), np.array(speed, np.float64, ndmin=2)
        if not len(starts) or not np.isfinite(starts).all() or (np.diff(starts) <= 0).any():
            raise InvalidProblemError.of("period_start_s", "period starts must be finite and increasing, at least one")
        if given.shape != lengths.shape:
            raise InvalidProblemError.of("category", f"has shape {given.shape}, the lengths {lengths.shape}")
        if table.ndim != 2 or table.shape[1] != len(starts) or len(table) > 256:
            raise InvalidProblemError.of("speed", f"must be [categories, {len(starts)} periods], not of shape {table.shape}")
        if not (np.isfinite(table) & (table > 0)).all():
            raise InvalidProblemError.of("speed", "speeds must be finite and above 0")
        if given.size and not (given.min() >= 0 and given.max() < len(table)):
            raise InvalidProblemError.of("category", f"must be from 0 to {len(table) - 1}")
        driven = np.zeros_like(table)
        driven[:, 1:] = np.cumsum(np.diff(starts) * table[:, :-1], axis=1)
        least = lengths / table.max(axis=1)[given]
        np.einsum("pii->pi", least)[:] = 0.0
        arrays = _arrays(SPEEDS, least, None)._replace(
            work=lengths, category=given.astype(np.uint8), period_start_s=starts, speed=table, driven=driven
        )
        return cls(arrays)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was mended in the times, in words."""
        if not self.lowered:
            return ()
        return (
            f"{self.lowered} travel times were lowered, because whoever left later would have arrived earlier: "
            "check the times of neighbouring slots if that was not meant",
        )

    @property
    def location_count(self) -> int:
        """Number of locations n."""
        return int(self.arrays.matrix_s.shape[1])

    @property
    def profile_count(self) -> int:
        """Number of profiles p."""
        return int(self.arrays.matrix_s.shape[0])

    @property
    def has_lengths(self) -> bool:
        """Whether distances are known."""
        return self.arrays.length_m.size > 0

    def length_m(self, profile: int, i: int, j: int) -> float:
        """Distance from `i` to `j`; 0 where lengths are unknown."""
        return float(self.arrays.length_m[profile, i, j]) if self.has_lengths else 0.0

    def arrival_s(self, profile: int, i: int, j: int, t: float) -> float:
        """Arrival at `j` when leaving `i` at `t` (inf = no way): plain Python, shares no code with the kernels."""
        arrays = self.arrays
        if arrays.kind == STATIC:
            return float(t + arrays.matrix_s[profile, i, j])
        if i == j:
            return t
        if arrays.kind == SLOTS:
            durations = arrays.slot_s[profile, :, i, j].astype(float)
            if durations[0] == NO_WAY_S:
                return math.inf
            starts = arrays.slot_start_s
            if t <= starts[0]:
                return float(t + durations[0])
            if t >= starts[-1]:
                return float(t + durations[-1])
            return float(np.interp(t, starts, starts + durations))
        if arrays.kind == SPEEDS:
            return self._driven_until(profile, i, j, t)
        n = self.location_count
        a, b = arrays.first_point[i * n + j], arrays.first_point[i * n + j + 1]
        xs, ys = arrays.point_x_s[a:b], arrays.point_y_s[a:b]
        near = np.flatnonzero(np.abs(xs - t) <= STEP_SNAP_S)
        if len(near):
            return float(ys[near[0]])
        if not len(xs) or t < xs[0] or t > xs[-1]:
            return math.inf
        k = int(np.searchsorted(xs, t))
        return float(ys[k - 1] + (t - xs[k - 1]) / (xs[k] - xs[k - 1]) * (ys[k] - ys[k - 1]))

    def _driven_until(self, profile: int, i: int, j: int, t: float) -> float:
        """Drive period by period until nothing is left."""
        left, speed = float(self.arrays.work[profile, i, j]), self.arrays.speed[self.arrays.category[profile, i, j]]
        starts = self.arrays.period_start_s
        k = max(0, int(np.searchsorted(starts, t, "right")) - 1)
        while k < len(starts) - 1 and t + left / speed[k] > starts[k + 1]:
            left -= (starts[k + 1] - t) * speed[k]
            t, k = float(starts[k + 1]), k + 1
        return float(t + left / speed[k])

    def mean_s(self, low_s: float, high_s: float) -> F64:
        """Mean travel time float64[p, n, n] of departures spread over [low_s, high_s]; inf = no way."""
        return self._sampled(low_s, high_s, worst=False)

    def worst_s(self, low_s: float, high_s: float) -> F64:
        """Longest travel time float64[p, n, n] of departures in [low_s, high_s] (at slot starts; sampled for functions)."""
        return self._sampled(low_s, high_s, worst=True)

    def _sampled(self, low_s: float, high_s: float, worst: bool) -> F64:
        arrays = self.arrays
        if arrays.kind == STATIC:
            return arrays.matrix_s.copy()
        if arrays.kind == SLOTS:
            k0 = max(0, int(np.searchsorted(arrays.slot_start_s, low_s, "right")) - 1)
            k1 = max(k0 + 1, int(np.searchsorted(arrays.slot_start_s, high_s, "left")) + 1)
            part = arrays.slot_s[:, k0:k1]
            answer = part.max(axis=1).astype(np.float64) if worst else part.mean(axis=1)
            return np.where(np.isinf(arrays.matrix_s), math.inf, answer)
        if arrays.kind == SPEEDS:
            return self._sampled_speeds(low_s, high_s, worst)
        n = self.location_count
        answer = np.full((1, n, n), math.inf)
        at = np.linspace(low_s, high_s, 25)
        for i in range(n):
            for j in range(n):
                a, b = arrays.first_point[i * n + j], arrays.first_point[i * n + j + 1]
                if b > a:
                    inside = at[(at >= arrays.point_x_s[a]) & (at <= arrays.point_x_s[b - 1])]
                    late = np.interp(inside, arrays.point_x_s[a:b], arrays.point_y_s[a:b]) - inside
                    answer[0, i, j] = (late.max() if worst else late.mean()) if len(inside) else arrays.matrix_s[0, i, j]
        np.einsum("pii->pi", answer)[:] = 0.0
        return answer

    def _sampled_speeds(self, low_s: float, high_s: float, worst: bool) -> F64:
        arrays, answer, moments = self.arrays, np.zeros(self.arrays.work.shape), np.linspace(low_s, high_s, 9)
        clock = np.append(arrays.period_start_s, arrays.period_start_s[-1] + 1e9)
        for t in moments:
            late = np.empty_like(answer)
            for c, (driven, speed) in enumerate(zip(arrays.driven, arrays.speed, strict=True)):
                road, own = np.append(driven, driven[-1] + 1e9 * speed[-1]), arrays.category == c
                late[own] = np.interp(np.interp(t, clock, road) + arrays.work[own], road, clock) - t
            answer = np.maximum(answer, late) if worst else answer + late / len(moments)
        return np.where(np.isinf(arrays.matrix_s), math.inf, answer)


def restore_fifo(starts: F64, durations: npt.NDArray[np.int32]) -> int:
    """Lower durations int32[p, s, …] at slot starts until no later departure arrives earlier; return how many were lowered."""
    lowered = 0
    for k in range(len(starts) - 2, -1, -1):
        limit = durations[:, k + 1].astype(np.int64) + math.floor(starts[k + 1] - starts[k])
        early = (durations[:, k] > limit) & (durations[:, k + 1] != NO_WAY_S) & (durations[:, k] != NO_WAY_S)
        lowered += int(early.sum())
        durations[:, k] = np.where(early, np.minimum(limit, NO_WAY_S), durations[:, k]).astype(np.int32)
    closed = (durations == NO_WAY_S).any(axis=1)
    durations[np.broadcast_to(closed[:, None], durations.shape)] = NO_WAY_S
    return lowered


def _cube(name: str, values: npt.ArrayLike) -> F64:
    cube = np.array(values, np.float64, ndmin=2)
    cube = cube[None] if cube.ndim == 2 else cube
    if cube.ndim != 3 or cube.shape[1] != cube.shape[2]:
        raise InvalidProblemError.of(name, f"must be a square matrix (or one per profile), not of shape {cube.shape}")
    if np.isnan(cube).any():
        raise InvalidProblemError.of(name, f"holds {int(np.isnan(cube).sum())} NaN values")
    if (cube < 0).any():
        raise InvalidProblemError.of(name, f"holds {int((cube < 0).sum())} negative values")
    return np.ascontiguousarray(cube)


def _arrays(kind: int, matrix: F64, length_m: npt.ArrayLike | None) -> TimesArrays:
    lengths = np.empty((0, 0, 0)) if length_m is None else _cube("length_m", length_m)
    if lengths.size and lengths.shape != matrix.shape:
        if lengths.shape[0] != 1 or lengths.shape[1:] != matrix.shape[1:]:
            raise InvalidProblemError.of("length_m", f"has shape {lengths.shape}, the travel times {matrix.shape}")
        lengths = np.ascontiguousarray(np.broadcast_to(lengths, matrix.shape))
    no_points, no_slots = np.empty(0), np.empty((1, 0, 0, 0), np.int32)
    return TimesArrays(
        kind, np.ascontiguousarray(matrix), no_points, no_slots, np.zeros(1, np.int64), no_points, no_points, lengths,
        np.empty((1, 0, 0)), np.empty((1, 0, 0), np.uint8), no_points, np.empty((1, 0)), np.empty((1, 0)),
    )  # fmt: skip

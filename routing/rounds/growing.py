"""Travel times with room for locations to come: a new one fills one row and one column in place."""

from typing import Any

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_growing import lay_location, restore_rows
from routing.kernels.rounds_times import NO_WAY_S, SLOTS, STATIC
from routing.rounds.errors import InvalidProblemError
from routing.rounds.travel_times import TravelTimes

I32 = npt.NDArray[np.int32]
F64 = npt.NDArray[np.float64]


class GrowingTimes:
    """Travel times of `used` locations, with cells for some more.

    Parameters
    ----------
    times : TravelTimes
        Copied.
    room : int
        Locations that can be added before the arrays are made anew.
    used : int, optional
        Locations that are known, if `times` has room already.
    """

    def __init__(self, times: TravelTimes, room: int, used: int | None = None) -> None:
        self.used, self.room = times.location_count if used is None else used, room
        self.times = _padded(times, room)

    def add(self, from_it_s: npt.ArrayLike, to_it_s: npt.ArrayLike, lengths_m: tuple[F64, F64] | None = None) -> int:
        """Add a location; O(p s n).

        Parameters
        ----------
        from_it_s, to_it_s : int32[p, s, used + 1] or float64[p, used + 1]
            Durations from and to it (in slots; `NO_WAY_S` = none), or those that do not change (inf = none).
        lengths_m : (float64[p, used + 1], float64[p, used + 1]), optional
            Metres from and to it.

        Returns
        -------
        int
            Its index.

        Raises
        ------
        InvalidProblemError
            Other kinds of travel times, wrong shapes, negative durations, lengths missing.
        """
        arrays, at, n = self.times.arrays, self.used, self.used + 1
        if arrays.kind not in (STATIC, SLOTS):
            raise InvalidProblemError.of(
                "travel_times", "locations can be added to matrices only: one for all day, or by slots"
            )
        shape = (*arrays.matrix_s.shape[:1], *(() if arrays.kind == STATIC else arrays.slot_s.shape[1:2]), n)
        dtype: Any = np.float64 if arrays.kind == STATIC else np.int32
        rows: list[Any] = [np.array(given, dtype, order="C") for given in (from_it_s, to_it_s)]
        for name, row in zip(("from_it_s", "to_it_s"), rows, strict=True):
            if row.shape != shape:
                raise InvalidProblemError.of(name, f"has shape {row.shape} instead of {shape}")
            if np.isnan(row).any() or (row < 0).any():
                raise InvalidProblemError.of(name, "holds negative durations or NaN")
            row[..., at] = 0
        if self.times.has_lengths and lengths_m is None:
            raise InvalidProblemError.of("lengths_m", "the other locations have lengths, so must this one")
        if n > arrays.matrix_s.shape[1]:
            self.times = _padded(self.times, max(self.room, 1))
            arrays = self.times.arrays
        self.used = n
        if arrays.kind == STATIC:
            arrays.matrix_s[:, at, :n], arrays.matrix_s[:, :n, at] = rows
        else:
            for row in rows:
                restore_rows(arrays.slot_start_s, row)
            lay_location(rows[0], rows[1], arrays.slot_s, arrays.matrix_s)
        if lengths_m is not None and self.times.has_lengths:
            arrays.length_m[:, at, :n], arrays.length_m[:, :n, at] = lengths_m
            arrays.length_m[:, at, at] = 0.0
        return at

    def drop(self, location_count: int) -> None:
        """Forget the locations from `location_count` on."""
        self.used = min(self.used, location_count)


def _padded(times: TravelTimes, room: int) -> TravelTimes:
    """Copy of the times with `room` more locations that nobody can reach."""
    arrays, n = times.arrays, times.location_count
    p, size = times.profile_count, n + room
    matrix = np.full((p, size, size), np.inf)
    matrix[:, :n, :n] = arrays.matrix_s
    changed: dict[str, Any] = {"matrix_s": matrix}
    if arrays.kind == SLOTS:
        slots = np.full((p, arrays.slot_s.shape[1], size, size), NO_WAY_S, np.int32)
        slots[:, :, :n, :n] = arrays.slot_s
        changed["slot_s"] = slots
    elif arrays.kind != STATIC:
        return times
    if times.has_lengths:
        lengths = np.zeros((p, size, size))
        lengths[:, :n, :n] = arrays.length_m
        changed["length_m"] = lengths
    return TravelTimes(arrays._replace(**changed), times.lowered)

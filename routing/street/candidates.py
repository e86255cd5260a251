"""Several streets near a position, to choose from: by distance, side, bearing or name."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import street_candidates as kernels
from routing.street.network import frozen
from routing.street.snapping import SnapGrid

MOST_CANDIDATES = 64


@dataclass(frozen=True, slots=True)
class Candidates:
    """Streets near k positions, at most c each, nearest first; what lies beyond `count` is filled with -1 and NaN.

    Attributes
    ----------
    count : int32[k]
        0 where no street is near enough, or the position is not finite.
    arc : int32[k, c]
    fraction : float32[k, c]
        Where along the arc, by length.
    distance_m : float32[k, c]
    side : int8[k, c]
        Where the position lies as seen in the direction of the arc: 1 right, -1 left, 0 on the street.
    bearing_deg : float32[k, c]
        Direction of the arc there, clockwise from north.
    """

    count: npt.NDArray[np.int32]
    arc: npt.NDArray[np.int32]
    fraction: npt.NDArray[np.float32]
    distance_m: npt.NDArray[np.float32]
    side: npt.NDArray[np.int8]
    bearing_deg: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.count)

    def take(self, rows: npt.ArrayLike) -> "Candidates":
        """Keep the positions at `rows` (anything NumPy indexes with)."""
        at = np.asarray(rows)
        columns = (self.count, self.arc, self.fraction, self.distance_m, self.side, self.bearing_deg)
        kept: list[Any] = [frozen(column[at]) for column in columns]
        return Candidates(*kept)

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """Places that hold a candidate: bool[k, c]."""
        valid: npt.NDArray[np.bool_] = np.arange(self.arc.shape[1]) < self.count[:, None]
        return valid


def list_candidates(
    grid: SnapGrid,
    lat_deg: npt.ArrayLike,
    lon_deg: npt.ArrayLike,
    usable: npt.NDArray[np.bool_],
    max_distance_m: float,
    most: int,
    *,
    both_directions: bool,
) -> Candidates:
    """Streets within `max_distance_m` of every position; positions that are not finite have none.

    Parameters
    ----------
    grid : SnapGrid
    lat_deg, lon_deg : float[k]
    usable : bool[m]
        Arcs that may be chosen.
    max_distance_m : float
    most : int
        Greatest number of candidates of a position.
    both_directions : bool
        A street usable in both directions is two candidates; else one.

    Raises
    ------
    InvalidInput
        For columns that do not pair up, a radius or a number out of bounds.
    """
    lat = np.atleast_1d(np.asarray(lat_deg, np.float64))
    lon = np.atleast_1d(np.asarray(lon_deg, np.float64))
    if lat.shape != lon.shape or lat.ndim != 1:
        raise InvalidInput(f"{lat.shape} latitudes and {lon.shape} longitudes do not pair up", "lon_deg")
    if not 0.0 <= max_distance_m <= 10_000.0:
        raise InvalidInput(f"max_distance_m = {max_distance_m} is not between 0 and 10000", "max_distance_m")
    if not 1 <= most <= MOST_CANDIDATES:
        raise InvalidInput(f"most = {most} candidates is not between 1 and {MOST_CANDIDATES}", "most")
    k, graph = len(lat), grid.graph
    shape = (k, most)
    columns: list[npt.NDArray[Any]] = [
        np.zeros(k, np.int32), np.full(shape, -1, np.int32), np.full(shape, np.nan, np.float32),
        np.full(shape, np.nan, np.float32), np.zeros(shape, np.int8), np.full(shape, np.nan, np.float32),
    ]  # fmt: skip
    kernels.candidates(
        frozen(lat), frozen(lon), usable, graph.arc_reverse, graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7,
        grid.cells, float(max_distance_m), bool(both_directions), kernels.Found(*columns),
    )  # fmt: skip
    count, arc, fraction, distance_m, side, bearing_deg = (frozen(column) for column in columns)
    return Candidates(count, arc, fraction, distance_m, side, bearing_deg)

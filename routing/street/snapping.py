"""From positions to streets."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import street_snap as kernels
from routing.kernels.street_candidates import Grid
from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.street.network import frozen

_MAX_CELLS = 4_000_000
_CELL_E7 = 10_000  # about 111 m


@dataclass(frozen=True, slots=True)
class Snaps:
    """Positions on the street network; k positions.

    Attributes
    ----------
    arc : int32[k]
        -1 where no street is near enough.
    fraction : float32[k]
        Where along the arc, by length, 0 at its tail (NaN without arc).
    distance_m : float32[k]
        From the position asked for to the street (NaN without arc).
    lat_deg, lon_deg : float64[k]
        The point on the street (NaN without arc).
    side : int8[k], optional
        Where the position lies as seen in the direction of the arc: 1 right, -1 left, 0 on the street or not known.
    directed : bool[k], optional
        The street may be left and reached in the direction of the arc only; default: never.
    """

    arc: npt.NDArray[np.int32]
    fraction: npt.NDArray[np.float32]
    distance_m: npt.NDArray[np.float32]
    lat_deg: npt.NDArray[np.float64]
    lon_deg: npt.NDArray[np.float64]
    side: npt.NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))
    directed: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))

    def __post_init__(self) -> None:
        # one array type (contiguous, read-only) whatever they come from: kernels are compiled per type
        for name, dtype in (("arc", np.int32), ("fraction", np.float32), ("distance_m", np.float32)):
            object.__setattr__(self, name, frozen(np.asarray(getattr(self, name), dtype)))
        for name in ("side", "directed"):
            given: npt.NDArray[Any] = np.asarray(getattr(self, name), np.int8 if name == "side" else np.bool_)
            if len(given) not in (0, len(self.arc)):
                raise InvalidInput(f"snaps: {len(given)} entries in {name} beside {len(self.arc)} arcs", name)
            object.__setattr__(self, name, frozen(given if len(given) else np.zeros(len(self.arc), given.dtype)))
        if not len(self.arc) == len(self.fraction) == len(self.distance_m) == len(self.lat_deg) == len(self.lon_deg):
            raise InvalidInput(f"snaps: columns of different lengths beside {len(self.arc)} arcs", "arc")

    @classmethod
    def made(
        cls,
        arc: npt.NDArray[np.int32],
        fraction: npt.NDArray[np.float32],
        distance_m: npt.NDArray[np.float32],
        lat_deg: npt.NDArray[np.float64],
        lon_deg: npt.NDArray[np.float64],
    ) -> "Snaps":
        """Snaps of fresh arrays of the right types and one length, which nobody else holds: they are not checked or copied."""
        snaps = object.__new__(cls)
        nowhere, never = np.zeros(len(arc), np.int8), np.zeros(len(arc), np.bool_)
        kept: tuple[npt.NDArray[Any], ...] = (arc, fraction, distance_m, nowhere, never)
        for column in kept:
            column.flags.writeable = False
        for name, column in zip(cls.__slots__, (*kept[:3], lat_deg, lon_deg, *kept[3:]), strict=True):
            object.__setattr__(snaps, name, column)
        return snaps

    def __len__(self) -> int:
        return len(self.arc)

    def fraction_on(self, arc: int, i: int) -> float:
        """Where position `i` lies on `arc`, which is its arc or the reverse of it."""
        fraction = float(self.fraction[i])
        return fraction if arc == self.arc[i] else 1.0 - fraction

    def take(self, index: npt.ArrayLike) -> "Snaps":
        """Keep the positions at `index` (anything NumPy indexes with)."""
        rows = np.atleast_1d(np.asarray(index))
        kept = object.__new__(Snaps)  # columns that fit each other still do: no need to check them again
        for name in Snaps.__slots__:
            column: npt.NDArray[Any] = getattr(self, name)[rows]
            column.flags.writeable = getattr(self, name).flags.writeable
            object.__setattr__(kept, name, column)
        return kept


class SnapGrid:
    """Grid over all street segments; building it takes some 20 ms per 100 000 arcs."""

    def __init__(self, graph: StreetGraph) -> None:
        self.graph = graph
        lat, lon = graph.shape_lat_e7, graph.shape_lon_e7
        self._south, self._west = (float(lat.min()), float(lon.min())) if len(lat) else (0.0, 0.0)
        height, width = (float(lat.max()) - self._south, float(lon.max()) - self._west) if len(lat) else (0.0, 0.0)
        stretch = max(float(np.cos(np.radians((self._south + height / 2) * 1e-7))), 0.01)
        cell = max(_CELL_E7, (height * width * stretch / _MAX_CELLS) ** 0.5)
        self._cell_lat, self._cell_lon = float(cell), float(cell / stretch)
        self._rows, self._columns = int(height / self._cell_lat) + 1, int(width / self._cell_lon) + 1
        numbers = np.arange(graph.arc_count, dtype=np.int32)
        arcs = frozen(numbers[(graph.arc_reverse < 0) | (numbers < graph.arc_reverse)])
        first = np.zeros(self._rows * self._columns + 1, np.int32)
        nothing = np.empty(0, np.int32)
        self._fill(arcs, first, nothing, nothing, False)
        np.cumsum(first, out=first)
        segment_arc, segment_shape = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32)
        self._fill(arcs, first[:-1].copy(), segment_arc, segment_shape, True)
        self._first, self._segment_arc, self._segment_shape = frozen(first), frozen(segment_arc), frozen(segment_shape)

    @property
    def cells(self) -> Grid:
        """The grid as kernels take it."""
        sizes = (self._south, self._west, self._cell_lat, self._cell_lon, self._rows, self._columns)
        return Grid(*sizes, self._first, self._segment_arc, self._segment_shape)

    def _fill(
        self,
        arcs: npt.NDArray[np.int32],
        first: npt.NDArray[np.int32],
        segment_arc: npt.NDArray[np.int32],
        segment_shape: npt.NDArray[np.int32],
        write: bool,
    ) -> None:
        graph = self.graph
        kernels.fill_cells(
            arcs, graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7, self._south, self._west, self._cell_lat,
            self._cell_lon, self._rows, self._columns, first, segment_arc, segment_shape, write,
        )  # fmt: skip

    def snap(
        self, lat_deg: npt.ArrayLike, lon_deg: npt.ArrayLike, usable: npt.NDArray[np.bool_], max_distance_m: float
    ) -> Snaps:
        """Snap positions to arcs where `usable` (bool[m], this direction or the other)."""
        lat, lon = np.array(lat_deg, np.float64, ndmin=1), np.array(lon_deg, np.float64, ndmin=1)
        if lat.shape != lon.shape or lat.ndim != 1:
            raise InvalidInput(f"{lat.shape} latitudes and {lon.shape} longitudes do not pair up", "lon_deg")
        if not 0.0 <= max_distance_m <= 10_000.0:
            raise InvalidInput(f"max_distance_m = {max_distance_m} is not between 0 and 10000", "max_distance_m")
        graph, k = self.graph, len(lat)
        arc, fraction, distance = np.empty(k, np.int32), np.empty(k, np.float32), np.empty(k, np.float32)
        on_lat, on_lon = np.empty(k, np.float64), np.empty(k, np.float64)
        wrong = kernels.nearest(
            lat, lon, usable, graph.arc_reverse, graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7,
            self._south, self._west, self._cell_lat, self._cell_lon, self._rows, self._columns, self._first, self._segment_arc,
            self._segment_shape, float(max_distance_m), arc, fraction, distance, on_lat, on_lon,
        )  # fmt: skip
        if wrong >= 0:
            _refuse(lat, lon)
        return Snaps.made(arc, fraction, distance, on_lat, on_lon)


def usable_for_snapping(graph: StreetGraph, mode: StreetMode) -> npt.NDArray[np.bool_]:
    """Arcs (bool[m]) the mode may travel that are not on an island."""
    return frozen((graph.arc_access & graph.arc_routable & mode.bit) != 0)


def _refuse(lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> None:
    """Say which position is not on Earth."""
    for name, values, bound in (("lat_deg", lat, 90.0), ("lon_deg", lon, 180.0)):
        wrong = np.flatnonzero(~(np.abs(values) <= bound))
        if len(wrong):
            raise InvalidInput(f"{name}[{wrong[0]}] = {values[wrong[0]]} is not between -{bound:g} and {bound:g}", name)

"""Areas that can be reached within a time, as polygons.

The street nodes reached within the limit fill square cells of a grid; the outline of the filled cells is traced into rings
(outer rings counter-clockwise, holes clockwise). Stops reached by transit fill the cells around them by what time is left,
at walking speed and a usual detour, instead of one street search per stop.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.street.outline import Area, assemble, trace_rings

CELL_M = 120.0
METRES_PER_DEGREE = 111_195.0
DETOUR = 1.35
"""Street distance over straight distance on foot in European cities (Stępniak et al., 2019, give 1.2 to 1.4)."""


@dataclass(frozen=True, slots=True, eq=False)
class ReachedPoints:
    """Points with the metres one may still walk from each: float64[p] each."""

    lat_deg: npt.NDArray[np.float64]
    lon_deg: npt.NDArray[np.float64]
    left_m: npt.NDArray[np.float64]


def reached_area(points: ReachedPoints) -> Area:
    """Outline of all cells within reach of the points; empty without points."""
    if not len(points.lat_deg):
        return Area((), (), 0.0)
    grid = _Grid.around(points)
    filled = grid.fill(points)
    outers, holes = assemble(trace_rings(filled))
    to_degrees = grid.corner
    return Area(
        tuple(tuple(to_degrees(c) for c in ring) for ring in outers),
        tuple(tuple(tuple(to_degrees(c) for c in ring) for ring in inside) for inside in holes),
        float(filled.sum()) * CELL_M * CELL_M,
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    south: float
    west: float
    d_lat: float
    d_lon: float
    rows: int
    columns: int

    @classmethod
    def around(cls, points: ReachedPoints) -> "_Grid":
        margin = float(points.left_m.max()) / METRES_PER_DEGREE + 2 * CELL_M / METRES_PER_DEGREE
        squeeze = float(np.cos(np.radians(points.lat_deg.mean())))
        south, north = float(points.lat_deg.min()) - margin, float(points.lat_deg.max()) + margin
        west, east = float(points.lon_deg.min()) - margin / squeeze, float(points.lon_deg.max()) + margin / squeeze
        d_lat = CELL_M / METRES_PER_DEGREE
        d_lon = d_lat / squeeze
        return cls(south, west, d_lat, d_lon, int((north - south) / d_lat) + 2, int((east - west) / d_lon) + 2)

    def fill(self, points: ReachedPoints) -> npt.NDArray[np.bool_]:
        """Cells within reach, with an empty margin all round."""
        filled = np.zeros((self.rows, self.columns), np.bool_)
        rows = ((points.lat_deg - self.south) / self.d_lat).astype(np.int64)
        columns = ((points.lon_deg - self.west) / self.d_lon).astype(np.int64)
        radius = np.floor(points.left_m / CELL_M).astype(np.int64)
        for r in np.unique(radius).tolist():
            mine = radius == r
            span = np.arange(-r, r + 1)
            dy, dx = np.meshgrid(span, span, indexing="ij")
            disc = dy * dy + dx * dx <= r * r
            y = (rows[mine][:, None] + dy[disc][None, :]).clip(1, self.rows - 2)
            x = (columns[mine][:, None] + dx[disc][None, :]).clip(1, self.columns - 2)
            filled[y.ravel(), x.ravel()] = True
        return filled

    def corner(self, node: tuple[int, int]) -> tuple[float, float]:
        """Degrees of a grid corner (row, column)."""
        return self.south + node[0] * self.d_lat, self.west + node[1] * self.d_lon


__all__ = ["DETOUR", "Area", "ReachedPoints", "reached_area"]

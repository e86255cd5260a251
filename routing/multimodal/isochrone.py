"""Areas that can be reached within a time, as polygons.

The street nodes reached within the limit fill square cells of a grid; the outline of the filled cells is traced into rings
(outer rings counter-clockwise, holes clockwise). Stops reached by transit fill the cells around them by what time is left,
at walking speed and a usual detour, instead of one street search per stop.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CELL_M = 120.0
METRES_PER_DEGREE = 111_195.0
DETOUR = 1.35
"""Street distance over straight distance on foot in European cities (Stępniak et al., 2019, give 1.2 to 1.4)."""

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Area:
    """Rings of (lat, lon) degrees, closed; `holes[i]` lie in `outers[i]`."""

    outers: tuple[Ring, ...]
    holes: tuple[tuple[Ring, ...], ...]
    area_m2: float


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
    outers, holes = _assemble(_rings(filled))
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


def _rings(filled: npt.NDArray[np.bool_]) -> list[list[tuple[int, int]]]:
    """Closed rings of grid corners round filled cells, the filled side on the left."""
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    south = np.argwhere(filled & ~np.roll(filled, 1, axis=0))
    north = np.argwhere(filled & ~np.roll(filled, -1, axis=0))
    west = np.argwhere(filled & ~np.roll(filled, 1, axis=1))
    east = np.argwhere(filled & ~np.roll(filled, -1, axis=1))
    for cells, start, end in ((south, (0, 0), (0, 1)), (north, (1, 1), (1, 0)), (west, (1, 0), (0, 0)), (east, (0, 1), (1, 1))):
        for y, x in cells.tolist():
            edges.setdefault((y + start[0], x + start[1]), []).append((y + end[0], x + end[1]))
    rings = []
    while edges:
        first = next(iter(edges))
        ring, at, came = [first], first, (0, 0)
        while True:
            options = edges[at]
            step = options.pop(_leftmost(at, came, options))
            if not options:
                del edges[at]
            came = (step[0] - at[0], step[1] - at[1])
            at = step
            if at == first:
                break
            ring.append(at)
        rings.append([*_corners_only(ring), _corners_only(ring)[0]])
    return rings


def _leftmost(at: tuple[int, int], came: tuple[int, int], options: list[tuple[int, int]]) -> int:
    """Where two rings touch in a corner, turn left: rings stay simple."""
    if len(options) == 1:
        return 0
    turns = [came[1] * (o[0] - at[0]) - came[0] * (o[1] - at[1]) for o in options]
    return int(np.argmax(turns))


def _corners_only(ring: list[tuple[int, int]]) -> list[tuple[int, int]]:
    n = len(ring)
    return [
        ring[k]
        for k in range(n)
        if (ring[k][0] - ring[k - 1][0], ring[k][1] - ring[k - 1][1])
        != (ring[(k + 1) % n][0] - ring[k][0], ring[(k + 1) % n][1] - ring[k][1])
    ]


def signed_area(ring: list[tuple[int, int]]) -> float:
    """Twice the area in cells, positive for counter-clockwise (x = column, y = row)."""
    return float(sum(a[1] * b[0] - b[1] * a[0] for a, b in itertools.pairwise(ring)))


def _assemble(rings: list[list[tuple[int, int]]]) -> tuple[list[list[tuple[int, int]]], list[list[list[tuple[int, int]]]]]:
    outers = sorted((r for r in rings if signed_area(r) > 0), key=signed_area)
    holes: list[list[list[tuple[int, int]]]] = [[] for _ in outers]
    for ring in rings:
        if signed_area(ring) < 0:
            inside = _right_of_first_edge(ring)
            owner = next((k for k, outer in enumerate(outers) if _holds(outer, inside)), None)
            if owner is not None:
                holes[owner].append(ring)
    return outers, holes


def _right_of_first_edge(ring: list[tuple[int, int]]) -> tuple[float, float]:
    """Middle of the cell to the right of a ring's first edge: within the hole of a clockwise ring."""
    (y, x), (to_y, to_x) = ring[0], ring[1]
    dy, dx = float(np.sign(to_y - y)), float(np.sign(to_x - x))
    return y + 0.5 * dy - 0.5 * dx, x + 0.5 * dx + 0.5 * dy


def _holds(ring: list[tuple[int, int]], point: tuple[float, float]) -> bool:
    """Whether the middle of a cell lies in a ring (even-odd rule)."""
    (y, x), odd = point, False
    for a, b in itertools.pairwise(ring):
        if (a[0] > y) != (b[0] > y) and x < (b[1] - a[1]) * (y - a[0]) / (b[0] - a[0]) + a[1]:
            odd = not odd
    return odd

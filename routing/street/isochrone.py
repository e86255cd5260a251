"""Areas reached within limits of time on streets, as polygons.

Every reached stretch of street, also the part of an arc that is reached before the limit, fills the cells of a grid in metres
that it runs through and their neighbours; the filled cells are outlined and the corners cut. So every reached place lies
inside; what lies further from reached places than two and a half cells (times the root of 2) does not, but in small holes; and
a longer limit's area contains a shorter one's.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput, LimitExceeded
from routing.kernels import street_isochrone as kernels
from routing.model.modes import UNREACHABLE_MS
from routing.model.street_graph import StreetGraph
from routing.street.metric import StreetMetric
from routing.street.outline import Area, Ring, assemble, cut_corners, trace_rings
from routing.street.snapping import Snaps

METRES_PER_DEGREE = 111_319.49
MOST_CELLS = 25_000_000
_NEVER = np.int64(2**62)

Int64 = npt.NDArray[np.int64]


def street_isochrones(
    graph: StreetGraph,
    metric: StreetMetric,
    node_time_ms: npt.NDArray[np.uint32],
    start: Snaps,
    limits_s: Sequence[float],
    *,
    cell_m: float = 50.0,
    smallest_hole_m2: float = 40_000.0,
    backward: bool = False,
) -> list[Area]:
    """One area per limit.

    Parameters
    ----------
    graph : StreetGraph
    metric : StreetMetric
    node_time_ms : uint32[n]
        From `StreetEngine.reach` with at least the greatest limit.
    start : Snaps
        The position it is for (one row): the parts of its own street count.
    limits_s : sequence of float
    cell_m : float
        Side of the grid's cells, 10 to 500 m.
    smallest_hole_m2 : float
        Smaller holes are filled.
    backward : bool
        Whether `node_time_ms` is from the nodes to the position.

    Raises
    ------
    InvalidInput
        For a limit that is no time, a cell out of bounds or times of another graph.
    LimitExceeded
        For an area of more than `MOST_CELLS` cells.
    """
    if not 10.0 <= cell_m <= 500.0:
        raise InvalidInput(f"cell_m = {cell_m} is not between 10 and 500 m", "cell_m")
    if node_time_ms.shape != (graph.node_count,):
        raise InvalidInput(f"node_time_ms {node_time_ms.shape} does not fit {graph.node_count} nodes", "node_time_ms")
    for limit_s in limits_s:
        if not 0.0 <= limit_s < 1e6:
            raise InvalidInput(f"limits_s: {limit_s} is not a time", "limits_s")
    latest_ms = int(1000 * max(limits_s, default=0.0))
    arc, share, time_ms = _stretches(graph, metric, node_time_ms, start, latest_ms, backward=backward)
    if not len(arc) or not len(limits_s):
        return [Area((), (), 0.0) for _ in limits_s]
    grid = _Grid(graph, arc, cell_m)
    earliest_ms = np.full((grid.rows, grid.columns), _NEVER)
    kernels.stamp(
        arc, share, time_ms, metric.arc_time_ms, graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7, latest_ms, backward,
        grid.south_e7, grid.west_e7, grid.cell_lat_e7, grid.cell_lon_e7, 0.5 * cell_m, earliest_ms,
    )  # fmt: skip
    most = int(smallest_hole_m2 / cell_m**2)
    return [_area(grid, earliest_ms <= int(1000 * limit_s), most) for limit_s in limits_s]


def _stretches(
    graph: StreetGraph,
    metric: StreetMetric,
    node_time_ms: npt.NDArray[np.uint32],
    start: Snaps,
    latest_ms: int,
    *,
    backward: bool,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], Int64]:
    """Arcs with the share where each is first reached, and when."""
    ends = graph.arc_head if backward else graph.arc_tail
    times = node_time_ms[ends]
    usable = (metric.arc_time_ms != UNREACHABLE_MS) & (times != UNREACHABLE_MS) & (times <= latest_ms)
    arcs = np.flatnonzero(usable).astype(np.int32)
    own, own_share = [], []
    here = int(start.arc[0])
    if here >= 0:
        reverse = int(graph.arc_reverse[here])
        own, own_share = [here], [float(start.fraction[0])]
        if reverse >= 0:
            own, own_share = [here, reverse], [own_share[0], 1.0 - own_share[0]]
    arc = np.concatenate([arcs, np.array(own, np.int32)])
    share = np.concatenate([np.full(len(arcs), 1.0 if backward else 0.0), np.array(own_share, np.float64)])
    time_ms = np.concatenate([times[arcs].astype(np.int64), np.zeros(len(own), np.int64)])
    return arc, share, time_ms


class _Grid:
    """Cells in metres round the shapes of some arcs, with an empty margin."""

    def __init__(self, graph: StreetGraph, arcs: npt.NDArray[np.int32], cell_m: float) -> None:
        rows = np.repeat(graph.first_shape[arcs], np.diff(graph.first_shape)[arcs])
        within = np.arange(len(rows)) - np.repeat(
            np.cumsum(np.diff(graph.first_shape)[arcs]) - np.diff(graph.first_shape)[arcs], np.diff(graph.first_shape)[arcs]
        )
        lat, lon = graph.shape_lat_e7[rows + within].astype(np.float64), graph.shape_lon_e7[rows + within].astype(np.float64)
        stretch = max(float(np.cos(np.radians(0.5e-7 * (lat.min() + lat.max())))), 0.01)
        self.cell_m = cell_m
        self.cell_lat_e7 = cell_m / METRES_PER_DEGREE * 1e7
        self.cell_lon_e7 = self.cell_lat_e7 / stretch
        self.south_e7 = float(lat.min()) - 3 * self.cell_lat_e7
        self.west_e7 = float(lon.min()) - 3 * self.cell_lon_e7
        self.rows = int((lat.max() - self.south_e7) / self.cell_lat_e7) + 4
        self.columns = int((lon.max() - self.west_e7) / self.cell_lon_e7) + 4
        if self.rows * self.columns > MOST_CELLS:
            raise LimitExceeded(
                f"{self.rows} × {self.columns} cells of {cell_m} m: take larger cells or a shorter limit", "cell_m"
            )

    def degrees(self, ring: list[tuple[float, float]]) -> Ring:
        """Corners (row, column) as (lat, lon)."""
        return tuple(
            ((self.south_e7 + y * self.cell_lat_e7) * 1e-7, (self.west_e7 + x * self.cell_lon_e7) * 1e-7) for y, x in ring
        )


def _area(grid: _Grid, reached: npt.NDArray[np.bool_], most: int) -> Area:
    filled = reached.copy()
    filled[1:] |= reached[:-1]
    filled[:-1] |= reached[1:]
    wide = filled.copy()
    wide[:, 1:] |= filled[:, :-1]
    wide[:, :-1] |= filled[:, 1:]
    kernels.fill_holes(wide, most, np.zeros_like(wide), np.empty(wide.size, np.int64))
    outers, holes = assemble(trace_rings(wide))
    area = 0.0
    for ring in [*outers, *(hole for inside in holes for hole in inside)]:
        points = np.array(cut_corners(ring))
        area += 0.5 * float(np.sum(points[:-1, 1] * points[1:, 0] - points[1:, 1] * points[:-1, 0])) * grid.cell_m**2
    return Area(
        tuple(grid.degrees(cut_corners(ring)) for ring in outers),
        tuple(tuple(grid.degrees(cut_corners(hole)) for hole in inside) for inside in holes),
        area,
    )

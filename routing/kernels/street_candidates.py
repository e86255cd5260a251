"""The nearest streets of a position, several of them, with the side of the street it lies on."""

from typing import NamedTuple

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_snap import METRES_PER_E7, arc_fraction
from routing.kernels.street_types import Bools, Float32, Float64, Int8, Int32, Int64, Number

ON_STREET_M = 1.0
"""A position nearer to the middle of the street than this lies on neither side."""


class Grid(NamedTuple):
    """Grid over the segments of a street graph's shapes.

    Attributes
    ----------
    south_e7, west_e7, cell_lat_e7, cell_lon_e7 : float
    rows, columns : int
    first : int32[rows · columns + 1]
        Segments of a cell (CSR).
    segment_arc, segment_shape : int32[…]
        Arc and first shape point of every segment.
    """

    south_e7: float
    west_e7: float
    cell_lat_e7: float
    cell_lon_e7: float
    rows: int
    columns: int
    first: Int32
    segment_arc: Int32
    segment_shape: Int32


class Found(NamedTuple):
    """Candidates of k positions, at most c each, nearest first; see `routing.street.candidates.Candidates`."""

    counts: Int32
    arc: Int32
    fraction: Float32
    distance_m: Float32
    side: Int8
    bearing_deg: Float32


@kernel
def candidates(
    lat_deg: Float64,
    lon_deg: Float64,
    usable: Bools,
    arc_reverse: Int32,
    first_shape: Int64,
    shape_lat_e7: Int32,
    shape_lon_e7: Int32,
    grid: Grid,
    max_m: float,
    both: bool,
    found: Found,
) -> None:
    """List the usable arcs within `max_m` of every position, nearest first (ties: the lower arc), into `found`.

    A street counts once, at its point nearest to the position; with `both`, its two directions count each where both are
    usable. Distances are planar, as in `routing.kernels.street_snap.nearest`. A position that is not finite has none.
    """
    most = found.arc.shape[1]
    near_arc, near_shape = np.empty(most, np.int64), np.empty(most, np.int64)
    near_square, near_part = np.empty(most, np.float64), np.empty(most, np.float64)
    for q in range(len(lat_deg)):
        found.counts[q] = 0
        if not (np.isfinite(lat_deg[q]) and np.isfinite(lon_deg[q])):
            continue
        size = _near_arcs(
            lat_deg[q], lon_deg[q], usable, arc_reverse, shape_lat_e7, shape_lon_e7, grid, max_m, near_arc,
            near_shape, near_square, near_part,
        )  # fmt: skip
        east = METRES_PER_E7 * np.cos(np.radians(lat_deg[q]))
        count = 0
        for i in range(size):
            arc, p = near_arc[i], near_shape[i]
            fraction = arc_fraction(arc, p, near_part[i], east, first_shape, shape_lat_e7, shape_lon_e7)
            ax = (shape_lon_e7[p] - lon_deg[q] * 1e7) * east
            ay = (shape_lat_e7[p] - lat_deg[q] * 1e7) * METRES_PER_E7
            dx = (shape_lon_e7[p + 1] - np.float64(shape_lon_e7[p])) * east
            dy = (shape_lat_e7[p + 1] - np.float64(shape_lat_e7[p])) * METRES_PER_E7
            length = np.sqrt(dx * dx + dy * dy)
            offset = 0.0 if length == 0.0 else (dx * -ay + dy * ax) / length  # > 0: the position lies to the left
            side = 0 if abs(offset) < ON_STREET_M else (-1 if offset > 0.0 else 1)
            bearing = np.degrees(np.arctan2(dx, dy)) % 360.0
            for way in range(2):
                directed = arc if way == 0 else np.int64(arc_reverse[arc])
                if count == most or directed < 0 or not usable[directed] or (way == 1 and usable[arc] and not both):
                    continue
                found.arc[q, count] = directed
                found.fraction[q, count] = fraction if way == 0 else 1.0 - fraction
                found.distance_m[q, count] = np.sqrt(near_square[i])
                found.side[q, count] = side if way == 0 else -side
                found.bearing_deg[q, count] = bearing if way == 0 else (bearing + 180.0) % 360.0
                count += 1
        found.counts[q] = count


@kernel
def _near_arcs(
    lat_deg: float,
    lon_deg: float,
    usable: Bools,
    arc_reverse: Int32,
    shape_lat_e7: Int32,
    shape_lon_e7: Int32,
    grid: Grid,
    max_m: float,
    near_arc: Int64,
    near_shape: Int64,
    near_square: Float64,
    near_part: Float64,
) -> int:
    """Nearest arcs (one per street) with the segment and the part of it that is nearest, sorted; return how many."""
    most, size = len(near_arc), 0
    lat, lon = lat_deg * 1e7, lon_deg * 1e7
    east = METRES_PER_E7 * np.cos(np.radians(lat_deg))
    reach_lat, reach_lon = max_m / METRES_PER_E7, max_m / east
    low_row = max(int(np.floor((lat - reach_lat - grid.south_e7) / grid.cell_lat_e7)), 0)
    high_row = min(int(np.floor((lat + reach_lat - grid.south_e7) / grid.cell_lat_e7)), grid.rows - 1)
    low_column = max(int(np.floor((lon - reach_lon - grid.west_e7) / grid.cell_lon_e7)), 0)
    high_column = min(int(np.floor((lon + reach_lon - grid.west_e7) / grid.cell_lon_e7)), grid.columns - 1)
    for r in range(low_row, high_row + 1):
        for c in range(low_column, high_column + 1):
            cell = r * grid.columns + c
            for k in range(grid.first[cell], grid.first[cell + 1]):
                p = np.int64(grid.segment_shape[k])
                ax = (shape_lon_e7[p] - lon) * east
                ay = (shape_lat_e7[p] - lat) * METRES_PER_E7
                bx = (shape_lon_e7[p + 1] - lon) * east
                by = (shape_lat_e7[p + 1] - lat) * METRES_PER_E7
                if min(ax, bx) > max_m or max(ax, bx) < -max_m or min(ay, by) > max_m or max(ay, by) < -max_m:
                    continue
                square = (bx - ax) ** 2 + (by - ay) ** 2
                part = 0.0 if square == 0.0 else min(max(-(ax * (bx - ax) + ay * (by - ay)) / square, 0.0), 1.0)
                gap = (ax + part * (bx - ax)) ** 2 + (ay + part * (by - ay)) ** 2
                if gap > max_m * max_m or (size == most and gap > near_square[size - 1]):
                    continue
                arc = np.int64(grid.segment_arc[k])
                back = np.int64(arc_reverse[arc])
                if not usable[arc] and (back < 0 or not usable[back]):
                    continue
                size = _insert(arc, p, gap, part, size, near_arc, near_shape, near_square, near_part)
    return size


@kernel
def _insert(
    arc: Number,
    shape: Number,
    square: float,
    part: float,
    size: int,
    near_arc: Int64,
    near_shape: Int64,
    near_square: Float64,
    near_part: Float64,
) -> int:
    """Put a street in its place among the nearest, once; return how many there are."""
    place = size
    for i in range(size):
        if near_arc[i] == arc:
            if near_square[i] < square or (near_square[i] == square and near_shape[i] <= shape):
                return size
            place = i
            break
    if place == size:
        if size == len(near_arc):
            place = size - 1
            if near_square[place] == square and near_arc[place] < arc:
                return size
        else:
            size += 1
    while place > 0 and (near_square[place - 1] > square or (near_square[place - 1] == square and near_arc[place - 1] > arc)):
        near_arc[place], near_shape[place] = near_arc[place - 1], near_shape[place - 1]
        near_square[place], near_part[place] = near_square[place - 1], near_part[place - 1]
        place -= 1
    near_arc[place], near_shape[place], near_square[place], near_part[place] = arc, shape, square, part
    return size

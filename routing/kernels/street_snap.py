"""A uniform grid over street segments and the search for the nearest one."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_types import Bools, Float32, Float64, Int32, Int64, Number

METRES_PER_E7 = 0.011131949079327358
"""Metres in 10⁻⁷ degrees of latitude (sphere of 6 378 137 m)."""


@kernel
def fill_cells(
    arcs: Int32,
    first_shape: Int64,
    shape_lat_e7: Int32,
    shape_lon_e7: Int32,
    south_e7: float,
    west_e7: float,
    cell_lat_e7: float,
    cell_lon_e7: float,
    rows: int,
    columns: int,
    first: Int32,
    segment_arc: Int32,
    segment_shape: Int32,
    write: bool,
) -> None:
    """Count per cell (`write` false, into ``first[cell + 1]``) or write the segments of `arcs` that touch each cell.

    When writing, ``first[cell]`` is the place of the cell's next entry and is moved on.
    """
    for arc in arcs:
        for p in range(first_shape[arc], first_shape[arc + 1] - 1):
            y1 = (np.float64(shape_lat_e7[p]) - south_e7) / cell_lat_e7
            y2 = (np.float64(shape_lat_e7[p + 1]) - south_e7) / cell_lat_e7
            x1 = (np.float64(shape_lon_e7[p]) - west_e7) / cell_lon_e7
            x2 = (np.float64(shape_lon_e7[p + 1]) - west_e7) / cell_lon_e7
            if y1 > y2:
                y1, y2, x1, x2 = y2, y1, x2, x1
            for row in range(int(y1), int(y2) + 1):
                low, high = min(x1, x2), max(x1, x2)
                if y2 > y1:  # the part of the segment inside the row
                    at = x1 + (x2 - x1) * (max(y1, np.float64(row)) - y1) / (y2 - y1)
                    to = x1 + (x2 - x1) * (min(y2, row + 1.0) - y1) / (y2 - y1)
                    low, high = max(low, min(at, to) - 1e-9), min(high, max(at, to) + 1e-9)
                left, right = max(int(low), 0), min(int(high), columns - 1)
                for column in range(left, right + 1):
                    cell = min(row, rows - 1) * columns + column
                    if write:
                        segment_arc[first[cell]] = arc
                        segment_shape[first[cell]] = p
                        first[cell] += 1
                    else:
                        first[cell + 1] += 1


@kernel
def arc_fraction(
    arc: Number, shape: Number, part: float, east: float, first_shape: Int64, shape_lat_e7: Int32, shape_lon_e7: Int32
) -> float:
    """Share of an arc's length before the point at `part` of the segment that begins at `shape`."""
    before, total = 0.0, 0.0
    for p in range(first_shape[arc], first_shape[arc + 1] - 1):
        x = (shape_lon_e7[p + 1] - np.float64(shape_lon_e7[p])) * east
        y = (shape_lat_e7[p + 1] - np.float64(shape_lat_e7[p])) * METRES_PER_E7
        length = np.sqrt(x * x + y * y)
        total += length
        if p < shape:
            before += length
        elif p == shape:
            before += part * length
    return 0.0 if total == 0.0 else min(before / total, 1.0)


@kernel
def nearest(
    lat_deg: Float64,
    lon_deg: Float64,
    usable: Bools,
    arc_reverse: Int32,
    first_shape: Int64,
    shape_lat_e7: Int32,
    shape_lon_e7: Int32,
    south_e7: float,
    west_e7: float,
    cell_lat_e7: float,
    cell_lon_e7: float,
    rows: int,
    columns: int,
    first: Int32,
    segment_arc: Int32,
    segment_shape: Int32,
    max_m: float,
    arc_out: Int32,
    fraction_out: Float32,
    distance_out: Float32,
    lat_out: Float64,
    lon_out: Float64,
) -> int:
    """Snap every position to the nearest usable arc within `max_m` (ties: the lower arc); outputs are filled, arc -1 if none.

    Distances are planar in an equirectangular projection centred on the position (error < 0.1 % within a few kilometres).
    Returns the first position that is not on Earth, where it stops; -1 if all are.
    """
    for q in range(len(lat_deg)):
        if not (abs(lat_deg[q]) <= 90.0 and abs(lon_deg[q]) <= 180.0):
            return q
        lat, lon = lat_deg[q] * 1e7, lon_deg[q] * 1e7
        east = METRES_PER_E7 * np.cos(np.radians(lat_deg[q]))
        best, best_arc, best_shape, best_part = max_m * max_m, np.int64(-1), np.int64(-1), 0.0
        row = int(np.floor((lat - south_e7) / cell_lat_e7))
        column = int(np.floor((lon - west_e7) / cell_lon_e7))
        cell_m = min(cell_lat_e7 * METRES_PER_E7, cell_lon_e7 * east)
        rings = int(max_m / cell_m) + 1
        for ring in range(rings + 1):
            if ring >= 2 and ((ring - 1) * cell_m) ** 2 > best:
                break
            for r in range(max(row - ring, 0), min(row + ring, rows - 1) + 1):
                whole = r in (row - ring, row + ring)
                step = 1 if whole or ring == 0 else 2 * ring
                for c in range(column - ring, column + ring + 1, step):
                    if c < 0 or c >= columns:
                        continue
                    cell = r * columns + c
                    for k in range(first[cell], first[cell + 1]):
                        arc = np.int64(segment_arc[k])
                        back = np.int64(arc_reverse[arc])
                        if not usable[arc] and (back < 0 or not usable[back]):
                            continue
                        p = segment_shape[k]
                        ax = (shape_lon_e7[p] - lon) * east
                        ay = (shape_lat_e7[p] - lat) * METRES_PER_E7
                        bx = (shape_lon_e7[p + 1] - lon) * east
                        by = (shape_lat_e7[p + 1] - lat) * METRES_PER_E7
                        square = (bx - ax) ** 2 + (by - ay) ** 2
                        part = 0.0 if square == 0.0 else min(max(-(ax * (bx - ax) + ay * (by - ay)) / square, 0.0), 1.0)
                        gap = (ax + part * (bx - ax)) ** 2 + (ay + part * (by - ay)) ** 2
                        if gap < best or (gap == best and best_arc >= 0 and arc < best_arc):
                            best, best_arc, best_shape, best_part = gap, arc, np.int64(p), part
        arc_out[q] = best_arc
        if best_arc < 0:
            fraction_out[q], distance_out[q], lat_out[q], lon_out[q] = np.nan, np.nan, np.nan, np.nan
            continue
        fraction = arc_fraction(best_arc, best_shape, best_part, east, first_shape, shape_lat_e7, shape_lon_e7)
        a, b = best_shape, best_shape + 1
        lat_out[q] = (shape_lat_e7[a] + best_part * (np.float64(shape_lat_e7[b]) - shape_lat_e7[a])) * 1e-7
        lon_out[q] = (shape_lon_e7[a] + best_part * (np.float64(shape_lon_e7[b]) - shape_lon_e7[a])) * 1e-7
        distance_out[q] = np.sqrt(best)
        if not usable[best_arc]:
            arc_out[q] = arc_reverse[best_arc]
            fraction = 1.0 - fraction
        fraction_out[q] = fraction
    return -1

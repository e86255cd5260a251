"""A uniform grid over street segments and the search for the nearest one."""

import numpy as np

from routing.kernels.jit import kernel

METRES_PER_E7 = 0.011131949079327358
"""Metres in 10⁻⁷ degrees of latitude (sphere of 6 378 137 m)."""


@kernel
def fill_cells(  # type: ignore[no-untyped-def]
    arcs, first_shape, shape_lat_e7, shape_lon_e7, south_e7, west_e7, cell_lat_e7, cell_lon_e7, rows, columns, first, segment_arc,
    segment_shape, write,
):  # fmt: skip
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
            for row in range(np.int64(y1), np.int64(y2) + 1):
                low, high = min(x1, x2), max(x1, x2)
                if y2 > y1:  # the part of the segment inside the row
                    at = x1 + (x2 - x1) * (max(y1, np.float64(row)) - y1) / (y2 - y1)
                    to = x1 + (x2 - x1) * (min(y2, row + 1.0) - y1) / (y2 - y1)
                    low, high = max(low, min(at, to) - 1e-9), min(high, max(at, to) + 1e-9)
                for column in range(max(np.int64(low), 0), min(np.int64(high), columns - 1) + 1):
                    cell = min(row, rows - 1) * columns + column
                    if write:
                        segment_arc[first[cell]] = arc
                        segment_shape[first[cell]] = p
                        first[cell] += 1
                    else:
                        first[cell + 1] += 1


@kernel
def nearest(  # type: ignore[no-untyped-def]
    lat_deg, lon_deg, usable, arc_reverse, arc_length_m, first_shape, shape_lat_e7, shape_lon_e7, south_e7, west_e7, cell_lat_e7,
    cell_lon_e7, rows, columns, first, segment_arc, segment_shape, max_m, arc_out, fraction_out, distance_out, lat_out, lon_out,
):  # fmt: skip
    """Snap every position to the nearest usable arc within `max_m` (ties: the lower arc); outputs are filled, arc -1 if none.

    Distances are planar in an equirectangular projection centred on the position (error < 0.1 % within a few kilometres).
    """
    for q in range(len(lat_deg)):
        lat, lon = lat_deg[q] * 1e7, lon_deg[q] * 1e7
        east = METRES_PER_E7 * np.cos(np.radians(lat_deg[q]))
        best, best_arc, best_shape, best_part = max_m * max_m, np.int64(-1), np.int64(-1), 0.0
        row = np.int64(np.floor((lat - south_e7) / cell_lat_e7))
        column = np.int64(np.floor((lon - west_e7) / cell_lon_e7))
        cell_m = min(cell_lat_e7 * METRES_PER_E7, cell_lon_e7 * east)
        rings = np.int64(max_m / cell_m) + 1
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
        before, total = 0.0, 0.0
        for p in range(first_shape[best_arc], first_shape[best_arc + 1] - 1):
            x = (shape_lon_e7[p + 1] - np.float64(shape_lon_e7[p])) * east
            y = (shape_lat_e7[p + 1] - np.float64(shape_lat_e7[p])) * METRES_PER_E7
            length = np.sqrt(x * x + y * y)
            total += length
            if p < best_shape:
                before += length
            elif p == best_shape:
                before += best_part * length
        fraction = 0.0 if total == 0.0 else min(before / total, 1.0)
        a, b = best_shape, best_shape + 1
        lat_out[q] = (shape_lat_e7[a] + best_part * (np.float64(shape_lat_e7[b]) - shape_lat_e7[a])) * 1e-7
        lon_out[q] = (shape_lon_e7[a] + best_part * (np.float64(shape_lon_e7[b]) - shape_lon_e7[a])) * 1e-7
        distance_out[q] = np.sqrt(best)
        if not usable[best_arc]:
            arc_out[q] = arc_reverse[best_arc]
            fraction = 1.0 - fraction
        fraction_out[q] = fraction

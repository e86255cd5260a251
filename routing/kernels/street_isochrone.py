"""Earliest times on a grid from times along streets, and small holes of a filled grid."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_search import INFINITE
from routing.kernels.street_snap import METRES_PER_E7
from routing.kernels.street_types import Bools, Float64, Int32, Int64, Number, UInt32


@kernel
def stamp(
    arc: Int32,
    share: Float64,
    time_ms: Int64,
    arc_time_ms: UInt32,
    first_shape: Int64,
    shape_lat_e7: Int32,
    shape_lon_e7: Int32,
    latest_ms: int,
    backward: bool,
    south_e7: float,
    west_e7: float,
    cell_lat_e7: float,
    cell_lon_e7: float,
    step_m: float,
    earliest_ms: Int64,
) -> None:
    """Lower the cells that stretches of street run through to the time each place is reached.

    Parameters
    ----------
    arc : int32[k]
    share, time_ms : float64[k], int64[k]
        Stretch `i` begins at this share of its arc with this time, and is followed to its head (`backward`: to its tail) until
        `latest_ms`.
    step_m : float
        Distance between the places looked at; not longer than a cell.
    earliest_ms : int64[rows, columns]
        Changed in place.
    """
    for i in range(len(arc)):
        a = arc[i]
        if arc_time_ms[a] >= INFINITE or time_ms[i] > latest_ms:
            continue
        low, high = first_shape[a], first_shape[a + 1] - 1
        total = 0.0
        for p in range(low, high):
            total += _length(p, shape_lat_e7, shape_lon_e7)
        done = 0.0
        for k in range(high - low):
            p = high - 1 - k if backward else low + k
            length = _length(p, shape_lat_e7, shape_lon_e7)
            count = int(length / step_m) + 1
            for j in range(count + 1):
                part = j / count
                at = 0.0 if total == 0.0 else (done + part * length) / total
                begun = 1.0 - share[i] if backward else share[i]
                if at < begun - 1e-9:
                    continue
                time = time_ms[i] + np.int64((at - begun) * arc_time_ms[a])
                if time > latest_ms:
                    break
                along = 1.0 - part if backward else part
                lat = shape_lat_e7[p] + along * (np.float64(shape_lat_e7[p + 1]) - shape_lat_e7[p])
                lon = shape_lon_e7[p] + along * (np.float64(shape_lon_e7[p + 1]) - shape_lon_e7[p])
                row, column = int((lat - south_e7) / cell_lat_e7), int((lon - west_e7) / cell_lon_e7)
                earliest_ms[row, column] = min(earliest_ms[row, column], time)
            done += length


@kernel
def _length(p: int, shape_lat_e7: Int32, shape_lon_e7: Int32) -> Number:
    north = (np.float64(shape_lat_e7[p + 1]) - shape_lat_e7[p]) * METRES_PER_E7
    east = (np.float64(shape_lon_e7[p + 1]) - shape_lon_e7[p]) * METRES_PER_E7 * np.cos(np.radians(shape_lat_e7[p] * 1e-7))
    return np.sqrt(north * north + east * east)


@kernel
def fill_holes(filled: Bools, most: int, seen: Bools, stack: Int64) -> None:
    """Fill holes of at most `most` cells (neighbours share a side); a region at the edge of the grid is no hole.

    `seen` (bool, as `filled`) all false, `stack` int64[cells] are scratch.
    """
    rows, columns = filled.shape
    for y in range(rows):
        for x in range(columns):
            if filled[y, x] or seen[y, x]:
                continue
            size, done, edge = 1, 0, False
            stack[0] = y * columns + x
            seen[y, x] = True
            while done < size:
                cy, cx = stack[done] // columns, stack[done] % columns
                done += 1
                if cy == 0 or cx == 0 or cy == rows - 1 or cx == columns - 1:
                    edge = True
                for side in range(4):
                    ny = cy + (1 if side == 0 else -1 if side == 1 else 0)
                    nx = cx + (1 if side == 2 else -1 if side == 3 else 0)
                    if 0 <= ny < rows and 0 <= nx < columns and not filled[ny, nx] and not seen[ny, nx]:
                        seen[ny, nx] = True
                        stack[size] = ny * columns + nx
                        size += 1
            if not edge and size <= most:
                for i in range(size):
                    filled[stack[i] // columns, stack[i] % columns] = True

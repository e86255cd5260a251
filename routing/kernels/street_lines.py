"""Lines and turns of ways through the streets."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_types import Float32, Float64, Int32, Int64, Number, UInt32


@kernel
def point_count(first_shape: Int64, arcs: Int32) -> Number:
    """Points the lines of some arcs have together."""
    count = np.int64(0)
    for arc in arcs:
        count += first_shape[arc + 1] - first_shape[arc]
    return count


@kernel
def draw(
    first_shape: Int64,
    shape_lat_e7: Int32,
    shape_lon_e7: Int32,
    length_m: Float32,
    time_ms: UInt32,
    arcs: Int32,
    start: float,
    end: float,
    lat_deg: Float64,
    lon_deg: Float64,
    arc_point: Int32,
    arc_length_m: Float64,
    arc_time_ms: Float64,
) -> tuple[Number, Number]:
    """Line, lengths and times of a way that begins at `start` on its first arc and ends at `end` on its last one.

    Parameters
    ----------
    length_m, time_ms : [m]
        Of all arcs of the graph.
    lat_deg, lon_deg : float64[≥ `point_count` + 1]
        Out: the line.
    arc_point, arc_length_m, arc_time_ms : [a]
        Out: index of the first point of every arc, length and time of the part travelled.

    Returns
    -------
    points : int
        Length of the line.
    length_m : float
    """
    # Arcs lie far apart in memory: short loops let the processor wait for many of them at a time.
    for k in range(len(arcs)):
        arc_length_m[k] = length_m[arcs[k]]
    for k in range(len(arcs)):
        arc_time_ms[k] = time_ms[arcs[k]]
    last = len(arcs) - 1
    share = end - start if last == 0 else 1.0 - start
    arc_length_m[0], arc_time_ms[0] = arc_length_m[0] * share, arc_time_ms[0] * share
    if last > 0:
        arc_length_m[last], arc_time_ms[last] = arc_length_m[last] * end, arc_time_ms[last] * end
    points, total_m = 0, 0.0
    for k in range(len(arcs)):
        total_m += arc_length_m[k]
        points -= k > 0  # an arc begins where the one before it ended
        arc_point[k] = points
        low, high = start if k == 0 else 0.0, end if k == last else 1.0
        points += arc_line(first_shape, shape_lat_e7, shape_lon_e7, arcs[k], low, high, lat_deg[points:], lon_deg[points:])
    return points, total_m


@kernel
def arc_line(
    first_shape: Int64,
    shape_lat_e7: Int32,
    shape_lon_e7: Int32,
    arc: Number,
    start: float,
    end: float,
    lat_deg: Float64,
    lon_deg: Float64,
) -> Number:
    """Write the line of an arc between two fractions of its length (at least two points); return how many points it has."""
    begin, stop = first_shape[arc], first_shape[arc + 1]
    if start <= 0.0 and end >= 1.0:
        for p in range(begin, stop):
            lat_deg[p - begin], lon_deg[p - begin] = shape_lat_e7[p] * 1e-7, shape_lon_e7[p] * 1e-7
        return stop - begin
    stretch = np.cos(np.radians(shape_lat_e7[begin] * 1e-7))
    total = 0.0
    for p in range(begin, stop - 1):
        total += _segment(p, shape_lat_e7, shape_lon_e7, stretch)
    low, high = start * total, end * total
    along, count = 0.0, 1
    lat_deg[0], lon_deg[0] = shape_lat_e7[stop - 1] * 1e-7, shape_lon_e7[stop - 1] * 1e-7
    lat_end, lon_end = lat_deg[0], lon_deg[0]
    for p in range(begin, stop - 1):
        length = _segment(p, shape_lat_e7, shape_lon_e7, stretch)
        lat, lon = shape_lat_e7[p] * 1e-7, shape_lon_e7[p] * 1e-7
        north, east = shape_lat_e7[p + 1] * 1e-7 - lat, shape_lon_e7[p + 1] * 1e-7 - lon
        if low < along < high:
            lat_deg[count], lon_deg[count] = lat, lon
            count += 1
        if along <= low < along + length:
            part = (low - along) / length
            lat_deg[0], lon_deg[0] = lat + part * north, lon + part * east
        if along <= high < along + length:
            part = (high - along) / length
            lat_end, lon_end = lat + part * north, lon + part * east
        along += length
    lat_deg[count], lon_deg[count] = lat_end, lon_end
    return count + 1


@kernel
def _segment(p: Number, shape_lat_e7: Int32, shape_lon_e7: Int32, stretch: float) -> Number:
    """Length of a segment in degrees of latitude."""
    north = shape_lat_e7[p + 1] * 1e-7 - shape_lat_e7[p] * 1e-7
    east = (shape_lon_e7[p + 1] * 1e-7 - shape_lon_e7[p] * 1e-7) * stretch
    return np.hypot(north, east)


@kernel
def turn_angles(
    first_shape: Int64, shape_lat_e7: Int32, shape_lon_e7: Int32, before: Int32, after: Int32, angle_deg: Float64
) -> None:
    """Fill the angles from the ends of arcs to the starts of others, clockwise positive, -180…180."""
    for k in range(len(before)):
        bearing = 0.0
        for side in range(2):
            i = first_shape[before[k] + 1] - 2 if side == 0 else first_shape[after[k]]
            north = np.float64(shape_lat_e7[i + 1]) - np.float64(shape_lat_e7[i])
            east = (np.float64(shape_lon_e7[i + 1]) - np.float64(shape_lon_e7[i])) * np.cos(np.radians(shape_lat_e7[i] * 1e-7))
            degrees = np.degrees(np.arctan2(east, north))
            bearing = degrees if side == 0 else degrees - bearing
        angle_deg[k] = (bearing + 540.0) % 360.0 - 180.0

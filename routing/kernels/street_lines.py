"""Lines and turns of ways through the streets."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_types import Float64, Int32, Int64


@kernel
def lines(
    first_shape: Int64, shape_lat_e7: Int32, shape_lon_e7: Int32, arcs: Int32, first_point: Int32
) -> tuple[Float64, Float64]:
    """Line of consecutive arcs without its very first point: ``lat_deg, lon_deg`` float64[p].

    ``first_point`` (int32[k + 1]) receives where the points of every arc begin, and p.
    """
    count = 0
    for k in range(len(arcs)):
        first_point[k] = count
        count += first_shape[arcs[k] + 1] - first_shape[arcs[k]] - 1
    first_point[len(arcs)] = count
    lat_deg, lon_deg = np.empty(count, np.float64), np.empty(count, np.float64)
    at = 0
    for a in arcs:
        for i in range(first_shape[a] + 1, first_shape[a + 1]):
            lat_deg[at] = shape_lat_e7[i] * 1e-7
            lon_deg[at] = shape_lon_e7[i] * 1e-7
            at += 1
    return lat_deg, lon_deg


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

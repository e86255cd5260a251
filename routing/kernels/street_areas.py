"""Which arcs touch an area."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_types import Bools, Float64, Int32, Int64, Number

METRES_PER_DEGREE = 111_195.08


@kernel
def inside_ring(lat: Number, lon: Number, ring_lat: Float64, ring_lon: Float64) -> bool:
    """Even-odd rule for a point and a ring that ends where it begins."""
    inside = False
    for i in range(len(ring_lat) - 1):
        if (ring_lat[i] > lat) != (ring_lat[i + 1] > lat):
            part = (lat - ring_lat[i]) / (ring_lat[i + 1] - ring_lat[i])
            if lon < ring_lon[i] + part * (ring_lon[i + 1] - ring_lon[i]):
                inside = not inside
    return inside


@kernel
def touch_ring(
    first_shape: Int64, lat_e7: Int32, lon_e7: Int32, ring_lat: Float64, ring_lon: Float64, step_m: float, touched: Bools
) -> None:
    """Mark arcs (bool[m]) with a point inside the ring (degrees); lines are looked at every `step_m` metres."""
    south, north, west, east = ring_lat.min(), ring_lat.max(), ring_lon.min(), ring_lon.max()
    stretch = np.cos(np.radians((south + north) / 2.0))
    for a in range(len(touched)):
        for i in range(first_shape[a], first_shape[a + 1] - 1):
            lat, lon = lat_e7[i] * 1e-7, lon_e7[i] * 1e-7
            to_lat, to_lon = lat_e7[i + 1] * 1e-7, lon_e7[i + 1] * 1e-7
            if max(lat, to_lat) < south or min(lat, to_lat) > north or max(lon, to_lon) < west or min(lon, to_lon) > east:
                continue
            length = np.hypot(to_lat - lat, (to_lon - lon) * stretch) * METRES_PER_DEGREE
            pieces = int(length / step_m) + 1
            for k in range(pieces + 1):
                if inside_ring(lat + (to_lat - lat) * k / pieces, lon + (to_lon - lon) * k / pieces, ring_lat, ring_lon):
                    touched[a] = True
                    break
            if touched[a]:
                break


@kernel
def middle_in_ring(
    first_shape: Int64, lat_e7: Int32, lon_e7: Int32, ring_lat: Float64, ring_lon: Float64, found: Bools
) -> None:
    """Mark arcs (bool[m]) whose middle, by length, lies inside the ring (degrees)."""
    south, north, west, east = ring_lat.min(), ring_lat.max(), ring_lon.min(), ring_lon.max()
    stretch = np.cos(np.radians((south + north) / 2.0))
    for a in range(len(found)):
        total = 0.0
        for i in range(first_shape[a], first_shape[a + 1] - 1):
            total += np.hypot(np.float64(lat_e7[i + 1]) - lat_e7[i], (np.float64(lon_e7[i + 1]) - lon_e7[i]) * stretch)
        left = total / 2.0
        for i in range(first_shape[a], first_shape[a + 1] - 1):
            north_e7, east_e7 = np.float64(lat_e7[i + 1]) - lat_e7[i], np.float64(lon_e7[i + 1]) - lon_e7[i]
            piece = np.hypot(north_e7, east_e7 * stretch)
            if piece >= left:
                part = left / piece if piece > 0.0 else 0.0
                lat, lon = (lat_e7[i] + part * north_e7) * 1e-7, (lon_e7[i] + part * east_e7) * 1e-7
                if south <= lat <= north and west <= lon <= east:
                    found[a] = found[a] or inside_ring(lat, lon, ring_lat, ring_lon)
                break
            left -= piece


@kernel
def touch_circle(
    first_shape: Int64, lat_e7: Int32, lon_e7: Int32, lat: float, lon: float, radius_m: float, touched: Bools
) -> None:
    """Mark arcs (bool[m]) with a point not farther than the radius from a position."""
    stretch = np.cos(np.radians(lat))
    for a in range(len(touched)):
        for i in range(first_shape[a], first_shape[a + 1] - 1):
            y, x = (lat_e7[i] * 1e-7 - lat) * METRES_PER_DEGREE, (lon_e7[i] * 1e-7 - lon) * METRES_PER_DEGREE * stretch
            dy = (np.float64(lat_e7[i + 1]) - lat_e7[i]) * 1e-7 * METRES_PER_DEGREE
            dx = (np.float64(lon_e7[i + 1]) - lon_e7[i]) * 1e-7 * METRES_PER_DEGREE * stretch
            square = dx * dx + dy * dy
            part = min(max(-(x * dx + y * dy) / square, 0.0), 1.0) if square > 0.0 else 0.0
            if np.hypot(x + part * dx, y + part * dy) <= radius_m:
                touched[a] = True
                break

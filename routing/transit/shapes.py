"""The line a ride draws on the map."""

import numpy as np
import numpy.typing as npt

from routing.model.timetable import Timetable
from routing.transit.journeys import RideLeg

Float64 = npt.NDArray[np.float64]


def ride_path(ride: RideLeg) -> tuple[Float64, Float64]:
    """Latitudes and longitudes of a ride, degrees: cut out of the shape of its trip, else straight from stop to stop."""
    timetable = ride.trip.timetable
    shape = int(timetable.trip_shape[ride.trip.trip]) if ride.trip.trip >= 0 else -1
    stops = ride.trip.stops
    points = slice(timetable.first_shape_point[shape], timetable.first_shape_point[shape + 1]) if shape >= 0 else slice(0, 0)
    lat, lon = timetable.shape_lat_e7[points] / 1e7, timetable.shape_lon_e7[points] / 1e7
    if len(lat) < 2 or np.isnan(timetable.stop_lat_deg[stops]).any():
        return _straight(timetable, ride)
    along = locate_stops(lat, lon, timetable.stop_lat_deg[stops], timetable.stop_lon_deg[stops])
    return cut(lat, lon, along[ride.board_position], along[ride.alight_position])


def locate_stops(lat_deg: Float64, lon_deg: Float64, stop_lat_deg: Float64, stop_lon_deg: Float64) -> Float64:
    """Where each stop lies along a polyline: segment number plus fraction, never decreasing.

    Of all placements in order the one with the least sum of squared distances is taken (dynamic programming, stops × segments),
    so a line that passes a place twice is cut at the right pass.
    """
    narrow = np.cos(np.radians(lat_deg.mean()))
    x, y = lon_deg * narrow, lat_deg
    dx, dy = np.diff(x), np.diff(y)
    px, py = stop_lon_deg[:, None] * narrow, stop_lat_deg[:, None]
    length = np.maximum(dx * dx + dy * dy, 1e-18)
    fraction = np.clip(((px - x[:-1]) * dx + (py - y[:-1]) * dy) / length, 0.0, 1.0)
    distance = (px - x[:-1] - fraction * dx) ** 2 + (py - y[:-1] - fraction * dy) ** 2
    # Going backwards within one segment is no way to travel: it costs what it would take to walk it back.
    back = np.maximum(fraction[:-1] - fraction[1:], 0.0) ** 2 * length
    cost = distance.copy()
    for i in range(1, len(cost)):
        earlier = np.minimum.accumulate(np.concatenate(([np.inf], cost[i - 1, :-1])))
        cost[i] += np.minimum(earlier, cost[i - 1] + back[i - 1])
    along = np.empty(len(cost))
    segment = int(np.argmin(cost[-1]))
    along[-1] = segment + fraction[-1, segment]
    for i in range(len(cost) - 2, -1, -1):
        before = cost[i, : segment + 1].copy()
        before[segment] += back[i, segment]
        segment = int(np.argmin(before))
        along[i] = segment + fraction[i, segment]
    return np.maximum.accumulate(along)


def cut(lat_deg: Float64, lon_deg: Float64, begin: float, end: float) -> tuple[Float64, Float64]:
    """Part of a polyline between two positions (segment number plus fraction)."""
    between = np.arange(np.floor(begin) + 1, np.ceil(end))
    position = np.concatenate(([begin], between, [end]))
    vertices = np.arange(len(lat_deg))
    return np.interp(position, vertices, lat_deg), np.interp(position, vertices, lon_deg)


def _straight(timetable: Timetable, ride: RideLeg) -> tuple[Float64, Float64]:
    stops = ride.stops
    known = stops[~np.isnan(timetable.stop_lat_deg[stops])]
    return timetable.stop_lat_deg[known], timetable.stop_lon_deg[known]

"""The line a trip follows on the ground, and where its stops lie along it."""

import math

import numpy as np
import numpy.typing as npt

from routing.model.timetable import Timetable

METRES_PER_DEGREE = 111_195.0
REACH_M = 120.0
SLACK_M = 15.0

Floats = npt.NDArray[np.float64]


def distances(line: Floats) -> Floats:
    """Distance of each point (lat, lon) from the first one along the line, metres."""
    stretch = math.cos(math.radians(float(line[0, 0])))
    steps = np.hypot(np.diff(line[:, 0]), np.diff(line[:, 1]) * stretch) * METRES_PER_DEGREE
    return np.concatenate([[0.0], np.cumsum(steps)])


def flat(points: Floats, at_lat: float) -> Floats:
    """Points (lat, lon) as metres (x east, y north) in a plane that fits near `at_lat`."""
    stretch = math.cos(math.radians(at_lat))
    return np.stack([points[:, 1] * stretch, points[:, 0]], axis=1) * METRES_PER_DEGREE


def project(line: Floats, line_m: Floats, stops: Floats, reach_m: float = REACH_M) -> Floats | None:
    """Distance of each stop along the line, never going back; None where a stop lies further than `reach_m` from it.

    Each stop takes the earliest place, after the stop before, where the line is nearly as near as anywhere ahead.
    """
    xy = flat(line, float(line[0, 0]))
    targets = flat(stops, float(line[0, 0]))
    start, step = xy[:-1], np.diff(xy, axis=0)
    size = np.maximum((step * step).sum(axis=1), 1e-9)
    lengths = np.diff(line_m)
    along = np.empty(len(stops))
    at = 0.0
    for i, target in enumerate(targets):
        part = np.clip(((target - start) * step).sum(axis=1) / size, 0, 1)
        where = line_m[:-1] + part * lengths
        distance = np.hypot(*(start + part[:, None] * step - target).T)
        ahead = where >= at - 1.0
        if not ahead.any():
            return None
        best = float(distance[ahead].min())
        if best > reach_m:
            return None
        at = max(at, float(where[ahead & (distance <= best + SLACK_M)].min()))
        along[i] = at
    return along


def line_of_trip(timetable: Timetable, trip: int) -> tuple[Floats, Floats, Floats]:
    """Line of a trip: points (lat, lon) of its shape, or of its stops where the shape is absent or does not fit.

    Returns
    -------
    line : float64[k, 2]
    line_m : float64[k]
        Distance of each point along the line.
    along_m : float64[calls]
        Distance of each call along the line.
    """
    rows = timetable.stops_of_trip(trip)
    stops = np.stack([timetable.stop_lat_deg[rows], timetable.stop_lon_deg[rows]], axis=1).astype(np.float64)
    shape = int(timetable.trip_shape[trip])
    if shape >= 0:
        part = slice(int(timetable.first_shape_point[shape]), int(timetable.first_shape_point[shape + 1]))
        line = np.stack([timetable.shape_lat_e7[part] * 1e-7, timetable.shape_lon_e7[part] * 1e-7], axis=1)
        if len(line) > 1:
            line_m = distances(line)
            along = project(line, line_m, stops)
            if along is not None:
                return line, line_m, along
    along = distances(stops)
    return stops, along, along

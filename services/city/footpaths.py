"""Footpaths between stops along the streets, for changing vehicles."""

import numpy as np
import numpy.typing as npt

from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.street_graph import StreetGraph
from routing.model.timetable import Timetable
from routing.street.api import StreetEngine
from routing.transit.footpaths import with_footpaths

RADIUS_M = 500.0
MAX_WALK_S = 600.0
MARGIN_S = 60
"""Added to each walk: leaving the vehicle and finding the way."""

MAX_STOP_DISTANCE_M = 150.0
_METRES_PER_DEGREE = 111_195.0
_METRES_PER_CELL = RADIUS_M


def with_street_footpaths(timetable: Timetable, graph: StreetGraph) -> Timetable:
    """Timetable with its own footpaths (transfers.txt) and street walks of at most 10 min between stops within 500 m.

    Of a feed's own transfer and a street walk between the same stops the shorter counts. Stops farther than 150 m from any
    footway keep only what their feed says.
    """
    engine = StreetEngine(graph)
    metric = engine.metric(StreetMode.FOOT)
    usable = np.isfinite(timetable.stop_lat_deg) & (timetable.stop_location_type == 0)
    lat, lon = np.where(usable, timetable.stop_lat_deg, 0.0), np.where(usable, timetable.stop_lon_deg, 0.0)
    snaps = engine.snap(lat, lon, StreetMode.FOOT, MAX_STOP_DISTANCE_M)
    usable &= snaps.arc >= 0
    own_from = np.repeat(np.arange(timetable.stop_count), np.diff(timetable.first_footpath))
    sources, targets, seconds = [own_from], [timetable.footpath_to], [timetable.footpath_s]
    for stop, near in _neighbours(lat, lon, usable):
        times = engine.one_to_many(metric, snaps, stop, snaps.take(near), MAX_WALK_S)
        reached = times != UNREACHABLE_MS
        sources.append(np.full(int(reached.sum()), stop))
        targets.append(near[reached].astype(np.int32))
        seconds.append((np.ceil(times[reached] / 1000.0) + MARGIN_S).astype(np.int32))
    return with_footpaths(timetable, np.concatenate(sources), np.concatenate(targets), np.concatenate(seconds))


def _neighbours(
    lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64], usable: npt.NDArray[np.bool_]
) -> "list[tuple[int, npt.NDArray[np.int64]]]":
    """Other usable stops within `RADIUS_M` of each usable stop, by a grid of cells of that size."""
    stops = np.flatnonzero(usable)
    if not len(stops):
        return []
    scale = np.cos(np.radians(lat[stops].mean()))
    y, x = lat * _METRES_PER_DEGREE, lon * _METRES_PER_DEGREE * scale
    row, column = np.floor(y / _METRES_PER_CELL).astype(np.int64), np.floor(x / _METRES_PER_CELL).astype(np.int64)
    cells: dict[tuple[int, int], list[int]] = {}
    for stop in stops.tolist():
        cells.setdefault((int(row[stop]), int(column[stop])), []).append(stop)
    found = []
    for stop in stops.tolist():
        around = [(int(row[stop]) + i, int(column[stop]) + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        near = np.array(sorted(s for cell in around for s in cells.get(cell, ()) if s != stop), np.int64)
        near = near[np.hypot(y[near] - y[stop], x[near] - x[stop]) <= RADIUS_M]
        if len(near):
            found.append((stop, near))
    return found

"""Footpaths between stops along the streets, and without steps.

A timetable knows its footpaths from the operator or as straight lines between stops. Where the way on the streets takes longer
(a river, a railway, a motorway between them), that time holds; a footpath no street leads along within a quarter of an hour
is none.
"""

import numpy as np
import numpy.typing as npt

from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.timetable import Timetable
from routing.model.transfers import Footpaths, StreetTransfers
from routing.street.api import Snaps, StreetEngine, StreetMetric

MAX_STOP_DISTANCE_M = 150.0
MAX_TRANSFER_S = 900.0


def build_transfers(street: StreetEngine, timetable: Timetable) -> StreetTransfers:
    """Footpaths of a timetable with the times that walkers and wheelchairs need (Porto: 0.3 s of processor time)."""
    on_foot, step_free = (
        find_footpaths(street, street.metric(mode), snap_stops(street, timetable, mode), timetable, keep_off_street=keep)
        for mode, keep in ((StreetMode.FOOT, True), (StreetMode.WHEELCHAIR, False))
    )
    return StreetTransfers(on_foot, step_free)


def snap_stops(street: StreetEngine, timetable: Timetable, mode: StreetMode) -> Snaps:
    """Where each stop lies on the streets of a mode; arc -1 for stations and for stops farther than 150 m from any."""
    lat, lon = timetable.stop_lat_deg, timetable.stop_lon_deg
    placed = np.isfinite(lat) & np.isfinite(lon) & (timetable.stop_location_type == 0)
    return street.snap(np.where(placed, lat, 0.0), np.where(placed, lon, 0.0), mode, MAX_STOP_DISTANCE_M)


def find_footpaths(
    street: StreetEngine, metric: StreetMetric, stops: Snaps, timetable: Timetable, *, keep_off_street: bool
) -> Footpaths:
    """Footpaths of a timetable that take the time the streets need.

    Parameters
    ----------
    metric : StreetMetric
        Of walkers, or of wheelchairs.
    stops : Snaps [stops]
        Where each stop lies for that mode.
    keep_off_street : bool
        Keep footpaths of stops that are on no street (deep in a station); they are dropped for wheelchairs, since nobody
        knows their steps.
    """
    source = np.repeat(np.arange(timetable.stop_count), np.diff(timetable.first_footpath))
    needed_s = street_times_s(street, metric, stops, timetable)
    known = (stops.arc[source] >= 0) & (stops.arc[timetable.footpath_to] >= 0)
    duration_s = np.maximum(timetable.footpath_s, np.where(known, needed_s, 0.0))
    kept = np.where(known, needed_s <= MAX_TRANSFER_S, keep_off_street)
    seconds = np.ceil(duration_s[kept]).astype(np.int32)
    return Footpaths(source[kept].astype(np.int32), timetable.footpath_to[kept].astype(np.int32), seconds)


def street_times_s(street: StreetEngine, metric: StreetMetric, stops: Snaps, timetable: Timetable) -> npt.NDArray[np.float64]:
    """Seconds along the streets for every footpath of the timetable (float64[w]); infinite beyond `MAX_TRANSFER_S`."""
    needed_s = np.full(len(timetable.footpath_to), np.inf)
    for stop in np.flatnonzero(np.diff(timetable.first_footpath)).tolist():
        if stops.arc[stop] < 0:
            continue
        rows = slice(int(timetable.first_footpath[stop]), int(timetable.first_footpath[stop + 1]))
        times = street.one_to_many(metric, stops, stop, stops.take(timetable.footpath_to[rows]), MAX_TRANSFER_S)
        needed_s[rows] = np.where(times == UNREACHABLE_MS, np.inf, times / 1000.0)
    return needed_s

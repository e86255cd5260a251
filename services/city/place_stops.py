"""Stops as places: stops of one name that stand together are one place, whatever their operators."""

import math
import re
from collections import defaultdict

import numpy as np

from routing.model.places import PlaceKind
from routing.model.timetable import Timetable
from routing.places.folding import fold_words
from services.city.place_types import Localities, Place, distance_m, titled

TOGETHER_M = 350.0
"""Stops of the same name within this distance of each other are one place."""

_MODES = (
    (0, "tram"),
    (1, "metro"),
    (2, "rail"),
    (3, "bus"),
    (4, "ferry"),
    (5, "tram"),
    (6, "lift"),
    (7, "funicular"),
    (11, "trolleybus"),
)
_EXTENDED = ((100, "rail"), (200, "coach"), (400, "metro"), (700, "bus"), (800, "trolleybus"), (900, "tram"), (1000, "ferry"))
_PLATFORM = re.compile(r"[ ,]+(Bstg|Bussteig|Steig|Bahnsteig|Gleis|Quai|Voie|Binario|Platform|Cais)\.? \w{1,3}$")
_WEIGHT = {"rail": 50, "metro": 50, "tram": 25, "ferry": 25}


def stop_places(timetable: Timetable, languages: tuple[str, ...], localities: Localities) -> list[Place]:
    """Group the stops that are served into places; a station's platforms belong to it."""
    calls = np.zeros(timetable.stop_count, np.int64)
    patterns = np.diff(timetable.first_pattern_trip)
    rows = np.repeat(patterns, np.diff(timetable.first_pattern_stop))
    np.add.at(calls, timetable.pattern_stops, rows)
    modes = _modes_of_stops(timetable)
    groups: dict[tuple[str, ...], list[list[int]]] = defaultdict(list)
    lat, lon = timetable.stop_lat_deg, timetable.stop_lon_deg
    for stop in np.flatnonzero(calls > 0).tolist():
        if math.isnan(lat[stop]):
            continue
        clusters = groups[tuple(fold_words(_name(timetable, stop), languages)) or (timetable.stop_ids[stop],)]
        near = next(
            (row for row in clusters if any(distance_m(lat[stop], lon[stop], lat[o], lon[o]) <= TOGETHER_M for o in row)), None
        )
        if near is None:
            clusters.append([stop])
        else:
            near.append(stop)
    clusters = sorted((row for rows in groups.values() for row in rows), key=lambda row: row[0])
    return [_place(timetable, row, calls, modes, localities) for row in clusters]


def _place(
    timetable: Timetable,
    stops: list[int],
    calls: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    modes: list[set[str]],
    localities: Localities,
) -> Place:
    lat, lon = float(timetable.stop_lat_deg[stops].mean()), float(timetable.stop_lon_deg[stops].mean())
    served = set().union(*(modes[stop] for stop in stops))
    departures = int(calls[stops].sum())
    importance = 40 + round(18 * math.log10(1 + departures)) + max((_WEIGHT.get(mode, 0) for mode in served), default=0)
    # Written with accents and small letters by one operator, in capitals by another: take the richest spelling.
    names = [_name(timetable, stop) for stop in stops]
    best = max(names, key=lambda name: (any(c.islower() for c in name), sum(not c.isascii() for c in name), -len(name)))
    codes = {timetable.stop_codes[stop] for stop in stops} - {""}
    reference = f"stop:{timetable.stop_ids[stops[0]]}"
    category = "stop:" + "+".join(sorted(served))
    aliases = tuple(sorted(codes | ({titled(name) for name in names} - {titled(best)})))
    return Place(
        PlaceKind.STOP,
        titled(best),
        lat,
        lon,
        importance,
        category,
        reference,
        localities.find(lat, lon),
        aliases,
        tuple(stops),
    )


def _name(timetable: Timetable, stop: int) -> str:
    """Name without the platform, which some feeds append."""
    return _PLATFORM.sub("", timetable.stop_names[stop])


def _modes_of_stops(timetable: Timetable) -> list[set[str]]:
    modes: list[set[str]] = [set() for _ in range(timetable.stop_count)]
    for pattern in range(timetable.pattern_count):
        name = mode_name(int(timetable.route_type[timetable.pattern_route[pattern]]))
        for stop in set(timetable.stops_of_pattern(pattern).tolist()):
            modes[stop].add(name)
    return modes


def mode_name(route_type: int) -> str:
    """Word for a GTFS `route_type`, basic or extended."""
    if route_type < 100:
        return dict(_MODES).get(route_type, "transit")
    return next((name for start, name in reversed(_EXTENDED) if route_type >= start), "transit")

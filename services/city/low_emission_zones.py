"""Zones of a city → rules on its streets: files of the French open-data schema (GeoJSON, etalab schema-zfe), or drawn ones.

https://schema.data.gouv.fr/etalab/schema-zfe. Every vehicle kind has the cleanest sticker that may not enter and its hours in
the words of OSM's opening hours. Zones (polygons) are read; single roads of a national road base are counted, not read.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

import numpy as np

from routing.errors import InvalidInput
from routing.model.access_zones import OPEN_S, AccessZones
from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.model.strings import StringTable
from routing.street.access_rules import EmissionClass
from routing.street.avoidance import Ring, arcs_within
from services.city.config import CITY_FILE, CityConfig
from services.city.config_zones import ZoneInput
from services.city.errors import CityError, CityInputError
from services.city.osm_reader_times import build_rules, weekly_hours

STICKERS = {
    "EL": EmissionClass.ELECTRIC, "V1": EmissionClass.CLASS_1, "V2": EmissionClass.CLASS_2, "V3": EmissionClass.CLASS_3,
    "V4": EmissionClass.CLASS_4, "V5": EmissionClass.CLASS_5, "NC": EmissionClass.UNCLASSIFIED,
}  # fmt: skip
KINDS = {"vp": StreetMode.CAR, "vul": StreetMode.VAN, "pl": StreetMode.TRUCK}
"""Prefixes of the schema's properties; buses and motorcycles have no street mode here."""

MODES = {"car": StreetMode.CAR, "van": StreetMode.VAN, "truck": StreetMode.TRUCK}
CLASSES = {
    "electric": EmissionClass.ELECTRIC, "class-1": EmissionClass.CLASS_1, "class-2": EmissionClass.CLASS_2,
    "class-3": EmissionClass.CLASS_3, "class-4": EmissionClass.CLASS_4, "class-5": EmissionClass.CLASS_5,
    "unclassified": EmissionClass.UNCLASSIFIED,
}  # fmt: skip
"""Words of `city.toml`, of the command line, and of answers."""

ALWAYS = "24/7"


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone for one kind of vehicle, or for several by the same rule.

    Attributes
    ----------
    id : str
    outlines : tuple of rings
        (lat, lon); holes are not read: their streets count as inside.
    modes : int
        Bits of `StreetMode`.
    from_class : EmissionClass
        The cleanest that may not enter.
    hours : str
        Local time, as opening hours.
    starts : date or None
    ends : date or None
        The last day included.
    name : str
    """

    id: str
    outlines: tuple[Ring, ...]
    modes: int
    from_class: EmissionClass
    hours: str
    starts: date | None
    ends: date | None
    name: str = ""


def read_zones(body: bytes) -> tuple[list[Zone], int]:
    """Zones of a GeoJSON file, and how many features were no zones.

    Raises
    ------
    CityError
        For what is no such file, stickers nobody knows, hours that are not understood, dates that are none: what and where.
    """
    try:
        features = json.loads(body)["features"]
        if not isinstance(features, list):
            raise TypeError("features is no list")
    except (ValueError, KeyError, TypeError) as error:
        raise CityError(f"low-emission zones: no GeoJSON feature collection ({error})") from error
    zones: list[Zone] = []
    skipped = 0
    for k, feature in enumerate(features):
        try:
            found = _zones(feature)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise CityError(f"low-emission zones: features[{k}] cannot be read: {error}") from error
        zones.extend(found)
        skipped += not found
    return zones, skipped


def _zones(feature: dict[str, Any]) -> list[Zone]:
    geometry, tags = feature["geometry"], feature["properties"]
    polygons = {"Polygon": [geometry["coordinates"]], "MultiPolygon": geometry["coordinates"]}.get(geometry["type"], [])
    outlines = tuple(_ring(polygon[0]) for polygon in polygons)
    if not outlines:
        return []
    starts, ends = date.fromisoformat(tags["date_debut"]), tags.get("date_fin")
    end = date.fromisoformat(ends) if ends else None
    if end is not None and end < starts:
        raise ValueError(f"date_fin = {end} is before date_debut = {starts}")
    found: dict[tuple[str, str], int] = {}
    for prefix, mode in KINDS.items():
        sticker = tags.get(f"{prefix}_critair")
        if not sticker:
            continue
        if sticker not in STICKERS:
            raise ValueError(f"{prefix}_critair = {sticker!r} is none of {', '.join(STICKERS)}")
        hours = tags.get(f"{prefix}_horaires") or ALWAYS
        if weekly_hours(hours) is None:
            raise ValueError(f"{prefix}_horaires = {hours!r} is not understood; days of the week and hours are")
        found[sticker, hours] = found.get((sticker, hours), 0) | mode.bit
    return [
        Zone(str(tags["id"]), outlines, modes, STICKERS[sticker], hours, starts, end)
        for (sticker, hours), modes in found.items()
    ]


def _ring(corners: list[Any]) -> Ring:
    """Corners (lat, lon) of a GeoJSON ring, the last one not repeated."""
    ring = tuple((float(lat), float(lon)) for lon, lat, *_ in corners)
    for lat, lon in ring:
        if not (abs(lat) <= 90.0 and abs(lon) <= 180.0) or math.isnan(lat + lon):
            raise ValueError(f"the corner [{lon}, {lat}] is not on Earth: GeoJSON has longitude first, in degrees")
    ring = ring[:-1] if len(ring) > 1 and ring[0] == ring[-1] else ring
    if len(ring) < 3:
        raise ValueError(f"a ring has {len(ring)} corners, 3 are needed")
    return ring


@dataclass(frozen=True, slots=True)
class DeclaredZones:
    """All zones of a city, and what was left out of its files, in words."""

    zones: tuple[Zone, ...]
    warnings: tuple[str, ...]


def declared_zones(city: CityConfig) -> DeclaredZones:
    """Read the zones of a ``city.toml`` and of the files it names.

    Raises
    ------
    CityInputError
        If a file is missing or cannot be read: which entry, which file, what is wrong, what to do.
    """
    zones: list[Zone] = []
    warnings = []
    for k, entry in enumerate(city.zones):
        if not entry.file:
            zones.append(_drawn(entry))
            continue
        path = city.get_path(entry.file)
        try:
            found, skipped = read_zones(path.read_bytes())
        except (CityError, OSError) as error:
            raise CityInputError(
                f"{city.folder / CITY_FILE}: zones[{k}] {entry.id!r}: {path}: {error}: mend the file, fetch it again"
                f"{f' ({entry.url})' if entry.url else ''}, or remove the entry; the city stays as it was built before"
            ) from error
        if not found:
            raise CityInputError(
                f"{city.folder / CITY_FILE}: zones[{k}] {entry.id!r}: {path} holds no zone for cars, vans or trucks: name "
                "another file, or remove the entry"
            )
        if skipped:
            warnings.append(
                f"zones {entry.id}: {skipped} features of {entry.file} are no areas, or bind other vehicles: left out"
            )
        names = entry.name or entry.id
        zones += [Zone(z.id, z.outlines, z.modes, z.from_class, z.hours, z.starts, z.ends, names) for z in found]
    return DeclaredZones(tuple(zones), tuple(warnings))


def _drawn(entry: ZoneInput) -> Zone:
    modes = sum({MODES[word].bit for word in entry.vehicles})
    assert entry.closed_from is not None, "checked when the table was read"
    ring = entry.polygon[:-1] if entry.polygon[0] == entry.polygon[-1] else entry.polygon
    closed_from = CLASSES[entry.closed_from]
    return Zone(entry.id, (ring,), modes, closed_from, entry.hours, entry.starts, entry.ends, entry.name or entry.id)


def compile_zones(graph: StreetGraph, zones: Iterable[Zone], clock: tzinfo) -> AccessZones:
    """Lay zones on a street graph: a street whose middle lies inside belongs to the zone; days are those of the city's clock.

    Raises
    ------
    CityInputError
        For outlines that enclose nothing.
    """
    kept = list(zones)
    hours, rows = build_rules(one.hours for one in kept)
    inside = [_arcs_inside(graph, one) for one in kept]
    rings = [ring for one in kept for ring in one.outlines]
    points = np.rint(np.array([corner for ring in rings for corner in ring], np.float64).reshape(-1, 2) * 1e7).astype(np.int32)
    return AccessZones(
        StringTable.build(one.id for one in kept),
        StringTable.build(one.name or one.id for one in kept),
        np.array([one.modes for one in kept], np.uint16),
        np.array([one.from_class for one in kept], np.uint8),
        np.array([-OPEN_S if one.starts is None else _midnight_s(one.starts, clock) for one in kept], np.int64),
        np.array([OPEN_S if one.ends is None else _midnight_s(one.ends + timedelta(days=1), clock) for one in kept], np.int64),
        np.array([rows[one.hours] for one in kept], np.int32),
        hours,
        _offsets(len(arcs) for arcs in inside),
        np.concatenate([np.zeros(0, np.int32), *inside]),
        _offsets(len(one.outlines) for one in kept),
        _offsets(len(ring) for ring in rings),
        np.ascontiguousarray(points[:, 0]),
        np.ascontiguousarray(points[:, 1]),
    )


def _arcs_inside(graph: StreetGraph, one: Zone) -> np.ndarray[Any, np.dtype[np.int32]]:
    try:
        return np.unique(np.concatenate([arcs_within(graph, ring) for ring in one.outlines])).astype(np.int32)
    except InvalidInput as error:
        raise CityInputError(f"zone {one.id!r}: {error}: draw its outline again") from error


def _offsets(lengths: Iterable[int]) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.cumsum([0, *lengths]).astype(np.int32)


def _midnight_s(day: date, clock: tzinfo) -> int:
    return int(datetime.combine(day, time(), clock).timestamp())

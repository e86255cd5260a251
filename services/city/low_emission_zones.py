"""Low-emission zones of the French open-data schema (GeoJSON, etalab schema-zfe) → access rules of the street engine.

https://schema.data.gouv.fr/etalab/schema-zfe. Every vehicle kind has the cleanest sticker that may not enter and its hours in
the words of OSM's opening hours. Zones (polygons) are read; single roads of a national road base are counted, not read.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

import numpy as np

from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.model.strings import StringTable
from routing.model.time_rules import TimeRules
from routing.street.access_rules import AccessRule, AccessRules, EmissionClass
from routing.street.avoidance import Ring, arcs_within
from services.city.errors import CityError
from services.city.osm_reader_times import weekly_hours

STICKERS = {
    "EL": EmissionClass.ELECTRIC, "V1": EmissionClass.CLASS_1, "V2": EmissionClass.CLASS_2, "V3": EmissionClass.CLASS_3,
    "V4": EmissionClass.CLASS_4, "V5": EmissionClass.CLASS_5, "NC": EmissionClass.UNCLASSIFIED,
}  # fmt: skip
KINDS = {"vp": StreetMode.CAR, "vul": StreetMode.VAN, "pl": StreetMode.TRUCK}
"""Prefixes of the schema's properties; buses and motorcycles have no street mode here."""

ALWAYS = "24/7"


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone for one kind of vehicle.

    Attributes
    ----------
    id : str
    outlines : tuple of rings
        (lat, lon); holes are not read: their streets count as inside.
    mode : StreetMode
    from_class : EmissionClass
        The cleanest that may not enter.
    hours : str
        Local time, as opening hours.
    starts : date
    ends : date or None
        The last day included.
    """

    id: str
    outlines: tuple[Ring, ...]
    mode: StreetMode
    from_class: EmissionClass
    hours: str
    starts: date
    ends: date | None


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
    outlines = tuple(tuple((float(lat), float(lon)) for lon, lat, *_ in polygon[0]) for polygon in polygons)
    if not outlines:
        return []
    starts, ends = date.fromisoformat(tags["date_debut"]), tags.get("date_fin")
    found = []
    for prefix, mode in KINDS.items():
        sticker = tags.get(f"{prefix}_critair")
        if not sticker:
            continue
        if sticker not in STICKERS:
            raise ValueError(f"{prefix}_critair = {sticker!r} is none of {', '.join(STICKERS)}")
        hours = tags.get(f"{prefix}_horaires") or ALWAYS
        if weekly_hours(hours) is None:
            raise ValueError(f"{prefix}_horaires = {hours!r} is not understood; days of the week and hours are")
        end = date.fromisoformat(ends) if ends else None
        found.append(Zone(str(tags["id"]), outlines, mode, STICKERS[sticker], hours, starts, end))
    return found


def access_rules(graph: StreetGraph, zones: Iterable[Zone], zone: tzinfo) -> AccessRules:
    """Rules of zones on a street graph; days are those of the city's clock."""
    kept = list(zones)
    texts = sorted({one.hours for one in kept})
    intervals = [weekly_hours(text) or () for text in texts]
    rows = np.array([interval for group in intervals for interval in group], np.int64).reshape(-1, 3)
    first = np.cumsum([0, *(len(group) for group in intervals)]).astype(np.int32)
    columns = rows[:, 0].astype(np.uint16), rows[:, 1].astype(np.int16), rows[:, 2].astype(np.int16)
    hours = TimeRules(StringTable.build(texts), first, *columns)
    inside: dict[tuple[Ring, ...], np.ndarray[Any, np.dtype[np.int32]]] = {}
    rules = []
    for one in kept:
        if one.outlines not in inside:
            inside[one.outlines] = np.unique(np.concatenate([arcs_within(graph, ring) for ring in one.outlines]))
        ends_s = None if one.ends is None else _midnight_s(one.ends + timedelta(days=1), zone)
        rules.append(
            AccessRule(
                inside[one.outlines], one.mode.bit, one.from_class, _midnight_s(one.starts, zone), ends_s,
                texts.index(one.hours), one.id,
            )
        )  # fmt: skip
    return AccessRules(graph.arc_count, tuple(rules), hours, zone)


def _midnight_s(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())

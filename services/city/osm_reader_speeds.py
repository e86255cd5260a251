"""Free-flow speeds from OSM tags (pure).

The speed of an arc is its limit (``maxspeed``, or the usual limit of its class in a city) times the share of it that traffic
reaches between junctions when the street is free. Waiting *at* junctions is not in it: turn costs carry that.
"""

import functools
import re
from collections.abc import Mapping

_LIMIT_KEYS = ("maxspeed", "zone:maxspeed", "maxspeed:type", "source:maxspeed")
SPEED_KEYS = (*_LIMIT_KEYS, "maxspeed:forward", "maxspeed:backward")
"""Keys `speeds_kmh` looks at."""

_USUAL_KMH = {
    "motorway": 110.0, "motorway_link": 60.0, "trunk": 80.0, "trunk_link": 50.0, "primary": 50.0, "primary_link": 50.0,
    "secondary": 50.0, "secondary_link": 45.0, "tertiary": 50.0, "tertiary_link": 40.0, "unclassified": 45.0,
    "residential": 40.0, "living_street": 15.0, "service": 20.0, "road": 40.0, "track": 20.0, "pedestrian": 10.0, "ferry": 12.0,
}  # fmt: skip
_FREE_FLOW = {
    "motorway": 0.95, "motorway_link": 0.9, "trunk": 0.95, "trunk_link": 0.9, "primary": 0.9, "primary_link": 0.9,
    "secondary": 0.85, "secondary_link": 0.85, "tertiary": 0.8, "tertiary_link": 0.8, "unclassified": 0.75,
    "residential": 0.75, "ferry": 1.0,
}  # fmt: skip
_OTHER_KMH, _OTHER_FREE_FLOW = 15.0, 0.8

_ZONES_KMH = {"urban": 50.0, "rural": 90.0, "trunk": 100.0, "motorway": 120.0, "living_street": 20.0, "pedestrian_zone": 6.0}
_COUNTRIES_KMH = {
    "at": {"rural": 100.0, "motorway": 130.0}, "be": {"rural": 90.0}, "ch": {"rural": 80.0}, "cz": {"motorway": 130.0},
    "de": {"rural": 100.0, "motorway": 130.0}, "dk": {"rural": 80.0, "motorway": 130.0},
    "fr": {"rural": 80.0, "trunk": 110.0, "motorway": 130.0}, "it": {"trunk": 110.0, "motorway": 130.0},
    "nl": {"rural": 80.0, "motorway": 100.0}, "pl": {"motorway": 140.0}, "ro": {"motorway": 130.0}, "se": {"rural": 70.0},
    "gb": {"nsl_restricted": 48.3, "nsl_single": 96.6, "nsl_dual": 112.7, "motorway": 112.7},
}  # fmt: skip
"""Where a country's implicit limits differ from `_ZONES_KMH`; https://wiki.openstreetmap.org/wiki/Default_speed_limits."""
_WORDS_KMH = {"walk": 6.0, "none": 130.0, "signals": None, "variable": None}
_NUMBER = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*(km/h|kmh|kph|mph|knots)?")
_ZONE_NUMBER = re.compile(r"[a-z]{2}(?:-[a-z]+)?:(?:zone)?:?(\d{1,3})")
_UNITS = {"mph": 1.609344, "knots": 1.852}


def speeds_kmh(tags: Mapping[str, str], road_class: str) -> tuple[float, float]:
    """Free-flow speeds along and against a way."""
    limit = next(
        (kmh for key in _LIMIT_KEYS if (kmh := limit_kmh(tags.get(key, "")))),
        None,
    )
    usual = limit or _USUAL_KMH.get(road_class, _OTHER_KMH)
    factor = free_flow_share(road_class)
    along = limit_kmh(tags.get("maxspeed:forward", "")) or usual
    against = limit_kmh(tags.get("maxspeed:backward", "")) or usual
    return along * factor, against * factor


def free_flow_share(road_class: str) -> float:
    """Share of the limit that traffic reaches on a free street of a class."""
    return _FREE_FLOW.get(road_class, _OTHER_FREE_FLOW)


@functools.lru_cache(maxsize=4096)
def limit_kmh(text: str) -> float | None:
    """Speed limit in km/h: ``50``, ``30 mph``, ``PT:urban``, ``DE:zone:30``, ``FR:30``, ``walk``, ``none``; else None."""
    value = text.split(";", maxsplit=1)[0].strip().lower()
    if value in _WORDS_KMH:
        return _WORDS_KMH[value]
    number = _NUMBER.fullmatch(value) or _ZONE_NUMBER.fullmatch(value)
    if number is None:
        country, _, zone = value.partition(":")
        return {**_ZONES_KMH, **_COUNTRIES_KMH.get("gb" if country == "uk" else country, {})}.get(zone)
    unit = number[2] if number.re is _NUMBER else None
    kmh = float(number[1]) * _UNITS.get(unit or "", 1.0)
    return kmh if 3.0 <= kmh <= 200.0 else None


def duration_s(text: str) -> int:
    """Seconds of ``MM``, ``HH:MM``, ``HH:MM:SS`` or ``PT1H20M``; 0 if it is none."""
    value = text.strip().upper()
    iso = re.fullmatch(r"PT(?:(\d{1,3})H)?(?:(\d{1,3})M)?(?:(\d{1,3})S)?", value)
    if iso:
        return sum(int(part or 0) * unit for part, unit in zip(iso.groups(), (3600, 60, 1), strict=True))
    parts = value.split(":")
    if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts) or len(parts) > 3:
        return 0
    numbers = [int(part) for part in parts]
    return numbers[0] * 60 if len(numbers) == 1 else numbers[0] * 3600 + numbers[1] * 60 + sum(numbers[2:])

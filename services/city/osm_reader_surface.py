"""How well wheels roll on a way, and how steep and high it is, out of OSM tags (pure).

https://wiki.openstreetmap.org/wiki/Key:smoothness, …/Key:surface, …/Key:tracktype, …/Key:incline, …/Key:ele.
"""

import math
import re
from collections.abc import Mapping

from routing.model.street_graph import SMOOTHNESS

SURFACE_KEYS = ("smoothness", "surface", "tracktype", "incline")
"""Keys this module looks at."""

_SURFACES = {
    **dict.fromkeys(("asphalt", "concrete", "rubber", "acrylic", "tartan", "chipseal"), "excellent"),
    **dict.fromkeys(("paved", "paving_stones", "concrete:plates", "metal", "bricks", "metal_grid"), "good"),
    **dict.fromkeys(("sett", "compacted", "fine_gravel", "wood", "concrete:lanes", "cobblestone:flattened"), "intermediate"),
    **dict.fromkeys(("cobblestone", "unhewn_cobblestone", "unpaved", "gravel", "pebblestone", "grass_paver", "shells"), "bad"),
    **dict.fromkeys(("ground", "dirt", "earth", "grass", "woodchips", "rock", "stepping_stones", "clay"), "very_bad"),
    **dict.fromkeys(("sand", "mud", "snow", "ice"), "horrible"),
}
_SMOOTHNESS = {**{word: word for word in SMOOTHNESS}, "very_horrible": "horrible"}
_TRACKS = {"grade1": "good", "grade2": "intermediate", "grade3": "bad", "grade4": "very_bad", "grade5": "horrible"}

CAR_FACTORS = (1.0, 1.0, 1.0, 0.9, 0.75, 0.5, 0.3, 0.15)
"""Share of a car's free-flow speed, by `SMOOTHNESS`."""

_STEEPEST_PCT = 60
_UNKNOWN_SLOPE_PCT = 6
_HEIGHT = re.compile(r"([+-]?\d{1,5}(?:[.,]\d+)?)\s*(m|ft)?")
_PERCENT = re.compile(r"([+-]?\d{1,3}(?:[.,]\d+)?)\s*(%|°)?")


def smoothness(tags: Mapping[str, str]) -> int:
    """Code in `SMOOTHNESS`: what is said of it, else what surface and grade of track let expect (the worse of both)."""
    said = _SMOOTHNESS.get(tags.get("smoothness", ""))
    if said is not None:
        return SMOOTHNESS.index(said)
    expected = (
        _SURFACES.get(tags.get("surface", "").split(";")[0].strip().lower(), "unknown"),
        _TRACKS.get(tags.get("tracktype", ""), "unknown"),
    )
    return max(SMOOTHNESS.index(word) for word in expected)


def incline_pct(text: str) -> int:
    """Incline along a way in percent: ``10%``, ``-5 °``, ``up``, ``down`` (taken as 6 %); 0 if unknown."""
    plain = text.strip().lower()
    if plain in ("up", "down"):
        return _UNKNOWN_SLOPE_PCT if plain == "up" else -_UNKNOWN_SLOPE_PCT
    found = _PERCENT.fullmatch(plain)
    if found is None:
        return 0
    value = float(found[1].replace(",", "."))
    if found[2] == "°":
        value = 100.0 * math.tan(math.radians(max(-45.0, min(45.0, value))))
    return max(-_STEEPEST_PCT, min(_STEEPEST_PCT, round(value)))


def find_height_m(text: str) -> float | None:
    """Height above sea level: ``84``, ``84,5 m``, ``276 ft``; None if it is none on Earth."""
    found = _HEIGHT.fullmatch(text.strip().lower())
    if found is None:
        return None
    metres = float(found[1].replace(",", ".")) * (0.3048 if found[2] == "ft" else 1.0)
    return metres if -500.0 <= metres <= 9000.0 else None

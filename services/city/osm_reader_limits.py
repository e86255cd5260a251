"""Sizes and weights in OSM tags: what the largest vehicle may be (pure).

https://wiki.openstreetmap.org/wiki/Key:maxheight, …/Key:maxweight, …/Key:maxaxleload. Values are rounded down to the steps of
`StreetGraph.limits`, so that no vehicle is led where it does not fit.
"""

import re
from collections.abc import Mapping

from routing.model.street_graph import LIMITS

NO_LIMITS = (0,) * len(LIMITS)
_KEYS = (
    ("maxheight", "maxheight:physical"),
    ("maxwidth", "maxwidth:physical"),
    ("maxlength",),
    ("maxweight", "maxgcweight", "maxweightrating"),
    ("maxaxleload",),
)
LIMIT_KEYS = tuple(key for keys in _KEYS for key in keys)
"""Keys `limits` looks at."""

_MEASURES = ("height", "width", "length", "weight", "axleload")
_FEET = re.compile(r"(\d{1,3})\s*(?:'|ft)\s*(?:(\d{1,2}(?:\.\d+)?)\s*(?:\"|in|'')?)?")
_VALUE = re.compile(r"(\d{1,5}(?:[.,]\d+)?)\s*([a-z]*)")
_METRES = {"": 1.0, "m": 1.0, "cm": 0.01, "ft": 0.3048, "in": 0.0254}
_TONNES = {"": 1.0, "t": 1.0, "kg": 0.001, "st": 0.90718474, "lt": 1.0160469, "lbs": 0.00045359237, "lb": 0.00045359237}


def limits(tags: Mapping[str, str]) -> tuple[int, ...]:
    """Limits of a way or node in the order of `LIMITS`; 0 where there is none, or what is written is none."""
    if tags.keys().isdisjoint(LIMIT_KEYS):
        return NO_LIMITS
    found = []
    for column, keys in enumerate(_KEYS):
        values = (tonnes(tags.get(key, "")) if column > 2 else metres(tags.get(key, "")) for key in keys)
        found.append(min((in_steps(value) for value in values if value is not None), default=0))
    return tuple(found)


def strictest(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Both limits at once."""
    return tuple(min(a, b) if a and b else a or b for a, b in zip(one, other, strict=True))


def measured(name: str, value: float) -> tuple[int, ...]:
    """Limit of one measure as conditions name it (``weight``, metres or tonnes)."""
    return tuple(in_steps(value) if name == measure else 0 for measure in _MEASURES)


def in_steps(value: float) -> int:
    """Metres or tonnes as steps of a tenth, rounded down, at least one."""
    return min(max(int(value * 10 + 1e-6), 1), 65_535)


def metres(text: str) -> float | None:
    """Length in metres: ``3.8``, ``3,8 m``, ``380 cm``, ``12'6"``; None for ``default``, ``none`` and nonsense."""
    plain = text.split(";", maxsplit=1)[0].strip().lower()
    feet = _FEET.fullmatch(plain)
    value = int(feet[1]) * 0.3048 + float(feet[2] or 0) * 0.0254 if feet else _in_unit(plain, _METRES)
    return value if value is not None and 0.1 <= value <= 200.0 else None


def tonnes(text: str) -> float | None:
    """Weight in tonnes: ``7.5``, ``7.5 t``, ``3500 kg``, ``10 st``; None for ``none`` and nonsense."""
    value = _in_unit(text.split(";", maxsplit=1)[0].strip().lower(), _TONNES)
    return value if value is not None and 0.05 <= value <= 1000.0 else None


def _in_unit(plain: str, units: Mapping[str, float]) -> float | None:
    found = _VALUE.fullmatch(plain)
    if found is None or found[2] not in units:
        return None
    return float(found[1].replace(",", ".")) * units[found[2]]

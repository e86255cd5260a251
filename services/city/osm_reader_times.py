"""Times in OSM tags: conditional values and the weekly hours in them (pure).

https://wiki.openstreetmap.org/wiki/Conditional_restrictions, …/Key:opening_hours. Read are days of the week, public and
school holidays, and hours (``Mo-Fr 07:00-09:00,16:00-18:00; Sa 22:00-06:00``, ``24/7``, ``SH,PH off``); months, weeks, sunrise,
"off" for other days, weekdays of holidays (``SH Mo-Fr``) and prose are not: who asks is told so, and the condition is left out.
"""

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from routing.model.strings import StringTable
from routing.model.time_rules import (
    DAY_MIN,
    NOT_IN_SCHOOL_HOLIDAYS,
    NOT_ON_HOLIDAYS,
    PUBLIC_HOLIDAY,
    SCHOOL_HOLIDAY,
    TimeRules,
)

Interval = tuple[int, int, int]
"""(days, begin_min, end_min) as in `TimeRules`."""

_DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
_WEEK = (1 << 7) - 1
_DAY = "(?:mo(?:nday)?|tu(?:esday)?|we(?:dnesday)?|th(?:ursday)?|fr(?:iday)?|sa(?:turday)?|su(?:nday)?)"
_TOKEN = re.compile(
    rf"\s*(?:(?P<from>{_DAY})\b(?:\s*-\s*(?P<till>{_DAY})\b)?|(?P<holiday>ph|sh)\b|(?P<off>off)\b|(?P<always>24/7)"
    r"|(?P<begin>\d{1,2}:\d\d)\s*-\s*(?P<end>\d{1,2}:\d\d)|(?P<comma>,)|(?P<stop>;))"
)
_MEASURE = re.compile(r"(weight|height|width|length|axleload)\s*>=?\s*([\d.]+)\s*(t|m)?")


class Clause(NamedTuple):
    """One ``value @ (condition)``.

    Attributes
    ----------
    value : str
    hours : str
        Text of the hours, empty if it does not depend on the time.
    measure : tuple of (str, float)
        ``("weight", 7.5)`` for ``weight>7.5``; ``("", 0.0)`` if it does not depend on the vehicle.
    """

    value: str
    hours: str
    measure: tuple[str, float]


def clauses(text: str) -> list[Clause] | None:
    """Read the value of a ``…:conditional`` tag; None if any part of it is not understood."""
    parts: list[tuple[str, str]] = []
    for piece in _outside_brackets(text):
        value, at, condition = piece.partition("@")
        if at:
            parts.append((value.strip(), condition))
        elif parts:
            parts[-1] = (parts[-1][0], f"{parts[-1][1]};{piece}")
        elif piece.strip():
            return None
    found = [_clause(value, condition) for value, condition in parts]
    read = [clause for clause in found if clause is not None]
    return read if read and len(read) == len(found) else None


def _outside_brackets(text: str) -> list[str]:
    """Split at semicolons that stand outside brackets."""
    pieces, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == ";" and depth <= 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    return pieces


def _clause(value: str, condition: str) -> Clause | None:
    hours, measure = "", ("", 0.0)
    for part in re.split(r"\s+and\s+", condition.strip().strip("()"), flags=re.IGNORECASE):
        about = _MEASURE.fullmatch(part.strip().lower())
        if about and not measure[0] and about[2].count(".") < 2 and about[2] != ".":
            measure = (about[1], float(about[2]))
        elif not hours and weekly_hours(part.strip()) is not None:
            hours = part.strip()
        else:
            return None
    return Clause(value, hours, measure)


@functools.lru_cache(maxsize=4096)
def weekly_hours(text: str) -> tuple[Interval, ...] | None:
    """Weekly intervals of opening hours, None if they are not understood (or hold never)."""
    found: list[Interval] = []
    days = 0
    hours: list[tuple[int, int]] = []
    off = False
    never = 0
    before = ""
    at = 0
    plain = text.strip().lower()

    def close() -> bool:
        nonlocal days, hours, off, never
        if off:
            if not days or days & _WEEK or hours:
                return False
            never |= NOT_ON_HOLIDAYS if days & PUBLIC_HOLIDAY else 0
            never |= NOT_IN_SCHOOL_HOLIDAYS if days & SCHOOL_HOLIDAY else 0
        elif days or hours:
            found.extend((days or _WEEK, begin, end) for begin, end in hours or [(0, DAY_MIN)])
        days, hours, off = 0, [], False
        return True

    while at < len(plain):
        token = _TOKEN.match(plain, at)
        if token is None:
            return None
        at = token.end()
        if (token["from"] or token["holiday"] or token["stop"]) and (hours or token["stop"]) and not close():
            return None
        if token["from"] and before == "holiday":
            return None
        before = str(token.lastgroup)
        if token["from"]:
            days |= _day_range(token["from"], token["till"] or token["from"])
        elif token["holiday"]:
            days |= PUBLIC_HOLIDAY if token["holiday"] == "ph" else SCHOOL_HOLIDAY
        elif token["always"]:
            days, hours = _WEEK | PUBLIC_HOLIDAY, [*hours, (0, DAY_MIN)]
        elif token["begin"]:
            begin, end = _minute(token["begin"]), _minute(token["end"])
            if begin is None or end is None:
                return None
            hours.append((begin % DAY_MIN, end if end <= DAY_MIN else end - DAY_MIN))
        off = off or bool(token["off"])
    if not close() or not found:
        return None
    return tuple((day | never, begin, end) for day, begin, end in found)


def _day_range(first: str, last: str) -> int:
    begin, end = _DAYS.index(first[:2]), _DAYS.index(last[:2])
    return sum(1 << ((begin + k) % 7) for k in range((end - begin) % 7 + 1))


def _minute(text: str) -> int | None:
    hour, minute = (int(part) for part in text.split(":"))
    return hour * 60 + minute if hour <= 48 and minute < 60 else None


def old_style_hours(day_on: str, day_off: str, hour_on: str, hour_off: str) -> str:
    """Opening hours of the outdated tags ``day_on``, ``day_off``, ``hour_on``, ``hour_off``."""
    days = f"{day_on}-{day_off}" if day_on and day_off else day_on or day_off
    return f"{days} {hour_on}-{hour_off}".strip() if hour_on or hour_off else days


def build_rules(texts: Iterable[str]) -> tuple[TimeRules, dict[str, int]]:
    """Rules of the distinct `texts` (all understood by `weekly_hours`), in alphabetical order, and where each stands."""
    ordered = sorted(set(texts))
    intervals = [weekly_hours(text) or () for text in ordered]
    first = np.zeros(len(ordered) + 1, np.int32)
    np.cumsum([len(found) for found in intervals], out=first[1:])
    flat = np.array([interval for found in intervals for interval in found], np.int64).reshape(-1, 3)
    rules = TimeRules(
        StringTable.build(ordered),
        first,
        flat[:, 0].astype(np.uint16),
        flat[:, 1].astype(np.int16),
        flat[:, 2].astype(np.int16),
    )
    return rules, {text: i for i, text in enumerate(ordered)}

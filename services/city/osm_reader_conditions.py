"""One-way streets and speed limits of certain hours or vehicles, out of OSM tags (pure).

https://wiki.openstreetmap.org/wiki/Conditional_restrictions, …/Key:oneway, …/Key:maxspeed.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from routing.model.street_graph import CLOSED_WHILE, OPEN_ONLY_WHILE
from services.city.osm_reader_access import MOTOR, TRUCK, Condition
from services.city.osm_reader_speeds import limit_kmh
from services.city.osm_reader_times import clauses

Tags = Mapping[str, str]
Directions = Callable[[Tags], tuple[int, int]]
"""Modes along and against a way with these tags."""

_ONEWAY_KEYS = ("oneway:conditional", "oneway:bicycle:conditional")
_SPEED_KEYS = {
    ":conditional": (MOTOR, True, True),
    ":forward:conditional": (MOTOR, True, False),
    ":backward:conditional": (MOTOR, False, True),
    ":hgv:conditional": (TRUCK, True, True),
    ":hgv": (TRUCK, True, True),
}
CONDITION_KEYS = (*_ONEWAY_KEYS, *(f"maxspeed{ending}" for ending in _SPEED_KEYS))
"""Keys this module looks at."""


class SpeedCondition(NamedTuple):
    """Another limit (km/h) for some modes while `hours` hold; empty = always."""

    modes: int
    limit_kmh: float
    hours: str


class Oneways(NamedTuple):
    """What one-way streets of certain hours change.

    Attributes
    ----------
    access : tuple of int
        Modes along and against the way, if only at times.
    conditions : tuple
        Conditions along and against the way.
    not_understood : int
    """

    access: tuple[int, int]
    conditions: tuple[tuple[Condition, ...], tuple[Condition, ...]]
    not_understood: int


def read_oneways(tags: Tags, directions: Directions, timed: int) -> Oneways:
    """Compare the directions of a way with those it has at certain hours: what is lost is closed then, what is gained open.

    Modes in `timed` may use the way at certain hours only anyhow; hours of both kinds cannot be told apart, they gain nothing.
    """
    plain = directions(tags)
    access, not_understood = list(plain), 0
    found: tuple[dict[Condition, None], dict[Condition, None]] = ({}, {})
    for key in _ONEWAY_KEYS:
        read = clauses(tags[key]) if key in tags else []
        not_understood += read is None
        for clause in read or ():
            if not clause.hours or clause.measure[0]:
                not_understood += 1
                continue
            then = directions({**tags, key.removesuffix(":conditional"): clause.value})
            for side in (0, 1):
                lost, gained = plain[side] & ~then[side], then[side] & ~plain[side] & ~timed
                access[side] |= gained
                for modes, effect in ((lost, CLOSED_WHILE), (gained, OPEN_ONLY_WHILE)):
                    if modes:
                        found[side][Condition(modes, effect, clause.hours)] = None
    return Oneways((access[0], access[1]), (tuple(sorted(found[0])), tuple(sorted(found[1]))), not_understood)


def read_speeds(tags: Tags) -> tuple[tuple[tuple[SpeedCondition, ...], tuple[SpeedCondition, ...]], int]:
    """Limits of certain hours or vehicles along and against a way, the weightier later, and how many were not understood."""
    sides: tuple[list[SpeedCondition], list[SpeedCondition]] = ([], [])
    not_understood = 0
    for ending, (modes, *wanted) in _SPEED_KEYS.items():
        text = tags.get(f"maxspeed{ending}")
        if text is None:
            continue
        read = _conditional(text, modes) if ending.endswith(":conditional") else _plain(text, modes)
        not_understood += not read
        for side in (0, 1):
            sides[side].extend(read if wanted[side] else ())
    return (tuple(sides[0]), tuple(sides[1])), not_understood


def _plain(text: str, modes: int) -> list[SpeedCondition]:
    limit = limit_kmh(text)
    return [] if limit is None else [SpeedCondition(modes, limit, "")]


def _conditional(text: str, modes: int) -> list[SpeedCondition]:
    """Limits of a conditional value; none if any part of it is not understood."""
    found = []
    for clause in clauses(text) or ():
        limit = limit_kmh(clause.value)
        if limit is None or clause.measure[0] not in ("", "weight"):
            return []
        bound = modes & TRUCK if clause.measure[0] else modes
        found.append(SpeedCondition(bound, limit, clause.hours))
    return found

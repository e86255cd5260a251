"""Who may use a way or pass a node, out of OSM access tags (pure).

https://wiki.openstreetmap.org/wiki/Key:access, …/Key:barrier, …/Conditional_restrictions.
"""

from collections.abc import Mapping
from typing import NamedTuple

from routing.model.modes import StreetMode
from routing.model.street_graph import CLOSED_WHILE, OPEN_ONLY_WHILE
from services.city.osm_reader_limits import NO_LIMITS, measured, strictest
from services.city.osm_reader_times import clauses

Tags = Mapping[str, str]

CAR, VAN, TRUCK = StreetMode.CAR.bit, StreetMode.VAN.bit, StreetMode.TRUCK.bit
BICYCLE, CARGO_BIKE = StreetMode.BICYCLE.bit, StreetMode.CARGO_BIKE.bit
FOOT, WHEELCHAIR = StreetMode.FOOT.bit, StreetMode.WHEELCHAIR.bit
MOTOR = CAR | VAN | TRUCK
CYCLE = BICYCLE | CARGO_BIKE
WALK = FOOT | WHEELCHAIR
ALL = MOTOR | CYCLE | WALK

DEFAULT_ACCESS: Mapping[str, int] = {
    "motorway": MOTOR, "motorway_link": MOTOR, "trunk": MOTOR, "trunk_link": MOTOR,
    **dict.fromkeys(("primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link"), ALL),
    **dict.fromkeys(("unclassified", "residential", "living_street", "service", "road"), ALL),
    "track": CYCLE | FOOT, "path": CYCLE | FOOT, "pedestrian": CYCLE | WALK, "footway": WALK, "cycleway": CYCLE,
    "steps": FOOT, "bridleway": FOOT, "corridor": WALK, "platform": WALK, "crossing": WALK, "busway": 0, "bus_guideway": 0,
}  # fmt: skip
"""Who may use a class of road when no access tag says anything."""

_CHAINS = {
    StreetMode.CAR: ("access", "vehicle", "motor_vehicle", "motorcar"),
    StreetMode.VAN: ("access", "vehicle", "motor_vehicle", "motorcar", "goods"),
    StreetMode.TRUCK: ("access", "vehicle", "motor_vehicle", "hgv"),
    StreetMode.BICYCLE: ("access", "vehicle", "bicycle"),
    StreetMode.CARGO_BIKE: ("access", "vehicle", "bicycle", "cargo_bike"),
    StreetMode.FOOT: ("access", "foot"),
    StreetMode.WHEELCHAIR: ("access", "foot", "wheelchair"),
}
"""Access keys that bind a mode, from general to specific: the most specific one present decides."""

_KEYS = frozenset(key for chain in _CHAINS.values() for key in chain)
_CONDITIONAL = {f"{key}:conditional": key for key in sorted(_KEYS)}
ACCESS_KEYS = _KEYS | _CONDITIONAL.keys()
"""All keys read here."""

_YES = {"yes", "permissive", "designated", "official", "public", "true", "1", "limited", "dismount"}
_NO = {
    "no", "private", "agricultural", "forestry", "emergency", "psv", "bus", "military", "residents", "permit", "false", "0",
    "restricted", "use_sidepath",
}  # fmt: skip
_NO_THROUGH = {"destination", "customers", "customer", "visitors", "delivery"}
_OPENING = _YES | _NO_THROUGH
_DELIVERING = (StreetMode.VAN, StreetMode.TRUCK)

_BARRIER_STOPS = {
    **dict.fromkeys(("bollard", "block", "jersey_barrier", "log", "debris", "planter", "chain", "bus_trap", "rope"), MOTOR),
    **dict.fromkeys(("motorcycle_barrier", "bump_gate"), MOTOR),
    "cycle_barrier": MOTOR | CARGO_BIKE,
    **dict.fromkeys(("stile", "turnstile", "full-height_turnstile", "kissing_gate", "horse_stile"), MOTOR | CYCLE | WHEELCHAIR),
    "sump_buster": CAR | VAN,
}
"""Modes a barrier node stops when no access tag says anything; other kinds (gates, toll booths…) stop nobody."""

_HIGH_KERBS = {"raised", "yes", "normal"}


class Condition(NamedTuple):
    """Access of some modes that depends on the time; `effect` as in `StreetGraph.condition_effect`."""

    modes: int
    effect: int
    hours: str


class Access(NamedTuple):
    """What access tags say.

    Attributes
    ----------
    allowed, no_through : int
        Modes allowed (if only at times), and those allowed only to or from there.
    conditions : tuple of Condition
    limits : tuple of int
        Out of conditions such as ``no @ (weight>7.5)``.
    not_understood : int
        Conditions left out, those that close a way to through traffic at certain hours among them.
    """

    allowed: int
    no_through: int
    conditions: tuple[Condition, ...]
    limits: tuple[int, ...]
    not_understood: int


def read_access(tags: Tags, default: int) -> Access:
    """Apply plain and conditional access tags to a default."""
    allowed, no_through = access_masks(tags, default)
    conditions: dict[tuple[int, str], int] = {}
    limits, not_understood = NO_LIMITS, 0
    for key in sorted(_CONDITIONAL.keys() & tags.keys()):
        read = clauses(tags[key])
        not_understood += read is None
        for clause in read or ():
            if clause.measure[0] and not clause.hours and clause.value in _NO:
                limits = strictest(limits, measured(*clause.measure))
            elif clause.hours and (not clause.measure[0] or clause.measure[0] == "weight"):
                bound = _bound(tags, _CONDITIONAL[key])
                # closed to through traffic at certain hours only: searches know such zones at all hours or never
                not_understood += clause.value in _NO_THROUGH and any(
                    allowed & mode.bit and not (clause.value == "delivery" and mode not in _DELIVERING) for mode in bound
                )
                for mode in bound:
                    effect = _effect(tags, mode, clause.value, default, allowed)
                    if effect >= 0 and (not clause.measure[0] or mode == StreetMode.TRUCK):
                        conditions[effect, clause.hours] = conditions.get((effect, clause.hours), 0) | mode.bit
                        no_through |= mode.bit if effect == OPEN_ONLY_WHILE and clause.value in _NO_THROUGH else 0
            else:
                not_understood += 1
    for (effect, _), modes in conditions.items():
        allowed |= modes if effect == OPEN_ONLY_WHILE else 0
    ordered = sorted(Condition(modes, effect, hours) for (effect, hours), modes in conditions.items())
    return Access(allowed, no_through, tuple(ordered), limits, not_understood)


def access_masks(tags: Tags, default: int) -> tuple[int, int]:
    """Apply the plain access tags to a default: (modes allowed, modes allowed only to or from there)."""
    if tags.keys().isdisjoint(_KEYS):
        return default, 0
    allowed, no_through = default, 0
    for mode, chain in _CHAINS.items():
        value = next((tags[key].split(";")[0].strip() for key in reversed(chain) if key in tags), None)
        if value in _NO or (value == "delivery" and mode not in _DELIVERING):
            allowed &= ~mode.bit
        # a general "yes" opens no motorway to walkers: the class must admit them, or a key of their own must say it
        elif value in _OPENING and (default & mode.bit or any(key in tags for key in chain[1:])):
            allowed |= mode.bit
            no_through |= 0 if value in _YES else mode.bit
    return allowed, no_through


def barrier_stops(tags: Tags) -> int:
    """Modes a node stops: by its barrier, or its kerb."""
    barrier = tags.get("barrier")
    stops = WHEELCHAIR if tags.get("kerb") in _HIGH_KERBS else 0
    if tags.get("wheelchair") in _YES:
        stops = 0
    if barrier is None or barrier == "no":
        return stops
    if barrier == "kerb" and "kerb" not in tags and "wheelchair" not in tags:
        stops |= WHEELCHAIR
    allowed, _ = access_masks(tags, ALL & ~(_BARRIER_STOPS.get(barrier, 0) | stops))
    return ALL & ~allowed


def _bound(tags: Tags, key: str) -> list[StreetMode]:
    """Modes for which no plain tag is more specific than `key`."""
    return [
        mode
        for mode, chain in _CHAINS.items()
        if key in chain and not any(later in tags for later in chain[chain.index(key) + 1 :])
    ]


def _effect(tags: Tags, mode: StreetMode, value: str, default: int, allowed: int) -> int:
    """What a conditional value changes for a mode against its plain tags, -1 if nothing."""
    closes = value in _NO or (value == "delivery" and mode not in _DELIVERING)
    if allowed & mode.bit:
        return CLOSED_WHILE if closes else -1
    admitted = default & mode.bit or any(f"{key}:conditional" in tags or key in tags for key in _CHAINS[mode][1:])
    return OPEN_ONLY_WHILE if value in _OPENING and not closes and admitted else -1

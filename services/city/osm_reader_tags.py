"""What OSM tags say about a way or a node, as plain values (pure).

Keys and values: https://wiki.openstreetmap.org/wiki/Key:access, …/Key:oneway, …/Key:maxspeed, …/Key:barrier.
Conditional tags (``*:conditional``) are not read.
"""

from collections.abc import Mapping
from typing import NamedTuple

from routing.model.modes import StreetMode
from routing.model.street_graph import (
    ARC_BRIDGE,
    ARC_FERRY,
    ARC_ROUNDABOUT,
    ARC_STEPS,
    ARC_TOLL,
    ARC_TUNNEL,
    NODE_TRAFFIC_SIGNALS,
    ROAD_CLASSES,
)
from services.city.osm_reader_speeds import SPEED_KEYS, duration_s, speeds_kmh

Tags = Mapping[str, str]

CAR, VAN, TRUCK = StreetMode.CAR.bit, StreetMode.VAN.bit, StreetMode.TRUCK.bit
BICYCLE, FOOT, WHEELCHAIR = StreetMode.BICYCLE.bit, StreetMode.FOOT.bit, StreetMode.WHEELCHAIR.bit
MOTOR = CAR | VAN | TRUCK
WALK = FOOT | WHEELCHAIR
ALL = MOTOR | BICYCLE | WALK

_DEFAULT_ACCESS = {
    "motorway": MOTOR, "motorway_link": MOTOR, "trunk": MOTOR, "trunk_link": MOTOR,
    **dict.fromkeys(("primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link"), ALL),
    **dict.fromkeys(("unclassified", "residential", "living_street", "service", "road"), ALL),
    "track": BICYCLE | FOOT, "path": BICYCLE | FOOT, "pedestrian": BICYCLE | WALK, "footway": WALK, "cycleway": BICYCLE,
    "steps": FOOT, "bridleway": FOOT, "corridor": WALK, "platform": WALK, "crossing": WALK, "busway": 0, "bus_guideway": 0,
}  # fmt: skip
"""Who may use a class of road when no access tag says anything."""

_CHAINS = {
    StreetMode.CAR: ("access", "vehicle", "motor_vehicle", "motorcar"),
    StreetMode.VAN: ("access", "vehicle", "motor_vehicle", "motorcar", "goods"),
    StreetMode.TRUCK: ("access", "vehicle", "motor_vehicle", "hgv"),
    StreetMode.BICYCLE: ("access", "vehicle", "bicycle"),
    StreetMode.FOOT: ("access", "foot"),
    StreetMode.WHEELCHAIR: ("access", "foot", "wheelchair"),
}
"""Access keys that bind a mode, from general to specific: the most specific one present decides."""

_ACCESS_KEYS = frozenset(key for chain in _CHAINS.values() for key in chain)
_YES = {"yes", "permissive", "designated", "official", "public", "true", "1", "limited", "dismount"}
_NO = {
    "no", "private", "agricultural", "forestry", "emergency", "psv", "bus", "military", "residents", "permit", "false", "0",
    "restricted", "use_sidepath",
}  # fmt: skip
_NO_THROUGH = {"destination", "customers", "customer", "visitors", "delivery"}
_OPENING = _YES | _NO_THROUGH
_PAVED = {"asphalt", "paved", "concrete", "paving_stones", "concrete:plates"}
_TRUE = {"yes", "true", "1"}

_BARRIER_STOPS = {
    **dict.fromkeys(("bollard", "block", "jersey_barrier", "log", "debris", "planter", "chain", "bus_trap", "rope"), MOTOR),
    **dict.fromkeys(("cycle_barrier", "motorcycle_barrier", "bump_gate"), MOTOR),
    **dict.fromkeys(
        ("stile", "turnstile", "full-height_turnstile", "kissing_gate", "horse_stile"), MOTOR | BICYCLE | WHEELCHAIR
    ),
    "sump_buster": CAR | VAN,
}
"""Modes a barrier node stops when no access tag says anything; other kinds (gates, toll booths, kerbs…) stop nobody."""


NODE_KEYS = ("highway", "barrier")
"""Keys of the nodes that matter to streets."""

TRAIT_KEYS = frozenset(
    {
        "highway", "route", "junction", "motorroad", "surface", "tunnel", "bridge", "toll", "duration", "ramp:wheelchair",
        "oneway", "oneway:bicycle", "oneway:foot", "cycleway", "cycleway:left", "cycleway:right", "cycleway:both",
        "lanes", "lanes:forward", "lanes:backward", *_ACCESS_KEYS, *SPEED_KEYS,
    }
)  # fmt: skip
"""All keys `way_traits` looks at; ways that agree in them share their traits."""


class WayTraits(NamedTuple):
    """A way as the street graph needs it; pairs are (along the way, against it).

    ``duration_s`` is 0 unless a ferry states its crossing time, from which its speed then follows.
    """

    access: tuple[int, int]
    no_through: int
    speed_kmh: tuple[float, float]
    lanes: tuple[int, int]
    road_class: int
    flags: int
    duration_s: int


def way_traits(tags: Tags) -> WayTraits | None:
    """Read a way; None if nobody may travel it or it is no street."""
    ferry = tags.get("route") == "ferry"
    highway = (tags.get("highway") or "").split(";")[0].strip()
    if ferry:
        default = BICYCLE | WALK
    elif highway in _DEFAULT_ACCESS:
        default = _default_access(highway, tags)
    else:
        return None
    allowed, no_through = access_masks(tags, default)
    if highway == "steps":
        allowed &= ~(MOTOR | BICYCLE | (0 if tags.get("ramp:wheelchair") == "yes" else WHEELCHAIR))
    access = _directions(tags, highway, allowed)
    if access == (0, 0):
        return None
    road_class = "ferry" if ferry else highway
    return WayTraits(
        access,
        no_through & allowed,
        speeds_kmh(tags, road_class),
        _lanes(tags, highway, two_way=bool(access[0] & MOTOR) and bool(access[1] & MOTOR)),
        ROAD_CLASSES.index(road_class) if road_class in ROAD_CLASSES else ROAD_CLASSES.index("other"),
        _flags(tags, highway, ferry=ferry),
        duration_s(tags.get("duration", "")) if ferry else 0,
    )


def way_name(tags: Tags) -> str:
    """Name of a way, else its number; empty if it has neither."""
    return tags.get("name") or tags.get("ref") or ""


def node_traits(tags: Tags) -> tuple[int, int]:
    """Read a node: (`NODE_*` flags, modes a barrier on it stops)."""
    flags = NODE_TRAFFIC_SIGNALS if tags.get("highway") == "traffic_signals" else 0
    barrier = tags.get("barrier")
    if barrier is None or barrier == "no":
        return flags, 0
    allowed, _ = access_masks(tags, ALL & ~_BARRIER_STOPS.get(barrier, 0))
    return flags, ALL & ~allowed


def access_masks(tags: Tags, default: int) -> tuple[int, int]:
    """Apply the access tags to a default: (modes allowed, modes allowed only to or from there)."""
    if not any(key in tags for key in _ACCESS_KEYS):
        return default, 0
    allowed, no_through = default, 0
    for mode, chain in _CHAINS.items():
        value = next((tags[key].split(";")[0].strip() for key in reversed(chain) if key in tags), None)
        if value in _NO or (value == "delivery" and mode not in (StreetMode.VAN, StreetMode.TRUCK)):
            allowed &= ~mode.bit
        # a general "yes" opens no motorway to walkers: the class must admit them, or a key of their own must say it
        elif value in _OPENING and (default & mode.bit or any(key in tags for key in chain[1:])):
            allowed |= mode.bit
            no_through |= 0 if value in _YES else mode.bit
    return allowed, no_through


def _default_access(highway: str, tags: Tags) -> int:
    access = _DEFAULT_ACCESS[highway]
    if tags.get("motorroad") in _TRUE:
        access &= MOTOR
    if highway in ("path", "track") and tags.get("surface") in _PAVED:
        access |= WHEELCHAIR
    return access


def _directions(tags: Tags, highway: str, allowed: int) -> tuple[int, int]:
    """Modes along and against the way."""
    oneway = tags.get("oneway", "")
    implied = tags.get("junction") in ("roundabout", "circular") or highway in ("motorway", "motorway_link")
    wheels = allowed & (MOTOR | BICYCLE)
    along, against = wheels, wheels
    if oneway in _TRUE or (implied and oneway not in ("no", "false", "0", "-1", "reverse")):
        against = 0
    elif oneway in ("-1", "reverse"):
        along = 0
    elif oneway in ("reversible", "alternating"):
        along, against = along & BICYCLE, against & BICYCLE
    if allowed & BICYCLE:
        bicycle = tags.get("oneway:bicycle", "")
        lanes = (tags.get(key, "") for key in ("cycleway", "cycleway:left", "cycleway:right", "cycleway:both"))
        if bicycle == "no" or any(lane.startswith("opposite") for lane in lanes):
            along, against = along | BICYCLE, against | BICYCLE
        elif bicycle in _TRUE:
            against &= ~BICYCLE
        elif bicycle == "-1":
            along &= ~BICYCLE
    walk = allowed & WALK
    foot = tags.get("oneway:foot", "")
    return along | (0 if foot == "-1" else walk), against | (0 if foot in _TRUE else walk)


def _lanes(tags: Tags, highway: str, *, two_way: bool) -> tuple[int, int]:
    default = 2 if highway in ("motorway", "trunk") else 1
    total = _count(tags.get("lanes", ""))
    share = (total // 2 if two_way else total) or default
    return _count(tags.get("lanes:forward", "")) or share, _count(tags.get("lanes:backward", "")) or share


def _count(text: str) -> int:
    """A lane count between 1 and 20, 0 if it is none."""
    head = text.split(";", maxsplit=1)[0].strip()
    return min(int(head), 20) if head.isascii() and head.isdigit() and len(head) < 4 else 0


def _flags(tags: Tags, highway: str, *, ferry: bool) -> int:
    flags = ARC_FERRY if ferry else 0
    flags |= ARC_STEPS if highway == "steps" else 0
    flags |= ARC_TUNNEL if tags.get("tunnel", "no") != "no" else 0
    flags |= ARC_BRIDGE if tags.get("bridge", "no") != "no" else 0
    flags |= ARC_ROUNDABOUT if tags.get("junction") in ("roundabout", "circular") else 0
    return flags | (ARC_TOLL if tags.get("toll") == "yes" else 0)

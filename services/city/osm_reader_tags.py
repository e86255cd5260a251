"""What OSM tags say about a way or a node, as plain values (pure).

Keys and values: https://wiki.openstreetmap.org/wiki/Key:oneway, …/Key:cycleway, …/Key:lanes, …/Key:maxspeed. Of conditional
tags those of access (`osm_reader_access`), one-way streets and speeds (`osm_reader_conditions`) are read, those of lanes not.
"""

from collections.abc import Mapping
from typing import NamedTuple

from routing.model.street_graph import (
    ARC_BRIDGE,
    ARC_FERRY,
    ARC_ROUNDABOUT,
    ARC_STEPS,
    ARC_TOLL,
    ARC_TUNNEL,
    NODE_TRAFFIC_SIGNALS,
    OPEN_ONLY_WHILE,
    ROAD_CLASSES,
    SMOOTHNESS,
)
from services.city.osm_reader_access import (
    ACCESS_KEYS,
    CYCLE,
    DEFAULT_ACCESS,
    MOTOR,
    WALK,
    WHEELCHAIR,
    Condition,
    barrier_stops,
    read_access,
)
from services.city.osm_reader_conditions import CONDITION_KEYS, SpeedCondition, read_oneways, read_speeds
from services.city.osm_reader_limits import LIMIT_KEYS, NO_LIMITS, limits, metres, strictest
from services.city.osm_reader_speeds import SPEED_KEYS, duration_s, free_flow_share, speeds_kmh
from services.city.osm_reader_surface import CAR_FACTORS, SURFACE_KEYS, incline_pct, smoothness

Tags = Mapping[str, str]

_PAVED = {"asphalt", "paved", "concrete", "paving_stones", "concrete:plates"}
_TRUE = {"yes", "true", "1"}
_CYCLE_SIDES = ("cycleway", "cycleway:left", "cycleway:right", "cycleway:both")
_TOO_ROUGH_FOR_WHEELCHAIRS = SMOOTHNESS.index("very_bad")
_WHEELCHAIR_M = 0.8

NODE_KEYS = ("highway", "barrier", "kerb", "ele")
"""Keys of the nodes that matter to streets."""

TRAIT_KEYS = frozenset(
    {
        "highway", "route", "junction", "motorroad", "tunnel", "bridge", "toll", "duration", "ramp:wheelchair", "width",
        "oneway", "oneway:bicycle", "oneway:foot", *_CYCLE_SIDES, "cycleway:left:oneway", "cycleway:right:oneway",
        "lanes", "lanes:forward", "lanes:backward", *ACCESS_KEYS, *SPEED_KEYS, *LIMIT_KEYS, *SURFACE_KEYS,
        *CONDITION_KEYS,
    }
)  # fmt: skip
"""All keys `way_traits` looks at; ways that agree in them share their traits."""


class WayTraits(NamedTuple):
    """A way as the street graph needs it; pairs are (along the way, against it).

    ``duration_s`` is 0 unless a ferry states its crossing time, from which its speed then follows. ``incline_pct`` is that
    along the way. ``conditions`` hold both ways, ``oneways`` one way; ``speeds`` are limits, not yet free-flow speeds.
    ``not_understood`` counts conditions left out.
    """

    access: tuple[int, int]
    no_through: int
    speed_kmh: tuple[float, float]
    lanes: tuple[int, int]
    road_class: int
    flags: int
    duration_s: int
    smoothness: int
    incline_pct: int
    limits: tuple[int, ...]
    conditions: tuple[Condition, ...]
    oneways: tuple[tuple[Condition, ...], tuple[Condition, ...]]
    speeds: tuple[tuple[SpeedCondition, ...], tuple[SpeedCondition, ...]]
    speed_share: float
    not_understood: int


def way_traits(tags: Tags) -> WayTraits | None:
    """Read a way; None if nobody may travel it or it is no street."""
    ferry = tags.get("route") == "ferry"
    highway = (tags.get("highway") or "").split(";")[0].strip()
    if ferry:
        default = CYCLE | WALK
    elif highway in DEFAULT_ACCESS:
        default = _default_access(highway, tags)
    else:
        return None
    rough = smoothness(tags)
    said = read_access(tags, default)
    allowed = said.allowed & ~_unfit(tags, highway, rough)
    timed = 0
    for condition in said.conditions:
        timed |= condition.modes if condition.effect == OPEN_ONLY_WHILE else 0
    oneways = read_oneways(tags, lambda some: _directions(some, highway, allowed), timed)
    access = oneways.access
    if access == (0, 0):
        return None
    road_class = "ferry" if ferry else highway
    along, against = speeds_kmh(tags, road_class)
    speeds, speeds_unread = read_speeds(tags)
    return WayTraits(
        access,
        said.no_through & allowed,
        (along * CAR_FACTORS[rough], against * CAR_FACTORS[rough]),
        _lanes(tags, highway, two_way=bool(access[0] & MOTOR) and bool(access[1] & MOTOR)),
        ROAD_CLASSES.index(road_class) if road_class in ROAD_CLASSES else ROAD_CLASSES.index("other"),
        _flags(tags, highway, ferry=ferry),
        duration_s(tags.get("duration", "")) if ferry else 0,
        rough,
        incline_pct(tags.get("incline", "")),
        strictest(limits(tags), said.limits),
        said.conditions,
        oneways.conditions,
        speeds,
        free_flow_share(road_class) * CAR_FACTORS[rough],
        said.not_understood + oneways.not_understood + speeds_unread,
    )


def way_name(tags: Tags) -> str:
    """Name of a way, else its number; empty if it has neither."""
    return tags.get("name") or tags.get("ref") or ""


class NodeTraits(NamedTuple):
    """A node as the street graph needs it: `NODE_*` flags, modes a barrier on it stops, limits of a vehicle that passes it."""

    flags: int
    blocked: int
    limits: tuple[int, ...]


def node_traits(tags: Tags) -> NodeTraits:
    """Read a node."""
    flags = NODE_TRAFFIC_SIGNALS if tags.get("highway") == "traffic_signals" else 0
    return NodeTraits(flags, barrier_stops(tags), limits(tags) if "barrier" in tags else NO_LIMITS)


def _unfit(tags: Tags, highway: str, rough: int) -> int:
    """Modes that cannot travel a way, whatever they may."""
    if highway == "steps":
        return MOTOR | CYCLE | (0 if tags.get("ramp:wheelchair") == "yes" else WHEELCHAIR)
    if tags.get("wheelchair") in ("yes", "designated", "official"):
        return 0
    width = metres(tags.get("width", ""))
    narrow = width is not None and width < _WHEELCHAIR_M
    return WHEELCHAIR if narrow or rough >= _TOO_ROUGH_FOR_WHEELCHAIRS else 0


def _default_access(highway: str, tags: Tags) -> int:
    access = DEFAULT_ACCESS[highway]
    if tags.get("motorroad") in _TRUE:
        access &= MOTOR
    if highway in ("path", "track") and tags.get("surface") in _PAVED:
        access |= WHEELCHAIR
    return access


def _directions(tags: Tags, highway: str, allowed: int) -> tuple[int, int]:
    """Modes along and against the way."""
    oneway = tags.get("oneway", "")
    implied = tags.get("junction") in ("roundabout", "circular") or highway in ("motorway", "motorway_link")
    wheels = allowed & (MOTOR | CYCLE)
    along, against = wheels, wheels
    if oneway in _TRUE or (implied and oneway not in ("no", "false", "0", "-1", "reverse")):
        against = 0
    elif oneway in ("-1", "reverse"):
        along = 0
    elif oneway in ("reversible", "alternating"):
        along, against = along & CYCLE, against & CYCLE
    cycles = allowed & CYCLE
    bicycle = tags.get("oneway:bicycle", "")
    if bicycle == "no" or _contraflow(tags):
        along, against = along | cycles, against | cycles
    elif bicycle in _TRUE:
        against &= ~CYCLE
    elif bicycle == "-1":
        along, against = along & ~CYCLE, against | cycles
    walk = allowed & WALK
    foot = tags.get("oneway:foot", "")
    return along | (0 if foot == "-1" else walk), against | (0 if foot in _TRUE else walk)


def _contraflow(tags: Tags) -> bool:
    """Whether a cycle lane leads against the traffic of a one-way street."""
    if any(tags.get(key, "").startswith("opposite") for key in _CYCLE_SIDES):
        return True
    return any(tags.get(f"cycleway:{side}:oneway") in ("no", "-1") for side in ("left", "right"))


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

"""Turn restrictions: from OSM relations to forbidden sequences of arcs (pure).

https://wiki.openstreetmap.org/wiki/Relation:restriction. Conditional and time-limited ones are left out and counted. An
``only_*`` becomes bans on its alternatives: all other turns at a via node; with via ways, every way off them for who came over
`from` (whoever does not enter the via way is not bound).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from routing.model.modes import StreetMode

_CAR_VAN = StreetMode.CAR.bit | StreetMode.VAN.bit
_MOTOR = _CAR_VAN | StreetMode.TRUCK.bit
_VEHICLES = _MOTOR | StreetMode.BICYCLE.bit
_BOUND = {
    "motor_vehicle": _MOTOR, "motorcar": _CAR_VAN, "goods": StreetMode.VAN.bit, "hgv": StreetMode.TRUCK.bit,
    "bicycle": StreetMode.BICYCLE.bit, "vehicle": _VEHICLES,
}  # fmt: skip
_TURNS = ("left_turn", "right_turn", "straight_on", "u_turn")
_KINDS = {f"{word}_{turn}" for word in ("no", "only") for turn in _TURNS} | {"no_entry", "no_exit"}
_TIMED = ("day_on", "day_off", "hour_on", "hour_off")

Member = tuple[str, int, str]
"""(type n, w or r; id; role)."""


@dataclass(frozen=True, slots=True)
class RawRestriction:
    """One relation.

    Attributes
    ----------
    osm_id : int
    kind : str
        ``no_left_turn``, ``only_straight_on``, …
    modes : int
        `StreetMode` bits it binds.
    from_ways, to_ways : tuple of int
    via_node : int
        -1 if it goes over ways.
    via_ways : tuple of int
    """

    osm_id: int
    kind: str
    modes: int
    from_ways: tuple[int, ...]
    to_ways: tuple[int, ...]
    via_node: int
    via_ways: tuple[int, ...]


def read_restriction(osm_id: int, tags: Mapping[str, str], members: Sequence[Member]) -> RawRestriction | str:
    """Read a restriction relation, or say why it is left out (a short reason to count by)."""
    kind, modes = _kind_and_modes(tags)
    if kind is None:
        conditional = any(key.startswith("restriction") and key.endswith(":conditional") for key in tags)
        return "conditional" if conditional else "unknown kind"
    if any(key in tags for key in _TIMED):
        return "conditional"
    for word in (part.strip() for part in tags.get("except", "").split(";")):
        modes &= ~_BOUND.get(word, 0)
    if not modes:
        return "binds no mode"
    ways = {role: tuple(ref for type_, ref, r in members if type_ == "w" and r == role) for role in ("from", "to", "via")}
    nodes = [ref for type_, ref, role in members if type_ == "n" and role == "via"]
    if not ways["from"] or not ways["to"] or bool(nodes) == bool(ways["via"]) or len(nodes) > 1:
        return "incomplete"
    if (len(ways["from"]) > 1 and kind != "no_entry") or (len(ways["to"]) > 1 and kind != "no_exit"):
        return "ambiguous"
    return RawRestriction(osm_id, kind, modes, ways["from"], ways["to"], nodes[0] if nodes else -1, ways["via"])


def _kind_and_modes(tags: Mapping[str, str]) -> tuple[str | None, int]:
    """The plain restriction, or those for single classes of vehicle (``restriction:hgv``)."""
    if tags.get("restriction") in _KINDS:
        typed = tags.get("type", "").partition(":")[2]
        return tags["restriction"], _BOUND.get(typed, 0) if typed else _VEHICLES
    kind, modes = None, 0
    for word, bound in _BOUND.items():
        value = tags.get(f"restriction:{word}")
        if value in _KINDS and kind in (None, value):
            kind, modes = value, modes | bound
    return kind, modes


@dataclass(frozen=True, slots=True)
class ArcView:
    """What resolving restrictions needs to know of a graph.

    Attributes
    ----------
    arcs_of_way : dict
        OSM way → its arcs.
    tail, head : callables
        Node of an arc.
    out : callable
        Arcs leaving a node.
    node_of_osm : dict
        OSM node → node; only nodes of the graph.
    reverse : callable
        Other direction of an arc, -1 if none.
    """

    arcs_of_way: Mapping[int, Sequence[int]]
    tail: Callable[[int], int]
    head: Callable[[int], int]
    out: Callable[[int], Sequence[int]]
    node_of_osm: Mapping[int, int]
    reverse: Callable[[int], int]


def forbidden_sequences(restriction: RawRestriction, view: ArcView) -> list[tuple[int, ...]] | str:
    """Arc sequences a restriction forbids, or why it cannot be used."""
    if any(way not in view.arcs_of_way for way in restriction.from_ways + restriction.to_ways + restriction.via_ways):
        return "way not a street of the extract"
    if restriction.via_ways:
        paths = _via_way_paths(restriction, view)
        if isinstance(paths, str):
            return paths
    else:
        node = view.node_of_osm.get(restriction.via_node)
        if node is None:
            return "via node not a junction"
        paths = _via_node_paths(restriction, view, node)
    if not paths:
        return "ways do not meet"
    if restriction.kind.startswith("only_"):
        if len(paths) > 1:
            return "ambiguous"
        return _alternatives(paths[0], view)
    return paths


def _via_node_paths(restriction: RawRestriction, view: ArcView, node: int) -> list[tuple[int, ...]]:
    """Pairs (from-arc, to-arc) at a node; a way that runs on through the node is taken in the direction the kind allows."""
    into = [arc for way in restriction.from_ways for arc in view.arcs_of_way[way] if view.head(arc) == node]
    onto = [arc for way in restriction.to_ways for arc in view.arcs_of_way[way] if view.tail(arc) == node]
    u_turn = restriction.kind.endswith("_u_turn")
    same_way = set(restriction.from_ways) == set(restriction.to_ways)
    if u_turn and same_way:
        return [(a, b) for a, b in product(into, onto) if view.reverse(a) == b]
    if len(into) > len(restriction.from_ways) or len(onto) > len(restriction.to_ways):
        return []  # a way passing through its via node does not say which half is meant
    return [(a, b) for a, b in product(into, onto) if a != b]


def _via_way_paths(restriction: RawRestriction, view: ArcView) -> list[tuple[int, ...]] | str:
    """The sequence from, via arcs…, to; every way of walking the via ways in their order is tried, the shortest is meant."""
    via = [arc for way in restriction.via_ways for arc in view.arcs_of_way[way]]
    found: list[tuple[int, ...]] = []
    ends = {arc for way in restriction.to_ways for arc in view.arcs_of_way[way]}
    for start in (arc for way in restriction.from_ways for arc in view.arcs_of_way[way]):
        queue: list[tuple[int, ...]] = [(start,)]
        while queue:
            path = queue.pop(0)
            if len(path) > 1:
                found.extend((*path, arc) for arc in view.out(view.head(path[-1])) if arc in ends and _new(arc, path, view))
            if len(path) <= len(via):
                queue.extend((*path, arc) for arc in view.out(view.head(path[-1])) if arc in via and _new(arc, path, view))
    whole = [path for path in found if _covers(path, restriction, view)]
    if not whole:
        return "ways do not meet"
    shortest = min(len(path) for path in whole)
    return [path for path in whole if len(path) == shortest]


def _new(arc: int, path: tuple[int, ...], view: ArcView) -> bool:
    """Going on with `arc` repeats nothing: no arc twice, no turning back inside the manoeuvre but from via to `to`."""
    return arc not in path and (view.reverse(path[-1]) != arc)


def _covers(path: tuple[int, ...], restriction: RawRestriction, view: ArcView) -> bool:
    """Whether the inner arcs touch all via ways."""
    inner = set(path[1:-1])
    return all(inner & set(view.arcs_of_way[way]) for way in restriction.via_ways)


def _alternatives(path: tuple[int, ...], view: ArcView) -> list[tuple[int, ...]]:
    """Everything but `path` for who has come along its beginning (the turn into a via way itself stays free)."""
    start = 1 if len(path) == 2 else 2
    return [(*path[:k], arc) for k in range(start, len(path)) for arc in view.out(view.head(path[k - 1])) if arc != path[k]]

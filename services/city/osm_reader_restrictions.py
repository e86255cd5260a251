"""Turn restrictions: from OSM relations to sequences of arcs (pure).

https://wiki.openstreetmap.org/wiki/Relation:restriction, …/Conditional_restrictions. Restrictions of some hours of the week
(``restriction:conditional``, or the outdated ``day_on``, ``hour_on``) keep their hours. What conditions other than hours and
weights demand is not read; such relations are counted and left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from routing.model.modes import StreetMode
from services.city.osm_reader_times import clauses, old_style_hours, weekly_hours

_CAR_VAN = StreetMode.CAR.bit | StreetMode.VAN.bit
_MOTOR = _CAR_VAN | StreetMode.TRUCK.bit
_CYCLE = StreetMode.BICYCLE.bit | StreetMode.CARGO_BIKE.bit
_VEHICLES = _MOTOR | _CYCLE
_BOUND = {
    "motor_vehicle": _MOTOR, "motorcar": _CAR_VAN, "goods": StreetMode.VAN.bit, "hgv": StreetMode.TRUCK.bit,
    "bicycle": _CYCLE, "vehicle": _VEHICLES,
}  # fmt: skip
_TURNS = ("left_turn", "right_turn", "straight_on", "u_turn")
_KINDS = {f"{word}_{turn}" for word in ("no", "only") for turn in _TURNS} | {"no_entry", "no_exit"}
_TIMED = ("day_on", "day_off", "hour_on", "hour_off")
_CONDITIONAL = ":conditional"

Member = tuple[str, int, str]
"""(type n, w or r; id; role)."""


@dataclass(frozen=True, slots=True)
class RawRestriction:
    """What one relation forbids or demands, always or at certain hours.

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
    hours : str
        Opening-hours text, empty = always.
    """

    osm_id: int
    kind: str
    modes: int
    from_ways: tuple[int, ...]
    to_ways: tuple[int, ...]
    via_node: int
    via_ways: tuple[int, ...]
    hours: str = ""


def read_restriction(osm_id: int, tags: Mapping[str, str], members: Sequence[Member]) -> list[RawRestriction] | str:
    """Read a restriction relation (several if it says different things at different hours).

    Returns
    -------
    list of RawRestriction, or why it is left out (a short reason to count by)
    """
    said = _statements(tags)
    if isinstance(said, str):
        return said
    excepted = 0
    for word in (part.strip() for part in tags.get("except", "").split(";")):
        excepted |= _BOUND.get(word, 0)
    said = [(kind, modes & ~excepted, hours) for kind, modes, hours in said if modes & ~excepted]
    if not said:
        return "binds no mode"
    ways = {role: tuple(ref for type_, ref, r in members if type_ == "w" and r == role) for role in ("from", "to", "via")}
    nodes = [ref for type_, ref, role in members if type_ == "n" and role == "via"]
    if not ways["from"] or not ways["to"] or bool(nodes) == bool(ways["via"]) or len(nodes) > 1:
        return "incomplete"
    for kind, _, _ in said:
        if (len(ways["from"]) > 1 and kind != "no_entry") or (len(ways["to"]) > 1 and kind != "no_exit"):
            return "ambiguous"
    via = nodes[0] if nodes else -1
    return [
        RawRestriction(osm_id, kind, modes, ways["from"], ways["to"], via, ways["via"], hours) for kind, modes, hours in said
    ]


def _statements(tags: Mapping[str, str]) -> list[tuple[str, int, str]] | str:
    """All (kind, modes bound, hours) of a relation, or why it cannot be read."""
    typed = tags.get("type", "").partition(":")[2]
    hours = ""
    if any(key in tags for key in _TIMED):
        hours = old_style_hours(*(tags.get(key, "") for key in _TIMED))
        if weekly_hours(hours) is None:
            return "condition not understood"
    found: dict[tuple[str, str], int] = {}
    for word in ("", *_BOUND):
        key = f"restriction:{word}" if word else "restriction"
        modes = _BOUND[word] if word else _BOUND.get(typed, 0) if typed else _VEHICLES
        if tags.get(key) in _KINDS:
            found[tags[key], hours] = found.get((tags[key], hours), 0) | modes
        if key + _CONDITIONAL not in tags:
            continue
        read = clauses(tags[key + _CONDITIONAL])
        for clause in read or ():
            if clause.value in _KINDS and clause.measure[0] in ("", "weight"):
                bound = modes & StreetMode.TRUCK.bit if clause.measure[0] else modes
                found[clause.value, clause.hours] = found.get((clause.value, clause.hours), 0) | bound
            else:
                read = None
        if read is None:
            return "condition not understood"
    return [(kind, modes, text) for (kind, text), modes in sorted(found.items())] or "unknown kind"


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
    access : callable
        Modes that may travel an arc.
    """

    arcs_of_way: Mapping[int, Sequence[int]]
    tail: Callable[[int], int]
    head: Callable[[int], int]
    out: Callable[[int], Sequence[int]]
    node_of_osm: Mapping[int, int]
    reverse: Callable[[int], int]
    access: Callable[[int], int]


def find_paths(restriction: RawRestriction, view: ArcView) -> list[tuple[int, ...]] | str:
    """Arc sequences a restriction speaks of (one for ``only_*``), or why it cannot be used."""
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
    return "ambiguous" if restriction.kind.startswith("only_") and len(paths) > 1 else paths


def _via_node_paths(restriction: RawRestriction, view: ArcView, node: int) -> list[tuple[int, ...]]:
    """Pairs (from-arc, to-arc) at a node; a way that runs on through the node is taken in the direction the kind allows."""
    into = [arc for way in restriction.from_ways for arc in view.arcs_of_way[way] if view.head(arc) == node]
    onto = [arc for way in restriction.to_ways for arc in view.arcs_of_way[way] if view.tail(arc) == node]
    u_turn = restriction.kind.endswith("_u_turn")
    same_way = set(restriction.from_ways) == set(restriction.to_ways)
    if u_turn and same_way:
        return [(a, b) for a, b in product(into, onto) if view.reverse(a) == b]
    # of a way passing through its via node only one half may be open to traffic; else it does not say which half is meant
    if len(into) > len(restriction.from_ways):
        into = [arc for arc in into if view.access(arc) & restriction.modes]
    if len(onto) > len(restriction.to_ways):
        onto = [arc for arc in onto if view.access(arc) & restriction.modes]
    if len(into) > len(restriction.from_ways) or len(onto) > len(restriction.to_ways):
        return []
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


def alternatives(path: tuple[int, ...], view: ArcView) -> list[tuple[int, ...]]:
    """Everything but `path` for who has come along its beginning: what an ``only_*`` forbids.

    At a via node these are all other turns; with via ways, every way off them for who came over `from` (the turn into the first
    via way itself stays free: who does not enter it is not bound).
    """
    start = 1 if len(path) == 2 else 2
    return [(*path[:k], arc) for k in range(start, len(path)) for arc in view.out(view.head(path[k - 1])) if arc != path[k]]

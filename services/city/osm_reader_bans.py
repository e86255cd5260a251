"""All turn restrictions of a graph as forbidden arc sequences; contradictions strand nobody (pure)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from routing.model.street_graph import StreetGraph
from services.city.osm_reader_restrictions import ArcView, RawRestriction, alternatives, find_paths

Ban = tuple[tuple[int, ...], str]
"""(arcs that may not follow each other, hours of the week; empty = always)."""


@dataclass(frozen=True, slots=True)
class Bans:
    """What restrictions come to.

    Attributes
    ----------
    modes : dict
        Modes bound by each ban.
    used : int
        Relations in force.
    skipped : dict
        Relations left out, by reason.
    """

    modes: dict[Ban, int]
    used: int
    skipped: dict[str, int]


def resolve(graph: StreetGraph, restrictions: Iterable[RawRestriction]) -> Bans:
    """Find the arcs of all restrictions.

    An ``only_*`` binds only modes that may travel the street it leads into. Where two of them, or one and a ``no_*``,
    contradict each other for one mode at the same hours, all of them are left out.
    """
    ordered = sorted(restrictions, key=lambda r: (r.osm_id, r.kind, r.hours))
    view = _view(graph, ordered)
    skipped: Counter[str] = Counter()
    found: list[tuple[RawRestriction, list[tuple[int, ...]], int]] = []
    for restriction in ordered:
        paths = find_paths(restriction, view)
        if isinstance(paths, str):
            skipped[paths] += 1
            continue
        modes = restriction.modes
        if restriction.kind.startswith("only_"):
            for arc in paths[0]:
                modes &= view.access(arc)
            if not modes:
                skipped["leads where nobody it binds may go"] += 1
                continue
        found.append((restriction, paths, modes))
    clashing = _contradictions(found)
    skipped["contradictory"] += len(clashing)
    bans: dict[Ban, int] = {}
    for number, (restriction, paths, modes) in enumerate(found):
        if number not in clashing:
            only = restriction.kind.startswith("only_")
            for sequence in alternatives(paths[0], view) if only else paths:
                ban = sequence, restriction.hours
                bans[ban] = bans.get(ban, 0) | modes
    return Bans(bans, len({r.osm_id for number, (r, _, _) in enumerate(found) if number not in clashing}), dict(+skipped))


def _contradictions(found: list[tuple[RawRestriction, list[tuple[int, ...]], int]]) -> set[int]:
    """Restrictions at via nodes of which one demands what another forbids."""
    clashing: set[int] = set()
    by_start: dict[int, list[int]] = {}
    for number, (_, paths, _) in enumerate(found):
        for path in paths:
            if len(path) == 2:
                by_start.setdefault(path[0], []).append(number)
    for numbers in by_start.values():
        for one in (number for number in numbers if found[number][0].kind.startswith("only_")):
            for other in numbers:
                (first, wanted, modes), (second, paths, others) = found[one], found[other]
                demands = second.kind.startswith("only_")
                if one != other and modes & others and first.hours == second.hours and (wanted[0] in paths) != demands:
                    clashing |= {one, other}
    return clashing


def _view(graph: StreetGraph, restrictions: list[RawRestriction]) -> ArcView:
    concerned = {way for r in restrictions for way in r.from_ways + r.to_ways + r.via_ways}
    arcs_of_way: dict[int, list[int]] = {}
    for arc in np.flatnonzero(np.isin(graph.arc_way_osm_id, np.array(sorted(concerned), np.int64))).tolist():
        arcs_of_way.setdefault(int(graph.arc_way_osm_id[arc]), []).append(arc)
    via = np.array(sorted({r.via_node for r in restrictions}), np.int64)
    nodes = np.flatnonzero(np.isin(graph.node_osm_id, via))
    return ArcView(
        arcs_of_way,
        lambda arc: int(graph.arc_tail[arc]),
        lambda arc: int(graph.arc_head[arc]),
        lambda node: range(int(graph.first_out[node]), int(graph.first_out[node + 1])),
        {int(graph.node_osm_id[node]): int(node) for node in nodes},
        lambda arc: int(graph.arc_reverse[arc]),
        lambda arc: int(graph.arc_access[arc]),
    )

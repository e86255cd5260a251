"""OSM extract → `StreetGraph`.

One pass with pyosmium (`osm_reader_extract`), tags read by pure functions, once per distinct combination (`osm_reader_raw`,
`osm_reader_tags`, `osm_reader_speeds`), ways cut at junctions with NumPy (`osm_reader_pieces`), relations turned into forbidden
arc sequences (`osm_reader_restrictions`). The same file always gives the same graph.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from routing.model.street_graph import StreetGraph
from routing.street.components import routable_arcs
from services.city.osm_reader_pieces import BBox, cut_ways, lay_out
from services.city.osm_reader_raw import Progress, RawStreets, read_raw_streets
from services.city.osm_reader_restrictions import ArcView, forbidden_sequences


@dataclass(frozen=True, slots=True)
class StreetReport:
    """What was read.

    Attributes
    ----------
    ways, nodes, arcs : int
        Of the graph.
    missing_nodes : int
        Node references the extract does not hold (or outside the bounding box).
    restrictions : int
        Relations used.
    skipped : dict
        Relations left out, by reason.
    """

    ways: int
    nodes: int
    arcs: int
    missing_nodes: int
    restrictions: int
    skipped: dict[str, int]


def read_street_graph(pbf: Path, bbox: BBox | None = None, progress: Progress | None = None) -> StreetGraph:
    """Read the street graph of an OSM extract.

    Parameters
    ----------
    pbf : Path
        Any format libosmium reads.
    bbox : (south, west, north, east), optional
        Degrees; streets are cut at its edge.
    progress : callable, optional
        Called with a text and the share done.

    Raises
    ------
    CityInputError
        If the file cannot be read or holds no street.
    """
    return read_street_graph_and_report(pbf, bbox, progress)[0]


def read_street_graph_and_report(
    pbf: Path, bbox: BBox | None = None, progress: Progress | None = None, keep_nodes: Collection[int] = ()
) -> tuple[StreetGraph, StreetReport]:
    """`read_street_graph` with its counts; `keep_nodes` (OSM ids) become nodes of the graph even in the middle of a street."""
    raw = read_raw_streets(pbf, progress)
    return build_street_graph(raw, bbox, progress, keep_nodes, str(pbf))


def build_street_graph(
    raw: RawStreets,
    bbox: BBox | None = None,
    progress: Progress | None = None,
    keep_nodes: Collection[int] = (),
    source: str = "streets",
) -> tuple[StreetGraph, StreetReport]:
    """Build the graph from raw streets (pure)."""
    say = progress or (lambda _text, _share: None)
    say("cutting streets at junctions", 0.6)
    pieces = cut_ways(raw, bbox, keep_nodes, source)
    graph = lay_out(raw, pieces)
    say("resolving turn restrictions", 0.75)
    graph, used, skipped = _with_restrictions(graph, raw)
    say("finding islands", 0.85)
    graph = replace(graph, arc_routable=routable_arcs(graph))
    say("street graph ready", 1.0)
    ways = len(np.unique(graph.arc_way_osm_id))
    return graph, StreetReport(ways, graph.node_count, graph.arc_count, pieces.missing_nodes, used, skipped)


def _with_restrictions(graph: StreetGraph, raw: RawStreets) -> tuple[StreetGraph, int, dict[str, int]]:
    concerned = {way for r in raw.restrictions for way in r.from_ways + r.to_ways + r.via_ways}
    arcs_of_way: dict[int, list[int]] = {}
    for arc in np.flatnonzero(np.isin(graph.arc_way_osm_id, np.array(sorted(concerned), np.int64))).tolist():
        arcs_of_way.setdefault(int(graph.arc_way_osm_id[arc]), []).append(arc)
    via = np.array(sorted({r.via_node for r in raw.restrictions}), np.int64)
    nodes = np.flatnonzero(np.isin(graph.node_osm_id, via))
    view = ArcView(
        arcs_of_way,
        lambda arc: int(graph.arc_tail[arc]),
        lambda arc: int(graph.arc_head[arc]),
        lambda node: range(int(graph.first_out[node]), int(graph.first_out[node + 1])),
        {int(graph.node_osm_id[node]): int(node) for node in nodes},
        lambda arc: int(graph.arc_reverse[arc]),
    )
    skipped = dict(raw.skipped)
    bans: dict[tuple[int, ...], int] = {}
    used = 0
    for restriction in sorted(raw.restrictions, key=lambda r: r.osm_id):
        sequences = forbidden_sequences(restriction, view)
        if isinstance(sequences, str):
            skipped[sequences] = skipped.get(sequences, 0) + 1
            continue
        used += 1
        for sequence in sequences:
            bans[sequence] = bans.get(sequence, 0) | restriction.modes
    ordered = sorted(bans)
    first = np.zeros(len(ordered) + 1, np.int32)
    np.cumsum([len(sequence) for sequence in ordered], out=first[1:])
    arcs = np.array([arc for sequence in ordered for arc in sequence], np.int32)
    modes = np.array([bans[sequence] for sequence in ordered], np.uint16)
    return replace(graph, first_restriction=first, restriction_arcs=arcs, restriction_modes=modes), used, skipped

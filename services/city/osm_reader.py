"""OSM extract → `StreetGraph`.

One pass with pyosmium (`osm_reader_extract`), tags read by pure functions, once per distinct combination (`osm_reader_raw`,
`osm_reader_tags`, `osm_reader_speeds`), ways cut at junctions with NumPy (`osm_reader_pieces`), relations turned into forbidden
arc sequences (`osm_reader_restrictions`, `osm_reader_bans`), heights laid under it (`elevation`). The same files always give
the same graph.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from routing.model.street_graph import StreetGraph
from routing.street.components import routable_arcs
from services.city.elevation import HeightReport, HeightsAt, Spots, build_heights
from services.city.osm_reader_bans import Bans, resolve
from services.city.osm_reader_pieces import BBox, cut_ways, lay_out
from services.city.osm_reader_raw import Progress, RawStreets, read_raw_streets


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
        Relations in force, if only at certain hours.
    skipped : dict
        Relations and access conditions left out, by reason.
    heights : HeightReport, optional
        None where no height is known at all.
    """

    ways: int
    nodes: int
    arcs: int
    missing_nodes: int
    restrictions: int
    skipped: dict[str, int]
    heights: HeightReport | None = None


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
    pbf: Path,
    bbox: BBox | None = None,
    progress: Progress | None = None,
    keep_nodes: Collection[int] = (),
    heights_at: HeightsAt | None = None,
) -> tuple[StreetGraph, StreetReport]:
    """`read_street_graph` with its counts, over an elevation model if one is given.

    `keep_nodes` (OSM ids) become nodes of the graph even in the middle of a street.
    """
    raw = read_raw_streets(pbf, progress)
    return build_street_graph(raw, bbox, progress, keep_nodes, str(pbf), heights_at)


def build_street_graph(
    raw: RawStreets,
    bbox: BBox | None = None,
    progress: Progress | None = None,
    keep_nodes: Collection[int] = (),
    source: str = "streets",
    heights_at: HeightsAt | None = None,
) -> tuple[StreetGraph, StreetReport]:
    """Build the graph from raw streets (pure)."""
    say = progress or (lambda _text, _share: None)
    say("cutting streets at junctions", 0.6)
    pieces = cut_ways(raw, bbox, keep_nodes, source)
    graph = lay_out(raw, pieces)
    say("resolving turn restrictions", 0.75)
    bans = resolve(graph, raw.restrictions)
    graph = _with_bans(graph, bans)
    say("finding islands", 0.85)
    graph = replace(graph, arc_routable=routable_arcs(graph))
    heights = None
    if raw.node_height_m or heights_at is not None:
        say("looking up heights", 0.9)
        laid, heights = build_heights(graph, _spots(raw), heights_at)
        graph = replace(graph, heights=laid)
    say("street graph ready", 1.0)
    ways = len(np.unique(graph.arc_way_osm_id))
    skipped = dict(Counter(raw.skipped) + Counter(bans.skipped))
    return graph, StreetReport(ways, graph.node_count, graph.arc_count, pieces.missing_nodes, bans.used, skipped, heights)


def _spots(raw: RawStreets) -> Spots:
    rows = np.array(sorted(raw.node_height_m), np.int64)
    heights = np.array([raw.node_height_m[row] for row in rows.tolist()], np.float32)
    return Spots(raw.node_lat_e7[rows], raw.node_lon_e7[rows], heights)


def _with_bans(graph: StreetGraph, bans: Bans) -> StreetGraph:
    rule_of = {text: number for number, text in enumerate(graph.rules.texts)}
    ordered = sorted(bans.modes)
    first = np.zeros(len(ordered) + 1, np.int32)
    np.cumsum([len(sequence) for sequence, _ in ordered], out=first[1:])
    return replace(
        graph,
        first_restriction=first,
        restriction_arcs=np.array([arc for sequence, _ in ordered for arc in sequence], np.int32),
        restriction_modes=np.array([bans.modes[ban] for ban in ordered], np.uint16),
        restriction_rule=np.array([rule_of.get(hours, -1) for _, hours in ordered], np.int32),
    )

"""Extracts full of holes: whatever is missing, what is left is a sound network."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.model.modes import StreetMode
from routing.street.api import StreetEngine
from services.city.errors import CityInputError
from services.city.osm_reader import build_street_graph
from services.city.osm_reader_extract import Extract
from services.city.osm_reader_raw import understand
from tests.builders.streets import drawn_extract

TOWN = """
A B C
D E F
G H I
---
ABC  name=Um
DEF  oneway=yes
GHI
ADG
BEH  maxspeed:conditional=30~@~(Mo-Fr~07:00-09:00)
CFI
no_left_turn ABC B BEH
only_straight_on DEF E DEF
no_u_turn ADG ADG
no_right_turn ABC BEH GHI
no_entry GHI H BEH
"""


def with_holes(extract: Extract, nodes: set[int], ways: set[int], members: set[int]) -> Extract:
    """The extract without some nodes (rows), ways (rows) and members of restrictions (by their count); references stay."""
    kept_nodes = np.array([row not in nodes for row in range(len(extract.node_id))])
    kept_ways = np.array([row not in ways for row in range(len(extract.way_id))])
    counts = np.diff(extract.first_ref)
    relations = [
        (number, tags, [one for k, one in enumerate(parts) if (number * 7 + k) % 16 not in members])
        for number, tags, parts in extract.relations
    ]
    return replace(
        extract,
        node_id=extract.node_id[kept_nodes],
        node_lat_e7=extract.node_lat_e7[kept_nodes],
        node_lon_e7=extract.node_lon_e7[kept_nodes],
        way_id=extract.way_id[kept_ways],
        first_ref=np.concatenate([[0], np.cumsum(counts[kept_ways])]).astype(np.int64),
        refs=extract.refs[np.repeat(kept_ways, counts)],
        way_tags=extract.way_tags[kept_ways],
        relations=relations,
    )


@settings(max_examples=150, deadline=None)
@given(st.sets(st.integers(0, 8)), st.sets(st.integers(0, 5)), st.sets(st.integers(0, 15), max_size=6))
def test_any_holes_leave_a_sound_network(nodes: set[int], ways: set[int], members: set[int]) -> None:
    """Arcs join nodes that are there, restrictions are of arcs in a row, every mode can be searched; or it is said."""
    extract = with_holes(drawn_extract(TOWN), nodes, ways, members)
    said = ""
    try:
        graph, report = build_street_graph(understand(extract), source="holes")
    except CityInputError as error:
        said = str(error)
    if said:
        pairs = zip(extract.refs[:-1].tolist(), extract.refs[1:].tolist(), strict=True)
        there = set(extract.node_id.tolist())
        assert said == "holes: holds no street"
        ends = set((extract.first_ref[1:-1] - 1).tolist())
        assert not any(a in there and b in there for k, (a, b) in enumerate(pairs) if k not in ends)
        return
    assert set(graph.node_osm_id.tolist()) <= set(extract.node_id.tolist())
    assert report.missing_nodes == int((~np.isin(extract.refs, extract.node_id)).sum())
    assert np.isfinite(graph.arc_length_m).all()
    first, banned = graph.first_restriction, graph.restriction_arcs
    for low, high in zip(first[:-1].tolist(), first[1:].tolist(), strict=True):
        arcs = banned[low:high]
        assert len(arcs) >= 2
        assert (graph.arc_head[arcs[:-1]] == graph.arc_tail[arcs[1:]]).all()
    engine = StreetEngine(graph)
    for mode in (StreetMode.CAR, StreetMode.BICYCLE, StreetMode.FOOT):
        places = engine.snap(graph.node_lat_e7 * 1e-7, graph.node_lon_e7 * 1e-7, mode)
        engine.many_to_many(engine.metric(mode), places, places)

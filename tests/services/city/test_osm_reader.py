"""An OSM file becomes a street graph: cut at junctions, tolerant of what is broken, the same every time."""

import numpy as np
import pytest

from routing.model.modes import StreetMode
from routing.model.street_graph import ARC_BRIDGE, ARC_FERRY, ARC_ROUNDABOUT, ARC_STEPS, ARC_TUNNEL, ROAD_CLASSES
from services.city.errors import CityInputError
from services.city.osm_reader import build_street_graph, read_street_graph, read_street_graph_and_report
from tests.builders.osm_files import write_osm
from tests.builders.shared_data import porto
from tests.builders.streets import draw, porto_streets

NODES = {n: (41.0 + 0.001 * (n // 10), -8.0 + 0.001 * (n % 10), {}) for n in range(10, 40)}


def test_ways_are_cut_at_junctions_only(tmp_path):
    """A bend stays in the shape of one arc; a crossing, a signal, a barrier and a way's end make nodes."""
    nodes = NODES | {14: (*NODES[14][:2], {"highway": "traffic_signals"}), 16: (*NODES[16][:2], {"barrier": "bollard"})}
    ways = {1: ([10, 11, 22, 13, 14, 15, 16, 17], {"highway": "residential"}), 2: ([22, 32], {"highway": "service"})}
    graph = read_street_graph(write_osm(tmp_path / "a.osm", nodes, ways))
    assert sorted(graph.node_osm_id.tolist()) == [10, 14, 16, 17, 22, 32]
    assert graph.arc_count == 10
    arc = next(a for a in range(10) if graph.node_osm_id[graph.arc_tail[a]] == 10)
    points = slice(graph.first_shape[arc], graph.first_shape[arc + 1])
    assert graph.shape_lat_e7[points].tolist() == [410010000, 410010000, 410020000]
    assert graph.arc_length_m[arc] == pytest.approx(83.9 + 139.3, abs=1.0)
    assert graph.node_flags[graph.node_osm_id == 14].tolist() == [1]
    assert graph.node_blocked[graph.node_osm_id == 16].tolist() == [7]


def test_both_directions_and_columns(tmp_path):
    """Two arcs per street that know each other, with lanes, speeds, names, flags and reversed shapes."""
    tags = {"highway": "primary", "name": "Avenida", "lanes": "3", "lanes:forward": "2", "maxspeed": "60", "bridge": "yes"}
    graph = read_street_graph(write_osm(tmp_path / "a.osm", NODES, {1: ([10, 21, 12], tags)}))
    there = int(np.flatnonzero(graph.node_osm_id[graph.arc_tail] == 10)[0])
    back = int(graph.arc_reverse[there])
    assert graph.arc_reverse[back] == there
    assert (graph.arc_lanes[there], graph.arc_lanes[back]) == (2, 1)
    assert graph.arc_speed_kmh[there] == pytest.approx(54.0)
    assert graph.names[graph.arc_name[there]] == "Avenida"
    assert graph.arc_flags[there] == ARC_BRIDGE
    assert ROAD_CLASSES[graph.arc_road_class[there]] == "primary"
    shape = [graph.shape_lon_e7[graph.first_shape[a] : graph.first_shape[a + 1]].tolist() for a in (there, back)]
    assert shape[0] == shape[1][::-1]


def test_loops_and_doubled_nodes(tmp_path):
    """A street that ends in itself, a closed ring and a node named twice in a row."""
    ways = {
        1: ([10, 11, 21, 11], {"highway": "residential"}),
        2: ([30, 31, 32, 30], {"highway": "residential", "junction": "roundabout"}),
        3: ([15, 15, 16], {"highway": "residential"}),
    }
    graph = read_street_graph(write_osm(tmp_path / "a.osm", NODES, ways))
    assert (graph.arc_flags == ARC_ROUNDABOUT).sum() == 2  # driven one way, walked both
    loops = graph.arc_tail == graph.arc_head
    assert loops.sum() >= 2
    assert (graph.arc_length_m > 50).all()


def test_dangling_references(tmp_path):
    """Nodes, ways and members that are missing interrupt streets and drop restrictions; nothing else is lost."""
    ways = {1: ([10, 11, 999, 13, 14], {"highway": "residential"}), 2: ([998], {"highway": "residential"})}
    members = [("w", 1, "from"), ("n", 11, "via"), ("w", 77, "to")]
    relations = {5: (members, {"type": "restriction", "restriction": "no_left_turn"})}
    graph, report = read_street_graph_and_report(write_osm(tmp_path / "a.osm", NODES, ways, relations))
    ends = {frozenset(graph.node_osm_id[[t, h]].tolist()) for t, h in zip(graph.arc_tail, graph.arc_head, strict=True)}
    assert ends == {frozenset({10, 11}), frozenset({13, 14})}
    assert report.missing_nodes == 2
    assert report.skipped == {"way not a street of the extract": 1}


def test_bounding_box(tmp_path):
    """Streets are cut at the edge of the box."""
    pbf = write_osm(tmp_path / "a.osm", NODES, {1: ([10, 11, 12, 13, 14], {"highway": "residential"})})
    graph = read_street_graph(pbf, bbox=(40.0, -7.9995, 42.0, -7.9965))
    assert sorted(graph.node_osm_id.tolist()) == [11, 13]
    with pytest.raises(CityInputError, match="inside the bounding box"):
        read_street_graph(pbf, bbox=(0.0, 0.0, 1.0, 1.0))


def test_unusable_files(tmp_path):
    """A missing, truncated or empty file is refused with its name."""
    (tmp_path / "cut.osm.pbf").write_bytes(porto("porto_portugal.osm.pbf").read_bytes()[:5000])
    write_osm(tmp_path / "empty.osm", NODES, {1: ([10, 11], {"building": "yes"})})
    for name in ("missing.osm.pbf", "cut.osm.pbf", "empty.osm"):
        with pytest.raises(CityInputError, match=name):
            read_street_graph(tmp_path / name)


def test_restriction_members_in_any_order(tmp_path):
    """A restriction read from a file forbids the turn between its arcs."""
    ways = {1: ([10, 11], {"highway": "residential"}), 2: ([11, 12], {"highway": "residential"})}
    members = [("n", 11, "via"), ("w", 2, "to"), ("w", 1, "from")]
    relations = {5: (members, {"type": "restriction", "restriction": "no_straight_on", "except": "bicycle"})}
    graph, report = read_street_graph_and_report(write_osm(tmp_path / "a.osm", NODES, ways, relations))
    ends = [tuple(graph.node_osm_id[[graph.arc_tail[a], graph.arc_head[a]]].tolist()) for a in graph.restriction_arcs]
    assert ends == [(10, 11), (11, 12)]
    assert graph.restriction_modes.tolist() == [StreetMode.CAR.bit | StreetMode.VAN.bit | StreetMode.TRUCK.bit]
    assert report.restrictions == 1


@pytest.mark.parametrize(
    ("tags", "flag"), [("highway=steps", ARC_STEPS), ("tunnel=yes", ARC_TUNNEL), ("route=ferry", ARC_FERRY), ("tunnel=no", 0)]
)
def test_flags(tags, flag):
    """What a way is stands in the flags of its arcs."""
    graph = draw(f"A B\n---\nAB {tags}\n").graph
    assert set(graph.arc_flags.tolist()) == {flag}


@pytest.mark.slow
def test_porto():
    """The embedded city: plausible counts, arcs sorted by tail, the same graph when built again; progress is told."""
    told = []
    raw = porto_streets()
    graph, report = build_street_graph(raw, progress=lambda text, share: told.append((text, share)))
    assert 60_000 < graph.node_count < 100_000
    assert report.restrictions > 300
    assert sum(report.skipped.values()) < 30
    assert (graph.arc_tail == np.repeat(np.arange(graph.node_count), np.diff(graph.first_out))).all()
    for mode in StreetMode:
        arcs = (graph.arc_access & mode.bit) != 0
        assert ((graph.arc_routable[arcs] & mode.bit) != 0).mean() > 0.9, mode
    assert [share for _, share in told] == sorted(share for _, share in told)
    again, _ = build_street_graph(raw)
    for name in graph.__slots__:
        if name not in ("names", "rules", "heights"):
            assert getattr(graph, name).tobytes() == getattr(again, name).tobytes(), name
    assert list(graph.names) == list(again.names)

"""Signals grouped into intersections: each signal in one site, arcs in and out complete, wide junctions one site."""

import numpy as np

from routing.model.modes import StreetMode
from routing.model.signal_sites import SignalSiteKind
from routing.model.street_graph import NODE_TRAFFIC_SIGNALS
from services.city.signal_sites import SPAN_M, build_signal_sites
from services.city.snapshot import CitySnapshot


def test_every_signal_stands_in_exactly_one_site(porto_snapshot: CitySnapshot) -> None:
    """No signal of the map is lost or doubled, and no node is in two sites."""
    sites, graph = porto_snapshot.signal_sites, porto_snapshot.street
    mapped = np.flatnonzero(graph.node_flags & NODE_TRAFFIC_SIGNALS)
    cars = np.union1d(
        graph.arc_tail[graph.arc_access & StreetMode.CAR.bit != 0], graph.arc_head[graph.arc_access & StreetMode.CAR.bit != 0]
    )
    assert set(sites.signal_nodes.tolist()) == set(np.intersect1d(mapped, cars).tolist())
    assert len(np.unique(sites.signal_nodes)) == len(sites.signal_nodes)
    assert len(np.unique(sites.nodes)) == len(sites.nodes)


def test_arcs_of_a_site_are_those_that_cross_its_edge(porto_snapshot: CitySnapshot) -> None:
    """Against a naive scan of all arcs: in, out and inner arcs of every site."""
    sites, graph = porto_snapshot.signal_sites, porto_snapshot.street
    site_of = np.full(graph.node_count, -1)
    for i in range(len(sites)):
        site_of[sites.nodes[sites.first_node[i] : sites.first_node[i + 1]]] = i
    cars = (graph.arc_access & StreetMode.CAR.bit) != 0
    tail, head = site_of[graph.arc_tail], site_of[graph.arc_head]
    for i in range(len(sites)):
        incoming = sites.in_arcs[sites.first_in_arc[i] : sites.first_in_arc[i + 1]]
        outgoing = sites.out_arcs[sites.first_out_arc[i] : sites.first_out_arc[i + 1]]
        inner = sites.inner_arcs[sites.first_inner_arc[i] : sites.first_inner_arc[i + 1]]
        assert sorted(incoming.tolist()) == np.flatnonzero(cars & (head == i) & (tail != i)).tolist()
        assert sorted(outgoing.tolist()) == np.flatnonzero(cars & (tail == i) & (head != i)).tolist()
        assert inner.tolist() == np.flatnonzero(cars & (tail == i) & (head == i)).tolist()
        assert len(incoming)


def test_sites_are_of_a_size_a_junction_can_have(porto_snapshot: CitySnapshot) -> None:
    """Dual carriageways are joined (some sites have several signals), avenues are not (no site is too wide)."""
    sites, graph = porto_snapshot.signal_sites, porto_snapshot.street
    assert (np.diff(sites.first_signal_node) > 1).sum() >= 30
    for i in range(len(sites)):
        nodes = sites.nodes[sites.first_node[i] : sites.first_node[i + 1]]
        north = np.ptp(graph.node_lat_e7[nodes]) * 1e-7 * 111_195
        east = np.ptp(graph.node_lon_e7[nodes]) * 1e-7 * 111_195 * 0.753
        assert np.hypot(north, east) < SPAN_M + 100
    kinds = np.bincount(sites.kind, minlength=2)
    assert kinds[SignalSiteKind.JUNCTION] > 200
    assert kinds[SignalSiteKind.CROSSING] > 5


def test_grouping_is_the_same_again(porto_snapshot: CitySnapshot) -> None:
    """Built again from the mapped streets, ids, names and arcs are the same."""
    again, sites = build_signal_sites(porto_snapshot.street), porto_snapshot.signal_sites
    assert list(again.ids) == list(sites.ids)
    assert list(again.names) == list(sites.names)
    np.testing.assert_array_equal(again.in_arcs, sites.in_arcs)

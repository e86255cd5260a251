"""Matrices with lengths: times as without, lengths those of the shortest of all quickest ways."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.kernels.street_anchors import direct
from routing.kernels.street_search import INFINITE
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.api import Snaps, StreetEngine
from tests.builders.streets import draw
from tests.routing.street.test_street_search import streets

MM = 10**9
"""Milliseconds weigh more than all millimetres of a small town."""


def shortest_of_quickest(engine, metric, places, i, j):
    """Time (ms) and length (mm) by Dijkstra's algorithm on pairs of both; None where no way leads."""
    graph, searcher = engine.graph, engine.searcher(metric.mode)
    network, best = nx.DiGraph(), []
    net = searcher.network
    tails = np.repeat(np.arange(net.state_count), np.diff(net.first_edge)).tolist()
    for tail, head, arc, ms in zip(tails, net.edge_to.tolist(), net.edge_arc.tolist(), metric.edge_ms.tolist(), strict=True):
        if ms < INFINITE:
            add(network, tail, head, ms * MM + round(float(graph.arc_length_m[arc]) * 1000))
    for name, anchors, snaps, k in (
        ("from", searcher.sources(metric, places.take(i)), places, i),
        ("to", searcher.targets(metric, places.take(j)), places, j),
    ):
        for state, ms, arc in zip(anchors.state.tolist(), anchors.time_ms.tolist(), anchors.arc.tolist(), strict=True):
            along = float(snaps.fraction[k]) if arc == snaps.arc[k] else 1.0 - float(snaps.fraction[k])
            share = 1.0 - along if name == "from" else along
            cost = ms * MM + round(share * float(graph.arc_length_m[arc]) * 1000)
            add(network, *(("from", state) if name == "from" else (state, "to")), cost)
    if network.has_node("from") and network.has_node("to") and nx.has_path(network, "from", "to"):
        best.append(nx.dijkstra_path_length(network, "from", "to", weight="cost"))
    ms, arc = direct(
        places.arc[i], places.fraction[i], places.arc[j], places.fraction[j], metric.arc_time_ms, graph.arc_reverse,
        places.directed[i], places.directed[j],
    )  # fmt: skip
    if arc >= 0:
        stop = float(places.fraction[j]) if places.arc[j] == places.arc[i] else 1.0 - float(places.fraction[j])
        best.append(int(ms) * MM + round(abs(stop - float(places.fraction[i])) * float(graph.arc_length_m[arc]) * 1000))
    return divmod(min(best), MM) if best else None


def add(network, tail, head, cost):
    """Keep the cheapest of parallel edges."""
    if not network.has_edge(tail, head) or network.edges[tail, head]["cost"] > cost:
        network.add_edge(tail, head, cost=cost)


@settings(max_examples=80, deadline=None)
@given(streets(), st.integers(0, 1000), st.sampled_from([StreetMode.CAR, StreetMode.FOOT, StreetMode.BICYCLE]))
def test_lengths_are_those_of_the_shortest_quickest_ways(graph, seed, mode):
    """With closures, both ends on one street, places on no street, and rounded times that make many ways equally quick."""
    rng, arcs = np.random.default_rng(seed), np.flatnonzero(graph.arc_access & mode.bit)
    if not len(arcs):
        return
    engine = StreetEngine(graph)
    engine.hierarchy(mode)
    metric = engine.metric(mode, closed_arcs=rng.random(graph.arc_count) < 0.1)
    arc = np.append(rng.choice(arcs, 5), -1).astype(np.int32)
    arc[1] = arc[0]
    zeros = np.zeros(6)
    places = Snaps(arc, rng.choice([0.0, 0.25, 0.7, 1.0], 6).astype(np.float32), zeros.astype(np.float32), zeros, zeros)
    times, lengths = engine.lengths(metric, places).rows(places)
    assert times.tolist() == engine.many_to_many(metric, places, places).tolist()
    assert (times.dtype, lengths.dtype) == (np.uint32, np.float32)
    for i in range(6):
        for j in range(6):
            expected = shortest_of_quickest(engine, metric, places, i, j) if -1 not in (arc[i], arc[j]) else None
            if expected is None:
                assert (times[i, j], lengths[i, j]) == (UNREACHABLE_MS, -1.0)
            else:
                assert (times[i, j], lengths[i, j]) == (expected[0], pytest.approx(expected[1] / 1000, abs=0.05))


def test_lengths_need_a_hierarchy():
    """Said in a sentence."""
    town = draw("A B\n---\nAB")
    metric = town.engine.metric(StreetMode.CAR)
    with pytest.raises(InvalidInput, match="need a hierarchy of CAR"):
        town.engine.lengths(metric, town.at("AB"))

"""Property: every search equals a naive one (networkx on full histories), on random streets with every kind of rule."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.kernels.street_components import strong_components
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.street_graph import StreetGraph
from routing.street.api import DEFAULT_TURN_COSTS, NO_TURN_COSTS, Snaps, StreetEngine
from services.city.osm_reader_times import build_rules
from tests.builders.streets import draw
from tests.routing.street.reference import Reference

TAGS = (
    "", "", "", "oneway=yes", "oneway=-1", "access=destination", "motor_vehicle=no", "maxspeed=10", "junction=roundabout",
    "vehicle:conditional=no@(Mo)", "motor_vehicle=no motor_vehicle:conditional=destination@(Tu)", "maxwidth=0.8",
    "hgv=no", "goods=no", "hgv=destination", "motor_vehicle=delivery", "bicycle=no cargo_bike=yes",
)  # fmt: skip
MARKS = ("highway=traffic_signals", "barrier=bollard", "barrier=gate access=private", "barrier=stile", "barrier=sump_buster")


@st.composite
def streets(draw_from: st.DrawFn) -> StreetGraph:
    """A small random network with one-ways, zones, barriers, signals and forbidden sequences of two to four arcs.

    Some rules depend on the day; there are two of them.
    """
    seed = draw_from(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 10))
    letters = "ABCDEFGHI"[:count]
    grid = rng.permutation(25)[:count]
    rows = [["  "] * 5 for _ in range(5)]
    for letter, cell in zip(letters, grid, strict=True):
        rows[cell // 5][cell % 5] = f"{letter} "
    lines = ["".join(row) for row in rows] + ["---"]
    for _ in range(int(rng.integers(count, 2 * count + 2))):
        way = rng.choice(list(letters), int(rng.integers(2, 4)), replace=False)
        lines.append("".join(way) + " " + str(rng.choice(TAGS)))
    lines += [f"{letter}: {rng.choice(MARKS)}" for letter in letters if rng.random() < 0.2]
    graph = draw("\n".join(lines)).graph
    return _with_bans(graph, rng)


def _with_bans(graph: StreetGraph, rng: np.random.Generator) -> StreetGraph:
    sequences = set()
    for _ in range(int(rng.integers(0, 8))):
        walk = [int(rng.integers(graph.arc_count))]
        for _ in range(int(rng.integers(1, 4))):
            node = graph.arc_head[walk[-1]]
            out = range(int(graph.first_out[node]), int(graph.first_out[node + 1]))
            if len(out) > 0:
                walk.append(int(rng.choice(list(out))))
        if len(walk) > 1:
            sequences.add(tuple(walk))
    bans = sorted(sequences)
    first = np.concatenate([[0], np.cumsum([len(ban) for ban in bans])]).astype(np.int32)
    arcs = np.array([arc for ban in bans for arc in ban], np.int32)
    return replace(
        graph,
        first_restriction=first,
        restriction_arcs=arcs,
        restriction_modes=rng.choice([79, 79, 7, 4, 3, 72], len(bans)).astype(np.uint16),
        restriction_rule=rng.choice([-1, -1, 0, 1], len(bans)).astype(np.int32),
        rules=build_rules(["Mo", "Tu"])[0],
    )


def _places(graph: StreetGraph, rng: np.random.Generator, mode: StreetMode) -> Snaps:
    arcs = np.flatnonzero(graph.arc_access & mode.bit)
    arc = np.concatenate([rng.choice(arcs, 5), [-1]]).astype(np.int32)
    zeros = np.zeros(6)
    return Snaps(arc, rng.choice([0.0, 0.25, 0.7, 1.0], 6).astype(np.float32), np.zeros(6, np.float32), zeros, zeros)


@settings(max_examples=200)
@given(
    graph=streets(),
    seed=st.integers(0, 1000),
    mode=st.sampled_from(list(StreetMode)),
    contracted=st.booleans(),
)
def test_equals_naive_search(graph, seed, mode, contracted):
    """One-to-many, many-to-one, many-to-many and routes give the reference's times; routes obey its rules."""
    rng = np.random.default_rng(seed)
    if not (graph.arc_access & mode.bit).any():
        return
    engine = StreetEngine(graph)
    if contracted:
        engine.hierarchy(mode)
    closed = rng.random(graph.arc_count) < 0.1
    holding = rng.random(2) < 0.5
    metric = engine.metric(mode, closed_arcs=closed, rules_holding=holding)
    holding_now = frozenset(np.flatnonzero(holding).tolist())
    reference = Reference(graph, metric, DEFAULT_TURN_COSTS.get(mode, NO_TURN_COSTS), holding_now)
    places = _places(graph, rng, mode)
    expected = [reference.times((int(places.arc[i]), float(places.fraction[i])), places) for i in range(5)]
    expected.append([UNREACHABLE_MS] * 6)
    assert engine.many_to_many(metric, places, places).tolist() == expected
    assert engine.many_to_many(metric, places, places.take([2, 4])).tolist() == [[row[2], row[4]] for row in expected]
    for i in range(6):
        assert engine.one_to_many(metric, places, i, places).tolist() == expected[i]
        assert engine.many_to_one(metric, places, places, i).tolist() == [row[i] for row in expected]
        for j in range(6):
            path = engine.find_route(metric, places, i, places, j)
            assert (UNREACHABLE_MS if path is None else path.time_ms) == expected[i][j]
            if path is not None:
                _check_path(reference, path)


def _check_path(reference, path):
    """The arcs follow each other by allowed turns and their times add up."""
    state, total = ((int(path.arcs[0]),), False), 0
    for k, arc in enumerate(path.arcs.tolist()):
        share = (path.end_fraction if k == len(path.arcs) - 1 else 1.0) - (path.start_fraction if k == 0 else 0.0)
        total += share * int(reference.metric.arc_time_ms[arc])
        if k + 1 < len(path.arcs):
            state, cost = next((after, ms) for after, ms in reference.turns(state) if after[0][-1] == path.arcs[k + 1])
            total += cost
    assert abs(total - path.time_ms) <= 2


@settings(max_examples=60)
@given(
    graph=streets(),
    seed=st.integers(0, 1000),
    mode=st.sampled_from([StreetMode.VAN, StreetMode.FOOT]),
    contracted=st.booleans(),
)
def test_limits_and_reach(graph, seed, mode, contracted):
    """A limit hides exactly what is later; the times of `reach` are those of positions at the nodes."""
    rng = np.random.default_rng(seed)
    if not (graph.arc_access & mode.bit).any():
        return
    engine = StreetEngine(graph)
    if contracted:
        engine.hierarchy(mode)
    metric = engine.metric(mode)
    places = _places(graph, rng, mode)
    full = engine.one_to_many(metric, places, 0, places)
    for limit_s in (0, 15, 40):
        cut = np.where(full <= limit_s * 1000, full, UNREACHABLE_MS)
        assert engine.one_to_many(metric, places, 0, places, limit_s).tolist() == cut.tolist()
        assert (
            engine.many_to_one(metric, places, places, 0, limit_s).tolist()
            == np.where(
                (back := engine.many_to_one(metric, places, places, 0)) <= limit_s * 1000, back, UNREACHABLE_MS
            ).tolist()
        )
    ends = np.flatnonzero(graph.arc_access & mode.bit).astype(np.int32)
    zeros, ones = np.zeros(len(ends)), np.ones(len(ends), np.float32)
    arriving = engine.one_to_many(metric, places, 0, Snaps(ends, ones, ones, zeros, zeros))
    leaving = engine.many_to_one(metric, Snaps(ends, 0 * ones, ones, zeros, zeros), places, 0)
    reach, back = engine.reach(metric, places, 0), engine.reach(metric, places, 0, backward=True)
    for node in range(graph.node_count):
        assert reach[node] == min(arriving[graph.arc_head[ends] == node], default=UNREACHABLE_MS)
        if not graph.node_blocked[node] & mode.bit:
            assert back[node] == min(leaving[graph.arc_tail[ends] == node], default=UNREACHABLE_MS)


@settings(max_examples=30)
@given(graph=streets())
def test_components(graph):
    """Strongly connected components are those of networkx."""
    nx = pytest.importorskip("networkx")
    net = StreetEngine(graph).network(StreetMode.BICYCLE)
    label = np.empty(net.state_count, np.int32)
    count = strong_components(net.first_edge, net.edge_to, label)
    plain = nx.DiGraph()
    plain.add_nodes_from(range(net.state_count))
    plain.add_edges_from(
        (s, int(t)) for s in range(net.state_count) for t in net.edge_to[net.first_edge[s] : net.first_edge[s + 1]]
    )
    expected = {frozenset(part) for part in nx.strongly_connected_components(plain)}
    assert {frozenset(np.flatnonzero(label == k).tolist()) for k in range(count)} == expected

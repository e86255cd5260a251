"""Other ways: as many as are sensible, each different enough, locally optimal and not much longer; never there and back."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.street.alternatives import AlternativeLimits
from routing.street.api import StreetEngine
from services.city.osm_reader import build_street_graph
from tests.builders.streets import draw, porto_streets

TWO_BRIDGES = """
        K
      C D E
    A B   F G
      H I J
        L
    ---
    AB
    BCDEF  maxspeed=50
    BHIJF  maxspeed=30
    FG
    DK
    IL
"""

SIDE = 5
GRID = "\n".join(" ".join(chr(65 + SIDE * r + c) for c in range(SIDE)) for r in range(SIDE))
ROWS = "\n".join(["".join(chr(65 + SIDE * r + c) for c in range(SIDE)) for r in range(SIDE)])
COLUMNS = "\n".join(["".join(chr(65 + SIDE * r + c) for r in range(SIDE)) for c in range(SIDE)])


def contracted(text):
    """A drawn network with hierarchies."""
    drawn = draw(text)
    for mode in (StreetMode.CAR, StreetMode.FOOT):
        drawn.engine.hierarchy(mode)
    return drawn


@pytest.fixture(scope="module")
def grid():
    """Streets like a chessboard."""
    return contracted(f"{GRID}\n---\n{ROWS}\n{COLUMNS}")


def ways(drawn, start, end, **limits):
    """All ways found, as text."""
    metric = drawn.engine.metric(StreetMode.CAR)
    found = drawn.engine.alternatives(metric, drawn.at(start), 0, drawn.at(end), 0, AlternativeLimits(**limits))
    return [drawn.letters(one.path.arcs) for one in found]


def test_the_other_bridge_is_an_alternative():
    """The slower bank is offered when it is within the stretch, and not when it is too slow."""
    drawn = contracted(TWO_BRIDGES)
    upper, lower = "AB BD DF FG", "AB BI IF FG"
    assert ways(drawn, "AB", "FG", stretch=1.0) == [upper, lower]
    assert ways(drawn, "AB", "FG", stretch=0.1) == [upper]
    assert ways(drawn, "AB", "FG", stretch=1.0, count=0) == [upper]


def test_only_what_differs_enough():
    """Ways that share their first and last street only pass a low limit when these weigh little."""
    drawn = contracted(TWO_BRIDGES)
    assert len(ways(drawn, "AB", "FG", shared=0.5, stretch=1.0)) == 2
    assert len(ways(drawn, "AB", "FG", shared=0.1, stretch=1.0)) == 1


def test_no_way_goes_there_and_back():
    """A dead end beside the way is no alternative, however generous the limits are."""
    drawn = contracted("""
        D
        C
      A B E F
          G
    ---
    ABEF
    BCD
    EG
    """)
    assert ways(drawn, "AB", "EF", stretch=4.0, shared=1.0, optimal_within=0.0) == ["AB BE EF"]


def test_on_one_street_there_is_one_way(grid):
    """Start and end on the same street piece."""
    drawn = grid
    found = drawn.engine.alternatives(
        drawn.engine.metric(StreetMode.CAR), drawn.at("AB", fraction=0.2), 0, drawn.at("AB", fraction=0.9), 0
    )
    assert [drawn.letters(one.path.arcs) for one in found] == ["AB"]


def test_no_way_no_alternatives():
    """An island has neither."""
    drawn = contracted("""
    A B C D
    ---
    AB
    CD
    """)
    assert ways(drawn, "AB", "CD") == []


def test_without_a_hierarchy_it_is_said():
    """What to do is in the message."""
    drawn = draw(TWO_BRIDGES)
    with pytest.raises(InvalidInput, match=r"need a hierarchy of CAR: call hierarchy\(mode\)"):
        ways(drawn, "AB", "FG")


@pytest.mark.parametrize("wrong", [{"count": 9}, {"count": -1}, {"shared": 1.1}, {"stretch": float("nan")}])
def test_limits_that_make_no_sense(wrong):
    """The message names the limit."""
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        AlternativeLimits(**wrong)


@given(st.integers(0, 2**32 - 1), st.sampled_from([StreetMode.CAR, StreetMode.FOOT]), st.floats(0.1, 1.0), st.floats(0.05, 0.5))
@settings(max_examples=60, deadline=None)
def test_all_promises_are_kept(grid, seed, mode, shared, stretch):
    """On a grid with random speeds and closures: valid, within stretch, below the limit of sharing, locally optimal."""
    rng = np.random.default_rng(seed)
    graph = grid.graph
    metric = grid.engine.metric(mode, rng.uniform(5, 100, graph.arc_count), rng.choice(graph.arc_count, 6))
    limits = AlternativeLimits(3, shared, stretch, 0.25)
    ends = np.array([rng.choice(graph.arc_count), rng.choice(graph.arc_count)], np.int32)
    places = grid.at("AB", "AB")
    places = type(places)(ends, rng.random(2).astype(np.float32), *(np.zeros(2) for _ in range(3)))
    found = grid.engine.alternatives(metric, places, 0, places, 1, limits)
    quickest = grid.engine.find_route(metric, places, 0, places, 1)
    if quickest is None:
        assert found == []
        return
    assert found[0].path.time_ms == quickest.time_ms
    check(grid.engine, metric, places, found, limits)


def check(engine, metric, places, found, limits):
    """Check a set of ways against the documented rules, with networkx for the times between states."""
    seeds = engine.searcher(metric.mode).sources(metric, places.take(0))
    ends = engine.searcher(metric.mode).targets(metric, places.take(1))
    best = found[0].path.time_ms
    net = state_graph(metric)
    taken = [list(found[0].path.arcs)]
    for one in found[1:]:
        states, at_ms, steps = replay(metric, one.path, seeds, ends)
        assert at_ms[-1] == one.path.time_ms
        assert one.stretch == pytest.approx(one.path.time_ms / best)
        arcs = one.path.arcs.tolist()
        turns = {pair for way in taken for pair in zip(way, [*way[1:], -1], strict=True)}
        common = {arc for way in taken for arc in way}
        parts = np.minimum(one.path.arc_time_ms, steps)
        total = sum(
            float(step if (arc, after) in turns else part)
            for arc, after, step, part in zip(arcs, [*arcs[1:], -1], steps, parts, strict=True)
            if arc in common
        )
        assert total == pytest.approx(one.shared * best, abs=1e-3)
        assert total <= limits.shared * best + 1e-6
        assert one.path.time_ms <= (1 + limits.stretch) * best
        assert len(set(arcs)) == len(arcs)
        for i in range(len(states)):
            for j in range(i + 1, len(states)):
                if at_ms[j] - at_ms[i] <= limits.optimal_within * best:
                    assert at_ms[j] - at_ms[i] == nx.shortest_path_length(net, states[i], states[j], weight="ms")
        taken.append(arcs)


def state_graph(metric):
    """The states of a metric as a networkx graph."""
    net, graph = metric.network, nx.DiGraph()
    graph.add_nodes_from(range(net.state_count))
    for state in range(net.state_count):
        for e in range(net.first_edge[state], net.first_edge[state + 1]):
            ms = int(metric.edge_ms[e])
            if ms < 2**31 - 1 and ms < graph.edges.get((state, int(net.edge_to[e])), {"ms": 2**31})["ms"]:
                graph.add_edge(state, int(net.edge_to[e]), ms=ms)
    return graph


def replay(metric, path, seeds, ends):
    """States a way passes, the time on entering each (and at the end), the time of every step; by trying all continuations."""
    net, arcs = metric.network, path.arcs.tolist()
    open_ways = [([int(s)], [int(t)]) for s, t, a in zip(seeds.state, seeds.time_ms, seeds.arc, strict=True) if a == arcs[0]]
    for arc in arcs[1:-1]:
        open_ways = [
            ([*states, int(net.edge_to[e])], [*steps, int(metric.edge_ms[e])])
            for states, steps in open_ways
            for e in range(net.first_edge[states[-1]], net.first_edge[states[-1] + 1])
            if net.edge_arc[e] == arc and metric.edge_ms[e] < 2**31 - 1
        ]
    done = [
        (states, [*steps, int(t)])
        for states, steps in open_ways
        for s, t, a in zip(ends.state, ends.time_ms, ends.arc, strict=True)
        if s == states[-1] and a == arcs[-1]
    ]
    states, steps = min(done, key=lambda way: sum(way[1]))
    return states, np.cumsum(steps), np.array(steps, float)


def test_nearly_all_that_exist_are_found(grid):
    """Candidates are the ancestors only; a naive search over all states, with stricter limits, knows few ways more."""
    rng = np.random.default_rng(5)
    graph, limits, stricter = grid.graph, AlternativeLimits(1, 0.6, 0.3), AlternativeLimits(1, 0.4, 0.2)
    hits = misses = 0
    for _ in range(40):
        metric = grid.engine.metric(StreetMode.CAR, rng.uniform(20, 60, graph.arc_count))
        places = grid.at("AB", "SX")
        found = grid.engine.alternatives(metric, places, 0, places, 1, limits)
        searcher = grid.engine.searcher(StreetMode.CAR)
        seeds, ends = searcher.sources(metric, places.take(0)), searcher.targets(metric, places.take(1))
        exists = naive_exists(metric, seeds, ends, stricter)
        hits += exists and len(found) > 1
        misses += exists and len(found) == 1
    assert hits > 10
    assert misses <= 1


def naive_exists(metric, seeds, ends, limits):
    """Whether any way over any single state differs enough, by arcs alone, and keeps the limits."""
    net, network = state_graph(metric), metric.network
    net.add_node("s")
    net.add_node("t")
    for state, ms in zip(seeds.state.tolist(), seeds.time_ms.tolist(), strict=True):
        net.add_edge("s", state, ms=ms)
    for state, ms in zip(ends.state.tolist(), ends.time_ms.tolist(), strict=True):
        net.add_edge(state, "t", ms=ms)
    there, ways_there = nx.single_source_dijkstra(net, "s", weight="ms")
    back, ways_back = nx.single_source_dijkstra(net.reverse(copy=True), "t", weight="ms")
    best, opt = there["t"], ways_there["t"]
    at = [there[state] for state in opt]
    known = {(a, b): at[k + 1] - at[k] for k, (a, b) in enumerate(itertools.pairwise(opt))}
    for via in range(network.state_count):
        if via not in there or via not in back or there[via] + back[via] > (1 + limits.stretch) * best:
            continue
        way = [*ways_there[via], *ways_back[via][::-1][1:]]
        shared = sum(known.get(step, 0) for step in itertools.pairwise(way))
        arcs = network.state_arc[[state for state in way if not isinstance(state, str)]].tolist()
        total = there[via] + back[via]
        if shared > limits.shared * best or total - shared > (1 + limits.stretch) * (best - shared):
            continue
        if len(set(arcs)) < len(arcs):
            continue
        reach = limits.optimal_within * best
        times = [there[state] if k < len(ways_there[via]) else total - back[state] for k, state in enumerate(way)]
        inner = range(1, len(way) - 1)
        first = max([k for k in inner if times[k] <= there[via] - reach] or [1])
        last = min([k for k in inner if times[k] >= there[via] + reach] or [len(way) - 2])
        if times[last] - times[first] == nx.shortest_path_length(net, way[first], way[last], weight="ms"):
            return True
    return False


@pytest.mark.slow
def test_promises_are_kept_in_porto():
    """The inner city, with live speeds and closures: every rule holds, and most trips have another way."""
    graph, _ = build_street_graph(porto_streets(), bbox=(41.14, -8.64, 41.17, -8.59))
    engine = StreetEngine(graph)
    engine.hierarchy(StreetMode.CAR)
    rng = np.random.default_rng(3)
    live = np.where(rng.random(graph.arc_count) < 0.3, rng.uniform(5.0, 60.0, graph.arc_count), np.nan)
    metric, limits = engine.metric(StreetMode.CAR, live, rng.choice(graph.arc_count, 50)), AlternativeLimits(optimal_within=0.1)
    places = engine.snap(rng.uniform(41.14, 41.17, 24), rng.uniform(-8.64, -8.59, 24), StreetMode.CAR)
    several = 0
    for i in range(0, 24, 2):
        found = engine.alternatives(metric, places, i, places, i + 1, limits)
        if found:
            check(engine, metric, places.take([i, i + 1]), found, limits)
        several += len(found) > 1
    assert several >= 4

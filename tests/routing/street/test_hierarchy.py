"""Customizable contraction hierarchies answer like networkx on any graph, with closed edges, loops, parallels and islands."""

import gc
import weakref

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput, RoutingError
from routing.street.anchors import Anchors
from routing.street.cch import hierarchy_of
from routing.street.customization import FAR, HierarchyWeights, customise, customise_after, recustomise, shortest_times
from routing.street.hierarchy_search import HierarchySearcher
from routing.street.subtrees import run_tasks, split

CLOSED = 2**31 - 1


@st.composite
def graphs(draw):
    """Node count, tails, heads, weights; sparse, with loops, parallel edges, weight 0, closed edges and several components."""
    n = draw(st.integers(1, 24))
    edges = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.integers(0, 40)), min_size=1, max_size=70))
    tail, head, ms = (np.array(column, np.int32) for column in zip(*edges, strict=True))
    closed = np.array(draw(st.lists(st.booleans(), min_size=len(ms), max_size=len(ms))))
    return n, tail, head, np.where(closed & (ms % 3 == 0), CLOSED, ms).astype(np.int32)


def reference(n, tail, head, ms):
    """Times between all nodes by networkx, `FAR` where there is no way."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    for t, h, w in zip(tail.tolist(), head.tolist(), ms.tolist(), strict=True):
        if w != CLOSED and w < graph.edges.get((t, h), {"weight": CLOSED})["weight"]:
            graph.add_edge(t, h, weight=w)
    times = np.full((n, n), FAR)
    for source, found in nx.all_pairs_dijkstra_path_length(graph):
        times[source, list(found)] = list(found.values())
    return times


def anchors_of(rows, ms=None):
    """Anchors of positions, each a list of states."""
    first = np.cumsum([0, *(len(row) for row in rows)]).astype(np.int32)
    state = np.array([s for row in rows for s in row], np.int32)
    times = np.zeros(len(state), np.int32) if ms is None else np.array(ms, np.int32)
    return Anchors(first, state, times, np.zeros(len(state), np.int32))


@given(graphs(), st.randoms(use_true_random=False), st.booleans(), st.booleans())
@settings(max_examples=200)
def test_times_and_ways_equal_networkx(graph, random, metis, perfect):
    """Pairs, ways, one to all, all to one and the matrix, in any order of contraction, customised perfectly or not."""
    n, tail, head, ms = graph
    order = None if metis else random.sample(range(n), n)
    hierarchy = hierarchy_of(tail, head, n, order)
    weights, searcher = customise(hierarchy, ms, perfect=perfect), HierarchySearcher(hierarchy)
    expected = reference(n, tail, head, ms)
    everywhere = anchors_of([[v] for v in range(n)])
    sources, targets = (searcher.labels(weights, everywhere, backward=back) for back in (False, True))
    assert (searcher.matrix(sources, targets) == expected).all()
    reached = np.where(expected < FAR, expected, CLOSED)
    for s in range(n):
        one = anchors_of([[s]])
        assert (searcher.spread(weights, one, None, False) == reached[s]).all()
        assert (searcher.spread(weights, one, None, True) == reached[:, s]).all()
        for t in range(n):
            time, meeting = searcher.pair(weights, one, anchors_of([[t]]))
            assert time == reached[s, t]
            if meeting >= 0:
                _, edges, _ = searcher.unpack(weights, meeting)
                way = [s, *head[edges].tolist()]
                assert way[-1] == t
                assert tail[edges].tolist() == way[:-1]
                assert ms[edges].sum() == time


@given(graphs(), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_perfect_customisation_keeps_what_is_shortest(graph, random):
    """Exact times between the ends of every up arc, and no arc for the queries that is heavier or cannot be travelled."""
    n, tail, head, ms = graph
    hierarchy = hierarchy_of(tail, head, n, random.sample(range(n), n))
    weights, expected = customise(hierarchy, ms, perfect=True), reference(n, tail, head, ms)
    node = np.argsort(hierarchy.rank)
    low, high = node[hierarchy.up_tail], node[hierarchy.up_head]
    exact = np.stack([expected[low, high], expected[high, low]], axis=1)
    assert (shortest_times(hierarchy, weights.weight_ms) == exact).all()
    for side, arcs in enumerate(weights.sides):
        stays = np.flatnonzero((weights.weight_ms[:, side] == exact[:, side]) & (exact[:, side] < FAR))
        assert arcs.arc.tolist() == stays.tolist()
        assert arcs.head.tolist() == hierarchy.up_head[stays].tolist()
        assert arcs.weight_ms[:, 0].tolist() == weights.weight_ms[stays, side].tolist()
        assert arcs.first.tolist() == np.searchsorted(hierarchy.up_tail[stays], np.arange(n + 1)).tolist()


@given(graphs(), st.data())
@settings(max_examples=150)
def test_sides_have_all_arcs_that_any_weights_need(graph, data):
    """Edges that open after the sides were listed, or close, change the weights but not the arcs."""
    n, tail, head, ms = graph
    hierarchy = hierarchy_of(tail, head, n)
    first = customise(hierarchy, ms).sides
    opened = np.where(np.array(data.draw(st.lists(st.booleans(), min_size=len(ms), max_size=len(ms)))), 3, CLOSED)
    weights = customise(hierarchy, opened.astype(np.int32))
    for side, (before, after) in enumerate(zip(first, weights.sides, strict=True)):
        assert before.arc is after.arc
        assert set(np.flatnonzero(weights.weight_ms[:, side] < FAR).tolist()) <= set(after.arc.tolist())
        assert (after.weight_ms[:, 0] == weights.weight_ms[after.arc, side]).all()


@given(graphs(), st.data())
@settings(max_examples=150)
def test_positions_with_several_anchors(graph, data):
    """The best over all pairs of anchors with their own times, also where the anchors lie in different components."""
    n, tail, head, ms = graph
    hierarchy = hierarchy_of(tail, head, n)
    weights, searcher = customise(hierarchy, ms, perfect=data.draw(st.booleans())), HierarchySearcher(hierarchy)
    between = reference(n, tail, head, ms)
    rows = st.lists(st.lists(st.integers(0, n - 1), max_size=4), min_size=1, max_size=6)
    (froms, tos), times = (data.draw(rows), data.draw(rows)), st.integers(0, 300)
    sources = anchors_of(froms, [data.draw(times) for row in froms for _ in row])
    targets = anchors_of(tos, [data.draw(times) for row in tos for _ in row])
    found = searcher.matrix(searcher.labels(weights, sources, backward=False), searcher.labels(weights, targets, backward=True))
    for i in range(len(froms)):
        for j in range(len(tos)):
            a, b = slice(*sources.first[i : i + 2]), slice(*targets.first[j : j + 2])
            ways = between[sources.state[a]][:, targets.state[b]]
            total = np.where(ways < FAR, ways + sources.time_ms[a][:, None] + targets.time_ms[b][None, :], FAR)
            assert found[i, j] == min(total.min(initial=FAR), FAR)


@given(graphs(), st.data())
@settings(max_examples=150)
def test_partial_equals_full_customisation(graph, data):
    """After some edges got faster, slower, closed or opened, also in several steps and when it gives up half-way."""
    n, tail, head, ms = graph
    hierarchy = hierarchy_of(tail, head, n)
    weights = customise(hierarchy, ms)
    for _ in range(3):
        changed = np.array(data.draw(st.lists(st.integers(0, len(ms) - 1), max_size=5)), np.int64)
        ms = ms.copy()
        ms[changed] = data.draw(st.sampled_from([0, 7, 35, CLOSED]))
        weights = recustomise(weights, ms, changed, data.draw(st.sampled_from([2, 10_000])))
        assert (weights.weight_ms == customise(hierarchy, ms).weight_ms).all()


@given(graphs(), st.data())
@settings(max_examples=150)
def test_customising_after_others_equals_customising_anew(graph, data):
    """Whatever weights were made before, are still held, or are gone: few changes, many, none, and other orders of them."""
    n, tail, head, ms = graph
    hierarchy = hierarchy_of(tail, head, n)
    held = []
    for _ in range(6):
        ms = ms.copy()
        changed = data.draw(st.lists(st.integers(0, len(ms) - 1), max_size=data.draw(st.sampled_from([0, 2, 60]))))
        ms[changed] = data.draw(st.sampled_from([0, 7, 35, CLOSED]))
        weights = customise_after(hierarchy, ms)
        assert (weights.edge_ms == ms).all()
        assert (weights.weight_ms == customise(hierarchy, ms).weight_ms).all()
        if data.draw(st.booleans()):
            held.append(weights)
            assert customise_after(hierarchy, ms.copy()) is weights
            ms = held[data.draw(st.integers(0, len(held) - 1))].edge_ms


def test_weights_nobody_holds_are_let_go():
    """A hierarchy does not keep the weights it remembers, and those that are gone do not push out the ones that are held."""
    hierarchy = hierarchy_of(np.array([0, 1], np.int32), np.array([1, 2], np.int32), 3)
    held = customise_after(hierarchy, np.array([3, 4], np.int32))
    for ms in range(20):
        gone = weakref.ref(customise_after(hierarchy, np.array([ms, 5], np.int32)))
        gc.collect()
        assert gone() is None
    assert customise_after(hierarchy, np.array([3, 4], np.int32)) is held


def test_two_threads_customise_the_same():
    """A grid large enough to be cut into subtrees."""
    side = 110
    node = np.arange(side * side).reshape(side, side)
    right, down = (node[:, :-1].ravel(), node[:, 1:].ravel()), (node[:-1].ravel(), node[1:].ravel())
    tail = np.concatenate([right[0], right[1], down[0], down[1]]).astype(np.int32)
    head = np.concatenate([right[1], right[0], down[1], down[0]]).astype(np.int32)
    hierarchy = hierarchy_of(tail, head, side * side)
    ms = np.random.default_rng(2).integers(1, 1000, len(tail)).astype(np.int32)
    one, two = customise(hierarchy, ms), customise(hierarchy, ms, threads=2)
    assert (one.weight_ms == two.weight_ms).all()
    exact = [shortest_times(hierarchy, one.weight_ms, threads) for threads in (1, 2, 3)]
    assert (exact[0] == exact[1]).all()
    assert (exact[0] == exact[2]).all()
    searcher = HierarchySearcher(hierarchy)
    places = anchors_of([[v] for v in range(0, side * side, 97)])
    labels = [searcher.labels(two, places, backward=back) for back in (False, True)]
    table = searcher.matrix(*labels)
    assert (searcher.matrix(*labels, threads=2) == table).all()
    assert (table[5] == searcher.spread(one, anchors_of([[97 * 5]]), None, False)[::97]).all()


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_parts_for_threads_cover_the_tree_once(threads):
    """Every node once, no task depends on another, and only ancestors of tasks are left above; islands included."""
    side, far = 110, 40
    node = np.arange(side * side).reshape(side, side)
    tail = np.concatenate([node[:, :-1].ravel(), node[:-1].ravel(), side * side + np.arange(far - 1)]).astype(np.int32)
    head = np.concatenate([node[:, 1:].ravel(), node[1:].ravel(), side * side + np.arange(1, far)]).astype(np.int32)
    hierarchy = hierarchy_of(tail, head, side * side + far + 3)
    tasks, top = split(hierarchy, threads)
    task_of = np.full(hierarchy.node_count, -1)
    for k, spans in enumerate(tasks):
        for begin, end in spans:
            assert (task_of[begin:end] == -1).all()
            task_of[begin:end] = k
    left = np.concatenate([np.arange(*span) for span in top])
    assert np.array_equal(left, np.flatnonzero(task_of == -1))
    assert len(tasks) >= threads
    assert len(left) < hierarchy.node_count // 10
    inner = (task_of >= 0) & (hierarchy.parent >= 0)
    above = task_of[hierarchy.parent[inner]]
    assert ((above == task_of[inner]) | (above == -1)).all()
    assert (task_of[hierarchy.parent[(task_of == -1) & (hierarchy.parent >= 0)]] == -1).all()


def test_what_fails_on_a_thread_is_raised():
    """The first failure ends the others' work."""
    done = []

    def work(begin: int, end: int) -> None:
        done.append(end)
        if begin == 3:
            raise InvalidInput("three", "begin")

    with pytest.raises(InvalidInput, match="three"):
        run_tasks([[(k, k + 1)] for k in range(1000)], 2, work)
    assert len(done) < 1000
    run_tasks([], 2, work)


def test_the_same_graph_gives_the_same_hierarchy():
    """Building is deterministic."""
    rng = np.random.default_rng(4)
    tail, head = rng.integers(0, 500, (2, 1500)).astype(np.int32)
    first, second = hierarchy_of(tail, head, 500), hierarchy_of(tail, head, 500)
    assert (first.rank == second.rank).all()
    assert (first.up_head == second.up_head).all()


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [0, 1, 3]])
def test_orders_that_are_none_are_refused(order):
    """Too short, a node twice, a node too many."""
    with pytest.raises(InvalidInput, match="order"):
        hierarchy_of(np.array([0, 1], np.int32), np.array([1, 2], np.int32), 3, order)


def test_weights_that_do_not_fit_are_refused():
    """A wrong number of weights and a negative one."""
    hierarchy = hierarchy_of(np.array([0, 1], np.int32), np.array([1, 2], np.int32), 3)
    for ms in ([1], [1, -5]):
        for make in (customise, customise_after):
            with pytest.raises(InvalidInput, match="edge_ms"):
                make(hierarchy, np.array(ms, np.int32))
    before = customise(hierarchy, np.array([1, 5], np.int32))
    with pytest.raises(InvalidInput, match="negative"):
        recustomise(before, np.array([1, -5], np.int32), np.array([1]))


def test_weights_of_another_hierarchy_are_said():
    """Weights that no triangle explains end with an error instead of a search for ever."""
    tail, head = np.array([0, 1, 1, 2], np.int32), np.array([1, 2, 0, 1], np.int32)
    hierarchy = hierarchy_of(tail, head, 3, [1, 0, 2])
    weights = customise(hierarchy, np.array([5, 6, 7, 8], np.int32))
    broken = HierarchyWeights(hierarchy, weights.edge_ms, np.where(weights.weight_ms < FAR, weights.weight_ms - 1, FAR))
    searcher = HierarchySearcher(hierarchy)
    time, meeting = searcher.pair(broken, anchors_of([[0]]), anchors_of([[2]]))
    assert time < FAR
    with pytest.raises(RoutingError, match="build the city again"):
        searcher.unpack(broken, meeting)

"""Time-dependent searches answer like label correction on exact fractions, forward and backward, in any window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.kernels.td_functions import CLOSED, SLOT_MS
from routing.street.cch import build_hierarchy
from routing.street.customization import FAR
from routing.street.nodes import plain_network
from routing.street.time_dependent import WINDOWS, TimeDependentRouter
from routing.street.timed_anchors import TimedAnchors
from routing.street.timed_warm import warm_time_dependent
from routing.street.travel_time_functions import travel_time_functions
from tests.routing.street.timed_reference import at_target, earliest, position, timed_networks


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Machine code of all kernels, made outside the time a test may take."""
    return warm_time_dependent()


MOMENTS = st.integers(0, 5 * SLOT_MS)
NARROW = ((1, 1), (2, 1), (3, 2))


def drive(functions, sources, targets, way):
    """Arrival of a way driven edge by edge."""
    arrays, net = functions.arrays, functions.network
    now = way.depart_ms
    at = int(sources.state[way.seed])
    seed = TimedAnchors(*(c[way.seed : way.seed + 1] for c in (sources.first, sources.state, sources.arc, sources.profile,
                          sources.work_ms, sources.cost_ms)))  # fmt: skip
    now = at_target(functions, seed, {at: now})
    for edge in way.edges:
        assert net.first_edge[at] <= edge < net.first_edge[at + 1]
        now = functions.arrival_ms(int(net.edge_arc[edge]), int(now)) + int(functions.turn_ms[edge])
        at = int(net.edge_to[edge])
    assert at == targets.state[way.end]
    end = TimedAnchors(*(c[way.end : way.end + 1] for c in (targets.first, targets.state, targets.arc, targets.profile,
                         targets.work_ms, targets.cost_ms)))  # fmt: skip
    assert arrays.arc_work_ms.dtype == np.int32
    return at_target(functions, end, {at: now})


@given(timed_networks(), MOMENTS, st.data())
@settings(max_examples=200, deadline=None)
def test_earliest_arrivals_equal_label_correction(functions, depart, data):
    """Dijkstra everywhere; A* also in windows that trips outlast; nearly exact ways are real and never too early."""
    sources, targets = position(data.draw, functions), position(data.draw, functions)
    expected = earliest(functions, sources, depart)
    hierarchy = build_hierarchy(functions.network)
    for windows in (WINDOWS, NARROW):
        router = TimeDependentRouter(functions, hierarchy, windows)
        assert router.all_arrivals(sources, depart).tolist() == expected
        best = at_target(functions, targets, expected)
        exact, near = (search(sources, targets, depart) for search in (router.earliest_arrival, router.near_arrival))
        if best >= FAR:
            assert exact is None
            assert near is None
            continue
        assert exact is not None
        assert exact.arrive_ms == best == drive(functions, sources, targets, exact)
        assert near is not None
        assert best <= near.arrive_ms == drive(functions, sources, targets, near)


@given(timed_networks(), MOMENTS, st.data())
@settings(max_examples=200, deadline=None)
def test_latest_departures_are_the_latest_that_arrive(functions, deadline, data):
    """Leaving then arrives in time by the forward reference, a millisecond later does not; none if even slot 0 is late."""
    sources, targets = position(data.draw, functions), position(data.draw, functions)
    hierarchy = build_hierarchy(functions.network)
    for windows in (WINDOWS, NARROW):
        router = TimeDependentRouter(functions, hierarchy, windows)
        way = router.latest_departure(sources, targets, deadline)
        if way is None:
            assert at_target(functions, targets, earliest(functions, sources, 0)) > deadline
            continue
        assert drive(functions, sources, targets, way) <= deadline
        assert at_target(functions, targets, earliest(functions, sources, way.depart_ms + 1)) > deadline
        lead = router.all_departures(targets, deadline)
        assert 0 <= lead.min() <= FAR
        at = int(sources.state[way.seed])
        node = TimedAnchors(np.array([0, 1], np.int32), *(np.array([v], np.int32) for v in (at, -1, 0, 0, 0)))
        assert at_target(functions, targets, earliest(functions, node, deadline - int(lead[at]))) <= deadline
        assert at_target(functions, targets, earliest(functions, node, deadline - int(lead[at]) + 1)) > deadline


def _line(slots, pace, works):
    """Nodes in a row, one profile."""
    count = len(works)
    network = plain_network(range(count), range(1, count + 1))
    return travel_time_functions(network, 0, np.tile(pace, (slots, 1))[:slots], works, [0] * count)


def _node(state):
    return TimedAnchors(np.array([0, 1], np.int32), *(np.array([v], np.int32) for v in (state, -1, 0, 0, 0)))


def test_a_trip_goes_on_after_the_last_slot():
    """At the speed of the last slot, however long it takes."""
    functions = _line(2, [[2.0]], [3_600_000] * 3)
    router = TimeDependentRouter(functions, build_hierarchy(functions.network), NARROW)
    assert router.earliest_arrival(_node(0), _node(3), 1_800_000 - 1).arrive_ms == 1_800_000 - 1 + 21_600_000


def test_closures_that_cut_everything_are_told():
    """No way, not an endless time; in all modes and directions."""
    functions = _line(4, [[1.0]], [1000, CLOSED, 1000])
    router = TimeDependentRouter(functions, build_hierarchy(functions.network))
    for search in (router.earliest_arrival, router.near_arrival, router.latest_departure):
        assert search(_node(0), _node(3), 5000) is None
        assert search(_node(0), _node(1), 5000) is not None
    assert router.all_arrivals(_node(0), 0).tolist() == [0, 1000, FAR, FAR]


def test_nobody_leaves_before_the_first_slot():
    """A deadline too early for any departure since slot 0, and one just in time."""
    functions = _line(4, [[1.0]], [1000, 1000])
    router = TimeDependentRouter(functions, build_hierarchy(functions.network), NARROW)
    assert router.latest_departure(_node(0), _node(2), 1999) is None
    assert router.latest_departure(_node(0), _node(2), 2000).depart_ms == 0


@pytest.mark.parametrize("kept", [1, 50])
def test_weights_are_kept_within_bounds(kept):
    """However many windows were asked for; answers do not depend on it."""
    pace = np.random.default_rng(3).uniform(1, 3, (96, 1))
    network = plain_network(range(5), range(1, 6))
    functions = travel_time_functions(network, 0, pace, [400_000] * 5, [0] * 5)
    router = TimeDependentRouter(functions, build_hierarchy(network), kept=kept)
    for depart in range(0, 80 * SLOT_MS, 7 * SLOT_MS + 1):
        way = router.earliest_arrival(_node(0), _node(5), depart)
        assert way.arrive_ms == router.all_arrivals(_node(0), depart)[5]
        assert router.kept_weights <= kept


def test_a_full_heap_ends_a_search_and_leaves_its_memory_clean():
    """It is told as no way; the next search with enough memory is not disturbed."""
    network = plain_network([0, 0, 1, 2], [1, 2, 3, 3])
    functions = travel_time_functions(network, 0, [[1.0]], [2000, 1000, 1000, 1000], [0] * 4)
    router = TimeDependentRouter(functions, build_hierarchy(network))
    enough = router._memory.scratch
    router._memory.scratch = enough._replace(heap=enough.heap[:1])
    assert router.earliest_arrival(_node(1), _node(3), 0).arrive_ms == 1000  # one entry at a time
    assert router._search(_node(0), _node(3), 0, backward=False)[0] == FAR
    router._memory.scratch = enough
    assert router.earliest_arrival(_node(0), _node(3), 0).arrive_ms == 2000

"""What a way looks like equals a plain computation with NumPy; ways of any length are found; positions that are not there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.kernels.street_lines import arc_line, draw, point_count
from routing.kernels.street_route import States
from routing.model.modes import StreetMode
from routing.street.api import Snaps
from routing.street.cch import build_hierarchy
from routing.street.customization import customise
from routing.street.hierarchy_search import HierarchySearcher
from routing.street.nodes import plain_metric, plain_network
from tests.builders.streets import draw as draw_streets

fractions = st.floats(0.0, 1.0) | st.sampled_from([0.0, 1.0, 0.5])


@st.composite
def shapes(draw_from):
    """Arcs one after the other, with points that repeat."""
    steps = st.lists(st.tuples(st.integers(-400, 400), st.integers(-400, 400)) | st.just((0, 0)), min_size=1, max_size=6)
    arcs = draw_from(st.lists(steps, min_size=1, max_size=5))
    points, first = [(411_500_000, -86_100_000)], [0]
    for arc in arcs:
        for north, east in arc:
            points.append((points[-1][0] + north, points[-1][1] + east))
        first.append(len(points))
        points.append(points[-1])  # the next arc begins there
    lat, lon = np.array(points[:-1] if len(points) > first[-1] else points, np.int32).T
    return np.array(first, np.int64), np.ascontiguousarray(lat), np.ascontiguousarray(lon)


def naive_line(first, lat_e7, lon_e7, arc, start, end):
    """The line of an arc between two fractions by `numpy.interp`."""
    lat, lon = (e7[first[arc] : first[arc + 1]] * 1e-7 for e7 in (lat_e7, lon_e7))
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(lat), np.diff(lon) * np.cos(np.radians(lat[0]))))])
    if start <= 0.0 and end >= 1.0:
        return lat, lon
    low, high = start * along[-1], end * along[-1]
    at = np.concatenate([[low], along[(along > low) & (along < high)], [high]])
    return np.interp(at, along, lat), np.interp(at, along, lon)


@given(shapes(), fractions, fractions)
@settings(max_examples=200)
def test_lines_lengths_and_times(shape, start, end):
    """Arcs cut at both ends, a single one included, each beginning with the point where the one before it ended."""
    first, lat_e7, lon_e7 = shape
    arcs = np.arange(len(first) - 1, dtype=np.int32)
    if len(arcs) == 1:
        start, end = sorted([start, end])
    length_m, time_ms = np.arange(1, len(arcs) + 1, dtype=np.float32), np.arange(7, len(arcs) + 7, dtype=np.uint32)
    room = point_count(first, arcs)
    (lat, lon), (metres, ms), point = np.empty((2, room)), np.empty((2, len(arcs))), np.empty(len(arcs), np.int32)
    points, total = draw(first, lat_e7, lon_e7, length_m, time_ms, arcs, start, end, lat, lon, point, metres, ms)
    cuts = [(start if k == 0 else 0.0, end if k == len(arcs) - 1 else 1.0) for k in range(len(arcs))]
    lines = [naive_line(first, lat_e7, lon_e7, k, *cut) for k, cut in enumerate(cuts)]
    for found, axis in ((lat, 0), (lon, 1)):
        expected = np.concatenate([line[axis][k > 0 :] for k, line in enumerate(lines)])
        assert found[:points] == pytest.approx(expected, abs=1e-11)
    assert point.tolist() == (np.cumsum([0, *(len(line[0]) - 1 for line in lines[:-1])])).tolist()
    shares = np.array([high - low for low, high in cuts])
    assert metres == pytest.approx(length_m * shares)
    assert ms == pytest.approx(time_ms * shares)
    assert total == pytest.approx(metres.sum())


def test_the_line_of_a_whole_arc_has_all_its_points():
    """Without a cut nothing is computed."""
    first, lat_e7, lon_e7 = np.array([0, 3], np.int64), *np.array([[1, 5, 9], [0, 0, 7]], np.int32)
    lat, lon = np.empty(3), np.empty(3)
    assert arc_line(first, lat_e7, lon_e7, 0, 0.0, 1.0, lat, lon) == 3
    assert (lat == lat_e7 * 1e-7).all()
    assert (lon == lon_e7 * 1e-7).all()


def test_a_way_longer_than_the_working_arrays():
    """Ten thousand arcs in a row: the arrays grow until it fits."""
    n = 10_000
    node = np.arange(n, dtype=np.int64)
    network = plain_network(node, node + 1)
    hierarchy = build_hierarchy(network)
    metric = plain_metric(network, np.full(n, 3))
    nowhere, nothing = np.full(n, -1, np.int32), np.empty(0, np.int32)
    states = States(
        metric.arc_time_ms, metric.turn_ms, nowhere, node.astype(np.int32), (node + 1).astype(np.int32), nothing, nothing,
        network.first_edge, network.edge_to, network.edge_arc, network.blocked,
    )  # fmt: skip
    here, zero = np.zeros(2, np.float64), np.zeros(2, np.float32)
    ends = Snaps(np.array([0, n - 1], np.int32), np.array([0.0, 1.0], np.float32), zero, here, here)
    searcher = HierarchySearcher(hierarchy)
    time_ms, arcs = searcher.find_way(customise(hierarchy, metric.edge_ms), states, False, ends, 0, ends, 1)
    assert time_ms == 3 * n
    assert (arcs == node).all()


def test_positions_are_counted_as_in_python():
    """From the end with negative numbers; one that is not there is refused."""
    drawn = draw_streets("A B C\n---\nAB\nBC\n")
    metric, ends = drawn.engine.metric(StreetMode.CAR), drawn.at("AB", "BC")
    last, same = (drawn.engine.find_route(metric, ends, 0, ends, j) for j in (1, -1))
    assert last is not None
    assert same is not None
    assert last.arcs.tolist() == same.arcs.tolist()
    with pytest.raises(IndexError):
        drawn.engine.find_route(metric, ends, 0, ends, 2)

"""Isochrones contain what is reached, leave out what is not, grow with the limit and are valid polygons."""

import itertools

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.api import Snaps, StreetEngine, StreetMetric
from routing.street.isochrone import street_isochrones
from routing.street.outline import Area, Ring
from routing.street.path import arc_line
from services.city.osm_reader import build_street_graph
from tests.builders.streets import draw, porto_streets

LIMITS = [60.0, 150.0, 270.0]


def inside(area: Area, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Whether positions lie in an area (even-odd rule over all rings)."""
    odd = np.zeros(len(lat), np.bool_)
    for ring in [*area.outers, *itertools.chain.from_iterable(area.holes)]:
        for (a_lat, a_lon), (b_lat, b_lon) in itertools.pairwise(ring):
            if a_lat != b_lat:
                crosses = (a_lat > lat) != (b_lat > lat)
                odd ^= crosses & (lon < (b_lon - a_lon) * (lat - a_lat) / (b_lat - a_lat) + a_lon)
    return odd


def reached_places(
    engine: StreetEngine, metric: StreetMetric, times: np.ndarray, start: Snaps, limit_ms: float, *, backward: bool
) -> np.ndarray:
    """Places along streets reached in time, some 10 m apart at most: degrees [p, 2]."""
    graph, places = engine.graph, []
    ends = graph.arc_head if backward else graph.arc_tail
    stretches = [(int(arc), 0.0, int(times[ends[arc]])) for arc in np.flatnonzero(times[ends] <= limit_ms)]
    own = int(start.arc[0])
    for arc, share in ((own, float(start.fraction[0])), (int(graph.arc_reverse[own]), 1.0 - float(start.fraction[0]))):
        if arc >= 0:
            stretches.append((arc, 1.0 - share if backward else share, 0))
    for arc, share, begun_ms in stretches:
        if metric.arc_time_ms[arc] == UNREACHABLE_MS:
            continue
        until = min(1.0, share + (limit_ms - begun_ms) / float(metric.arc_time_ms[arc]))
        low, high = (1.0 - until, 1.0 - share) if backward else (share, until)
        lat, lon = arc_line(graph, arc, low, high)
        parts = np.linspace(0, len(lat) - 1, 10 * len(lat))
        places.append(np.stack([np.interp(parts, range(len(lat)), lat), np.interp(parts, range(len(lat)), lon)], axis=1))
    return np.concatenate(places)


def is_simple(ring: Ring) -> bool:
    """Whether a ring is closed and touches no corner twice (its edges follow the grid or its diagonals)."""
    corners = [(round(lat * 1e9), round(lon * 1e9)) for lat, lon in ring]
    return corners[0] == corners[-1] and len(set(corners[:-1])) == len(corners) - 1 >= 4


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "backward"), [(StreetMode.CAR, False), (StreetMode.CAR, True), (StreetMode.FOOT, False)])
def test_the_centre_of_porto(mode: StreetMode, backward: bool) -> None:
    """What is reached lies inside, nothing further from it than the grid allows does, areas nest, rings are simple."""
    graph, _ = build_street_graph(porto_streets(), bbox=(41.135, -8.66, 41.175, -8.575))
    engine = StreetEngine(graph)
    metric, start = engine.metric(mode), engine.snap(41.155, -8.615, mode)
    times = engine.reach(metric, start, 0, max(LIMITS), backward=backward)
    areas = street_isochrones(engine.graph, metric, times, start, LIMITS, backward=backward)
    lat, lon = graph.node_lat_e7 * 1e-7, graph.node_lon_e7 * 1e-7
    for limit_s, area in zip(LIMITS, areas, strict=True):
        reached = times <= 1000 * limit_s
        within = inside(area, lat, lon)
        assert within[reached].all()
        places = reached_places(engine, metric, times, start, 1000 * limit_s, backward=backward)
        for node in np.flatnonzero(within & ~reached).tolist():
            metres = np.hypot(places[:, 0] - lat[node], (places[:, 1] - lon[node]) * 0.753).min() * 111_320
            assert metres <= 2.5 * 50.0 * 2**0.5 + 5.0
        assert all(is_simple(ring) for ring in [*area.outers, *itertools.chain.from_iterable(area.holes)])
    assert areas[0].area_m2 < areas[1].area_m2 < areas[2].area_m2
    assert not (inside(areas[0], lat, lon) & ~inside(areas[1], lat, lon)).any()
    again = street_isochrones(engine.graph, metric, times, start, LIMITS, backward=backward)
    assert again == areas


def test_part_of_a_street_counts() -> None:
    """Walking from the middle of AB (100 m) for 120 s: 160 m each way; on a street of a kilometre that is a part of it."""
    drawn = draw("A B" + " " * 40 + "C\n---\nAB\nBC")
    metric, start = drawn.engine.metric(StreetMode.FOOT), drawn.at("AB")
    times = drawn.engine.reach(metric, start, 0, 120.0)
    (area,) = street_isochrones(drawn.engine.graph, metric, times, start, [120.0], cell_m=20.0)
    east = max(point[1] for point in area.outers[0])
    west = min(point[1] for point in area.outers[0])
    metres = (east + 8.61) * 111_195 * np.cos(np.radians(41.15)), (west + 8.61) * 111_195 * np.cos(np.radians(41.15))
    assert metres[0] == pytest.approx(50 + 160, abs=41)
    assert metres[1] == pytest.approx(0, abs=41)


def test_a_ring_road_has_a_hole_unless_it_is_small() -> None:
    """Inside a square of streets 800 m wide nothing is reached."""
    drawn = draw("A" + " " * 15 + "B" + "\n" * 8 + "C" + " " * 15 + "D\n---\nAB\nAC\nBD\nCD")
    metric, start = drawn.engine.metric(StreetMode.FOOT), drawn.at("AB")
    times = drawn.engine.reach(metric, start, 0, 7200.0)
    (area,) = street_isochrones(drawn.engine.graph, metric, times, start, [7200.0])
    assert [len(holes) for holes in area.holes] == [1]
    (full,) = street_isochrones(drawn.engine.graph, metric, times, start, [7200.0], smallest_hole_m2=1e6)
    assert full.holes == ((),)


def test_nothing_reached_and_bad_questions() -> None:
    """No street, no area; limits and cells out of bounds are refused."""
    drawn = draw("A B\n---\nAB")
    metric = drawn.engine.metric(StreetMode.FOOT)
    nowhere = drawn.engine.snap(10.0, 10.0, StreetMode.FOOT)
    times = np.full(drawn.graph.node_count, UNREACHABLE_MS, np.uint32)
    assert street_isochrones(drawn.engine.graph, metric, times, nowhere, [60.0])[0].outers == ()
    for limits, cell in (([-1.0], 50.0), ([float("nan")], 50.0), ([60.0], 1.0)):
        with pytest.raises(InvalidInput):
            street_isochrones(drawn.engine.graph, metric, times, nowhere, limits, cell_m=cell)
    with pytest.raises(InvalidInput, match="does not fit"):
        street_isochrones(drawn.engine.graph, metric, times[:-1], nowhere, [60.0])

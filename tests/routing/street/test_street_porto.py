"""On the centre of Porto, with its real one-ways, restrictions, barriers and signals, answers equal networkx."""

import numpy as np
import pytest

from routing.kernels import (
    cch_customise,
    cch_matrix,
    cch_perfect,
    cch_query,
    cch_unpack,
    street_anchors,
    street_areas,
    street_costs,
    street_lines,
    street_route,
    street_search,
    street_snap,
    street_turns,
    street_ways,
)
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.street_graph import ROAD_CLASSES
from routing.street.api import DEFAULT_TURN_COSTS, NO_TURN_COSTS, Avoidance, CostWeights, SnapHints, StreetEngine
from routing.street.instructions import build_instructions
from routing.street.traffic_functions import traffic_functions
from routing.street.warm import warm
from services.city.osm_reader import build_street_graph
from tests.builders.streets import porto_streets
from tests.routing.street.reference import Reference

CENTRE = (41.135, -8.66, 41.175, -8.575)


@pytest.fixture(scope="module")
def centre():
    """The engine of the inner city."""
    graph, report = build_street_graph(porto_streets(), bbox=CENTRE)
    assert report.restrictions >= 30
    return StreetEngine(graph)


@pytest.fixture(scope="module")
def contracted(centre):
    """The engine of the inner city with hierarchies."""
    builder = StreetEngine(centre.graph)
    return StreetEngine(centre.graph, hierarchies={mode: builder.hierarchy(mode) for mode in StreetMode})


@pytest.mark.slow
@pytest.mark.parametrize("mode", StreetMode)
def test_hierarchies_equal_plain_searches(contracted, mode):
    """For every mode, with live speeds and closures: matrix, stars, reach and routes are those of Dijkstra's algorithm."""
    plain = StreetEngine(contracted.graph)
    rng = np.random.default_rng(int(mode))
    south, west, north, east = CENTRE
    places = plain.snap(rng.uniform(south, north, 60), rng.uniform(west, east, 60), mode)
    live = np.where(rng.random(plain.graph.arc_count) < 0.3, rng.uniform(5.0, 90.0, plain.graph.arc_count), np.nan)
    closed = rng.choice(plain.graph.arc_count, 400)
    slow, quick = (engine.metric(mode, live, closed) for engine in (plain, contracted))
    assert slow.weights is None
    assert quick.weights is not None
    table = plain.many_to_many(slow, places, places)
    assert (contracted.many_to_many(quick, places, places) == table).all()
    assert (contracted.many_to_many(quick, places, places, 3000.0) == plain.many_to_many(slow, places, places, 3000.0)).all()
    for i in range(5):
        assert (contracted.one_to_many(quick, places, i, places) == table[i]).all()
        assert (contracted.many_to_one(quick, places, places, i) == table[:, i]).all()
        for backward in (False, True):
            reach = [e.reach(m, places, i, backward=backward) for e, m in ((plain, slow), (contracted, quick))]
            assert (reach[0] == reach[1]).all()
        for j in range(60):
            path = contracted.find_route(quick, places, i, places, j)
            assert (path.time_ms if path else UNREACHABLE_MS) == table[i, j]
            if path:
                _check_line(plain.graph, path)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [StreetMode.CAR, StreetMode.FOOT])
def test_equals_networkx(centre, mode):
    """Times between random positions, there and back, with live speeds and closures for cars."""
    rng = np.random.default_rng(11)
    south, west, north, east = CENTRE
    places = centre.snap(rng.uniform(south, north, 40), rng.uniform(west, east, 40), mode)
    assert (places.arc >= 0).sum() > 35
    live = np.where(rng.random(centre.graph.arc_count) < 0.3, rng.uniform(5.0, 90.0, centre.graph.arc_count), np.nan)
    closed = rng.choice(centre.graph.arc_count, 200)
    metric = centre.metric(mode, live, closed)
    reference = Reference(centre.graph, metric, DEFAULT_TURN_COSTS.get(mode, NO_TURN_COSTS))
    found = centre.many_to_many(metric, places, places)
    for i in range(0, 40, 5):
        expected = reference.times((int(places.arc[i]), float(places.fraction[i])), places)
        assert found[i].tolist() == expected
    for i, j in rng.integers(0, 40, (60, 2)):
        path = centre.find_route(metric, places, i, places, j)
        assert (path.time_ms if path else UNREACHABLE_MS) == found[i, j]
        if path:
            _check_line(centre.graph, path)


def _check_line(graph, path):
    """Consecutive arcs meet, and the line is as long as the path says."""
    assert (graph.arc_head[path.arcs[:-1]] == graph.arc_tail[path.arcs[1:]]).all()
    lat, lon = np.radians(path.lat_deg), np.radians(path.lon_deg)
    line_m = np.hypot(np.diff(lat), np.diff(lon) * np.cos(lat[:-1])).sum() * 6_371_008.8
    assert line_m == pytest.approx(path.length_m, rel=1e-3, abs=0.5)
    assert sum(step.length_m for step in path.steps) == pytest.approx(path.length_m)


@pytest.mark.parametrize(("engine", "searches"), [("centre", 38), ("contracted", 52)])
def test_warming_compiles_everything(engine, searches, request):
    """After warming, no call of the interface compiles a further kernel variant."""
    engine = request.getfixturevalue(engine)
    assert warm(engine) == searches
    before = _variants()
    for mode in StreetMode:
        places = engine.snap([41.15, 41.16], [-8.61, -8.62], mode)
        metric = engine.metric(mode, np.full(engine.graph.arc_count, 20.0, np.float32), [1, 2])
        metric.customise()
        engine.metric(mode, np.full(engine.graph.arc_count, 20.0, np.float32), [1, 2, 3]).customise()
        engine.many_to_many(metric, places, places.take([0]), 900.0)
        engine.many_to_many(metric, places.take([0]), places)
        engine.one_to_many(metric, places, 0, places, 100.0)
        engine.many_to_one(metric, places, places, 1)
        engine.find_route(metric, places, 0, places, 1)
        engine.reach(metric, places, 0, backward=True)
        engine.reach(metric, places, 0)
        if metric.weights is not None:
            engine.alternatives(metric, places, 0, places, 1)
            engine.lengths(metric, places).rows(places.take([0]))
        engine.find_way(metric, places)
        around = Avoidance(polygons=(((41.15, -8.61), (41.16, -8.61), (41.15, -8.6)),), circles=((41.15, -8.61, 50.0),))
        cost = engine.cost_metric(metric, CostWeights(per_km=1.0), around)
        engine.find_cheapest(cost, places, 0, places, 1)
        sided = engine.snap(41.15, -8.61, mode, hints=SnapHints(curb=True))
        for search in (metric, cost.search):
            engine.find_way(search, places.take([0, 1, 0, 1]), [False, True])
            path = engine.find_route(search, sided, 0, places, 1)
            if search.weights is not None:
                engine.alternatives(search, sided, 0, places, 1)
            if path is not None:
                build_instructions(engine.measure(cost, path).path, mode, "pt")
        if mode in (StreetMode.CAR, StreetMode.VAN) and metric.weights is not None:
            functions = traffic_functions(engine.graph, engine.metric(mode), 0, np.full((9, len(ROAD_CLASSES)), 0.5))
            timed = engine.timed(engine.metric(mode), functions)
            way = timed.leave_at(sided, 0, places, 1, 60.0)
            timed.arrive_by(places, 0, places, 1, 6000.0)
            timed.leave_at(places, 0, places, 0, 60.0)
            if way is not None:
                timed.retimed(way.path, 100.0)
                timed.retimed_back(way.path, 7000.0)
    assert _variants() == before


def _variants():
    """Compiled signatures of all street kernels."""
    modules = (
        cch_customise,
        cch_matrix,
        cch_perfect,
        cch_query,
        cch_unpack,
        street_anchors,
        street_areas,
        street_costs,
        street_lines,
        street_route,
        street_search,
        street_snap,
        street_turns,
        street_ways,
    )
    return {
        f"{module.__name__}.{name}": len(function.signatures)
        for module in modules
        for name, function in vars(module).items()
        if hasattr(function, "signatures")
    }

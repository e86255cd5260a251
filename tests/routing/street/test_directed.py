"""Positions that may be left and reached in one direction only: the side of the kerb, a heading."""

import numpy as np
import pytest

from routing.model.modes import StreetMode
from routing.street.api import SnapHints, Snaps, StreetEngine
from tests.builders.streets import Drawn, draw

SQUARE = """
A B E
C D
---
AB
BD
DC
CA
BE
"""


def at(city: Drawn, arc: str, fraction: float, *, directed: bool) -> Snaps:
    """A position part-way along an arc."""
    plain = city.at(arc, fraction=fraction)
    return Snaps(plain.arc, plain.fraction, plain.distance_m, plain.lat_deg, plain.lon_deg, plain.side, np.array([directed]))


def contracted(city: Drawn) -> StreetEngine:
    """The drawn city's engine with a hierarchy."""
    engine = StreetEngine(city.graph)
    engine.hierarchy(StreetMode.CAR)
    return engine


@pytest.mark.parametrize("hierarchy", [False, True])
@pytest.mark.parametrize(
    ("start", "start_directed", "end", "end_directed", "expected"),
    [
        ("AB", True, "DC", True, "AB BD DC"),
        ("BA", True, "CD", True, "BA AC CD"),
        ("AB", True, "CD", True, "AB BE EB BA AC CD"),
        ("BA", True, "DC", False, "BA AC CD"),
        ("AB", False, "CD", True, "BA AC CD"),
    ],
)
def test_ways_leave_and_arrive_in_the_direction_asked_for(start, start_directed, end, end_directed, expected, hierarchy):
    """Between the middles of opposite streets of a square with a dead end, where one may turn round."""
    city = draw(SQUARE)
    engine = contracted(city) if hierarchy else city.engine
    metric = engine.metric(StreetMode.CAR)
    ends = at(city, start, 0.5, directed=start_directed), 0, at(city, end, 0.5, directed=end_directed), 0
    path = engine.find_route(metric, *ends)
    times = [
        engine.one_to_many(metric, *ends[:3])[0],
        engine.many_to_one(metric, ends[0], ends[2], 0)[0],
        engine.many_to_many(metric, ends[0], ends[2])[0, 0],
    ]
    assert city.letters(path.arcs) == expected
    assert times == [path.time_ms] * 3


@pytest.mark.parametrize(
    ("start", "end", "directed", "expected"),
    [(0.2, 0.8, True, "AB"), (0.8, 0.2, False, "BA"), (0.8, 0.2, True, "AB BD DC CA AB")],
)
def test_both_ends_on_one_street(start, end, directed, expected):
    """Behind oneself in a directed position: once round the block."""
    city = draw(SQUARE)
    metric = city.engine.metric(StreetMode.CAR)
    ends = at(city, "AB", start, directed=directed), 0, at(city, "AB", end, directed=directed), 0
    path = city.engine.find_route(metric, *ends)
    assert city.letters(path.arcs) == expected
    assert city.engine.many_to_many(metric, ends[0], ends[2])[0, 0] == path.time_ms
    assert contracted(city).many_to_many(metric, ends[0], ends[2])[0, 0] == path.time_ms


def test_reach_of_a_directed_position():
    """Nodes behind are reached round the block, later than those ahead."""
    city = draw(SQUARE)
    metric = city.engine.metric(StreetMode.CAR)
    ahead, both = (city.engine.reach(metric, at(city, "AB", 0.5, directed=d), 0) for d in (True, False))
    a, b = city.node("A"), city.node("B")
    assert ahead[b] == both[b]
    assert ahead[a] > ahead[b]
    assert both[a] == both[b]


def test_hints_choose_the_street_and_the_direction():
    """North of the street and driving on the right, one stops going west; a bearing chooses for itself."""
    city = draw(SQUARE)
    node = city.graph
    north = node.node_lat_e7[city.node("A")] * 1e-7 + 0.00005
    middle = (node.node_lon_e7[city.node("A")] + node.node_lon_e7[city.node("B")]) * 0.5e-7
    snapped = city.engine.snap([north, north], [middle, middle], StreetMode.CAR, hints=SnapHints(curb=True))
    assert [city.letters([arc]) for arc in snapped.arc] == ["BA", "BA"]
    assert snapped.directed.all()
    east = city.engine.snap([north], [middle], StreetMode.CAR, hints=SnapHints(bearing_deg=[90.0]))
    assert city.letters(east.arc) == "AB"

"""Ways by distance, CO2, tolls and sums of them, and without what is to be avoided; each says its time, length and CO2."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.model.emissions import co2_g_per_km, driving_co2_g, idle_co2_g_per_s, mean_co2_g_per_m
from routing.model.modes import StreetMode
from routing.street.api import Avoidance, CostWeights, StreetEngine
from routing.street.avoidance import arcs_within, avoided_arcs
from routing.street.costs import LEAST_CO2, QUICKEST, SHORTEST
from tests.builders.streets import draw

THREE_WAYS = """
        C       D
    A B           F G
          H   I
        K       L
    ---
    AB   name=Avenida
    BCDF highway=motorway toll=yes name=Autoestrada
    BHIF highway=living_street name=Rua_do_Século
    BKLF maxspeed=50 highway=primary
    FG
    CK   oneway=yes
    HK   oneway=yes
    DL   oneway=yes
    IL   oneway=yes
"""
FAST, SHORT, MAIN = "AB BC CD DF FG", "AB BH HI IF FG", "AB BK KL LF FG"


@pytest.fixture(scope="module")
def drawn():
    """A fast toll road, a short slow street and a main street between."""
    return draw(THREE_WAYS)


def cheapest(drawn, weights=QUICKEST, avoidance=None, start="AB", end="FG", mode=StreetMode.CAR, **live):
    """Cheapest way and what it takes."""
    cost = drawn.engine.cost_metric(drawn.engine.metric(mode, **live), weights, avoidance)
    found = drawn.engine.find_cheapest(cost, drawn.at(start), 0, drawn.at(end), 0)
    return (drawn.letters(found.path.arcs) if found else "-"), found


def test_each_cost_has_its_way(drawn):
    """Time takes the motorway, distance the short street, tolls the main street."""
    assert cheapest(drawn)[0] == FAST
    assert cheapest(drawn, SHORTEST)[0] == SHORT
    assert cheapest(drawn, CostWeights(per_toll_km=1000.0))[0] == MAIN
    assert cheapest(drawn, CostWeights(per_s=1.0, per_km=10_000.0))[0] == SHORT


def test_co2_prefers_neither_standing_nor_racing(drawn):
    """In a queue the main street costs more fuel than the longer free way."""
    free, _ = cheapest(drawn, LEAST_CO2)
    speeds = np.full(drawn.graph.arc_count, np.nan)
    speeds[[drawn.arc(arc) for arc in ("BK", "KL", "LF", "BH", "HI", "IF")]] = 4.0
    assert cheapest(drawn, LEAST_CO2, arc_speed_kmh=speeds)[0] == FAST
    assert free in (SHORT, MAIN, FAST)


def test_every_way_reports_all_it_takes(drawn):
    """Time and length are those of the way, whatever it was chosen by; prices add up."""
    _, shortest = cheapest(drawn, SHORTEST)
    _, quickest = cheapest(drawn)
    metric = drawn.engine.metric(StreetMode.CAR)
    route = drawn.engine.find_route(metric, drawn.at("AB"), 0, drawn.at("FG"), 0)
    assert (quickest.path.time_ms, quickest.path.length_m) == (route.time_ms, route.length_m)
    assert shortest.path.length_m < quickest.path.length_m
    assert shortest.path.time_ms > quickest.path.time_ms
    assert shortest.cost == pytest.approx(shortest.path.length_m / 1000)
    assert quickest.cost == pytest.approx(quickest.path.time_ms / 1000)
    assert quickest.toll_m == pytest.approx(drawn.graph.arc_length_m[[drawn.arc(arc) for arc in ("BC", "CD", "DF")]].sum())
    assert shortest.toll_m == 0.0
    speeds = quickest.path.arc_length_m / quickest.path.arc_time_ms * 3600
    driving = (co2_g_per_km(StreetMode.CAR, speeds) * quickest.path.arc_length_m / 1000).sum()
    turning_s = (quickest.path.time_ms - quickest.path.arc_time_ms.sum()) / 1000
    assert quickest.co2_g == pytest.approx(driving + turning_s * idle_co2_g_per_s(StreetMode.CAR), rel=1e-3)


@pytest.mark.parametrize(
    ("avoidance", "way"),
    [
        (Avoidance(road_classes=("motorway",)), MAIN),
        (Avoidance(tolls=True), MAIN),
        (Avoidance(street_names=("AUTOESTRADA",)), MAIN),
        (Avoidance(tolls=True, road_classes=("primary",)), SHORT),
        (Avoidance(street_names=("rua do seculo",), tolls=True), MAIN),
        (Avoidance(ferries=True, unpaved=True), FAST),
    ],
)
def test_what_is_avoided(drawn, avoidance, way):
    """Classes, tolls and names (without capitals and accents)."""
    found, costed = cheapest(drawn, avoidance=avoidance)
    assert found == way
    assert costed.avoided_m == 0.0
    assert not costed.starts_inside


def corner(drawn, letter):
    """Position of a node."""
    node = drawn.node(letter)
    return drawn.graph.node_lat_e7[node] * 1e-7, drawn.graph.node_lon_e7[node] * 1e-7


def test_areas_are_avoided(drawn):
    """A circle on a street, a polygon across it, an arc."""
    lat, lon = (np.mean(pair) for pair in zip(corner(drawn, "C"), corner(drawn, "D"), strict=True))
    assert cheapest(drawn, avoidance=Avoidance(circles=((lat, lon, 5.0),)))[0] == MAIN
    thin = ((lat - 1e-4, lon - 1e-4), (lat + 1e-4, lon - 1e-4), (lat + 1e-4, lon + 1e-4), (lat - 1e-4, lon + 1e-4))
    assert cheapest(drawn, avoidance=Avoidance(polygons=(thin,)))[0] == MAIN
    assert cheapest(drawn, avoidance=Avoidance(arcs=(drawn.arc("CD"),)))[0] == MAIN


def test_who_starts_inside_leaves_as_soon_as_possible(drawn):
    """All but the end is to be avoided: the way gets out by the least of it, and says so."""
    a, b = corner(drawn, "A"), corner(drawn, "H")
    ring = ((a[0] + 0.01, a[1] - 0.01), (a[0] + 0.01, b[1] + 1e-5), (b[0] - 0.01, b[1] + 1e-5), (b[0] - 0.01, a[1] - 0.01))
    _, found = cheapest(drawn, avoidance=Avoidance(polygons=(ring,)))
    assert found.starts_inside
    assert not found.ends_inside
    inside = avoided_arcs(drawn.graph, Avoidance(polygons=(ring,)))[found.path.arcs]
    assert not np.any(np.diff(inside.astype(int)) > 0)
    assert found.avoided_m == pytest.approx(found.path.arc_length_m[inside].sum())


def test_what_cannot_be_avoided_is_used_and_said(drawn):
    """The only street to the end."""
    way, found = cheapest(drawn, avoidance=Avoidance(street_names=("Avenida",)), start="AB", end="FG")
    assert way == FAST
    assert found.avoided_m == pytest.approx(found.path.arc_length_m[0])


def test_unpaved_streets():
    """Tracks and bad surfaces; a track known to be smooth is none of them."""
    drawn = draw("""
    A B C
      D E
    ---
    AB  highway=track
    BC  highway=track surface=asphalt
    BD  surface=gravel
    DE  surface=asphalt
    CE
    """)
    unpaved = avoided_arcs(drawn.graph, Avoidance(unpaved=True))
    assert {pair for pair in ("AB", "BC", "BD", "DE", "CE") if drawn.find_arc(pair) >= 0 and unpaved[drawn.arc(pair)]} == {
        "AB",
        "BD",
    }


def test_zones_hold_arcs_by_their_middle(drawn):
    """A street that only touches the zone is not inside it."""
    c, d = corner(drawn, "C"), corner(drawn, "D")
    ring = ((c[0] + 1e-3, c[1] - 1e-4), (d[0] + 1e-3, d[1] + 1e-4), (d[0] - 1e-4, d[1] + 1e-4), (c[0] - 1e-4, c[1] - 1e-4))
    assert [drawn.letters(np.array([arc])) for arc in arcs_within(drawn.graph, ring)] == ["CD"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda _: Avoidance(road_classes=("highway",)), "is none of motorway"),
        (lambda _: Avoidance(circles=((100.0, 0.0, 5.0),)), r"circles\[0\]"),
        (lambda _: Avoidance(circles=((0.0, 0.0, float("nan")),)), r"circles\[0\]"),
        (lambda graph: avoided_arcs(graph, Avoidance(polygons=(((1.0, 1.0), (2.0, 2.0)),))), "has 2 points"),
        (
            lambda graph: avoided_arcs(graph, Avoidance(polygons=(((1.0, 1.0), (2.0, 2.0), (float("nan"), 0.0)),))),
            "not on Earth",
        ),
        (lambda graph: avoided_arcs(graph, Avoidance(arcs=(10_000,))), "arcs are 0 to"),
        (lambda graph: avoided_arcs(graph, Avoidance(street_names=("Nowhere",))), "no street is called so"),
        (lambda _: CostWeights(per_km=-1.0), "per_km"),
        (lambda _: CostWeights(per_s=float("nan")), "per_s"),
    ],
)
def test_wrong_input_is_refused(drawn, wrong, message):
    """What is wrong and where."""
    with pytest.raises(InvalidInput, match=message):
        wrong(drawn.graph)


def test_costs_of_nothing_are_refused(drawn):
    """Walkers emit nothing: least CO2 says nothing about their way."""
    with pytest.raises(InvalidInput, match="all streets cost FOOT nothing"):
        drawn.engine.cost_metric(drawn.engine.metric(StreetMode.FOOT), LEAST_CO2)


def test_emission_curves():
    """Least at a steady middle speed, most in a queue; walking and cycling nothing; the order of what databases give."""
    speeds = np.array([-5.0, 5.0, 25.0, 50.0, 70.0, 130.0, 1e9])
    for mode, low, high in ((StreetMode.CAR, 150, 260), (StreetMode.VAN, 220, 350), (StreetMode.TRUCK, 500, 900)):
        grams = co2_g_per_km(mode, speeds)
        assert low < grams[2] < high
        assert grams[1] > grams[2] > grams[3]
        assert grams[5] > grams[4]
        assert grams[0] == grams[1]
        assert np.isfinite(grams).all()
        known = driving_co2_g(mode, np.array([1000.0]), np.array([144_000.0]), 144_000.0)
        assert known == pytest.approx(1000 * mean_co2_g_per_m(mode)) == pytest.approx(grams[2])
    assert not co2_g_per_km(StreetMode.BICYCLE, speeds).any()
    assert idle_co2_g_per_s(StreetMode.FOOT) == 0.0


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.sampled_from([0.0, 1.0, 50.0])] * 4).filter(any))
@settings(max_examples=40, deadline=None)
def test_no_other_way_is_cheaper(grid, seed, prices):
    """Against the quickest way, alternatives and the other prices: none costs less (up to the rounding of the search)."""
    rng = np.random.default_rng(seed)
    weights = CostWeights(*prices)
    times = grid.engine.metric(StreetMode.CAR, rng.uniform(5, 80, grid.graph.arc_count), rng.choice(grid.graph.arc_count, 3))
    if weights.per_s + weights.per_km + weights.per_kg_co2 == 0.0:
        return
    cost = grid.engine.cost_metric(times, weights)
    start, end = grid.at("AB"), grid.at("KL")
    best = grid.engine.find_cheapest(cost, start, 0, end, 0)
    others = [grid.engine.cost_metric(times, CostWeights(*row)) for row in np.eye(4)[:3].tolist()]
    for other in others:
        found = grid.engine.find_cheapest(other, start, 0, end, 0)
        assert (found is None) == (best is None)
        if found and best:
            again = grid.engine.measure(cost, found.path)
            assert best.cost <= again.cost * 1.001 + 1e-9
            assert dataclasses.replace(again, path=found.path, cost=found.cost) == found


@pytest.fixture(scope="module")
def grid():
    """A chessboard with toll streets."""
    drawn = draw("""
    A B C D
    E F G H
    I J K L
    ---
    ABCD
    EFGH toll=yes highway=primary
    IJKL
    AEI
    BFJ
    CGK  toll=yes
    DHL
    """)
    return dataclasses.replace(drawn, engine=StreetEngine(drawn.graph))

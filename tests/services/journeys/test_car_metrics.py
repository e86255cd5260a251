"""Times on streets: closures last as long as they are taken to, memory is bounded over epochs, modes, departures and costs."""

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from routing.model.access_zones import no_zones
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.access_rules import AccessRule, AccessRules, EmissionClass
from routing.street.api import Avoidance
from routing.street.costs import LEAST_CO2, SHORTEST
from routing.street.metric_store import metric_bytes
from services.city.low_emission_zones import Zone, compile_zones
from services.journeys.car_metrics import CityMetrics
from services.journeys.view import MOTOR_MODES
from tests.builders.streets import draw

ZONE = ZoneInfo("Europe/Lisbon")
START = 1_785_223_800
STREET = """
A B C
---
AB
BC
"""
PARK = """
A B C
---
AB highway=path access:conditional=no~@~(22:00-06:00)
BC
"""


@pytest.fixture
def town():
    """One street."""
    return draw(STREET)


def city(town, zones=None, **options):
    """Metrics of the street, with or without zones."""
    rules = AccessRules.of_zones(zones or no_zones(), town.graph.arc_count, ZONE)
    return CityMetrics(town.engine, rules, ZONE, **options)


def follow(town, metrics, until_s=0, **options):
    """An epoch under free flow, the first stretch being closed up to a time."""
    closure = AccessRule(np.array([town.arc("AB")], np.int32), ends_s=until_s + 1)
    return metrics.follow(lambda _at: None, [closure], START, **options)


def test_closures_are_open_again_after_their_time(town):
    """For all motor modes, to the second; without traffic there are none."""
    metrics = city(town)
    live = follow(town, metrics, START + 600)
    for mode in MOTOR_MODES:
        times = [live.metric(mode, START + s).arc_time_ms[town.arc("AB")] == UNREACHABLE_MS for s in (0, 600, 601, 7200)]
        assert times == [True, True, False, False]
        assert metrics.free.metric(mode, START).arc_time_ms[town.arc("AB")] != UNREACHABLE_MS


def test_one_bound_of_memory_holds_for_all_modes_and_departures(town):
    """Two days of departures by car, van and truck; who asks again gets the same metric while it is kept."""
    one = metric_bytes(town.engine.metric(StreetMode.CAR))
    metrics = city(town, capacity_bytes=5 * one)
    live = follow(town, metrics)
    for slot in range(192):
        for mode in MOTOR_MODES:
            metric = live.metric(mode, START + 900 * slot)
            assert metric.mode is mode
            assert live.metric(mode, START + 900 * slot) is metric
            assert metrics.store.used_bytes() <= 5 * one
    assert metrics.store.used_bytes() == 5 * one


def test_the_bound_holds_over_epochs_and_costs(town):
    """Whoever still holds an old epoch is answered from it; the store never keeps more than its bound."""
    one = metric_bytes(town.engine.metric(StreetMode.CAR))
    metrics = city(town, capacity_bytes=8 * one)
    epochs = []
    for epoch in range(6):
        epochs.append(follow(town, metrics, START + 600 * epoch))
        for live in (*epochs, metrics.free):
            for slot in range(4):
                live.metric(StreetMode.CAR, START + 900 * slot)
            live.cost(StreetMode.CAR, START, SHORTEST, None, EmissionClass.ELECTRIC)
            assert metrics.store.used_bytes() <= 8 * one
    for epoch, live in enumerate(epochs):
        open_again = [live.metric(StreetMode.CAR, START + 600 * k + 1).arc_time_ms[town.arc("AB")] for k in range(7)]
        assert [time == UNREACHABLE_MS for time in open_again] == [k < epoch for k in range(7)]


def test_the_second_question_of_an_epoch_finds_its_costs(town):
    """The same object, whatever else is asked in between; another weight, epoch or class bound by a zone is another."""
    metrics = city(town, zone_on(town, "BC"))
    live = follow(town, metrics)
    clean, dirty = EmissionClass.ELECTRIC, EmissionClass.UNCLASSIFIED
    first = live.cost(StreetMode.CAR, START, SHORTEST, None, clean)
    assert live.cost(StreetMode.CAR, START, SHORTEST, Avoidance(tolls=True), clean) is not first
    assert live.cost(StreetMode.CAR, START, LEAST_CO2, None, clean) is not first
    closed = live.cost(StreetMode.CAR, START, SHORTEST, None, dirty)
    assert closed.search.arc_time_ms[town.arc("BC")] == UNREACHABLE_MS
    assert live.cost(StreetMode.CAR, START, SHORTEST, None, clean) is first
    assert first.times is live.metric(StreetMode.CAR, START)
    assert follow(town, metrics).cost(StreetMode.CAR, START, SHORTEST, None, clean) is not first
    assert live.cost(StreetMode.CAR, START, SHORTEST, None, clean) is first, "requests under way find those of the epoch before"


def test_without_traffic_one_metric_serves_all_departures(town):
    """The same object at any hour, also after a new epoch."""
    metrics = city(town)
    kept = metrics.free.metric(StreetMode.CAR, START)
    follow(town, metrics)
    assert metrics.free.metric(StreetMode.CAR, START + 40_000) is kept
    assert metrics.free.of(StreetMode.CAR)(START) is kept


def test_walkers_and_cyclists_have_metrics_by_the_hour_where_a_rule_binds_them():
    """A gate that is closed at night to all, and no other metric for who is not bound."""
    town = draw(PARK)
    metrics = city(town)
    assert metrics.timed_modes == {StreetMode.FOOT, StreetMode.BICYCLE, StreetMode.CARGO_BIKE}
    noon, night = START + 4 * 3600, START + 16 * 3600
    for mode in (StreetMode.FOOT, StreetMode.BICYCLE):
        day, dark = metrics.free.metric(mode, noon), metrics.free.metric(mode, night)
        assert day is not dark
        assert metrics.free.metric(mode, noon + 86_400) is day
        closed = [metric.arc_time_ms[town.arc("AB")] == UNREACHABLE_MS for metric in (day, dark)]
        assert closed == [False, True]
    assert metrics.free.metric(StreetMode.CAR, noon) is metrics.free.metric(StreetMode.CAR, night)
    assert city(draw(STREET)).timed_modes == frozenset()


def zone_on(town, street):
    """A zone on both directions of a stretch, closed to the unclassified at all times."""
    lat, lon = (0.5 * sum(column[town.node(letter)] * 1e-7 for letter in street) for column in
                (town.graph.node_lat_e7, town.graph.node_lon_e7))  # fmt: skip
    ring = ((lat - 1e-4, lon - 1e-4), (lat - 1e-4, lon + 1e-4), (lat + 1e-4, lon + 1e-4), (lat + 1e-4, lon - 1e-4))
    zone = Zone("z", (ring,), StreetMode.CAR.bit, EmissionClass.UNCLASSIFIED, "24/7", None, None)
    return compile_zones(town.graph, [zone], ZONE)

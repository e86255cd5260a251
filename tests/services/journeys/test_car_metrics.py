"""Times of motor vehicles: closures last as long as they are taken to, memory is bounded over all modes and departures."""

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.metric_store import metric_bytes
from services.journeys.car_metrics import CarMetrics
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


@pytest.fixture
def town():
    """One street."""
    return draw(STREET)


def made(town, until_s=0, **options):
    """Metrics under free flow, the first stretch being closed up to a time."""
    return CarMetrics(town.engine, lambda _at: None, ZONE, np.array([town.arc("AB")], np.int32), until_s, **options)


def test_closures_are_open_again_after_their_time(town):
    """For all motor modes, to the second."""
    metrics = made(town, START + 600)
    for mode in MOTOR_MODES:
        times = [metrics.metric(mode, START + s).arc_time_ms[town.arc("AB")] == UNREACHABLE_MS for s in (0, 600, 601, 7200)]
        assert times == [True, True, False, False]


def test_one_bound_of_memory_holds_for_all_modes_and_departures(town):
    """Two days of departures by car, van and truck; who asks again gets the same metric while it is kept."""
    one = metric_bytes(town.engine.metric(StreetMode.CAR))
    metrics = made(town, capacity_bytes=5 * one)
    for slot in range(192):
        for mode in MOTOR_MODES:
            metric = metrics.metric(mode, START + 900 * slot)
            assert metric.mode is mode
            assert metrics.metric(mode, START + 900 * slot) is metric
            assert metrics.used_bytes() <= 5 * one
    assert metrics.used_bytes() == 5 * one


def test_without_traffic_one_metric_serves_all_departures(town):
    """The same object at any hour."""
    metrics = made(town, varies=False)
    assert metrics.metric(StreetMode.CAR, START) is metrics.metric(StreetMode.CAR, START + 40_000)
    assert metrics.of(StreetMode.CAR)(START) is metrics.metric(StreetMode.CAR, START)

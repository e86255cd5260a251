"""Forecast speeds: the profile of the day, and measurements that fade into it."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.forecast.traffic import RESIDUAL_TAU_S, TrafficForecast, TrafficProfile, list_slots
from routing.model.street_graph import ROAD_CLASSES, StreetGraph
from routing.model.strings import StringTable

TUESDAY = int(datetime(2026, 7, 28, tzinfo=UTC).timestamp())
"""Midnight UTC; in Lisbon it is one o'clock."""


def _street(*classes: str) -> StreetGraph:
    """Arcs of the given road classes, 50 km/h, one after the other."""
    m = len(classes)
    columns: dict[str, Any] = {field.name: np.zeros(m, np.int64) for field in fields(StreetGraph) if field.name != "heights"}
    columns |= {
        "arc_speed_kmh": np.full(m, 50.0, np.float32),
        "first_out": np.zeros(m + 1, np.int64),
        "first_shape": np.zeros(m + 1, np.int64),
        "first_restriction": np.zeros(m + 1, np.int64),
        "arc_road_class": np.array([ROAD_CLASSES.index(name) for name in classes], np.uint8),
        "names": StringTable.build([""]),
    }
    return StreetGraph(**columns)


def _forecast(*classes: str) -> TrafficForecast:
    return TrafficForecast.for_city(_street(*classes), TrafficProfile.urban("Europe/Lisbon"))


def test_working_day_peak_is_in_local_time() -> None:
    """Main roads are slowest at 8:15 local, and at free flow in the night and for footways always."""
    forecast = _forecast("primary", "footway")
    night, peak = forecast.arc_speed_kmh(TUESDAY - 3600), forecast.arc_speed_kmh(TUESDAY + int(7.25 * 3600))
    assert night == pytest.approx([50.0, 50.0])
    assert peak == pytest.approx([29.0, 50.0])
    sunday = forecast.arc_speed_kmh(TUESDAY - 2 * 86400 + int(7.25 * 3600))
    assert sunday[0] > 48.0


def test_a_measurement_fades_into_the_profile() -> None:
    """At once it counts in full, after tau e^-1 of it, after a day nothing."""
    forecast, noon = _forecast("service", "service"), TUESDAY + 2 * 3600
    usual = float(forecast.arc_speed_kmh(noon)[0])
    speed_at = forecast.speed_at_with_live(np.array([usual / 2, np.nan]), np.array([noon, 0]))
    assert speed_at(noon)[0] == pytest.approx(usual / 2, rel=0.01)
    later = noon + int(RESIDUAL_TAU_S)
    assert speed_at(later)[0] / forecast.arc_speed_kmh(later)[0] == pytest.approx(0.5 ** np.exp(-1), rel=0.02)
    assert speed_at(noon + 86400)[0] == pytest.approx(forecast.arc_speed_kmh(noon + 86400)[0], rel=0.01)
    assert speed_at(noon)[1] == pytest.approx(usual, rel=0.01)


def test_broken_sensors_are_bounded() -> None:
    """Zero, negative and NaN speeds count as not measured; absurd ones are cut."""
    forecast, noon = _forecast(*["service"] * 4), TUESDAY + 11 * 3600
    found = forecast.arc_speed_kmh(noon, np.array([0.0, -5.0, np.nan, 900.0]), np.full(4, noon))
    assert found[:3] == pytest.approx(forecast.arc_speed_kmh(noon)[:3])
    assert found[3] < 91.0


def test_wrong_profiles_are_refused() -> None:
    """Shape and range are checked."""
    with pytest.raises(InvalidInput, match="shape"):
        TrafficProfile(UTC, np.ones((3, 96, 2), np.float32))
    with pytest.raises(InvalidInput, match="depth"):
        TrafficProfile.urban("UTC", 3.0)


def test_slots_cover_the_span() -> None:
    """The first slot is not after the start, the last not before the end."""
    slots = list_slots(1000, 3000)
    assert list(slots) == [900, 1800, 2700, 3600]

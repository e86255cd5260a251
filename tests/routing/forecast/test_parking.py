"""Chance of a free space: certain when empty, none when closed, doubtful when nearly full, unknown without data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.forecast.parking import ParkingForecast, probability_free, uncounted

AT = 1_785_196_800 + 12 * 3600
"""Noon, when car parks are usually 78 % full."""


def _forecast(capacity: int = 100, count: int = 5) -> ParkingForecast:
    return ParkingForecast(np.full(count, capacity, np.int32), lambda unix_s: (0, (unix_s % 86400) / 900))


def test_what_is_known_decides() -> None:
    """Empty, full, closed, never counted, and counted yesterday."""
    free = np.array([90, 0, 50, -1, 50], np.int32)
    observed = np.array([AT, AT, AT, 0, AT - 86400], np.int64)
    outlook = _forecast().outlook(free, np.full(5, 100, np.int32), observed, ("open", "open", "closed", "", "open"))
    found = outlook(np.arange(5, dtype=np.int32), np.full(5, AT + 600, np.int64))
    assert found[0] > 0.999
    assert found[1] < 0.75
    at_once = outlook(np.array([1], np.int32), np.array([AT]))
    assert at_once[0] < 0.35
    assert found[2] == 0.0
    assert np.isnan(found[3:]).all()


def test_a_full_car_park_empties_in_the_evening() -> None:
    """What is full at five in the afternoon probably has a space at ten."""
    five = AT // 86400 * 86400 + 17 * 3600
    outlook = _forecast(300, 1).outlook(np.array([0], np.int32), np.array([300], np.int32), np.array([five]), ("",))
    now, later = (float(outlook(np.array([0], np.int32), np.array([at]))[0]) for at in (five, five + 5 * 3600))
    assert now < 0.4
    assert later > 0.9


@settings(max_examples=50)
@given(free=st.integers(0, 400), more=st.integers(0, 50), age_s=st.integers(0, 20_000))
def test_more_free_spaces_are_never_worse(free: int, more: int, age_s: int) -> None:
    """Probabilities lie in [0, 1] and grow with the free spaces."""
    low, high = probability_free([free, free + more], [500, 500], [-20.0, -20.0], [age_s, age_s])
    assert 0.0 <= low <= high + 1e-12 <= 1.0 + 1e-12


def test_without_change_and_age_it_is_nearly_certain() -> None:
    """Ten free spaces counted now are there now."""
    assert probability_free([10], [100], [0.0], [0.0])[0] == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=100)
@given(
    taken=st.lists(st.integers(0, 40).map(lambda n: n / 40), min_size=1, max_size=30),
    weight=st.lists(st.integers(1, 9), min_size=30, max_size=30),
)
def test_no_more_is_promised_than_an_average_bears_out(taken: list[float], weight: list[int]) -> None:
    """Whatever shares have this average: a space is at least as likely as said, and the spread no wider."""
    shares, weights = np.array(taken), np.array(weight[: len(taken)], float)
    weights /= weights.sum()
    mean = float(min(1.0, (shares * weights).sum()))
    free, deviation, chance = uncounted(mean)
    assert free == pytest.approx(((1 - shares) * weights).sum())
    assert chance <= weights[shares < 1].sum() + 1e-9
    assert deviation >= np.sqrt(((shares - mean) ** 2 * weights).sum()) - 1e-9


def test_an_average_can_be_borne_out_exactly() -> None:
    """Full in one case of five and empty otherwise: four fifths, and no spread is wider."""
    assert uncounted(0.2) == pytest.approx((0.8, np.std([1, 0, 0, 0, 0]), 0.8))

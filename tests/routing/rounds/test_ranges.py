"""Ranges of arrivals hold on days that were not used to make them."""

import numpy as np
import pytest

from routing.rounds.api import solve
from routing.rounds.errors import InvalidProblemError
from routing.rounds.ranges import Uncertainty, draw_factors, drive, round_ranges
from tests.builders.rounds import delivery, line_times, problem, random_problem, random_times, van

USUAL = Uncertainty()


def test_nine_of_ten_days_arrive_before_the_ninth_decile() -> None:
    """On 2,000 other days drawn by the same model each decile is kept by as many days as it says, within two of a hundred."""
    rng = np.random.default_rng(5)
    whole, times = random_problem(rng, 12, 4, windows=False), random_times(rng, 13)
    plan = solve(whole, times, iterations=20)
    for one in plan.rounds:
        ranges = round_ranges(whole, one, USUAL, (0.1, 0.5, 0.9), days=4000, seed=1)
        moments = np.array([one.departure_s, *(stop.departure_s for stop in one.stops)])
        arrivals, _, ends = drive(whole, one, draw_factors(np.random.default_rng(99), 2000, moments, USUAL))
        share = (arrivals[None] <= ranges.arrival_s[:, None, :]).mean(axis=1)
        assert np.abs(share - np.array([0.1, 0.5, 0.9])[:, None]).max() < 0.03
        assert abs((ends <= ranges.end_s[2]).mean() - 0.9) < 0.03


def test_without_uncertainty_the_plan_is_certain() -> None:
    """All quantiles are the planned arrivals, all windows are met, the end is the end."""
    rng = np.random.default_rng(6)
    whole, times = random_problem(rng, 10, 4, breaks=True), random_times(rng, 11)
    for one in solve(whole, times, iterations=20).rounds:
        ranges = round_ranges(whole, one, Uncertainty(0.0, 0.0))
        planned = [stop.arrival_s for stop in one.stops]
        assert ranges.arrival_s == pytest.approx(np.array([planned] * 3), abs=1e-6)
        assert ranges.in_window == pytest.approx(np.ones(len(planned)))
        assert ranges.end_s == pytest.approx([one.end_s] * 3, abs=1e-6)


def test_a_tight_window_is_uncertain_and_errors_add_up_along_a_round() -> None:
    """A window that closes as the vehicle comes is met on half of the days; the range is wider at the last stop."""
    whole = problem(4, [van("one", 4, cost_per_m=1.0)], [delivery(f"o{k}", k, (0, 600 * k), 0) for k in (1, 2, 3)])
    times = line_times([0, 600, 1200, 1800])
    [one] = solve(whole, times, iterations=20).rounds
    ranges = round_ranges(whole, one, USUAL, days=4000)
    assert 0.4 < ranges.in_window[0] < 0.6
    width = ranges.arrival_s[2] - ranges.arrival_s[0]
    assert width[0] < width[1] < width[2]


def test_wrong_uncertainty_is_refused() -> None:
    """Names the field."""
    with pytest.raises(InvalidProblemError, match="day_sigma"):
        Uncertainty(day_sigma=-0.1)
    with pytest.raises(InvalidProblemError, match="fades_s"):
        Uncertainty(fades_s=float("nan"))

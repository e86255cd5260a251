"""Plans with a wanted probability keep their windows on days drawn by code of its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.rounds_sure import drawn_instance, drive_days
from routing.rounds.api import Plan, Problem, TimeWindow, TravelTimes, list_violations, solve
from routing.rounds.arrays import build_arrays
from routing.rounds.errors import InvalidProblemError
from routing.rounds.ranges import Uncertainty
from routing.rounds.schedule import build_round
from routing.rounds.sure import solve_surely
from tests.builders.rounds import delivery, line_times, problem, random_problem, random_times, van

USUAL = Uncertainty()
LINE = line_times([0, 1200, 2400, 3600])
DAY = TimeWindow(0, 20_000)


def _surely(asked: Problem, times: TravelTimes, wanted: float = 0.95, iterations: int = 600) -> Plan:
    plan = solve_surely(asked, times, wanted, iterations=iterations)
    assert list_violations(asked, times, plan) == []
    return plan


@pytest.mark.parametrize("seed", range(2))
def test_windows_are_kept_as_surely_as_was_wanted(seed: int) -> None:
    """Forty orders with windows of 30 min under traffic: usual plans miss many, these none by more than drawing days allows."""
    asked, times = drawn_instance(40, 10, 1800, seed)
    usual = solve(asked, times, iterations=600)
    sure = _surely(asked, times)
    assert sure.unserved == ()
    assert min(drive_days(asked, usual, USUAL, 1000, 5)) < 0.8
    assert min(drive_days(asked, sure, USUAL, 1000, 5)) > 0.92
    assert sure.warnings == ()
    assert sure.cost < 1.5 * usual.cost


def test_a_moment_is_kept_by_coming_early() -> None:
    """A window of one moment: the van comes before it opens, and waits."""
    asked = problem(4, [van(shift=DAY)], [delivery("a", 3, (9000, 9000), 60)], DAY)
    [one] = _surely(asked, LINE, iterations=60).rounds
    assert one.stops[0].start_s == 9000
    assert one.stops[0].arrival_s < 9000 - 600
    assert drive_days(asked, Plan((one,), (), one.cost), USUAL, 4000, 3)[0] > 0.94


def test_what_cannot_be_sure_is_served_and_named() -> None:
    """The depot opens so late that one window is met in half of all days: it is served, and the plan says so."""
    orders = [delivery("tight", 1, (0, 1210)), delivery("easy", 2, (0, 9000))]
    plan = _surely(problem(3, [van(shift=DAY)], orders, DAY), LINE, iterations=100)
    assert plan.unserved == ()
    [words] = plan.warnings
    assert words.startswith("order 'tight': its window is kept on 5")
    assert words.endswith("95 % were wanted")


def test_nothing_is_left_out_for_the_sake_of_probability() -> None:
    """More orders than surely fit: as many are served as without, also where that leaves windows unsure."""
    rng = np.random.default_rng(3)
    asked, times = random_problem(rng, 9, 2), random_times(rng, 10)
    usual = solve(asked, times, iterations=300)
    told = [plan.cost for plan in _improvements(asked, times)]
    assert len(_surely(asked, times, 0.9, 750).unserved) <= len(usual.unserved)
    assert told


def _improvements(asked: Problem, times: TravelTimes) -> list[Plan]:
    plans: list[Plan] = []
    solve_surely(asked, times, 0.9, iterations=300, on_improvement=plans.append)
    return plans


def test_same_seed_same_plan_and_bad_probabilities() -> None:
    """Deterministic; out of range is named."""
    asked, times = drawn_instance(12, 3, 3600, 1)
    assert _surely(asked, times, iterations=100) == _surely(asked, times, iterations=100)
    for wrong in (0.2, 1.0, float("nan")):
        with pytest.raises(InvalidProblemError, match="window_probability"):
            solve_surely(asked, times, wrong, iterations=10)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_windows_that_close_before_they_open_wait(seed: int) -> None:
    """Such a window takes whoever comes by its end, and lets service begin at its opening: no departure of a grid is better."""
    rng = np.random.default_rng(seed)
    asked, times = random_problem(rng, 4, 1), random_times(rng, 5)
    arrays = build_arrays(asked, times)
    windows = arrays.windows.copy()
    windows.closes_s -= rng.uniform(0, 900, len(windows))
    arrays = arrays._replace(windows=windows)
    route = [int(v) for v in rng.permutation(4)[:3]]
    found = build_round(arrays, times.arrays, 0, route)
    grid = [build_round(arrays, times.arrays, 0, route, float(start)) for start in range(0, 3000, 20)]
    lasts = [one.duration_s for one in grid if one is not None]
    assert (found is not None) or not lasts
    if found is not None:
        assert found.duration_s <= min(lasts, default=np.inf) + 1e-6
        for stop in found.stops:
            visit = arrays.visits[stop.visit_idx]
            for k in range(int(visit.first_window), int(visit.last_window)):
                assert stop.arrival_s <= windows[k].closes_s + 1e-5
                assert stop.start_s >= windows[k].opens_s - 1e-5

"""Fewer vehicles where these are dear; nothing served before stays out."""

from dataclasses import replace

import numpy as np
import pytest

from routing.rounds.api import Problem, TimeWindow, TravelTimes, list_violations, solve
from routing.rounds.arrays import build_arrays
from routing.rounds.fleet import is_worth_it, shrink_fleet
from routing.rounds.search import Search
from tests.builders.rounds import delivery, problem, van


def _drawn(seed: int, fixed_cost: float, capacity: int = 10) -> tuple[Problem, TravelTimes]:
    """40 orders of one unit around a depot; the loads need four vehicles, there are 40."""
    rng = np.random.default_rng(seed)
    at = np.concatenate([[[50.0, 50.0]], rng.uniform(0, 100, (40, 2))])
    metres = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    fleet = [van(f"v{k}", capacity, TimeWindow(0, 10_000), cost_per_s=0.0, cost_per_m=1.0) for k in range(40)]
    asked = problem(41, [replace(one, fixed_cost=fixed_cost) for one in fleet], [delivery(f"o{k}", k + 1) for k in range(40)])
    return asked, TravelTimes.static(metres, metres)


@pytest.mark.parametrize("seed", range(3))
def test_as_few_vehicles_as_the_loads_need(seed: int) -> None:
    """From one vehicle an order down to four full ones, by the search for fewer alone."""
    asked, times = _drawn(seed, 1e6)
    search = Search(build_arrays(asked, times), times.arrays, seed)
    search.load([[k] for k in range(40)])
    assert is_worth_it(search)
    shrink_fleet(search, lambda: search.iterations < 20_000)
    assert search.absent() == []
    assert sorted(len(route) for route in search.routes() if route) == [10, 10, 10, 10]


def test_a_fleet_that_cannot_shrink_stays_as_it_was() -> None:
    """Each order fills a vehicle: the rounds come back unchanged."""
    asked, times = _drawn(1, 1e6, capacity=1)
    search = Search(build_arrays(asked, times), times.arrays, 0)
    search.load([[k] for k in range(40)])
    before = search.routes()
    shrink_fleet(search, lambda: search.iterations < 500)
    assert search.routes() == before


def test_cheap_vehicles_are_not_spared_at_any_price() -> None:
    """Whether it is worth a search follows from what vehicles and driving cost."""
    for fixed_cost, worth in ((0.0, False), (10.0, False), (1e6, True)):
        asked, times = _drawn(2, fixed_cost)
        search = Search(build_arrays(asked, times), times.arrays, 0)
        search.load([[k, k + 1] for k in range(0, 40, 2)])
        assert is_worth_it(search) is worth


def test_the_plan_is_valid_and_repeatable() -> None:
    """The whole solver: four vehicles, the same plan for the same seed."""
    asked, times = _drawn(3, 1e6)
    plan = solve(asked, times, iterations=3000, seed=1)
    assert len(plan.rounds) == 4
    assert list_violations(asked, times, plan) == []
    assert plan == solve(asked, times, iterations=3000, seed=1)

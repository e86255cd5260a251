"""Large plans in parts: valid, repeatable, no worse than before, and nothing leaks from one part into another."""

import numpy as np
import pytest

from routing.kernels.rounds_ruin import total_cost
from routing.rounds import parts
from routing.rounds.api import list_violations, solve
from routing.rounds.arrays import build_arrays
from routing.rounds.search import Search
from tests.builders.rounds import random_problem, random_times


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_plan_again(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By seed, iterations and threads; it is valid, better than the first one, and its cost is that of its rounds."""
    monkeypatch.setattr(parts, "FEWEST_VISITS", 20)
    rng = np.random.default_rng(8)
    asked, times = random_problem(rng, 70, 25), random_times(rng, 71)
    arrays = build_arrays(asked, times)
    answers = []
    for _ in range(2):
        search = Search(arrays, times.arrays, 3)
        search.insert_all(search.absent())
        first = total_cost(arrays, search.state)
        costs = [cost for cost, _ in parts.improve_in_parts(search, parts.ThreadWorkers(threads), 2000, lambda: 0.0)]
        assert costs[-1] < first
        assert costs[-1] == pytest.approx(total_cost(arrays, search.state))
        answers.append(search.routes())
    assert answers[0] == answers[1]


def test_parts_hold_everything_once() -> None:
    """Every vehicle and every shipment is in one part, and a shipment where its round is."""
    rng = np.random.default_rng(9)
    asked, times = random_problem(rng, 60, 20), random_times(rng, 61)
    search = Search(build_arrays(asked, times), times.arrays, 0)
    search.insert_all(search.absent())
    for _ in range(5):
        groups = parts._draw(search, 3, rng)
        assert (sum(vehicles.astype(int) for vehicles, _ in groups) == 1).all()
        assert (sum(shipments.astype(int) for _, shipments in groups) == 1).all()
        for vehicles, shipments in groups:
            route = search.state.route_of[search.problem.shipments.first_visit[shipments]]
            assert vehicles[route[route >= 0]].all()


def test_solve_uses_threads_for_large_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole solver with two threads gives a valid plan."""
    monkeypatch.setattr("routing.rounds.api.FEWEST_VISITS", 20)
    monkeypatch.setattr(parts, "FEWEST_VISITS", 20)
    rng = np.random.default_rng(10)
    asked, times = random_problem(rng, 45, 20), random_times(rng, 46)
    plan = solve(asked, times, iterations=800, seed=2, threads=2)
    assert list_violations(asked, times, plan) == []
    assert plan.cost < plan.first_cost

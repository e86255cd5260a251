"""The latest return: against enumeration, against plans of the least duration, and what else still holds."""

from itertools import pairwise, permutations, product

import numpy as np
import pytest

from routing.rounds.api import Plan, Problem, TravelTimes, list_violations, solve
from routing.rounds.earliest import solve_earliest
from tests.builders.rounds import random_problem, random_times


def _earliest_return_s(problem: Problem, times: TravelTimes) -> float:
    """Least latest return of all plans that serve everything, by trying them all: who leaves first is back first."""

    def back_s(r: int, route: tuple[int, ...]) -> float:
        vehicle, load = problem.vehicles[r], [0] * problem.dimensions
        start, end = problem.depots[vehicle.start_depot_idx], problem.depots[vehicle.end_depot_idx]  # type: ignore[index]
        at, t = start.location_idx, max(vehicle.shift.start_s, start.window.start_s)
        for s in route:
            shipment = problem.shipments[s]
            load = [a + b for a, b in zip(load, shipment.load, strict=True)]
            visit = shipment.delivery or shipment.pickup
            assert visit is not None
            t = times.arrival_s(vehicle.profile, at, visit.location_idx, t)
            opens = [max(t, window.start_s) for window in visit.windows if max(t, window.start_s) <= window.end_s]
            if visit.windows and not opens:
                return np.inf
            t, at = (opens[0] if opens else t) + visit.setup_s + visit.service_s, visit.location_idx
        t = times.arrival_s(vehicle.profile, at, end.location_idx, t)
        fits = all(a <= b for a, b in zip(load, vehicle.capacity, strict=True))
        return t if fits and t <= min(vehicle.shift.end_s, end.window.end_s) else np.inf

    best, orders = np.inf, range(len(problem.shipments))
    known: dict[tuple[int, frozenset[int]], float] = {}
    for homes in product(range(len(problem.vehicles)), repeat=len(problem.shipments)):
        latest = 0.0
        for r in set(homes):
            own = frozenset(s for s in orders if homes[s] == r)
            if (r, own) not in known:
                known[r, own] = min(back_s(r, route) for route in permutations(own))
            latest = max(latest, known[r, own])
        best = min(best, latest)
    return best


def _latest(plan: Plan) -> float:
    return max(one.end_s for one in plan.rounds)


@pytest.mark.parametrize("seed", range(6))
def test_the_enumerated_optimum(seed: int) -> None:
    """Small problems with traffic end when the best of all plans ends; no plan told of ends later than one before."""
    rng = np.random.default_rng(seed)
    problem, times = random_problem(rng, 5, 2), random_times(rng, 6)
    best, told = _earliest_return_s(problem, times), list[Plan]()
    plan = solve_earliest(problem, times, iterations=3000, seed=seed, on_improvement=told.append)
    assert list_violations(problem, times, plan) == []
    if plan.unserved:
        assert best == np.inf
        return
    assert _latest(plan) == pytest.approx(best, abs=0.01)
    ends = [_latest(one) for one in told]
    assert all(after <= before + 0.01 for before, after in pairwise(ends))


def test_work_is_spread_and_the_same_again() -> None:
    """The last vehicle is back earlier than with the least duration, as much is served, and the plan is repeatable."""
    rng = np.random.default_rng(3)
    problem, times = random_problem(rng, 24, 4), random_times(rng, 25)
    shortest = solve(problem, times, iterations=1500)
    plans = [solve_earliest(problem, times, iterations=1500) for _ in range(2)]
    assert plans[0] == plans[1]
    assert _latest(plans[0]) < _latest(shortest)
    assert len(plans[0].unserved) <= len(shortest.unserved)
    assert list_violations(problem, times, plans[0]) == []

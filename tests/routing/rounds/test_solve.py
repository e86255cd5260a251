"""`solve`: optimal on tiny problems, every constraint kept, clear reasons for what cannot be served."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.rounds.api import Break, Plan, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit, list_violations, solve
from routing.rounds.errors import InvalidProblemError
from tests.builders.rounds import DAY, delivery, line_times, problem, random_problem, random_times, van
from tests.routing.rounds.reference import optimal_cost

LINE = line_times([0, 100, 200, 300, -100])


def _solve(asked: Problem, times: TravelTimes = LINE, iterations: int = 150, seed: int = 0) -> Plan:
    plan = solve(asked, times, iterations=iterations, seed=seed)
    assert list_violations(asked, times, plan) == []
    return plan


def _reasons(plan: Plan, asked: Problem) -> dict[str, str]:
    return {asked.shipments[one.shipment_idx].id: one.reasons[0] for one in plan.unserved}


def _served(plan: Plan, asked: Problem) -> dict[str, list[str]]:
    return {
        asked.vehicles[one.vehicle_idx].id: [asked.shipments[asked.visits[stop.visit_idx][0]].id for stop in one.stops]
        for one in plan.rounds
    }


def _by_distance(asked: Problem) -> Problem:
    vehicles = tuple(replace(one, cost_per_s=0.0, cost_per_m=1.0) for one in asked.vehicles)
    return Problem(asked.location_count, asked.depots, vehicles, asked.shipments)


@pytest.mark.parametrize("seed", range(12))
def test_optimal_on_tiny_random_problems(seed: int) -> None:
    """Time windows, capacities, breaks, optional and locked orders, time-dependent times: the cost of exhaustive search."""
    rng = np.random.default_rng(seed)
    asked = _by_distance(random_problem(rng, 5, 2, breaks=seed % 3 == 0))
    shipments = list(asked.shipments)
    shipments[0] = replace(shipments[0], prize=300.0)
    shipments[1] = replace(shipments[1], vehicle_ids=frozenset({"v1"}))
    asked = Problem(asked.location_count, asked.depots, asked.vehicles, tuple(shipments))
    times = random_times(rng, 6)
    assert _solve(asked, times, 400).cost == pytest.approx(optimal_cost(asked, times))


@pytest.mark.parametrize("seed", range(6))
def test_optimal_with_pickups_and_pairs(seed: int) -> None:
    """Goods taken from stop to stop and brought back, against exhaustive search."""
    rng = np.random.default_rng(100 + seed)
    window = (TimeWindow(0, int(rng.integers(600, 2500))),)
    shipments = (
        Shipment("p", (2,), pickup=Visit(1, 10, window)),
        Shipment("pd", (3,), Visit(2, 10), Visit(3, 10, window)),
        Shipment("d", (2,), delivery=Visit(4, 10)),
        Shipment("pd2", (1,), Visit(5, 5), Visit(1, 5)),
    )
    asked = _by_distance(problem(6, [van("v", 4, TimeWindow(0, 3000)), van("w", 3, TimeWindow(0, 3000))], shipments))
    times = random_times(rng, 6)
    assert _solve(asked, times, 400).cost == pytest.approx(optimal_cost(asked, times))


def test_same_seed_same_plan_and_improvements_fall() -> None:
    """Deterministic by seed and iterations; plans handed out on the way get better and are feasible."""
    rng = np.random.default_rng(5)
    asked, times = random_problem(rng, 25, 6), random_times(rng, 26)
    found: list[Plan] = []
    plan = solve(asked, times, iterations=300, seed=3, on_improvement=found.append)
    assert plan == _solve(asked, times, 300, 3)
    costs = [one.cost for one in found]
    assert costs == sorted(costs, reverse=True)
    assert all(list_violations(asked, times, one) == [] for one in found)


def test_stops_when_told() -> None:
    """A stopping caller gets the first plan; a time limit is kept by the given clock."""
    rng = np.random.default_rng(6)
    asked, times = random_problem(rng, 10, 3), random_times(rng, 11)
    assert solve(asked, times, iterations=10**9, should_stop=lambda: True).iterations == 0
    ticks = iter(range(10**6))
    assert solve(asked, times, time_limit_s=5, elapsed_s=lambda: float(next(ticks))).iterations <= 600


@pytest.mark.parametrize("limits", [{}, {"iterations": 1, "time_limit_s": 1.0}, {"time_limit_s": 1.0}])
def test_limits_must_be_one(limits: dict[str, Any]) -> None:
    """Either iterations, or a time limit with a clock."""
    with pytest.raises(InvalidInput):
        solve(problem(1, [van()], []), LINE, **limits)


def test_nothing_to_do() -> None:
    """No orders and no vehicles are plans, not errors."""
    assert _solve(problem(1, [van()], [])).rounds == ()
    asked = problem(2, [], [delivery("a", 1)])
    assert _reasons(_solve(asked), asked) == {"a": "no_vehicles"}


def test_reasons_name_what_stands_in_the_way() -> None:
    """One order for each reason; everything else is still served."""
    far = line_times([0, 100, 200, 300, 6000])
    matrix = far.arrays.matrix_s.copy()
    matrix[0, :, 3] = math.inf
    times = TravelTimes.static(matrix, far.arrays.length_m)
    orders = [
        delivery("fine", 1, (0, 500)),
        delivery("late", 2, (0, 100)),
        delivery("big", 1, None, 0, load=(99,)),
        delivery("cold", 1, None, 0, skills=frozenset({"cold"})),
        delivery("island", 3),
        delivery("far", 4),
        delivery("worthless", 2, None, 0, prize=1.0),
        delivery("long", 1, None, 20_000),
    ]
    asked = problem(5, [van()], orders)
    plan = _solve(asked, times)
    assert _served(plan, asked) == {"van": ["fine"]}
    expected = {"late": "time_window", "big": "capacity", "cold": "skills", "island": "unreachable", "far": "duration",
                "worthless": "not_worth_it", "long": "duration"}  # fmt: skip
    assert _reasons(plan, asked) == expected
    assert all(asked.shipments[one.shipment_idx].id in one.message for one in plan.unserved)


def test_the_more_important_is_kept_when_not_all_fits() -> None:
    """Capacity for one of three: the highest priority is served, the others say the fleet is too small."""
    asked = problem(4, [van(capacity=1)], [delivery("a", 1), delivery("b", 2, None, 0, priority=5), delivery("c", 3)])
    plan = _solve(asked)
    assert _served(plan, asked) == {"van": ["b"]}
    assert set(_reasons(plan, asked).values()) == {"fleet_too_small"}


def test_locks_and_skills_bind() -> None:
    """Locked orders ride with their vehicle even where that costs more."""
    skilled = van("skilled", skills=frozenset({"lift"}))
    orders = [
        delivery("a", 1, None, 0, vehicle_ids=frozenset({"other"})),
        delivery("b", 1, None, 0, skills=frozenset({"lift"})),
    ]
    asked = problem(2, [skilled, van("other")], orders)
    assert _served(_solve(asked), asked) == {"skilled": ["b"], "other": ["a"]}


def test_a_lock_that_cannot_be_kept_is_named() -> None:
    """The vehicle is too small, another would do: the lock is the reason."""
    orders = [delivery("a", 1, None, 0, load=(5,), vehicle_ids=frozenset({"small"}))]
    asked = problem(2, [van("small", 1), van("large", 9)], orders)
    assert _reasons(_solve(asked), asked) == {"a": "locked"}


def test_shifts_outside_the_depot_s_hours_serve_nothing() -> None:
    """A night shift at a depot open by day is no error; its vehicle stays."""
    asked = problem(2, [van(shift=TimeWindow(5000, 6000))], [delivery("a", 1)], TimeWindow(0, 1000))
    assert _reasons(_solve(asked), asked) == {"a": "duration"}


def test_breaks_shape_the_day() -> None:
    """Two visits around a break: both are served and the break lies between."""
    vehicle = van(breaks=(Break(400, 500, 200),))
    asked = problem(3, [vehicle], [delivery("a", 1, (0, 400), 100), delivery("b", 2, (600, 900), 50)])
    plan = _solve(asked)
    assert _served(plan, asked) == {"van": ["a", "b"]}
    rests = [rest for stop in plan.rounds[0].stops for rest in (*stop.breaks_before, *stop.breaks_after)]
    assert [rest.end_s - rest.start_s for rest in rests] == [200]


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: problem(2, [van(), van()], []), "vehicles[1].id"),
        (lambda: problem(2, [van()], [delivery("a", 1), delivery("a", 1)]), "shipments[1].id"),
        (lambda: problem(2, [van()], [delivery("a", 7)]), "shipments[0].delivery.location_idx"),
        (lambda: problem(2, [van()], [delivery("a", 1, None, 0, vehicle_ids=frozenset({"x"}))]), "shipments[0].vehicle_ids"),
        (lambda: problem(2, [van(), van("w")], [delivery("a", 1, None, 0, load=(1, 2))]), "shipments[0].load"),
        (lambda: delivery("a", 1, (10, 5)), "end_s"),
        (lambda: delivery("a", 1, (math.nan, 5)), "start_s"),
        (lambda: delivery("a", 1, None, -1), "service_s"),
        (lambda: delivery("a", 1, None, 0, load=(-1,)), "load[0]"),
        (lambda: Shipment("a"), "delivery"),
        (lambda: van(capacity=-1), "capacity[0]"),
        (
            lambda: Vehicle("v", 3, 0, (1,), DAY) and problem(1, [Vehicle("v", 3, 0, (1,), DAY)], []),
            "vehicles[0].start_depot_idx",
        ),
        (lambda: Visit(0, 0, (TimeWindow(0, 5), TimeWindow(3, 9))), "windows[1]"),
        (lambda: Break(5, 1, 1), "latest_s"),
    ],
)
def test_bad_problems_name_the_field(make: Any, field: str) -> None:
    """Every wrong field is named."""
    with pytest.raises(InvalidProblemError) as caught:
        make()
    assert field in [one.field for one in caught.value.findings]


def test_travel_times_must_cover_the_problem() -> None:
    """Too few locations or profiles."""
    with pytest.raises(InvalidProblemError, match="covers 5 locations"):
        solve(problem(9, [van()], []), LINE, iterations=1)
    with pytest.raises(InvalidProblemError, match="no profile 2"):
        solve(problem(2, [van(profile=2)], []), LINE, iterations=1)


def test_a_window_after_every_shift_leaves_out_that_order_only() -> None:
    """One order nobody can reach in its window is unserved with a reason; the others are served."""
    orders = [delivery("a", 1), delivery("late", 2, window=(500_000, 600_000)), delivery("b", 3)]
    asked = problem(4, [van(shift=TimeWindow(0, 5000))], orders)
    plan = _solve(asked, iterations=20)
    assert list(_reasons(plan, asked)) == ["late"]
    assert sorted(name for names in _served(plan, asked).values() for name in names) == ["a", "b"]

"""Bad input: what is wrong is named, what can be mended is and said, what can be served is."""

import math
from typing import Any

import numpy as np
import pytest

from routing.rounds.api import Problem, Shipment, TimeWindow, TravelTimes, Visit, list_violations, solve
from routing.rounds.errors import InvalidProblemError
from tests.builders.rounds import DAY, delivery, line_times, problem, van


def _served(asked: Problem, times: TravelTimes) -> tuple[set[str], dict[str, str]]:
    plan = solve(asked, times, iterations=50)
    assert list_violations(asked, times, plan) == []
    served = {asked.shipments[asked.visits[stop.visit_idx][0]].id for one in plan.rounds for stop in one.stops}
    return served, {asked.shipments[one.shipment_idx].id: one.reasons[0] for one in plan.unserved}


def test_a_missing_load_is_none() -> None:
    """An order without a load, or with fewer dimensions than the vehicle, takes nothing of the others."""
    asked = problem(3, [van(capacity=1)], [delivery("a", 1, load=()), delivery("b", 2, load=(1,))])
    assert _served(asked, line_times([0, 1, 2])) == ({"a", "b"}, {})


def test_the_servable_part_is_planned_whatever_else_is_asked() -> None:
    """Windows long past, service longer than the shift, no way, too large, too long a ride: each named, the rest served."""
    metres = line_times([0, 100, 200, 300]).arrays.matrix_s[0].copy()
    metres[:, 3] = math.inf
    times = TravelTimes.static(metres)
    ride = Shipment("ride", (1,), Visit(1), Visit(2), max_ride_s=10.0)
    orders = [
        delivery("fine", 1), delivery("past", 2, (-900, -800)), delivery("slow", 1, None, 20_000), delivery("island", 3),
        delivery("huge", 1, None, 0, load=(99,)), ride,
    ]  # fmt: skip
    expected = {"past": "time_window", "slow": "duration", "island": "unreachable", "huge": "capacity", "ride": "ride"}
    assert _served(problem(4, [van()], orders), times) == ({"fine"}, expected)


def test_asymmetric_times_are_taken_as_they_are() -> None:
    """There and back differ: the round costs what both say."""
    times = TravelTimes.static([[0, 10], [70, 0]])
    asked = problem(2, [van()], [delivery("a", 1)])
    assert solve(asked, times, iterations=10).cost == pytest.approx(80)
    assert solve(asked, times, iterations=10).warnings == ()


def test_times_that_let_one_overtake_are_mended_and_said() -> None:
    """Ten minutes before nine, one minute at nine: who leaves at a quarter to arrives no later than who leaves at nine."""
    late, soon = np.full((2, 2), 600), np.full((2, 2), 60)
    np.fill_diagonal(late, 0)
    np.fill_diagonal(soon, 0)
    times = TravelTimes.slots([0, 100], [late, soon])
    plan = solve(problem(2, [van()], [delivery("a", 1)]), times, iterations=10)
    assert times.arrival_s(0, 0, 1, 0.0) == times.arrival_s(0, 0, 1, 100.0) == 160.0
    assert plan.warnings == times.warnings
    assert plan.warnings[0].startswith("2 travel times were lowered")


def test_nothing_to_serve_and_nobody_to_serve_it() -> None:
    """No orders: an empty plan; no vehicles: everything unserved, with that reason; neither: an empty plan."""
    times = line_times([0, 1])
    assert _served(problem(2, [van()], []), times) == (set(), {})
    assert _served(problem(2, [], []), times) == (set(), {})
    assert _served(problem(2, [], [delivery("a", 1)]), times) == (set(), {"a": "no_vehicles"})


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: van(max_length_m=math.nan), "max_length_m"),
        (lambda: van(max_duration_s=math.nan), "max_duration_s"),
        (lambda: van(max_duration_s=-1.0), "max_duration_s"),
        (lambda: van(max_stops=-1), "max_stops"),
        (lambda: van(cost_per_s=math.nan), "cost_per_s"),
        (lambda: van(fixed_cost=math.inf), "fixed_cost"),
        (lambda: TimeWindow(0, math.nan), "end_s"),
        (lambda: delivery("a", 1, None, math.nan), "service_s"),
        (lambda: delivery("a", 1, prize=math.nan), "prize"),
        (lambda: delivery("a", 1, priority=101), "priority"),
        (lambda: problem(2, [van()], [delivery("a", -1)]), "shipments[0].delivery.location_idx"),
        (lambda: TravelTimes.static([[0.0, math.nan], [1.0, 0.0]]), "duration_s"),
        (lambda: TravelTimes.static([[0.0, 1.0], [1.0, 0.0]], [[0.0, math.nan], [1.0, 0.0]]), "length_m"),
        (lambda: TravelTimes.slots([0, 0], np.zeros((2, 2, 2))), "slots_s"),
        (lambda: TravelTimes.slots([0, math.nan], np.zeros((2, 2, 2))), "slots_s"),
        (lambda: TravelTimes.slots([0], [[[0.0, math.nan], [0.0, 0.0]]]), "duration_s"),
        (lambda: solve(problem(3, [van()], []), line_times([0, 1]), iterations=1), "travel_times"),
        (lambda: solve(problem(2, [van(profile=1)], []), line_times([0, 1]), iterations=1), "vehicles[0].profile"),
        (
            lambda: solve(problem(2, [van("v", 1, DAY, profile=-1)], []), line_times([0, 1]), iterations=1),
            "vehicles[0].profile",
        ),
    ],
)
def test_what_makes_no_sense_is_named(make: Any, field: str) -> None:
    """NaN, infinite and negative values, unknown places and profiles: the error names the field."""
    with pytest.raises(InvalidProblemError) as caught:
        make()
    assert field in [one.field for one in caught.value.findings]


def test_all_that_is_wrong_is_named_at_once() -> None:
    """Two unknown places and a repeated id are three findings of one error."""
    with pytest.raises(InvalidProblemError) as caught:
        problem(2, [van(), van()], [delivery("a", 7), delivery("b", 8)])
    assert [one.field for one in caught.value.findings] == [
        "vehicles[1].id", "shipments[0].delivery.location_idx", "shipments[1].delivery.location_idx",
    ]  # fmt: skip

"""Which problems a plan in memory holds: without dues, rides, bonds, preferences, service by vehicle, overtime, parking."""

from typing import Any

import pytest

from routing.rounds.api import DrivingRules, Problem, Shipment, Visit, solve
from routing.rounds.errors import InvalidProblemError
from routing.rounds.live import LivePlan
from routing.rounds.plain import is_plain, is_plain_shipment
from tests.builders.rounds import delivery, line_times, problem, van

PLACES = [0.0, 100.0, 200.0]
PAIR: dict[str, Any] = {"pickup": Visit(1), "delivery": Visit(2)}
WISHES = [
    Shipment("due", (1,), delivery=Visit(1, due_s=5.0, late_cost_per_s=1.0)),
    Shipment("ride", (1,), **PAIR, max_ride_s=500.0),
    Shipment("together", (1,), delivery=Visit(1), together="t"),
    Shipment("apart", (1,), delivery=Visit(1), apart="a"),
    Shipment("wish", (1,), delivery=Visit(1), preferred_vehicle_ids=frozenset({"van"}), other_vehicle_cost=3.0),
    Shipment("by class", (1,), delivery=Visit(1, service_by_class=(("bicycle", 5.0),))),
]
VEHICLES: list[dict[str, Any]] = [
    {"service_factor": 0.5},
    {"overtime_after_s": 100.0, "overtime_cost_per_s": 1.0},
    {"balance_cost_per_s2": 1.0},
    {"driving_rules": DrivingRules()},
    {"max_reloads": 1},
]


def _usual() -> Problem:
    """Windows, pairs, breaks, limits and classes of vehicles that no service depends on."""
    fleet = [van("van", max_duration_s=5000.0), van("bike", service_class="bicycle")]
    return problem(3, fleet, [delivery("a", 1, (0, 900)), Shipment("b", (1,), **PAIR)])


def test_the_usual_problem_is_plain() -> None:
    """What changes in place: all but the wishes below."""
    assert is_plain(_usual(), [0, 0, 0])
    assert not is_plain(_usual(), [0, 60, 0])


@pytest.mark.parametrize("wish", WISHES, ids=lambda one: one.id)
def test_a_wish_is_not_plain_and_refused_in_memory(wish: Shipment) -> None:
    """In a problem and as an order that joins; the plan in memory stays as it was."""
    usual, times = _usual(), line_times(PLACES)
    whole = problem(3, usual.vehicles, [*usual.shipments, wish])
    assert not is_plain_shipment(wish)
    assert not is_plain(whole)
    with pytest.raises(InvalidProblemError, match="cannot change in place"):
        LivePlan(whole, times, solve(whole, times, iterations=20), -1.0)
    live = LivePlan(usual, times, solve(usual, times, iterations=20), -1.0)
    before = live.plan
    with pytest.raises(InvalidProblemError, match="cannot change in place"):
        live.insert(wish)
    assert live.plan == before
    live.check()


@pytest.mark.parametrize("own", VEHICLES)
def test_vehicles_of_their_own_pace_or_price_are_not_plain(own: dict[str, Any]) -> None:
    """Service times by a factor, overtime that is paid."""
    assert not is_plain(problem(3, [van("van", **own)], [delivery("a", 1)]))


def test_a_vehicle_of_another_class_serves_what_is_inserted() -> None:
    """Classes of vehicles are kept apart in the arrays; an order inserted takes its time in each of them."""
    usual, times = _usual(), line_times(PLACES)
    live = LivePlan(usual, times, solve(usual, times, iterations=20), -1.0)
    change = live.insert(Shipment("c", (1,), delivery=Visit(2, 70.0), vehicle_ids=frozenset({"bike"})))
    assert change.vehicle_idx == 1
    stop = next(stop for stop in change.after[1].stops if live.problem.visits[stop.visit_idx][0] == 2)
    assert stop.departure_s - stop.start_s == 70.0
    live.check()

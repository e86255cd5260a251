"""The validator passes right plans and catches every kind of violation put into one."""

from dataclasses import replace
from typing import Any

import pytest

from routing.rounds.api import Break, Plan, Shipment, TimeWindow, Unserved, Vehicle, Visit, build_plan, list_violations
from routing.rounds.errors import InfeasiblePlanError
from routing.rounds.plan import PlannedBreak
from routing.rounds.validate import check_plan
from tests.builders.rounds import DAY, delivery, line_times, problem, van

PAIR = Shipment("pair", (2,), Visit(2, 5), Visit(3, 5))
TIMES = line_times([0, 100, 200, 300])
ASKED = problem(
    4,
    [
        van("v", 4, max_duration_s=2000.0, max_length_m=2000.0, max_stops=4, breaks=(Break(300, 600, 50),), cost_per_m=1.0),
        van("w", 1, skills=frozenset({"cold"})),
    ],
    [delivery("a", 1, (200, 300), 10), PAIR, delivery("cold", 1, None, 0, skills=frozenset({"cold"}))],
)
PLAN = build_plan(ASKED, TIMES, [[0, 1, 2], [3]])


def _changed(round_idx: int = 0, stop_idx: int | None = None, **values: Any) -> Plan:
    """PLAN with fields of one round, or of one of its stops, replaced."""
    one = PLAN.rounds[round_idx]
    if stop_idx is None:
        one = replace(one, **values)
    else:
        stops = list(one.stops)
        stops[stop_idx] = replace(stops[stop_idx], **values)
        one = replace(one, stops=tuple(stops))
    rounds = list(PLAN.rounds)
    rounds[round_idx] = one
    return replace(PLAN, rounds=tuple(rounds))


def _reordered(*order: int) -> Plan:
    stops = PLAN.rounds[0].stops
    return _changed(stops=tuple(stops[k] for k in order))


def test_a_right_plan_passes() -> None:
    """Nothing is found in what the engine timed."""
    assert list_violations(ASKED, TIMES, PLAN) == []
    assert check_plan(ASKED, TIMES, PLAN) is PLAN


FIRST = PLAN.rounds[0]
REST = next(stop for stop in FIRST.stops if stop.breaks_before or stop.breaks_after)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (_changed(departure_s=-5.0), "leaves at"),
        (_changed(end_s=FIRST.end_s + 9), "says it ends"),
        (_changed(cost=0.0), "its cost"),
        (_changed(length_m=1.0), "its length"),
        (_changed(driving_s=1.0), "driving time"),
        (_changed(load_start=(3,)), "other loads"),
        (_changed(stop_idx=0, arrival_s=1.0), "says it is reached"),
        (_changed(stop_idx=0, start_s=FIRST.stops[0].arrival_s - 50), "before the vehicle is ready"),
        (_changed(stop_idx=0, start_s=900.0, departure_s=910.0), "outside its time windows"),
        (_changed(stop_idx=0, departure_s=FIRST.stops[0].departure_s - 5), "service lasts"),
        (_changed(stop_idx=1, breaks_before=(), breaks_after=()), "breaks"),
        (_changed(stop_idx=FIRST.stops.index(REST), breaks_before=(PlannedBreak(0, 50),), breaks_after=()), "rest"),
        (_reordered(0, 2, 1), "before it is picked up"),
        (_reordered(0, 1), "does not deliver it"),
        (_reordered(0, 1, 2, 2), "visited 2 times"),
        (_reordered(1, 2), "neither served nor listed"),
        (_changed(vehicle_idx=1), "two rounds"),
        (_changed(1, vehicle_idx=0), "may not carry"),
        (replace(PLAN, unserved=(Unserved(0, (), ""),)), "served and listed"),
        (replace(PLAN, unserved=(Unserved(0, (), ""),) * 2), "twice"),
        (replace(PLAN, cost=PLAN.cost + 1), "its parts cost"),
        (_changed(stops=()), "without stops"),
    ],
)
def test_every_violation_is_found(plan: Plan, message: str) -> None:
    """Each mutation of a right plan is named."""
    found = list_violations(ASKED, TIMES, plan)
    assert any(message in text for text in found), found
    with pytest.raises(InfeasiblePlanError):
        check_plan(ASKED, TIMES, plan)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_duration_s": 10.0}, "longer than"),
        ({"max_length_m": 10.0}, "more than 10 m"),
        ({"max_stops": 1}, "more than 1"),
        ({"capacity": (1,)}, "load dimension 0"),
        ({"shift": TimeWindow(0, 300)}, "after the shift's end"),
        ({"breaks": (Break(250, 260, 5),)}, "breaks"),
    ],
)
def test_limits_of_the_vehicle_are_checked(limits: dict[str, Any], message: str) -> None:
    """A plan made for wider limits is refused under narrow ones."""
    vehicle: Vehicle = replace(ASKED.vehicles[0], **limits)
    narrow = problem(4, [vehicle, ASKED.vehicles[1]], ASKED.shipments)
    assert any(message in text for text in list_violations(narrow, TIMES, PLAN))


def test_depot_s_closing_time_is_checked() -> None:
    """The end of a round lies within the opening hours of its depot."""
    shut = problem(4, ASKED.vehicles, ASKED.shipments, TimeWindow(DAY.start_s, 400))
    assert any("depot closed" in text for text in list_violations(shut, TIMES, PLAN))

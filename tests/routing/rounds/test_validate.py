"""The validator passes right plans and catches every kind of violation put into one."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from routing.rounds.api import (
    Break,
    DeliveryRound,
    Plan,
    Shipment,
    TimeWindow,
    Unserved,
    Vehicle,
    Visit,
    build_plan,
    list_violations,
)
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


@cache
def _plan() -> Plan:
    """The right plan; not made while tests are collected, which would compile its kernels."""
    return build_plan(ASKED, TIMES, [[0, 1, 2], [3]])


def _changed(round_idx: int = 0, stop_idx: int | None = None, **values: Any) -> Plan:
    """The plan with fields of one round, or of one of its stops, replaced."""
    one = _plan().rounds[round_idx]
    if stop_idx is None:
        one = replace(one, **values)
    else:
        stops = list(one.stops)
        stops[stop_idx] = replace(stops[stop_idx], **values)
        one = replace(one, stops=tuple(stops))
    rounds = list(_plan().rounds)
    rounds[round_idx] = one
    return replace(_plan(), rounds=tuple(rounds))


def _reordered(*order: int) -> Plan:
    stops = _plan().rounds[0].stops
    return _changed(stops=tuple(stops[k] for k in order))


def test_a_right_plan_passes() -> None:
    """Nothing is found in what the engine timed."""
    assert list_violations(ASKED, TIMES, _plan()) == []
    assert check_plan(ASKED, TIMES, _plan()) is _plan()


def _first() -> DeliveryRound:
    return _plan().rounds[0]


def _rest() -> int:
    """Which stop of the first round has the rest."""
    return next(k for k, stop in enumerate(_first().stops) if stop.breaks_before or stop.breaks_after)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _changed(departure_s=-5.0), "leaves at"),
        (lambda: _changed(end_s=_first().end_s + 9), "says it ends"),
        (lambda: _changed(cost=0.0), "its cost"),
        (lambda: _changed(length_m=1.0), "its length"),
        (lambda: _changed(driving_s=1.0), "driving time"),
        (lambda: _changed(load_start=(3,)), "other loads"),
        (lambda: _changed(stop_idx=0, arrival_s=1.0), "says it is reached"),
        (lambda: _changed(stop_idx=0, start_s=_first().stops[0].arrival_s - 50), "before the vehicle is ready"),
        (lambda: _changed(stop_idx=0, start_s=900.0, departure_s=910.0), "outside its time windows"),
        (lambda: _changed(stop_idx=0, departure_s=_first().stops[0].departure_s - 5), "service lasts"),
        (lambda: _changed(stop_idx=1, breaks_before=(), breaks_after=()), "breaks"),
        (lambda: _changed(stop_idx=_rest(), breaks_before=(PlannedBreak(0, 50),), breaks_after=()), "rest"),
        (lambda: _reordered(0, 2, 1), "before it is picked up"),
        (lambda: _reordered(0, 1), "does not deliver it"),
        (lambda: _reordered(0, 1, 2, 2), "visited 2 times"),
        (lambda: _reordered(1, 2), "neither served nor listed"),
        (lambda: _changed(vehicle_idx=1), "two rounds"),
        (lambda: _changed(1, vehicle_idx=0), "may not carry"),
        (lambda: replace(_plan(), unserved=(Unserved(0, (), ""),)), "served and listed"),
        (lambda: replace(_plan(), unserved=(Unserved(0, (), ""),) * 2), "twice"),
        (lambda: replace(_plan(), cost=_plan().cost + 1), "its parts cost"),
        (lambda: _changed(stops=()), "without stops"),
    ],
)
def test_every_violation_is_found(make: Callable[[], Plan], message: str) -> None:
    """Each mutation of a right plan is named."""
    plan = make()
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
    assert any(message in text for text in list_violations(narrow, TIMES, _plan()))


def test_depot_s_closing_time_is_checked() -> None:
    """The end of a round lies within the opening hours of its depot."""
    shut = problem(4, ASKED.vehicles, ASKED.shipments, TimeWindow(DAY.start_s, 400))
    assert any("depot closed" in text for text in list_violations(shut, TIMES, _plan()))

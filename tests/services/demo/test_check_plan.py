"""The independent check of a plan finds every planted violation, and nothing in a right plan."""

import re
from collections.abc import Callable

import pytest
from traboule.common.v1 import time_pb2
from traboule.rounds.v1 import plan_pb2, problem_pb2

from services.demo.check_plan import list_violations

Stop = plan_pb2.RoundStop
Day = tuple[problem_pb2.Problem, plan_pb2.Plan]
Change = Callable[[Day], None]


def drawn() -> tuple[problem_pb2.Problem, plan_pb2.Plan]:
    """Two orders and one left out, one van with a break; times in seconds after its shift begins at 10 000."""
    problem = problem_pb2.Problem()
    for name, load, window in (("a", 3, (10_500, 11_500)), ("b", 4, None), ("c", 9, None)):
        order = problem.shipments.add(shipment_id=name, loads=[load])
        order.delivery.service_s = 300
        if window:
            order.delivery.windows.append(time_pb2.TimeRange(start_unix_s=window[0], end_unix_s=window[1]))
    van = problem.vehicles.add(vehicle_id="van", capacities=[10])
    van.shift.CopyFrom(time_pb2.TimeRange(start_unix_s=10_000, end_unix_s=20_000))
    pause = time_pb2.TimeRange(start_unix_s=11_000, end_unix_s=13_000)
    van.breaks.append(problem_pb2.Break(duration_s=600, start_window=pause))
    plan = plan_pb2.Plan()
    row = plan.rounds.add(vehicle_id="van")
    add(row, Stop.KIND_START, "", 10_000, 10_000, 10_000, 0)
    add(row, Stop.KIND_DELIVERY, "a", 10_400, 10_500, 10_800, 400)
    add(row, Stop.KIND_BREAK, "", 11_000, 11_000, 11_600, 200)
    add(row, Stop.KIND_DELIVERY, "b", 12_900, 12_900, 13_200, 1300)
    add(row, Stop.KIND_END, "", 13_700, 13_700, 13_700, 500)
    plan.unserved.add(shipment_id="c")
    return problem, plan


def add(row: plan_pb2.DeliveryRound, kind: Stop.Kind.ValueType, shipment: str, *times: int) -> None:
    """Append a stop: arrival, start, departure, seconds of the leg to it."""
    stop = row.stops.add(kind=kind, shipment_id=shipment)
    stop.arrival_unix_s, stop.start_unix_s, stop.departure_unix_s, stop.leg.duration_s = times


def stops(plan: plan_pb2.Plan) -> dict[str, Stop]:
    """Stops by the order of the drawing."""
    return dict(zip(("start", "a", "break", "b", "end"), plan.rounds[0].stops, strict=True))


def test_a_right_plan_has_no_violation() -> None:
    """Or all else would prove nothing."""
    assert list_violations(*drawn()) == []


def test_an_unused_van_breaks_nothing() -> None:
    """It stands at the depot from the start to the end of its shift."""
    problem, plan = drawn()
    problem.vehicles.add(vehicle_id="idle", capacities=[10])
    row = plan.rounds.add(vehicle_id="idle")
    add(row, Stop.KIND_START, "", 0, 0, 0, 0)
    add(row, Stop.KIND_END, "", 0, 0, 0, 0)
    assert list_violations(problem, plan) == []


def lose_an_order(day: Day) -> None:
    """Lose an order."""
    del day[1].unserved[:]


def serve_twice(day: Day) -> None:
    """Serve twice."""
    day[1].unserved.add(shipment_id="a")


def invent_a_van(day: Day) -> None:
    """Invent a van."""
    day[1].rounds[0].vehicle_id = "ghost"


def leave_early(day: Day) -> None:
    """Leave early."""
    stops(day[1])["start"].departure_unix_s = 9_900


def return_late(day: Day) -> None:
    """Return late."""
    end = stops(day[1])["end"]
    end.arrival_unix_s = end.start_unix_s = end.departure_unix_s = 20_100


def travel_too_fast(day: Day) -> None:
    """Travel too fast."""
    stops(day[1])["b"].leg.duration_s = 1400


def go_back_in_time(day: Day) -> None:
    """Go back in time."""
    stops(day[1])["b"].start_unix_s = 12_800


def overload(day: Day) -> None:
    """Overload."""
    day[0].vehicles[0].capacities[0] = 6


def miss_a_window(day: Day) -> None:
    """Miss a window."""
    day[0].shipments[0].delivery.windows[0].start_unix_s = 10_510


def hurry_a_service(day: Day) -> None:
    """Hurry a service."""
    day[0].shipments[1].delivery.service_s = 310


def shorten_the_break(day: Day) -> None:
    """Shorten the break."""
    day[0].vehicles[0].breaks[0].duration_s = 610


def move_the_break(day: Day) -> None:
    """Move the break."""
    window = day[0].vehicles[0].breaks[0].start_window
    window.start_unix_s, window.end_unix_s = 11_010, 13_010


def drop_the_break(day: Day) -> None:
    """Drop the break."""
    del day[1].rounds[0].stops[2]


VIOLATIONS: dict[Change, str] = {
    lose_an_order: "orders are missing", serve_twice: "stand in the plan twice", invent_a_van: "ghost is no vehicle",
    leave_early: "van leaves before its shift", return_late: "van returns after its shift",
    travel_too_fast: "van travels faster than its leg to b", go_back_in_time: "times go back at b",
    overload: r"van carries \[7\] of \[6\]", miss_a_window: "a is served outside its window",
    hurry_a_service: "b gets too little time",
    shorten_the_break: "no break within its window", move_the_break: "no break within its window",
    drop_the_break: "no break within its window",
}  # fmt: skip


@pytest.mark.parametrize("change", VIOLATIONS, ids=lambda change: change.__name__)
def test_each_planted_violation_is_found_and_named(change: Change) -> None:
    """By the vehicle or the order at fault."""
    day = drawn()
    change(day)
    found = "; ".join(list_violations(*day))
    assert re.search(VIOLATIONS[change], found), found

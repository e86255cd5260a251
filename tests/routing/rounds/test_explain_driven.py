"""Why an order is not served once vehicles are on the road: what lies at the depot cannot be fetched any more."""

import numpy as np
import pytest

from routing.rounds.api import Shipment, TimeWindow, Visit, solve
from routing.rounds.live import LivePlan
from routing.rounds.replan import insert_shipment, residual
from tests.builders.rounds import delivery, line_times, problem, van


@pytest.mark.parametrize("now_s", [90.0, 120.0, 900.0])
def test_what_lies_at_the_depot_when_all_have_left(now_s: int) -> None:
    """While a van drives, and after its return: not for want of skills, a way or time."""
    times, day = line_times([0, 50, 60]), TimeWindow(0, 1000)
    asked = problem(3, [van(shift=day)], [delivery("a", 1, service=10)], depot=day)
    plan = solve(asked, times, iterations=10)
    late = delivery("late", 2)
    more = problem(3, asked.vehicles, [*asked.shipments, late], depot=day)
    found = insert_shipment(residual(more, plan, now_s), times, 1)
    told = [*found.plan.unserved, *LivePlan(asked, times, plan, now_s).insert(late).lost]
    assert [one.reasons for one in told] == [("departed",)] * 2
    assert all("left the place where it lies" in one.message for one in told)


def test_the_shift_is_over() -> None:
    """A pickup that could be fetched on the way is too late when the shift ends; there is a way all the same."""
    times, day = line_times([0, 50, 60]), TimeWindow(0, 1000)
    asked = problem(3, [van(shift=day)], [delivery("a", 1, service=10)], depot=day)
    plan = solve(asked, times, iterations=10)
    parcel = Shipment("parcel", (1,), pickup=Visit(2, 10))
    more = problem(3, asked.vehicles, [*asked.shipments, parcel], depot=day)
    reasons = {}
    for now_s in (120.0, 950.0, 5000.0):
        found = insert_shipment(residual(more, plan, now_s), times, 1)
        reasons[now_s] = [one.reasons[0] for one in found.plan.unserved]
    assert reasons == {120.0: [], 950.0: ["duration"], 5000.0: ["duration"]}
    assert np.isfinite(times.arrays.matrix_s).all()

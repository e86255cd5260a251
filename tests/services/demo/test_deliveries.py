"""The drawn day of deliveries is the same for the same seed, and is the example in the repository."""

import json
import math
from zoneinfo import ZoneInfo

from google.protobuf.json_format import MessageToDict, ParseDict
from traboule.rounds.v1 import plan_pb2, problem_pb2

from services.city.snapshot import CitySnapshot
from services.common.status import validate
from services.demo.deliveries import CAPACITY, RADIUS_DEG, SHIFT_H, draw_problem
from services.demo.plan_pictures import HANDOVER, plan_gantt
from tests.builders.shared_data import ROOT

DEPOT = (41.17, -8.65)
UTC = ZoneInfo("UTC")


def test_the_same_seed_draws_the_same_day(porto_snapshot: CitySnapshot) -> None:
    """Another seed another one."""
    first = draw_problem(porto_snapshot, DEPOT, seed=7)
    assert draw_problem(porto_snapshot, DEPOT, seed=7) == first
    assert draw_problem(porto_snapshot, DEPOT, seed=8) != first


def test_the_day_is_a_problem_that_the_contract_accepts(porto_snapshot: CitySnapshot) -> None:
    """Sixty different orders round the depot, three vans that can carry them, windows within the shift."""
    problem = draw_problem(porto_snapshot, DEPOT)
    validate(problem)
    assert len({order.shipment_id for order in problem.shipments}) == 60
    assert sum(order.loads[0] for order in problem.shipments) <= 3 * CAPACITY
    shift = problem.vehicles[0].shift
    assert shift.end_unix_s - shift.start_unix_s == 3600 * (SHIFT_H[1] - SHIFT_H[0])
    with_window = 0
    for order in problem.shipments:
        at = order.delivery.location.point
        assert math.hypot(at.lat_deg - DEPOT[0], (at.lon_deg - DEPOT[1]) * 0.75) < RADIUS_DEG + 1e-5
        for window in order.delivery.windows:
            with_window += 1
            assert shift.start_unix_s <= window.start_unix_s < window.end_unix_s <= shift.end_unix_s
    assert 10 <= with_window <= 30, "about a third"
    assert ParseDict(MessageToDict(problem), problem_pb2.Problem()) == problem


def test_the_example_in_the_repository_is_of_this_kind() -> None:
    """It parses and keeps the contract."""
    text = (ROOT / "cities" / "porto" / "examples" / "deliveries.json").read_text(encoding="utf-8")
    problem = ParseDict(json.loads(text), problem_pb2.Problem())
    validate(problem)
    assert [van.vehicle_id for van in problem.vehicles] == ["van-1", "van-2", "van-3"]


def test_handovers_at_hubs_are_seen_in_the_chart() -> None:
    """In a colour and a legend of their own, which plans without hubs do not have."""
    plan = plan_pb2.Plan()
    row = plan.rounds.add(vehicle_id="van")
    for kind, at in ((plan_pb2.RoundStop.KIND_START, 3600), (plan_pb2.RoundStop.KIND_TRANSFER, 7200)):
        row.stops.add(kind=kind, shipment_id="o1", hub_id="h", arrival_unix_s=at, start_unix_s=at, departure_unix_s=at + 300)
    drawn = plan_gantt(plan, UTC)
    assert drawn.count(HANDOVER["handover"]) == 2, "a bar and the legend"
    assert "o1 to h" in drawn
    row.stops[1].kind = plan_pb2.RoundStop.KIND_DELIVERY
    assert HANDOVER["handover"] not in plan_gantt(plan, UTC)

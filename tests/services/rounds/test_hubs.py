"""Micro-hubs of the contract: mapped, planned by what a solver process calls, and told of in the plan."""

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import plan_pb2, problem_pb2, rounds_service_pb2

from routing.rounds.api import TravelTimes
from routing.rounds.hub_search import solve_hubs
from services.common.errors import InvalidInput, Unimplemented
from services.common.status import InvalidRequest
from services.rounds.codec import build_problem, decode_plan, encode_plan, parts_of
from services.rounds.hub_mapping import refuse_hubs
from services.rounds.mapping import problem_from_proto
from services.rounds.plan_mapping import plan_to_proto
from services.rounds.pool import Backend
from services.rounds.runner import order_of

MORNING = 1_785_222_000
SHIFT = {"start_unix_s": MORNING, "end_unix_s": MORNING + 8 * 3600}
VAN = {"vehicle_id": "van", "kind": 1, "shift": SHIFT, "cost": {"fixed": 10.0, "per_km": 2.0}}
BIKE = {"vehicle_id": "bike", "kind": 3, "shift": SHIFT, "cost": {"fixed": 1.0, "per_km": 0.1}, "hub_id": "h"}


def _place(lat: float) -> dict[str, Any]:
    return {"point": {"lat_deg": lat, "lon_deg": 2.0}}


def _resolve(location: geo_pb2.Location, _path: str) -> tuple[float, float]:
    return location.point.lat_deg, location.point.lon_deg


def _problem(*, hub: dict[str, Any] | None = None, bike: dict[str, Any] | None = None) -> problem_pb2.Problem:
    """A depot at 0, a hub at 10, four orders beyond it, each way out and back there dear for the van."""
    own = {"hub_id": "h", "location": _place(10.0), "transfer_s": 60, "cost": 2.0} | (hub or {})
    orders = [{"shipment_id": f"o{k}", "delivery": {"location": _place(10.0 + k)}, "loads": [1]} for k in range(1, 5)]
    return problem_pb2.Problem(
        vehicles=[
            problem_pb2.Vehicle(**VAN | {"start": _place(0.0)}),
            problem_pb2.Vehicle(**BIKE | {"start": _place(10.0)} | (bike or {})),
        ],
        shipments=[problem_pb2.Shipment(**one) for one in orders],
        hubs=[problem_pb2.Hub(**own)],
    )


def test_planned_over_a_hub_and_told() -> None:
    """Goods go over the hub where that is cheaper; transfers, stops, order and cost are told, and survive the wire."""
    mapped = problem_from_proto(_problem(), _resolve)
    at = np.array([lat for lat, _ in mapped.points])
    metres = 1000.0 * np.abs(at[:, None] - at[None, :])
    times = TravelTimes.static(np.stack([metres / 10, metres / 10]), metres)
    plan = decode_plan(encode_plan(solve_hubs(build_problem(parts_of(mapped.problem)), times, iterations=600)))
    message = plan_to_proto(plan, mapped)
    assert {one.shipment_id for one in message.transfers} == {"o1", "o2", "o3", "o4"}
    van, bike = message.rounds
    handed = [stop for stop in van.stops if stop.kind == plan_pb2.RoundStop.KIND_TRANSFER]
    assert {(stop.shipment_id, stop.hub_id) for stop in handed} == {(f"o{k}", "h") for k in range(1, 5)}
    assert [stop.departure_unix_s - stop.start_unix_s for stop in handed] == [60] * 4
    assert all(one.ready_unix_s <= one.fetched_unix_s == bike.departure_unix_s for one in message.transfers)
    assert message.served_count == 4
    assert message.cost == pytest.approx(10.0 + 2.0 * 20 + 1.0 + 0.1 * 8 + 2.0)


def test_hubs_and_vehicles_must_agree() -> None:
    """Unknown hubs, other starts, several spans of hours, other dimensions and equal ids are named."""
    spans = [{"start_unix_s": MORNING, "end_unix_s": MORNING + 60}] * 2
    for changes, field in (
        ({"bike": {"hub_id": "x"}}, "vehicles[1].hub_id"),
        ({"bike": {"hub_id": ""}}, "vehicles[1].hub_id"),
        ({"bike": {"start": _place(9.0)}}, "vehicles[1].start"),
        ({"hub": {"capacities": [1, 2]}}, "hubs[0].capacities"),
        ({"hub": {"windows": spans}}, "hubs[0].windows"),
        ({"bike": {"may_reload": True}}, "vehicles[1].max_reloads"),
    ):
        with pytest.raises((InvalidInput, InvalidRequest, Unimplemented), match=field.replace("[", r"\[").replace("]", r"\]")):
            problem_from_proto(_problem(**changes), _resolve)


def test_what_is_not_combined_is_refused() -> None:
    """Windows with a probability, and everything about rounds that were planned."""
    mapped = problem_from_proto(_problem(), _resolve)
    with pytest.raises(Unimplemented, match="window_probability"):
        order_of(mapped, None, rounds_service_pb2.SolveLimits(window_probability=0.9), Backend())  # type: ignore[arg-type]
    with pytest.raises(Unimplemented, match="hubs"):
        refuse_hubs(_problem())


def test_the_latest_return_is_asked_for_without_hubs_and_probabilities() -> None:
    """MAKESPAN reaches the solver; with hubs or windows of a probability it is refused by its field."""
    message = _problem()
    message.objective.kind = problem_pb2.Objective.KIND_MAKESPAN
    with pytest.raises(Unimplemented, match=r"objective\.kind"):
        problem_from_proto(message, _resolve)
    del message.hubs[:]
    del message.vehicles[1:]
    mapped, built = problem_from_proto(message, _resolve), Mock(travel_times=TravelTimes.static(np.ones((5, 5))))
    assert order_of(mapped, built, rounds_service_pb2.SolveLimits(), Backend()).earliest
    assert [(one.cost_per_s, one.cost_per_m, one.fixed_cost) for one in mapped.problem.vehicles] == [(1.0, 0.0, 0.0)]
    with pytest.raises(Unimplemented, match="MAKESPAN"):
        order_of(mapped, built, rounds_service_pb2.SolveLimits(window_probability=0.9), Backend())

"""What RoundsService refuses, and how it says so."""

from typing import Any

import grpc
import pytest
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.common.rules import Role
from services.common.tokens import issue_development_token
from tests.builders.carriers import drawn_problem, planned, shipment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("token", ["²", "9" * 30, "-1", "x"])
async def test_a_page_token_that_was_not_given_is_refused(service: Any, token: str) -> None:
    """Superscripts, numbers beyond all lists, words."""
    stub, *_ = service
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListRounds(pb.ListRoundsRequest(page_token=token))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "page_token" in (caught.value.details() or "")


async def test_another_tenant_sees_nothing(service: Any) -> None:
    """Rounds of one carrier do not exist for another, whatever it asks; nothing is kept of its asking."""
    stub, _, _, config = service
    rounds_id = await planned(stub)
    token = issue_development_token(config.home, Role.LOGISTICS, tenant="somebody-else")
    metadata = (("authorization", f"Bearer {token}"),)
    order = shipment(99, 41.1550, -8.6200)
    calls = [
        stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id), metadata=metadata),
        stub.CancelRounds(pb.CancelRoundsRequest(rounds_id=rounds_id), metadata=metadata),
        stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=order), metadata=metadata),
        stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, refusal=pb.Refusal(shipment_id="o1")), metadata=metadata),
        stub.ExplainUnserved(pb.ExplainUnservedRequest(rounds_id=rounds_id), metadata=metadata),
        stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds_id), metadata=metadata).read(),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert not (await stub.ListRounds(pb.ListRoundsRequest(), metadata=metadata)).rounds


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"vehicles": []}, grpc.StatusCode.INVALID_ARGUMENT, "vehicles"),
        ({"shipments": [shipment(0, 48.0, 2.0)]}, grpc.StatusCode.INVALID_ARGUMENT, "shipments[0].delivery.location"),
        ({"shipments": [shipment(0, 41.15, -8.62)] * 2}, grpc.StatusCode.INVALID_ARGUMENT, "shipments[1].shipment_id"),
        ({"shipments": [shipment(0, 41.15, -8.62, max_ride_s=60)]}, grpc.StatusCode.INVALID_ARGUMENT, "max_ride_s"),
        (
            {"shipments": [shipment(0, 41.15, -8.62, locked_vehicle_id="x")]},
            grpc.StatusCode.INVALID_ARGUMENT,
            "locked_vehicle_id",
        ),
        ({"shipments": [shipment(0, -8.62, 41.15)]}, grpc.StatusCode.INVALID_ARGUMENT, "latitude and longitude swapped"),
        ({"shipments": [shipment(0, 41.1, -8.77)]}, grpc.StatusCode.INVALID_ARGUMENT, "shipments[0].delivery.location"),
    ],
)
async def test_bad_requests_name_the_field(service: Any, change: dict[str, Any], code: grpc.StatusCode, field: str) -> None:
    """Status and field of what is wrong."""
    stub, *_ = service
    problem = drawn_problem(2)
    for name, values in change.items():
        problem.ClearField(name)  # type: ignore[arg-type]
        getattr(problem, name).extend(values)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub.SolveRounds(pb.SolveRoundsRequest(problem=problem)):
            pass
    assert caught.value.code() == code, caught.value.details()
    assert field in (caught.value.details() or "")


async def test_unknown_rounds_are_not_found(service: Any) -> None:
    """An id nobody gave out."""
    stub, *_ = service
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetRounds(pb.GetRoundsRequest(rounds_id="nope"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND

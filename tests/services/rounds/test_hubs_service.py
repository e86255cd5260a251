"""Micro-hubs over real gRPC, on Porto's streets, with a real solver process and state servers."""

from typing import Any

import grpc
import pytest
from traboule.rounds.v1 import problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from tests.builders.carriers import drawn_problem, location, shipment

pytestmark = pytest.mark.slow


def _hub_problem() -> problem_pb2.Problem:
    """The drawn orders; the bike belongs to a hub among them, and the van's hours are dear."""
    problem = drawn_problem()
    place = location(41.1555, -8.6180)
    problem.hubs.add(hub_id="trindade", location=place, transfer_s=20, cost=1.0, capacities=[30])  # type: ignore[arg-type]
    van, bike = problem.vehicles
    van.cost.per_hour, van.cost.fixed = 60.0, 10.0
    bike.cost.per_hour, bike.hub_id = 5.0, "trindade"
    bike.capacities[0] = 12
    bike.start.CopyFrom(problem.hubs[0].location)
    return problem


async def test_planned_over_a_hub_and_then_left_alone(service: Any) -> None:
    """Transfers with their ways; a job keeps them; orders and explanations are refused by the field's name."""
    stub, *_ = service
    limits = pb.SolveLimits(max_iterations=2000, with_polylines=True)
    async for message in stub.SolveRounds(pb.SolveRoundsRequest(problem=_hub_problem(), limits=limits)):
        last = message
    assert last.final
    assert last.plan.served_count == 12
    assert last.plan.transfers
    assert all(one.ready_unix_s <= one.fetched_unix_s for one in last.plan.transfers)
    assert {one.brought_by_vehicle_id for one in last.plan.transfers} == {"van"}
    rounds = (await stub.SubmitRounds(pb.SubmitRoundsRequest(problem=_hub_problem(), limits=limits))).rounds
    async for change in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds.rounds_id)):
        rounds = change.rounds
    assert rounds.state == pb.ROUNDS_STATE_DONE, rounds.explanation
    assert list(rounds.plan.transfers) == list(last.plan.transfers)
    calls = [
        stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds.rounds_id, shipment=shipment(99, 41.15, -8.62))),
        stub.ExplainUnserved(pb.ExplainUnservedRequest(rounds_id=rounds.rounds_id)),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError, match="hubs") as error:
            await call
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED

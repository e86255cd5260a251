"""Rounds move to a rebuilt city: reading a job goes on without a failure, and the next answers come from the new streets."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from traboule.rounds.v1 import problem_pb2, rounds_service_pb2_grpc
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.common.channel import development_tokens, open_channel
from services.common.rules import Role
from tests.builders.cities import draw_city
from tests.builders.journeys import at, point
from tests.builders.swapping import build, served

pytestmark = pytest.mark.usefixtures("compiled_kernels")

WEST, EAST = point((41.1501, -8.6199)), point((41.1500, -8.6161))


def one_order() -> problem_pb2.Problem:
    """One van that brings one parcel along the street."""
    shift = {"start_unix_s": at("09:00"), "end_unix_s": at("12:00")}
    van = problem_pb2.Vehicle(vehicle_id="van", kind=1, capacities=[10], start=WEST, shift=shift)  # type: ignore[arg-type]
    task: Any = {"location": EAST, "service_s": 60}
    return problem_pb2.Problem(vehicles=[van], shipments=[problem_pb2.Shipment(shipment_id="a", delivery=task, loads=[1])])


async def test_reading_goes_on_and_the_old_streets_are_let_go(tmp_path: Path) -> None:
    """A job is read all the time while the city is swapped: no failure, epochs 1 then 2, the old files unmapped."""
    city = draw_city(tmp_path / "drawn")
    old = build(city, tmp_path)
    tokens = development_tokens(tmp_path, Role.LOGISTICS)
    async with served(tmp_path, "rounds") as service, open_channel(service.address, tokens) as channel:
        stub: Any = rounds_service_pb2_grpc.RoundsServiceStub(channel)
        job = (await stub.SubmitRounds(pb.SubmitRoundsRequest(problem=one_order()))).rounds.rounds_id
        await stub.CancelRounds(pb.CancelRoundsRequest(rounds_id=job))
        epochs: list[int] = []
        building = asyncio.create_task(asyncio.to_thread(build, city, tmp_path, 40))
        async with asyncio.timeout(60):
            while not epochs or epochs[-1] != 2:
                answer = await stub.GetRounds(pb.GetRoundsRequest(rounds_id=job))
                epochs.append(answer.rounds.stamp.snapshot_epoch)
        new = await building
        await service.until_unmapped(old)
        assert str(new) in service.maps()
    assert (epochs, set(epochs)) == (sorted(epochs), {1, 2})

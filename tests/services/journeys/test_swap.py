"""A rebuilt city is taken by a running service: nobody's request fails, and what is broken is left alone."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import journeys_service_pb2_grpc, plan_pb2

from services.city.layout import CityHome
from services.common.channel import development_tokens, open_channel
from tests.builders.cities import draw_city
from tests.builders.journeys import at, plan_request
from tests.builders.swapping import Service, build, served

pytestmark = pytest.mark.usefixtures("compiled_kernels")

WEST, EAST = (41.1501, -8.6199), (41.1500, -8.6161)


@dataclass(slots=True)
class Asking:
    """Asks the same question again and again, several at a time, until told to stop."""

    stub: journeys_service_pb2_grpc.JourneysServiceStub
    answers: list[plan_pb2.PlanJourneysResponse] = field(default_factory=list)
    failures: list[grpc.aio.AioRpcError] = field(default_factory=list)
    stop: bool = False

    async def ask(self) -> None:
        """Ask for ever; without the rebuilt city's third trip, one leaves at 9:00 only."""
        while not self.stop:
            try:
                request = plan_request(WEST, EAST, depart_at_unix_s=at("08:30"), window_s=3600, modes=[pb.MODE_TRANSIT])
                self.answers.append(await self.stub.PlanJourneys(request))  # type: ignore[misc]
            except grpc.aio.AioRpcError as error:
                self.failures.append(error)

    @property
    def epochs(self) -> list[int]:
        """Snapshot epochs of all answers, in the order they came."""
        return [answer.stamp.snapshot_epoch for answer in self.answers]

    async def until_epoch(self, epoch: int) -> None:
        """Wait for an answer from a snapshot."""
        async with asyncio.timeout(60):
            while not self.epochs or self.epochs[-1] != epoch:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def asked_by_four(home: Path) -> AsyncIterator[tuple[Asking, Service]]:
    """The journeys service of the drawn city, asked all the time."""
    async with served(home, "journeys") as service, open_channel(service.address, development_tokens(home, None)) as channel:
        asking = Asking(journeys_service_pb2_grpc.JourneysServiceStub(channel))
        tasks = [asyncio.create_task(asking.ask()) for _ in range(4)]
        try:
            yield asking, service
        finally:
            asking.stop = True
            await asyncio.gather(*tasks)


async def test_nobody_notices_a_swap_but_by_better_answers(tmp_path: Path) -> None:
    """Under requests all the time: no failure, each answer from one snapshot, the old files let go."""
    city = draw_city(tmp_path / "drawn")
    old = build(city, tmp_path)
    async with asked_by_four(tmp_path) as (asking, service):
        await asking.until_epoch(1)
        new = await asyncio.to_thread(build, city, tmp_path, 40)
        await asking.until_epoch(2)
        await service.until_unmapped(old)
        assert str(new) in service.maps()
    assert asking.failures == []
    assert '"city_swapped"' in service.log()
    for answer in asking.answers:
        arrivals = {i.arrival_unix_s for i in answer.itineraries if any(leg.HasField("transit") for leg in i.legs)}
        early = any(at("08:41") <= arrival <= at("08:45") for arrival in arrivals)
        folder = {1: old, 2: new}[answer.stamp.snapshot_epoch]
        assert (answer.stamp.snapshot_id, early) == (folder.name, folder == new)


async def test_a_broken_snapshot_is_left_alone(tmp_path: Path) -> None:
    """An altered file, a missing folder: the old city goes on and the log says why; the next good one is taken."""
    city = draw_city(tmp_path / "drawn")
    good = build(city, tmp_path)
    places = CityHome.of(tmp_path, "drawn")
    async with asked_by_four(tmp_path) as (asking, service):
        await asking.until_epoch(1)
        shutil.copytree(good, places.snapshots / "altered")
        array = places.snapshots / "altered" / "street" / "arc_length_m.npy"
        array.write_bytes(array.read_bytes()[:-1] + b"\x7f")
        for number, name in enumerate(("altered", "missing"), 1):
            places.swap(name)
            await service.until_logged("new_city_not_usable", number)
        assert "arc_length_m.npy was altered" in service.log()
        assert set(asking.epochs) == {1}
        await asyncio.to_thread(build, city, tmp_path, 40)
        await asking.until_epoch(4)
    assert asking.failures == []
    assert set(asking.epochs) == {1, 4}

"""Ingest moves to a rebuilt city: calls and watches go on, and deliveries are matched to the new timetable."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.transit import gtfs_realtime_pb2
from traboule.feeds.v1 import feeds_service_pb2, feeds_service_pb2_grpc
from traboule.parking.v1 import parking_service_pb2, parking_service_pb2_grpc
from traboule.traffic.v1 import traffic_service_pb2, traffic_service_pb2_grpc

from services.common.channel import development_tokens, open_channel
from tests.builders.cities import CITY_TOML, draw_city
from tests.builders.journeys import at
from tests.builders.swapping import build, served

pytestmark = pytest.mark.usefixtures("compiled_kernels")

FEED = """
[[feeds]]
id = "bus-rt"
kind = "gtfs-rt-trip-updates"
static_feed = "bus"
recorded = "bus-rt.zip"
"""


def trip_update(trip_id: str) -> bytes:
    """A delivery about one trip of the day."""
    message = gtfs_realtime_pb2.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = at("08:30")
    update = message.entity.add(id=trip_id).trip_update
    update.trip.trip_id, update.trip.start_date, update.delay = trip_id, "20260728", 60
    update.timestamp = at("08:30")
    return message.SerializeToString()


@asynccontextmanager
async def repeating(ask: Callable[[], Awaitable[Any]]) -> AsyncIterator[list[int]]:
    """Ask again and again; the snapshot epochs of the answers. A failure ends the test."""
    epochs: list[int] = []
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            epochs.append((await ask()).stamp.snapshot_epoch)

    task = asyncio.create_task(work())
    try:
        yield epochs
    finally:
        stop.set()
        await task


async def push(stub: Any, trip_id: str) -> float:
    """Push a delivery about a trip; the share of it that the city knows."""
    content = trip_update(trip_id)
    await stub.PushFeedFile(feeds_service_pb2.PushFeedFileRequest(feed_id="bus-rt", content=content))
    health = await stub.GetFeedHealth(feeds_service_pb2.GetFeedHealthRequest(feed_ids=["bus-rt"]))
    return float(health.feeds[0].match_ratio)


async def test_calls_watches_and_deliveries_go_on(tmp_path: Path) -> None:
    """No call fails; a watch gets the whole state of the new city; a trip of the new timetable is known."""
    city = draw_city(tmp_path / "drawn", CITY_TOML + FEED)
    old = build(city, tmp_path)
    async with (
        served(tmp_path, "ingest") as service,
        open_channel(service.address, development_tokens(tmp_path, None)) as channel,
    ):
        feeds = feeds_service_pb2_grpc.FeedsServiceStub(channel)
        parking: Any = parking_service_pb2_grpc.ParkingServiceStub(channel)
        traffic: Any = traffic_service_pb2_grpc.TrafficServiceStub(channel)
        assert (await push(feeds, "t1"), await push(feeds, "t3")) == (1.0, 0.0)
        watch = parking.WatchCarParks(parking_service_pb2.WatchCarParksRequest(min_interval_s=0.1))
        first = await watch.read()
        async with (
            repeating(lambda: traffic.GetLinkStates(traffic_service_pb2.GetLinkStatesRequest())) as links,
            repeating(lambda: parking.ListCarParks(parking_service_pb2.ListCarParksRequest())) as parks,
        ):
            await asyncio.to_thread(build, city, tmp_path, 40)
            again = await asyncio.wait_for(watch.read(), 60)
            await service.until_unmapped(old)
        assert (first.stamp.snapshot_epoch, again.stamp.snapshot_epoch) == (1, 2)
        assert [park.car_park_id for park in again.car_parks] == [park.car_park_id for park in first.car_parks]
        for epochs in (links, parks):
            assert (epochs, epochs[0], epochs[-1]) == (sorted(epochs), 1, 2)
        assert await push(feeds, "t3") == 1.0
        assert watch.cancel()

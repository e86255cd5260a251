"""Wiring of the ingest service: feeds in, state out; FeedsService, TrafficService, ParkingService."""

import asyncio
import sys

import grpc
from traboule.common.v1 import stamp_pb2
from traboule.feeds.v1 import feeds_service_pb2_grpc
from traboule.parking.v1 import parking_service_pb2_grpc
from traboule.traffic.v1 import traffic_service_pb2_grpc

from services.city.snapshot import CitySnapshot, open_snapshot
from services.city.swap import follow_snapshots
from services.common.config import Config, load_section
from services.common.current import Current, forwarding
from services.common.main import service_main
from services.common.metrics import Metrics
from services.common.server import serve
from services.common.state import State
from services.ingest.city import Around, CityParts, IngestCity
from services.ingest.config import IngestConfig
from services.ingest.feed import Feed
from services.ingest.feeds_servicer import FeedsServicer
from services.ingest.incidents import Incidents
from services.ingest.match.city import CityMatcher
from services.ingest.metrics import FeedMetrics
from services.ingest.poller import Poller, Sink
from services.ingest.publish import Publisher

SERVICES = (
    "traboule.feeds.v1.FeedsService",
    "traboule.traffic.v1.TrafficService",
    "traboule.parking.v1.ParkingService",
)
JUDGE_EVERY_S = 5.0


async def run(config: Config) -> None:
    """Serve the feeds of the configured city until stopped."""
    settings = load_section("ingest", IngestConfig)
    clock, metrics = config.city_clock(), Metrics()
    async with State.connect(config) as state:
        publisher = Publisher(state, clock, {}, CityMatcher(), FeedMetrics(metrics))
        incidents = Incidents(state, clock)
        await incidents.restore()
        async with Poller(_sink(publisher), publisher.failed, publisher.unchanged, settings.max_backoff_s) as poller:
            around = Around(config, settings, clock, state, publisher, poller, incidents)
            await _serve(around, metrics)


async def _serve(around: Around, metrics: Metrics) -> None:
    """Serve the current city; nothing here may refer to a snapshot, or its maps would be kept after a swap."""
    config, publisher = around.config, around.publisher
    current = Current(IngestCity(CityParts(open_snapshot(config.home, config.city)), around))
    await current.take().adopt()
    timezone = current.take().snapshot.timezone

    def stamp() -> stamp_pb2.AnswerStamp:
        return current.take().stamper.stamp()

    def register(server: grpc.aio.Server) -> list[str]:
        feeds = FeedsServicer(publisher, around.poller, around.state, stamp, timezone, around.declared)
        traffic = forwarding(traffic_service_pb2_grpc.TrafficServiceServicer, current, "traffic")
        parking = forwarding(parking_service_pb2_grpc.ParkingServiceServicer, current, "parking")
        feeds_service_pb2_grpc.add_FeedsServiceServicer_to_server(feeds, server)
        traffic_service_pb2_grpc.add_TrafficServiceServicer_to_server(traffic, server)
        parking_service_pb2_grpc.add_ParkingServiceServicer_to_server(parking, server)
        return list(SERVICES)

    async def ready() -> str | None:
        return None if current.take().ready.is_set() else "the live state has not been read yet"

    async def build_next(snapshot: CitySnapshot, before: IngestCity) -> IngestCity:
        return IngestCity(await asyncio.to_thread(CityParts, snapshot), around, before.live)

    async def follow() -> None:
        await follow_snapshots(config.home, config.city, current, build_next)

    async def judge() -> None:
        while True:
            publisher.metrics.judged(publisher.list_health())
            await asyncio.sleep(JUDGE_EVERY_S)

    await serve(config, "ingest", register, readiness={"live state": ready}, background=[follow, judge], metrics=metrics)


def _sink(publisher: Publisher) -> Sink:
    async def take(feed: Feed, body: bytes, url: str) -> None:
        await publisher.take(feed, body, url)

    return take


if __name__ == "__main__":
    sys.exit(service_main("ingest", run))

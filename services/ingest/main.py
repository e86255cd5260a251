"""Wiring of the ingest service: feeds in, state out; FeedsService, TrafficService, ParkingService."""

import asyncio
import sys

import grpc
import structlog
from traboule.feeds.v1 import feeds_service_pb2_grpc
from traboule.parking.v1 import parking_service_pb2_grpc
from traboule.traffic.v1 import traffic_service_pb2_grpc

from routing.forecast.parking import ParkingForecast
from routing.forecast.traffic import TrafficForecast, TrafficProfile
from routing.model.timetable import index_of
from routing.street.api import StreetEngine
from services.city.snapshot import CitySnapshot, open_snapshot
from services.common.config import Config, load_section
from services.common.live.state import LiveState
from services.common.main import service_main
from services.common.metrics import Metrics
from services.common.server import serve
from services.common.state import State
from services.ingest.catalogue import find_replay, list_city_feeds
from services.ingest.config import IngestConfig
from services.ingest.feed import Feed
from services.ingest.feeds_servicer import FeedsServicer, restore_feeds
from services.ingest.incidents import Incidents
from services.ingest.match.city import CityMatcher
from services.ingest.match.timetable import TimetableStatic
from services.ingest.metrics import FeedMetrics
from services.ingest.parking_servicer import ParkingServicer
from services.ingest.poller import Poller, Sink
from services.ingest.publish import Publisher
from services.ingest.sites import keep_sites
from services.ingest.stamps import Stamper
from services.ingest.traffic_servicer import TrafficServicer

SERVICES = (
    "traboule.feeds.v1.FeedsService",
    "traboule.traffic.v1.TrafficService",
    "traboule.parking.v1.ParkingService",
)
JUDGE_EVERY_S = 5.0

log = structlog.get_logger("ingest")


async def run(config: Config) -> None:
    """Serve the feeds of the configured city until stopped."""
    settings = load_section("ingest", IngestConfig)
    snapshot = open_snapshot(config.home, config.city)
    clock, metrics = config.city_clock(), Metrics()
    street = StreetEngine(snapshot.street)
    statics = read_statics(snapshot)
    matcher = CityMatcher(snapshot.timetable if statics else None, street, snapshot.car_parks, statics)
    forecast = TrafficForecast.for_city(street.graph, TrafficProfile.urban(snapshot.timezone))
    async with State.connect(config) as state:
        publisher = Publisher(state, clock, statics, matcher, FeedMetrics(metrics))
        incidents = Incidents(state, clock)
        await incidents.restore()
        async with Poller(_sink(publisher), publisher.failed, publisher.unchanged, settings.max_backoff_s) as poller:
            static_feeds = {feed.id: feed.static_feed for feed in snapshot.city.feeds}
            live = LiveState(state, clock, street=street, car_parks=snapshot.car_parks, static_feeds=static_feeds)
            declared: dict[str, Feed] = {}
            stamper = Stamper(snapshot.name, snapshot.id, snapshot.epoch, clock, live, publisher.list_health)

            def register(server: grpc.aio.Server) -> list[str]:
                feeds = FeedsServicer(publisher, poller, state, stamper, snapshot.timezone, declared)
                traffic = TrafficServicer(street, live, forecast, incidents, stamper)
                parks = ParkingForecast.for_city(snapshot.car_parks, snapshot.timezone)
                parking = ParkingServicer(snapshot.car_parks, live, parks, stamper)
                feeds_service_pb2_grpc.add_FeedsServiceServicer_to_server(feeds, server)
                traffic_service_pb2_grpc.add_TrafficServiceServicer_to_server(traffic, server)
                parking_service_pb2_grpc.add_ParkingServiceServicer_to_server(parking, server)
                return list(SERVICES)

            async def ready() -> str | None:
                return None if live.ready.is_set() else "the live state has not been read yet"

            async def read_feeds() -> None:
                await start_feeds(config, settings, snapshot, publisher, poller, state, declared)

            async def judge() -> None:
                while True:
                    publisher.metrics.judged(publisher.list_health())
                    await asyncio.sleep(JUDGE_EVERY_S)

            background = [live.follow, read_feeds, judge]
            await serve(config, "ingest", register, readiness={"live state": ready}, background=background, metrics=metrics)


def read_statics(snapshot: CitySnapshot) -> dict[str, TimetableStatic]:
    """Timetables of a snapshot by feed id; empty for a city without public transport."""
    if not snapshot.has_timetable:
        return {}
    return {feed: TimetableStatic(snapshot.timetable, feed, snapshot.id) for feed in index_of(snapshot.timetable).feeds}


async def start_feeds(
    config: Config,
    settings: IngestConfig,
    snapshot: CitySnapshot,
    publisher: Publisher,
    poller: Poller,
    state: State,
    declared: dict[str, Feed],
) -> None:
    """Know all feeds, start polling those that have an address, and keep their site tables; runs for ever.

    Fills `declared` with the feeds as the city declares them.
    """
    for feed in list_city_feeds(snapshot.city, settings):
        publisher.add(feed)
    url, replay = await find_replay(config.home, settings) if settings.source == "recorded" else ("", {})
    declared |= {feed.feed_id: feed for feed in list_city_feeds(snapshot.city, settings, replay, url)}
    feeds = declared | {feed.feed_id: feed for feed in await restore_feeds(state, declared)}
    async with asyncio.TaskGroup() as group:
        for feed in feeds.values():
            publisher.add(feed)
            if feed.sites_url:
                group.create_task(keep_sites(publisher, poller, feed), name=f"sites {feed.feed_id}")
            else:
                poller.watch(feed)
        log.info("feeds_started", source=settings.source, feeds=len(feeds), polled=sum(bool(f.url) for f in feeds.values()))
        await asyncio.Event().wait()


def _sink(publisher: Publisher) -> Sink:
    async def take(feed: Feed, body: bytes, url: str) -> None:
        await publisher.take(feed, body, url)

    return take


if __name__ == "__main__":
    sys.exit(service_main("ingest", run))

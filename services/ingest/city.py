"""What ingest makes of one city snapshot: matching, live state, servicers, and the feeds it declares."""

import asyncio
from dataclasses import dataclass, field

import structlog

from routing.forecast.parking import ParkingForecast
from routing.forecast.traffic import TrafficForecast, TrafficProfile
from routing.model.timetable import index_of
from routing.street.api import StreetEngine
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.config import Config
from services.common.live.state import LiveState
from services.common.state import State
from services.ingest.catalogue import find_replay, list_city_feeds
from services.ingest.config import IngestConfig
from services.ingest.feed import Feed
from services.ingest.feeds_servicer import restore_feeds
from services.ingest.incidents import Incidents
from services.ingest.match.city import CityMatcher
from services.ingest.match.timetable import TimetableStatic
from services.ingest.parking_servicer import ParkingServicer
from services.ingest.poller import Poller
from services.ingest.publish import Publisher
from services.ingest.sites import keep_sites
from services.ingest.stamps import Stamper
from services.ingest.traffic_servicer import TrafficServicer

log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True)
class Around:
    """What stays when the city's snapshot changes."""

    config: Config
    settings: IngestConfig
    clock: CityClock
    state: State
    publisher: Publisher
    poller: Poller
    incidents: Incidents
    declared: dict[str, Feed] = field(default_factory=dict)
    """Feeds as the city in service declares them, without what operators changed."""


class CityParts:
    """Engines of a snapshot; making them takes a moment."""

    def __init__(self, snapshot: CitySnapshot) -> None:
        self.snapshot = snapshot
        self.street = StreetEngine(snapshot.street)
        self.statics = read_statics(snapshot)
        timetable = snapshot.timetable if self.statics else None
        self.matcher = CityMatcher(timetable, self.street, snapshot.car_parks, self.statics)
        self.forecast = TrafficForecast.for_city(self.street.graph, TrafficProfile.urban(snapshot.timezone))
        self.parks = ParkingForecast.for_city(snapshot.car_parks, snapshot.timezone)


class IngestCity:
    """One snapshot in service; `adopt` makes it the one that bodies are matched to and whose feeds are polled.

    Parameters
    ----------
    parts : CityParts
    around : Around
    before : LiveState, optional
        Live state of the city whose place this one takes.

    Attributes
    ----------
    ready : asyncio.Event
        Set once the live state has been read.
    """

    def __init__(self, parts: CityParts, around: Around, before: LiveState | None = None) -> None:
        snapshot, self._parts, self._around = parts.snapshot, parts, around
        static_feeds = {feed.id: feed.static_feed for feed in snapshot.city.feeds}
        self.live = LiveState(
            around.state, around.clock, street=parts.street, car_parks=snapshot.car_parks, static_feeds=static_feeds,
            after=before,
        )  # fmt: skip
        self.ready = self.live.ready
        self.stamper = Stamper(
            snapshot.name, snapshot.id, snapshot.epoch, around.clock, self.live, around.publisher.list_health
        )
        self.traffic = TrafficServicer(parts.street, self.live, parts.forecast, around.incidents, self.stamper)
        self.parking = ParkingServicer(snapshot.car_parks, self.live, parts.parks, self.stamper)
        self._adopted = asyncio.Event()

    @property
    def snapshot(self) -> CitySnapshot:
        """What it was made of."""
        return self._parts.snapshot

    async def adopt(self) -> None:
        """Match bodies to this city from now on."""
        publisher = self._around.publisher
        publisher.statics, publisher.match = self._parts.statics, self._parts.matcher
        self._adopted.set()

    async def run(self) -> None:
        """Follow the live state; once adopted, poll the feeds; for ever."""
        tasks = [asyncio.ensure_future(work) for work in (self.live.follow(), self._read_feeds())]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read_feeds(self) -> None:
        await self._adopted.wait()
        await start_feeds(self.snapshot, self._around)


def read_statics(snapshot: CitySnapshot) -> dict[str, TimetableStatic]:
    """Timetables of a snapshot by feed id; empty for a city without public transport."""
    if not snapshot.has_timetable:
        return {}
    return {feed: TimetableStatic(snapshot.timetable, feed, snapshot.id) for feed in index_of(snapshot.timetable).feeds}


async def start_feeds(snapshot: CitySnapshot, around: Around) -> None:
    """Know all feeds, start polling those that have an address, and keep their site tables; runs for ever.

    Bodies are asked for anew even if they have not changed: another city may match them otherwise. Feeds that are neither
    declared any more nor registered are no longer polled.
    """
    settings, publisher, poller = around.settings, around.publisher, around.poller
    for feed in list_city_feeds(snapshot.city, settings):
        publisher.add(feed)
    url, replay = await find_replay(around.config.home, settings) if settings.source == "recorded" else ("", {})
    around.declared.clear()
    around.declared.update({feed.feed_id: feed for feed in list_city_feeds(snapshot.city, settings, replay, url)})
    feeds = around.declared | {feed.feed_id: feed for feed in await restore_feeds(around.state, around.declared)}
    for gone in set(poller.list_watched()) - set(feeds):
        poller.unwatch(gone)
    async with asyncio.TaskGroup() as group:
        for feed in feeds.values():
            publisher.add(feed)
            if feed.sites_url:
                group.create_task(keep_sites(publisher, poller, feed), name=f"sites {feed.feed_id}")
            else:
                poller.watch(feed)
        log.info("feeds_started", source=settings.source, feeds=len(feeds), polled=sum(bool(f.url) for f in feeds.values()))
        await asyncio.Event().wait()

"""`LiveState`: follows the latest records and swaps immutable values; a reader keeps the value it took.

One task follows the announcements of the live state server, reads what changed, and rebuilds only the topics concerned.
Every few seconds values that ran out are dropped, and events begin and end with the city's clock.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import structlog

from routing.model.car_parks import CarParks
from routing.street.api import StreetEngine
from services.common.clock import CityClock
from services.common.live import kinds as k
from services.common.live.alerts import LiveAlerts, build_alerts
from services.common.live.links import LinkMatcher
from services.common.live.parking import CarParkMatcher, LiveCarParks, build_car_parks
from services.common.live.traffic import LiveTraffic, build_traffic, empty_traffic
from services.common.live.trips import LiveTrips, build_trips
from services.common.records import AnyRecord
from services.common.state import State

EXPIRY_CHECK_S = 2.0

log = structlog.get_logger()


class Topic(StrEnum):
    """What a follower can wait for."""

    TRIPS = "trips"
    ALERTS = "alerts"
    TRAFFIC = "traffic"
    CAR_PARKS = "car_parks"


TOPIC_OF_KIND: dict[str, Topic] = {
    k.TRIP_UPDATES: Topic.TRIPS,
    k.VEHICLES: Topic.TRIPS,
    k.ALERTS: Topic.ALERTS,
    k.EVENTS: Topic.TRAFFIC,
    **dict.fromkeys(("speed", "travel_time", "flow"), Topic.TRAFFIC),
    **dict.fromkeys(k.PARKING, Topic.CAR_PARKS),
}


@dataclass(slots=True)
class _Followed:
    """Records of one (kind, feed) as last read."""

    epoch: int = 0
    records: dict[str, AnyRecord] = field(default_factory=dict)


class LiveState:
    """Live values for one process.

    Parameters
    ----------
    state : State
    clock : CityClock
    street : StreetEngine, optional
        Needed for `Topic.TRAFFIC`.
    car_parks : CarParks, optional
        Needed for `Topic.CAR_PARKS`.
    static_feeds : mapping of str to str
        Feed → timetable feed it speaks of (from the city's configuration), for alerts.
    after : LiveState, optional
        What this one takes the place of (the same feeds on another snapshot): epochs go on from there.

    Attributes
    ----------
    trips, alerts, traffic, car_parks
        Immutable values; replaced, never changed. `traffic` and `car_parks` are None without their inputs.

    Notes
    -----
    Use ``async with LiveState(...) as live`` or run `follow` as a task. `ready` is set after the first complete reading.
    """

    def __init__(
        self,
        state: State,
        clock: CityClock,
        *,
        street: StreetEngine | None = None,
        car_parks: CarParks | None = None,
        static_feeds: Mapping[str, str] | None = None,
        after: "LiveState | None" = None,
    ) -> None:
        self._state, self._clock = state, clock
        self._matcher = LinkMatcher(street) if street is not None else None
        self._parks = CarParkMatcher(car_parks) if car_parks is not None else None
        self._static_feeds = dict(static_feeds or {})
        self._followed: dict[tuple[str, str], _Followed] = {}
        self._listeners: list[Callable[[Topic], None]] = []
        self._changed = asyncio.Condition()
        self._building = asyncio.Lock()
        self._next_expiry: dict[Topic, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()
        epochs = {topic: 0 if after is None else after.epoch(topic) for topic in Topic}
        self.trips = LiveTrips(epochs[Topic.TRIPS])
        self.alerts = LiveAlerts(epochs[Topic.ALERTS])
        self.traffic: LiveTraffic | None = None
        if street is not None:
            self.traffic = replace(empty_traffic(street.graph.arc_count), epoch=epochs[Topic.TRAFFIC])
        self.car_parks: LiveCarParks | None = None
        if self._parks is not None:
            self.car_parks = build_car_parks(self._parks, (), epochs[Topic.CAR_PARKS], 0)

    async def __aenter__(self) -> "LiveState":
        self._task = asyncio.create_task(self.follow(), name="live state")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def on_change(self, listener: Callable[[Topic], None]) -> None:
        """Call `listener` (must be quick) after each swap of a topic."""
        self._listeners.append(listener)

    def epoch(self, topic: Topic) -> int:
        """Epoch of a topic's present value."""
        value: Any = {
            Topic.TRIPS: self.trips, Topic.ALERTS: self.alerts, Topic.TRAFFIC: self.traffic, Topic.CAR_PARKS: self.car_parks,
        }[topic]  # fmt: skip
        return 0 if value is None else int(value.epoch)

    async def wait_for(self, topic: Topic, after_epoch: int) -> int:
        """Wait until a topic has an epoch above `after_epoch`; answers it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.epoch(topic) > after_epoch)
        return self.epoch(topic)

    async def follow(self) -> None:
        """Follow the state for ever; survives restarts of the state server. What breaks it is raised, never kept quiet."""
        parts = {
            asyncio.create_task(self._follow_changes(), name="live state changes"),
            asyncio.create_task(self._expire(), name="live state expiry"),
        }
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _follow_changes(self) -> None:
        await self._catch_up()
        async for changes in self._state.watch_latest(*TOPIC_OF_KIND):
            topics: set[Topic] = set()
            for change in changes:
                if await self._read(change.kind, change.feed):
                    topics.add(TOPIC_OF_KIND[change.kind])
            await self._rebuild(topics)

    async def _catch_up(self) -> None:
        """Read all there is at the start; a city without any feed is ready at once."""
        topics: set[Topic] = set()
        for published in await self._state.list_feeds():
            if published.kind in TOPIC_OF_KIND and await self._read(published.kind, published.feed):
                topics.add(TOPIC_OF_KIND[published.kind])
        await self._rebuild(topics)
        self.ready.set()

    async def _read(self, kind: str, feed: str) -> bool:
        """Read what changed of one feed; whether anything did."""
        followed = self._followed.setdefault((kind, feed), _Followed())
        found = await self._state.latest(kind, feed, followed.epoch)
        if found.complete:
            followed.records = {record.entity: record for record in found.records}
        else:
            followed.records.update((record.entity, record) for record in found.records)
            for entity in found.removed:
                followed.records.pop(entity, None)
        followed.epoch = found.epoch
        return bool(found.complete or found.records or found.removed)

    async def _rebuild(self, topics: set[Topic]) -> None:
        # One at a time: of two builds side by side the one with the older records might come last, and stay.
        async with self._building:
            for topic in sorted(topics):
                await self._build(topic)
                for listener in self._listeners:
                    listener(topic)
        if topics:
            async with self._changed:
                self._changed.notify_all()

    async def _build(self, topic: Topic) -> None:
        """Build the topic's new value (in a thread where arrays are many) and swap it in."""
        now, epoch = int(self._clock.now()), self.epoch(topic) + 1
        kinds = [kind for kind, of in TOPIC_OF_KIND.items() if of is topic]
        rows: dict[str, list[Any]] = {
            kind: [r for (of, _), f in self._followed.items() if of == kind for r in f.records.values()] for kind in kinds
        }
        every = [row for records in rows.values() for row in records]
        if topic is Topic.TRIPS:
            self.trips = build_trips(rows[k.TRIP_UPDATES], rows[k.VEHICLES], epoch, now)
        elif topic is Topic.ALERTS:
            self.alerts = build_alerts(rows[k.ALERTS], self._static_feeds, epoch, now)
        elif topic is Topic.CAR_PARKS and self._parks is not None:
            self.car_parks = build_car_parks(self._parks, every, epoch, now)
        elif topic is Topic.TRAFFIC and self._matcher is not None:
            events = rows.pop(k.EVENTS)
            measured = [row for records in rows.values() for row in records]
            self.traffic = await asyncio.to_thread(build_traffic, self._matcher, measured, events, epoch, now)
            every = [*measured, *events]
        self._next_expiry[topic] = min((at for row in every for at in _moments(row) if at >= now), default=0)

    async def _expire(self) -> None:
        """Rebuild topics in which a value runs out, or an event begins or ends."""
        while True:
            await asyncio.sleep(EXPIRY_CHECK_S)
            now = int(self._clock.now())
            await self._rebuild({topic for topic, at in self._next_expiry.items() if at and at < now})


def _moments(row: Any) -> tuple[int, ...]:
    """City times at which a record begins or ceases to count."""
    begins, ends = getattr(row, "starts_at", None), getattr(row, "ends_at", None)
    return tuple(moment for moment in (row.valid_until, begins, ends) if moment is not None)

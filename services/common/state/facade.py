"""`State`: everything a service keeps outside its own memory, in one object."""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from services.common.config import Config
from services.common.errors import ConfigError
from services.common.records import AnyRecord
from services.common.state.audit import Audit
from services.common.state.client import Connection
from services.common.state.documents import Documents
from services.common.state.jobs import Jobs
from services.common.state.keys import Keys
from services.common.state.latest import Change, FeedState, Latest, LatestChanges, Published
from services.common.state.snapshots import Snapshots
from services.common.state.streams import StoredEvent, Streams


@dataclass(frozen=True, slots=True)
class State:
    """State of one city.

    Attributes
    ----------
    feeds
        Latest records by kind and feed (live).
    events
        Event streams (live): what is lost is at most the last second when the machine fails.
    commands
        Event streams on the durable server: what was acknowledged is never lost.
    snapshots
        Immutable blobs behind pointers (live).
    documents, settings
        Documents that may be lost with the live server, and documents that may not (durable).
    jobs, audit
        Jobs and audit logs (durable).
    """

    city: str
    feeds: Latest
    events: Streams
    commands: Streams
    snapshots: Snapshots
    documents: Documents
    settings: Documents
    jobs: Jobs
    audit: Audit

    @staticmethod
    @asynccontextmanager
    async def connect(config: Config, city: str | None = None) -> AsyncIterator["State"]:
        """Connect to both state servers; closes the connections at the end.

        Raises
        ------
        ConfigError
            If the URLs are not set: the supervisor sets them for its children.
        StateUnavailable
            If a server does not answer within ``state.retry_s``.
        """
        settings = config.state
        for name, url in (("durable", settings.durable_url), ("live", settings.live_url)):
            if not url:
                raise ConfigError(
                    f"state.{name}_url (TRABOULE_STATE_{name.upper()}_URL) is not set; start the services with `traboule "
                    "serve`, which starts the embedded state servers, or give the URL of a Redis or Valkey server",
                    field=f"state.{name}_url",
                )
        live = Connection("live", settings.live_url, retry_s=settings.retry_s, ca_file=settings.ca_file)
        durable = Connection(
            "durable",
            settings.durable_url,
            retry_s=settings.retry_s,
            replicas=settings.replicas,
            replica_timeout_ms=settings.replica_timeout_ms,
            ca_file=settings.ca_file,
        )
        try:
            await live.ping()
            await durable.ping()
            yield _build(city or config.city, durable, live, settings.events_max_length)
        finally:
            await live.close()
            await durable.close()

    def of_city(self, city: str) -> "State":
        """The same connections, another city."""
        return _build(city, self.jobs.connection, self.feeds.connection, self.events.max_length)

    def with_audit_key(self, key: bytes) -> "State":
        """The same state whose audit entries are authenticated with an HMAC key."""
        return replace(self, audit=replace(self.audit, key=key))

    async def latest(self, kind: str, feed: str, since: int = 0) -> LatestChanges:
        """Latest records of a feed; those changed after the epoch `since` only, when given."""
        return await self.feeds.read(kind, feed, since)

    async def publish_latest(
        self,
        kind: str,
        feed: str,
        records: Iterable[AnyRecord],
        *,
        received_at: int,
        whole: bool = True,
        removed: Collection[str] = (),
    ) -> Published:
        """Publish a feed's records; see `services.common.state.latest.Latest.publish`."""
        return await self.feeds.publish(kind, feed, records, received_at=received_at, whole=whole, removed=removed)

    async def list_feeds(self, kind: str | None = None) -> list[FeedState]:
        """List all feeds ever published, of one kind if given."""
        return await self.feeds.list_feeds(kind)

    def watch_latest(self, *kinds: str) -> AsyncIterator[list[Change]]:
        """Which feeds of these kinds have a new epoch: first all there are, then as it happens."""
        return self.feeds.watch(kinds)

    async def append_event(self, kind: str, value: Any) -> str:
        """Append an event to a live stream; returns its id."""
        return await self.events.append(kind, value)

    async def read_events(self, kind: str, after: str = "0", count: int = 1000, cls: Any = Any) -> list[StoredEvent]:
        """Events of a live stream after an id."""
        return await self.events.read(kind, after, count, cls)

    def tail_events(self, kind: str, after: str | None = None, cls: Any = Any) -> AsyncIterator[StoredEvent]:
        """Events of a live stream as they come, for ever."""
        return self.events.tail(kind, after, cls)

    async def ping(self) -> None:
        """Check that both servers answer; raises `StateUnavailable`."""
        await self.feeds.connection.ping()
        await self.jobs.connection.ping()


def _build(city: str, durable: Connection, live: Connection, max_length: int) -> State:
    keys = Keys(city)
    events = Streams(live, keys, max_length)
    return State(
        city=city,
        feeds=Latest(live, keys, events, max_length),
        events=events,
        commands=Streams(durable, keys, max_length),
        snapshots=Snapshots(live, keys, events, max_length),
        documents=Documents(live, keys),
        settings=Documents(durable, keys),
        jobs=Jobs(durable, keys),
        audit=Audit(durable, keys),
    )

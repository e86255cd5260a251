"""Latest state: the newest record of every entity of every feed, published whole-feed at a time.

Each publication is atomic: changed entities are set, vanished ones deleted, one epoch is given and one change announced.
Epochs grow by at least one and follow the server's clock in milliseconds, so that a server that lost its last second does
not give an epoch twice. A record whose content is unchanged is stored anew (it was received again), but is no change.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, field

from services.common.records import AnyRecord
from services.common.state.client import Connection, text
from services.common.state.codec import DIGEST_BYTES, decode_latest, encode_latest
from services.common.state.keys import CHANGES, Keys
from services.common.state.scripts import PUBLISH_LATEST, READ_LATEST_SINCE
from services.common.state.streams import Streams

KEPT_VANISHED = 5000
"""How many vanished entities of a feed are remembered for `since`, beyond one per living entity."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did: the feed's epoch, how many entities changed (new ones too) and vanished."""

    epoch: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class LatestChanges:
    """Records of a feed that changed. `complete` means they are all there is: forget what you had."""

    epoch: int
    records: tuple[AnyRecord, ...] = ()
    removed: tuple[str, ...] = ()
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A feed has a new epoch."""

    kind: str
    feed: str
    epoch: int


@dataclass(frozen=True, slots=True)
class FeedState:
    """One published feed: epoch of its last change, number of entities, when it was last received (unix s)."""

    kind: str
    feed: str
    epoch: int
    entities: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Latest:
    """Latest state of one city, on the live server."""

    connection: Connection
    keys: Keys
    streams: Streams
    events_max_length: int = field(default=100_000)

    async def publish(
        self,
        kind: str,
        feed: str,
        records: Iterable[AnyRecord],
        *,
        received_at: int,
        whole: bool = True,
        removed: Collection[str] = (),
    ) -> Published:
        """Publish records of a feed; `whole` deletes entities that are not among them, else only `removed` are deleted.

        When an entity comes twice, its last record counts.
        """
        blobs = encode_latest(records)
        gone = () if whole else tuple(removed)
        framed: list[bytes] = []
        for entity, blob in blobs.items():
            name = entity.encode()
            framed += (len(name).to_bytes(4, "big"), name, len(blob).to_bytes(4, "big"), blob)
        settings = (DIGEST_BYTES, self.events_max_length, KEPT_VANISHED, received_at)
        arguments = [int(whole), kind, feed, *settings, b"".join(framed), *gone]
        keys = self._feed_keys(kind, feed)
        reply = await self.connection.evaluate(
            PUBLISH_LATEST, [*keys, self.keys.epoch(), self.keys.feeds(), self.keys.events(CHANGES)], arguments
        )
        return Published(int(reply[0]), int(reply[1]), int(reply[2]))

    async def read(self, kind: str, feed: str, since: int = 0) -> LatestChanges:
        """Records of a feed that changed after the epoch `since`; all of them for 0."""
        keys = self._feed_keys(kind, feed)
        script_keys = [*keys, self.keys.feeds()]
        reply = await self.connection.evaluate(READ_LATEST_SINCE, script_keys, [since, kind, feed])
        entities, blobs = reply[2::2], reply[3::2]
        return LatestChanges(
            epoch=int(reply[0]),
            records=tuple(decode_latest(blob for blob in blobs if blob is not None)),
            removed=tuple(text(entity) for entity, blob in zip(entities, blobs, strict=True) if blob is None),
            complete=bool(reply[1]),
        )

    async def get(self, kind: str, feed: str, entities: Collection[str]) -> dict[str, AnyRecord]:
        """Records of some entities of a feed; entities that do not exist are left out."""
        names = list(entities)
        if not names:
            return {}
        blobs = await self.connection.read("HMGET", self.keys.latest(kind, feed), *names)
        return {record.entity: record for record in decode_latest(blob for blob in blobs if blob is not None)}

    async def list_feeds(self, kind: str | None = None) -> list[FeedState]:
        """List all feeds that were ever published, of one kind if given, sorted by kind and name."""
        reply: dict[bytes, bytes] = await self.connection.read("HGETALL", self.keys.feeds())
        states = []
        for name, value in reply.items():
            kind_, _, feed = text(name).partition("|")
            epoch, entities, received_at = map(int, text(value).split(","))
            states.append(FeedState(kind_, feed, epoch, entities, received_at))
        return sorted((s for s in states if kind in (None, s.kind)), key=lambda s: (s.kind, s.feed))

    async def watch(self, kinds: Collection[str]) -> AsyncIterator[list[Change]]:
        """Changes of all feeds of some kinds, for ever: first one per feed that exists, then as they happen.

        What comes together is given together, one `Change` per feed. Survives restarts of the server, after which the
        present feeds are given again, because announcements may have been lost.
        """
        async for batch in self.streams.tail_batches(CHANGES):
            if batch is None:
                changes = [Change(s.kind, s.feed, s.epoch) for s in await self.list_feeds() if s.kind in kinds]
            else:
                newest: dict[tuple[str, str], Change] = {}
                for _, fields in batch:
                    change = Change(text(fields[b"kind"]), text(fields[b"feed"]), int(fields[b"epoch"]))
                    if change.kind in kinds:
                        newest[change.kind, change.feed] = change
                changes = list(newest.values())
            if changes:
                yield changes

    def _feed_keys(self, kind: str, feed: str) -> tuple[str, str, str]:
        return self.keys.latest(kind, feed), self.keys.latest_epochs(kind, feed), self.keys.latest_floor(kind, feed)

"""Event streams: append, read, follow, and work through in consumer groups with dead letters.

Followers and groups survive restarts of the server. An event is handled at least once: one whose handler did not
acknowledge it within `retry_after_s` is delivered again, and after `max_deliveries` goes to the dead letters.
"""

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from services.common.errors import CorruptData, ServiceError, StateUnavailable
from services.common.state.client import BLOCK_MS, Connection, GroupMissing, text
from services.common.state.codec import decode, encode
from services.common.state.keys import Keys
from services.common.state.scripts import BURY

MAX_DELIVERIES = 3
DEAD_LENGTH = 10_000
_LOOK_BACK = 256
_RECLAIM_EVERY_S = 1.0

Fields = dict[bytes, bytes]
Batch = list[tuple[str, Fields]]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event in a stream. `id` orders events and is where to read on; `at_ms` is the server's time, unix ms."""

    id: str
    value: Any

    @property
    def at_ms(self) -> int:
        """When it was stored, unix milliseconds of wall time."""
        return int(self.id.split("-")[0])


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that could not be handled: where it came from, how often it was tried, why it was given up."""

    id: str
    event_id: str
    group: str
    deliveries: int
    reason: str
    value: Any


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event given to one member of a group. It must be acknowledged, or it comes again."""

    id: str
    value: Any
    deliveries: int
    _streams: "Streams"
    _kind: str
    _group: str
    _consumer: str
    _raw: bytes
    _max_deliveries: int

    async def acknowledge(self) -> None:
        """Say that the event is handled."""
        await self._streams.connection.execute("XACK", self._streams.keys.events(self._kind), self._group, self.id)

    async def extend(self) -> None:
        """Say that work on it goes on; to be called more often than the group's `retry_after_s`."""
        key = self._streams.keys.events(self._kind)
        await self._streams.connection.execute("XCLAIM", key, self._group, self._consumer, 0, self.id, "JUSTID")

    async def fail(self, reason: str) -> bool:
        """Say that handling failed: it comes again after `retry_after_s`; True when it went to the dead letters instead."""
        if self.deliveries < self._max_deliveries:
            return False
        await self._streams.bury(self._kind, self._group, self.id, self._raw, self.deliveries, reason)
        return True


@dataclass(frozen=True, slots=True)
class Streams:
    """Event streams of one city on one state server."""

    connection: Connection
    keys: Keys
    max_length: int = 100_000

    async def append(self, kind: str, value: Any, *, max_length: int | None = None) -> str:
        """Append an event, exactly once even when the server restarts meanwhile; returns its id."""
        key, write_id = self.keys.events(kind), secrets.token_hex(8).encode()
        tried = False

        async def operation(client: Any) -> str:
            nonlocal tried
            if tried:
                # The answer to an earlier try was lost; the event may be there all the same.
                for entry_id, fields in await client.execute_command("XREVRANGE", key, "+", "-", "COUNT", _LOOK_BACK):
                    if fields.get(b"write") == write_id:
                        return text(entry_id)
            tried = True
            limit = ("MAXLEN", "~", max_length or self.max_length)
            return text(await client.execute_command("XADD", key, *limit, "*", "value", encode(value), "write", write_id))

        return await self.connection.run(operation)

    async def read(self, kind: str, after: str = "0", count: int = 1000, cls: Any = Any) -> list[StoredEvent]:
        """At most `count` events after the id `after`, oldest first, decoded as `cls`."""
        reply = await self.connection.read("XRANGE", self.keys.events(kind), f"({after}", "+", "COUNT", count)
        return [StoredEvent(text(entry_id), decode(fields[b"value"], cls)) for entry_id, fields in reply]

    async def last_id(self, kind: str) -> str:
        """Id of the newest event; ``0-0`` when there is none."""
        reply = await self.connection.read("XREVRANGE", self.keys.events(kind), "+", "-", "COUNT", 1)
        return text(reply[0][0]) if reply else "0-0"

    async def tail(self, kind: str, after: str | None = None, cls: Any = Any) -> AsyncIterator[StoredEvent]:
        """Events after the id `after` (None: from now on), for ever; survives restarts of the server."""
        async for batch in self.tail_batches(kind, after):
            for entry_id, fields in batch or ():
                yield StoredEvent(entry_id, decode(fields[b"value"], cls))

    async def tail_batches(self, kind: str, after: str | None = None) -> AsyncIterator[Batch | None]:
        """Raw entries as they come; None at the start and after each loss of the server, when entries may be missing."""
        position = await self.last_id(kind) if after is None else after
        yield None
        async for batch in follow(self.connection, self.keys.events(kind), position):
            yield batch

    async def consume(
        self,
        kind: str,
        group: str,
        cls: Any = Any,
        *,
        retry_after_s: float = 30.0,
        max_deliveries: int = MAX_DELIVERIES,
    ) -> AsyncIterator[Delivery]:
        """Events for one member of a group, for ever; each goes to one member. See `Delivery`."""
        consumer = secrets.token_hex(6)
        await self.ensure_group(kind, group)
        next_reclaim = 0.0
        while True:
            entries: Batch = []
            try:
                if time.monotonic() >= next_reclaim:
                    next_reclaim = time.monotonic() + min(_RECLAIM_EVERY_S, retry_after_s)
                    entries = await self._reclaim(kind, group, consumer, retry_after_s)
                if not entries:
                    block_ms = max(1, int(1000 * min(_RECLAIM_EVERY_S, retry_after_s)))
                    entries = await self._read_group(kind, group, consumer, block_ms)
            except GroupMissing:
                await self.ensure_group(kind, group)
            except StateUnavailable as error:
                if error.retry_after_s is None:
                    raise
                await self.connection.wait_back()
            for entry_id, fields in entries:
                delivery = await self._deliver(kind, group, consumer, entry_id, fields, cls, max_deliveries)
                if delivery is not None:
                    yield delivery

    async def ensure_group(self, kind: str, group: str) -> None:
        """Make the consumer group, starting with the oldest event, unless it exists."""
        try:
            await self.connection.execute("XGROUP", "CREATE", self.keys.events(kind), group, "0", "MKSTREAM")
        except ServiceError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def list_dead(self, kind: str, count: int = 100, cls: Any = Any) -> list[DeadLetter]:
        """List the newest dead letters; values that cannot be decoded are given as bytes."""
        reply = await self.connection.read("XREVRANGE", self.keys.dead(kind), "+", "-", "COUNT", count)
        letters = []
        for entry_id, fields in reply:
            try:
                value = decode(fields[b"value"], cls)
            except CorruptData:
                value = fields[b"value"]
            event_id, group, reason = (text(fields[name]) for name in (b"event", b"group", b"reason"))
            letters.append(DeadLetter(text(entry_id), event_id, group, int(fields[b"deliveries"]), reason, value))
        return letters

    async def bury(self, kind: str, group: str, event_id: str, raw: bytes, deliveries: int, reason: str) -> None:
        """Move an event of a group to the dead letters."""
        fields: list[Any] = ["event", event_id, "group", group, "deliveries", deliveries, "reason", reason, "value", raw]
        keys = [self.keys.events(kind), self.keys.dead(kind)]
        await self.connection.evaluate(BURY, keys, [group, event_id, DEAD_LENGTH, *fields])

    async def _read_group(self, kind: str, group: str, consumer: str, block_ms: int) -> Batch:
        """New entries. Never repeated blindly: what was delivered into a lost connection is reclaimed later."""
        command = ("XREADGROUP", "GROUP", group, consumer, "COUNT", 1, "BLOCK", block_ms)
        reply = await self.connection.block(*command, "STREAMS", self.keys.events(kind), ">")
        return [(text(entry_id), fields) for entry_id, fields in entries_of(reply)]

    async def _reclaim(self, kind: str, group: str, consumer: str, retry_after_s: float) -> Batch:
        """Entries whose member did not acknowledge them in time (it died, or the connection was lost)."""
        idle_ms = int(1000 * retry_after_s)
        reply = await self.connection.block("XAUTOCLAIM", self.keys.events(kind), group, consumer, idle_ms, "0-0", "COUNT", 1)
        return [(text(entry_id), fields) for entry_id, fields in reply[1] if fields] if reply else []

    async def _deliver(
        self, kind: str, group: str, consumer: str, entry_id: str, fields: Fields, cls: Any, max_deliveries: int
    ) -> Delivery | None:
        pending = await self.connection.read("XPENDING", self.keys.events(kind), group, entry_id, entry_id, 1)
        deliveries = int(pending[0][3]) if pending else 1
        raw = fields.get(b"value", b"")
        if deliveries > max_deliveries:
            await self.bury(
                kind, group, entry_id, raw, deliveries - 1, "not acknowledged: its handler failed or died each time"
            )
            return None
        try:
            value = decode(raw, cls)
        except CorruptData as error:
            await self.bury(kind, group, entry_id, raw, deliveries, str(error))
            return None
        return Delivery(entry_id, value, deliveries, self, kind, group, consumer, raw, max_deliveries)


async def follow(connection: Connection, key: str, position: str) -> AsyncIterator[Batch | None]:
    """Raw entries of one stream after `position`, for ever; None after each loss of the server."""
    while True:
        try:
            reply = await connection.block("XREAD", "COUNT", 500, "BLOCK", BLOCK_MS, "STREAMS", key, position)
        except StateUnavailable as error:
            if error.retry_after_s is None:
                raise
            await connection.wait_back()
            if not await connection.read("EXISTS", key):
                position = "0-0"
            yield None
            continue
        if reply:
            batch = [(text(entry_id), fields) for entry_id, fields in entries_of(reply)]
            position = batch[-1][0]
            yield batch


def entries_of(reply: Any) -> list[tuple[bytes, Fields]]:
    """Entries of the one stream of an XREAD or XREADGROUP answer."""
    return list(reply[0][1]) if reply else []

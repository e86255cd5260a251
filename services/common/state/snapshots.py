"""Snapshots: immutable blobs behind a pointer with an epoch.

For what is computed as a whole and read as a whole (predicted speeds of all streets, signal plans). Readers follow the
pointer; a blob that is no longer pointed at stays readable for a while, so a request keeps its epoch from start to end.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.common.errors import NotFound
from services.common.state.client import Connection, text
from services.common.state.keys import CHANGES, Keys
from services.common.state.scripts import PUBLISH_SNAPSHOT
from services.common.state.streams import Streams

OLD_BLOB_KEPT_S = 600


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published value: its epoch, sha256, when it was published (city time, unix s) and the bytes."""

    epoch: int
    sha256: str
    at: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Snapshots of one city, on the live server."""

    connection: Connection
    keys: Keys
    streams: Streams
    events_max_length: int = 100_000

    async def publish(self, name: str, blob: bytes, *, at: int) -> int:
        """Point `name` at these bytes; returns the epoch, unchanged when the bytes are."""
        sha256 = hashlib.sha256(blob).hexdigest()
        keys = [self.keys.snapshot(name), self.keys.snapshot_blob(name, sha256), self.keys.events(CHANGES)]
        prefix = self.keys.snapshot_blob(name, "")
        arguments = [name, sha256, blob, at, self.events_max_length, OLD_BLOB_KEPT_S, prefix]
        return int(await self.connection.evaluate(PUBLISH_SNAPSHOT, keys, arguments))

    async def find(self, name: str) -> Snapshot | None:
        """The snapshot that `name` points at now; None when it was never published."""
        for _ in range(3):
            pointer = await self.connection.read("HGETALL", self.keys.snapshot(name))
            if not pointer:
                return None
            sha256 = text(pointer[b"sha256"])
            blob = await self.connection.read("GET", self.keys.snapshot_blob(name, sha256))
            if blob is not None:
                return Snapshot(int(pointer[b"epoch"]), sha256, int(pointer[b"at"]), blob)
        return None

    async def get(self, name: str) -> Snapshot:
        """Like `find`, but raises `NotFound` when there is none."""
        snapshot = await self.find(name)
        if snapshot is None:
            raise NotFound(f"no snapshot named {name} was published for {self.keys.city} yet")
        return snapshot

    async def watch(self, name: str) -> AsyncIterator[Snapshot]:
        """The present snapshot, if any, then each newer one, for ever; survives restarts of the server."""
        epoch = 0
        async for batch in self.streams.tail_batches(CHANGES):
            wanted = batch is None or any(
                fields[b"kind"] == b"snapshot" and text(fields[b"feed"]) == name for _, fields in batch
            )
            snapshot = await self.find(name) if wanted else None
            if snapshot is not None and snapshot.epoch != epoch:
                epoch = snapshot.epoch
                yield snapshot

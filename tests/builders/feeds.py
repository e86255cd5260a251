"""Feed files drawn in a line, and a small HTTP server that behaves as badly as a test wants."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from google.transit import gtfs_realtime_pb2 as rt

from services.ingest.feed import Feed
from services.ingest.sources.base import SourceContext

NOW = 1_773_126_000
"""2026-03-10T08:00 in Paris, the clock of the hostile files."""


def context(**more: Any) -> SourceContext:
    """Context of an adapter at `NOW`."""
    return SourceContext(**({"feed": "f", "now": NOW, "timezone": "Europe/Paris"} | more))


def trip_updates(*trips: tuple[str, int], at: int = NOW, date: str = "20260310") -> bytes:
    """GTFS-RT message: (trip id, delay) pairs, from the first stop on."""
    message = rt.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = at
    for number, (trip_id, delay) in enumerate(trips):
        update = message.entity.add(id=f"e{number}").trip_update
        update.trip.trip_id, update.trip.start_date = trip_id, date
        update.stop_time_update.add(stop_sequence=1).departure.delay = delay
    return bytes(message.SerializeToString())


def parkapi(free: int, at: str = "2026-03-10T06:59:00", **more: Any) -> bytes:
    """ParkAPI v1 body with one car park `p1`."""
    lot = {"id": "p1", "name": "P", "total": 100, "free": free, "state": "open"} | more
    return json.dumps({"lots": [lot], "last_updated": at}).encode()


def feed_of(url: str, **more: Any) -> Feed:
    """Feed that is polled often."""
    return Feed(**({"feed_id": "f", "kind": "parkapi", "url": url, "poll_s": 0.05, "timeout_s": 60.0} | more))


Handler = Callable[[str, dict[str, str], asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Site:
    """A running server: its address and the requests it got (path, headers)."""

    url: str
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextlib.asynccontextmanager
async def http_site(handler: Handler) -> AsyncIterator[Site]:
    """Serve raw HTTP; `handler(path, headers, writer)` writes the answer, bytes by bytes if it likes."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                path = head[0].split(" ")[1]
                site.requests.append((path, headers))
                await handler(path, headers, writer)
                await writer.drain()
        tasks.discard(task)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    site = Site(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield site
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", **headers: str) -> None:
    """Write a whole answer; underscores in header names stand for hyphens."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)

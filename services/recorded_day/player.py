"""The player: serves the recorded day over HTTP on 127.0.0.1, by the city clock, as a publisher of feeds would.

``GET /<feed>`` answers the frame of the moment with ETag and Last-Modified (or 304), gzip where asked for; ``GET /`` lists
the feeds. ``POST /admin/delay``, ``/admin/closure`` and ``/admin/clear`` change the feed files; they need the player's token.
Before the first frame a feed answers 503; after the last one it freezes, as real feeds do.
"""

import asyncio
import gzip
import hmac
import json
import secrets
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

import structlog

from services.common.clock import CityClock
from services.common.errors import InvalidInput, PortInUse
from services.recorded_day.archive import Archive, FrameReader, RecordedFeed
from services.recorded_day.injections import Injections

MAX_HEAD_BYTES, MAX_BODY_BYTES = 16 << 10, 256 << 10
IDLE_S = 75.0
GZIP_BYTES = 1 << 10
_REASONS = {
    200: "OK", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed",
    503: "Service Unavailable",
}  # fmt: skip

log = structlog.get_logger()


def new_token() -> str:
    """Random token for the admin paths."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Player:
    """HTTP server of an archive; use as ``async with``."""

    def __init__(self, archive: Archive, clock: CityClock, token: str, port: int = 0) -> None:
        self.archive, self.token = archive, token
        self.injections = Injections()
        self._clock, self._port = clock, port
        self._reader = FrameReader(archive)
        self._server: asyncio.Server | None = None
        self._bodies: dict[str, tuple[tuple[int, int], bytes, bytes]] = {}
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Player":
        try:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port, limit=MAX_HEAD_BYTES)
        except OSError as error:
            raise PortInUse(f"the recorded day cannot listen on port {self._port}: {error}; choose another, or 0") from error
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Address without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while True:
                request = await asyncio.wait_for(_read_request(reader), IDLE_S)
                if request is None:
                    break
                answer = await self._answer(request)
                writer.write(_render(answer, request.method == "HEAD"))
                await writer.drain()
                if request.headers.get("connection", "").lower() == "close":
                    break
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # a client that misbehaves or leaves is no concern of a local player
        except asyncio.CancelledError:
            pass  # the player closes: connections end quietly
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, request: _Request) -> _Answer:
        path = request.path.partition("?")[0]
        if path.startswith("/admin/"):
            return self._admin(request, path)
        if request.method not in {"GET", "HEAD"}:
            return _Answer(405)
        if path == "/":
            return _json(200, self._index())
        feed = self.archive.find_feed(path)
        return await self._feed(request, feed) if feed is not None else _Answer(404)

    async def _feed(self, request: _Request, feed: RecordedFeed) -> _Answer:
        now = int(self._clock.now())
        if now < feed.begins_at:
            return _Answer(503, b"the recorded day has not begun\n", (("Retry-After", str(min(feed.begins_at - now, 60))),))
        index = min((now - feed.begins_at) // feed.step_s, feed.frames - 1) if feed.step_s else 0
        version = self.injections.version if self.injections.touches(feed) else 0
        moment = max(feed.begins_at + index * feed.step_s, self.injections.changed_at if version else 0)
        etag = f'"{feed.feed_id}-{index}-{version}"'
        headers = (("ETag", etag), ("Last-Modified", formatdate(moment, usegmt=True)), ("Content-Type", feed.content_type))
        if _not_modified(request, etag, moment):
            return _Answer(304, b"", headers)
        body, packed = await self._body(feed, index, version)
        if "gzip" in request.headers.get("accept-encoding", "") and len(body) > GZIP_BYTES:
            return _Answer(200, packed, (*headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")))
        return _Answer(200, body, headers)

    async def _body(self, feed: RecordedFeed, index: int, version: int) -> tuple[bytes, bytes]:
        known = self._bodies.get(feed.feed_id)
        if known is None or known[0] != (index, version):
            body = await asyncio.to_thread(self._reader.frame, feed, index)
            if version:
                body = self.injections.apply(feed, body)
            packed = await asyncio.to_thread(gzip.compress, body, 1, mtime=0)
            known = self._bodies[feed.feed_id] = ((index, version), body, packed)
        return known[1], known[2]

    def _index(self) -> dict[str, Any]:
        return {
            "note": self.archive.note, "city": self.archive.city, "city_time": int(self._clock.now()),
            "begins_at": self.archive.begins_at, "ends_at": self.archive.ends_at, "events": self.archive.events,
            "feeds": [
                {"feed_id": f.feed_id, "kind": f.kind, "path": f.path, "step_s": f.step_s, "sites_path": f.sites_path}
                for f in self.archive.feeds
            ],
        }  # fmt: skip

    def _admin(self, request: _Request, path: str) -> _Answer:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return _Answer(401, b"the admin paths need the player's token\n")
        if request.method != "POST":
            return _Answer(405)
        now = int(self._clock.now())
        try:
            wanted = json.loads(request.body or b"{}")
            if not isinstance(wanted, dict):
                raise InvalidInput("an object is expected")
            if path == "/admin/delay":
                found: Any = self.injections.add_delay(wanted, self.archive.feeds, now)
                log.info("delay_published", trip=found.trip_id, delay_s=found.delay_s)
            elif path == "/admin/closure":
                found = self.injections.add_closure(wanted, now)
                log.info("street_blocked", event_id=found.event_id, street=found.name)
            elif path == "/admin/clear":
                self.injections.clear(now)
            else:
                return _Answer(404)
        except (InvalidInput, ValueError) as error:
            return _json(400, {"error": str(error)})
        event_id = getattr(found, "event_id", "") if path != "/admin/clear" else ""
        return _json(200, {"version": self.injections.version, "city_time": now, "event_id": event_id})


async def _read_request(reader: asyncio.StreamReader) -> _Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= MAX_BODY_BYTES:
        raise ValueError("body too large")
    return _Request(method, path, headers, await reader.readexactly(length) if length else b"")


def _render(answer: _Answer, head_only: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}", "X-Data-Origin: simulated", "Cache-Control: no-cache"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if answer.status != 304:
        lines.append(f"Content-Length: {len(answer.body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (b"" if head_only or answer.status == 304 else answer.body)


def _not_modified(request: _Request, etag: str, moment: int) -> bool:
    given = request.headers.get("if-none-match")
    if given is not None:
        return etag in (part.strip() for part in given.split(","))
    since = request.headers.get("if-modified-since")
    try:
        return since is not None and parsedate_to_datetime(since).timestamp() >= moment
    except (TypeError, ValueError):
        return False


def _json(status: int, value: Any) -> _Answer:
    return _Answer(status, json.dumps(value, ensure_ascii=False).encode(), (("Content-Type", "application/json"),))

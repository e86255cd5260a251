"""From a body to the state: decode → limits → validate → match → diff → latest, dead letters and health."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ParamSpec, Protocol, TypeVar

import msgspec
import structlog

from services.common.clock import CityClock
from services.common.errors import InvalidInput, NotFound, StateUnavailable
from services.common.live.kinds import kind_of
from services.common.records import AnyRecord, Finding
from services.common.state import State
from services.ingest.errors import FetchFailed
from services.ingest.feed import Feed
from services.ingest.health import Account, Delivery, Health
from services.ingest.metrics import FeedMetrics
from services.ingest.sources import decode
from services.ingest.sources.base import Decoded, Site, SourceContext, StaticIndex, sha256_hex

THREAD_BYTES = 32 << 10
"""Bodies above are decoded in a thread, so that health and other feeds go on."""

REJECTED = "rejected-deliveries"
"""Event stream of rejected deliveries, the dead letters of ingest."""
SAMPLE_BYTES = 2_000

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Matched:
    """Records after matching to the city, and the share of entities that were matched (None: nothing to match)."""

    records: tuple[AnyRecord, ...]
    ratio: float | None = None


class Matcher(Protocol):
    """Matches the records of one feed to the city."""

    def __call__(self, feed: Feed, records: tuple[AnyRecord, ...], now: int) -> Matched:
        """Answer the records as they should be stored; pure but for caches."""
        ...


class RejectedDelivery(msgspec.Struct, frozen=True):
    """Dead letter of a delivery that was rejected."""

    feed: str
    url: str
    sha256: str
    size_bytes: int
    received_at: int
    findings: tuple[Finding, ...]
    sample: bytes


@dataclass(slots=True)
class Publisher:
    """Takes bodies, writes state; the only writer of latest records.

    Parameters
    ----------
    state : State
    clock : CityClock
    statics : mapping of str to StaticIndex
        Timetables by feed id.
    match : Matcher
    on_health : callable
        Told the feed id whenever a feed's account changes.
    """

    state: State
    clock: CityClock
    statics: Mapping[str, StaticIndex]
    match: Matcher
    metrics: FeedMetrics
    on_health: Callable[[str], None] = lambda _: None
    accounts: dict[str, Account] = field(default_factory=dict)
    sites: dict[str, dict[str, Site]] = field(default_factory=dict)
    _published: dict[str, dict[str, tuple[AnyRecord, ...]]] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _doubtful: set[str] = field(default_factory=set)

    def add(self, feed: Feed) -> None:
        """Know a feed (new, or with new settings)."""
        account = self.accounts.get(feed.feed_id)
        if account is None:
            self.accounts[feed.feed_id] = Account(feed)
        else:
            account.feed = feed
        self.on_health(feed.feed_id)

    def feed(self, feed_id: str) -> Feed:
        """Answer a known feed; raises `NotFound`."""
        account = self.accounts.get(feed_id)
        if account is None:
            known = ", ".join(sorted(self.accounts)) or "none"
            raise NotFound(f"there is no feed {feed_id!r}; known feeds: {known}", field="feed_id")
        return account.feed

    async def take(self, feed: Feed, body: bytes, url: str = "") -> Delivery:
        """Decode, match and store one body; the outcome is counted in the feed's health.

        Raises
        ------
        StateUnavailable
            If the state server does not answer: nothing is lost, the body must be given again.
        InvalidInput
            If the feed is paused or of a kind that no adapter reads.
        """
        if feed.paused or feed.adapter is None:
            why = "paused" if feed.paused else f"of kind {feed.kind!r}, which no adapter reads yet"
            raise InvalidInput(f"feed {feed.feed_id} is {why}", field="feed_id")
        started = time.perf_counter()
        async with self._locks.setdefault(feed.feed_id, asyncio.Lock()):
            context, match = self._context(feed, body, url), self.match
            decoded = await _run(decode, len(body), feed.adapter, body, context)
            if decoded.verdict == "reject":
                return await self._reject(feed, body, decoded, context, started)
            matched = await _run(match, len(body), feed, decoded.records, context.now)
            if decoded.sites:
                self.sites[feed.feed_id] = {**self.sites.get(feed.feed_id, {}), **decoded.sites}
            changed = await self._store(feed, matched.records, context.now, decoded.full)
        await self._restore_doubtful()
        delivery = self._delivery(feed, body, decoded, context, started, len(matched.records), changed)
        account = self.accounts.setdefault(feed.feed_id, Account(feed))
        account.delivered(delivery, self._all_records(feed.feed_id), matched.ratio)
        self.metrics.delivered(delivery, matched.records, matched.ratio)
        self.on_health(feed.feed_id)
        return delivery

    def take_sites(self, feed: Feed, body: bytes, url: str) -> int:
        """Read a measurement site table for `feed`; answers how many sites there are now.

        Raises
        ------
        FetchFailed
            If the table cannot be read.
        """
        decoded = decode("datex2", body, replace(self._context(feed, body, url), sites=None))
        if decoded.verdict == "reject":
            reason = decoded.findings[-1]
            raise FetchFailed(reason.code, f"site table of {feed.feed_id}: {reason.message}")
        self.sites[feed.feed_id] = dict(decoded.sites)
        return len(decoded.sites)

    def failed(self, feed: Feed, code: str, reason: str) -> None:
        """Count a poll that brought nothing."""
        account = self.accounts.setdefault(feed.feed_id, Account(feed))
        account.failed(code, reason, int(self.clock.now()))
        self.metrics.failed(feed.feed_id, code)
        log.warning("poll_failed", feed=feed.feed_id, code=code, reason=reason, failures=account.failures)
        self.on_health(feed.feed_id)

    def unchanged(self, feed: Feed) -> None:
        """Count a poll answered with "not modified"."""
        self.accounts.setdefault(feed.feed_id, Account(feed)).unchanged(int(self.clock.now()))

    def list_health(self, feed_ids: tuple[str, ...] = ()) -> list[Health]:
        """List the health of the feeds (all when no ids are given)."""
        now = int(self.clock.now())
        return [account.judge(now) for feed_id, account in sorted(self.accounts.items()) if not feed_ids or feed_id in feed_ids]

    def _context(self, feed: Feed, body: bytes, url: str) -> SourceContext:
        return SourceContext(
            feed=feed.feed_id, now=int(self.clock.now()), timezone=feed.timezone, url=url.partition("?")[0],
            sha256=sha256_hex(body), static_feed=feed.static_feed, static=self.statics.get(feed.static_feed),
            sites=self.sites.get(feed.feed_id), limits=feed.limits, entity_stale_s=None,
        )  # fmt: skip

    async def _store(self, feed: Feed, records: tuple[AnyRecord, ...], now: int, full: bool) -> int:
        """Store per kind; kinds the feed no longer speaks of are emptied. Answers the number of changed entities."""
        groups: dict[str, list[AnyRecord]] = {}
        for record in records:
            groups.setdefault(kind_of(record), []).append(record)
        known = self._published.setdefault(feed.feed_id, {})
        kinds = set(groups) | (set(known) if full else set())
        changed = 0
        try:
            for kind in sorted(kinds):
                rows = tuple(groups.get(kind, ()))
                done = await self.state.publish_latest(kind, feed.feed_id, rows, received_at=now, whole=full)
                changed += done.changed + done.removed
                known[kind] = rows if full else _merge(known.get(kind, ()), rows)
        except StateUnavailable:
            # The server was away: what any feed wrote in its last second may be lost too.
            self._doubtful.update(self._published)
            raise
        self._doubtful.discard(feed.feed_id)
        return changed

    async def _restore_doubtful(self) -> None:
        """Write the other feeds again after a loss of the server; what cannot be written now stays in doubt.

        Each is written under its own lock: a newer body that is being stored meanwhile must not be overwritten by an older one.
        """
        for feed_id in sorted(self._doubtful):
            async with self._locks.setdefault(feed_id, asyncio.Lock()):
                if feed_id not in self._doubtful:
                    continue
                try:
                    for kind, records in self._published[feed_id].items():
                        await self.state.publish_latest(kind, feed_id, records, received_at=int(self.clock.now()), whole=True)
                except StateUnavailable as error:
                    log.warning("restore_not_taken", feed=feed_id, error=str(error))
                    return
                self._doubtful.discard(feed_id)

    def _all_records(self, feed_id: str) -> tuple[AnyRecord, ...]:
        return tuple(record for records in self._published.get(feed_id, {}).values() for record in records)

    async def _reject(self, feed: Feed, body: bytes, decoded: Decoded, context: SourceContext, started: float) -> Delivery:
        delivery = self._delivery(feed, body, decoded, context, started, 0, 0)
        letter = RejectedDelivery(
            feed.feed_id, context.url, context.sha256, len(body), context.now, decoded.findings, body[:SAMPLE_BYTES]
        )
        self.accounts.setdefault(feed.feed_id, Account(feed)).delivered(delivery, (), None)
        self.metrics.delivered(delivery, (), None)
        self.on_health(feed.feed_id)
        await self.state.append_event(REJECTED, letter)
        return delivery

    @staticmethod
    def _delivery(
        feed: Feed, body: bytes, decoded: Decoded, context: SourceContext, started: float, accepted: int, changed: int
    ) -> Delivery:
        left_out = sum(count for code, count in decoded.counts.items() if code in decoded.codes)
        return Delivery(
            feed.feed_id, decoded.verdict, decoded.findings, decoded.counts, accepted, left_out, changed, context.sha256,
            len(body), context.now, time.perf_counter() - started, decoded.published_at,
        )  # fmt: skip


def _merge(before: tuple[AnyRecord, ...], after: tuple[AnyRecord, ...]) -> tuple[AnyRecord, ...]:
    return tuple({record.entity: record for record in (*before, *after)}.values())


async def _run(function: Callable[P, T], size: int, *arguments: P.args, **named: P.kwargs) -> T:
    if size > THREAD_BYTES:
        return await asyncio.to_thread(function, *arguments, **named)
    return function(*arguments, **named)

"""From a body to the state and on to a follower: quick, counted, and nothing is lost when the state server dies."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import generate_latest

from services.common.clock import CityClock
from services.common.errors import StateUnavailable
from services.common.live.state import LiveState, Topic
from services.common.metrics import Metrics
from services.common.records import AnyRecord, Observation
from services.common.state import State
from services.ingest.feed import Feed
from services.ingest.metrics import FeedMetrics
from services.ingest.poller import Poller
from services.ingest.publish import REJECTED, Matched, Publisher
from tests.builders.feeds import NOW, answer, feed_of, http_site, parkapi, trip_updates
from tests.builders.servers import state_of, state_servers
from tests.builders.waiting import PATIENCE_S, soon, until

CLOCK = CityClock(NOW, NOW, 0.0)
TRIPS = Feed("trips", "gtfs-rt", static_feed="bus", timezone="Europe/Paris")
PARKING = Feed("parks", "parkapi", timezone="Europe/Paris")


def unmatched(_feed: Feed, records: tuple[AnyRecord, ...], _now: int) -> Matched:
    """Matcher of a city without anything."""
    return Matched(records)


def publisher_of(state: State, metrics: Metrics | None = None) -> Publisher:
    """Publisher at the clock of the hostile files."""
    publisher = Publisher(state, CLOCK, {}, unmatched, FeedMetrics(metrics or Metrics()))
    publisher.add(TRIPS)
    publisher.add(PARKING)
    return publisher


async def test_each_delay_reaches_a_follower(state: State) -> None:
    """Publish → state → `LiveState`: every publication, with what it says."""
    publisher = publisher_of(state)
    async with LiveState(state, CLOCK) as live:
        await soon(live.ready.wait())
        for delay in range(60, 70):
            epoch = live.epoch(Topic.TRIPS)
            await publisher.take(TRIPS, trip_updates(("T1", delay), ("T2", 0)))
            await soon(live.wait_for(Topic.TRIPS, epoch))
            change = next(change for change in live.trips.changes if change.trip_id == "T1")
            assert change.stops[0].departure_delay_s == delay


async def test_a_whole_feed_replaces_and_an_equal_one_changes_nothing(state: State) -> None:
    """Entities that are gone are removed; the same body again is no change."""
    publisher = publisher_of(state)
    first = await publisher.take(TRIPS, trip_updates(("T1", 60), ("T2", 0)))
    again = await publisher.take(TRIPS, trip_updates(("T1", 60), ("T2", 0)))
    await publisher.take(TRIPS, trip_updates(("T2", 0)))
    stored = await state.latest("trip_updates", "trips")
    assert (first.changed, again.changed) == (2, 0)
    assert [record.entity for record in stored.records] == ["T2|20260310"]


async def test_a_rejected_body_keeps_the_state_and_becomes_a_dead_letter(state: State) -> None:
    """Nothing of a bad body is used; it is kept with its findings and counted."""
    metrics = Metrics()
    publisher = publisher_of(state, metrics)
    await publisher.take(PARKING, parkapi(40))
    delivery = await publisher.take(PARKING, b"<html>sorry</html>")
    (letter,) = await state.read_events(REJECTED)
    health = publisher.list_health(("parks",))[0]
    assert delivery.verdict == "reject"
    assert letter.value["sample"] == b"<html>sorry</html>"
    assert {r.entity for r in (await state.latest("free_spaces", "parks")).records} == {"p1"}
    assert (health.state, health.failures) == ("degraded", 1)
    assert health.rejected_by_code == {"decode_error": 1}
    assert b'rejected_total{code="decode_error",feed="parks"} 1.0' in generate_latest(metrics.registry)


async def test_health_says_waiting_ok_stale_failing(state: State) -> None:
    """The word for a feed follows its deliveries and the clock."""
    publisher = publisher_of(state)

    def words() -> dict[str, str]:
        return {health.feed_id: health.state for health in publisher.list_health()}

    assert words() == {"parks": "waiting", "trips": "waiting"}
    await publisher.take(PARKING, parkapi(40))
    for _ in range(3):
        publisher.failed(TRIPS, "timeout", "too slow")
    assert words() == {"parks": "ok", "trips": "failing"}
    publisher.clock = CityClock(NOW + 4000, NOW, 0.0)
    assert words()["parks"] == "stale"


async def test_a_killed_state_server_loses_nothing(tmp_path: Path) -> None:
    """While the state server is dead polling goes on; after its restart every feed is there again, without new content."""

    async def handler(path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        etag = f'"{path}-{served["version"]}"'
        if headers.get("if-none-match") == etag:
            writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        else:
            answer(writer, parkapi(10 + served["version"]), ETag=etag)

    served = {"version": 0}
    with state_servers(tmp_path) as servers:
        async with state_of(servers, STATE_RETRY_S="1") as state, http_site(handler) as site:
            publisher = publisher_of(state)

            async def sink(feed: Feed, body: bytes, url: str) -> None:
                await publisher.take(feed, body, url)

            async with Poller(sink, publisher.failed, publisher.unchanged) as poller:
                feeds = [feed_of(f"{site.url}/{name}", feed_id=name, timezone="Europe/Paris") for name in ("a", "b")]
                for feed in feeds:
                    publisher.add(feed)
                    poller.watch(feed)
                await until(lambda: all(publisher.list_health((f.feed_id,))[0].state == "ok" for f in feeds))
                server = servers.servers["live"]
                assert server.child is not None
                os.kill(server.child.pid, signal.SIGKILL)
                served["version"] = 7
                await asyncio.sleep(1.5)
                with contextlib.suppress(ChildProcessError):
                    server.start()
                deadline = time.monotonic() + PATIENCE_S  # pauses after failures grow
                while time.monotonic() < deadline:
                    found = {
                        name: [r.value for r in (await state.latest("free_spaces", name)).records if isinstance(r, Observation)]
                        for name in ("a", "b")
                    }
                    if found == {"a": [17.0], "b": [17.0]}:
                        break
                    await asyncio.sleep(0.1)
                assert found == {"a": [17.0], "b": [17.0]}


async def test_restoring_after_an_outage_never_overwrites_a_newer_body(state: State) -> None:
    """Feeds that come back together: what one restores of another is older than what that one stores meanwhile."""
    publisher = publisher_of(state)
    feeds = [Feed(name, "parkapi", timezone="Europe/Paris") for name in "abcdefgh"]
    for feed in feeds:
        publisher.add(feed)
        await publisher.take(feed, parkapi(10))
    with outage_of(publisher):
        for feed in feeds:
            with pytest.raises(StateUnavailable):
                await publisher.take(feed, parkapi(17))
    with outage_of(publisher, only="nobody", slow_value=10.0):
        await asyncio.gather(*(publisher.take(feed, parkapi(17)) for feed in feeds))
    assert [await stored_values(state, feed.feed_id) for feed in feeds] == [[17.0]] * len(feeds)


async def test_what_a_server_lost_is_written_again(state: State) -> None:
    """One feed that comes back brings the others' last records with it, also those it could not write at the first try."""
    publisher = publisher_of(state)
    quiet, busy = (Feed(name, "parkapi", timezone="Europe/Paris") for name in ("quiet", "busy"))
    for feed in (quiet, busy):
        publisher.add(feed)
        await publisher.take(feed, parkapi(10))
    with outage_of(publisher), pytest.raises(StateUnavailable):
        await publisher.take(busy, parkapi(17))
    await state.publish_latest("free_spaces", "quiet", (), received_at=NOW)
    with outage_of(publisher, only="quiet"):
        await publisher.take(busy, parkapi(17))
    assert await stored_values(state, "quiet") == []
    await publisher.take(busy, parkapi(18))
    assert (await stored_values(state, "quiet"), await stored_values(state, "busy")) == ([10.0], [18.0])


async def stored_values(state: State, feed_id: str) -> list[float | None]:
    """Numbers of free spaces in the state."""
    return [r.value for r in (await state.latest("free_spaces", feed_id)).records if isinstance(r, Observation)]


@contextlib.contextmanager
def outage_of(publisher: Publisher, only: str = "", slow_value: float | None = None) -> Iterator[None]:
    """Let the publisher meet a state server that does not answer (for one feed, if given), or takes old values slowly."""

    class Away:
        async def publish_latest(self, kind: str, feed: str, records: Iterable[AnyRecord], **named: Any) -> Any:
            if only in ("", feed):
                raise StateUnavailable("the live state server does not answer")
            records = tuple(records)
            if any(isinstance(record, Observation) and record.value == slow_value for record in records):
                await asyncio.sleep(0.2)
            return await state.publish_latest(kind, feed, records, **named)

    state, publisher.state = publisher.state, cast(State, Away())
    try:
        yield
    finally:
        publisher.state = state

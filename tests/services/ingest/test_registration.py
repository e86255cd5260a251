"""Feeds registered and changed by call: what the contract rounds or hides is kept, and a restart forgets nothing."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from traboule.common.v1 import stamp_pb2
from traboule.feeds.v1 import feed_pb2
from traboule.feeds.v1 import feeds_service_pb2 as pb

from services.common.clock import CityClock
from services.common.metrics import Metrics
from services.common.state import State
from services.ingest import feeds_servicer
from services.ingest.feed import Feed
from services.ingest.feeds_servicer import FeedsServicer, restore_feeds
from services.ingest.mapping import from_feed, to_feed
from services.ingest.metrics import FeedMetrics
from services.ingest.publish import Matched, Publisher
from tests.builders.feeds import NOW, parkapi
from tests.builders.waiting import soon
from tests.services.ingest.test_publish import CLOCK

DECLARED = Feed(
    "buses", "ngsi-vehicles", "http://127.0.0.1:4711/vehicles", poll_s=0.5, static_feed="stcp", timezone="Europe/Lisbon",
    headers={"apikey": "x"}, timeout_s=5.0,
)  # fmt: skip
CONTEXT: Any = None


def servicer_of(state: State, *declared: Feed) -> FeedsServicer:
    """Servicer of a city that declares these feeds; nothing is polled."""
    publisher = Publisher(state, CLOCK, {}, lambda _f, records, _n: Matched(records), FeedMetrics(Metrics()))
    for feed in declared:
        publisher.add(feed)
    poller: Any = SimpleNamespace(watch=lambda _feed: None)
    known = {feed.feed_id: feed for feed in declared}
    return FeedsServicer(publisher, poller, state, stamp_pb2.AnswerStamp, "Europe/Lisbon", known)


async def test_pausing_changes_nothing_else() -> None:
    """What GetFeed shows, given back with one field changed, keeps period, keys, limits and address."""
    message = to_feed(DECLARED)
    assert message.poll_interval_s == 1, "half a second is not 'not polled'"
    message.paused = True
    assert from_feed(message, "UTC", DECLARED) == replace(DECLARED, paused=True, registered=True, display_name="buses")


@pytest.mark.parametrize("url", ["https://me:secret@feeds.example/a?key=secret", "https://feeds.example/a?key=secret#secret"])
async def test_an_address_is_shown_without_secrets_and_kept_with_them(url: str) -> None:
    """Users and queries carry keys; everybody may see a feed."""
    feed = Feed("f", "parkapi", url)
    assert to_feed(feed).url == "https://feeds.example/a"
    assert from_feed(to_feed(feed), "UTC", feed).url == url


async def test_a_feed_that_falls_silent_is_announced(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing arrives, time goes by, the feed is stale: who watches is told."""
    monkeypatch.setattr(feeds_servicer, "JUDGE_EVERY_S", 0.05)
    servicer = servicer_of(state, Feed("parks", "parkapi", timezone="Europe/Paris"))
    publisher = servicer._publisher
    await publisher.take(publisher.feed("parks"), parkapi(40))
    watch = servicer.WatchFeeds(pb.WatchFeedsRequest(min_interval_s=0.05), CONTEXT)
    assert [row.state for row in (await anext(watch)).feeds] == [feed_pb2.FEED_STATE_OK]
    publisher.clock = CityClock(NOW + 4000, NOW, 0.0)
    assert [row.state for row in (await soon(anext(watch))).feeds] == [feed_pb2.FEED_STATE_STALE]


async def test_a_pause_of_a_declared_feed_survives_a_restart(state: State) -> None:
    """The operator's pause holds on; the address is the present one of the city, not that of the time of the pause."""
    message = to_feed(DECLARED)
    message.paused = True
    await servicer_of(state, DECLARED).RegisterFeed(pb.RegisterFeedRequest(feed=message), CONTEXT)
    moved = replace(DECLARED, url="http://127.0.0.1:9999/vehicles")
    (restored,) = await restore_feeds(state, {"buses": moved})
    assert restored == replace(moved, paused=True, registered=True, display_name="buses")


async def test_a_feed_of_one_s_own_survives_a_restart(state: State) -> None:
    """Address and period come back whole."""
    message = feed_pb2.Feed(
        feed_id="own", kind=feed_pb2.FEED_KIND_PARKAPI, url="https://feeds.example/p?key=k", poll_interval_s=30
    )
    await servicer_of(state).RegisterFeed(pb.RegisterFeedRequest(feed=message), CONTEXT)
    (restored,) = await restore_feeds(state, {})
    assert (restored.feed_id, restored.url, restored.poll_s) == ("own", "https://feeds.example/p?key=k", 30.0)

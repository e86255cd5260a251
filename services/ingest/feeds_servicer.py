"""`FeedsService`: what feeds there are, their content pushed, their health."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

from traboule.common.v1 import stamp_pb2
from traboule.feeds.v1 import feeds_service_pb2 as pb
from traboule.feeds.v1 import feeds_service_pb2_grpc

from services.common.errors import InvalidInput, ResourceExhausted
from services.common.state import State
from services.ingest.feed import Feed
from services.ingest.health import Delivery
from services.ingest.mapping import from_feed, to_delivery, to_feed, to_health, worst_first
from services.ingest.poller import Poller
from services.ingest.publish import Publisher

COLLECTION = "feeds"
_STORED = ("feed_id", "kind", "url", "display_name", "poll_s", "stale_after_s", "static_feed", "timezone", "licence",
           "attribution", "origin", "paused", "registered", "sites_url")  # fmt: skip
JUDGE_EVERY_S = 5.0
_ADDRESS = ("url", "sites_url", "poll_s", "origin", "timezone")


def to_document(feed: Feed, before: Feed | None = None) -> dict[str, Any]:
    """What is kept of a registered feed; where it is read stays out as long as it is where it was `before`.

    The address of a declared feed is the city's business, and that of a recorded day is another at every start.
    """
    same = () if before is None else tuple(name for name in _ADDRESS if getattr(feed, name) == getattr(before, name))
    return {name: getattr(feed, name) for name in _STORED if name not in same}


def from_document(value: dict[str, Any], declared: Feed | None = None) -> Feed:
    """Feed as it was registered, laid over the one the city declares."""
    said = {name: value[name] for name in _STORED if name in value}
    return Feed(**said) if declared is None else replace(declared, **said)


class FeedsServicer(feeds_service_pb2_grpc.FeedsServiceServicer):
    """Servicer of `traboule.feeds.v1.FeedsService`."""

    def __init__(
        self,
        publisher: Publisher,
        poller: Poller,
        state: State,
        stamp: Callable[[], stamp_pb2.AnswerStamp],
        timezone: str,
        declared: dict[str, Feed],
    ) -> None:
        self._publisher, self._poller, self._state = publisher, poller, state
        self._stamp, self._timezone = stamp, timezone
        self._changed: dict[asyncio.Event, set[str]] = {}
        self._declared = declared
        publisher.on_health = self._health_changed

    async def RegisterFeed(self, request: pb.RegisterFeedRequest, context: Any) -> pb.RegisterFeedResponse:  # noqa: ARG002, N802, D102
        before = self._publisher.accounts.get(request.feed.feed_id)
        feed = from_feed(request.feed, self._timezone, before.feed if before else None)
        await self._state.settings.put(COLLECTION, feed.feed_id, to_document(feed, self._declared.get(feed.feed_id)))
        self._publisher.add(feed)
        self._poller.watch(feed)
        return pb.RegisterFeedResponse(feed=to_feed(feed), created=before is None)

    async def ListFeeds(self, request: pb.ListFeedsRequest, context: Any) -> pb.ListFeedsResponse:  # noqa: ARG002, N802, D102
        feeds = [to_feed(account.feed) for _, account in sorted(self._publisher.accounts.items())]
        return pb.ListFeedsResponse(feeds=[feed for feed in feeds if not request.kinds or feed.kind in request.kinds])

    async def GetFeed(self, request: pb.GetFeedRequest, context: Any) -> pb.GetFeedResponse:  # noqa: ARG002, N802, D102
        feed = self._publisher.feed(request.feed_id)
        health = self._publisher.list_health((feed.feed_id,))[0]
        return pb.GetFeedResponse(feed=to_feed(feed), health=to_health(health))

    async def PushFeed(self, request_iterator: AsyncIterator[pb.PushFeedRequest], context: Any) -> pb.PushFeedResponse:  # noqa: ARG002, N802, D102
        feed: Feed | None = None
        body, stated = bytearray(), ""
        async for part in request_iterator:
            if feed is None:
                feed = self._publisher.feed(part.feed_id)
            elif part.feed_id not in ("", feed.feed_id):
                raise InvalidInput("feed_id must not change within a delivery", field="feed_id")
            body += part.chunk
            stated = part.sha256 or stated
            if len(body) > feed.limits.body_bytes:
                raise ResourceExhausted(f"the delivery is larger than the limit of {feed.limits.body_bytes} bytes")
        if feed is None:
            raise InvalidInput("the delivery has no message: send at least one with the feed_id", field="feed_id")
        return pb.PushFeedResponse(delivery=to_delivery(await self._take(feed, bytes(body), stated)))

    async def PushFeedFile(self, request: pb.PushFeedFileRequest, context: Any) -> pb.PushFeedFileResponse:  # noqa: ARG002, N802, D102
        feed = self._publisher.feed(request.feed_id)
        return pb.PushFeedFileResponse(delivery=to_delivery(await self._take(feed, request.content, request.sha256)))

    async def GetFeedHealth(self, request: pb.GetFeedHealthRequest, context: Any) -> pb.GetFeedHealthResponse:  # noqa: ARG002, N802, D102
        for feed_id in request.feed_ids:
            self._publisher.feed(feed_id)
        healths = worst_first(self._publisher.list_health(tuple(request.feed_ids)))
        return pb.GetFeedHealthResponse(feeds=[to_health(health) for health in healths], stamp=self._stamp())

    async def WatchFeeds(  # noqa: N802, D102
        self,
        request: pb.WatchFeedsRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[pb.WatchFeedsResponse]:
        wanted = tuple(request.feed_ids)
        for feed_id in wanted:
            self._publisher.feed(feed_id)
        wake = asyncio.Event()
        self._changed[wake] = set()
        try:
            changed: tuple[str, ...] = wanted
            said: dict[str, str] = {}
            while True:
                healths = worst_first(self._publisher.list_health(changed))
                said |= {health.feed_id: health.state for health in healths}
                yield pb.WatchFeedsResponse(feeds=[to_health(h) for h in healths], stamp=self._stamp())
                while True:
                    await asyncio.sleep(request.min_interval_s or 1.0)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(JUDGE_EVERY_S):
                            await wake.wait()
                    wake.clear()
                    pending, self._changed[wake] = self._changed[wake], set()
                    # A feed that falls silent does nothing that could wake us, and is the one people watch for.
                    pending |= {
                        health.feed_id for health in self._publisher.list_health() if said.get(health.feed_id) != health.state
                    }
                    changed = tuple(feed_id for feed_id in sorted(pending) if not wanted or feed_id in wanted)
                    if changed:
                        break
        finally:
            del self._changed[wake]

    async def _take(self, feed: Feed, body: bytes, stated_sha256: str) -> Delivery:
        if stated_sha256 and hashlib.sha256(body).hexdigest() != stated_sha256:
            raise InvalidInput("the content does not have the sha256 that was said: send it again", field="sha256")
        return await self._publisher.take(feed, body, "push")

    def _health_changed(self, feed_id: str) -> None:
        for wake, pending in self._changed.items():
            pending.add(feed_id)
            wake.set()


async def restore_feeds(state: State, declared: Mapping[str, Feed]) -> list[Feed]:
    """Feeds registered or changed before the last stop; a pause or another period of a declared feed holds on."""
    documents = await state.settings.list_all(COLLECTION, dict[str, Any])
    return [from_document(document.value, declared.get(document.id)) for document in documents]

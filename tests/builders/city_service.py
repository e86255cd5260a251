"""A servicer of the real contract whose behaviour a test gives; all calls go through the real server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from traboule.feeds.v1 import feeds_service_pb2 as pb
from traboule.feeds.v1 import feeds_service_pb2_grpc

from services.common.server import Register

SERVICE = "traboule.feeds.v1.FeedsService"
Answer = Callable[[Any, Any], Awaitable[Any]]


class DrawnServicer(feeds_service_pb2_grpc.FeedsServiceServicer):
    """GetFeed does what the test wants; WatchFeeds answers once, then waits; PushFeed counts what it is sent."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.watching = asyncio.Event()
        self.ended = asyncio.Event()
        self.received = 0

    async def GetFeed(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Do what the test wants."""
        return await self._answer(request, context) or pb.GetFeedResponse()

    async def WatchFeeds(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ARG002, N802
        """Answer once, then wait until the caller or the server ends it."""
        try:
            yield pb.WatchFeedsResponse()
            self.watching.set()
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def PushFeed(self, request_iterator: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Count the requests."""
        async for _ in request_iterator:
            self.received += 1
        return pb.PushFeedResponse()


def registering(servicer: DrawnServicer) -> Register:
    """Register function for the server."""

    def register(server: grpc.aio.Server) -> list[str]:
        feeds_service_pb2_grpc.add_FeedsServiceServicer_to_server(servicer, server)
        return [SERVICE]

    return register

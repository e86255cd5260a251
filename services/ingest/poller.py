"""Polling: one task per feed, so that no feed ever waits for another."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import structlog

from services.common.errors import ServiceError
from services.ingest.errors import FetchFailed
from services.ingest.feed import Feed
from services.ingest.fetch import Validators, fetch, new_client

Sink = Callable[[Feed, bytes, str], Awaitable[None]]
"""Takes a body and its address; an exception means "not taken": the body is asked for again."""

MAX_BACKOFF_S = 300.0
BACKOFF_FACTOR = 2.0

log = structlog.get_logger()


@dataclass(slots=True)
class Poller:
    """Polls feeds into a sink.

    Parameters
    ----------
    sink : Sink
    on_failure : callable
        Told of each failed poll: feed, code, reason.
    on_unchanged : callable
        Told of each "not modified".
    max_backoff_s : float
        Longest pause after repeated failures.
    seed : int
        Of the jitter.
    """

    sink: Sink
    on_failure: Callable[[Feed, str, str], None]
    on_unchanged: Callable[[Feed], None]
    max_backoff_s: float = MAX_BACKOFF_S
    seed: int = 0
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> "Poller":
        self._client = new_client()
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        if self._client is not None:
            await self._client.aclose()

    def watch(self, feed: Feed) -> None:
        """Start polling `feed`, or restart it with new settings; a feed that is paused or pushed is only stopped."""
        self.unwatch(feed.feed_id)
        if feed.url and feed.poll_s > 0 and not feed.paused and feed.adapter is not None:
            self._tasks[feed.feed_id] = asyncio.create_task(self._poll(feed), name=f"poll {feed.feed_id}")

    def list_watched(self) -> list[str]:
        """Feeds that are polled now."""
        return sorted(self._tasks)

    def unwatch(self, feed_id: str) -> None:
        """Stop polling a feed."""
        task = self._tasks.pop(feed_id, None)
        if task is not None:
            task.cancel()

    async def _poll(self, feed: Feed) -> None:
        assert self._client is not None
        jitter = random.Random(f"{self.seed}:{feed.feed_id}")
        validators, failures = Validators(), 0
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                fetched = await fetch(self._client, feed, validators)
                if fetched.body is None:
                    self.on_unchanged(feed)
                else:
                    await self.sink(feed, fetched.body, fetched.url)
                    # Only now: a body that could not be stored must come again.
                    validators = fetched.validators
                failures = 0
            except FetchFailed as error:
                failures += 1
                self.on_failure(feed, error.code, error.reason)
            except ServiceError as error:
                failures += 1
                log.warning("delivery_not_taken", feed=feed.feed_id, error=str(error))
            except Exception as error:
                # The task must go on: a feed that is no longer polled, and says nothing, is the worst of all.
                failures += 1
                log.error("poll_broke", feed=feed.feed_id, exc_info=error)
                self.on_failure(feed, "adapter_error", f"{type(error).__name__} while taking the body; see the log")
            await asyncio.sleep(self._pause(feed, failures, loop.time() - started, jitter))

    def _pause(self, feed: Feed, failures: int, spent_s: float, jitter: random.Random) -> float:
        """Rest of the period, or the back-off after failures, with full jitter in its upper half."""
        if failures == 0:
            return max(feed.poll_s - spent_s, 0.01)
        longest = max(self.max_backoff_s, feed.poll_s)
        pause = min(feed.poll_s * BACKOFF_FACTOR ** min(failures - 1, 30), longest)
        return pause * (0.5 + 0.5 * jitter.random())

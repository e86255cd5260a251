"""Waiting for what must happen: as long as a slow or busy machine may need, and no longer than it takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 60.0
"""When to give up. Far beyond what anything takes: a test that waits this long has found a fault, not a busy machine."""


async def soon(happening: Awaitable[T]) -> T:
    """Await something that must happen."""
    return await asyncio.wait_for(happening, PATIENCE_S)


async def until(check: Callable[[], object], what: str = "it") -> None:
    """Wait, with the event loop going on, until `check` holds."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < give_up_at, f"{what} did not happen within {PATIENCE_S:g} s"
        await asyncio.sleep(0.02)


async def until_true(check: Callable[[], Awaitable[object]], what: str = "it") -> None:
    """Like `until`, for a check that has to be awaited."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not await check():
        assert time.monotonic() < give_up_at, f"{what} did not happen within {PATIENCE_S:g} s"
        await asyncio.sleep(0.02)


def until_blocking(check: Callable[[], object], what: str = "it") -> None:
    """Wait until `check` holds, where no event loop runs."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < give_up_at, f"{what} did not happen within {PATIENCE_S:g} s"
        time.sleep(0.02)

"""Ctrl-C and SIGTERM while a city starts and while it runs."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from services.common.errors import ServiceError

T = TypeVar("T")


class StoppedWhileStarting(ServiceError):
    """The city was told to stop before it was up; what had been started is stopped."""

    exit_code = 130


@asynccontextmanager
async def stoppable(starting: AbstractAsyncContextManager[T]) -> AsyncIterator[tuple[T, asyncio.Event]]:
    """Enter `starting`; a signal meanwhile gives up, a later one sets the event.

    Raises
    ------
    StoppedWhileStarting
        If a signal came before `starting` was entered.
    """
    stop, loop, task = asyncio.Event(), asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    started = False

    def on_signal() -> None:
        stop.set()
        if not started:
            task.cancel()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        async with starting as value:
            started = True
            yield value, stop
    except asyncio.CancelledError:
        if started or not stop.is_set():
            raise
        task.uncancel()
        raise StoppedWhileStarting("stopped before the city was up; nothing is left running") from None
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)

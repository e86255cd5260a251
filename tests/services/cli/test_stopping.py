"""Ctrl-C while a city starts, and while it runs."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.cli.stopping import StoppedWhileStarting, stoppable
from tests.builders.waiting import soon


async def test_a_signal_while_starting_gives_up_and_cleans_up() -> None:
    """What was begun is taken back, and one sentence says so."""
    steps: list[str] = []

    @asynccontextmanager
    async def slow() -> AsyncIterator[str]:
        steps.append("begun")
        try:
            await asyncio.sleep(30)
            yield "up"
        finally:
            steps.append("taken back")

    asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
    with pytest.raises(StoppedWhileStarting, match="nothing is left"):
        async with stoppable(slow()):
            steps.append("up")
    assert steps == ["begun", "taken back"]


async def test_a_signal_while_running_sets_the_event() -> None:
    """The running city is asked to stop; its own end is orderly."""
    ended: list[bool] = []

    @asynccontextmanager
    async def quick() -> AsyncIterator[str]:
        try:
            yield "up"
        finally:
            ended.append(True)

    async with stoppable(quick()) as (value, stop):
        assert value == "up"
        os.kill(os.getpid(), signal.SIGTERM)
        await soon(stop.wait())
        assert not ended
    assert ended == [True]

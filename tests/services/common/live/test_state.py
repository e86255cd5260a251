"""`LiveState` builds one value at a time and never dies in silence."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from services.common.clock import CityClock
from services.common.live import state as live_state
from services.common.live.kinds import EVENTS
from services.common.live.state import LiveState, Topic
from services.common.live.traffic import build_traffic
from services.common.records import Event, Provenance
from services.common.state import State
from services.common.state.embedded import EmbeddedState
from tests.builders.servers import state_of, state_servers
from tests.builders.streets import draw
from tests.builders.waiting import soon, until

NOW = 1_000_000
CLOCK = CityClock(NOW, NOW, 0.0)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedState]:
    """Both embedded state servers."""
    with state_servers(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
async def state(servers: EmbeddedState) -> AsyncIterator[State]:
    """State of a city that no other test uses."""
    async with state_of(servers) as connected:
        yield connected


def _event(entity: str) -> Event:
    return Event(
        feed="e", entity=entity, observed_at=NOW, received_at=NOW, valid_until=NOW + 9999, kind="closure", version=1,
        starts_at=None, ends_at=None, provenance=Provenance("", "", "x"),
    )  # fmt: skip


async def test_an_older_build_that_takes_longer_does_not_come_last(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the expiry builds slowly from old records a closure arrives: it is known in the end."""
    slow: list[float] = []

    def build(*arguments: Any) -> Any:
        time.sleep(slow.pop() if slow else 0.0)
        return build_traffic(*arguments)

    monkeypatch.setattr(live_state, "build_traffic", build)
    async with LiveState(state, CLOCK, street=draw("A B\n---\nAB").engine) as live:
        await soon(live.ready.wait())
        await state.publish_latest(EVENTS, "e", [_event("one")], received_at=NOW)
        await soon(live.wait_for(Topic.TRAFFIC, 0))
        slow.append(0.6)
        expiry = asyncio.create_task(live._rebuild({Topic.TRAFFIC}))
        await asyncio.sleep(0.1)
        await state.publish_latest(EVENTS, "e", [_event("one"), _event("two")], received_at=NOW)
        await expiry
        await until(lambda: live.epoch(Topic.TRAFFIC) == 3, "the newest closure")
        assert live.traffic is not None
        assert [event.entity for event in live.traffic.events] == ["one", "two"]


async def test_what_breaks_the_expiry_is_raised(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the part that lets values run out ends `follow`, so that its service notices."""
    monkeypatch.setattr(live_state, "EXPIRY_CHECK_S", 0.05)
    live = LiveState(state, CLOCK, street=draw("A B\n---\nAB").engine)
    following = asyncio.create_task(live.follow())
    await soon(live.ready.wait())

    def listener(_topic: Topic) -> None:
        raise LookupError("a listener that breaks")

    live.on_change(listener)
    live._next_expiry[Topic.TRAFFIC] = NOW - 1
    with pytest.raises(LookupError, match="a listener that breaks"):
        await soon(following)
    with contextlib.suppress(asyncio.CancelledError):
        following.cancel()

"""Reported incidents: once per key and tenant, changed by name, and none lost when many come at once."""

import asyncio
from typing import Any

from services.common.live.kinds import EVENTS
from services.common.state import State
from services.ingest.incidents import FEED, Incidents
from tests.services.ingest.test_publish import CLOCK


def wanted(**more: Any) -> dict[str, Any]:
    """Fields of a report."""
    return {
        "entity": "", "kind": "closure", "starts_at": None, "ends_at": None, "path": ((41.15, -8.61),),
        "both_directions": True, "speed_factor": None, "description": "a", **more,
    }  # fmt: skip


async def test_a_key_belongs_to_its_tenant(state: State) -> None:
    """The same key twice is one incident; the same key of another tenant is another."""
    incidents = Incidents(state, CLOCK)
    first = await incidents.report(wanted(), "1", "north")
    assert await incidents.report(wanted(description="again"), "1", "north") == first
    other = await incidents.report(wanted(description="b"), "1", "south")
    assert other.entity != first.entity
    assert other.description == "b"


async def test_a_named_incident_is_changed_with_a_key_too(state: State) -> None:
    """A key makes a change no less a change."""
    incidents = Incidents(state, CLOCK)
    first = await incidents.report(wanted(), "")
    changed = await incidents.report(wanted(entity=first.entity, description="moved"), "change-1")
    assert (changed.entity, changed.description, changed.version) == (first.entity, "moved", 2)


async def test_equal_reports_without_a_key_are_two(state: State) -> None:
    """Nobody said that they are one."""
    incidents = Incidents(state, CLOCK)
    both = await asyncio.gather(incidents.report(wanted(), ""), incidents.report(wanted(), ""))
    assert len({event.entity for event in both}) == 2


async def test_many_at_once_are_all_published(state: State) -> None:
    """The last publication knows all, and old ones end without stumbling over each other."""
    incidents = Incidents(state, CLOCK)
    old = int(CLOCK.now()) - 10 * 86_400
    await asyncio.gather(*(incidents.report(wanted(ends_at=old), str(n)) for n in range(20)))
    await asyncio.gather(*(incidents.report(wanted(), f"new{n}") for n in range(30)))
    published = await state.latest(EVENTS, FEED)
    assert len(published.records) == len(incidents.events) == 30

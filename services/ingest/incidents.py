"""Incidents reported by call: kept durably, published as a feed of their own."""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.common.clock import CityClock
from services.common.errors import NotFound
from services.common.live.kinds import EVENTS
from services.common.records import Event, Provenance
from services.common.state import State

FEED = "reported-incidents"
COLLECTION = "incidents"
KEPT_S = 86_400
OPEN_END_S = 10 * 365 * 86_400


@dataclass(slots=True)
class Incidents:
    """All incidents reported in a city. The one writer of the feed `FEED`."""

    state: State
    clock: CityClock
    events: dict[str, Event] = field(default_factory=dict)
    _publishing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def restore(self) -> None:
        """Read what was reported before the last stop, and publish it again."""
        for document in await self.state.settings.list_all(COLLECTION, Event):
            self.events[document.id] = document.value
        await self._publish()

    async def report(self, wanted: dict[str, Any], idempotency_key: str, tenant: str = "") -> Event:
        """Keep and publish an incident; a repeated report of a tenant with the same key answers the first one.

        A report that names an incident changes it; there a key has nothing to add, since doing it twice is doing it once.
        """
        now = int(self.clock.now())
        named = str(wanted.pop("entity") or "")
        seed = f"{tenant}\0{idempotency_key}" if idempotency_key else secrets.token_hex(16)
        entity = named or "incident-" + hashlib.sha256(seed.encode()).hexdigest()[:16]
        before = self.events.get(entity)
        if before is not None and not named:
            return before
        event = Event(
            feed=FEED, entity=entity, observed_at=now, received_at=now, valid_until=now + OPEN_END_S,
            provenance=Provenance("", "", "report"), version=before.version + 1 if before else 1, **wanted,
        )  # fmt: skip
        await self._keep(event)
        return event

    async def resolve(self, incident_id: str) -> Event:
        """End an incident; raises `NotFound`."""
        before = self.events.get(incident_id)
        if before is None:
            raise NotFound(f"there is no reported incident {incident_id!r}", field="incident_id")
        if before.cancelled:
            return before
        now = int(self.clock.now())
        event = msgspec.structs.replace(before, ends_at=now, cancelled=True, observed_at=now, version=before.version + 1)
        await self._keep(event)
        return event

    async def _keep(self, event: Event) -> None:
        await self.state.settings.put(COLLECTION, event.entity, event)
        self.events[event.entity] = event
        await self._publish()

    async def _publish(self) -> None:
        # One at a time: of two publications side by side the one that knows less might come last.
        async with self._publishing:
            now = int(self.clock.now())
            for entity, event in list(self.events.items()):
                if event.ends_at is not None and event.ends_at < now - KEPT_S:
                    self.events.pop(entity, None)
                    await self.state.settings.delete(COLLECTION, entity)
            await self.state.publish_latest(EVENTS, FEED, tuple(self.events.values()), received_at=now, whole=True)

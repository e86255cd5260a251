"""A controller at the street: it shows what it is told last, reports it, and remembers every second for the checker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from traboule.signals.v1 import control_pb2

from services.common.clock import CityClock
from services.common.errors import StateUnavailable
from services.common.state import State
from services.signals.audit import AuditLog, CommandSigner
from services.signals.config import SignalsConfig
from services.signals.control_loop import ControlLoop
from services.signals.lease import Lease, LeaseTimes
from services.signals.mapping import ASPECT_FROM_PROTO, ASPECT_TO_PROTO, write_intersection
from services.signals.room import ControlRoom
from tests.builders.servers import state_of
from tests.builders.signals import junction
from traffic_lights.build import build_intersection

Commands = asyncio.Queue[list[control_pb2.SignalCommand]]


def authority(name: str = "k1", **options: Any) -> Any:
    """An intersection as an authority would import it: detectors on every vehicle group, not derived from a map."""
    message = write_intersection(build_intersection(junction(0, 90, 180, 270, name=name, **options)), derived=True)
    message.derived_from_map = False
    return message


@dataclass(frozen=True, slots=True)
class LossyAudit(AuditLog):
    """An audit log whose server can be away: a command that cannot be written must not be sent."""

    away: list[bool] = field(default_factory=lambda: [False])

    async def append_commands(self, commands: Any, at_s: int, notes: Sequence[tuple[str, str, str]] = ()) -> None:
        """Append unless the server is away."""
        if self.away[0]:
            raise StateUnavailable("the drawn server is away")
        await AuditLog.append_commands(self, commands, at_s, notes)


@dataclass
class Post:
    """One service that commands signals, with a clock that stands still unless told."""

    room: ControlRoom
    loop: ControlLoop
    audit: LossyAudit

    async def tick(self, second: int) -> list[control_pb2.SignalCommand]:
        """One second."""
        self.set_clock(second)
        return await self.loop.tick(second)

    def set_clock(self, second: float) -> None:
        """Set the city clock."""
        self.loop.clock = CityClock(float(second), 0.0, 0.0)


async def open_post(state: State, signer: CommandSigner, at_s: int, lease: Lease | None = None) -> Post:
    """Start a service on the state of a city; it holds the lease if it can get it."""
    audit = LossyAudit(state)
    lease = lease or Lease(state, LeaseTimes(ttl_s=1000.0))
    loop = ControlLoop(CityClock(float(at_s), 0.0, 0.0), signer, audit, SignalsConfig(), lease)
    room = ControlRoom(None, loop, state)
    loop.on_control = room.restore
    if await lease.attempt():
        await loop.take_control()
    return Post(room, loop, audit)


@asynccontextmanager
async def signals_state(servers: Any, city: str | None = None) -> AsyncIterator[State]:
    """State with the rights of the signals service."""
    own = {name.removeprefix("TRABOULE_"): url for name, url in servers.environment("signals").items()}
    async with state_of(servers, city, **own) as state:
        yield state


@dataclass
class Street:
    """The controller of intersection `message` and the lamps it switches."""

    message: Any
    shown: bytes = b""
    sequence: int = 0
    states: list[bytes] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    resumed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.groups = [g.signal_group_id for g in self.message.signal_groups]
        self.shown = self.shown or bytes(len(self.groups))

    def obey(self, queue: Commands | None) -> list[control_pb2.SignalCommand]:
        """Carry out what has come, in order; commands with a lower number than the last are refused."""
        done: list[control_pb2.SignalCommand] = []
        while queue is not None and not queue.empty():
            for command in queue.get_nowait():
                if not command.binding or command.intersection_id != self.message.intersection_id:
                    continue
                if command.sequence < self.sequence:
                    continue
                aspects = {a.signal_group_id: ASPECT_FROM_PROTO[a.aspect] for a in command.aspects}
                self.shown, self.sequence = bytes(aspects[g] for g in self.groups), command.sequence
                done.append(command)
        return done

    def pass_second(self, *, lost: bool = False) -> None:
        """Show the present state for one second; `lost` if nobody could have told anything."""
        if lost:
            self.lost.add(len(self.states))
        self.states.append(self.shown)

    def report(self, at_s: float, **options: Any) -> control_pb2.ControllerReport:
        """What is shown."""
        aspects = [
            control_pb2.GroupAspect(signal_group_id=g, aspect=ASPECT_TO_PROTO[a])  # type: ignore[index]
            for g, a in zip(self.groups, self.shown, strict=True)
        ]
        return control_pb2.ControllerReport(
            intersection_id=self.message.intersection_id, observed_unix_ms=int(at_s * 1000), aspects=aspects,
            last_sequence=self.sequence, **options,
        )  # fmt: skip

"""The loop that steps every controlled intersection once a second of the city clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field

import structlog
from traboule.signals.v1 import control_pb2

from services.common.clock import CityClock
from services.common.errors import StateUnavailable
from services.signals.audit import AuditLog, CommandSigner
from services.signals.config import SignalsConfig
from services.signals.errors import StandingBy
from services.signals.lease import Lease
from services.signals.mapping import MODE_TO_PROTO, SOURCE_TO_PROTO, write_aspects
from services.signals.site import ControlledSite
from traffic_lights.api import Decision, Mode
from traffic_lights.errors import SignalsError
from traffic_lights.guard import GuardMemory, Verdict

QUEUE_LENGTH = 256
JUMP_S = 2.0
"""A city clock that runs this much faster or slower than time itself has been set."""
_INTERVENTIONS = {
    Verdict.FORCED: "changed the stage so that a maximum red or green is kept",
    Verdict.WOULD_OVERRUN: "refused the stage: somebody would wait or go too long",
    Verdict.NOT_ALLOWED: "refused the stage: no such transition",
    Verdict.MALFORMED: "refused the stage: there is none of that name",
    Verdict.RESTARTED: "began anew in all-red: it was not stepped for too long to know what the lamps show",
}
_log = structlog.get_logger("signals")


@dataclass(slots=True)
class _Step:
    """What one site wants to say in a second, and how to forget it if it cannot be said."""

    site: ControlledSite
    memory: GuardMemory
    binding: control_pb2.SignalCommand | None = None
    proposal: control_pb2.SignalCommand | None = None
    repeated: bool = False


@dataclass(slots=True)
class ControlLoop:
    """Steps sites, signs and audits their commands, and hands them to whoever listens.

    A command is handed out only after it is in the audit log. When that cannot be done it has not happened: the guard goes
    back to what the street was told last, and controllers at the street fall back to their own plans when that expires.
    A command repeated unchanged keeps its number and is not written to the audit again. Nothing is said, and no guard is
    believed, while nobody takes commands, or while another service holds the lease.
    """

    clock: CityClock
    signer: CommandSigner
    audit: AuditLog
    config: SignalsConfig
    lease: Lease
    sites: dict[str, ControlledSite] = field(default_factory=dict)
    on_control: Callable[[], Awaitable[None]] | None = None
    _listeners: dict[asyncio.Queue[list[control_pb2.SignalCommand]], frozenset[str]] = field(default_factory=dict)
    _notes: list[tuple[str, str, str]] = field(default_factory=list)
    _fence: int = 0

    async def run(self) -> None:
        """Tick for ever, once a second of the city clock; seconds that were missed are lost, not made up for."""
        done, at_s, elapsed_s = int(self.clock.now()), self.clock.now(), time.monotonic()
        while True:
            now_s = self.clock.now()
            # After a clock went back its next second is as good as any.
            await self.clock.sleep_until(min(done, now_s) + 1 if done > now_s + 1 else done + 1)
            now_s, mono_s = self.clock.now(), time.monotonic()
            jump_s = (now_s - at_s) - (mono_s - elapsed_s) * self.clock.rate
            if abs(jump_s) > JUMP_S * max(1.0, self.clock.rate):
                _log.error("clock_jump", seconds=round(jump_s, 1))
                self._notes.append(("clock_jump", "", f"the clock was set by {jump_s:+.0f} s"))
            elif int(now_s) - done > JUMP_S * max(1.0, self.clock.rate):
                _log.error("seconds_lost", seconds=int(now_s) - done - 1)
                self._notes.append(("seconds_lost", "", f"{int(now_s) - done - 1} s in which nothing was decided"))
            done, at_s, elapsed_s = int(now_s), now_s, mono_s
            await self.tick(done)

    def require_control(self) -> None:
        """Raise `StandingBy` while another service commands the signals of this city."""
        if not self.lease.held or self._fence != self.lease.fence:
            raise StandingBy(
                f"this service stands by: the lease of control is with {self.lease.other or 'nobody yet'}; "
                "try again in some seconds, or call the service that holds it"
            )

    async def tick(self, second: int) -> list[control_pb2.SignalCommand]:
        """Step every site one second; the commands handed out."""
        if not self.lease.held:
            return []
        if self._fence != self.lease.fence and not await self.take_control():
            return []
        steps = [self._step(site, second) for site in list(self.sites.values())]
        new = [c for s in steps for c in ((None if s.repeated else s.binding), s.proposal) if c is not None]
        for step in steps:
            for command in (step.binding, step.proposal):
                if command is not None:
                    self.signer.sign(command)
        if not await self._record(new, second) or not self.lease.held:
            for step in steps:
                if step.binding is not None:
                    step.site.controller.guard.recall(step.memory)
                    step.site.sent = b""  # so that the next second tries again
            return []
        for step in steps:
            self._delivered(step, second)
        commands = [c for s in steps for c in (s.binding, s.proposal) if c is not None]
        self._hand_out(commands)
        return commands

    def accept(
        self,
        detections: Iterable[control_pb2.Detection],
        reports: Iterable[control_pb2.ControllerReport],
        who: str = "",
    ) -> tuple[int, list[str]]:
        """Take detector values and reports of controllers; how many were used, and why others were not."""
        now_s, used, rejections = self.clock.now(), 0, []
        values: list[control_pb2.Detection | control_pb2.ControllerReport] = [*detections, *reports]
        for value in values:
            site = self.sites.get(value.intersection_id)
            if site is None:
                why: str | None = f"intersection {value.intersection_id!r} is not under control"
            elif isinstance(value, control_pb2.Detection):
                why = site.board.accept(value, now_s)
            else:
                why = site.accept_report(value, now_s, who)
            if why is None:
                used += 1
            else:
                rejections.append(why)
        return used, rejections

    async def listen(self, intersection_ids: Collection[str]) -> AsyncIterator[list[control_pb2.SignalCommand]]:
        """Commands as they are handed out, of these intersections (none given: of all)."""
        queue = self.subscribe(intersection_ids)
        try:
            while True:
                yield await queue.get()
        finally:
            self.unsubscribe(queue)

    def subscribe(self, intersection_ids: Collection[str]) -> asyncio.Queue[list[control_pb2.SignalCommand]]:
        """Queue that receives commands; the present ones first."""
        queue: asyncio.Queue[list[control_pb2.SignalCommand]] = asyncio.Queue(QUEUE_LENGTH)
        self._listeners[queue] = frozenset(intersection_ids)
        for name in intersection_ids:
            if name in self.sites:
                self.sites[name].sent = b""  # repeats its command in the next second
        if not intersection_ids:
            for site in self.sites.values():
                site.sent = b""
        return queue

    def unsubscribe(self, queue: asyncio.Queue[list[control_pb2.SignalCommand]]) -> None:
        """Forget a listener."""
        self._listeners.pop(queue, None)

    def replace(self, queue: asyncio.Queue[list[control_pb2.SignalCommand]], intersection_ids: Collection[str]) -> None:
        """Change what a listener wants."""
        self._listeners[queue] = frozenset(intersection_ids)
        for name in intersection_ids:
            if name in self.sites:
                self.sites[name].sent = b""

    async def take_control(self) -> bool:
        """The lease is ours, newly: read again what others may have changed, and trust nothing about the lamps."""
        fence = self.lease.fence
        try:
            if self.on_control is not None:
                await self.on_control()
        except StateUnavailable as error:
            _log.error("control_not_taken", reason=str(error))
            return False
        self._fence = fence
        for site in self.sites.values():
            site.delivered, site.taken = None, False
        self._notes.append(("take_control", "", f"service {self.lease.holder}, fence {self._fence}"))
        _log.info("take_control", holder=self.lease.holder, fence=self._fence)
        return True

    async def _record(self, commands: list[control_pb2.SignalCommand], second: int) -> bool:
        """Write notes and commands to the audit as one; whether that was done."""
        notes, self._notes = self._notes, []
        for name, site in self.sites.items():
            notes += [(action, name, text) for action, text in site.notes]
            site.notes.clear()
        if not commands and not notes:
            return True
        try:
            await self.audit.append_commands(commands, second, notes)
        except StateUnavailable as error:
            _log.error("commands_withheld", count=len(commands), reason=str(error))
            self._notes = notes + self._notes
            return False
        return True

    def _hand_out(self, commands: list[control_pb2.SignalCommand]) -> None:
        for queue, wanted in self._listeners.items():
            mine = [c for c in commands if not wanted or c.intersection_id in wanted]
            if not mine:
                continue
            if queue.full():
                queue.get_nowait()  # a listener too slow loses the oldest: it has expired or will be repeated
            queue.put_nowait(mine)

    def _is_wanted(self, intersection_id: str) -> bool:
        return any(not wanted or intersection_id in wanted for wanted in self._listeners.values())

    def _step(self, site: ControlledSite, second: int) -> _Step:
        controller, wanted = site.controller, self._is_wanted(site.intersection.id)
        if wanted and not site.taken:
            site.connect(second)
        site.taken = wanted
        step, before = _Step(site, controller.guard.remember()), controller.intervention_count
        try:
            detection = site.board.read(float(second), site.params.stale_after_s) if site.board.detectors else None
            decision = controller.step(second, detection)
        except SignalsError as error:
            _log.error("detection_not_usable", intersection=site.intersection.id, reason=str(error))
            decision = controller.step(second, None)
        site.book.record(
            decision, site.board.vehicles_since_tick, site.board.queue_vehicles(), controller.intervention_count > before
        )
        site.board.vehicles_since_tick, site.last = 0, decision
        if site.override is not None and controller.override_in_force is None:
            site.override = None
        if controller.fault:
            return step
        shown = decision.command.aspects
        if wanted and shown != site.sent:
            step.binding = self._command(site, decision, decision.command.next_stage, binding=True)
        elif wanted and abs(second - site.sent_at_s) >= self.config.keepalive_s and site.repeatable is not None:
            step.binding, step.repeated = self._repeat(site.repeatable, second), True
        if decision.mode in (Mode.SHADOW, Mode.ADVISORY) and decision.proposal >= 0 and decision.proposal != site.proposed:
            step.proposal = self._command(site, decision, decision.proposal, binding=False)
            site.proposed = decision.proposal
        return step

    def _delivered(self, step: _Step, second: int) -> None:
        """Remember that the street was told."""
        site = step.site
        if site.taken:
            site.delivered = site.controller.guard.remember()
        if step.binding is None:
            return
        shown = site.controller.guard.shown
        if not step.repeated:
            site.repeatable, site.binding_sequence = step.binding, step.binding.sequence
            if not site.recent or site.recent[-1][1] != shown:
                site.recent.append((second, shown))
                site.changed_at_s = second
        site.sent, site.sent_at_s = shown, second

    def _repeat(self, command: control_pb2.SignalCommand, second: int) -> control_pb2.SignalCommand:
        again = control_pb2.SignalCommand()
        again.CopyFrom(command)
        again.issued_unix_ms, again.valid_until_unix_ms = second * 1000, (second + self.config.valid_for_s) * 1000
        return again

    def _command(self, site: ControlledSite, decision: Decision, stage: int, *, binding: bool) -> control_pb2.SignalCommand:
        x = site.intersection
        site.sequence = max(site.sequence, self._fence << 32) + 1
        command = control_pb2.SignalCommand(
            intersection_id=x.id,
            sequence=site.sequence,
            issued_unix_ms=decision.time_s * 1000,
            effective_unix_ms=decision.time_s * 1000,
            valid_until_unix_ms=(decision.time_s + self.config.valid_for_s) * 1000,
            stage_id=x.stages[stage].id,
            source=SOURCE_TO_PROTO[decision.source] if binding else control_pb2.SignalCommand.SOURCE_ADAPTIVE,
            mode=MODE_TO_PROTO[decision.mode],
            binding=binding,
            reason=decision.reason if binding else "highest pressure",
        )
        if binding:
            command.aspects.extend(write_aspects(x, decision.command.aspects))
            if decision.command.verdict in _INTERVENTIONS:
                command.guard_interventions.append(_INTERVENTIONS[decision.command.verdict])
        return command

"""The loop that steps every controlled intersection once a second of the city clock."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, field

import structlog
from traboule.signals.v1 import control_pb2, intersection_pb2

from services.common.clock import CityClock
from services.common.errors import StateUnavailable
from services.signals.audit import AuditLog, CommandSigner
from services.signals.config import SignalsConfig
from services.signals.detectors import DetectorBoard
from services.signals.mapping import MODE_TO_PROTO, SOURCE_TO_PROTO, write_aspects
from services.signals.performance import PerformanceBook
from traffic_lights.api import Controller, ControllerParams, Decision, Mode
from traffic_lights.guard import Verdict
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan

QUEUE_LENGTH = 256
_INTERVENTIONS = {
    Verdict.FORCED: "changed the stage so that a maximum red or green is kept",
    Verdict.WOULD_OVERRUN: "refused the stage: somebody would wait or go too long",
    Verdict.NOT_ALLOWED: "refused the stage: no such transition",
    Verdict.MALFORMED: "refused the stage: there is none of that name",
}
_log = structlog.get_logger("signals")


@dataclass(slots=True)
class ControlledSite:
    """One intersection under control."""

    message: intersection_pb2.Intersection
    controller: Controller
    board: DetectorBoard
    book: PerformanceBook
    params: ControllerParams
    sequence: int = 0
    sent: bytes = b""
    sent_at_s: int = 0
    proposed: int = -1
    last: Decision | None = None
    override: control_pb2.StageOverride | None = None

    @classmethod
    def build(cls, message: intersection_pb2.Intersection, x: Intersection, plan: SignalPlan, mode: Mode) -> "ControlledSite":
        """Put an intersection under control; it starts in all-red."""
        params = ControllerParams()
        detectors = {d.detector_id: d for d in message.detectors}
        controller = Controller(x, plan, mode, params=params)
        return cls(message, controller, DetectorBoard(x, detectors), PerformanceBook(x), params)

    @property
    def intersection(self) -> Intersection:
        """The engine's model."""
        return self.controller.intersection


@dataclass(slots=True)
class ControlLoop:
    """Steps sites, signs and audits their commands, and hands them to whoever listens.

    A command is handed out only after it is in the audit log: when the durable state server does not answer nothing is
    sent, and controllers at the street fall back to their own plans when the last command expires.
    """

    clock: CityClock
    signer: CommandSigner
    audit: AuditLog
    config: SignalsConfig
    sites: dict[str, ControlledSite] = field(default_factory=dict)
    _listeners: dict[asyncio.Queue[list[control_pb2.SignalCommand]], frozenset[str]] = field(default_factory=dict)

    async def run(self) -> None:
        """Tick for ever."""
        done = int(self.clock.now())
        while True:
            await self.clock.sleep_until(done + 1)
            now = int(self.clock.now())
            first = max(done + 1, now - self.config.catch_up_s + 1)
            for second in range(first, now + 1):
                await self.tick(second)
            done = max(done, now)

    async def tick(self, second: int) -> list[control_pb2.SignalCommand]:
        """Step every site one second; the commands handed out."""
        commands: list[control_pb2.SignalCommand] = []
        for site in self.sites.values():
            commands += self._step(site, second)
        if not commands:
            return []
        for command in commands:
            self.signer.sign(command)
        try:
            await self.audit.append_commands(commands, second)
        except StateUnavailable as error:
            _log.error("commands_withheld", count=len(commands), reason=str(error))
            for site in self.sites.values():
                site.sent = b""  # so that the next second tries again
            return []
        self._hand_out(commands)
        return commands

    def accept(
        self, detections: Iterable[control_pb2.Detection], reports: Iterable[control_pb2.ControllerReport]
    ) -> tuple[int, list[str]]:
        """Take detector values and reports of controllers; how many were used, and why others were not."""
        now, used, rejections = self.clock.now(), 0, []
        for value in detections:
            site = self.sites.get(value.intersection_id)
            why = (
                f"intersection {value.intersection_id!r} is not under control"
                if site is None
                else site.board.accept(value, now)
            )
            if why is None:
                used += 1
            else:
                rejections.append(why)
        for report in reports:
            site = self.sites.get(report.intersection_id)
            if site is None:
                rejections.append(f"intersection {report.intersection_id!r} is not under control")
                continue
            site.controller.fault = report.fault
            used += 1
        return used, rejections

    async def listen(self, intersection_ids: Collection[str]) -> AsyncIterator[list[control_pb2.SignalCommand]]:
        """Commands as they are handed out, of these intersections (none given: of all)."""
        queue = self.subscribe(intersection_ids)
        try:
            while True:
                yield await queue.get()
        finally:
            self.unsubscribe(queue)

    def subscribe(self, intersection_ids: Collection[str]) -> "asyncio.Queue[list[control_pb2.SignalCommand]]":
        """Queue that receives commands; the present ones first."""
        queue: asyncio.Queue[list[control_pb2.SignalCommand]] = asyncio.Queue(QUEUE_LENGTH)
        self._listeners[queue] = frozenset(intersection_ids)
        for name in intersection_ids or list(self.sites):
            if name in self.sites:
                self.sites[name].sent = b""  # repeats its command in the next second
        return queue

    def unsubscribe(self, queue: "asyncio.Queue[list[control_pb2.SignalCommand]]") -> None:
        """Forget a listener."""
        self._listeners.pop(queue, None)

    def _hand_out(self, commands: list[control_pb2.SignalCommand]) -> None:
        for queue, wanted in self._listeners.items():
            mine = [c for c in commands if not wanted or c.intersection_id in wanted]
            if not mine:
                continue
            if queue.full():
                queue.get_nowait()  # a listener too slow loses the oldest: it has expired or will be repeated
            queue.put_nowait(mine)

    def _step(self, site: ControlledSite, second: int) -> list[control_pb2.SignalCommand]:
        controller = site.controller
        before = controller.intervention_count
        detection = site.board.read(float(second), site.params.stale_after_s)
        decision = controller.step(second, detection if site.board.detectors else None)
        site.book.record(
            decision, site.board.vehicles_since_tick, site.board.queue_vehicles(), controller.intervention_count > before
        )
        site.board.vehicles_since_tick, site.last = 0, decision
        if site.override is not None and controller.override_in_force is None:
            site.override = None
        if controller.fault:
            return []
        commands = []
        shown = decision.command.aspects
        if shown != site.sent or second - site.sent_at_s >= self.config.keepalive_s:
            commands.append(self._command(site, decision, decision.command.next_stage, binding=True))
            site.sent, site.sent_at_s = shown, second
        if decision.mode in (Mode.SHADOW, Mode.ADVISORY) and decision.proposal >= 0 and decision.proposal != site.proposed:
            commands.append(self._command(site, decision, decision.proposal, binding=False))
            site.proposed = decision.proposal
        return commands

    def _command(self, site: ControlledSite, decision: Decision, stage: int, *, binding: bool) -> control_pb2.SignalCommand:
        x = site.intersection
        site.sequence += 1
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

"""One intersection under control: its controller, what was sent to the street, what the street says it shows."""

from collections import deque
from dataclasses import dataclass, field

from traboule.signals.v1 import control_pb2, intersection_pb2

from services.common.errors import InvalidInput
from services.signals.detectors import FUTURE_TOLERANCE_S, DetectorBoard
from services.signals.mapping import read_aspects
from services.signals.performance import PerformanceBook
from traffic_lights.api import Controller, ControllerParams, Decision, Mode
from traffic_lights.guard import GuardMemory, Resumption
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan

REPORT_AGE_S = 10.0
"""Reports older than this are not believed."""
OBEY_S = 5
"""Time a controller at the street has to show what it is told before its reports are taken for what the street shows."""
REPORTER_S = 30.0
"""Only one caller reports for an intersection: another is heard when the first has been silent for so long."""
RESUMED = {
    Resumption.ALL_RED: "start-up in all-red for the longest intergreen",
    Resumption.STAGE: "the stage that the street shows is taken over",
    Resumption.CLEARED: "what the street shows is no stage: it is cleared, then all-red for the longest intergreen",
    Resumption.CONFLICT: "the street shows conflicting greens: cleared at once, then all-red for the longest intergreen",
}


@dataclass(slots=True)
class ControlledSite:
    """One intersection under control.

    Attributes
    ----------
    message : intersection_pb2.Intersection
    controller : Controller
    board : DetectorBoard
    book : PerformanceBook
    params : ControllerParams
    sequence, binding_sequence : int
        Numbers of the last command, and of the last one to be carried out.
    sent : bytes
        What the street was told last; empty = say it again.
    sent_at_s : int
        When it was told or reminded last.
    changed_at_s : int
        When it was told something new last.
    delivered : GuardMemory or None
        What the guard knew when the street was told last; None = it never was since the start.
    recent : deque[tuple[int, bytes]]
        What the street was told lately.
    notes : list[tuple[str, str]]
        Actions for the audit, with details.
    reporter : str
        Who reports what the street shows: `reported`, seen at `reported_at_s` (0 = never).
    """

    message: intersection_pb2.Intersection
    controller: Controller
    board: DetectorBoard
    book: PerformanceBook
    params: ControllerParams
    sequence: int = 0
    binding_sequence: int = 0
    sent: bytes = b""
    sent_at_s: int = 0
    changed_at_s: int = 0
    delivered: GuardMemory | None = None
    recent: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=32))
    repeatable: control_pb2.SignalCommand | None = None
    proposed: int = -1
    last: Decision | None = None
    override: control_pb2.StageOverride | None = None
    taken: bool = False
    notes: list[tuple[str, str]] = field(default_factory=list)
    reporter: str = ""
    reported: bytes | None = None
    reported_at_s: float = 0.0

    @classmethod
    def build(
        cls, message: intersection_pb2.Intersection, x: Intersection, plan: SignalPlan, mode: Mode, trust_gap_s: int
    ) -> "ControlledSite":
        """Put an intersection under control; it starts in all-red."""
        params = ControllerParams(trust_gap_s=trust_gap_s)
        detectors = {d.detector_id: d for d in message.detectors}
        controller = Controller(x, plan, mode, params=params)
        return cls(message, controller, DetectorBoard(x, detectors), PerformanceBook(x), params)

    @property
    def intersection(self) -> Intersection:
        """The engine's model."""
        return self.controller.intersection

    def resume(self, now_s: float, aspects: bytes | None, why: str, age_s: float = 0.0) -> None:
        """Begin anew from what the street shows, if known, and note it for the audit."""
        kind = self.controller.resume(int(now_s), aspects, why, int(age_s))
        self.sent, self.changed_at_s, self.delivered = b"", int(now_s), None
        self.recent.clear()
        self.notes.append(("resume", f"{why}: {RESUMED[kind]}"))

    def connect(self, now_s: float) -> None:
        """Somebody takes commands: go on from what the street reports, or from what was delivered last, or begin anew."""
        self.sent = b""
        age_s = now_s - self.reported_at_s
        if self.reported is not None and -FUTURE_TOLERANCE_S <= age_s <= OBEY_S:
            self.resume(now_s, self.reported, "a controller takes commands and says what it shows", max(0.0, age_s))
        elif self.delivered is None:
            self.resume(now_s, None, "a controller takes commands and has not said what it shows")
        else:
            self.controller.guard.recall(self.delivered)  # which sees how long that was ago
            self.notes.append(("resume", "a controller takes commands again: control goes on from the last one delivered"))

    def take_over(self, old: "ControlledSite", now_s: float) -> None:
        """Stand in for `old`, which described the same intersection before; the lamps go on from what they show."""
        self.sequence, self.binding_sequence = old.sequence, old.binding_sequence
        self.taken, self.reporter, self.reported_at_s, self.notes = old.taken, old.reporter, old.reported_at_s, old.notes
        self.controller.set_fault(old.controller.fault, int(now_s))
        if old.taken and old.sent:
            known = {g.id: a for g, a in zip(old.intersection.groups, old.controller.guard.shown, strict=True)}
            shown = bytes(known.get(g.id, 0) for g in self.intersection.groups)
            self.resume(now_s, shown, "the description was imported anew")

    def accept_report(self, report: control_pb2.ControllerReport, now_s: float, who: str) -> str | None:
        """Take what the controller at the street says; why not, in words, when it cannot be used."""
        where, at_s = f"report of {report.intersection_id!r}", report.observed_unix_ms / 1000
        if at_s > now_s + FUTURE_TOLERANCE_S:
            return f"{where}: observed {at_s - now_s:.0f} s in the future"
        if at_s < now_s - REPORT_AGE_S:
            return f"{where}: {now_s - at_s:.0f} s old; reports count for {REPORT_AGE_S:.0f} s"
        silent = abs(now_s - self.reported_at_s) > REPORTER_S
        if self.reporter not in ("", who) and not silent:
            return (
                f"{where}: {self.reporter} reports for this intersection; another is heard after {REPORTER_S:.0f} s of silence"
            )
        if at_s <= self.reported_at_s and not silent:
            return f"{where}: older than, or the same as, what is known"
        try:
            aspects = read_aspects(self.intersection, report.aspects) if report.aspects else None
        except InvalidInput as error:
            return f"{where}: {error}"
        self.reporter, self.reported_at_s, self.reported = who, at_s, aspects
        if report.fault != self.controller.fault:
            self.notes.append(("fault", "begins: nothing is sent" if report.fault else "is over"))
            self.controller.set_fault(report.fault, int(now_s))
            self.sent, self.delivered = b"", None
            if not report.fault:
                self.resume(now_s, aspects, "the fault is over", max(0.0, now_s - at_s))
        elif aspects is not None and not report.fault and self.taken:
            self._compare(aspects, at_s, now_s, report.last_sequence)
        return None

    def _compare(self, aspects: bytes, at_s: float, now_s: float, last_sequence: int) -> None:
        """Begin anew from a report that contradicts what the street was told and had time to show."""
        told = [shown for since_s, shown in self.recent if since_s >= at_s - OBEY_S]
        before = [shown for since_s, shown in self.recent if since_s < at_s - OBEY_S]
        if aspects in told or (before and aspects == before[-1]):
            return
        obeys = self.binding_sequence > 0 and last_sequence >= self.binding_sequence
        if not self.sent or obeys or at_s - self.changed_at_s >= OBEY_S:
            self.resume(now_s, aspects, "the street does not show what it was told", max(0.0, now_s - at_s))

"""What callers of the engine use: one `Controller` an intersection, detections in, guarded commands out, every second."""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from traffic_lights.adaptive.max_pressure import MaxPressure, MaxPressureParams
from traffic_lights.adaptive.strategy import StageView, Strategy
from traffic_lights.detection import Detection
from traffic_lights.errors import InvalidDetectionError, InvalidRequestError
from traffic_lights.guard import TRUST_GAP_S, Guard, GuardedCommand, Resumption, Verdict
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan
from traffic_lights.plan_check import check_plan, check_stages
from traffic_lights.priority import PriorityRequest, choose_priority_stage

MAX_PRIORITY_REQUESTS = 32


class Mode(IntEnum):
    """How much the adaptive strategy may do."""

    FIXED = 0
    """The fixed plan only; no proposal is computed."""
    SHADOW = 1
    """The fixed plan; what the strategy would ask for is computed and reported."""
    ADVISORY = 2
    """As SHADOW; proposals are for an operator, who acts through `Controller.override`."""
    ACTIVE = 3
    """The strategy decides, under the guard."""


class Source(IntEnum):
    """Who decided on the stage asked for in a second."""

    PLAN = 0
    ADAPTIVE = 1
    PRIORITY = 2
    OPERATOR = 3
    FALLBACK = 4
    """The fixed plan, because detection is stale, missing or wrong, the strategy failed, or the equipment reports a fault."""
    RESCUE = 5
    """The guard itself, to keep a maximum red or green, or to start."""


@dataclass(frozen=True, slots=True)
class ControllerParams:
    """Times that govern trust in detection.

    Attributes
    ----------
    stale_after_s : int
        A detector older than this makes its intersection fall back to the fixed plan.
    recover_after_s : int
        All detectors must have been fresh this long before the strategy is trusted again.
    trust_gap_s : int
        See `Guard`.
    """

    stale_after_s: int = 10
    recover_after_s: int = 15
    trust_gap_s: int = TRUST_GAP_S

    def __post_init__(self) -> None:
        if self.stale_after_s < 1 or self.recover_after_s < 0 or self.trust_gap_s < 0:
            raise InvalidRequestError("stale_after_s must be ≥ 1, recover_after_s and trust_gap_s ≥ 0", "stale_after_s")


@dataclass(frozen=True, slots=True)
class Decision:
    """What happened in one second.

    Attributes
    ----------
    time_s : int
    command : GuardedCommand
        What is shown.
    source : Source
    mode : Mode
    proposal : int
        Stage the strategy wanted; -1 if it was not asked.
    reason : str
        In words, for people.
    """

    time_s: int
    command: GuardedCommand
    source: Source
    mode: Mode
    proposal: int
    reason: str


class Controller:
    """Control of one intersection: plan, strategy, operator and priority, all through one `Guard`.

    Parameters
    ----------
    intersection : Intersection
    plan : SignalPlan
        The fixed plan, base and fallback.
    mode : Mode
    strategy : Strategy, optional
        Max pressure by default.
    params : ControllerParams, optional
    start_all_red_s : int, optional
        See `Guard`.
    """

    def __init__(
        self,
        intersection: Intersection,
        plan: SignalPlan,
        mode: Mode = Mode.FIXED,
        strategy: Strategy | None = None,
        params: ControllerParams | None = None,
        start_all_red_s: int | None = None,
    ) -> None:
        self._params = params or ControllerParams()
        check_stages(intersection, plan)
        self._guard = Guard(intersection, plan.stages[0], start_all_red_s, self._params.trust_gap_s)
        self._intersection = intersection
        self._strategy = strategy or MaxPressure(intersection, self._guard.tables, MaxPressureParams())
        self._plan, self.mode, self._fault = plan, mode, False
        self._start_reason = ""
        self._override: tuple[int, int] | None = None
        self._priorities: dict[str, PriorityRequest] = {}
        self._stale_at_s: int | None = None
        self._failure = ""
        self._interventions: deque[tuple[int, Verdict]] = deque(maxlen=1000)
        self.intervention_count = 0

    @property
    def intersection(self) -> Intersection:
        """The intersection controlled."""
        return self._intersection

    @property
    def plan(self) -> SignalPlan:
        """The fixed plan in force."""
        return self._plan

    @property
    def fault(self) -> bool:
        """Whether the equipment at the street reports a fault: the guard is not stepped and nothing may be sent."""
        return self._fault

    def set_fault(self, fault: bool, time_s: int) -> None:
        """Say whether the equipment reports a fault; when it is over control begins with the start-up (see `resume`)."""
        if self._fault and not fault:
            self.resume(time_s, None, "the fault is over")
        self._fault = fault

    def resume(self, time_s: int, aspects: bytes | None, why: str, age_s: int = 0) -> Resumption:
        """Begin anew from what the lamps are reported to show, or in all-red where nothing is known (`guard_start`).

        Parameters
        ----------
        time_s : int
        aspects : bytes, optional
            One `Aspect` per group.
        why : str
            In words, kept as the reason of the start-up.
        age_s : int
            Age of the report.
        """
        self._start_reason = why
        return self._guard.resume(aspects, age_s, self._plan.stage_at(time_s))

    @property
    def priorities(self) -> tuple[PriorityRequest, ...]:
        """Requests for priority that are being served or wait."""
        return tuple(self._priorities.values())

    @property
    def override_in_force(self) -> tuple[int, int] | None:
        """Stage held by an operator and until when (city clock, s)."""
        return self._override

    @property
    def guard(self) -> Guard:
        """The guard (for its tables and state; stepping it is the controller's business)."""
        return self._guard

    def set_plan(self, plan: SignalPlan) -> None:
        """Put another fixed plan in force from the next second; raises `InvalidPlanError`."""
        check_stages(self._intersection, plan)
        self._plan = plan

    def override(self, stage: int, until_s: int) -> None:
        """Hold `stage` until `until_s` by order of an operator; the guard's limits hold all the same."""
        if not 0 <= stage < len(self._intersection.stages):
            raise InvalidRequestError(f"intersection {self._intersection.id!r} has no stage {stage}", "stage")
        self._override = (stage, until_s)

    def clear_override(self) -> None:
        """End the operator's override."""
        self._override = None

    def request_priority(self, request: PriorityRequest) -> None:
        """Ask for priority; a request with the same id is replaced."""
        if not 0 <= request.group < len(self._intersection.groups):
            raise InvalidRequestError(f"intersection {self._intersection.id!r} has no signal group {request.group}", "group")
        if len(self._priorities) >= MAX_PRIORITY_REQUESTS and request.id not in self._priorities:
            raise InvalidRequestError(
                f"intersection {self._intersection.id!r} has {MAX_PRIORITY_REQUESTS} requests already", "id"
            )
        self._priorities[request.id] = request

    def cancel_priority(self, request_id: str) -> bool:
        """Withdraw a request; whether there was one."""
        return self._priorities.pop(request_id, None) is not None

    def step(self, time_s: int, detection: Detection | None = None) -> Decision:
        """Advance one second of the city clock.

        Parameters
        ----------
        time_s : int
        detection : Detection, optional
            Of this second; None = nothing is known.

        Raises
        ------
        InvalidDetectionError
            If its length does not match the movements. The guard has not been stepped then.
        """
        if detection is not None and len(detection.queue_veh) != len(self._intersection.movements):
            raise InvalidDetectionError(
                f"detection of {len(detection.queue_veh)} movements for the {len(self._intersection.movements)} of "
                f"intersection {self._intersection.id!r}",
                "queue_veh",
            )
        if self._fault:
            g, why = self._guard, "the controller at the street reports a fault: nothing is sent"
            command = GuardedCommand(0, g.stage, g.next_stage, g.shown, -1, Verdict.NO_TIME)
            return Decision(time_s, command, Source.FALLBACK, self.mode, -1, why)
        trusted = self._trusted(time_s, detection)
        proposal = -1
        if self.mode is not Mode.FIXED and trusted and detection is not None and self._guard.may_leave():
            proposal = self._ask(time_s, detection)
            trusted = proposal >= 0
        wanted, source, reason = self._wanted(time_s, proposal, trusted)
        command = self._guard.step(time_s, wanted)
        if command.verdict in (Verdict.FORCED, Verdict.WOULD_OVERRUN, Verdict.NOT_ALLOWED, Verdict.MALFORMED):
            self._interventions.append((time_s, command.verdict))
            self.intervention_count += 1
        if command.verdict is Verdict.FORCED:
            source, reason = Source.RESCUE, "the guard changes the stage so that nobody waits or goes too long"
        if command.verdict is Verdict.RESTARTED:
            self._start_reason = "the guard was not stepped for too long to know what the lamps show"
        if command.stage < 0:
            source, reason = Source.RESCUE, f"start-up: {self._start_reason or 'what the lamps show is not known'}"
        return Decision(time_s, command, source, self.mode, proposal, reason)

    def _ask(self, time_s: int, detection: Detection) -> int:
        """Stage the strategy wants; -1, and distrust as if detection were stale, when it fails or answers nonsense."""
        try:
            answer = self._strategy.choose(StageView(self._guard.stage, self._guard.held_s, time_s), detection)
        except Exception as error:
            self._failure = f"the strategy failed ({type(error).__name__}: {error})"[:200]
            self._stale_at_s = time_s
            return -1
        usable = isinstance(answer, (int, np.integer)) and not isinstance(answer, bool)
        if usable and 0 <= answer < len(self._intersection.stages):
            return int(answer)
        self._failure, self._stale_at_s = f"the strategy asked for {answer!r:.50}, which is no stage", time_s
        return -1

    def _wanted(self, time_s: int, proposal: int, trusted: bool) -> tuple[int | None, Source, str]:
        """Stage to ask the guard for: operator before priority before strategy before plan."""
        self._priorities = {k: r for k, r in self._priorities.items() if r.expires_s >= time_s}
        if self._override is not None and self._override[1] <= time_s:
            self._override = None
        if self._override is not None:
            return self._hop(self._override[0]), Source.OPERATOR, "an operator holds this stage"
        due = None
        if self._priorities and self._guard.may_leave():
            due = choose_priority_stage(
                self._intersection, self._guard.tables, tuple(self._priorities.values()), self._guard.stage, time_s
            )
        if due is not None:
            kind = due[1].vehicle_class.name.lower()
            return due[0], Source.PRIORITY, f"priority for {kind} {due[1].id}"
        if self.mode is Mode.ACTIVE and trusted:
            if proposal < 0:
                return None, Source.ADAPTIVE, "a minimum green or a change of stage is running"
            return self._hop(proposal), Source.ADAPTIVE, "highest pressure"
        planned = self._hop(self._plan.stage_at(time_s))
        if self.mode is not Mode.ACTIVE:
            return planned, Source.PLAN, f"plan {self._plan.id}"
        return planned, Source.FALLBACK, f"plan {self._plan.id}, because {self._failure or 'detection is stale'}"

    def _trusted(self, time_s: int, detection: Detection | None) -> bool:
        """Whether every detector has been fresh for long enough."""
        ages = np.zeros(0, np.int32) if detection is None else detection.age_s
        stale = not len(ages) or bool((ages > self._params.stale_after_s).any())
        if stale:
            self._stale_at_s, self._failure = time_s, ""
        if self._stale_at_s is not None and self._stale_at_s > time_s:
            self._stale_at_s = time_s  # the clock went back: the time to recover begins anew
        trusted = self._stale_at_s is None or time_s - self._stale_at_s > self._params.recover_after_s
        if trusted:
            self._failure = ""
        return trusted

    def _hop(self, wanted: int) -> int:
        """First stage on the shortest way of allowed transitions from the present stage to `wanted`."""
        here, allowed = self._guard.next_stage, self._intersection.transitions
        if here == wanted or allowed[here, wanted]:
            return wanted
        first = {k: k for k in range(len(allowed)) if allowed[here, k] and k != here}
        todo = deque(first)
        while todo:
            k = todo.popleft()
            if allowed[k, wanted]:
                return first[k]
            for n in range(len(allowed)):
                if allowed[k, n] and n not in first and n != here:
                    first[n] = first[k]
                    todo.append(n)
        return wanted


__all__ = [
    "Controller", "ControllerParams", "Decision", "Mode", "Source", "check_plan",
]  # fmt: skip

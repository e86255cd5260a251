"""The guard: the only way from a controller to the lamps of one intersection.

Stepped with the time and whatever a controller asks, it answers with what is shown. It is a function of the time, what it
showed last and since when, and the request: nothing else. Whatever is asked, in the sequence of its answers

* two conflicting groups are never green (or one green, the other clearing) at once, and the begin of a green follows
  the end of every green in conflict by at least the intergreen of that ordered pair;
* every green lasts its minimum and not longer than its maximum, and is followed by its full yellow or clearance;
* no group stays red longer than its maximum;
* stages change only along allowed transitions, and a transition once begun is completed.

Maximum red and green are kept by certificates (`guard_tables`): a request is granted only if afterwards a rescue can
still serve everybody in time, and the rescue is started in the last second in which it can.

Seconds in which the guard was not stepped are *lost*: the lamps stayed as they were. Lost seconds count for maximum reds
and greens and for nothing else: no yellow, intergreen or minimum green is shortened by them, so that it does no harm when
they did not really pass (a clock that jumps). A maximum may then be passed, since nobody could end it; the rescue begins
at once, and the certificates hold again when all have had their turn. After more than `trust_gap_s` lost seconds on end
nobody knows what is shown, and the guard begins anew (`guard_start`).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from traffic_lights.errors import InvalidRequestError, UnsafeIntersectionError
from traffic_lights.guard_command import GuardedCommand, Verdict
from traffic_lights.guard_start import (
    Resumption,
    StartUp,
    clearing_aspects,
    is_shown,
    longest_intergreen_s,
    start_from,
    start_in_red,
)  # fmt: skip
from traffic_lights.guard_tables import NEVER_S, GuardTables, build_tables
from traffic_lights.model.groups import Aspect
from traffic_lights.model.intersection import Intersection

TRUST_GAP_S = 20
"""Default of `Guard`: how long lamps are believed to stay as they were while nobody steps the guard."""


@dataclass(slots=True, eq=False)
class GuardMemory:
    """All that the guard remembers; g groups.

    Attributes
    ----------
    time_s : int or None
        Clock of the last step.
    second : int
        Steps in which the clock advanced.
    begun : int
        Second in which the transition or start-up under way, or the full stage, began.
    stage, next_stage : int
        As in `GuardedCommand`.
    arrive_s : int
        Duration of the transition under way.
    slack_s : int
        How long the stage could be held from its begin before a rescue.
    lost_s : int
        Seconds lost since `begun`.
    green : bool[g]
    changed : int64[g]
        Second in which each group's present green began or its last green ended.
    aged_s : int64[g]
        Seconds lost since then.
    shown : bytes
    start_up : StartUp
        Meaningful while `stage` is -1.
    """

    time_s: int | None
    second: int
    begun: int
    stage: int
    next_stage: int
    arrive_s: int
    slack_s: int
    lost_s: int
    green: npt.NDArray[np.bool_]
    changed: npt.NDArray[np.int64]
    aged_s: npt.NDArray[np.int64]
    shown: bytes
    start_up: StartUp

    def copy(self) -> "GuardMemory":
        """Independent copy."""
        return replace(self, green=self.green.copy(), changed=self.changed.copy(), aged_s=self.aged_s.copy())


class Guard:
    """State machine of one intersection; deterministic, reads no clock, never raises in `step`.

    Parameters
    ----------
    intersection : Intersection
    start_stage : int
        First stage.
    start_all_red_s : int, optional
        All-red before it; by default the longest intergreen of the intersection. Anything shorter is for simulations.
    trust_gap_s : int
        After more lost seconds than this the guard begins anew with the default all-red.

    Raises
    ------
    UnsafeIntersectionError
        If the limits contradict each other.
    InvalidRequestError
        If `start_stage` does not exist.
    """

    __slots__ = (
        "_clearing_aspect", "_intersection", "_memory", "_related", "_stage_min_s", "_stage_shown", "_stages_n", "_start_stage",
        "_tables", "_transition_shown", "_trust_gap_s",
    )  # fmt: skip

    def __init__(
        self,
        intersection: Intersection,
        start_stage: int = 0,
        start_all_red_s: int | None = None,
        trust_gap_s: int = TRUST_GAP_S,
    ) -> None:
        if not 0 <= start_stage < len(intersection.stages):
            raise InvalidRequestError(f"intersection {intersection.id!r} has no stage {start_stage}", "start_stage")
        self._intersection, self._start_stage, self._trust_gap_s = intersection, start_stage, max(0, trust_gap_s)
        self._tables: GuardTables = build_tables(intersection)
        x, t = intersection, self._tables
        self._clearing_aspect = clearing_aspects(x)
        shown = np.where(x.green, np.uint8(Aspect.GREEN), np.uint8(Aspect.RED)).astype(np.uint8)
        shown[t.shows_yield] = Aspect.GREEN_YIELD
        self._stage_shown = [row.tobytes() for row in shown]
        self._transition_shown: dict[tuple[int, int, int], tuple[bytes, npt.NDArray[np.bool_]]] = {}
        self._stage_min_s = [int(v) for v in t.stage_min_s]
        self._stages_n = len(x.stages)
        self._related = x.conflicts | x.yields | x.yields.T
        n = len(x.groups)
        wait = longest_intergreen_s(x) if start_all_red_s is None else max(0, start_all_red_s)
        zeros = np.zeros(n, np.int64)
        self._memory = GuardMemory(
            None, 0, 0, -1, start_stage, 0, 0, 0, np.zeros(n, np.bool_), zeros, zeros.copy(), bytes(n), start_in_red(x, wait)
        )
        if self._stages_n > 1 and self._start_slack(start_stage, wait) < 0:
            raise UnsafeIntersectionError(f"intersection {x.id!r}: cannot start in stage {start_stage} within the maximum reds")
        self._start(self._memory.start_up, start_stage)

    @property
    def intersection(self) -> Intersection:
        """The intersection guarded."""
        return self._intersection

    @property
    def tables(self) -> GuardTables:
        """Derived limits (do not write)."""
        return self._tables

    @property
    def stage(self) -> int:
        """Stage shown, or left when in transition; -1 during the start-up."""
        return self._memory.stage

    @property
    def next_stage(self) -> int:
        """Stage a transition leads to, else the present one."""
        return self._memory.next_stage

    @property
    def held_s(self) -> int:
        """Seconds the present stage has been shown in full; 0 in a transition."""
        m = self._memory
        return m.second - m.begun if m.stage == m.next_stage else 0

    @property
    def shown(self) -> bytes:
        """What was shown last, one `Aspect` per group."""
        return self._memory.shown

    def may_leave(self) -> bool:
        """Whether a request could be granted in the coming second as far as transitions and minimum greens go."""
        m = self._memory
        return m.stage == m.next_stage and m.second - m.begun >= self._stage_min_s[m.next_stage]

    def remember(self) -> GuardMemory:
        """Copy of all that the guard knows, for `recall`."""
        return self._memory.copy()

    def recall(self, memory: GuardMemory) -> None:
        """Go back to `memory`: what was answered since has not reached the lamps. The time since then is lost."""
        self._memory = memory.copy()

    def resume(self, aspects: bytes | None, age_s: int = 0, stage: int | None = None) -> Resumption:
        """Begin anew from what the lamps are known to show (`guard_start`); never raises.

        Parameters
        ----------
        aspects : bytes, optional
            One `Aspect` per group as reported; None = not known.
        age_s : int
            How old the report is; counts for maximum reds and greens only.
        stage : int, optional
            Stage to begin with if the report is none, where the maximum reds allow it.
        """
        x, m = self._intersection, self._memory
        m.time_s = None
        m.aged_s = np.full(len(x.groups), max(0, age_s), np.int64)
        if aspects is None or not is_shown(x, aspects):
            self._start(start_in_red(x, longest_intergreen_s(x)), stage)
        elif aspects in self._stage_shown:
            here = self._stage_shown.index(aspects)
            m.changed[:], m.green, m.next_stage = m.second, x.green[here].copy(), here
            self._arrive()
            return Resumption.STAGE
        else:
            self._start(start_from(x, aspects), stage)
        return m.start_up.kind

    def step(self, time_s: int, request: object = None) -> GuardedCommand:
        """Show something for the second `time_s`.

        Parameters
        ----------
        time_s : int
            Any clock that counts seconds. The first step may have any time.
        request : object
            Position of the stage wanted; None = stay. Anything else is refused, never an error.
        """
        m, wanted = self._memory, self._parse(request)
        passed_s = 1 if m.time_s is None else time_s - m.time_s
        restarted = passed_s > self._trust_gap_s + 1
        lost_s = 0 if restarted else passed_s - 1 if passed_s > 0 else int(passed_s < 0)
        if restarted:
            self.resume(None)
        m.time_s = time_s
        m.lost_s += lost_s
        m.aged_s += lost_s
        if passed_s <= 0:
            return GuardedCommand(m.second, m.stage, m.next_stage, m.shown, wanted, Verdict.NO_TIME, lost_s)
        due_s = len(m.start_up.rows) if m.stage < 0 else m.arrive_s
        if m.stage != m.next_stage and m.second >= m.begun + due_s:
            self._arrive()
        verdict = Verdict.IN_TRANSITION if m.stage != m.next_stage else self._decide(wanted, request is None)
        if m.stage < 0:
            m.shown = m.start_up.rows[m.second - m.begun]
        elif m.stage != m.next_stage:
            self._show_transition()
        verdict = Verdict.RESTARTED if restarted else verdict
        command = GuardedCommand(m.second, m.stage, m.next_stage, m.shown, wanted, verdict, lost_s)
        m.second += 1
        return command

    def _parse(self, request: object) -> int:
        if isinstance(request, (int, np.integer)) and not isinstance(request, bool):
            return int(request) if 0 <= request < self._stages_n else -1
        return -1

    def _start(self, start_up: StartUp, stage: int | None) -> None:
        """Begin a start-up that leads to `stage`, or to the stage that leaves most room if its maximum reds do not allow it."""
        m, wait = self._memory, len(start_up.rows)
        first = self._start_stage if stage is None or not 0 <= stage < self._stages_n else stage
        if self._stages_n > 1 and self._start_slack(first, wait) < 0:
            first = max(range(self._stages_n), key=lambda k: self._start_slack(k, wait))
        m.start_up, m.stage, m.next_stage, m.begun, m.lost_s = start_up, -1, first, m.second, 0
        m.green = np.zeros(len(m.green), np.bool_)
        m.changed[:] = m.second + start_up.green_end_s
        if not start_up.rows:
            self._arrive()

    def _start_slack(self, stage: int, wait: int) -> int:
        """Slack after the shortest time of a stage that follows `wait` seconds of start-up."""
        age_s = np.where(self._intersection.green[stage], 0, wait) + self._stage_min_s[stage]
        return self._slack(stage, age_s)[0]

    def _ages_s(self) -> npt.NDArray[np.int64]:
        """How long each group has been green or not, lost seconds included: for maxima."""
        m = self._memory
        return m.second - m.changed + m.aged_s

    def _arrive(self) -> None:
        """Turn the next stage green."""
        m = self._memory
        green = self._intersection.green[m.next_stage]
        new = green != m.green
        m.changed[new], m.aged_s[new] = m.second, 0
        m.green = green.copy()
        m.stage, m.begun, m.lost_s = m.next_stage, m.second, 0
        m.shown = self._stage_shown[m.stage]
        m.slack_s = self._slack(m.stage, self._ages_s())[0] if self._stages_n > 1 else NEVER_S

    def _decide(self, wanted: int, nothing: bool) -> Verdict:
        """Choose, in a full stage, between staying, going where asked, and the rescue."""
        m = self._memory
        here, held = m.stage, m.second - m.begun
        verdict = Verdict.HOLD if nothing or wanted == here else Verdict.MALFORMED
        if held < self._stage_min_s[here]:
            return Verdict.MIN_GREEN if wanted >= 0 and wanted != here else verdict
        if wanted >= 0 and wanted != here:
            if not self._intersection.transitions[here, wanted]:
                verdict = Verdict.NOT_ALLOWED
            elif self._safe_to_go(wanted):
                self._begin(wanted)
                return Verdict.GRANTED
            else:
                verdict = Verdict.WOULD_OVERRUN
        # While a stage is held all ages grow alike: its slack was computed once, when it began.
        if m.slack_s - held - m.lost_s >= 1 or self._stages_n == 1:
            return verdict
        entry = self._slack(here, self._ages_s())[1]
        self._begin(self._intersection.rescue_cycle[entry])
        return Verdict.FORCED

    def _slack(self, stage: int, age_s: npt.NDArray[np.int64]) -> tuple[int, int]:
        """How much longer `stage` can be held before a rescue must begin, given these ages, and the best entry for it.

        Negative: no rescue keeps all limits any more.
        """
        t, green = self._tables, self._intersection.green[stage]
        until = np.where(green, t.until_end_s[stage], t.until_green_s[stage])
        spare = (np.where(green, t.max_green_s, t.max_red_s) - age_s - until).min(axis=1)
        spare = np.where(t.entry_valid[stage], spare, -NEVER_S)
        entry = int(spare.argmax())
        return int(spare[entry]), entry

    def _safe_to_go(self, there: int) -> bool:
        """Whether a rescue is still possible once `there` has been shown for its shortest time."""
        here, t, x = self._memory.stage, self._tables, self._intersection
        takes, stay = self._duration(there), self._stage_min_s[there]
        lead, now = t.lead_s[here, there], self._ages_s()
        ends, starts = x.green[here] & ~x.green[there], x.green[there] & ~x.green[here]
        if (ends & (now + takes - lead > t.max_green_s)).any() or (starts & (now + takes > t.max_red_s)).any():
            return False
        age = np.where(ends, lead + stay, np.where(starts, stay, now + takes + stay))
        return self._slack(there, age)[0] >= 0

    def _duration(self, there: int) -> int:
        """Duration of the transition to `there`, waiting also for intergreens of groups that ended earlier."""
        m, t, x = self._memory, self._tables, self._intersection
        here = m.stage
        duration = int(t.transition_s[here, there])
        if int(t.transition_bound_s[here, there]) > duration:
            starts = x.green[there] & ~x.green[here]
            rest = np.where(self._related, x.intergreen_s - (m.second - m.changed)[:, None], 0)
            duration = max(duration, int(rest[np.ix_(~x.green[here], starts)].max(initial=0)))
        return duration

    def _begin(self, there: int) -> None:
        m = self._memory
        m.arrive_s = self._duration(there)
        m.next_stage, m.begun, m.lost_s = there, m.second, 0
        if m.arrive_s == 0:
            self._arrive()

    def _show_transition(self) -> None:
        """What is shown in the present second of the transition."""
        m = self._memory
        key = (m.stage, m.next_stage, m.arrive_s - (m.second - m.begun))
        if key not in self._transition_shown:
            self._transition_shown[key] = self._draw_transition(*key)
        m.shown, ended = self._transition_shown[key]
        new = ended & m.green
        m.changed[new], m.aged_s[new] = m.second, 0
        m.green &= ~ended

    def _draw_transition(self, here: int, there: int, left: int) -> tuple[bytes, npt.NDArray[np.bool_]]:
        """Aspects `left` seconds before the next stage, and the groups whose green is over."""
        t, x = self._tables, self._intersection
        lead = t.lead_s[here, there]
        ended = x.green[here] & ~x.green[there] & (lead >= left)
        shown = np.frombuffer(self._stage_shown[here], np.uint8).copy()
        shown[ended] = np.where(lead - left < t.clearing_s, self._clearing_aspect, np.uint8(Aspect.RED))[ended]
        shown[(t.demote_s[here, there] >= left) & (t.demote_s[here, there] > 0)] = Aspect.GREEN_YIELD
        return shown.tobytes(), ended


__all__ = ["TRUST_GAP_S", "Guard", "GuardMemory", "GuardedCommand", "Resumption", "Verdict"]

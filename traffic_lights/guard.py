"""The guard: the only way from a controller to the lamps of one intersection.

Stepped once a second with whatever a controller asks, it answers with what is shown. Whatever is asked, in the
sequence of its answers

* two conflicting groups are never green (or one green, the other clearing) at once, and the begin of a green follows
  the end of every green in conflict by at least the intergreen of that ordered pair;
* every green lasts its minimum and not longer than its maximum, and is followed by its full yellow or clearance;
* no group stays red longer than its maximum;
* stages change only along allowed transitions, and a transition once begun is completed.

Maximum red and green are kept by certificates (`guard_tables`): a request is granted only if afterwards a rescue can
still serve everybody in time, and the rescue is started in the last second in which it can.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from traffic_lights.errors import InvalidRequestError, UnsafeIntersectionError
from traffic_lights.guard_tables import NEVER_S, GuardTables, build_tables
from traffic_lights.model.groups import Aspect, GroupKind
from traffic_lights.model.intersection import Intersection


class Verdict(IntEnum):
    """What became of the request of a second."""

    HOLD = 0
    """The stage asked for is already shown, or nothing was asked for: it stays."""
    GRANTED = 1
    """The transition to the stage asked for began."""
    IN_TRANSITION = 2
    """A transition is under way and is completed first."""
    MIN_GREEN = 3
    """Refused: a minimum green is still running."""
    NOT_ALLOWED = 4
    """Refused: no such transition."""
    WOULD_OVERRUN = 5
    """Refused: somebody would wait longer than the maximum red, or be green longer than the maximum green."""
    FORCED = 6
    """The guard itself changed the stage so that a maximum red or green is kept."""
    MALFORMED = 7
    """Refused: not a stage of this intersection."""


@dataclass(frozen=True, slots=True)
class GuardedCommand:
    """What an intersection shows for one second.

    Attributes
    ----------
    second : int
        Steps of the guard before this one.
    stage : int
        Stage shown, or left when in transition; -1 in the all-red of the start.
    next_stage : int
        Stage the transition leads to; equals `stage` when none is under way.
    aspects : bytes
        One `Aspect` per signal group.
    requested : int
        Stage asked for, -1 if nothing or nonsense.
    verdict : Verdict
    """

    second: int
    stage: int
    next_stage: int
    aspects: bytes
    requested: int
    verdict: Verdict

    @property
    def in_transition(self) -> bool:
        """Whether a stage change is under way."""
        return self.stage != self.next_stage


class Guard:
    """State machine of one intersection; deterministic, needs no clock, never raises in `step`.

    Parameters
    ----------
    intersection : Intersection
    start_stage : int
        First stage.
    start_all_red_s : int, optional
        All-red before it; by default the longest intergreen of the intersection.

    Raises
    ------
    UnsafeIntersectionError
        If the limits contradict each other.
    InvalidRequestError
        If `start_stage` does not exist.
    """

    __slots__ = (
        "_all_red_s", "_arrive_s", "_begun", "_changed", "_clearing_aspect", "_from", "_green", "_intersection", "_related",
        "_second", "_shown", "_slack_s", "_stage_min_s", "_stage_shown", "_stages_n", "_tables", "_to", "_transition_shown",
    )  # fmt: skip

    def __init__(self, intersection: Intersection, start_stage: int = 0, start_all_red_s: int | None = None) -> None:
        if not 0 <= start_stage < len(intersection.stages):
            raise InvalidRequestError(f"intersection {intersection.id!r} has no stage {start_stage}", "start_stage")
        self._intersection = intersection
        self._tables: GuardTables = build_tables(intersection)
        x, t = intersection, self._tables
        self._clearing_aspect = np.array(
            [Aspect.PEDESTRIAN_CLEARANCE if g.kind is GroupKind.PEDESTRIAN else Aspect.YELLOW for g in x.groups], np.uint8
        )
        shown = np.where(x.green, np.uint8(Aspect.GREEN), np.uint8(Aspect.RED)).astype(np.uint8)
        shown[t.shows_yield] = Aspect.GREEN_YIELD
        self._stage_shown = [row.tobytes() for row in shown]
        self._transition_shown: dict[tuple[int, int, int], tuple[bytes, npt.NDArray[np.bool_]]] = {}
        self._stage_min_s = [int(v) for v in t.stage_min_s]
        self._stages_n = len(x.stages)
        self._related = x.conflicts | x.yields | x.yields.T
        wait = int(np.where(self._related, x.intergreen_s, 0).max()) if start_all_red_s is None else max(0, start_all_red_s)
        self._second, self._all_red_s = 0, wait
        # In transition `_begun` is its first second, in a full stage the stage's.
        self._begun, self._arrive_s, self._slack_s = 0, 0, 0
        self._from, self._to = -1, start_stage
        self._green = np.zeros(len(x.groups), np.bool_)
        # Second in which each group's present green began or its last green ended.
        self._changed = np.zeros(len(x.groups), np.int64)
        self._shown = bytes(len(x.groups))
        first = x.green[start_stage]
        age = np.where(first, 0, wait) + t.stage_min_s[start_stage]
        if self._stages_n > 1 and self._slack(start_stage, age)[0] < 0:
            raise UnsafeIntersectionError(f"intersection {x.id!r}: cannot start in stage {start_stage} within the maximum reds")
        if wait == 0:
            self._arrive()

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
        """Stage shown, or left when in transition; -1 during the all-red of the start."""
        return self._from

    @property
    def next_stage(self) -> int:
        """Stage a transition leads to, else the present one."""
        return self._to

    @property
    def held_s(self) -> int:
        """Seconds the present stage has been shown in full; 0 in a transition."""
        return self._second - self._begun if self._from == self._to else 0

    def may_leave(self) -> bool:
        """Whether a request could be granted in the coming second as far as transitions and minimum greens go."""
        return self._from == self._to and self._second - self._begun >= self._stage_min_s[self._to]

    def step(self, request: object = None) -> GuardedCommand:
        """Advance one second.

        Parameters
        ----------
        request : object
            Position of the stage wanted; None = stay. Anything else is refused, never an error.
        """
        wanted = self._parse(request)
        if self._from != self._to and self._second >= (self._all_red_s if self._from < 0 else self._begun + self._arrive_s):
            self._arrive()
        verdict = Verdict.IN_TRANSITION if self._from != self._to else self._decide(wanted, request is None)
        if self._from != self._to and self._from >= 0:
            self._show_transition()
        command = GuardedCommand(self._second, self._from, self._to, self._shown, wanted, verdict)
        self._second += 1
        return command

    def _parse(self, request: object) -> int:
        if isinstance(request, (int, np.integer)) and not isinstance(request, bool):
            return int(request) if 0 <= request < self._stages_n else -1
        return -1

    def _arrive(self) -> None:
        """Turn the next stage green."""
        green = self._intersection.green[self._to]
        self._changed[green != self._green] = self._second
        self._green = green.copy()
        self._from, self._begun = self._to, self._second
        self._shown = self._stage_shown[self._to]
        self._slack_s = self._slack(self._to, self._second - self._changed)[0] if self._stages_n > 1 else NEVER_S

    def _decide(self, wanted: int, nothing: bool) -> Verdict:
        """Choose, in a full stage, between staying, going where asked, and the rescue."""
        here, held = self._to, self._second - self._begun
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
        if self._slack_s - held >= 1 or self._stages_n == 1:
            return verdict
        entry = self._slack(here, self._second - self._changed)[1]
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
        here, t, x = self._to, self._tables, self._intersection
        takes, stay = self._duration(there), self._stage_min_s[there]
        lead, now = t.lead_s[here, there], self._second - self._changed
        ends, starts = x.green[here] & ~x.green[there], x.green[there] & ~x.green[here]
        if (ends & (now + takes - lead > t.max_green_s)).any() or (starts & (now + takes > t.max_red_s)).any():
            return False
        age = np.where(ends, lead + stay, np.where(starts, stay, now + takes + stay))
        return self._slack(there, age)[0] >= 0

    def _duration(self, there: int) -> int:
        """Duration of the transition to `there`, waiting also for intergreens of groups that ended earlier."""
        here, t, x = self._to, self._tables, self._intersection
        duration = int(t.transition_s[here, there])
        if int(t.transition_bound_s[here, there]) > duration:
            starts = x.green[there] & ~x.green[here]
            rest = np.where(self._related, x.intergreen_s - (self._second - self._changed)[:, None], 0)
            duration = max(duration, int(rest[np.ix_(~x.green[here], starts)].max(initial=0)))
        return duration

    def _begin(self, there: int) -> None:
        self._arrive_s = self._duration(there)
        self._from, self._to, self._begun = self._to, there, self._second
        if self._arrive_s == 0:
            self._arrive()

    def _show_transition(self) -> None:
        """What is shown in the present second of the transition."""
        left = self._arrive_s - (self._second - self._begun)
        key = (self._from, self._to, left)
        if key not in self._transition_shown:
            self._transition_shown[key] = self._draw_transition(*key)
        self._shown, ended = self._transition_shown[key]
        self._changed[ended & self._green] = self._second
        self._green &= ~ended

    def _draw_transition(self, here: int, there: int, left: int) -> tuple[bytes, npt.NDArray[np.bool_]]:
        """Aspects `left` seconds before the next stage, and the groups whose green is over."""
        t, x = self._tables, self._intersection
        lead = t.lead_s[here, there]
        ended = x.green[here] & ~x.green[there] & (lead >= left)
        shown = np.frombuffer(self._stage_shown[here], np.uint8).copy()
        shown[ended] = np.where(lead - left < t.clearing_s, self._clearing_aspect, np.uint8(Aspect.RED))[ended]
        shown[(t.demote_s[here, there] >= left) & (t.demote_s[here, there] > 0)] = Aspect.GREEN_YIELD
        return shown.tobytes(), ended

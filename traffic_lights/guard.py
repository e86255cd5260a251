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

from traffic_lights.errors import InvalidRequestError, UnsafeIntersectionError
from traffic_lights.guard_tables import GuardTables, build_tables
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
        "_age_s", "_all_red_left_s", "_arrive_s", "_clearing_aspect", "_elapsed_s", "_entry", "_from", "_green", "_held_s",
        "_intersection", "_second", "_shown", "_stage_aspects", "_tables", "_to",
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
        shown = np.where(x.green, np.uint8(Aspect.GREEN), np.uint8(Aspect.RED))
        shown[t.shows_yield] = Aspect.GREEN_YIELD
        self._stage_aspects = [row.astype(np.uint8) for row in shown]
        related = x.conflicts | x.yields | x.yields.T
        wait = int(np.where(related, x.intergreen_s, 0).max()) if start_all_red_s is None else max(0, start_all_red_s)
        self._second = 0
        self._to = start_stage
        self._from = start_stage if wait == 0 else -1
        self._all_red_left_s = wait
        self._elapsed_s = self._arrive_s = self._held_s = 0
        self._green = x.green[start_stage].copy() if wait == 0 else np.zeros(len(x.groups), np.bool_)
        # Seconds since each group's present green began or its last green ended.
        self._age_s = np.zeros(len(x.groups), np.int32)
        self._shown = self._stage_aspects[start_stage] if wait == 0 else np.zeros(len(x.groups), np.uint8)
        first = x.green[start_stage]
        age = np.where(first, 0, wait).astype(np.int32) + t.stage_min_s[start_stage]
        if len(x.stages) > 1 and self._entry_for(start_stage, age) < 0:
            raise UnsafeIntersectionError(f"intersection {x.id!r}: cannot start in stage {start_stage} within the maximum reds")

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
        """Seconds the present stage has been shown in full."""
        return self._held_s

    def may_leave(self) -> bool:
        """Whether a request could be granted in the coming second as far as minimum greens go."""
        return self._from == self._to and self._held_s >= int(self._tables.stage_min_s[self._to])

    def step(self, request: object = None) -> GuardedCommand:
        """Advance one second.

        Parameters
        ----------
        request : object
            Position of the stage wanted; None = stay. Anything else is refused, never an error.
        """
        wanted = self._parse(request)
        if self._from != self._to and not self._arrive_if_due():
            verdict = Verdict.IN_TRANSITION
        else:
            verdict = self._decide(wanted, request is None)
        if self._from != self._to and self._from >= 0:
            self._show_transition()
        command = GuardedCommand(self._second, self._from, self._to, self._shown.tobytes(), wanted, verdict)
        self._second += 1
        self._age_s += 1
        if self._from == self._to:
            self._held_s += 1
        else:
            self._elapsed_s += 1
        return command

    def _parse(self, request: object) -> int:
        if isinstance(request, (int, np.integer)) and not isinstance(request, bool):
            stage = int(request)
            return stage if 0 <= stage < len(self._intersection.stages) else -1
        return -1

    def _arrive_if_due(self) -> bool:
        """Turn the next stage green if its transition is over (or the all-red of the start has passed)."""
        if self._from < 0:
            if self._second < self._all_red_left_s:
                return False
        elif self._elapsed_s < self._arrive_s:
            return False
        green = self._intersection.green[self._to]
        self._age_s[green & ~self._green] = 0
        self._green = green.copy()
        self._from, self._held_s = self._to, 0
        self._shown = self._stage_aspects[self._to]
        return True

    def _decide(self, wanted: int, nothing: bool) -> Verdict:
        """Choose, in a full stage, between staying, going where asked, and the rescue."""
        here, t = self._to, self._tables
        if self._held_s < int(t.stage_min_s[here]):
            if wanted < 0:
                return Verdict.HOLD if nothing else Verdict.MALFORMED
            return Verdict.HOLD if wanted == here else Verdict.MIN_GREEN
        verdict = Verdict.HOLD if nothing or wanted == here else Verdict.MALFORMED
        if wanted >= 0 and wanted != here:
            if not self._intersection.transitions[here, wanted]:
                verdict = Verdict.NOT_ALLOWED
            elif self._safe_to_go(wanted):
                self._begin(wanted)
                return Verdict.GRANTED
            else:
                verdict = Verdict.WOULD_OVERRUN
        if len(self._intersection.stages) == 1 or self._entry_for(here, self._age_s + 1) >= 0:
            return verdict
        entry = max(0, self._entry_for(here, self._age_s))
        self._begin(self._intersection.rescue_cycle[entry])
        return Verdict.FORCED

    def _entry_for(self, stage: int, age_s: np.ndarray) -> int:
        """Entry of the rescue cycle that keeps all limits if `stage` is left at once with these ages; -1 if none does."""
        t, green = self._tables, self._intersection.green[stage]
        until = np.where(green, t.until_end_s[stage], t.until_green_s[stage])
        limit = np.where(green, t.max_green_s, t.max_red_s)
        fits = t.entry_valid[stage] & (age_s + until <= limit).all(axis=1)
        return int(fits.argmax()) if fits.any() else -1

    def _safe_to_go(self, there: int) -> bool:
        """Whether a rescue is still possible once `there` has been shown for its shortest time."""
        here, t, x = self._to, self._tables, self._intersection
        takes, stay = self._duration(there), int(t.stage_min_s[there])
        lead = t.lead_s[here, there]
        before, after = x.green[here], x.green[there]
        ends = before & ~after
        if (ends & (self._age_s + takes - lead > t.max_green_s)).any():
            return False
        starts = after & ~before
        if (starts & (self._age_s + takes > t.max_red_s)).any():
            return False
        age = np.where(ends, lead + stay, np.where(starts, stay, self._age_s + takes + stay))
        return self._entry_for(there, age) >= 0

    def _duration(self, there: int) -> int:
        """Duration of the transition to `there`, waiting also for intergreens of groups that ended earlier."""
        here, t, x = self._to, self._tables, self._intersection
        duration = int(t.transition_s[here, there])
        if int(t.transition_bound_s[here, there]) > duration:
            starts = x.green[there] & ~x.green[here]
            related = x.conflicts | x.yields | x.yields.T
            rest = np.where(related, x.intergreen_s - self._age_s[:, None], 0)[np.ix_(~x.green[here], starts)]
            duration = max(duration, int(rest.max(initial=0)))
        return duration

    def _begin(self, there: int) -> None:
        self._arrive_s, self._elapsed_s = self._duration(there), 0
        self._from, self._to = self._to, there
        if self._arrive_s == 0:
            self._arrive_if_due()

    def _show_transition(self) -> None:
        """What is shown in second `_elapsed_s` of the transition."""
        here, there, t, x = self._from, self._to, self._tables, self._intersection
        left = self._arrive_s - self._elapsed_s
        lead = t.lead_s[here, there]
        ended = x.green[here] & ~x.green[there] & (lead >= left)
        self._age_s[ended & self._green] = 0
        self._green &= ~ended
        shown = self._stage_aspects[here].copy()
        shown[ended] = np.where(lead - left < t.clearing_s, self._clearing_aspect, np.uint8(Aspect.RED))[ended]
        shown[(t.demote_s[here, there] >= left) & (t.demote_s[here, there] > 0)] = Aspect.GREEN_YIELD
        self._shown = shown

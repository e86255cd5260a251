"""What the guard answers: the state shown for a second, and what became of the request."""

from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """What became of the request of a second."""

    HOLD = 0
    """The stage asked for is already shown, or nothing was asked for: it stays."""
    GRANTED = 1
    """The transition to the stage asked for began."""
    IN_TRANSITION = 2
    """A transition, or the start-up, is under way and is completed first."""
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
    NO_TIME = 8
    """The clock did not advance: what was shown stays."""
    RESTARTED = 9
    """The guard was not stepped for so long that nobody knows what is shown: the start-up begins."""


@dataclass(frozen=True, slots=True)
class GuardedCommand:
    """What an intersection shows for one second.

    Attributes
    ----------
    second : int
        Steps of the guard before this one in which the clock advanced.
    stage : int
        Stage shown, or left when in transition; -1 in the start-up.
    next_stage : int
        Stage the transition leads to; equals `stage` when none is under way.
    aspects : bytes
        One `Aspect` per signal group.
    requested : int
        Stage asked for, -1 if nothing or nonsense.
    verdict : Verdict
    lost_s : int
        Seconds since the step before in which the guard was not stepped and the lamps stayed as they were.
    """

    second: int
    stage: int
    next_stage: int
    aspects: bytes
    requested: int
    verdict: Verdict
    lost_s: int = 0

    @property
    def in_transition(self) -> bool:
        """Whether a stage change or the start-up is under way."""
        return self.stage != self.next_stage

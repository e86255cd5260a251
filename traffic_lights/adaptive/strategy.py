"""What every strategy sees and answers."""

from dataclasses import dataclass
from typing import Protocol

from traffic_lights.detection import Detection


@dataclass(frozen=True, slots=True)
class StageView:
    """Where the guard stands.

    Attributes
    ----------
    stage : int
        Stage shown in full.
    held_s : int
        Seconds it has been shown.
    time_s : int
        City clock.
    """

    stage: int
    held_s: int
    time_s: int


class Strategy(Protocol):
    """Chooses the stage wanted for the coming second; asked only when a change is possible."""

    def choose(self, view: StageView, detection: Detection) -> int:
        """Position of the stage wanted; the present one to stay."""
        ...

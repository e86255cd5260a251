"""How the guard begins when it does not know, or is told, what the lamps show.

Nothing reported: all-red for the longest intergreen, then the first stage. A stage reported: it is taken over as if it
had just begun. Anything else that is reported: greens that agree with one another keep their longest minimum, conflicting
ones none; then all clear, then all-red until the longest intergreen has passed since the last green.

How long a reported aspect has been shown is not believed: every minimum, yellow and intergreen counts from the report.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from traffic_lights.model.groups import Aspect, GroupKind
from traffic_lights.model.intersection import Intersection


class Resumption(IntEnum):
    """How the guard went on from a report."""

    ALL_RED = 0
    """Nothing was reported, or nonsense: all-red."""
    STAGE = 1
    """The reported stage was taken over."""
    CLEARED = 2
    """What was reported is no stage: it is cleared."""
    CONFLICT = 3
    """Conflicting greens were reported: they are cleared at once."""


@dataclass(frozen=True, slots=True, eq=False)
class StartUp:
    """What is shown before the first stage.

    Attributes
    ----------
    rows : tuple[bytes, ...]
        Aspects of each second.
    green_end_s : int
        Seconds after which the last reported green ends; 0 without any.
    kind : Resumption
    """

    rows: tuple[bytes, ...]
    green_end_s: int
    kind: Resumption


def clearing_aspects(x: Intersection) -> npt.NDArray[np.uint8]:
    """Aspect that follows green, uint8[g]."""
    return np.array(
        [Aspect.PEDESTRIAN_CLEARANCE if g.kind is GroupKind.PEDESTRIAN else Aspect.YELLOW for g in x.groups], np.uint8
    )


def longest_intergreen_s(x: Intersection) -> int:
    """Longest intergreen, yellow or clearance of an intersection."""
    related = x.conflicts | x.yields | x.yields.T
    return max(int(np.where(related, x.intergreen_s, 0).max()), *(g.clearing_s for g in x.groups))


def is_shown(x: Intersection, aspects: bytes) -> bool:
    """Whether `aspects` are one known aspect for each group."""
    return len(aspects) == len(x.groups) and all(a <= max(Aspect) for a in aspects)


def start_in_red(x: Intersection, seconds: int) -> StartUp:
    """All-red for `seconds`."""
    return StartUp((bytes(len(x.groups)),) * seconds, 0, Resumption.ALL_RED)


def start_from(x: Intersection, aspects: bytes) -> StartUp:
    """Clear what is reported (no stage) and wait in all-red; `aspects` must be `is_shown`."""
    shown = np.frombuffer(aspects, np.uint8)
    green = (shown == Aspect.GREEN) | (shown == Aspect.GREEN_YIELD)
    clears = (shown == Aspect.YELLOW) | (shown == Aspect.PEDESTRIAN_CLEARANCE)
    unprotected = x.yields & (shown == Aspect.GREEN)[:, None]
    clash = bool(((x.conflicts | unprotected) & np.outer(green, green)).any() or (x.conflicts & np.outer(green, clears)).any())
    hold_s = 0 if clash else max((g.min_green_s for g, on in zip(x.groups, green, strict=True) if on), default=0)
    clearing_s = np.array([g.clearing_s for g in x.groups])
    clearing = clearing_aspects(x)
    rows = []
    for t in range(hold_s + longest_intergreen_s(x)):
        row = np.where(green & (t < hold_s), shown, np.uint8(Aspect.RED)).astype(np.uint8)
        fading = (green & (t >= hold_s) & (t < hold_s + clearing_s)) | (clears & (t < clearing_s))
        row[fading] = clearing[fading]
        rows.append(row.tobytes())
    kind = Resumption.CONFLICT if clash else Resumption.CLEARED if (green | clears).any() else Resumption.ALL_RED
    return StartUp(tuple(rows), hold_s, kind)

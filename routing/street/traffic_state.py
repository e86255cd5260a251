"""What is known of traffic in one epoch: speeds, rules of access, the map's rules of hours."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.model.time_rules import NO_HOLIDAYS, Calendar, TimeRules, rules_holding
from routing.street.access_rules import AccessRules

SLOT_S = 900
"""Length of a time slot, seconds."""

SpeedAt = Callable[[int], npt.NDArray[np.float32] | None]
"""Speed of every arc (float32[m] km/h, NaN = free flow; None = free flow everywhere) expected at a unix second."""


@dataclass(frozen=True, slots=True, eq=False)
class TrafficState:
    """What is known of traffic in one epoch; immutable, equal to nothing but itself.

    Attributes
    ----------
    epoch : int
    speed_at : SpeedAt
    rules : AccessRules
        Zones, closures, events, limits.
    varies : bool
        False for speeds that are the same all day.
    hours : TimeRules, optional
        Time rules of the graph, those that hold at the departure being obeyed; none = all are taken not to hold.
    zone : tzinfo, optional
        Needed with `hours`.
    calendar : Calendar, optional
        Holidays that `hours` speak of.
    hours_modes : uint16[k], optional
        Modes that each of `hours` binds (`modes_of_hours`): modes that none binds share one metric at all hours. None = all.

    Raises
    ------
    InvalidInput
        For hours without a time zone.
    """

    epoch: int
    speed_at: SpeedAt
    rules: AccessRules
    varies: bool = True
    hours: TimeRules | None = None
    zone: tzinfo | None = None
    calendar: Calendar = NO_HOLIDAYS
    hours_modes: npt.NDArray[np.uint16] | None = None

    def __post_init__(self) -> None:
        if self.hours is not None and self.zone is None:
            raise InvalidInput("hours are local: give the time zone with them", "zone")

    def hours_holding(self, mode: StreetMode, time_s: int) -> bytes:
        """One byte (0 or 1) for each of `hours`: which hold for a mode at a unix second; empty if none ever binds it."""
        if self.hours is None or self.zone is None or not len(self.hours):
            return b""
        binding = np.ones(len(self.hours), np.bool_) if self.hours_modes is None else (self.hours_modes & mode.bit) != 0
        if not binding.any():
            return b""
        return (rules_holding(self.hours, time_s, self.zone, self.calendar) & binding).tobytes()


def modes_of_hours(graph: StreetGraph) -> npt.NDArray[np.uint16]:
    """Modes (uint16[k], bits of `StreetMode`) that each of a graph's time rules binds."""
    modes = np.zeros(len(graph.rules), np.uint16)
    np.bitwise_or.at(modes, graph.condition_rule, graph.condition_modes)
    timed = graph.restriction_rule >= 0
    np.bitwise_or.at(modes, graph.restriction_rule[timed], graph.restriction_modes[timed])
    return modes

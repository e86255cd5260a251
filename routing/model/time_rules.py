"""When something holds: weekly intervals of local time, as written on traffic signs."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.strings import StringTable

PUBLIC_HOLIDAY = 1 << 7
"""Bit of `TimeRules.days` beside Monday (1) to Sunday (64): the interval holds on public holidays."""
NOT_ON_HOLIDAYS = 1 << 8
"""Bit of `TimeRules.days`: the interval does not hold on public holidays, whatever day of the week they are."""

SCHOOL_HOLIDAY = 1 << 9
"""Bit of `TimeRules.days`: the interval holds in school holidays, whatever day of the week."""
NOT_IN_SCHOOL_HOLIDAYS = 1 << 10
"""Bit of `TimeRules.days`: the interval does not hold in school holidays."""

DAY_MIN = 1440


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days that rules of hours treat apart; local dates."""

    public_holidays: frozenset[date] = frozenset()
    school_holidays: frozenset[date] = frozenset()

    def kind_of(self, day: date) -> int:
        """Bits `PUBLIC_HOLIDAY` and `SCHOOL_HOLIDAY` of a day."""
        return PUBLIC_HOLIDAY * (day in self.public_holidays) | SCHOOL_HOLIDAY * (day in self.school_holidays)


NO_HOLIDAYS = Calendar()
"""Every day is an ordinary one."""


@dataclass(frozen=True, slots=True)
class TimeRules:
    """k rules, each a union of weekly intervals; i intervals.

    Attributes
    ----------
    texts : StringTable
        The rules as they stand in the map.
    first_interval : int32[k + 1]
        Intervals of rule `r` are ``first_interval[r]:first_interval[r + 1]``.
    days : uint16[i]
        Bit 0 Monday … bit 6 Sunday, `PUBLIC_HOLIDAY`, `NOT_ON_HOLIDAYS`, `SCHOOL_HOLIDAY`, `NOT_IN_SCHOOL_HOLIDAYS`.
    begin_min, end_min : int16[i]
        Minutes after local midnight, begin included, end not. An end at or before the begin lies on the next day.
    """

    texts: StringTable
    first_interval: npt.NDArray[np.int32]
    days: npt.NDArray[np.uint16]
    begin_min: npt.NDArray[np.int16]
    end_min: npt.NDArray[np.int16]

    def __post_init__(self) -> None:
        intervals = len(self.days)
        if len(self.begin_min) != intervals or len(self.end_min) != intervals:
            raise InvalidInput("time rules: days, begin_min and end_min are not equally long", "days")
        if len(self.first_interval) != len(self.texts) + 1 or self.first_interval[-1] != intervals:
            raise InvalidInput("time rules: first_interval does not fit texts and days", "first_interval")

    def __len__(self) -> int:
        return len(self.texts)


def no_rules() -> TimeRules:
    """Return an empty set of rules."""
    nothing = np.zeros(0, np.int16)
    return TimeRules(StringTable.build([]), np.zeros(1, np.int32), np.zeros(0, np.uint16), nothing, nothing)


def rules_holding(rules: TimeRules, unix_s: float, zone: tzinfo, calendar: Calendar = NO_HOLIDAYS) -> npt.NDArray[np.bool_]:
    """Which rules hold at an instant; O(intervals).

    The instant is turned into the wall clock of `zone` first, so in the night when clocks are put back a rule for 02:00–03:00
    holds during both passages of that hour, and in the night when they are put forward it does not hold at all.

    Parameters
    ----------
    rules : TimeRules
    unix_s : float
        UTC.
    zone : tzinfo
        Of the city.
    calendar : Calendar, optional
        Holidays; an interval past midnight belongs to the day it begins on.

    Returns
    -------
    bool[k]
    """
    local = datetime.fromtimestamp(unix_s, zone)
    minute, today = local.hour * 60 + local.minute, local.date()
    over_midnight = rules.end_min <= rules.begin_min
    begun = rules.begin_min <= minute
    ending = minute < rules.end_min
    now = np.where(over_midnight, begun, begun & ending) & _on_day(rules.days, today, calendar)
    since_yesterday = over_midnight & ending & _on_day(rules.days, today - timedelta(days=1), calendar)
    count = np.concatenate([[0], np.cumsum(now | since_yesterday)])
    holding: npt.NDArray[np.bool_] = count[rules.first_interval[1:]] > count[rules.first_interval[:-1]]
    return holding


def _on_day(days: npt.NDArray[np.uint16], day: date, calendar: Calendar) -> npt.NDArray[np.bool_]:
    kind = calendar.kind_of(day)
    off = NOT_ON_HOLIDAYS * bool(kind & PUBLIC_HOLIDAY) | NOT_IN_SCHOOL_HOLIDAYS * bool(kind & SCHOOL_HOLIDAY)
    on: npt.NDArray[np.bool_] = ((days & (1 << day.weekday() | kind)) != 0) & ((days & off) == 0)
    return on

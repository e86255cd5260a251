"""Who may not enter which streets when: low-emission zones, closures and events with a time window, limits by kind."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import tzinfo
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.access_zones import AccessZones
from routing.model.modes import StreetMode
from routing.model.time_rules import NO_HOLIDAYS, Calendar, TimeRules, rules_holding

Int32 = npt.NDArray[np.int32]


class EmissionClass(IntEnum):
    """How clean a vehicle is, best first: the classes of the French sticker Crit'Air.

    Elsewhere: Germany's green, yellow, red sticker are about 2, 3, 4; no sticker is `UNCLASSIFIED`.
    """

    ELECTRIC = 0
    CLASS_1 = 1
    CLASS_2 = 2
    CLASS_3 = 3
    CLASS_4 = 4
    CLASS_5 = 5
    UNCLASSIFIED = 6


MOTOR_BITS = StreetMode.CAR.bit | StreetMode.VAN.bit | StreetMode.TRUCK.bit


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Streets closed to some vehicles at some times.

    Attributes
    ----------
    arcs : int32[…]
    modes : int
        Bits of `StreetMode`.
    from_class : EmissionClass
        The cleanest class that may not enter; all classes after it may not either. `ELECTRIC` = nobody may.
    starts_s, ends_s : int, optional
        Unix seconds; none = since ever, for ever. The end is not included.
    hours : int
        Row of the time rules given with it (local time), -1 = at all hours.
    name : str
        For answers.
    zone_id : str
        The zone it comes from; empty = no zone (a closure, an event, a limit).
    """

    arcs: Int32
    modes: int = MOTOR_BITS
    from_class: EmissionClass = EmissionClass.ELECTRIC
    starts_s: int | None = None
    ends_s: int | None = None
    hours: int = -1
    name: str = ""
    zone_id: str = ""


@dataclass(frozen=True)
class AccessRules:
    """All rules of a city; immutable.

    Parameters
    ----------
    arc_count : int
    rules : tuple of AccessRule
    hours : TimeRules, optional
        What `AccessRule.hours` points to.
    zone : tzinfo, optional
        Needed with `hours`.
    calendar : Calendar, optional
        Holidays that the hours speak of.

    Raises
    ------
    InvalidInput
        For arcs the graph has not, rules of hours that are missing, or windows that end before they begin.
    """

    arc_count: int
    rules: tuple[AccessRule, ...] = ()
    hours: TimeRules | None = None
    zone: tzinfo | None = None
    calendar: Calendar = NO_HOLIDAYS

    def __post_init__(self) -> None:
        for k, rule in enumerate(self.rules):
            where = f"rules[{k}]"
            if len(rule.arcs) and not (rule.arcs.min() >= 0 and rule.arcs.max() < self.arc_count):
                raise InvalidInput(f"{where} {rule.name!r} names arcs beyond 0 to {self.arc_count - 1}", where)
            if rule.hours >= 0 and (self.hours is None or self.zone is None or rule.hours >= len(self.hours)):
                raise InvalidInput(f"{where} {rule.name!r}: its hours (row {rule.hours}) or the time zone are missing", where)
            if rule.starts_s is not None and rule.ends_s is not None and rule.ends_s <= rule.starts_s:
                raise InvalidInput(f"{where} {rule.name!r} ends before it begins", where)

    @classmethod
    def of_zones(cls, zones: AccessZones, arc_count: int, zone: tzinfo, calendar: Calendar = NO_HOLIDAYS) -> "AccessRules":
        """Rules of a city's zones."""
        rules = tuple(
            AccessRule(
                zones.arcs_of(k), int(zones.modes[k]), EmissionClass(int(zones.from_class[k])), zones.starts(k), zones.ends(k),
                int(zones.hours_rule[k]), zones.names[k], zones.ids[k],
            )
            for k in range(len(zones))
        )  # fmt: skip
        return cls(arc_count, rules, zones.hours, zone, calendar)

    def with_rules(self, more: Iterable[AccessRule]) -> "AccessRules":
        """The same rules, and others after them."""
        return replace(self, rules=(*self.rules, *more))

    def holding(self, mode: StreetMode, emission: EmissionClass | None, unix_s: int) -> tuple[int, ...]:
        """Rows of the rules that keep a vehicle out at an instant: what tells masks apart.

        `emission` None asks for the rules that are of no zone: where one could go if there were no zones.
        """
        hours = None
        found = []
        for k, rule in enumerate(self.rules):
            if not rule.modes & mode.bit or (rule.zone_id if emission is None else emission < rule.from_class):
                continue
            if (rule.starts_s is not None and unix_s < rule.starts_s) or (rule.ends_s is not None and unix_s >= rule.ends_s):
                continue
            if rule.hours >= 0 and self.hours is not None and self.zone is not None:
                hours = rules_holding(self.hours, unix_s, self.zone, self.calendar) if hours is None else hours
                if not hours[rule.hours]:
                    continue
            found.append(k)
        return tuple(found)

    def zones_on(self, rows: Iterable[int], arcs: npt.ArrayLike) -> tuple[int, ...]:
        """Those of `rows` that are rules of a zone and close any of `arcs` (arc numbers)."""
        wanted = np.asarray(arcs, np.int32)
        return tuple(k for k in rows if self.rules[k].zone_id and np.isin(wanted, self.rules[k].arcs).any())

    def hours_text(self, row: int) -> str:
        """Hours of a rule as they were written; empty = always."""
        rule = self.rules[row]
        return "" if rule.hours < 0 or self.hours is None else self.hours.texts[rule.hours]

    def closed(self, rows: Iterable[int], more: npt.ArrayLike | None = None) -> npt.NDArray[np.bool_]:
        """Arcs (bool[m]) closed by rules, and by `more` (arc numbers)."""
        mask = np.zeros(self.arc_count, np.bool_)
        for row in rows:
            mask[self.rules[row].arcs] = True
        if more is not None:
            mask[np.asarray(more, np.int64)] = True
        return mask

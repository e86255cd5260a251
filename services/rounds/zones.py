"""Zones of the city as they bind the vehicles of delivery rounds, slot by slot of the travel times."""

from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from routing.street.access_rules import AccessRules
from routing.street.api import Snaps
from services.city.calendar import build_calendar
from services.city.snapshot import CitySnapshot
from services.city.zone_words import zone_in_words
from services.rounds.mapping import MOTOR_MODES, MappedProblem

LOOK_EVERY_S = 900
"""Rules of hours begin and end on quarters of an hour, as a rule."""

Slots = npt.NDArray[np.float64]


class RoundsZones:
    """Which rules of zones keep a profile (mode and emission class) out, at any time of a slot."""

    def __init__(self, snapshot: CitySnapshot) -> None:
        zone = ZoneInfo(snapshot.timezone)
        self._rules = AccessRules.of_zones(snapshot.zones, snapshot.street.arc_count, zone, build_calendar(snapshot.city))

    def in_slot(self, mapped: MappedProblem, slots: Slots, p: int, k: int) -> tuple[int, ...]:
        """Rows that hold for profile `p` at any time of slot `k`; the only slot there is lasts all shifts."""
        if not self._rules.rules or mapped.modes[p] not in MOTOR_MODES:
            return ()
        begin, end = mapped.span_s if len(slots) == 1 else (slots[k], slots[min(k + 1, len(slots) - 1)])
        times = np.append(np.arange(begin, max(end, begin + 1), LOOK_EVERY_S), max(begin, end - 1)) + mapped.zero_s
        found = {row for at in times for row in self._rules.holding(mapped.modes[p], mapped.emissions[p], int(at))}
        return tuple(sorted(found))

    def by_slot(self, mapped: MappedProblem, slots: Slots, p: int) -> tuple[tuple[int, ...], ...]:
        """Rows of every slot."""
        return tuple(self.in_slot(mapped, slots, p, k) for k in range(len(slots)))

    def changes(self, mapped: MappedProblem, slots: Slots, p: int) -> npt.NDArray[np.int64]:
        """Slots (numbers) before and after the rules that hold change."""
        rows = self.by_slot(mapped, slots, p)
        turns = [k for k in range(1, len(rows)) if rows[k] != rows[k - 1]]
        return np.array([k for turn in turns for k in (turn - 1, turn)], np.int64)

    def closed(self, rows: tuple[int, ...]) -> npt.NDArray[np.int64] | None:
        """Arcs closed by some rules, None if there are none."""
        return np.flatnonzero(self._rules.closed(rows)) if rows else None

    def notes(self, mapped: MappedProblem, slots: Slots, snaps: tuple[Snaps, ...]) -> dict[int, str]:
        """Location → zone it lies in, in words, where that is closed to some profile at some time."""
        found: dict[int, str] = {}
        for p, own in enumerate(snaps):
            for row in sorted({row for rows in self.by_slot(mapped, slots, p) for row in rows}):
                for location in np.flatnonzero(np.isin(own.arc, self._rules.rules[row].arcs)).tolist():
                    found.setdefault(location, zone_in_words(self._rules, row))
        return found

"""Travel times of rounds under way, built anew for the pairs of places and the slots that an incident or other traffic changes.

A pair gets new times only where its quickest way may lead over a street whose time changed (`routing.street.passing`), in the
slots in which one did and in those before whose trips reach into them. What comes out are the times that would be built from
nothing. Where so many streets changed that most pairs are touched, all are built.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_growing import lay_pairs
from routing.kernels.rounds_times import NO_WAY_S
from routing.rounds.api import TravelTimes
from routing.street.api import StreetMetric
from routing.street.pair_functions import FAR, TOO_LATE_S, stitch_in_place
from services.common.live.traffic import LiveTraffic
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.incidents import RoadIncident, in_force
from services.rounds.mapping import MOTOR_MODES, MappedProblem

SAME_S = -1
"""Duration that stays as it was."""
MOST_ARCS = 4000
"""Where more streets changed, they are everywhere: no pair is left out."""
MOST_HELD = 12
"""Slots whose customised weights (some 20 MB each for a city) are held between looking for the pairs and timing them."""
LAST_S = 1e15
"""Length of the last slot, which does not end."""

Bools = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Ints = npt.NDArray[np.signedinteger]


@dataclass(frozen=True, slots=True)
class NewPairs:
    """New durations of some pairs: ``duration_s[k]`` (int32[w, pairs], `SAME_S` = as before) in slot ``first + k``."""

    first: int
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    duration_s: Int32


@dataclass(frozen=True, slots=True)
class NewSlots:
    """What is new by profile, and what it holds."""

    pairs: Mapping[int, NewPairs]
    incidents: tuple[RoadIncident, ...]
    traffic: LiveTraffic | None
    parking_s: tuple[int, ...]


def new_slots(
    city: RoundsCity,
    mapped: MappedProblem,
    built: BuiltTimes,
    incidents: tuple[RoadIncident, ...],
    traffic: LiveTraffic | None,
    now_s: float,
) -> NewSlots:
    """Durations that change where incidents or traffic differ from those of `built`; slots that are over stay.

    Some tenths of a second of CPU work for a thousand locations and an incident of an hour.
    """
    present = max(0, int(np.searchsorted(built.slots_s, now_s, "right")) - 1)
    made: dict[tuple[object, ...], NewPairs | None] = {}
    for p, mode in enumerate(mapped.modes):
        if mode in MOTOR_MODES:
            key = (mode, city.zones.by_slot(mapped, built.slots_s, p))
            if key not in made:
                made[key] = _Change(city, mapped, built, p, incidents, traffic, present).pairs()
    pairs = {}
    for p, mode in enumerate(mapped.modes):
        own = made.get((mode, city.zones.by_slot(mapped, built.slots_s, p))) if mode in MOTOR_MODES else None
        if own is not None:
            pairs[p] = own
    return NewSlots(pairs, incidents, traffic, tuple(mapped.parking_s))


def lay_slots(new: NewSlots, built: BuiltTimes, travel_times: TravelTimes) -> BuiltTimes:
    """Lay new durations on travel times in place (they may have room for more locations than are known); the times built."""
    arrays = travel_times.arrays
    parking = np.array(new.parking_s, np.int64)
    for p, own in new.pairs.items():
        lay_pairs(
            arrays.slot_start_s, own.first, own.source, own.target, parking[own.target], own.duration_s, SAME_S, TOO_LATE_S,
            arrays.slot_s[p], arrays.matrix_s[p],
        )  # fmt: skip
    return replace(built, travel_times=travel_times, incidents=new.incidents, traffic=new.traffic)


class _Change:
    """What changes for one profile, from the present slot on."""

    def __init__(
        self, city: RoundsCity, mapped: MappedProblem, built: BuiltTimes, p: int, incidents: tuple[RoadIncident, ...],
        traffic: LiveTraffic | None, present: int,
    ) -> None:  # fmt: skip
        self._city, self._mapped, self._built, self._p = city, mapped, built, p
        self._incidents, self._traffic, self._present = incidents, traffic, present
        self._slots, self._snaps, self._count = built.slots_s, built.snaps[p], len(mapped.points)
        self._lengths_s = np.append(np.diff(self._slots), LAST_S)
        self._held: dict[int, StreetMetric] = {}

    def pairs(self) -> NewPairs | None:
        """The pairs that may have changed with their new durations, None if there are none."""
        streets = self._changed_streets()
        if not streets:
            return None
        first, last = min(streets), max(streets)
        wanted = self._touched(streets)
        np.fill_diagonal(wanted, val=False)
        source, target = np.nonzero(wanted)
        if not len(source):
            return None
        raw = dict(zip(range(first, last + 1), self._each(range(first, last + 1), wanted), strict=True))
        self._held.clear()
        begin = self._slots_before(first, raw, source, target)
        end = self._slots_after(last, raw, source, target)
        table = np.stack([raw[k] for k in range(begin, end + 1)])
        unknown = table[: first - begin] < 0
        table[table < 0] = FAR
        stitch_in_place(self._slots[begin : end + 1], table[:, None, :])
        table[: first - begin][unknown] = SAME_S
        return NewPairs(begin, source, target, table[: last + 1 - begin])

    def _changed_streets(self) -> dict[int, Int32]:
        """Streets whose times differ, by slot to come in which any does."""
        before, slots, zero_s = self._built, self._slots, self._mapped.zero_s
        at = [
            k
            for k in range(self._present, len(slots))
            if self._traffic is not before.traffic
            or in_force(self._incidents, zero_s, slots, k) != in_force(before.incidents, zero_s, slots, k)
        ]

        def differing(k: int) -> Int32:
            if self._traffic is before.traffic:
                now, then = (set(in_force(ones, zero_s, slots, k)) for ones in (self._incidents, before.incidents))
                own = [self._city.incidents.arcs_of(one) for one in now ^ then]
                return np.unique(np.concatenate(own)).astype(np.int32)
            old = self._city.slot_metric(self._p, self._mapped, before.traffic, before.incidents, slots, k)
            new = self._metric(k)
            return np.flatnonzero(old.arc_time_ms != new.arc_time_ms).astype(np.int32)

        return {k: arcs for k, arcs in zip(at, self._city.each_slot(at, differing), strict=True) if len(arcs)}

    def _touched(self, streets: Mapping[int, Int32]) -> Bools:
        """Pairs (bool[n, n]) whose quickest way is, or may have been, over a street that changed, in any slot."""
        n = self._count
        wanted = np.zeros((n, n), np.bool_)
        if max(map(len, streets.values())) > MOST_ARCS:
            wanted[:] = True
            return wanted
        if self._built.exact is not None:
            wanted[self._built.exact :] = wanted[:, self._built.exact :] = True  # interpolated times are no bounds

        def touched(k: int) -> Bools:
            taken_s = self._before_s(k)
            longest_ms = np.where(taken_s < self._lengths_s[k], 1000.0 * taken_s, np.inf)
            metric = self._metric(k)
            if len(streets) <= MOST_HELD:
                self._held[k] = metric
            return self._city.street.passing(metric, self._snaps, streets[k]).within(longest_ms)

        for found in self._city.each_slot(list(streets), touched):
            wanted |= found
        return wanted

    def _before_s(self, k: int) -> Int32:
        """Driving times (int32[n, n]) of slot `k` as they were, whole seconds rounded up, or more where a way had to wait."""
        taken: Int32 = self._built.travel_times.arrays.slot_s[self._p, k, : self._count, : self._count]
        return taken - np.where(taken < NO_WAY_S, np.array(self._mapped.parking_s, np.int32), np.int32(0))

    def _slots_before(self, first: int, raw: dict[int, Int32], source: Ints, target: Ints) -> int:
        """Add the slots before `first` whose trips reach into it, for the pairs that do (others -1); the first of them."""
        k = first
        while k > self._present:
            left_s = self._slots[first] - self._slots[k - 1]
            reaching = self._before_s(k - 1)[source, target] > left_s
            if not reaching.any():
                break
            k -= 1
            raw[k] = self._some(k, source, target, reaching)
        return k

    def _slots_after(self, last: int, raw: dict[int, Int32], source: Ints, target: Ints) -> int:
        """Add the slots after `last` that trips reach into, for the pairs that do (others -1); the last of them."""
        k, left = last, np.ones(len(source))  # of the way of who sets off with the last slot: nobody has more of it before them
        while k < len(self._slots) - 1:
            length_ms = 1000.0 * self._lengths_s[k]
            going = (left * raw[k] > length_ms * (1.0 - 1e-9)) & (raw[k] < FAR)
            if not going.any():
                break
            left = np.where(going, left - length_ms / np.maximum(raw[k], 1), 0.0)
            k += 1
            raw[k] = self._some(k, source, target, going)
        return k

    def _each(self, slots: range, wanted: Bools) -> list[Int32]:
        return self._city.each_slot(list(slots), lambda k: self._times(k, wanted)[wanted])

    def _some(self, k: int, source: Ints, target: Ints, chosen: Bools) -> Int32:
        wanted = np.zeros((self._count, self._count), np.bool_)
        wanted[source[chosen], target[chosen]] = True
        out = np.full(len(source), -1, np.int32)
        out[chosen] = self._times(k, wanted)[source[chosen], target[chosen]]
        return out

    def _times(self, k: int, wanted: Bools) -> Int32:
        """Milliseconds (int32[n, n]) of the wanted pairs at the speeds of slot `k`; `FAR` = no way."""
        found = self._city.street.some_to_some(self._metric(k), self._snaps, self._snaps, wanted)
        return np.minimum(found, np.uint32(FAR)).astype(np.int32)

    def _metric(self, k: int) -> StreetMetric:
        held = self._held.get(k)
        if held is not None:
            return held
        return self._city.slot_metric(self._p, self._mapped, self._traffic, self._incidents, self._slots, k)


__all__ = ["NewPairs", "NewSlots", "lay_slots", "new_slots"]

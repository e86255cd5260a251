"""Travel times of rounds under way, built anew for the slots that an incident or other traffic changes."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_times import NO_WAY_S, TimesArrays
from routing.rounds.api import TravelTimes
from routing.rounds.travel_times import restore_fifo
from routing.street.pair_functions import TOO_LATE_S, stitch_in_place, wait_until_open
from services.common.live.traffic import LiveTraffic
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.incidents import RoadIncident, in_force
from services.rounds.kerb import add_parking
from services.rounds.mapping import MOTOR_MODES, MappedProblem

MOST_REACH_S = 4 * 3600
"""No trip is looked at for longer when slots are built anew: its last speeds go on."""


@dataclass(frozen=True, slots=True)
class NewSlots:
    """Durations of some slots: ``durations_s[p]`` (int32[slots, n, n]) from slot `first` on, for the profiles that changed."""

    first: int
    durations_s: dict[int, npt.NDArray[np.int32]]
    incidents: tuple[RoadIncident, ...]
    traffic: LiveTraffic | None


def new_slots(
    city: RoundsCity,
    mapped: MappedProblem,
    built: BuiltTimes,
    incidents: tuple[RoadIncident, ...],
    traffic: LiveTraffic | None,
    now_s: float,
) -> NewSlots:
    """Durations of the slots in which incidents or traffic differ from those of `built`; slots that are over stay.

    Seconds of CPU work for a thousand locations. Slots before a changed one are built too, as far as trips reach into it.
    """
    slots, zero_s = built.slots_s, mapped.zero_s
    present = max(0, int(np.searchsorted(slots, now_s, "right")) - 1)
    changed = [
        k
        for k in range(present, len(slots))
        if traffic is not built.traffic or in_force(incidents, zero_s, slots, k) != in_force(built.incidents, zero_s, slots, k)
    ]
    if not changed:
        return NewSlots(present, {}, incidents, traffic)
    times_s = built.travel_times.arrays.matrix_s
    longest_s = 2.0 * float(times_s[times_s < TOO_LATE_S].max(initial=0.0))
    length_s = float(slots[1] - slots[0]) if len(slots) > 1 else 1.0
    reach = math.ceil(min(longest_s, float(MOST_REACH_S)) / length_s)
    first, last = max(present, changed[0] - reach), changed[-1]
    wanted = range(first, min(len(slots), last + 1 + reach))
    made: dict[tuple[object, ...], npt.NDArray[np.int32]] = {}
    durations: dict[int, npt.NDArray[np.int32]] = {}
    for p, mode in enumerate(mapped.modes):
        if mode not in MOTOR_MODES:
            continue
        key = (mode, city.zones.by_slot(mapped, slots, p))
        if key not in made:
            raw = np.empty((len(wanted), len(mapped.points), len(mapped.points)), np.int32)
            city.slot_matrices(p, mapped, traffic, incidents, built.snaps[p], slots, wanted, raw)
            stitch_in_place(slots[wanted.start : wanted.stop], raw)
            made[key] = raw[: last + 1 - first]
        durations[p] = made[key].copy()
        add_parking(mapped, p, mapped.parking_s, durations[p])
    return NewSlots(first, durations, incidents, traffic)


def lay_slots(new: NewSlots, built: BuiltTimes, travel_times: TravelTimes) -> BuiltTimes:
    """Lay new durations on travel times in place (they may have room for more locations than are known); the times built."""
    arrays: TimesArrays = travel_times.arrays
    for p, durations in new.durations_s.items():
        n, last = durations.shape[1], new.first + len(durations)
        own = arrays.slot_s[p, :, :n, :n]
        own[new.first : last] = durations
        shut = (durations == NO_WAY_S).any(axis=0) | (own[0] == NO_WAY_S)
        i, j = np.nonzero(shut)
        if len(i):
            pairs = np.ascontiguousarray(own[:, i, j])[:, :, None]
            wait_until_open(arrays.slot_start_s, pairs)
            own[:, i, j] = pairs[:, :, 0]
        upto = min(last + 1, len(own))
        restore_fifo(arrays.slot_start_s[new.first : upto], own[None, new.first : upto])
        least: npt.NDArray[Any] = own.min(axis=0)
        arrays.matrix_s[p, :n, :n] = np.where(least == NO_WAY_S, np.inf, least)
    return replace(built, travel_times=travel_times, incidents=new.incidents, traffic=new.traffic)

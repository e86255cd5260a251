"""Stops at the kerb in travel times and in plans: what is built into times, and where a vehicle stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_times import NO_WAY_S
from routing.rounds.kerb import AT_DOOR, Stands, park
from routing.street.api import Snaps
from services.rounds.kerb_mapping import Kerbs
from services.rounds.mapping import MOTOR_MODES, MappedProblem

I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Parked:
    """Stands that travel times were built with, one entry per profile.

    `snaps` are those of the locations and, after them, of the bays; `stands` say by location where vehicles stop.
    """

    kerbs: Kerbs
    snaps: tuple[Snaps, ...]
    stands: tuple[Mapping[int, Stands], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a vehicle stands: index among locations and bays (locations first), the bay's, seconds searched and walked."""

    road_idx: int
    bay_idx: int | None = None
    search_s: int = 0
    walk_s: int = 0


def add_parking(mapped: MappedProblem, p: int, more_s: Sequence[int], durations: I32) -> None:
    """Add the time to find a place to stop, by location arrived at, to durations ``[…, from, to]`` in whole seconds.

    What a profile on two wheels or on foot takes stays; so does the zero from a place to itself where `durations` is square.
    """
    if mapped.modes[p] in MOTOR_MODES and any(more_s):
        np.add(durations, np.array(more_s, np.int32), out=durations, where=durations < NO_WAY_S)
        if durations.shape[-1] == durations.shape[-2]:
            np.einsum("kii->ki", durations)[:] = 0


def parked(
    mapped: MappedProblem, slots: npt.NDArray[np.float64], road_s: I32, snaps: tuple[Snaps, ...]
) -> tuple[I32, Parked | None]:
    """Build stops into driving times int32[p, s, n + bays, n + bays]; where all are one number, they are added in place."""
    n, p_count = len(mapped.points), len(mapped.modes)
    if not mapped.kerbs.at:
        for p in range(p_count):
            add_parking(mapped, p, mapped.parking_s, road_s[p])
        return road_s, None
    durations, stands = np.empty((p_count, len(slots), n, n), np.int32), []
    searches = mapped.kerbs.all(mapped.parking_s)
    for p, mode in enumerate(mapped.modes):
        durations[p], found = park(slots, road_s[p], n, searches if mode in MOTOR_MODES else {})
        stands.append({j: one for j, one in found.items() if j in mapped.kerbs.at})
    return durations, Parked(mapped.kerbs, snaps, tuple(stands))


def standing_at(
    mapped: MappedProblem, built: Parked | None, slots: npt.NDArray[np.float64] | None, profile: int,
    before: Standing, at: int, to: int, left_s: float,
) -> Standing:  # fmt: skip
    """Where a vehicle stands at location `to` that stood at `before` for location `at` and left it at `left_s`."""
    if at == to:
        return Standing(before.road_idx)
    stands = None if built is None else built.stands[profile].get(to)
    if built is None or slots is None or stands is None:
        return Standing(to, search_s=mapped.parking_of(profile, at, to))
    k = min(max(0, int(np.searchsorted(slots, left_s, "right")) - 1), len(stands.bay) - 1)
    which = int(stands.bay[k, at])
    if which == AT_DOOR:
        return Standing(to, search_s=int(stands.search_s[k, at]))
    bay = built.kerbs.at[to].bays[which]
    return Standing(len(mapped.points) + bay.idx, bay.idx, 0, bay.walk_s)

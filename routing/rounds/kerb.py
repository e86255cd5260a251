"""Where vehicles stop: searches whose length changes with the time of day, delivery bays; built into travel times in slots.

A vehicle either looks for a place at the door or stops in a bay, from where the driver walks; on the way on he walks back.

* Each slot of departures has one stand for a pair of locations: that which gets to the door first, on the mean of both ends
  of the slot; of the bays those that are open all the while its departures arrive. What is in the arrays is never earlier than
  what that stand gives: where a search changes within a slot, all of the slot is raised by what the line between its ends
  lacks, or has the longest search of it.
* Which stand a vehicle left is not known to a travel time. The way on begins at the stand from which it takes longest, among
  the door and the bays that are used at all: exact with one stand in use that is farther than the door, never too early.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_times import NO_WAY_S
from routing.rounds.errors import InvalidProblemError
from routing.rounds.problem import TimeWindow

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
AT_DOOR = -1


@dataclass(frozen=True, slots=True)
class Bay:
    """A place to stop near a location.

    Attributes
    ----------
    idx : int
        Which of all bays.
    walk_s : int
        Seconds on foot between bay and door, the same there and back.
    hours : tuple of TimeWindow
        When a vehicle may come, in order and apart (both ends included); empty = always. One that stands there may stay.
    """

    idx: int
    walk_s: int
    hours: tuple[TimeWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class Kerb:
    """How a vehicle stops at a location: steps (from when, how many seconds it searches), the first from -inf; or bays."""

    search: tuple[tuple[float, int], ...]
    bays: tuple[Bay, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Stands:
    """Stands chosen at one location, by slot of departure and location left.

    Attributes
    ----------
    bay : int16[slots - 1 or 1, n]
        Position among the location's bays, `AT_DOOR` = none.
    search_s : int32[slots - 1 or 1, n]
        Longest from the door to the stand in that slot, 0 in a bay.
    """

    bay: npt.NDArray[np.int16]
    search_s: I32


def park(slots_s: F64, road_s: I32, count: int, kerbs: Mapping[int, Kerb]) -> tuple[I32, dict[int, Stands]]:
    """Build stops into driving times. O(slots n) for each location with a search and each bay.

    Parameters
    ----------
    slots_s : float64[s]
        Starts of slots, seconds, increasing.
    road_s : int32[s, count + bays, count + bays]
        Driving times between doors, then bays; first in, first out; `NO_WAY_S` = no way, then in all slots.
    count : int
        Number of locations.
    kerbs : mapping of int to Kerb
        By location; a vehicle stops at others without a search.

    Returns
    -------
    int32[s, count, count], dict of int to Stands
        Times from door to door, first in, first out; stands by location.

    Raises
    ------
    InvalidProblemError
        A walk that is longer than a slot.
    """
    shortest = float(np.diff(slots_s).min(initial=np.inf))
    for one in kerbs.values():
        if any(bay.walk_s > shortest for bay in one.bays):
            raise InvalidProblemError.of("walk_s", f"must not be longer than a slot of travel times, {shortest:g} s")
    usable = {j: replace(one, bays=_both_ways(road_s, count, j, one.bays)) for j, one in kerbs.items()}
    durations, stands = _parked(slots_s, road_s, count, usable)
    used = {j: tuple(bay for b, bay in enumerate(one.bays) if (stands[j].bay == b).any()) for j, one in usable.items()}
    if any(len(used[j]) < len(one.bays) for j, one in usable.items()):
        durations, stands = _parked(slots_s, road_s, count, {j: replace(one, bays=used[j]) for j, one in usable.items()})
    for j, found in stands.items():
        position = np.array([kerbs[j].bays.index(bay) for bay in used[j]] + [AT_DOOR], np.int16)
        stands[j] = replace(found, bay=position[found.bay])
    return durations, stands


def _both_ways(road_s: I32, count: int, j: int, bays: Sequence[Bay]) -> tuple[Bay, ...]:
    """Bays that can be driven to from the door and left again."""
    ways = [(road_s[0, j, count + bay.idx], road_s[0, count + bay.idx, j]) for bay in bays]
    return tuple(bay for bay, way in zip(bays, ways, strict=True) if NO_WAY_S not in way)


def _parked(slots_s: F64, road_s: I32, count: int, kerbs: Mapping[int, Kerb]) -> tuple[I32, dict[int, Stands]]:
    """Times and stands with all bays of `kerbs`."""
    road = road_s[:, :count].copy()
    for j, one in kerbs.items():
        left = _arrivals(slots_s, road[:, j])
        for bay in one.bays:
            left = np.maximum(left, _walked(slots_s, _arrivals(slots_s, road_s[:, count + bay.idx]), bay.walk_s))
        road[:, j] = _durations(slots_s, left)
    stands: dict[int, Stands] = {}
    out = road[:, :, :count].copy()
    for j, one in kerbs.items():
        at_door = _arrivals(slots_s, road[:, :, j])
        at_bays = [_arrivals(slots_s, road[:, :, count + bay.idx]) for bay in one.bays]
        out[:, :, j], stands[j] = _stopped(slots_s, one, at_door, at_bays)
    np.einsum("kii->ki", out)[:] = 0
    return out, stands


def _stopped(slots_s: F64, kerb: Kerb, at_door: F64, at_bays: Sequence[F64]) -> tuple[I32, Stands]:
    """Durations int32[s, n] until the driver is at the door, from arrivals [s, n] of the vehicle at the door and at bays."""
    begin, end = _ends(at_door)
    first, last = _searched(kerb.search, begin, end)
    with np.errstate(invalid="ignore"):
        longest = np.ceil(np.maximum(first - begin, last - end))
    searched = np.where(np.isfinite(longest), longest, 0).astype(np.int32)
    chosen = np.full(begin.shape, AT_DOOR, np.int16)
    for b, (bay, at_bay) in enumerate(zip(kerb.bays, at_bays, strict=True)):
        begin, end = _ends(at_bay)
        opens = np.full(begin.shape, np.inf if bay.hours else -np.inf)
        for window in reversed(bay.hours):
            opens = np.where(end <= window.end_s, window.start_s, opens)
        begin, end = np.maximum(begin, opens) + bay.walk_s, np.maximum(end, opens) + bay.walk_s
        better = begin + end < first + last
        first, last = np.where(better, begin, first), np.where(better, end, last)
        chosen[better], searched[better] = b, 0
    arrival = np.vstack([first, last[-1:]]) if len(slots_s) > 1 else first
    arrival[1 : len(last) + 1] = np.maximum(arrival[1 : len(last) + 1], last[: len(arrival) - 1])
    return _durations(slots_s, arrival), Stands(chosen, searched)


def stopped_s(search: Sequence[tuple[float, int]], at_door: F64) -> F64:
    """When vehicles stand that come to the door at these times; one that stood earlier by coming later waits until then."""
    answer = np.full(at_door.shape, np.inf)
    for k, (since, seconds) in enumerate(search):
        answer = np.where(at_door >= since, np.minimum(at_door + seconds, _later(search, k)), answer)
    return answer


def _later(search: Sequence[tuple[float, int]], k: int) -> float:
    """Earliest stand of who comes as a step after the `k`-th begins."""
    return min((since + seconds for since, seconds in search[k + 1 :]), default=np.inf)


def _turns(search: Sequence[tuple[float, int]]) -> Iterator[tuple[float, float]]:
    """Points of `stopped_s` where its slope changes or it jumps."""
    for k, (since, seconds) in enumerate(search):
        until = search[k + 1][0] if k + 1 < len(search) else np.inf
        later = _later(search, k)
        if since <= later - seconds < until:
            yield later - seconds, later
        if k + 1 < len(search):
            yield until, min(until + seconds, later)
            yield until, min(until + search[k + 1][1], _later(search, k + 1))


def _searched(search: Sequence[tuple[float, int]], begin: F64, end: F64) -> tuple[F64, F64]:
    """Stands of the first and last of a slot, at the door at `begin` and `end`, raised so that none between is too early."""
    first, last = stopped_s(search, begin), stopped_s(search, end)
    with np.errstate(invalid="ignore"):
        slope, above = (last - first) / np.maximum(end - begin, 1.0), np.zeros(begin.shape)
        longest = np.maximum(first - begin, last - end)
        for at, stands in _turns(search):
            inside = (begin <= at) & (at <= end)
            above = np.where(inside, np.maximum(above, stands - (first + slope * (at - begin))), above)
            longest = np.where(inside, np.maximum(longest, stands - at), longest)
        flat = begin + end + 2.0 * longest < first + last + 2.0 * above  # the longest search, wherever in the slot
        return np.where(flat, begin + longest, first + above), np.where(flat, end + longest, last + above)


def _walked(slots_s: F64, arrival: F64, walk_s: int) -> F64:
    """Arrivals [s, n] of who walks to the vehicle first: at slot starts, raised so that none between them is too early."""
    if not walk_s or len(slots_s) == 1:
        return arrival + walk_s
    k = np.minimum(np.searchsorted(slots_s, slots_s + walk_s, "right") - 1, len(slots_s) - 2)
    share = ((slots_s + walk_s - slots_s[k]) / (slots_s[k + 1] - slots_s[k]))[:, None]
    with np.errstate(invalid="ignore"):
        answer: F64 = arrival[k] + share * (arrival[k + 1] - arrival[k])
        answer[-1] = arrival[-1] + walk_s
        turn = (1.0 - walk_s / np.diff(slots_s))[:, None]  # the walk ends as a slot begins: where the slope changes
        above = np.fmax(0.0, arrival[1:] - (answer[:-1] + turn * (answer[1:] - answer[:-1])))
    lift = np.vstack([above, above[-1:]])
    lift[1:-1] = np.maximum(above[:-1], above[1:])
    answer += lift
    answer[np.isinf(arrival)] = np.inf
    return answer


def _ends(arrival: F64) -> tuple[F64, F64]:
    """Arrivals of the first and the last who leave in each slot; one slot alone has one arrival."""
    return (arrival[:-1], arrival[1:]) if len(arrival) > 1 else (arrival, arrival)


def _arrivals(slots_s: F64, durations_s: I32) -> F64:
    return np.where(durations_s == NO_WAY_S, np.inf, slots_s[:, None] + durations_s)


def _durations(slots_s: F64, arrival: F64) -> I32:
    """Whole seconds, rounded up, first in first out: nobody arrives before those who left earlier."""
    late = np.ceil(np.maximum.accumulate(arrival) - slots_s[:, None] - 1e-6)
    whole: I32 = np.where(np.isinf(late), NO_WAY_S, late).astype(np.int32)
    return whole

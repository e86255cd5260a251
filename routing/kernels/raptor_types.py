"""Bundles of arrays the public transport kernels work on."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]

NEVER = np.int32(2**31 - 1)
"""Time of what cannot be reached."""

BOARD, ALIGHT = 1, 2
"""Bits of `Lines.position_use`: passengers may get on, may get off."""


class Lines(NamedTuple):
    """Trips running in a window of time, in lines on which no trip overtakes another.

    l lines, q positions, i instances (a trip on a service day), s stops. Times are seconds relative to the window's base.

    Attributes
    ----------
    first_position : int32[l + 1]
    position_stop : int32[q]
    position_use : uint8[q]
        `BOARD`, `ALIGHT` bits.
    first_instance : int32[l + 1]
        Instances of a line, in order of time.
    first_time : int64[l]
        With n positions and m instances, departures at position `p` are
        ``departures[first_time + p * m :][:m]`` and arrival and departure of instance `j` at `p` are
        ``times[2 * (first_time + j * n + p) :][:2]``.
    departures : int32[c]
        By stop, for finding the next trip.
    times : int32[2 c]
        By trip, arrival and departure next to each other, for riding.
    first_stop_line : int32[s + 1]
    stop_line, stop_position : int32[q]
        Lines through each stop, and where.
    """

    first_position: Int32
    position_stop: Int32
    position_use: UInt8
    first_instance: Int32
    first_time: Int64
    departures: Int32
    times: Int32
    first_stop_line: Int32
    stop_line: Int32
    stop_position: Int32


class Walks(NamedTuple):
    """Footpaths leaving each stop (CSR)."""

    first: Int32
    to: Int32
    seconds: Int32


class Query(NamedTuple):
    """One search: where it begins and ends, and what may be used.

    Attributes
    ----------
    access_stop, access_s : int32[a]
        Each stop once.
    egress_s : int32[s]
        Seconds from each stop to the destination, -1 where one cannot end.
    change_s : int32[s]
        Minimum change time at each stop.
    line_allowed : uint8[l]
    stop_allowed : uint8[s]
        Getting on and off at the stop is possible.
    bound_s : int32[s]
        Lower bound of the time from each stop to the destination.
    """

    access_stop: Int32
    access_s: Int32
    egress_s: Int32
    change_s: Int32
    line_allowed: UInt8
    stop_allowed: UInt8
    bound_s: Int32


class Labels(NamedTuple):
    """Scratch of one search, reused by the thread that owns it. K rounds, row 0 is the access.

    Attributes
    ----------
    arrival : int32[K + 1, s]
        Earliest arrival by a trip with at most k trips.
    ready : int32[K + 1, s]
        Earliest time one can board after at most k trips.
    from_instance, from_positions : int32[K + 1, s]
        Trip that gave `arrival`; where it was boarded << 16 | where it was left.
    ready_from : int32[K + 1, s]
        Stop where the trip before was left (the stop itself, or where a footpath began).
    best, best_stop : int32[K + 1]
        Arrival at the destination with at most k trips, and the last stop.
    best_new : uint8[K + 1]
        `best` was improved with exactly k trips since the flag was cleared.
    is_ready_new, is_arrival_new : uint8[s]
    ready_list, arrival_list : int32[s]
        Stops flagged above.
    line_place : int32[l]
        Row of a queued line in `queue`, -1 = not queued.
    queue : int32[l, 4]
        Lines to ride in this round: (unused, line, first position, trip or -1), as rows of `list_departures`.
    """

    arrival: Int32
    ready: Int32
    from_instance: Int32
    from_positions: Int32
    ready_from: Int32
    best: Int32
    best_stop: Int32
    best_new: UInt8
    is_ready_new: UInt8
    is_arrival_new: UInt8
    ready_list: Int32
    arrival_list: Int32
    line_place: Int32
    queue: Int32


class Found(NamedTuple):
    """Journeys found; more than fit are counted, not stored.

    Attributes
    ----------
    journey : int32[c, 5]
        Departure, arrival, trips, first leg, last stop.
    leg : int32[d, 3]
        Instance, boarding position, alighting position; legs of a journey stand last to first.
    total : int64[2]
        Journeys and legs found.
    """

    journey: Int32
    leg: Int32
    total: Int64

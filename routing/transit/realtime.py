"""Real time laid over a timetable: what is different, kept apart from the schedule.

Update rules as GTFS Realtime has them: an absolute time wins over a delay; a delay holds for the following stops until another
update; after NO_DATA the schedule holds; skipped stops pass the delay on; times never go back along a trip.

References
----------
GTFS Realtime, trip updates: https://gtfs.org/documentation/realtime/feed-entities/trip-updates/
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from routing.kernels.raptor_realtime import CALL_EXPECTED, CALL_SKIPPED
from routing.model.timetable import Int32, Int64, Timetable, UInt8
from routing.transit.realtime_match import match_changes
from routing.transit.trip_changes import StopChange, TripChange, Unmatched

__all__ = ["CALL_EXPECTED", "CALL_SKIPPED", "RealtimeOverlay", "StopChange", "TripChange", "Unmatched"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RealtimeOverlay:
    """What is known of trips today; c changes, x calls. Immutable; each feed message makes a new one.

    Attributes
    ----------
    timetable : Timetable
        The schedule it is laid over.
    made_at_s : int
        Unix seconds of `now` when it was built.
    change_trip : int32[c]
        Trip of the timetable, -1 for an added trip.
    change_day : int32[c]
        Service day.
    change_cancelled : uint8[c]
    change_route : int32[c]
    change_trip_ids : tuple of str
        Feed-scoped.
    first_call : int64[c + 1]
    call_stop : int32[x]
    call_arrival_s, call_departure_s : int64[x]
        Expected, unix seconds.
    call_state : uint8[x]
        `CALL_*` bits.
    unmatched : tuple of Unmatched
    """

    timetable: Timetable
    made_at_s: int
    change_trip: Int32
    change_day: Int32
    change_cancelled: UInt8
    change_route: Int32
    change_trip_ids: tuple[str, ...]
    first_call: Int64
    call_stop: Int32
    call_arrival_s: Int64
    call_departure_s: Int64
    call_state: UInt8
    unmatched: tuple[Unmatched, ...] = ()

    @classmethod
    def build(cls, timetable: Timetable, updates: Iterable[TripChange], now_s: int) -> "RealtimeOverlay":
        """Match updates to trips and work out the expected times of every call.

        Of several updates of a trip on a day the last counts. What cannot be matched is listed in `unmatched`.

        Parameters
        ----------
        timetable : Timetable
        updates : iterable of TripChange
            All that is known now: the new overlay knows nothing of the one before.
        now_s : int
            Unix seconds; decides which run an update without service date means.
        """
        matched = match_changes(timetable, updates, now_s)
        return cls(timetable, now_s, *matched)

    def __repr__(self) -> str:
        return f"RealtimeOverlay({self.change_count} trips, {len(self.unmatched)} unmatched, made at {self.made_at_s})"

    @property
    def change_count(self) -> int:
        """Trips something is known about."""
        return len(self.change_trip)

    def stops_of(self, change: int) -> Int32:
        """Stops of a changed trip."""
        return self.call_stop[self._calls(change)]

    def arrivals_of(self, change: int) -> Int64:
        """Expected arrivals, unix seconds."""
        return self.call_arrival_s[self._calls(change)]

    def departures_of(self, change: int) -> Int64:
        """Expected departures, unix seconds."""
        return self.call_departure_s[self._calls(change)]

    def call_states_of(self, change: int) -> UInt8:
        """`CALL_*` bits of each call."""
        return self.call_state[self._calls(change)]

    def find_change(self, trip: int, day: int) -> int | None:
        """Index of the change of a scheduled trip on a service day."""
        found = np.flatnonzero((self.change_trip == trip) & (self.change_day == day))
        return int(found[-1]) if len(found) else None

    def is_cancelled_at(self, change: int, position: int) -> bool:
        """Whether the trip does not run, or does not stop at `position`."""
        skipped = self.call_state[self.first_call[change] + position] & CALL_SKIPPED
        return bool(self.change_cancelled[change]) or bool(skipped)

    def _calls(self, change: int) -> slice:
        return slice(int(self.first_call[change]), int(self.first_call[change + 1]))

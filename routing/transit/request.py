"""What one asks the transit engine."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.timetable import Int32
from routing.transit.service_window import REACH_S


def _nothing() -> Int32:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class TransitRequest:
    """One search between places reached by `access` and left by `egress`.

    Attributes
    ----------
    time_s : int
        Unix seconds: leave at or after (depart-at), or arrive at or before (arrive-by).
    access_stop, access_s : int32[a]
        Stops the journey may begin at, and the seconds to get there. A stop given twice counts with the shorter time.
    egress_stop, egress_s : int32[b]
        Stops it may end at, and the seconds from there to the destination.
    arrive_by : bool
    window_s : int
        0: the best journeys for `time_s`, Pareto over arrival and transfers (arrive-by: departure and transfers), each
        leaving as late (arrive-by: arriving as early) as its trips allow. Above 0: every departure in
        [time, time + window) (arrive-by: every arrival in (time - window, time]), Pareto over departure, arrival and transfers.
    max_transfers : int
    min_change_s : int
        Between two trips at the same stop, where the timetable does not say.
    max_duration_s : int
        From `time_s`, the wait for the first departure included; `window_s` comes on top.
    wheelchair : bool
        Only trips marked accessible, no stop marked inaccessible. Footpaths, access and egress are the caller's part.
    allow_unknown_trips, allow_unknown_stops : bool
        With `wheelchair`: whether trips and stops the timetable says nothing about may be used.
    banned_routes : frozenset of int
        Route indices.
    banned_route_types : frozenset of int
        GTFS `route_type` values.
    banned_stops : frozenset of int
        Stops where nobody can get on or off (closed).
    """

    time_s: int
    access_stop: Int32
    access_s: Int32
    egress_stop: Int32
    egress_s: Int32
    arrive_by: bool = False
    window_s: int = 0
    max_transfers: int = 7
    min_change_s: int = 120
    max_duration_s: int = 24 * 3600
    wheelchair: bool = False
    allow_unknown_trips: bool = False
    allow_unknown_stops: bool = True
    banned_routes: frozenset[int] = field(default_factory=frozenset)
    banned_route_types: frozenset[int] = field(default_factory=frozenset)
    banned_stops: frozenset[int] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        for name in ("access", "egress"):
            stops, seconds = np.asarray(getattr(self, name + "_stop")), np.asarray(getattr(self, name + "_s"))
            if stops.shape != seconds.shape or stops.ndim != 1:
                raise InvalidInput(f"{name}: {stops.shape} stops and {seconds.shape} durations", name)
            if len(stops) and (stops.min() < 0 or seconds.min() < 0):
                raise InvalidInput(f"{name}: stops and durations must not be negative", name)
        if not 0 <= self.max_transfers <= 15:
            raise InvalidInput(f"max_transfers is {self.max_transfers}, give 0 to 15", "max_transfers")
        if self.min_change_s < 0 or self.window_s < 0 or self.max_duration_s <= 0:
            raise InvalidInput("min_change_s and window_s must not be negative, max_duration_s above 0", "window_s")
        if self.window_s + self.max_duration_s > REACH_S:
            raise InvalidInput(f"window_s and max_duration_s together exceed {REACH_S} s: narrow the search", "window_s")


def stop_to_stop(from_stops: npt.ArrayLike, to_stops: npt.ArrayLike, time_s: int) -> TransitRequest:
    """Request between stops themselves, with no time to reach or leave them; change it with `dataclasses.replace`."""
    access, egress = np.atleast_1d(np.asarray(from_stops, np.int32)), np.atleast_1d(np.asarray(to_stops, np.int32))
    return TransitRequest(time_s, access, np.zeros_like(access), egress, np.zeros_like(egress))

"""What one tells the transit engine about trips today: plain values in the words of GTFS Realtime."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StopChange:
    """Prediction at one stop of a trip; give `stop_sequence` or `stop_id` (id as in the feed, without its scope).

    Delays in seconds against the schedule, times in unix seconds; None where nothing is said.
    """

    stop_sequence: int | None = None
    stop_id: str = ""
    arrival_delay_s: int | None = None
    departure_delay_s: int | None = None
    arrival_time_s: int | None = None
    departure_time_s: int | None = None
    relationship: Literal["SCHEDULED", "SKIPPED", "NO_DATA", "UNSCHEDULED"] = "SCHEDULED"


@dataclass(frozen=True, slots=True)
class TripChange:
    """Real time of one trip on one service day (ids as in the feed, without its scope).

    Attributes
    ----------
    feed : str
        Feed of the timetable whose ids are used.
    trip_id : str
        May be empty if route, direction, date and start time name the trip.
    route_id : str
    direction_id : int or None
    service_date : str
        YYYYMMDD in the dates served (calendar shift included); "" = the run nearest to now.
    start_time_s : int or None
        Seconds after noon minus 12 h; needed for trips made from frequencies.txt, and for DUPLICATED.
    relationship : str
        GTFS Realtime `schedule_relationship`.
    delay_s : int or None
        Delay of the whole trip, where stops say nothing.
    stops : tuple of StopChange
        In the order of the trip.
    """

    feed: str
    trip_id: str
    route_id: str = ""
    direction_id: int | None = None
    service_date: str = ""
    start_time_s: int | None = None
    relationship: Literal["SCHEDULED", "ADDED", "NEW", "CANCELED", "DELETED", "DUPLICATED", "REPLACEMENT", "UNSCHEDULED"] = (
        "SCHEDULED"
    )
    delay_s: int | None = None
    stops: tuple[StopChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A change that could not be used, and why (a short code and words)."""

    change: TripChange
    code: str
    message: str

"""The public transport schedule as arrays."""

import datetime as dt
from dataclasses import dataclass
from typing import NewType
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from routing.model.strings import StringTable

StopIdx = NewType("StopIdx", int)
RouteIdx = NewType("RouteIdx", int)
TripIdx = NewType("TripIdx", int)
PatternIdx = NewType("PatternIdx", int)

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]

NO_PICKUP = 1
"""In `Timetable.pattern_pickup` and `pattern_drop_off`: not available (0 regular, 2 phone the agency, 3 ask the driver)."""


@dataclass(frozen=True, slots=True, eq=False, repr=False, weakref_slot=True)
class Timetable:
    """One or more GTFS feeds merged into one immutable schedule.

    f feeds, d service days, v services, a agencies, s stops, r routes, t trips, p patterns, q pattern positions,
    x stop times, w footpaths, h shapes, y shape points. Every id is feed-scoped: ``<feed>:<id of the feed>``.

    A *pattern* is all trips of one route with the same stops, pickup and drop-off rules and wheelchair access
    (Transmodel: journey pattern). Trips of a pattern may overtake each other: the engine splits them into first-in-first-out
    lines for the days it searches, where far fewer conflicts exist than over a whole calendar.

    Attributes
    ----------
    feed_ids, feed_timezones : StringTable [f]
    feed_shift_days : int32[f]
        Days that were added to every service date of the feed.
    first_date : int
        Proleptic ordinal (`datetime.date.toordinal`) of service day 0.
    day_start_s : int64[f, d]
        Unix seconds of noon minus 12 h of each service day in the time zone of each feed.
    service_days : uint8[v, ceil(d / 8)]
        Bit ``day & 7`` of byte ``day >> 3``: the service runs on that day.
    agency_ids, agency_names, agency_urls : StringTable [a]
    stop_ids, stop_names, stop_codes, stop_zones, stop_platforms : StringTable [s]
        The display name is `stop_names`; codes, zones and platforms are empty where the feed gives none.
    stop_feed : int32[s]
    stop_lat_deg, stop_lon_deg : float64[s]
        WGS 84; NaN where the feed gives no position (allowed for generic nodes only).
    stop_parent : int32[s]
        Station of the stop, -1 if none.
    stop_location_type : uint8[s]
        GTFS `location_type`: 0 stop or platform, 1 station, 2 entrance, 3 node, 4 boarding area.
    stop_wheelchair : uint8[s]
        0 unknown, 1 possible, 2 not possible; inherited from the station where the stop says nothing.
    stop_min_change_s : int32[s]
        Minimum time to change at the stop (transfers.txt from = to), -1 = the request's.
    route_ids, route_short_names, route_long_names : StringTable [r]
    route_feed, route_agency : int32[r]
        `route_agency` is -1 where the feed names no agency at all.
    route_type : int32[r]
        GTFS `route_type`, basic or extended.
    route_color, route_text_color : int32[r]
        0xRRGGBB, -1 where the feed gives none.
    trip_ids : StringTable [t]
        Trips made from frequencies.txt share their id and differ in `trip_start_s`.
    trip_pattern, trip_route, trip_service : int32[t]
        Trips are sorted by pattern, then by first departure.
    trip_start_s : int32[t]
        First departure.
    trip_headsign : int32[t]
        Index into `headsigns`; 0 is the empty one.
    trip_direction : int8[t]
        0 or 1, -1 unknown.
    trip_block : int32[t]
        Trips of one vehicle run share the number; -1 none.
    trip_wheelchair : uint8[t]
        0 unknown, 1 possible, 2 not possible.
    trip_bikes : uint8[t]
        0 unknown, 1 allowed, 2 not allowed.
    trip_shape : int32[t]
        -1 none.
    trip_short_name : int32[t]
        Index into `headsigns`; 0 is the empty one (the train number passengers know).
    first_stop_time : int64[t + 1]
        Stop times of trip `i` are ``first_stop_time[i]:first_stop_time[i + 1]``.
    arrival_s, departure_s : int32[x]
        Seconds after noon minus 12 h of the service day, never decreasing along a trip.
    stop_sequence : int32[x]
        GTFS `stop_sequence`, which real-time updates refer to.
    headsigns : StringTable
    pattern_route : int32[p]
    pattern_wheelchair : uint8[p]
        Wheelchair access of all its trips, as `trip_wheelchair`.
    first_pattern_stop : int32[p + 1]
    pattern_stops : int32[q]
    pattern_pickup, pattern_drop_off : uint8[q]
        GTFS `pickup_type` and `drop_off_type`; `NO_PICKUP` = not available.
    first_pattern_trip : int32[p + 1]
        Trips of pattern `i` are ``first_pattern_trip[i]:first_pattern_trip[i + 1]``.
    first_footpath : int32[s + 1]
    footpath_to : int32[w]
    footpath_s : int32[w]
        Walking time to another stop, change time included; no footpath leads from a stop to itself.
    first_shape_point : int64[h + 1]
    shape_lat_e7, shape_lon_e7 : int32[y]
    """

    feed_ids: StringTable
    feed_timezones: StringTable
    feed_shift_days: Int32
    first_date: int
    day_start_s: Int64
    service_days: UInt8
    agency_ids: StringTable
    agency_names: StringTable
    agency_urls: StringTable
    stop_ids: StringTable
    stop_names: StringTable
    stop_codes: StringTable
    stop_zones: StringTable
    stop_platforms: StringTable
    stop_feed: Int32
    stop_lat_deg: npt.NDArray[np.float64]
    stop_lon_deg: npt.NDArray[np.float64]
    stop_parent: Int32
    stop_location_type: UInt8
    stop_wheelchair: UInt8
    stop_min_change_s: Int32
    route_ids: StringTable
    route_short_names: StringTable
    route_long_names: StringTable
    route_feed: Int32
    route_agency: Int32
    route_type: Int32
    route_color: Int32
    route_text_color: Int32
    trip_ids: StringTable
    trip_pattern: Int32
    trip_route: Int32
    trip_service: Int32
    trip_start_s: Int32
    trip_headsign: Int32
    trip_direction: npt.NDArray[np.int8]
    trip_block: Int32
    trip_wheelchair: UInt8
    trip_bikes: UInt8
    trip_shape: Int32
    trip_short_name: Int32
    first_stop_time: Int64
    arrival_s: Int32
    departure_s: Int32
    stop_sequence: Int32
    headsigns: StringTable
    pattern_route: Int32
    pattern_wheelchair: UInt8
    first_pattern_stop: Int32
    pattern_stops: Int32
    pattern_pickup: UInt8
    pattern_drop_off: UInt8
    first_pattern_trip: Int32
    first_footpath: Int32
    footpath_to: Int32
    footpath_s: Int32
    first_shape_point: Int64
    shape_lat_e7: Int32
    shape_lon_e7: Int32

    def __repr__(self) -> str:
        feeds = ", ".join(self.feed_ids)
        return f"Timetable({feeds}: {self.stop_count} stops, {self.route_count} routes, {self.trip_count} trips)"

    @property
    def stop_count(self) -> int:
        """Number of stops, stations and entrances included."""
        return len(self.stop_feed)

    @property
    def route_count(self) -> int:
        """Number of GTFS routes."""
        return len(self.route_feed)

    @property
    def trip_count(self) -> int:
        """Number of trips, frequencies expanded."""
        return len(self.trip_route)

    @property
    def pattern_count(self) -> int:
        """Number of patterns."""
        return len(self.pattern_route)

    @property
    def day_count(self) -> int:
        """Number of service days the calendar spans."""
        return int(self.day_start_s.shape[1])

    @property
    def feed_count(self) -> int:
        """Number of feeds."""
        return len(self.feed_shift_days)

    def date_of_day(self, day: int) -> dt.date:
        """Calendar date of service day `day` (0 = `first_date`)."""
        return dt.date.fromordinal(self.first_date + day)

    def day_of_date(self, date: dt.date) -> int:
        """Service day number of a calendar date; may lie outside ``range(day_count)``."""
        return date.toordinal() - self.first_date

    def is_running(self, trip: int, day: int) -> bool:
        """Whether `trip` is scheduled on service day `day`."""
        if not 0 <= day < self.day_count:
            return False
        return bool(self.service_days[self.trip_service[trip], day >> 3] >> (day & 7) & 1)

    def stops_of_pattern(self, pattern: int) -> Int32:
        """Stop indices of a pattern, in order."""
        return self.pattern_stops[self.first_pattern_stop[pattern] : self.first_pattern_stop[pattern + 1]]

    def stops_of_trip(self, trip: int) -> Int32:
        """Stop indices of a trip, in order."""
        return self.stops_of_pattern(int(self.trip_pattern[trip]))


@dataclass(frozen=True, slots=True)
class TimetableIndex:
    """Dictionaries from feed-scoped ids to indices; made once per timetable by `index_of`."""

    stops: dict[str, int]
    routes: dict[str, int]
    trips: dict[str, tuple[int, ...]]
    feeds: dict[str, int]
    agencies: dict[str, int]


_indices: "WeakKeyDictionary[Timetable, TimetableIndex]" = WeakKeyDictionary()


def index_of(timetable: Timetable) -> TimetableIndex:
    """Index of the ids of `timetable`, made once and remembered as long as somebody uses the timetable."""
    found = _indices.get(timetable)
    if found is None:
        found = _indices[timetable] = _build_index(timetable)
    return found


def _build_index(timetable: Timetable) -> TimetableIndex:
    trips: dict[str, tuple[int, ...]] = {}
    for i, trip_id in enumerate(timetable.trip_ids):
        trips[trip_id] = (*trips.get(trip_id, ()), i)
    return TimetableIndex(
        {stop_id: i for i, stop_id in enumerate(timetable.stop_ids)},
        {route_id: i for i, route_id in enumerate(timetable.route_ids)},
        trips,
        {feed_id: i for i, feed_id in enumerate(timetable.feed_ids)},
        {agency_id: i for i, agency_id in enumerate(timetable.agency_ids)},
    )

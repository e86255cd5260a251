"""Make a `Timetable` of plain columns: find the patterns, sort the trips, pack the footpaths."""

from dataclasses import dataclass, field

import numpy as np

from routing.errors import InvalidInput
from routing.model.strings import StringTable
from routing.model.timetable import Int32, Int64, Timetable, UInt8
from routing.transit.footpaths import pack_footpaths

Int8 = np.ndarray[tuple[int, ...], np.dtype[np.int8]]
Float64 = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def _empty() -> Int32:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class TimetableParts:
    """Columns of a timetable before patterns are known; the fields mean what they mean in `Timetable`.

    Trips stand in any order, their stop times one trip after the other: `call_*` are the columns of stop_times.txt, those of
    trip `i` are ``first_call[i]:first_call[i + 1]``, times never decreasing, at least two calls a trip.
    """

    feed_ids: list[str]
    feed_timezones: list[str]
    feed_shift_days: Int32
    first_date: int
    day_start_s: Int64
    service_days: UInt8
    agency_ids: list[str]
    agency_names: list[str]
    agency_urls: list[str]
    stop_ids: list[str]
    stop_names: list[str]
    stop_codes: list[str]
    stop_zones: list[str]
    stop_platforms: list[str]
    stop_feed: Int32
    stop_lat_deg: Float64
    stop_lon_deg: Float64
    stop_parent: Int32
    stop_location_type: UInt8
    stop_wheelchair: UInt8
    stop_min_change_s: Int32
    route_ids: list[str]
    route_short_names: list[str]
    route_long_names: list[str]
    route_feed: Int32
    route_agency: Int32
    route_type: Int32
    route_color: Int32
    route_text_color: Int32
    trip_ids: list[str]
    trip_route: Int32
    trip_service: Int32
    trip_headsign: list[str]
    trip_short_name: list[str]
    trip_direction: Int8
    trip_block: Int32
    trip_wheelchair: UInt8
    trip_bikes: UInt8
    trip_shape: Int32
    first_call: Int64
    call_stop: Int32
    call_arrival_s: Int32
    call_departure_s: Int32
    call_sequence: Int32
    call_pickup: UInt8
    call_drop_off: UInt8
    footpath_from: Int32 = field(default_factory=_empty)
    footpath_to: Int32 = field(default_factory=_empty)
    footpath_s: Int32 = field(default_factory=_empty)
    first_shape_point: Int64 = field(default_factory=lambda: np.zeros(1, np.int64))
    shape_lat_e7: Int32 = field(default_factory=_empty)
    shape_lon_e7: Int32 = field(default_factory=_empty)


def build_timetable(parts: TimetableParts) -> Timetable:
    """Sort trips into patterns and pack everything.

    The same parts always give the same timetable: patterns are ordered by their first trip, trips of a pattern by first
    departure and then as given.

    Raises
    ------
    InvalidInput
        If a trip has fewer than two calls, or goes back in time.
    """
    _check(parts)
    pattern, example = _patterns(parts)
    start = parts.call_departure_s[parts.first_call[:-1]]
    order = np.lexsort((np.arange(len(start)), start, pattern))
    calls = _gather(parts.first_call, order)
    pattern_calls = _gather(parts.first_call, example)
    lengths, pattern_lengths = np.diff(parts.first_call)[order], np.diff(parts.first_call)[example]
    headsign_ids, headsigns = _intern([*parts.trip_headsign, *parts.trip_short_name])
    first, to, seconds = pack_footpaths(len(parts.stop_ids), parts.footpath_from, parts.footpath_to, parts.footpath_s)
    return Timetable(
        feed_ids=StringTable.build(parts.feed_ids),
        feed_timezones=StringTable.build(parts.feed_timezones),
        feed_shift_days=parts.feed_shift_days,
        first_date=parts.first_date,
        day_start_s=parts.day_start_s,
        service_days=parts.service_days,
        agency_ids=StringTable.build(parts.agency_ids),
        agency_names=StringTable.build(parts.agency_names),
        agency_urls=StringTable.build(parts.agency_urls),
        stop_ids=StringTable.build(parts.stop_ids),
        stop_names=StringTable.build(parts.stop_names),
        stop_codes=StringTable.build(parts.stop_codes),
        stop_zones=StringTable.build(parts.stop_zones),
        stop_platforms=StringTable.build(parts.stop_platforms),
        stop_feed=parts.stop_feed,
        stop_lat_deg=parts.stop_lat_deg,
        stop_lon_deg=parts.stop_lon_deg,
        stop_parent=parts.stop_parent,
        stop_location_type=parts.stop_location_type,
        stop_wheelchair=parts.stop_wheelchair,
        stop_min_change_s=parts.stop_min_change_s,
        route_ids=StringTable.build(parts.route_ids),
        route_short_names=StringTable.build(parts.route_short_names),
        route_long_names=StringTable.build(parts.route_long_names),
        route_feed=parts.route_feed,
        route_agency=parts.route_agency,
        route_type=parts.route_type,
        route_color=parts.route_color,
        route_text_color=parts.route_text_color,
        trip_ids=StringTable.build(parts.trip_ids[i] for i in order),
        trip_pattern=pattern[order],
        trip_route=parts.trip_route[order],
        trip_service=parts.trip_service[order],
        trip_start_s=start[order],
        trip_headsign=headsign_ids[: len(start)][order],
        trip_direction=parts.trip_direction[order],
        trip_block=parts.trip_block[order],
        trip_wheelchair=parts.trip_wheelchair[order],
        trip_bikes=parts.trip_bikes[order],
        trip_shape=parts.trip_shape[order],
        trip_short_name=headsign_ids[len(start) :][order],
        first_stop_time=_offsets(lengths).astype(np.int64),
        arrival_s=parts.call_arrival_s[calls],
        departure_s=parts.call_departure_s[calls],
        stop_sequence=parts.call_sequence[calls],
        headsigns=headsigns,
        pattern_route=parts.trip_route[example],
        pattern_wheelchair=parts.trip_wheelchair[example],
        first_pattern_stop=_offsets(pattern_lengths).astype(np.int32),
        pattern_stops=parts.call_stop[pattern_calls],
        pattern_pickup=parts.call_pickup[pattern_calls],
        pattern_drop_off=parts.call_drop_off[pattern_calls],
        first_pattern_trip=_offsets(np.bincount(pattern, minlength=len(example))).astype(np.int32),
        first_footpath=first,
        footpath_to=to,
        footpath_s=seconds,
        first_shape_point=parts.first_shape_point,
        shape_lat_e7=parts.shape_lat_e7,
        shape_lon_e7=parts.shape_lon_e7,
    )


def _check(parts: TimetableParts) -> None:
    """Refuse what would make the search wrong without saying so."""
    lengths = np.diff(parts.first_call)
    if len(lengths) and lengths.min() < 2:
        raise InvalidInput(f"trip {parts.trip_ids[int(lengths.argmin())]} has fewer than two stops: leave it out", "trips")
    late = parts.call_departure_s < parts.call_arrival_s
    back = np.zeros(len(parts.call_arrival_s), bool)
    back[1:] = parts.call_arrival_s[1:] < parts.call_departure_s[:-1]
    back[parts.first_call[:-1]] = False
    wrong = np.flatnonzero(late | back)
    if len(wrong):
        trip = int(np.searchsorted(parts.first_call, wrong[0], side="right")) - 1
        raise InvalidInput(
            f"trip {parts.trip_ids[trip]} goes back in time at its stop {wrong[0] - parts.first_call[trip]}", "trips"
        )


def _patterns(parts: TimetableParts) -> tuple[Int32, Int64]:
    """Pattern of each trip, and one example trip of each pattern."""
    numbers: dict[tuple[int, int, bytes, bytes, bytes], int] = {}
    pattern = np.zeros(len(parts.trip_ids), np.int32)
    example: list[int] = []
    first, route, wheelchair = parts.first_call.tolist(), parts.trip_route.tolist(), parts.trip_wheelchair.tolist()
    for trip in range(len(pattern)):
        a, b = first[trip], first[trip + 1]
        stops, pickup, drop_off = parts.call_stop[a:b], parts.call_pickup[a:b], parts.call_drop_off[a:b]
        key = (route[trip], wheelchair[trip], stops.tobytes(), pickup.tobytes(), drop_off.tobytes())
        number = numbers.setdefault(key, len(numbers))
        if number == len(example):
            example.append(trip)
        pattern[trip] = number
    return pattern, np.array(example, np.int64)


def _gather(first: Int64, order: Int64) -> Int64:
    """Indices of the calls of the trips in `order`."""
    lengths = np.diff(first)[order]
    starts = np.repeat(first[:-1][order], lengths)
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    indices: Int64 = starts + within
    return indices


def _offsets(lengths: Int64) -> Int64:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _intern(texts: list[str]) -> tuple[Int32, StringTable]:
    """Number each different text; number 0 is the empty text."""
    numbers: dict[str, int] = {"": 0}
    ids = np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int32)
    return ids, StringTable.build(numbers)

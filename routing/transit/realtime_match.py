"""Find the trips real-time changes speak of, and what they say of each call."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from routing.kernels.raptor_realtime import NO_DATA, SAID, SKIPPED, UNSAID, propagate
from routing.model.timetable import Int32, Int64, Timetable, TimetableIndex, UInt8, index_of
from routing.transit.service_window import DAY_S, frozen
from routing.transit.trip_changes import StopChange, TripChange, Unmatched

ADDED = {"ADDED", "NEW", "REPLACEMENT"}
CANCELLED = {"CANCELED", "DELETED", "REPLACEMENT"}
KINDS = {"SCHEDULED": SAID, "SKIPPED": SKIPPED, "NO_DATA": NO_DATA, "UNSCHEDULED": NO_DATA}


class Matched(NamedTuple):
    """Columns of `RealtimeOverlay`, in its order."""

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
    unmatched: tuple[Unmatched, ...]


class _Problem(Exception):
    """Why a change cannot be used."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class _Row:
    """One trip on one day with its scheduled (or announced) calls and what is said of them."""

    change: TripChange
    trip: int
    day: int
    route: int
    trip_id: str
    source: int
    """Trip whose stops and schedule are taken, -1 if `calls` has them."""
    shift_s: int = 0
    cancelled: bool = False
    calls: list[tuple[int, int, int]] = field(default_factory=list)


def match_changes(timetable: Timetable, changes: Iterable[TripChange], now_s: int) -> Matched:
    """Match changes to trips and days, and propagate what they say along each trip."""
    index = index_of(timetable)
    rows: dict[tuple[object, ...], _Row] = {}
    unmatched: list[Unmatched] = []
    for change in changes:
        try:
            for row in _rows_of(timetable, index, change, now_s):
                key = (row.trip, row.day) if row.trip >= 0 else (row.trip_id, row.day, "added")
                rows.pop(key, None)
                rows[key] = row
        except _Problem as problem:
            unmatched.append(Unmatched(change, problem.code, str(problem)))
    return _columns(timetable, list(rows.values()), unmatched)


def _rows_of(timetable: Timetable, index: TimetableIndex, change: TripChange, now_s: int) -> list[_Row]:
    if change.feed not in index.feeds:
        raise _Problem("FEED_NOT_FOUND", f"the timetable has no feed {change.feed!r}")
    if change.relationship == "UNSCHEDULED":
        raise _Problem("NOT_IMPLEMENTED_UNSCHEDULED", "trips without any schedule are not used")
    rows: list[_Row] = []
    if change.relationship not in ADDED or change.relationship == "REPLACEMENT":
        trip = _find_trip(timetable, index, change)
        if change.relationship == "DUPLICATED":
            return [_duplicate(timetable, change, trip)]
        day = _find_day(timetable, trip, change, now_s)
        route, trip_id = int(timetable.trip_route[trip]), timetable.trip_ids[trip]
        rows.append(_Row(change, trip, day, route, trip_id, trip, cancelled=change.relationship in CANCELLED))
    if change.relationship in ADDED:
        rows.append(_added(timetable, index, change, rows[0] if rows else None))
    return rows


def _find_trip(timetable: Timetable, index: TimetableIndex, change: TripChange) -> int:
    """Index of the trip a change names by id, or by route, direction and start."""
    trips = index.trips.get(f"{change.feed}:{change.trip_id}", ()) if change.trip_id else ()
    if not change.trip_id and change.start_time_s is not None:
        route = index.routes.get(f"{change.feed}:{change.route_id}", -1)
        found = (timetable.trip_route == route) & (timetable.trip_start_s == change.start_time_s)
        if change.direction_id is not None:
            found &= timetable.trip_direction == change.direction_id
        day = _day_of(timetable, change.service_date)
        trips = tuple(trip for trip in np.flatnonzero(found).tolist() if day is None or timetable.is_running(trip, day))
        if len(trips) > 1:
            raise _Problem("TRIP_AMBIGUOUS", f"{len(trips)} trips of route {change.route_id} start then: give the trip id")
    if len(trips) > 1 and change.start_time_s is not None:
        trips = tuple(trip for trip in trips if timetable.trip_start_s[trip] == change.start_time_s)
    if not trips:
        raise _Problem("TRIP_NOT_FOUND", f"feed {change.feed} has no trip {change.trip_id or change.route_id!r}")
    if len(trips) > 1:
        raise _Problem("START_TIME_MISSING", f"trip {change.trip_id} runs several times a day: give the start time")
    return trips[0]


def _day_of(timetable: Timetable, date: str) -> int | None:
    """Service day of a YYYYMMDD date, None for ""."""
    if not date:
        return None
    try:
        days = np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}", "D").astype(np.int64)
    except ValueError:
        raise _Problem("INVALID_DATE", f"{date!r} is not a date (YYYYMMDD)") from None
    return int(days) + 719_163 - timetable.first_date  # ordinal of 1970-01-01


def _find_day(timetable: Timetable, trip: int, change: TripChange, now_s: int) -> int:
    """Service day of a change: the one it names, or that of the run nearest to now."""
    day = _day_of(timetable, change.service_date)
    if day is not None:
        if not timetable.is_running(trip, day):
            raise _Problem("TRIP_NOT_RUNNING", f"trip {change.trip_id} does not run on {change.service_date}")
        return day
    starts = timetable.day_start_s[timetable.route_feed[timetable.trip_route[trip]]]
    begin = int(timetable.departure_s[timetable.first_stop_time[trip]])
    end = int(timetable.arrival_s[timetable.first_stop_time[trip + 1] - 1])
    today = int(np.searchsorted(starts, now_s, side="right")) - 1
    reach = 1 + end // DAY_S
    near = [d for d in range(today - reach, today + 2) if timetable.is_running(trip, d)]
    if not near:
        raise _Problem("TRIP_NOT_RUNNING", f"trip {change.trip_id} does not run around now")
    return min(near, key=lambda d: max(int(starts[d]) + begin - now_s, now_s - int(starts[d]) - end, 0))


def _duplicate(timetable: Timetable, change: TripChange, trip: int) -> _Row:
    day = _day_of(timetable, change.service_date)
    if day is None or change.start_time_s is None or not 0 <= day < timetable.day_count:
        raise _Problem("START_TIME_MISSING", f"duplicated trip {change.trip_id}: give date and start time of the copy")
    shift = change.start_time_s - int(timetable.trip_start_s[trip])
    trip_id = f"{timetable.trip_ids[trip]}@{change.start_time_s}"
    return _Row(change, -1, day, int(timetable.trip_route[trip]), trip_id, trip, shift)


def _added(timetable: Timetable, index: TimetableIndex, change: TripChange, replaced: _Row | None) -> _Row:
    """A trip with its own stops and absolute times."""
    calls: list[tuple[int, int, int]] = []
    latest = UNSAID
    for stop in change.stops:
        number = index.stops.get(f"{change.feed}:{stop.stop_id}")
        arrival = stop.arrival_time_s if stop.arrival_time_s is not None else stop.departure_time_s
        if number is None:
            raise _Problem("INVALID_STOP_REFERENCE", f"added trip {change.trip_id} calls at unknown stop {stop.stop_id!r}")
        if arrival is None or stop.relationship != "SCHEDULED":
            continue
        arrival = max(arrival, latest)
        latest = max(arrival, stop.departure_time_s if stop.departure_time_s is not None else arrival)
        calls.append((number, arrival, latest))
    if len(calls) < 2:
        raise _Problem("ADDED_TRIP_WITHOUT_TIMES", f"added trip {change.trip_id} has fewer than two stops with times")
    route = index.routes.get(f"{change.feed}:{change.route_id}", replaced.route if replaced else -1)
    starts = timetable.day_start_s[index.feeds[change.feed]]
    day = replaced.day if replaced else _day_of(timetable, change.service_date)
    if day is None:
        day = int(np.searchsorted(starts, calls[0][1], side="right")) - 1
    return _Row(
        change, -1, min(max(day, 0), timetable.day_count - 1), route, f"{change.feed}:{change.trip_id}", -1, calls=calls
    )


def _columns(timetable: Timetable, rows: list[_Row], unmatched: list[Unmatched]) -> Matched:
    """Lay the calls of all rows one after the other and propagate."""
    first_stop_time, starts = timetable.first_stop_time, timetable.day_start_s
    lengths = [int(first_stop_time[r.source + 1] - first_stop_time[r.source]) if r.source >= 0 else len(r.calls) for r in rows]
    first = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    stop, state = np.zeros(first[-1], np.int32), np.zeros(first[-1], np.uint8)
    arrival, departure = np.zeros(first[-1], np.int64), np.zeros(first[-1], np.int64)
    update_of = np.full(first[-1], -1, np.int32)
    kinds: list[int] = []
    said: list[tuple[int, int, int, int]] = []
    for i, row in enumerate(rows):
        calls = slice(int(first[i]), int(first[i + 1]))
        if row.source < 0:
            stop[calls], arrival[calls], departure[calls] = np.array(row.calls, np.int64).T
            continue
        source = slice(int(first_stop_time[row.source]), int(first_stop_time[row.source + 1]))
        begin = int(starts[timetable.route_feed[timetable.trip_route[row.source]], row.day]) + row.shift_s
        stop[calls] = timetable.stops_of_trip(row.source)
        arrival[calls] = timetable.arrival_s[source] + begin
        departure[calls] = timetable.departure_s[source] + begin
        if not row.cancelled:
            _place(timetable, row, timetable.stop_sequence[source], int(first[i]), update_of, kinds, said, unmatched)
    delays = np.array([UNSAID if r.change.delay_s is None or r.source < 0 else r.change.delay_s for r in rows], np.int64)
    said_rows = np.array(said, np.int64).reshape(-1, 4)
    state = propagate(frozen(first), arrival, departure, delays, update_of, np.array(kinds, np.uint8), said_rows)
    for i, row in enumerate(rows):
        if row.source < 0:
            state[first[i] : first[i + 1]] |= 1
    return Matched(
        np.array([row.trip for row in rows], np.int32),
        np.array([row.day for row in rows], np.int32),
        np.array([row.cancelled for row in rows], np.uint8),
        np.array([row.route for row in rows], np.int32),
        tuple(row.trip_id for row in rows),
        first,
        stop,
        arrival,
        departure,
        state,
        tuple(unmatched),
    )


def _place(
    timetable: Timetable,
    row: _Row,
    sequence: Int32,
    first: int,
    update_of: Int32,
    kinds: list[int],
    said: list[tuple[int, int, int, int]],
    unmatched: list[Unmatched],
) -> None:
    """Note which call each stop change speaks of."""
    order = sequence.tolist()
    stop_ids: list[str] | None = None
    position = 0
    for stop in row.change.stops:
        found = -1
        if stop.stop_sequence is not None and stop.stop_sequence in order:
            found = order.index(stop.stop_sequence)
        elif stop.stop_id:
            if stop_ids is None:
                stop_ids = [timetable.stop_ids[s] for s in timetable.stops_of_trip(row.source)]
            wanted = f"{row.change.feed}:{stop.stop_id}"
            found = next((p for p in (*range(position, len(order)), *range(position)) if stop_ids[p] == wanted), -1)
        if found < 0:
            unmatched.append(
                Unmatched(row.change, "INVALID_STOP_REFERENCE", f"trip {row.trip_id} does not call at {stop.stop_id!r}")
            )
            continue
        position = found + 1
        update_of[first + found] = len(kinds)
        kinds.append(KINDS[stop.relationship])
        said.append(_said(stop))


def _said(stop: StopChange) -> tuple[int, int, int, int]:
    given = (stop.arrival_time_s, stop.departure_time_s, stop.arrival_delay_s, stop.departure_delay_s)
    a, b, c, d = (UNSAID if value is None else value for value in given)
    return a, b, c, d

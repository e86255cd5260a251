"""The timetable of the city snapshot as adapters and matchers ask for it."""

import datetime as dt
from functools import lru_cache

from routing.model.timetable import Timetable, index_of
from services.ingest.sources.base import TripInfo


class TimetableStatic:
    """`StaticIndex` of one feed of a timetable. Trips are looked up once and remembered."""

    def __init__(self, timetable: Timetable, feed: str, version: str = "") -> None:
        self.timetable, self.feed, self.version = timetable, feed, version
        self._trips = index_of(timetable).trips
        self._feed_index = index_of(timetable).feeds[feed]
        self._info = lru_cache(maxsize=50_000)(self._read)

    def find_trip(self, trip_id: str) -> TripInfo | None:
        """Answer the trip, or None."""
        rows = self._trips.get(f"{self.feed}:{trip_id}")
        return None if rows is None else self._info(rows[0], len(rows) > 1)

    def runs_on(self, trip: TripInfo, date: str) -> bool:
        """Whether the trip's service runs on a date YYYYMMDD."""
        day = self._day(date)
        if day is None:
            return False
        return bool(self.timetable.service_days[int(trip.service_id), day >> 3] >> (day & 7) & 1)

    def service_day_start(self, date: str) -> int:
        """Unix seconds of "noon minus 12 h"; days outside the calendar are counted on from its first one."""
        day = self._day(date)
        if day is not None:
            return int(self.timetable.day_start_s[self._feed_index, day])
        first = int(self.timetable.day_start_s[self._feed_index, 0])
        return first + 86_400 * (_ordinal(date) - self.timetable.first_date)

    def _day(self, date: str) -> int | None:
        try:
            day = _ordinal(date) - self.timetable.first_date
        except ValueError:
            return None
        return day if 0 <= day < self.timetable.day_count else None

    def _read(self, trip: int, frequency_based: bool) -> TripInfo:
        table = self.timetable
        calls = slice(int(table.first_stop_time[trip]), int(table.first_stop_time[trip + 1]))
        return TripInfo(
            table.route_ids[int(table.trip_route[trip])].partition(":")[2],
            tuple(table.stop_ids[int(stop)].partition(":")[2] for stop in table.stops_of_trip(trip)),
            tuple(table.stop_sequence[calls].tolist()),
            tuple(table.arrival_s[calls].tolist()),
            tuple(table.departure_s[calls].tolist()),
            str(int(table.trip_service[trip])),
            frequency_based,
        )


def _ordinal(date: str) -> int:
    return dt.date(int(date[:4]), int(date[4:6]), int(date[6:8])).toordinal()

"""Timetables drawn as text.

::

    R1 t1: A 8:00 > B 8:10/8:11 > C 8:20        a trip `t1` of route R1, arrival/departure where they differ
    R1 t2 days=011 wheelchair=1: A 25:00 > C 25:20   runs on the second and third day only; hours may pass 24
    R1 t3: A 8:00 > B 8:10^ > C 8:20v           ^ nobody may get off, v nobody may get on
    walk A ~ B 4m                               footpath both ways (one way: A > B)
    stop A wheelchair=2 change=60 parent=S

Ids get the scope of the feed (`f:A`). Stops are numbered in the order they are first named.
"""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from routing.model.timetable import Timetable, index_of
from routing.transit.timetable_build import TimetableParts, build_timetable
from services.city.gtfs_reader_calendar import day_starts_s, pack_services

FEED = "f"
CALL = re.compile(r"(\S+) (\d+):(\d\d)(?::(\d\d))?(?:/(\d+):(\d\d)(?::(\d\d))?)?([v^]*)")


@dataclass(slots=True)
class DrawnTrip:
    """One trip as drawn: calls are (stop, arrival, departure, may get on, may get off)."""

    id: str
    route: str
    calls: list[tuple[str, int, int, bool, bool]]
    days: str = ""
    wheelchair: int = 0

    def runs_on(self, day: int) -> bool:
        """Whether the trip runs on the day."""
        return not self.days or (day < len(self.days) and self.days[day] == "1")


@dataclass(slots=True)
class Drawing:
    """A drawn timetable, before it becomes arrays: what the naive reference reads."""

    trips: list[DrawnTrip] = field(default_factory=list)
    walks: dict[tuple[str, str], int] = field(default_factory=dict)
    stops: dict[str, dict[str, str]] = field(default_factory=dict)
    first_date: str = "2026-07-27"
    days: int = 3
    timezone: str = "Europe/Lisbon"

    def day_start_s(self, day: int) -> int:
        """Unix seconds of noon minus 12 h."""
        return int(day_starts_s(ZoneInfo(self.timezone), dt.date.fromisoformat(self.first_date).toordinal(), self.days)[day])

    def at(self, clock: str, day: int = 0) -> int:
        """Unix seconds of a time of a service day."""
        return self.day_start_s(day) + seconds(clock)


def seconds(clock: str) -> int:
    """Seconds of H:MM or H:MM:SS."""
    hours, minutes, *rest = (int(part) for part in clock.split(":"))
    return hours * 3600 + minutes * 60 + (rest[0] if rest else 0)


def parse(text: str, **options: Any) -> Drawing:
    """Read a drawing."""
    drawing = Drawing(**options)
    for line in filter(None, (line.split("#")[0].strip() for line in text.splitlines())):
        if line.startswith("walk "):
            origin, way, destination, minutes = line.split()[1:]
            length = int(minutes[:-1]) * (60 if minutes.endswith("m") else 1)
            for stop in (origin, destination):
                drawing.stops.setdefault(stop, {})
            drawing.walks[origin, destination] = length
            if way == "~":
                drawing.walks[destination, origin] = length
        elif line.startswith("stop "):
            name, *attributes = line.split()[1:]
            drawing.stops.setdefault(name, {}).update(_pairs(attributes))
        else:
            head, _, calls = line.partition(": ")
            route, trip, *attributes = head.split()
            given = _pairs(attributes)
            drawn = DrawnTrip(trip, route, [_call(call) for call in calls.split(" > ")], given.get("days", ""))
            drawn.wheelchair = int(given.get("wheelchair", 0))
            drawing.trips.append(drawn)
            for call in drawn.calls:
                drawing.stops.setdefault(call[0], {})
    return drawing


def _pairs(attributes: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (attribute.partition("=") for attribute in attributes)}


def _call(text: str) -> tuple[str, int, int, bool, bool]:
    found = CALL.fullmatch(text.strip())
    assert found, f"cannot read the call {text!r}"
    stop, hour, minute, second, later_hour, later_minute, later_second, marks = found.groups()
    arrival = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
    departure = arrival if later_hour is None else int(later_hour) * 3600 + int(later_minute) * 60 + int(later_second or 0)
    return stop, arrival, departure, "v" not in marks, "^" not in marks


def build(drawing: Drawing) -> Timetable:
    """Arrays of a drawing."""
    stops = {name: i for i, name in enumerate(drawing.stops)}
    routes = {name: i for i, name in enumerate(dict.fromkeys(trip.route for trip in drawing.trips))}
    first_date = dt.date.fromisoformat(drawing.first_date).toordinal()
    services = {trip.days: i for i, trip in enumerate({trip.days: trip for trip in drawing.trips}.values())}
    running = [{first_date + d for d in range(drawing.days) if not days or days[d : d + 1] == "1"} for days in services]
    calls = [(call, i) for trip in drawing.trips for i, call in enumerate(trip.calls)]
    n, s, r = len(drawing.trips), len(stops), len(routes)

    def scoped(names: Iterable[str]) -> list[str]:
        return [f"{FEED}:{name}" for name in names]

    def of_stops(name: str, default: int) -> list[int]:
        return [int(attributes.get(name, default)) for attributes in drawing.stops.values()]

    parts = TimetableParts(
        feed_ids=[FEED],
        feed_timezones=[drawing.timezone],
        feed_shift_days=np.zeros(1, np.int32),
        first_date=first_date,
        day_start_s=day_starts_s(ZoneInfo(drawing.timezone), first_date, drawing.days)[None],
        service_days=pack_services(running, first_date, drawing.days),
        agency_ids=[f"{FEED}:"],
        agency_names=["Drawn"],
        agency_urls=[""],
        stop_ids=scoped(stops),
        stop_names=list(stops),
        stop_codes=[""] * s,
        stop_zones=[""] * s,
        stop_platforms=[""] * s,
        stop_feed=np.zeros(s, np.int32),
        stop_lat_deg=np.linspace(41.0, 41.1, s),
        stop_lon_deg=np.full(s, -8.6),
        stop_parent=np.array([stops.get(a.get("parent", ""), -1) for a in drawing.stops.values()], np.int32),
        stop_location_type=np.zeros(s, np.uint8),
        stop_wheelchair=np.array(of_stops("wheelchair", 0), np.uint8),
        stop_min_change_s=np.array(of_stops("change", -1), np.int32),
        route_ids=scoped(routes),
        route_short_names=list(routes),
        route_long_names=[""] * r,
        route_feed=np.zeros(r, np.int32),
        route_agency=np.zeros(r, np.int32),
        route_type=np.full(r, 3, np.int32),
        route_color=np.full(r, -1, np.int32),
        route_text_color=np.full(r, -1, np.int32),
        trip_ids=scoped(trip.id for trip in drawing.trips),
        trip_route=np.array([routes[trip.route] for trip in drawing.trips], np.int32),
        trip_service=np.array([services[trip.days] for trip in drawing.trips], np.int32),
        trip_headsign=[""] * n,
        trip_short_name=[""] * n,
        trip_direction=np.zeros(n, np.int8),
        trip_block=np.full(n, -1, np.int32),
        trip_wheelchair=np.array([trip.wheelchair for trip in drawing.trips], np.uint8),
        trip_bikes=np.zeros(n, np.uint8),
        trip_shape=np.full(n, -1, np.int32),
        first_call=np.concatenate(([0], np.cumsum([len(trip.calls) for trip in drawing.trips]))).astype(np.int64),
        call_stop=np.array([stops[call[0]] for call, _ in calls], np.int32),
        call_arrival_s=np.array([call[1] for call, _ in calls], np.int32),
        call_departure_s=np.array([call[2] for call, _ in calls], np.int32),
        call_sequence=np.array([10 * i for _, i in calls], np.int32),
        call_pickup=np.array([0 if call[3] else 1 for call, _ in calls], np.uint8),
        call_drop_off=np.array([0 if call[4] else 1 for call, _ in calls], np.uint8),
        footpath_from=np.array([stops[a] for a, _ in drawing.walks], np.int32),
        footpath_to=np.array([stops[b] for _, b in drawing.walks], np.int32),
        footpath_s=np.array(list(drawing.walks.values()), np.int32),
    )
    return build_timetable(parts)


def draw(text: str, **options: Any) -> tuple[Drawing, Timetable]:
    """Drawing and timetable of a text."""
    drawing = parse(text, **options)
    return drawing, build(drawing)


def stop(timetable: Timetable, name: str) -> int:
    """Index of a drawn stop."""
    return index_of(timetable).stops[f"{FEED}:{name}"]

"""GTFS Schedule: the intake check of a feed (the city build reads it in depth).

Findings carry the codes of the canonical validator (https://gtfs-validator.mobilitydata.org/rules.html). A feed is rejected
only when it cannot be used at all; bad rows and trips are quarantined one by one. One bad optional file rejects nothing.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import available_timezones

from services.ingest.errors import FeedRejected
from services.ingest.sources.base import Decoded, Findings, SourceContext, TripInfo
from services.ingest.sources.gtfs_archive import Archive
from services.ingest.sources.gtfs_calls import check_frequencies, read_calls
from services.ingest.sources.gtfs_tables import CALENDARS, OTHER_TABLES, REQUIRED_COLUMNS, REQUIRED_FILES, WEEKDAYS
from services.ingest.sources.times import service_date

ADAPTER = "gtfs"
EXPIRES_SOON_DAYS = 7
MAX_DAYS = 5 * 366


@dataclass(slots=True)
class Checked:
    """What the check keeps of a feed: usable trips and the days of each service."""

    timezone: str = "UTC"
    version: str = ""
    stops: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    services: dict[str, set[date]] = field(default_factory=dict)
    trip_route: dict[str, tuple[str, str]] = field(default_factory=dict)
    trips: dict[str, TripInfo] = field(default_factory=dict)
    frequency_trips: set[str] = field(default_factory=set)


def decode(body: bytes, context: SourceContext) -> Decoded:
    """Check one GTFS archive; the answer carries findings and a verdict, no records."""
    findings = Findings()
    try:
        check(body, context, findings)
    except FeedRejected as error:
        return findings.rejected(error)
    return findings.decoded()


def check(body: bytes, context: SourceContext, findings: Findings) -> Checked:
    """Check an archive and answer what is usable of it.

    Raises
    ------
    FeedRejected
        If nothing of it can be used.
    """
    if not body:
        raise FeedRejected("empty_body", "the body has no bytes")
    if len(body) > context.limits.zip_bytes:
        raise FeedRejected("too_large", f"{len(body)} bytes, the limit is {context.limits.zip_bytes}")
    archive = Archive(body, context.limits, findings)
    _check_files(archive)
    feed = Checked()
    _agencies(archive, feed)
    _stops(archive, findings, feed)
    _routes(archive, findings, feed)
    _calendars(archive, findings, feed, context)
    _trips(archive, findings, feed)
    check_frequencies(archive, findings, feed.trip_route, feed.frequency_trips)
    feed.trips = read_calls(archive, findings, feed.trip_route, feed.stops, feed.frequency_trips)
    for name in ("shapes.txt", *OTHER_TABLES):
        for line, row in archive.rows(name):
            if name == "feed_info.txt":
                feed.version = row.get("feed_version", "")
                _dates_in_order(row, "feed_start_date", "feed_end_date", findings, f"{name}:{line}")
            elif name == "shapes.txt":
                _point(row, "shape_pt_lat", "shape_pt_lon", findings, f"{name}:{line}")
    if not feed.trips:
        raise FeedRejected("no_usable_trip", "no trip has two usable stop times and a service", "stop_times.txt")
    return feed


def _check_files(archive: Archive) -> None:
    for name in REQUIRED_FILES:
        if name not in archive.names and not (name == "stops.txt" and "locations.geojson" in archive.names):
            raise FeedRejected("missing_required_file", f"{name} is missing", name)
    if not any(name in archive.names for name in CALENDARS):
        raise FeedRejected("missing_calendar_and_calendar_date_files", "calendar.txt and calendar_dates.txt are both missing")
    for name, required in REQUIRED_COLUMNS.items():
        if name in archive.names:
            absent = [column for column in required if column not in archive.columns(name)]
            if absent:
                raise FeedRejected("missing_required_column", f"{name} lacks {', '.join(absent)}", name)


def _agencies(archive: Archive, feed: Checked) -> None:
    zones = []
    for line, row in archive.rows("agency.txt"):
        zone = row["agency_timezone"]
        if zone not in available_timezones():
            raise FeedRejected("invalid_timezone", f"agency_timezone {zone[:60]!r} is no IANA zone", f"agency.txt:{line}")
        zones.append(zone)
    if not zones:
        raise FeedRejected("missing_required_file", "agency.txt has no rows", "agency.txt")
    feed.timezone = zones[0]


def _stops(archive: Archive, findings: Findings, feed: Checked) -> None:
    parents: list[tuple[str, str]] = []
    for line, row in archive.rows("stops.txt"):
        where = f"stops.txt:{line}"
        stop_id = row["stop_id"]
        if not stop_id:
            findings.add("missing_required_field", "stop_id is empty", where)
            continue
        if stop_id in feed.stops:
            findings.add("duplicate_key", f"stop {stop_id!r} stands twice", where)
            continue
        kind = row.get("location_type", "") or "0"
        if kind not in {"0", "1", "2", "3", "4"}:
            findings.add("unexpected_enum_value", f"location_type {kind!r}", where)
        point = _point(row, "stop_lat", "stop_lon", findings, where)
        if point is None and kind in {"0", "1", "2"}:
            findings.add("stop_without_location", f"stop {stop_id!r} has no usable coordinates", where)
        feed.stops[stop_id] = point
        if row.get("parent_station"):
            parents.append((row["parent_station"], where))
    for parent, where in parents:
        if parent not in feed.stops:
            findings.add("foreign_key_violation", f"parent_station {parent!r} is unknown", where)


def _routes(archive: Archive, findings: Findings, feed: Checked) -> None:
    for line, row in archive.rows("routes.txt"):
        where = f"routes.txt:{line}"
        if not row["route_id"]:
            findings.add("missing_required_field", "route_id is empty", where)
        elif row["route_id"] in feed.routes:
            findings.add("duplicate_key", f"route {row['route_id']!r} stands twice", where)
        else:
            if not row["route_type"].isdecimal() or int(row["route_type"]) > 1799:
                findings.add("unexpected_enum_value", f"route_type {row['route_type']!r}", where)
            feed.routes[row["route_id"]] = row["route_type"]


def _calendars(archive: Archive, findings: Findings, feed: Checked, context: SourceContext) -> None:
    for line, row in archive.rows("calendar.txt"):
        where = f"calendar.txt:{line}"
        span = _dates_in_order(row, "start_date", "end_date", findings, where)
        flags = [row.get(day, "") for day in WEEKDAYS]
        if span is None or not row["service_id"]:
            continue
        if row["service_id"] in feed.services:
            findings.add("duplicate_key", f"service {row['service_id']!r} stands twice", where)
            continue
        if any(flag not in {"0", "1"} for flag in flags):
            findings.add("unexpected_enum_value", "a weekday is neither 0 nor 1", where)
        start, end = span
        days = min((end - start).days + 1, MAX_DAYS)
        feed.services[row["service_id"]] = {
            day for offset in range(days) if flags[(day := start + timedelta(days=offset)).weekday()] == "1"
        }
    for line, row in archive.rows("calendar_dates.txt"):
        where = f"calendar_dates.txt:{line}"
        day_found = _date(row["date"], findings, where)
        if day_found is None or not row["service_id"]:
            continue
        dates = feed.services.setdefault(row["service_id"], set())
        if row["exception_type"] == "1":
            dates.add(day_found)
        elif row["exception_type"] == "2":
            dates.discard(day_found)
        else:
            findings.add("unexpected_enum_value", f"exception_type {row['exception_type']!r}", where)
    _judge_services(feed, findings, service_date(context.now, feed.timezone))


def _judge_services(feed: Checked, findings: Findings, today_text: str) -> None:
    today = date(int(today_text[:4]), int(today_text[4:6]), int(today_text[6:]))
    last = None
    for service_id, dates in feed.services.items():
        if not dates:
            findings.add("service_has_no_active_day", f"service {service_id!r} never runs", "calendar.txt")
            continue
        end = max(dates)
        last = end if last is None else max(last, end)
        if end < today:
            findings.add("expired_calendar", f"service {service_id!r} ended on {end}", "calendar.txt")
    if last is not None and today <= last < today + timedelta(days=EXPIRES_SOON_DAYS):
        findings.add("feed_expiration_date", f"the last service day is {last}")


def _trips(archive: Archive, findings: Findings, feed: Checked) -> None:
    for line, row in archive.rows("trips.txt"):
        where = f"trips.txt:{line}"
        trip_id = row["trip_id"]
        if not trip_id:
            findings.add("missing_required_field", "trip_id is empty", where)
        elif trip_id in feed.trip_route:
            findings.add("duplicate_key", f"trip {trip_id!r} stands twice", where)
        elif row["route_id"] not in feed.routes:
            findings.add("foreign_key_violation", f"route {row['route_id']!r} is unknown: trip {trip_id!r} dropped", where)
        elif row["service_id"] not in feed.services:
            findings.add("foreign_key_violation", f"service {row['service_id']!r} is unknown: trip {trip_id!r} dropped", where)
        else:
            if row.get("direction_id", "") not in {"", "0", "1"}:
                findings.add("unexpected_enum_value", f"direction_id {row['direction_id']!r}", where)
            feed.trip_route[trip_id] = (row["route_id"], row["service_id"])


def _date(text: str, findings: Findings, where: str) -> date | None:
    if len(text) == 8 and text.isascii() and text.isdigit():
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            pass
    findings.add("invalid_date", f"{text[:40]!r} is no date YYYYMMDD", where)
    return None


def _dates_in_order(row: dict[str, str], first: str, last: str, findings: Findings, where: str) -> tuple[date, date] | None:
    if not row.get(first) or not row.get(last):
        return None
    start, end = _date(row[first], findings, where), _date(row[last], findings, where)
    if start is None or end is None:
        return None
    if end < start:
        findings.add("start_and_end_range_out_of_order", f"{last} lies before {first}", where)
        return None
    return start, end


def _point(row: dict[str, str], lat_column: str, lon_column: str, findings: Findings, where: str) -> tuple[float, float] | None:
    lat_text, lon_text = row.get(lat_column, ""), row.get(lon_column, "")
    if not lat_text and not lon_text:
        return None
    try:
        lat, lon = float(lat_text), float(lon_text)
    except ValueError:
        findings.add("invalid_float", f"coordinates {lat_text[:20]!r}, {lon_text[:20]!r}", where)
        return None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        findings.add("number_out_of_range", f"coordinates {lat}, {lon}", where)
        return None
    if abs(lat) <= 1 and abs(lon) <= 1:
        findings.add("point_near_origin", f"coordinates {lat}, {lon}", where)
        return None
    if abs(lat) >= 89:
        findings.add("point_near_pole", f"coordinates {lat}, {lon}", where)
        return None
    return lat, lon

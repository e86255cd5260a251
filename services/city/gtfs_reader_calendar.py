"""Service days: calendar.txt and calendar_dates.txt → the dates each service runs, and where each service day begins."""

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from routing.model.timetable import Int64, UInt8
from services.city.gtfs_reader_tables import GtfsError, GtfsTables

MAX_CALENDAR_DAYS = 3 * 366
"""A service that claims to run longer than this is cut off (some feeds end in 2099)."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def read_service_dates(feed: GtfsTables, shift_days: int) -> dict[str, set[int]]:
    """Ordinals of the dates on which each service of the feed runs, shifted by `shift_days`.

    Raises
    ------
    GtfsError
        If no service of the feed runs on any day.
    """
    dates: dict[str, set[int]] = {}
    _add_weekly(feed, dates)
    _add_exceptions(feed, dates)
    if not any(dates.values()):
        raise GtfsError("no_service_days", feed.name, "no service runs on any day: check calendar.txt and calendar_dates.txt")
    return {service: {day + shift_days for day in days} for service, days in dates.items()}


def _add_weekly(feed: GtfsTables, dates: dict[str, set[int]]) -> None:
    if "calendar" not in feed.tables:
        return
    columns = [feed.column("calendar", name) for name in ("service_id", "start_date", "end_date", *WEEKDAYS)]
    for service, start_text, end_text, *runs in zip(*columns, strict=True):
        start, end = parse_date(start_text), parse_date(end_text)
        if start is None or end is None:
            feed.report("invalid_date", "warning", "calendar.txt", f"service {service}: {start_text}..{end_text}; left out")
            continue
        if end - start > MAX_CALENDAR_DAYS:
            feed.report("calendar_too_long", "info", "calendar.txt", f"service {service} is cut after {MAX_CALENDAR_DAYS} days")
            end = start + MAX_CALENDAR_DAYS
        # Ordinal 1 (0001-01-01) was a Monday.
        weekdays = {i for i, flag in enumerate(runs) if flag == "1"}
        dates.setdefault(service, set()).update(day for day in range(start, end + 1) if (day - 1) % 7 in weekdays)


def _add_exceptions(feed: GtfsTables, dates: dict[str, set[int]]) -> None:
    if "calendar_dates" not in feed.tables:
        return
    columns = [feed.column("calendar_dates", name) for name in ("service_id", "date", "exception_type")]
    for service, text, kind in zip(*columns, strict=True):
        day = parse_date(text)
        if day is None or kind not in ("1", "2"):
            feed.report(
                "invalid_date", "warning", "calendar_dates.txt", f"service {service}: date {text}, type {kind}; left out"
            )
        elif kind == "1":
            dates.setdefault(service, set()).add(day)
        else:
            dates.setdefault(service, set()).discard(day)


def parse_date(text: str) -> int | None:
    """Proleptic ordinal of a GTFS date (YYYYMMDD), None if it is not one."""
    if len(text) != 8 or not text.isascii() or not text.isdigit():
        return None
    try:
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal()
    except ValueError:
        return None


def read_timezone(feed: GtfsTables) -> ZoneInfo:
    """Time zone of the feed (GTFS wants the same for all its agencies).

    Raises
    ------
    GtfsError
        If it is missing or unknown.
    """
    names = feed.column("agency", "agency_timezone")
    name = next((name for name in names if name), "")
    if len(set(filter(None, names))) > 1:
        feed.report("inconsistent_agency_timezone", "warning", "agency.txt", f"several time zones; {name} is used for all")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise GtfsError("invalid_timezone", f"{feed.name}:agency.txt", f"unknown time zone {name!r}") from error


def day_starts_s(zone: ZoneInfo, first_date: int, day_count: int) -> Int64:
    """Unix seconds of noon minus 12 h of `day_count` days: right on days when clocks change, too."""
    noons = (dt.datetime.combine(dt.date.fromordinal(first_date + i), dt.time(12), zone) for i in range(day_count))
    return np.array([int(noon.timestamp()) - 43_200 for noon in noons], np.int64)


def pack_services(services: Iterable[set[int]], first_date: int, day_count: int) -> UInt8:
    """Bit sets of the days each service runs."""
    rows = list(services)
    runs = np.zeros((len(rows), day_count), bool)
    for row, days in zip(runs, rows, strict=True):
        row[[day - first_date for day in days if 0 <= day - first_date < day_count]] = True
    return np.packbits(runs, axis=1, bitorder="little")

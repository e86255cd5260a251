"""Times as feeds write them → unix seconds."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.ingest.sources.base import Findings

_FRACTION = re.compile(r"([.,]\d{1,6})\d*")
_COMPACT_ZONE = re.compile(r"([+-]\d{2})(\d{2})$")


def parse_time(text: str, timezone: str, findings: Findings | None = None, where: str = "") -> int | None:
    """Unix seconds of an ISO 8601 time; without zone it is read in `timezone` and `naive_time` is noted. None if unreadable."""
    moment = _datetime(text)
    if moment is None:
        return None
    if moment.tzinfo is None:
        if findings is not None:
            findings.add("naive_time", f"{text!r} has no zone, read as {timezone}", where)
        moment = moment.replace(tzinfo=zone(timezone))
    try:
        return int(moment.timestamp())
    except (OverflowError, ValueError):
        return None


@lru_cache(maxsize=4096)
def _datetime(text: str) -> datetime | None:
    text = text.strip()
    if not text or len(text) > 64:
        return None
    text = _COMPACT_ZONE.sub(r"\1:\2", _FRACTION.sub(lambda match: match.group(1).replace(",", "."), text))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """IANA zone `name`; UTC where it is unknown (zones of feeds are checked where they are configured)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=256)
def service_day_start(date: str, timezone: str) -> int:
    """Unix seconds of "noon minus 12 h" of service day `date` (YYYYMMDD) in `timezone`.

    Raises
    ------
    ValueError
        If `date` is no date.
    """
    noon = datetime.strptime(date, "%Y%m%d").replace(hour=12, tzinfo=zone(timezone))
    return int((noon.astimezone(UTC) - timedelta(hours=12)).timestamp())


def is_date(text: str) -> bool:
    """Whether `text` is a date of the calendar, written YYYYMMDD."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return False
    try:
        datetime(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def service_date(unix_s: int, timezone: str) -> str:
    """Calendar date (YYYYMMDD) of a moment in `timezone`."""
    return datetime.fromtimestamp(unix_s, zone(timezone)).strftime("%Y%m%d")

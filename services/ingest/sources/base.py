"""What all adapters share: the context they are given, the answer they give, collecting of findings."""

import hashlib
import html
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from services.common.records import AnyRecord, Finding, Provenance
from services.ingest.codes import severity
from services.ingest.errors import FeedRejected
from services.ingest.limits import DEFAULT_LIMITS, Limits

Verdict = Literal["accept", "accept_warn", "reject"]

FUTURE_TOLERANCE_S = 60
"""Clock skew forgiven in publications and entities."""

POSIX_MIN, POSIX_MAX = 946_684_800, 4_102_444_800
"""Years 2000 and 2100: unix seconds outside are in another unit."""

_TAGS = re.compile(r"<[^<>]{0,1000}>")
_OPEN_TAG = re.compile(r"<[^<>]{0,1000}$")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class TripInfo:
    """What an adapter may ask about a scheduled trip: its calls in order (parallel tuples), seconds of the service day."""

    route_id: str
    stop_ids: tuple[str, ...]
    stop_sequences: tuple[int, ...]
    arrival_s: tuple[int, ...]
    departure_s: tuple[int, ...]
    service_id: str = ""
    frequency_based: bool = False


class StaticIndex(Protocol):
    """Look-up into the timetable a real-time feed speaks of."""

    version: str

    def find_trip(self, trip_id: str) -> TripInfo | None:
        """Answer the trip, or None."""
        ...

    def runs_on(self, trip: TripInfo, date: str) -> bool:
        """Whether the trip's service runs on `date` (YYYYMMDD)."""
        ...

    def service_day_start(self, date: str) -> int:
        """Unix seconds of "noon minus 12 h" of `date`."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """A road measurement site: where it is, and which street it speaks of."""

    site_id: str
    name: str = ""
    lat: float | None = None
    lon: float | None = None
    path: tuple[tuple[float, float], ...] = ()
    bearing_deg: float | None = None


@dataclass(frozen=True, slots=True)
class SourceContext:
    """All an adapter knows besides the body.

    Attributes
    ----------
    feed : str
        Name of the feed.
    now : int
        City clock, unix seconds.
    timezone : str
        IANA zone for times without one.
    url, sha256 : str
        Provenance; `sha256` is of the body as it came.
    static : StaticIndex or None
        Timetable of `static_feed` for trip checks.
    sites : mapping of str to Site, or None
        Measurement sites known so far; None = no table was seen, nothing can be unknown.
    stale_s, entity_stale_s : int or None
        Limits that override those of the kind.
    """

    feed: str
    now: int
    timezone: str = "UTC"
    url: str = ""
    sha256: str = ""
    static_feed: str = ""
    static: StaticIndex | None = None
    sites: Mapping[str, Site] | None = None
    limits: Limits = DEFAULT_LIMITS
    stale_s: int | None = None
    entity_stale_s: int | None = None

    def provenance(self, adapter: str) -> Provenance:
        """Provenance stamp of records made by `adapter`."""
        return Provenance(
            sha256=self.sha256, url=self.url, adapter=adapter, static_version=self.static.version if self.static else ""
        )


@dataclass(frozen=True, slots=True)
class Decoded:
    """Answer of an adapter.

    Attributes
    ----------
    records : tuple of records
    findings : tuple of Finding
        At most `Findings.EXAMPLES` per code; `counts` has the true numbers.
    verdict : {"accept", "accept_warn", "reject"}
    counts : dict of str to int
        Findings per code.
    published_at : int or None
        The publication's own time, unix seconds.
    full : bool
        Entities that are not in the body are gone (full data set).
    sites : dict of str to Site
        A measurement site table, where the body is one.
    ttl_s : int or None
        Period the publisher asks for.
    """

    records: tuple[AnyRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    verdict: Verdict = "accept"
    counts: dict[str, int] = field(default_factory=dict)
    published_at: int | None = None
    full: bool = True
    sites: dict[str, Site] = field(default_factory=dict)
    ttl_s: int | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of warnings and errors, sorted; notes of severity `info` left out."""
        return tuple(sorted(code for code in self.counts if severity(code) != "info"))


class Findings:
    """Collects findings, counting all and keeping a few examples of each code."""

    EXAMPLES = 10

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._examples: list[Finding] = []

    def add(self, code: str, message: str, where: str = "") -> None:
        """Note one finding of a documented code."""
        self.counts[code] += 1
        if self.counts[code] <= self.EXAMPLES:
            self._examples.append(Finding(code=code, severity=severity(code), where=where[:200], message=message[:500]))

    def verdict(self) -> Verdict:
        """`accept_warn` as soon as something is worse than a note."""
        return "accept_warn" if any(severity(code) != "info" for code in self.counts) else "accept"

    def decoded(
        self,
        records: tuple[AnyRecord, ...] = (),
        published_at: int | None = None,
        full: bool = True,
        sites: dict[str, Site] | None = None,
        ttl_s: int | None = None,
    ) -> Decoded:
        """Close the collection with what was read."""
        return Decoded(
            records, tuple(self._examples), self.verdict(), dict(self.counts), published_at, full, sites or {}, ttl_s
        )

    def rejected(self, error: FeedRejected) -> Decoded:
        """Close the collection with a rejection; nothing of the body is used."""
        finding = Finding(code=error.code, severity="error", where=error.where[:200], message=error.reason[:500])
        self.counts[error.code] += 1
        return Decoded((), (*self._examples, finding), "reject", dict(self.counts), full=False)


def check_published(
    published_at: int | None, context: SourceContext, findings: Findings, stale_s: int, ageing_s: int | None = None
) -> int:
    """Judge the publication's own time; answer it (or now, where it has none).

    Raises
    ------
    FeedRejected
        `timestamp_not_posix`, `timestamp_in_future` or `stale`.
    """
    if not published_at:
        findings.add("missing_timestamp", "the publication has no time; the time of reception is taken")
        return context.now
    if not POSIX_MIN <= published_at <= POSIX_MAX:
        raise FeedRejected("timestamp_not_posix", f"publication time {published_at} is not in unix seconds")
    age = context.now - published_at
    if age < -FUTURE_TOLERANCE_S:
        raise FeedRejected("timestamp_in_future", f"publication lies {-age} s ahead of the clock")
    limit = context.stale_s or stale_s
    if age > limit:
        raise FeedRejected("stale", f"publication is {age} s old, the limit is {limit} s")
    if ageing_s is not None and age > ageing_s:
        findings.add("ageing", f"publication is {age} s old")
    return published_at


def entity_fresh(observed_at: int, context: SourceContext, findings: Findings, where: str, stale_s: int) -> bool:
    """Judge one entity's own time; a finding is noted when it is not usable."""
    if not POSIX_MIN <= observed_at <= POSIX_MAX:
        findings.add("value_out_of_range", f"entity time {observed_at} is not in unix seconds", where)
        return False
    age = context.now - observed_at
    if age < -FUTURE_TOLERANCE_S:
        findings.add("entity_in_future", f"entity lies {-age} s ahead of the clock", where)
        return False
    limit = context.entity_stale_s or stale_s
    if age > limit:
        findings.add("stale_entity", f"entity is {age} s old, the limit is {limit} s", where)
        return False
    return True


def plain_text(text: str, context: SourceContext, findings: Findings, where: str) -> str:
    """Cap a text and strip markup; what remains is plain text, to be escaped by whoever shows it."""
    limit = context.limits.text_chars
    if len(text) > limit:
        findings.add("text_too_long", f"text of {len(text)} characters cut at {limit}", where)
        text = _OPEN_TAG.sub("", text[: 4 * limit])
    return _BLANKS.sub(" ", html.unescape(_TAGS.sub(" ", text))).strip()[:limit]


def on_earth(lat: float, lon: float) -> bool:
    """Whether coordinates are finite, in range and not at 0,0."""
    return -90 <= lat <= 90 and -180 <= lon <= 180 and (abs(lat) > 1e-3 or abs(lon) > 1e-3)


def sha256_hex(body: bytes) -> str:
    """Hex digest of a body, for provenance."""
    return hashlib.sha256(body).hexdigest()

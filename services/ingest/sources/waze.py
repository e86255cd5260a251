"""Waze for Cities (CCP) JSON: jams as speeds along a line, alerts as events. User names are never read."""

from typing import Any, cast

from services.common.records import AnyRecord, Event, Observation
from services.ingest.errors import FeedRejected
from services.ingest.limits import open_body
from services.ingest.sources.base import POSIX_MAX, POSIX_MIN, Decoded, Findings, SourceContext, check_published, on_earth
from services.ingest.sources.json_body import number, parse_json, require, whole

ADAPTER = "waze-ccp"
STALE_S, AGEING_S = 1800, 300
VALID_S = 600
MAX_SPEED_KMH = 200.0

_KINDS = {"ACCIDENT": "accident", "ROAD_CLOSED": "closure", "CONSTRUCTION": "roadworks", "HAZARD": "obstruction"}


def decode(body: bytes, context: SourceContext) -> Decoded:
    """Decode one export of the Waze data feed."""
    findings = Findings()
    try:
        value = parse_json(open_body(body, context.limits), findings)
        require(isinstance(value, dict), "not an object")
        require("endTimeMillis" in value or "alerts" in value or "jams" in value, "neither times, alerts nor jams")
        for name in ("startTimeMillis", "endTimeMillis"):
            if name in value:
                _millis(value[name], name)
        published = check_published(_millis(value.get("endTimeMillis"), "endTimeMillis"), context, findings, STALE_S, AGEING_S)
    except FeedRejected as error:
        return findings.rejected(error)
    records: dict[str, AnyRecord] = {}
    for family, make in (("alerts", _alert), ("jams", _jam)):
        rows = value.get(family) or []
        for index, row in enumerate(rows[: context.limits.entities] if isinstance(rows, list) else []):
            where = f"{family} {index}"
            if not isinstance(row, dict) or not isinstance(row.get("uuid"), str | int):
                findings.add("invalid_entity", "without uuid", where)
                continue
            entity = f"{family}:{row['uuid']}"[:200]
            if entity in records:
                findings.add("duplicate_entity", f"{entity!r} stands twice: the last one wins", where)
            record = make(entity, row, context, findings, published)
            if record is not None:
                records[entity] = record
    return findings.decoded(tuple(records.values()), published)


def _millis(value: Any, name: str) -> int | None:
    if value is None:
        return None
    moment = whole(value)
    if moment is None or not POSIX_MIN <= moment // 1000 <= POSIX_MAX:
        raise FeedRejected("timestamp_not_posix", f"{name} {str(value)[:40]!r} is not in milliseconds", name)
    return moment // 1000


def _line(points: Any) -> tuple[tuple[float, float], ...]:
    found = []
    for point in points if isinstance(points, list) else []:
        lat, lon = (number(point.get("y")), number(point.get("x"))) if isinstance(point, dict) else (None, None)
        if lat is not None and lon is not None and on_earth(lat, lon):
            found.append((lat, lon))
    return tuple(found[:5000])


def _jam(entity: str, row: dict[str, Any], context: SourceContext, findings: Findings, published: int) -> Observation | None:
    speed = number(row.get("speedKMH"))
    path = _line(row.get("line"))
    if speed is None or len(path) < 2:
        findings.add("no_location" if speed is not None else "missing_value", "jam without line or speed", entity)
        return None
    if speed < 0 and whole(row.get("level")) == 5:
        speed = 0.0
    if not 0 <= speed <= MAX_SPEED_KMH:
        findings.add("implausible_speed", f"speed {speed} km/h", entity)
        return None
    return Observation(
        feed=context.feed, entity=entity, kind="speed", value=speed, unit="km/h", observed_at=published,
        received_at=context.now, valid_until=published + VALID_S, provenance=context.provenance(ADAPTER), quality=0.7,
        name=str(row.get("street") or "")[:200], lat=path[0][0], lon=path[0][1], path=path,
    )  # fmt: skip


def _alert(entity: str, row: dict[str, Any], context: SourceContext, findings: Findings, published: int) -> Event | None:
    path = _line([row.get("location")])
    if not path:
        findings.add("no_location", "alert without location", entity)
        return None
    stated = whole(row.get("pubMillis"))
    observed = stated // 1000 if stated is not None and POSIX_MIN <= stated // 1000 <= POSIX_MAX else published
    return Event(
        feed=context.feed, entity=entity, observed_at=observed, received_at=context.now, valid_until=published + VALID_S,
        provenance=context.provenance(ADAPTER), kind=cast(Any, _KINDS.get(str(row.get("type")), "other")), version=observed,
        starts_at=observed, ends_at=None, path=path, both_directions=False, description=str(row.get("subtype") or "")[:200],
        bearing_deg=heading % 360.0 if (heading := number(row.get("magvar"))) is not None else None,
    )  # fmt: skip

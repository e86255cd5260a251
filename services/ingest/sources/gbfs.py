"""GBFS 1 to 3: station status (bicycles and docks); other GBFS files are recognised and carry no records here."""

from typing import Any

from services.common.records import OBSERVATION_UNITS, Observation
from services.ingest.errors import FeedRejected
from services.ingest.limits import open_body
from services.ingest.sources.base import Decoded, Findings, SourceContext, check_published, entity_fresh
from services.ingest.sources.json_body import number, parse_json, require, whole
from services.ingest.sources.times import parse_time

ADAPTER = "gbfs-status"
STALE_S, AGEING_S = 3600, 600
ENTITY_STALE_S = 86_400
VALID_S = 600
MAX_TTL_S = 86_400
MAX_COUNT = 100_000


def decode(body: bytes, context: SourceContext) -> Decoded:
    """Decode one station_status.json."""
    findings = Findings()
    try:
        value = parse_json(open_body(body, context.limits), findings)
        require(isinstance(value, dict) and isinstance(value.get("data"), dict), "no `data` object")
        stations = value["data"].get("stations")
        require(isinstance(stations, list), "`data.stations` is no list")
        published = check_published(_moment(value.get("last_updated"), context, findings), context, findings, STALE_S, AGEING_S)
    except FeedRejected as error:
        return findings.rejected(error)
    records: dict[tuple[str, str], Observation] = {}
    seen: set[str] = set()
    for index, station in enumerate(stations[: context.limits.entities]):
        station_id = station.get("station_id") if isinstance(station, dict) else None
        if not isinstance(station_id, str | int) or isinstance(station_id, bool) or station_id == "":
            findings.add("invalid_entity", "station without station_id", f"station {index}")
            continue
        entity = str(station_id)[:200]
        if entity in seen:
            findings.add("duplicate_entity", f"station {entity!r} stands twice: the last one wins", entity)
        seen.add(entity)
        for record in _station(entity, station, context, findings, published):
            records[entity, record.kind] = record
    return findings.decoded(tuple(records.values()), published, ttl_s=_ttl(value, findings))


def _moment(value: Any, context: SourceContext, findings: Findings) -> int | None:
    if isinstance(value, str):
        moment = parse_time(value, context.timezone, findings, "last_updated")
        require(moment is not None, f"last_updated {value[:40]!r} is no time")
        return moment
    return whole(value)


def _ttl(value: dict[str, Any], findings: Findings) -> int | None:
    ttl = value.get("ttl")
    if ttl is None:
        return None
    found = whole(ttl)
    if found is None or not 0 <= found <= MAX_TTL_S:
        findings.add("value_out_of_range", f"ttl {str(ttl)[:40]!r}: ignored", "ttl")
        return None
    return found


def _station(
    entity: str, station: dict[str, Any], context: SourceContext, findings: Findings, published: int
) -> list[Observation]:
    reported = _moment_or_none(station.get("last_reported"), context) or published
    if not entity_fresh(reported, context, findings, entity, ENTITY_STALE_S):
        return []
    bikes = station.get("num_vehicles_available", station.get("num_bikes_available"))
    pairs = (
        ("bikes_available", bikes, station.get("is_renting", True)),
        ("docks_available", station.get("num_docks_available"), station.get("is_returning", True)),
    )
    records = []
    for kind, value, enabled in pairs:
        count = number(value)
        if count is None:
            continue
        if not 0 <= count <= MAX_COUNT:
            findings.add("value_out_of_range", f"{kind} {value}", entity)
            continue
        works = bool(enabled) and bool(station.get("is_installed", True))
        records.append(
            Observation(
                feed=context.feed, entity=entity, kind=kind, value=count, unit=OBSERVATION_UNITS[kind], observed_at=reported,
                received_at=context.now, valid_until=published + VALID_S, provenance=context.provenance(ADAPTER),
                status="open" if works else "closed",
            )
        )  # fmt: skip
    return records


def _moment_or_none(value: Any, context: SourceContext) -> int | None:
    return parse_time(value, context.timezone) if isinstance(value, str) else whole(value)

"""Car parks: ParkAPI v1 (`lots`), ParkAPI-style lists and FIWARE NGSI `OffStreetParking`, all JSON.

ParkAPI v1 writes UTC without a zone by contract; where that would lie in the future, the server writes local time (seen often)
and it is read so. A car park that is closed keeps its free places as a value but says `closed`: not routable.
"""

from collections.abc import Iterator
from typing import Any

from services.common.records import OBSERVATION_UNITS, Observation
from services.ingest.errors import FeedRejected
from services.ingest.limits import open_body
from services.ingest.sources.base import FUTURE_TOLERANCE_S, Decoded, Findings, SourceContext, check_published, on_earth
from services.ingest.sources.json_body import number, parse_json, require
from services.ingest.sources.ngsi import attribute, list_entities, position
from services.ingest.sources.times import parse_time

ADAPTER = "parking-parkapi"
STALE_S, AGEING_S = 3 * 3600, 1800
VALID_S = 1800
MAX_SPACES = 100_000

_STATES = {
    "open": "open", "many": "open", "few": "open", "full": "full", "closed": "closed", "nodata": "no_data",
    "unknown": "unknown",
    "": "", "offen": "open", "geschlossen": "closed", "besetzt": "full", "normally_open": "open", "aberto": "open",
    "fechado": "closed", "störung": "no_data", "almostfull": "open", "spacesavailable": "open",
}  # fmt: skip


def decode(body: bytes, context: SourceContext) -> Decoded:
    """Decode one parking body."""
    findings = Findings()
    try:
        value = parse_json(open_body(body, context.limits), findings)
        if isinstance(value, dict) and "lots" in value:
            records, published = _parkapi(value, context, findings)
        elif _is_ngsi(value):
            records, published = _ngsi(value, context, findings)
        else:
            raise FeedRejected("schema_error", "neither ParkAPI (`lots`) nor NGSI OffStreetParking entities")
    except FeedRejected as error:
        return findings.rejected(error)
    return findings.decoded(tuple(records), published)


def _parkapi(value: dict[str, Any], context: SourceContext, findings: Findings) -> tuple[list[Observation], int]:
    lots = value["lots"]
    require(isinstance(lots, list), "`lots` is no list")
    stated = value.get("last_updated") or value.get("last_downloaded")
    published = check_published(_contract_time(stated, context, findings), context, findings, STALE_S, AGEING_S)
    records: list[Observation] = []
    seen: set[str] = set()
    for index, lot in enumerate(lots[: context.limits.entities]):
        where = f"lot {index}"
        lot_id = lot.get("id") or lot.get("name") if isinstance(lot, dict) else None
        if not isinstance(lot_id, str | int) or isinstance(lot_id, bool):
            findings.add("invalid_entity", "lot without id and name", where)
            continue
        entity = str(lot_id)[:200]
        if entity in seen:
            findings.add("duplicate_entity", f"lot {entity!r} stands twice: the last one wins", entity)
            records = [record for record in records if record.entity != entity]
        seen.add(entity)
        coords = lot.get("coords") if isinstance(lot.get("coords"), dict) else {}
        lat, lon = number(coords.get("lat")), number(coords.get("lng", coords.get("lon")))
        point = (lat, lon) if lat is not None and lon is not None else None
        records += _observations(
            entity, str(lot.get("name") or entity), point, lot.get("total"), lot.get("free"), lot.get("state"),
            published, context, findings,
        )  # fmt: skip
    return records, published


def _contract_time(stated: Any, context: SourceContext, findings: Findings) -> int | None:
    if not isinstance(stated, str):
        return None
    moment = parse_time(stated, "UTC")
    require(moment is not None, f"last_updated {stated[:40]!r} is no time")
    if moment is not None and moment > context.now + FUTURE_TOLERANCE_S:
        local = parse_time(stated, context.timezone)
        if local is not None and local <= context.now + FUTURE_TOLERANCE_S:
            findings.add("zone_guess", f"{stated!r} lies in the future as UTC, read as {context.timezone}", "last_updated")
            return local
    return moment


def _is_ngsi(value: Any) -> bool:
    entities = list_entities(value)
    return bool(entities) and str(entities[0].get("type", "")).endswith(("OffStreetParking", "OnStreetParking", "ParkingSite"))


def _ngsi(value: Any, context: SourceContext, findings: Findings) -> tuple[list[Observation], int]:
    limit = context.stale_s or STALE_S
    records: dict[tuple[str, str], Observation] = {}
    newest: int | None = None
    parsed: list[tuple[int, dict[str, Any]]] = []
    for entity in list_entities(value)[: context.limits.entities]:
        stated = attribute(entity, "observationDateTime", "occupancyModified", "dateModified", "dateObserved")
        moment = parse_time(stated, context.timezone, findings, str(entity.get("id"))) if isinstance(stated, str) else None
        parsed.append((context.now if moment is None else moment, entity))
        newest = moment if newest is None or (moment is not None and moment > newest) else newest
    published = check_published(newest, context, findings, STALE_S, AGEING_S)
    for moment, entity in parsed:
        entity_id = str(entity.get("id") or "")[:200]
        if not entity_id:
            findings.add("invalid_entity", "entity without id")
            continue
        if context.now - moment > limit:
            findings.add("stale_entity", f"car park is {context.now - moment} s old", entity_id)
            continue
        total = attribute(entity, "totalSpotNumber", "total")
        free = attribute(entity, "availableSpotNumber", "availableSpots")
        status = attribute(entity, "status")
        status = status[0] if isinstance(status, list) and status else status
        for record in _observations(
            entity_id, str(attribute(entity, "name", "staticName") or entity_id), position(entity), total, free, status, moment,
            context, findings,
        ):  # fmt: skip
            if (entity_id, record.kind) in records:
                findings.add("duplicate_entity", f"car park {entity_id!r} stands twice: the last one wins", entity_id)
            records[entity_id, record.kind] = record
    return list(records.values()), published


def _observations(
    entity: str,
    name: str,
    point: tuple[float, float] | None,
    total: Any,
    free: Any,
    state: Any,
    observed: int,
    context: SourceContext,
    findings: Findings,
) -> Iterator[Observation]:
    if point is not None and not on_earth(*point):
        findings.add("coordinates_out_of_range", f"coordinates {point}", entity)
        point = None
    status = _STATES.get(str(state or "").strip().lower(), "unknown")
    if status == "unknown" and str(state).lower() != "unknown":
        findings.add("unknown_state", f"state {str(state)[:40]!r}", entity)
    capacity, spaces = _count(total, "total", entity, findings), _count(free, "free", entity, findings)
    quality = 1.0
    if capacity is not None and spaces is not None and spaces > capacity:
        findings.add("value_conflict", f"{spaces:.0f} free of {capacity:.0f}: clamped", entity)
        spaces, quality = capacity, 0.5
    if spaces is None:
        findings.add("missing_value", "no free places said", entity)
    for kind, value in (("capacity", capacity), ("free_spaces", spaces)):
        if value is not None:
            yield Observation(
                feed=context.feed, entity=entity, kind=kind, value=value, unit=OBSERVATION_UNITS[kind], observed_at=observed,
                received_at=context.now, valid_until=observed + VALID_S, provenance=context.provenance(ADAPTER),
                quality=quality, status=status, name=name[:200], lat=point[0] if point else None,
                lon=point[1] if point else None,
            )  # fmt: skip


def _count(value: Any, what: str, where: str, findings: Findings) -> float | None:
    if value is None or value == "":
        return None
    found = number(value)
    if found is None or not 0 <= found <= MAX_SPACES:
        findings.add("value_out_of_range", f"{what} {str(value)[:40]!r}", where)
        return None
    return float(int(found))

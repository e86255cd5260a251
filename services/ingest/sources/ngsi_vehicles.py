"""FIWARE NGSI v2 vehicles (Smart Data Models `Vehicle`), as Porto publishes its buses.

Attributes come and go: `bearing` or `heading`, `annotations` as list or as one text, URL-encoded or absent. Plates, names of
drivers and device numbers are never read into a record.
"""

from typing import Any
from urllib.parse import unquote

from services.common.records import VehiclePosition
from services.ingest.errors import FeedRejected
from services.ingest.limits import open_body
from services.ingest.sources.base import Decoded, Findings, SourceContext, entity_fresh
from services.ingest.sources.json_body import number, parse_json, require
from services.ingest.sources.ngsi import attribute, list_entities, position
from services.ingest.sources.times import parse_time

ADAPTER = "ngsi-vehicles"
ENTITY_STALE_S = 600
VALID_S = 180
MAX_SPEED_KMH = 200.0

_NOT_SAID = frozenset({"", "na", "n/a", "none", "null"})


def decode(body: bytes, context: SourceContext) -> Decoded:
    """Decode one answer of the context broker."""
    findings = Findings()
    try:
        value = parse_json(open_body(body, context.limits), findings)
        require(isinstance(value, list) or (isinstance(value, dict) and "id" in value), "neither an entity nor a list of them")
    except FeedRejected as error:
        return findings.rejected(error)
    records: dict[str, VehiclePosition] = {}
    for index, entity in enumerate(list_entities(value)):
        if index >= context.limits.entities:
            findings.add("entity_limit", f"only {context.limits.entities} entities read")
            break
        record = _vehicle(entity, context, findings, f"entity {index}")
        if record is None:
            continue
        if record.entity in records:
            findings.add("duplicate_vehicle", f"vehicle {record.entity!r} stands twice: the newest wins", record.entity)
            record = max(record, records[record.entity], key=lambda r: r.observed_at)
        records[record.entity] = record
    newest = max((record.observed_at for record in records.values()), default=None)
    return findings.decoded(tuple(records.values()), newest)


def _vehicle(entity: dict[str, Any], context: SourceContext, findings: Findings, where: str) -> VehiclePosition | None:
    entity_id = entity.get("id")
    if not isinstance(entity_id, str) or not entity_id or entity.get("type") != "Vehicle":
        findings.add("invalid_entity", "entity without id, or not of type Vehicle", where)
        return None
    where = entity_id
    point = position(entity)
    if point is None:
        findings.add("coordinates_out_of_range", "vehicle without usable location", where)
        return None
    stated = attribute(entity, "observationDateTime", "dateObserved", "dateModified", "timestamp")
    moment = parse_time(stated, context.timezone, findings, where) if isinstance(stated, str) else None
    if moment is None:
        findings.add("invalid_entity", "vehicle without time of observation", where)
        return None
    if not entity_fresh(moment, context, findings, where, ENTITY_STALE_S):
        return None
    notes = _annotations(attribute(entity, "annotations"))
    route = notes.get("route", "")
    if not route:
        findings.add("not_in_service", "vehicle without route annotation", where)
    direction = notes.get("sentido", "")
    fleet = attribute(entity, "fleetVehicleId")
    return VehiclePosition(
        feed=context.feed, entity=entity_id, observed_at=moment, received_at=context.now, valid_until=moment + VALID_S,
        provenance=context.provenance(ADAPTER), static_feed=context.static_feed,
        vehicle_id=str(fleet) if isinstance(fleet, str | int) else entity_id.rpartition(":")[2],
        lat=point[0], lon=point[1], bearing_deg=_bearing(entity), speed_kmh=_speed(entity, findings, where),
        trip_id=notes.get("nr_viagem", ""), route_id=route, direction_id=int(direction) if direction in {"0", "1"} else None,
    )  # fmt: skip


def _annotations(value: Any) -> dict[str, str]:
    """`operator:key:value` texts → {key: value}; the value may itself contain colons."""
    texts = value if isinstance(value, list) else [value]
    notes: dict[str, str] = {}
    for text in texts:
        if not isinstance(text, str):
            continue
        parts = unquote(text).strip().split(":", 2)
        if len(parts) == 3 and parts[2].strip().lower() not in _NOT_SAID:
            notes[parts[1].strip().lower()] = parts[2].strip()[:100]
    return notes


def _bearing(entity: dict[str, Any]) -> float | None:
    value = number(attribute(entity, "bearing", "heading"))
    return value % 360 if value is not None and -360 <= value <= 360 else None


def _speed(entity: dict[str, Any], findings: Findings, where: str) -> float | None:
    value = number(attribute(entity, "speed"))
    if value is None or value < 0:
        return None
    if value > MAX_SPEED_KMH:
        findings.add("implausible_speed", f"speed {value} km/h", where)
        return None
    return value

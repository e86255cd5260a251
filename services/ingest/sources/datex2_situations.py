"""DATEX II situations → events on the road."""

from collections.abc import Iterator
from typing import Any, cast

from services.common.records import Event
from services.ingest.sources.base import Findings, SourceContext, plain_text
from services.ingest.sources.datex2_geometry import read_path
from services.ingest.sources.datex2_vehicles import bound_vehicles
from services.ingest.sources.times import parse_time
from services.ingest.sources.xml import Element, child, children, text, xsi_type

ADAPTER = "datex2"
VALID_S = 86_400

_KINDS = {
    "Accident": "accident",
    "MaintenanceWorks": "roadworks", "ConstructionWorks": "roadworks", "Roadworks": "roadworks",
    "GeneralObstruction": "obstruction", "VehicleObstruction": "obstruction", "AnimalPresenceObstruction": "obstruction",
    "EnvironmentalObstruction": "obstruction", "InfrastructureDamageObstruction": "obstruction", "Obstruction": "obstruction",
    "SpeedManagement": "restriction", "WinterDrivingManagement": "restriction", "GeneralNetworkManagement": "restriction",
    "RoadOrCarriagewayOrLaneManagement": "restriction",
}  # fmt: skip
_CLOSURES = frozenset({"roadClosed", "carriagewayClosures", "closedPermanentlyForTheWinter", "roadClosedIntermittently"})
_LANES = frozenset({"laneClosures", "narrowLanes", "singleAlternateLineTraffic", "contraflow", "hardShoulderRunning"})

_DIRECTIONS = ("{*}directionBound", "{*}tpegDirection", "{*}alertCAffectedDirection", "{*}directionOnLinearSection")


def situation_records(publication: Element, context: SourceContext, findings: Findings, published: int) -> Iterator[Event]:
    """Events of a SituationPublication, one per situation record; ended ones are expired, not reported."""
    count = 0
    for situation in children(publication, "situation"):
        for record in children(situation, "situationRecord"):
            count += 1
            if count > context.limits.entities:
                findings.add("entity_limit", f"only {context.limits.entities} situation records read")
                return
            event = _event(situation, record, context, findings, published)
            if event is not None:
                yield event


def _event(situation: Element, record: Element, context: SourceContext, findings: Findings, published: int) -> Event | None:
    entity = record.get("id") or situation.get("id") or ""
    if not entity:
        findings.add("invalid_entity", "situation record without id")
        return None
    path = _path(record)
    if not path:
        findings.add("no_location", "situation record without a location that can be read", entity)
    starts_at, ends_at, status = _validity(record, context, findings, entity)
    cancelled = status == "suspended" or text(record, "lifeCycleManagement", "cancel") == "true" \
        or text(record, "management", "lifeCycleManagement", "end") == "true"  # fmt: skip
    if ends_at is not None and ends_at < context.now:
        cancelled = True
    version_time = text(record, "situationRecordVersionTime")
    observed = (parse_time(version_time, context.timezone, findings, entity) if version_time else None) or published
    vehicles, kind = bound_vehicles(record), _kind(record)
    if kind == "closure" and vehicles is None:
        kind, vehicles = "restriction", ()
    return Event(
        feed=context.feed, entity=entity, observed_at=observed, received_at=context.now,
        valid_until=min(ends_at, published + VALID_S) if ends_at is not None else published + VALID_S,
        provenance=context.provenance(ADAPTER), kind=cast(Any, kind), version=_version(situation, record),
        starts_at=starts_at, ends_at=ends_at, path=path, both_directions=_both_directions(record),
        severity=text(record, "severity")[:40], description=_description(record, context, findings, entity),
        cancelled=cancelled, vehicles=cast(Any, vehicles or ()),
    )  # fmt: skip


def _path(record: Element) -> tuple[tuple[float, float], ...]:
    for name in ("groupOfLocations", "locationReference"):
        location = child(record, name)
        if location is not None:
            return read_path(location)
    return ()


def _validity(record: Element, context: SourceContext, findings: Findings, where: str) -> tuple[int | None, int | None, str]:
    validity = child(record, "validity")
    specification = child(validity, "validityTimeSpecification")
    times = [
        parse_time(stated, context.timezone, findings, where) if (stated := text(specification, name)) else None
        for name in ("overallStartTime", "overallEndTime")
    ]
    return times[0], times[1], text(validity, "validityStatus")


def _kind(record: Element) -> str:
    management = text(record, "roadOrCarriagewayOrLaneManagementType")
    if management in _CLOSURES or text(record, "impact", "trafficConstrictionType") in {"roadBlocked", "carriagewayBlocked"}:
        return "closure"
    if management in _LANES:
        return "lane_closure"
    return _KINDS.get(xsi_type(record), "other")


def _version(situation: Element, record: Element) -> int:
    stated = record.get("version") or situation.get("version") or "0"
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 18 else 0


def _both_directions(record: Element) -> bool:
    stated = {(element.text or "").strip() for element in record.iter(*_DIRECTIONS)}
    return not stated or bool(stated & {"both", "bothWays", "unknown", "allDirections"})


def _description(record: Element, context: SourceContext, findings: Findings, where: str) -> str:
    values = record.findall("{*}generalPublicComment/{*}comment/{*}values/{*}value")
    return plain_text(values[0].text or "", context, findings, where) if values else ""

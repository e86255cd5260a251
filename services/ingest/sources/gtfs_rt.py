"""GTFS Realtime 2.0: trip updates, vehicle positions and alerts (https://gtfs.org/documentation/realtime/reference/).

Not laid over: UNSCHEDULED trips, shapes, stops and trip modifications (experimental entities are ignored).
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError
from google.transit import gtfs_realtime_pb2 as pb

from services.common.records import Alert, AnyRecord, InformedEntity, VehiclePosition
from services.ingest.errors import FeedRejected
from services.ingest.limits import forbid_html, open_body
from services.ingest.sources.base import (
    POSIX_MAX,
    Decoded,
    Findings,
    SourceContext,
    check_published,
    entity_fresh,
    on_earth,
    plain_text,
)
from services.ingest.sources.gtfs_rt_trips import decode_trip_update

ADAPTER = "gtfs-rt"
STALE_S, AGEING_S = 900, 90
VEHICLE_STALE_S = 600
VALID_VEHICLE_S, VALID_ALERT_S = 300, 3600
_MPS_TO_KMH = 3.6


def decode(body: bytes, context: SourceContext) -> Decoded:
    """Decode one GTFS-RT body."""
    findings = Findings()
    try:
        message = _parse(open_body(body, context.limits))
        published = check_published(message.header.timestamp or None, context, findings, STALE_S, AGEING_S)
    except FeedRejected as error:
        return findings.rejected(error)
    differential = message.header.incrementality == pb.FeedHeader.DIFFERENTIAL
    if differential:
        findings.add("unsupported_incrementality", "DIFFERENTIAL feed: laid over, nothing is cleared", "header")
    records: dict[tuple[str, str], AnyRecord] = {}
    entity_ids: set[str] = set()
    for index, entity in enumerate(message.entity):
        if index >= context.limits.entities:
            findings.add("entity_limit", f"only {context.limits.entities} of {len(message.entity)} entities read")
            break
        try:
            _decode_entity(entity, context, findings, published, differential, records, entity_ids)
        except UnicodeDecodeError:
            findings.add("invalid_character", "entity has text that is not UTF-8: dropped", f"entity {index}")
    return findings.decoded(tuple(records.values()), published, full=not differential)


def _parse(body: bytes) -> Any:
    forbid_html(body)
    message = pb.FeedMessage()
    try:
        message.ParseFromString(body)
        initialized = message.IsInitialized()
        version = message.header.gtfs_realtime_version
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise FeedRejected("decode_error", f"not a GTFS-RT FeedMessage: {error}") from error
    if not initialized or not version:
        raise FeedRejected("decode_error", "required header fields of the FeedMessage are missing")
    if version.split(".")[0] not in {"1", "2"}:
        raise FeedRejected("unsupported_version", f"gtfs_realtime_version {version[:20]!r}", "header")
    return message


def _decode_entity(
    entity: Any,
    context: SourceContext,
    findings: Findings,
    published: int,
    differential: bool,
    records: dict[tuple[str, str], AnyRecord],
    entity_ids: set[str],
) -> None:
    where = f"entity {entity.id}"
    if entity.id in entity_ids:
        findings.add("duplicate_entity", f"entity id {entity.id!r} stands twice", where)
    entity_ids.add(entity.id)
    if entity.is_deleted:
        if not differential:
            findings.add("is_deleted_in_full_dataset", "is_deleted is only for DIFFERENTIAL feeds", where)
        return
    found: list[tuple[str, AnyRecord]] = []
    if entity.HasField("trip_update"):
        found += [("trip", r) for r in decode_trip_update(entity.trip_update, context, findings, published, where)]
    if entity.HasField("vehicle"):
        found += [("vehicle", r) for r in _vehicle(entity, context, findings, published, where)]
    if entity.HasField("alert"):
        found += [("alert", r) for r in _alert(entity, context, findings, published, where)]
    for family, record in found:
        if (family, record.entity) in records and family != "alert":
            code = "duplicate_vehicle" if family == "vehicle" else "duplicate_entity"
            findings.add(code, f"{family} {record.entity!r} stands twice: the last one wins", where)
        records[family, record.entity] = record


def _vehicle(entity: Any, context: SourceContext, findings: Findings, published: int, where: str) -> Iterator[VehiclePosition]:
    vehicle = entity.vehicle
    if not vehicle.HasField("position"):
        findings.add("invalid_entity", "vehicle without position", where)
        return
    lat, lon = float(vehicle.position.latitude), float(vehicle.position.longitude)
    if not on_earth(lat, lon):
        findings.add("coordinates_out_of_range", f"position {lat}, {lon}", where)
        return
    observed = int(vehicle.timestamp) or published
    if not entity_fresh(observed, context, findings, where, VEHICLE_STALE_S):
        return
    trip = vehicle.trip
    if trip.trip_id and context.static is not None and context.static.find_trip(trip.trip_id) is None:
        findings.add("TRIP_NOT_FOUND", f"timetable has no trip {trip.trip_id!r}", where)
    speed = float(vehicle.position.speed) * _MPS_TO_KMH if vehicle.position.HasField("speed") else None
    if speed is not None and not 0 <= speed <= 400:
        findings.add("value_out_of_range", f"speed {speed:.0f} km/h", where)
        speed = None
    bearing = float(vehicle.position.bearing) % 360 if vehicle.position.HasField("bearing") else None
    vehicle_id = vehicle.vehicle.id or entity.id
    yield VehiclePosition(
        feed=context.feed, entity=vehicle_id, observed_at=observed, received_at=context.now,
        valid_until=observed + VALID_VEHICLE_S, provenance=context.provenance(ADAPTER), static_feed=context.static_feed,
        vehicle_id=vehicle_id, lat=lat, lon=lon, bearing_deg=bearing, speed_kmh=speed, trip_id=trip.trip_id,
        route_id=trip.route_id, direction_id=trip.direction_id if trip.HasField("direction_id") else None,
        start_date=trip.start_date, stop_id=vehicle.stop_id,
        stop_sequence=vehicle.current_stop_sequence if vehicle.HasField("current_stop_sequence") else None,
        occupancy=pb.VehiclePosition.OccupancyStatus.Name(vehicle.occupancy_status)
        if vehicle.HasField("occupancy_status") else "",
    )  # fmt: skip


def _alert(entity: Any, context: SourceContext, findings: Findings, published: int, where: str) -> Iterator[Alert]:
    alert = entity.alert
    periods = tuple((_bound(period, "start"), _bound(period, "end")) for period in alert.active_period)
    ends = [end for _, end in periods]
    last = None if not ends or None in ends else max(end for end in ends if end is not None)
    if last is not None and last < context.now:
        findings.add("dated_alert", "all active periods have ended", where)
        return
    informed = tuple(_informed(selector) for selector in alert.informed_entity)
    if not informed:
        findings.add("no_effect_entity", "the alert informs about no entity: taken as about the whole feed", where)
    yield Alert(
        feed=context.feed, entity=entity.id, observed_at=published, received_at=context.now,
        valid_until=min(last, published + VALID_ALERT_S) if last is not None else published + VALID_ALERT_S,
        provenance=context.provenance(ADAPTER),
        cause=pb.Alert.Cause.Name(alert.cause), effect=pb.Alert.Effect.Name(alert.effect), active_periods=periods,
        informed=informed, header=_texts(alert.header_text, context, findings, where),
        description=_texts(alert.description_text, context, findings, where),
        url=next((t.text for t in alert.url.translation if t.text.startswith(("https://", "http://"))), "")[:500],
    )  # fmt: skip


def _bound(period: Any, name: str) -> int | None:
    """One end of a period; None = open. Publishers write "for ever" as the largest number there is, "since ever" as 0."""
    stated = int(getattr(period, name))
    if not stated or (name == "end" and stated > POSIX_MAX):
        return None
    return min(stated, POSIX_MAX)


def _informed(selector: Any) -> InformedEntity:
    return InformedEntity(
        agency_id=selector.agency_id,
        route_id=selector.route_id or selector.trip.route_id,
        trip_id=selector.trip.trip_id,
        stop_id=selector.stop_id,
        route_type=selector.route_type if selector.HasField("route_type") else None,
        direction_id=selector.direction_id if selector.HasField("direction_id") else None,
    )


def _texts(text: Any, context: SourceContext, findings: Findings, where: str) -> dict[str, str]:
    return {t.language[:35]: plain_text(t.text, context, findings, where) for t in list(text.translation)[:20]}

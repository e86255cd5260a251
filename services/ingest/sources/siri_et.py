"""SIRI Estimated Timetable 2.x (XML) → trip updates; a SOAP envelope is unwrapped, 1.x exchanges are flagged."""

from collections.abc import Iterator

from services.common.records import AnyRecord, StopTimeUpdate, TripUpdate
from services.ingest.errors import FeedRejected
from services.ingest.limits import open_body
from services.ingest.sources.base import Decoded, Findings, SourceContext, TripInfo, check_published, entity_fresh
from services.ingest.sources.times import is_date, parse_time, service_date
from services.ingest.sources.xml import Element, child, children, local_name, namespace, parse_xml, text, unwrap_soap

ADAPTER = "siri-et"
STALE_S, AGEING_S = 900, 120
ENTITY_STALE_S = 6 * 3600
VALID_S = 900


def decode(body: bytes, context: SourceContext) -> Decoded:
    """Decode one SIRI ET service delivery."""
    findings = Findings()
    try:
        root = parse_xml(open_body(body, context.limits), context.limits)
        root, soap = unwrap_soap(root)
        if "siri" not in namespace(root).lower() and local_name(root) != "Siri":
            raise FeedRejected("decode_error", f"no SIRI document: <{local_name(root)}>")
        _check_version(root, soap, findings)
        delivery = root if local_name(root) == "ServiceDelivery" else root.find(".//{*}ServiceDelivery")
        if delivery is None:
            raise FeedRejected("schema_error", "no ServiceDelivery")
        if text(delivery, "Status") == "false":
            raise FeedRejected("schema_error", "the supplier answers Status=false (an error condition)")
        stated = text(delivery, "ResponseTimestamp")
        moment = parse_time(stated, context.timezone, findings, "ResponseTimestamp") if stated else None
        published = check_published(moment, context, findings, STALE_S, AGEING_S)
    except FeedRejected as error:
        return findings.rejected(error)
    records: dict[str, AnyRecord] = {}
    for count, (recorded, journey) in enumerate(_journeys(delivery, context, published)):
        if count >= context.limits.entities:
            findings.add("entity_limit", f"only {context.limits.entities} journeys read")
            break
        record = _journey(journey, recorded, context, findings, published)
        if record is not None:
            if record.entity in records:
                findings.add("duplicate_entity", "journey stands twice: the last one wins", record.entity)
            records[record.entity] = record
    return findings.decoded(tuple(records.values()), published, full=False)


def _check_version(root: Element, soap: bool, findings: Findings) -> None:
    """SIRI 2 wraps a response element in SOAP; a whole `Siri` document in the envelope is how 1.x servers answer."""
    stated = root.get("version") or "2.0"
    major = stated.split(".")[0]
    if major not in {"1", "2"}:
        raise FeedRejected("unsupported_version", f"SIRI version {stated[:20]!r}")
    if major == "1" or (soap and local_name(root) == "Siri"):
        findings.add("old_version", "SIRI 1.x exchange, read as far as it agrees with 2.0")


def _journeys(delivery: Element, context: SourceContext, published: int) -> Iterator[tuple[int, Element]]:
    for timetable in children(delivery, "EstimatedTimetableDelivery"):
        for frame in children(timetable, "EstimatedJourneyVersionFrame"):
            stated = text(frame, "RecordedAtTime")
            base = (parse_time(stated, context.timezone) if stated else None) or published
            for journey in children(frame, "EstimatedVehicleJourney"):
                own = text(journey, "RecordedAtTime")
                yield (parse_time(own, context.timezone) if own else None) or base, journey


def _journey(journey: Element, recorded: int, context: SourceContext, findings: Findings, published: int) -> TripUpdate | None:
    reference = child(journey, "FramedVehicleJourneyRef")
    trip_id = text(reference, "DatedVehicleJourneyRef") or text(journey, "DatedVehicleJourneyRef")
    extra = text(journey, "ExtraJourney") == "true"
    trip_id = trip_id or text(journey, "EstimatedVehicleJourneyCode")
    if not trip_id:
        findings.add("NO_TRIP_ID", "journey without reference")
        return None
    cancelled = text(journey, "Cancellation") == "true"
    if text(journey, "Monitored") == "false" and not cancelled:
        findings.add("NOT_MONITORED", "the journey is not monitored: its predictions are not used", trip_id)
        return None
    if not entity_fresh(recorded, context, findings, trip_id, ENTITY_STALE_S):
        return None
    trip = context.static.find_trip(trip_id) if context.static else None
    if trip is None and context.static is not None and not extra:
        findings.add("TRIP_NOT_FOUND", f"timetable has no trip {trip_id!r}", trip_id)
        return None
    frame_date = text(reference, "DataFrameRef").replace("-", "")
    start_date = frame_date if is_date(frame_date) else service_date(context.now, context.timezone)
    return TripUpdate(
        feed=context.feed, entity=f"{trip_id}|{start_date}", observed_at=recorded, received_at=context.now,
        valid_until=published + VALID_S, provenance=context.provenance(ADAPTER), static_feed=context.static_feed,
        trip_id=trip_id, route_id=text(journey, "LineRef"), start_date=start_date,
        relationship="CANCELED" if cancelled else ("ADDED" if extra else "SCHEDULED"),
        stop_times=tuple(_calls(journey, trip, context, findings, trip_id)),
    )  # fmt: skip


def _calls(
    journey: Element, trip: TripInfo | None, context: SourceContext, findings: Findings, where: str
) -> Iterator[StopTimeUpdate]:
    for group, element in (("RecordedCalls", "RecordedCall"), ("EstimatedCalls", "EstimatedCall")):
        calls = child(journey, group)
        for call in children(calls, element) if calls is not None else ():
            stop_id = text(call, "StopPointRef")
            if trip is not None and stop_id not in trip.stop_ids:
                findings.add("INVALID_STOP_REFERENCE", f"the trip does not call at {stop_id!r}", where)
                continue
            arrival, arrival_delay = _prediction(call, "Arrival", context, findings, where)
            departure, departure_delay = _prediction(call, "Departure", context, findings, where)
            yield StopTimeUpdate(
                stop_sequence=_sequence(stop_id, trip), stop_id=stop_id, arrival_delay_s=arrival_delay,
                departure_delay_s=departure_delay, arrival_time=arrival, departure_time=departure,
                relationship="SKIPPED" if text(call, "Cancellation") == "true" else "SCHEDULED",
            )  # fmt: skip


def _sequence(stop_id: str, trip: TripInfo | None) -> int | None:
    """Sequence by stop where the trip calls there once; SIRI `Order` counts from 1 and is no GTFS stop_sequence."""
    if trip is None or trip.stop_ids.count(stop_id) != 1:
        return None
    return trip.stop_sequences[trip.stop_ids.index(stop_id)]


def _prediction(
    call: Element, what: str, context: SourceContext, findings: Findings, where: str
) -> tuple[int | None, int | None]:
    stated = text(call, f"Actual{what}Time") or text(call, f"Expected{what}Time")
    aimed = text(call, f"Aimed{what}Time")
    expected_s = parse_time(stated, context.timezone, findings, where) if stated else None
    aimed_s = parse_time(aimed, context.timezone, findings, where) if aimed else None
    return expected_s, expected_s - aimed_s if expected_s is not None and aimed_s is not None else None

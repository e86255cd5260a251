"""GTFS Realtime writer: trip updates, vehicle positions, alerts."""

from collections.abc import Iterable

from google.transit import gtfs_realtime_pb2 as pb

from services.recorded_day.roads import Closure
from services.recorded_day.trips import SimulatedTrip

AHEAD_S = 1800
"""Trips that depart within this time are announced too."""


def new_message(unix_s: int) -> pb.FeedMessage:
    """Message with a full header."""
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.incrementality = pb.FeedHeader.FULL_DATASET
    message.header.timestamp = unix_s
    return message


def to_bytes(message: pb.FeedMessage) -> bytes:
    """Bytes of a message, the same on every run."""
    return bytes(message.SerializeToString(deterministic=True))


def add_trip_update(message: pb.FeedMessage, trip: SimulatedTrip, start_date: str, unix_s: int) -> None:
    """Add what the operator knows of a trip: the present delay, held for the calls to come."""
    call = trip.next_call(unix_s)
    if call >= len(trip.departure):
        return
    entity = message.entity.add(id=f"sim-{trip.trip_id}")
    update = entity.trip_update
    update.trip.trip_id = trip.trip_id
    update.trip.route_id = trip.route_id
    update.trip.start_date = start_date
    if trip.cancelled:
        update.trip.schedule_relationship = pb.TripDescriptor.CANCELED
        return
    update.vehicle.label = "simulated"
    delay = trip.delay_at(call - 1) if call else max(0, trip.departure[0] - trip.scheduled_departure[0])
    stop = update.stop_time_update.add(stop_sequence=trip.sequences[call], stop_id=trip.stop_ids[call])
    if call:
        stop.arrival.delay = delay
    stop.departure.delay = delay


def add_vehicle(message: pb.FeedMessage, trip: SimulatedTrip, start_date: str, unix_s: int) -> None:
    """Add where the vehicle of a running trip is."""
    lat, lon, bearing, speed = trip.position(unix_s)
    call = min(trip.next_call(unix_s), len(trip.stop_ids) - 1)
    vehicle = message.entity.add(id=f"sim-v-{trip.trip_id}").vehicle
    vehicle.trip.trip_id = trip.trip_id
    vehicle.trip.route_id = trip.route_id
    vehicle.trip.start_date = start_date
    vehicle.vehicle.id = f"sim-{trip.trip_id}"
    vehicle.vehicle.label = "simulated"
    vehicle.position.latitude = round(lat, 5)
    vehicle.position.longitude = round(lon, 5)
    vehicle.position.bearing = round(bearing)
    vehicle.position.speed = round(speed / 3.6, 1)
    vehicle.current_stop_sequence = trip.sequences[call]
    vehicle.stop_id = trip.stop_ids[call]
    vehicle.timestamp = unix_s


def add_alert(
    message: pb.FeedMessage,
    alert_id: str,
    texts: dict[str, tuple[str, str]],
    span: tuple[int, int],
    route_ids: Iterable[str],
    effect: str,
    cause: str,
) -> None:
    """Add a service alert; `texts` by language: header and description."""
    alert = message.entity.add(id=alert_id).alert
    alert.active_period.add(start=span[0], end=span[1])
    alert.cause = getattr(pb.Alert, cause)
    alert.effect = getattr(pb.Alert, effect)
    for route_id in sorted(route_ids):
        alert.informed_entity.add(route_id=route_id)
    for language, (header, description) in sorted(texts.items()):
        alert.header_text.translation.add(text=header, language=language)
        alert.description_text.translation.add(text=description, language=language)


def closure_texts(closure: Closure) -> dict[str, tuple[str, str]]:
    """Words about the blocked street."""
    street = closure.name
    return {
        "en": (f"[Simulated] {street} blocked", f"Buses are late or diverted: {street} is blocked. Simulated event."),
        "pt": (f"[Simulado] {street} cortada", f"Autocarros atrasados ou desviados: {street} cortada. Evento simulado."),
    }

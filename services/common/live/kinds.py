"""Kinds of latest state that ingest writes and `LiveState` follows: one per record type and measured quantity."""

from services.common.records import Alert, AnyRecord, Event, Observation, TripUpdate, VehiclePosition

TRIP_UPDATES = "trip_updates"
VEHICLES = "vehicle_positions"
ALERTS = "alerts"
EVENTS = "events"
OBSERVATIONS = ("speed", "travel_time", "flow", "occupancy", "vehicle_count")
PARKING = ("free_spaces", "capacity")
SHARED_VEHICLES = ("bikes_available", "docks_available")

TRAFFIC_KINDS = (*OBSERVATIONS, EVENTS)
TRANSIT_KINDS = (TRIP_UPDATES, ALERTS, VEHICLES)
ALL_KINDS = (*TRANSIT_KINDS, *TRAFFIC_KINDS, *PARKING, *SHARED_VEHICLES)


def kind_of(record: AnyRecord) -> str:
    """Kind of latest state a record belongs to."""
    match record:
        case Observation():
            return record.kind
        case Event():
            return EVENTS
        case Alert():
            return ALERTS
        case TripUpdate():
            return TRIP_UPDATES
        case VehiclePosition():
            return VEHICLES

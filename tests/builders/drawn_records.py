"""Canonical records drawn in one line."""

from services.common.records import Observation, Provenance, StopTimeUpdate, TripUpdate

PROVENANCE = Provenance("0" * 64, "http://feed/x", "drawn")


def speed(entity: str, value: float, *, received_at: int = 100, url: str = "http://feed/x") -> Observation:
    """A measured speed."""
    return Observation(
        feed="loops",
        entity=entity,
        observed_at=90,
        received_at=received_at,
        valid_until=200,
        provenance=Provenance("0" * 64, url, "drawn"),
        kind="speed",
        value=value,
        unit="km/h",
    )


def trip_update(entity: str, delay_s: int, stops: int = 10) -> TripUpdate:
    """Predictions for one trip at some stops."""
    return TripUpdate(
        feed="operator",
        entity=entity,
        observed_at=90,
        received_at=100,
        valid_until=200,
        provenance=PROVENANCE,
        static_feed="operator-gtfs",
        trip_id=entity,
        stop_times=tuple(
            StopTimeUpdate(stop_sequence=number, stop_id=f"S{number}", arrival_delay_s=delay_s + number)
            for number in range(stops)
        ),
    )

"""Alerts in force → proto, and which of them concern a ride. Pure."""

from collections.abc import Iterable

from traboule.common.v1 import time_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb

from routing.multimodal.model import TransitDetail
from services.common.live.alerts import AlertInForce, LiveAlerts


def unscoped(scoped_id: str) -> tuple[str, str]:
    """Split ``feed:id`` into feed and id."""
    feed, _, own = scoped_id.partition(":")
    return feed, own


def alerts_of_ride(alerts: LiveAlerts, ride: TransitDetail, from_s: int, to_s: int, languages: Iterable[str]) -> list[pb.Alert]:
    """Alerts that concern a ride between two moments."""
    feed, trip = unscoped(ride.trip_id)
    rows = alerts.list_for(
        feed,
        from_s,
        to_s,
        agency_id=unscoped(ride.agency_id)[1],
        route_id=unscoped(ride.route_id)[1],
        trip_id=trip,
        stop_ids=[unscoped(call.stop.stop_id)[1] for call in (ride.calls[0], ride.calls[-1])],
        route_type=ride.route_type,
    )
    return [alert_to_proto(row, languages) for row in rows]


def alert_to_proto(row: AlertInForce, languages: Iterable[str]) -> pb.Alert:
    """Map one alert, in the first of `languages` it is written in."""
    alert = row.alert
    return pb.Alert(
        alert_id=f"{alert.feed}:{alert.entity}",
        header=_text(alert.header, languages),
        description=_text(alert.description, languages),
        cause=alert.cause.lower(),
        effect=alert.effect.lower(),
        active_periods=[time_pb2.TimeRange(start_unix_s=a or 0, end_unix_s=b or 0) for a, b in alert.active_periods],
        url=alert.url,
    )


def _text(texts: dict[str, str], languages: Iterable[str]) -> str:
    for language in (*languages, ""):
        if language in texts:
            return texts[language]
    return next(iter(texts.values()), "")

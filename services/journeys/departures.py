"""ListDepartures: the next departures at a stop or station."""

from collections.abc import Sequence

from traboule.journeys.v1 import departures_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb

from routing.model.timetable import index_of
from routing.multimodal.transit_legs import stop_point
from routing.transit.api import Departure
from services.common.errors import NotFound
from services.journeys.alerts_mapping import alert_to_proto, unscoped
from services.journeys.itinerary_mapping import place_point
from services.journeys.view import JourneyView

DEFAULT_DEPARTURES = 20
DEFAULT_WINDOW_S = 7200
_MORE = 8
"""How many times more departures are read while those of the routes asked for are too few."""


def list_departures(
    view: JourneyView, request: departures_pb2.ListDeparturesRequest, now_s: int, languages: Sequence[str]
) -> departures_pb2.ListDeparturesResponse:
    """Departures within the window, by expected time, with alerts of the stop; raises NotFound for unknown stops and routes."""
    transit = view.network.transit
    stop = view.places.stop_index(request.stop_id, "stop_id")
    from_s, wanted = request.from_unix_s or now_s, request.max_departures or DEFAULT_DEPARTURES
    until_s = from_s + (request.window_s or DEFAULT_WINDOW_S)
    routes = frozenset(request.route_ids)
    for k, route_id in enumerate(request.route_ids):
        if route_id not in index_of(transit.timetable).routes:
            raise NotFound(f"route {route_id!r} is not in the timetable", field=f"route_ids[{k}]")
    count = wanted
    while True:
        found = transit.departures(stop, from_s, count)
        rows = [d for d in found if d.departure_s < until_s and (not routes or d.trip.route_id in routes)][:wanted]
        if len(rows) == wanted or len(found) < count or found[-1].departure_s >= until_s:
            break
        count *= _MORE
    feed, own = unscoped(request.stop_id)
    alerts = view.alerts.list_for(feed, from_s, until_s, stop_ids=[own])
    return departures_pb2.ListDeparturesResponse(
        stop=place_point(stop_point(transit.timetable, stop)),
        departures=[_to_proto(view, row) for row in rows],
        alerts=[alert_to_proto(row, languages) for row in alerts if any(s.stop_id for s in row.alert.informed)],
    )


def _to_proto(view: JourneyView, row: Departure) -> departures_pb2.Departure:
    timetable, trip = view.network.transit.timetable, row.trip
    message = departures_pb2.Departure(
        route=_route(view, trip.route, trip.route_id),
        trip_id=trip.trip_id,
        headsign=trip.headsign,
        departure=pb.EventTime(scheduled_unix_s=row.scheduled_departure_s),
        cancelled=row.is_cancelled,
        stop=place_point(stop_point(timetable, row.stop)),
        service_date=f"{trip.service_date:%Y%m%d}",
    )
    if trip.has_realtime:
        message.departure.realtime_unix_s = row.departure_s
        message.delay_s = row.departure_s - row.scheduled_departure_s
    return message


def _route(view: JourneyView, route: int, route_id: str) -> pb.Route:
    timetable = view.network.transit.timetable
    if route < 0:
        return pb.Route(route_id=route_id)
    agency, color = int(timetable.route_agency[route]), int(timetable.route_color[route])
    return pb.Route(
        route_id=route_id,
        short_name=timetable.route_short_names[route],
        long_name=timetable.route_long_names[route],
        route_type=int(timetable.route_type[route]),
        color=f"{color:06X}" if color >= 0 else "",
        agency_name=timetable.agency_names[agency] if agency >= 0 else "",
    )

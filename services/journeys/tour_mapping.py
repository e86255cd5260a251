"""Tours → proto. Pure."""

from traboule.journeys.v1 import tour_pb2

from routing.multimodal.tour import Tour, TourRequest
from services.journeys.itinerary_mapping import AlertsOf, itinerary_to_proto


def tour_to_proto(tour: Tour, request: TourRequest, alerts_of: AlertsOf) -> tour_pb2.PlanTourResponse:
    """Map a tour; the stamp is the servicer's."""
    message = tour_pb2.PlanTourResponse(
        departure_unix_s=tour.departure_s,
        arrival_unix_s=tour.arrival_s,
        proven_optimal=tour.proven_optimal,
    )
    itineraries = []
    for stop in tour.stops:
        row = message.stops.add(
            visit_id=stop.visit.visit_id,
            arrival_unix_s=stop.arrival_s,
            start_unix_s=stop.begin_s,
            departure_unix_s=stop.leave_s,
        )
        if stop.itinerary is not None:
            row.itinerary.CopyFrom(itinerary_to_proto(stop.itinerary, alerts_of))
            itineraries.append(stop.itinerary)
    if tour.way_home is not None:
        message.return_itinerary.CopyFrom(itinerary_to_proto(tour.way_home, alerts_of))
        itineraries.append(tour.way_home)
    for visit in tour.left_out:
        reason = "making it would cost more than it is worth, or break a window"
        message.unvisited.add(visit_id=visit.visit_id, reason=reason)
    message.travel_duration_s = sum(i.duration_s for i in itineraries)
    message.wait_duration_s = sum(max(0, stop.begin_s - stop.arrival_s) for stop in tour.stops)
    message.co2_g = sum(i.co2_g for i in itineraries)
    assert len(tour.stops) + len(tour.left_out) == len(request.visits), "a visit got lost"
    return message

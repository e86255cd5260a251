"""Engine itineraries → proto. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Sequence

from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb

from routing.multimodal.itinerary_filter import generalised_time_s
from routing.multimodal.model import Itinerary, JourneyMode, Leg, LegMode, Point, Step, StopCall, TrafficBasis, TransitDetail
from services.common.polyline import encode

LEG_MODES = {
    LegMode.WALK: pb.MODE_WALK,
    LegMode.BICYCLE: pb.MODE_BICYCLE,
    LegMode.CAR: pb.MODE_CAR,
    LegMode.TRANSIT: pb.MODE_TRANSIT,
}

TRAFFIC_BASES = {
    TrafficBasis.FREE_FLOW: pb.TRAFFIC_BASIS_FREE_FLOW,
    TrafficBasis.DEPARTURE: pb.TRAFFIC_BASIS_DEPARTURE,
    TrafficBasis.PREDICTED: pb.TRAFFIC_BASIS_PREDICTED,
}

MANOEUVRES = {
    "depart": pb.Step.MANEUVER_DEPART,
    "straight": pb.Step.MANEUVER_CONTINUE,
    "slight_left": pb.Step.MANEUVER_SLIGHT_LEFT,
    "left": pb.Step.MANEUVER_LEFT,
    "sharp_left": pb.Step.MANEUVER_SHARP_LEFT,
    "slight_right": pb.Step.MANEUVER_SLIGHT_RIGHT,
    "right": pb.Step.MANEUVER_RIGHT,
    "sharp_right": pb.Step.MANEUVER_SHARP_RIGHT,
    "u_turn": pb.Step.MANEUVER_U_TURN,
    "stairs": pb.Step.MANEUVER_STAIRS,
    "roundabout": pb.Step.MANEUVER_ROUNDABOUT,
    "ferry": pb.Step.MANEUVER_CONTINUE,
}

AlertsOf = Callable[[TransitDetail, int, int], Iterable[pb.Alert]]
"""Alerts that concern a ride between two unix times."""


def itinerary_to_proto(itinerary: Itinerary, alerts_of: AlertsOf, *, geometry: bool = True) -> pb.Itinerary:
    """Map one itinerary; `geometry` False leaves out lines and steps."""
    legs = [leg_to_proto(leg, alerts_of, geometry=geometry) for leg in itinerary.legs]
    message = pb.Itinerary(
        itinerary_id=itinerary_id(itinerary),
        legs=legs,
        departure_unix_s=itinerary.departure_s,
        arrival_unix_s=itinerary.arrival_s,
        duration_s=itinerary.duration_s,
        transfer_count=itinerary.transfers,
        walk_distance_m=sum(leg.distance_m for leg in itinerary.legs if leg.mode is LegMode.WALK),
        walk_duration_s=itinerary.walk_s,
        wait_duration_s=itinerary.duration_s - sum(leg.duration_s for leg in itinerary.legs),
        distance_m=sum(leg.distance_m for leg in itinerary.legs),
        co2_g=itinerary.co2_g,
        realtime=any(leg.realtime for leg in legs),
        notices=notices(itinerary),
    )
    message.reliability.success_probability = itinerary.reliability
    return message


def itinerary_id(itinerary: Itinerary) -> str:
    """Identifier that stays the same while the same trips and car park are used, whatever their delays."""
    parts = [itinerary.kind.value]
    for leg in itinerary.legs:
        ends = f"{leg.origin.lat_deg:.5f},{leg.origin.lon_deg:.5f},{leg.destination.lat_deg:.5f},{leg.destination.lon_deg:.5f}"
        ride = f"{leg.transit.trip_id}@{leg.transit.service_date}" if leg.transit else leg.mode.value
        parts.append(f"{ride}:{ends}")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:20]


def notices(itinerary: Itinerary) -> list[str]:
    """Remarks a traveller should read."""
    remarks = []
    for leg in itinerary.legs:
        if leg.parking is not None:
            chance = f"{leg.parking.free_probability:.0%} chance of a free space"
            remarks.append(f"Drives to {leg.parking.name} ({chance})")
    return remarks


def leg_to_proto(leg: Leg, alerts_of: AlertsOf, *, geometry: bool) -> pb.Leg:
    """Map one leg."""
    message = pb.Leg(
        mode=LEG_MODES[leg.mode],
        departure=pb.EventTime(scheduled_unix_s=leg.departure_s),
        arrival=pb.EventTime(scheduled_unix_s=leg.arrival_s),
        duration_s=leg.duration_s,
        distance_m=leg.distance_m,
        co2_g=leg.co2_g,
    )
    getattr(message, "from").CopyFrom(place_point(leg.origin))
    message.to.CopyFrom(place_point(leg.destination))
    if geometry:
        message.polyline.CopyFrom(geo_pb2.Polyline(encoded=encode(leg.shape)))
        message.steps.extend(step_to_proto(step) for step in leg.steps)
    if leg.free_flow_s is not None:
        message.free_flow_duration_s = leg.free_flow_s
        message.realtime = True
    if leg.climb_m is not None:
        message.ascent_m, message.descent_m = leg.climb_m
    if leg.traffic is not None:
        message.traffic_basis = TRAFFIC_BASES[leg.traffic]
    if leg.parking is not None:
        _set_parking(message, leg)
    if leg.transit is not None:
        _set_ride(message, leg, leg.transit, alerts_of)
    return message


def place_point(point: Point) -> pb.PlacePoint:
    """Map a point of a journey."""
    where = geo_pb2.LatLng(lat_deg=point.lat_deg, lon_deg=point.lon_deg)
    return pb.PlacePoint(name=point.name, location=where, stop_id=point.stop_id, car_park_id=point.car_park_id)


def step_to_proto(step: Step) -> pb.Step:
    """Map one direction."""
    return pb.Step(
        maneuver=MANOEUVRES.get(step.manoeuvre, pb.Step.MANEUVER_CONTINUE),
        street_name=step.name,
        distance_m=step.distance_m,
        duration_s=step.duration_s,
        location=geo_pb2.LatLng(lat_deg=step.location[0], lon_deg=step.location[1]),
    )


def _set_parking(message: pb.Leg, leg: Leg) -> None:
    parking = leg.parking
    assert parking is not None
    message.parking.CopyFrom(
        pb.ParkingAtArrival(
            car_park_id=parking.car_park_id,
            name=parking.name,
            free_probability=parking.free_probability,
            capacity_spaces=parking.capacity,
            search_duration_s=parking.search_s,
        )
    )


def _set_ride(message: pb.Leg, leg: Leg, ride: TransitDetail, alerts_of: AlertsOf) -> None:
    first, last = ride.calls[0], ride.calls[-1]
    message.departure.scheduled_unix_s = first.scheduled_departure_s
    message.arrival.scheduled_unix_s = last.scheduled_arrival_s
    if ride.realtime:
        message.departure.realtime_unix_s = first.departure_s
        message.arrival.realtime_unix_s = last.arrival_s
    message.realtime = ride.realtime
    route = pb.Route(
        route_id=ride.route_id,
        short_name=ride.route_short_name,
        long_name=ride.route_long_name,
        route_type=ride.route_type,
        color=ride.route_color,
        text_color=ride.text_color,
        agency_name=ride.agency_name,
    )
    message.transit.CopyFrom(
        pb.TransitRide(
            route=route,
            trip_id=ride.trip_id,
            headsign=ride.headsign,
            service_date=ride.service_date,
            calls=[call_to_proto(call, realtime=ride.realtime) for call in ride.calls],
        )
    )
    if ride.wheelchair is not None:
        message.transit.wheelchair_accessible = ride.wheelchair
    if ride.bicycles is not None:
        message.transit.bicycles_allowed = ride.bicycles
    if ride.realtime:
        message.transit.delay_s = first.departure_s - first.scheduled_departure_s
    message.alerts.extend(alerts_of(ride, leg.departure_s, leg.arrival_s))


def call_to_proto(call: StopCall, *, realtime: bool) -> pb.StopCall:
    """Map one call of a ride."""
    message = pb.StopCall(
        stop=place_point(call.stop),
        arrival=pb.EventTime(scheduled_unix_s=call.scheduled_arrival_s),
        departure=pb.EventTime(scheduled_unix_s=call.scheduled_departure_s),
        stop_sequence=call.stop_sequence,
    )
    if realtime:
        message.arrival.realtime_unix_s = call.arrival_s
        message.departure.realtime_unix_s = call.departure_s
    return message


COSTS: "dict[pb.Criterion.ValueType, Callable[[Itinerary], float]]" = {
    pb.CRITERION_TIME: lambda i: float(i.duration_s),
    pb.CRITERION_TRANSFERS: lambda i: float(i.transfers),
    pb.CRITERION_WALK: lambda i: float(i.walk_s),
    pb.CRITERION_CO2: lambda i: i.co2_g,
    pb.CRITERION_RELIABILITY: lambda i: -i.reliability,
}
"""What each criterion makes small. Fares are not known."""


def mark_best(
    messages: list[pb.Itinerary], itineraries: list[Itinerary], criteria: "Sequence[pb.Criterion.ValueType]" = ()
) -> None:
    """Say of each itinerary what it is best at among the answer, by all criteria or those given."""
    for criterion, value in COSTS.items():
        if itineraries and (not criteria or criterion in criteria):
            best = min(itineraries, key=lambda i: (round(value(i), 6), generalised_time_s(i)))
            messages[itineraries.index(best)].best_at.append(criterion)


def by_criteria(
    itineraries: list[Itinerary], criteria: "Sequence[pb.Criterion.ValueType]", *, arrive_by: bool
) -> list[Itinerary]:
    """Order by criteria, the first counts most; among equals the order given stays.

    Time means an early arrival, or a late departure where the arrival was asked for.
    """
    time: Callable[[Itinerary], float] = (lambda i: -float(i.departure_s)) if arrive_by else (lambda i: float(i.arrival_s))
    costs = [time if criterion == pb.CRITERION_TIME else COSTS[criterion] for criterion in criteria]
    return sorted(itineraries, key=lambda i: [round(cost(i), 6) for cost in costs])


def modes_from_proto(modes: "Iterable[pb.Mode.ValueType]") -> frozenset[JourneyMode]:
    """Modes of a request; empty = WALK and TRANSIT. Modes no engine plans raise KeyError, the servicer answers them."""
    table = {
        pb.MODE_WALK: JourneyMode.WALK,
        pb.MODE_TRANSIT: JourneyMode.TRANSIT,
        pb.MODE_CAR: JourneyMode.CAR,
        pb.MODE_BICYCLE: JourneyMode.BICYCLE,
        pb.MODE_PARK_AND_RIDE: JourneyMode.PARK_AND_RIDE,
    }
    chosen = frozenset(table[mode] for mode in modes)
    return chosen or frozenset({JourneyMode.WALK, JourneyMode.TRANSIT})

"""Between the door-to-door request and the transit engine."""

import numpy as np

from routing.errors import NotFound
from routing.model.modes import StreetMode
from routing.model.timetable import index_of
from routing.multimodal.access_egress import StopReach
from routing.multimodal.model import JourneyRequest, Leg
from routing.multimodal.network import JourneyNetwork
from routing.multimodal.street_legs import find_path, path_leg, straight_walk
from routing.multimodal.transit_legs import line_length_m, ride_leg, stop_point
from routing.transit.api import RideLeg, TransferLeg, TransitJourney, TransitRequest

MAX_JOURNEY_S = 8 * 3600


def transit_request(network: JourneyNetwork, request: JourneyRequest, access: StopReach, egress: StopReach) -> TransitRequest:
    """Search between the stops of `access` and `egress` as the traveller wants it.

    Raises
    ------
    NotFound
        If a banned route is not in the timetable.
    """
    return TransitRequest(
        request.time_s,
        access.stop,
        access.duration_s,
        egress.stop,
        egress.duration_s,
        arrive_by=request.arrive_by,
        window_s=request.window_s,
        max_transfers=request.max_transfers,
        min_change_s=request.min_change_s,
        max_duration_s=MAX_JOURNEY_S,
        wheelchair=request.wheelchair,
        allow_unknown_trips=True,
        banned_routes=_banned(network, request),
        banned_route_types=_unwanted_types(network, request),
    )


def _banned(network: JourneyNetwork, request: JourneyRequest) -> frozenset[int]:
    if not request.banned_routes:
        return frozenset()
    routes = index_of(network.transit.timetable).routes
    for k, route_id in enumerate(sorted(request.banned_routes)):
        if route_id not in routes:
            raise NotFound(f"route {route_id!r} is not in the timetable", field=f"preferences.banned_route_ids[{k}]")
    return frozenset(routes[route_id] for route_id in request.banned_routes)


def _unwanted_types(network: JourneyNetwork, request: JourneyRequest) -> frozenset[int]:
    if not request.route_types:
        return frozenset()
    return frozenset(np.unique(network.transit.timetable.route_type).tolist()) - request.route_types


def transit_walk_s(journey: TransitJourney) -> int:
    """Seconds of access, egress and transfers between different stops."""
    between = [leg for leg in journey.legs if isinstance(leg, TransferLeg) and leg.from_stop != leg.to_stop]
    return journey.access_s + journey.egress_s + sum(leg.arrival_s - leg.departure_s for leg in between)


def transit_legs(network: JourneyNetwork, request: JourneyRequest, journey: TransitJourney) -> tuple[Leg, ...]:
    """Rides and walks from the first to the last stop."""
    legs: list[Leg] = []
    for leg in journey.legs:
        if isinstance(leg, RideLeg):
            legs.append(ride_leg(network.transit.timetable, leg))
        elif leg.from_stop != leg.to_stop:
            legs.append(_transfer(network, leg, wheelchair=request.wheelchair))
    return tuple(legs)


def _transfer(network: JourneyNetwork, leg: TransferLeg, *, wheelchair: bool) -> Leg:
    timetable, stops = network.transit.timetable, network.stops(wheelchair=wheelchair)
    mode = StreetMode.WHEELCHAIR if wheelchair else StreetMode.FOOT
    ends = (stop_point(timetable, leg.from_stop), stop_point(timetable, leg.to_stop))
    times = (leg.departure_s, leg.arrival_s)
    path = find_path(network, network.metrics[mode], stops.take(leg.from_stop), stops.take(leg.to_stop))
    if path is None:
        straight = tuple((p.lat_deg, p.lon_deg) for p in ends)
        return straight_walk(ends, *times, line_length_m(straight))
    return path_leg(path, mode, ends, *times)

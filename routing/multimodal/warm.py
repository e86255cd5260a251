"""Compile and load every kernel a door-to-door plan uses, so that no traveller waits for it."""

from dataclasses import replace

import numpy as np

from routing.errors import RoutingError
from routing.model.car_parks import CarParks
from routing.model.street_graph import StreetGraph
from routing.model.timetable import Timetable
from routing.multimodal.model import ALL_JOURNEY_MODES, JourneyRequest, Point
from routing.multimodal.network import JourneyNetwork, build_network
from routing.multimodal.planner import plan_journeys
from routing.street.api import StreetEngine
from routing.transit.api import TransitEngine

NOON_S = 12 * 3600


def warm(graph: StreetGraph, timetable: Timetable, car_parks: CarParks) -> int:
    """Warm on the arrays of a city; answers how many plans were made."""
    network = build_network(StreetEngine(graph), TransitEngine(timetable), car_parks)
    middle = timetable.day_count // 2
    return warm_network(network, int(timetable.day_start_s[0, middle]) + NOON_S)


def warm_network(network: JourneyNetwork, time_s: int) -> int:
    """Plan `list_warm_requests`; what cannot be planned there is left out. Answers how many plans were made."""
    return sum(warm_request(network, request) for request in list_warm_requests(network, time_s))


def list_warm_requests(network: JourneyNetwork, time_s: int) -> list[JourneyRequest]:
    """Questions between two far stops in every mode: leaving within an hour, at a moment, arriving, without steps.

    The first uses most kernels and what most travellers ask for.
    """
    timetable = network.transit.timetable
    usable = np.flatnonzero((network.stops_on_foot.arc >= 0) & np.isfinite(timetable.stop_lat_deg))
    if len(usable) < 2:
        return []
    first, last = usable[0], usable[np.argmax(np.abs(timetable.stop_lat_deg[usable] - timetable.stop_lat_deg[usable[0]]))]
    ends = [Point(float(timetable.stop_lat_deg[i]), float(timetable.stop_lon_deg[i])) for i in (first, last)]
    depart = JourneyRequest(ends[0], ends[1], time_s, modes=ALL_JOURNEY_MODES)
    step_free = replace(depart, wheelchair=True, modes=ALL_JOURNEY_MODES)
    return [depart, replace(depart, window_s=0), replace(depart, arrive_by=True, window_s=0), step_free]


def warm_request(network: JourneyNetwork, request: JourneyRequest) -> bool:
    """Plan once; whether anything was found."""
    try:
        return bool(plan_journeys(network, request))
    except RoutingError:
        return False

"""PlanRoute: one way on the street network, over via points."""

import itertools
import math

from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import route_pb2

from routing.errors import Unreachable
from routing.model.modes import StreetMode
from routing.multimodal.model import Itinerary, JourneyMode, JourneyRequest, Leg, Point
from routing.multimodal.street_legs import find_path, path_leg
from services.common.errors import Unimplemented
from services.journeys.itinerary_mapping import itinerary_to_proto
from services.journeys.request_mapping import preferences
from services.journeys.view import MOTOR_MODES, JourneyView

STREET_MODES = {
    pb.MODE_UNSPECIFIED: StreetMode.CAR,
    pb.MODE_WALK: StreetMode.FOOT,
    pb.MODE_CAR: StreetMode.CAR,
    pb.MODE_BICYCLE: StreetMode.BICYCLE,
    pb.MODE_VAN: StreetMode.VAN,
    pb.MODE_TRUCK: StreetMode.TRUCK,
}
JOURNEY_KINDS = {
    StreetMode.FOOT: JourneyMode.WALK,
    StreetMode.WHEELCHAIR: JourneyMode.WALK,
    StreetMode.BICYCLE: JourneyMode.BICYCLE,
}


def plan_route(view: JourneyView, request: route_pb2.PlanRouteRequest, now_s: int) -> route_pb2.PlanRouteResponse:
    """Quickest way from origin over all via points to the destination.

    Raises
    ------
    Unimplemented
        If alternatives are asked for.
    Unreachable
        If two places in a row are not connected; the message names them.
    """
    if request.max_alternatives:
        raise Unimplemented(
            "max_alternatives: alternatives are not computed yet; leave it out, or give via points", field="max_alternatives"
        )
    mode = STREET_MODES[request.mode]
    if mode is StreetMode.FOOT and request.preferences.wheelchair:
        mode = StreetMode.WHEELCHAIR
    time_s = request.depart_at_unix_s or now_s
    fields = ["origin", *(f"via[{k}]" for k in range(len(request.via))), "destination"]
    locations: list[geo_pb2.Location] = [request.origin, *request.via, request.destination]
    points = [view.places.resolve(location, field) for location, field in zip(locations, fields, strict=True)]
    factor = preferences(JourneyRequest(points[0], points[0], time_s), request.preferences, ()).speed_factor(mode)
    legs: list[Leg] = []
    for (a, start), (b, end) in itertools.pairwise(zip(fields, points, strict=True)):
        legs.append(_leg(view, request, mode, ((start, a), (end, b)), time_s, factor))
        time_s = legs[-1].arrival_s
    itinerary = Itinerary(JOURNEY_KINDS.get(mode, JourneyMode.CAR), tuple(legs))
    return route_pb2.PlanRouteResponse(routes=[itinerary_to_proto(itinerary, lambda *_: ())])


def _leg(
    view: JourneyView,
    request: route_pb2.PlanRouteRequest,
    mode: StreetMode,
    ends: tuple[tuple[Point, str], tuple[Point, str]],
    time_s: int,
    factor: float,
) -> Leg:
    network = view.schedule_only if request.ignore_realtime else view.network
    metric = view.metric(mode, time_s, live=not request.ignore_realtime)
    snaps = [network.snap(point, mode, field) for point, field in ends]
    path = find_path(network, metric, snaps[0], snaps[1])
    if path is None:
        raise Unreachable(f"there is no way for {mode.name.lower()} from {ends[0][1]} to {ends[1][1]}", field=ends[1][1])
    arrival_s = time_s + math.ceil(path.time_ms / (1000 * factor))
    free_s = None
    if mode in MOTOR_MODES:
        free = network.street.one_to_many(view.metric(mode, time_s, live=False), snaps[0], 0, snaps[1])
        free_s = round(int(free[0]) / 1000)
    return path_leg(path, mode, (ends[0][0], ends[1][0]), time_s, arrival_s, free_flow_s=free_s)

"""GetIsochrone: areas reached within given times."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import matrix_pb2

from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.multimodal.access_egress import stops_around, walking_mode
from routing.multimodal.isochrone import DETOUR, Area, ReachedPoints, reached_area
from routing.multimodal.model import JourneyMode, JourneyRequest
from routing.street.access_rules import EmissionClass
from routing.street.isochrone import street_isochrones
from services.common.deadline import current_deadline
from services.common.polyline import encode
from services.journeys.request_mapping import preferences, walking_mps
from services.journeys.view import JourneyView
from services.journeys.zones import VehicleZones

Floats = npt.NDArray[np.float64]


def get_isochrone(view: JourneyView, request: matrix_pb2.GetIsochroneRequest, now_s: int) -> matrix_pb2.GetIsochroneResponse:
    """One area per limit, over all modes asked for."""
    time_s = request.depart_at_unix_s or now_s
    origin = view.places.resolve(request.origin, "origin")
    ask = preferences(JourneyRequest(origin, origin, time_s), request.preferences, request.modes)
    zones = VehicleZones.of(view, StreetMode.CAR, time_s, request.preferences, live=True)
    response = matrix_pb2.GetIsochroneResponse()
    if StreetMode.CAR in _street_modes(ask):
        response.notices.extend(f"left out: {words}" for words in zones.list_closed())
    if JourneyMode.TRANSIT not in ask.modes and len(modes := _street_modes(ask)) == 1:
        response.isochrones.extend(_of_one_mode(view, ask, modes[0], request.limits_s, zones))
        return response
    arrivals = _stop_arrivals(view, ask) if JourneyMode.TRANSIT in ask.modes else None
    streets = [_node_times(view, ask, mode, zones) for mode in _street_modes(ask)]
    walk_mps = walking_mps(request.preferences)
    for limit_s in request.limits_s:
        points, stops = _points(view, streets, arrivals, limit_s, walk_mps)
        response.isochrones.append(_to_proto(reached_area(points), limit_s, stops))
    return response


def _of_one_mode(
    view: JourneyView, ask: JourneyRequest, mode: StreetMode, limits_s: Sequence[int], zones: VehicleZones
) -> list[matrix_pb2.Isochrone]:
    """Areas by the stretches of street that are reached, also in part."""
    street, start = view.network.street, view.network.snap(ask.origin, mode, "origin")
    if mode is StreetMode.CAR:
        zones.check([("origin", start)])
    metric, factor = view.metric(mode, ask.time_s, live=True, emission=zones.emission), ask.speed_factor(mode)
    limits = [limit_s * factor for limit_s in limits_s]
    times = street.reach(metric, start, 0, max(limits))
    current_deadline().check()
    areas = street_isochrones(street.graph, metric, times, start, limits)
    return [_to_proto(area, limit_s, 0) for area, limit_s in zip(areas, limits_s, strict=True)]


def _street_modes(ask: JourneyRequest) -> list[StreetMode]:
    modes = []
    if ask.modes & {JourneyMode.WALK, JourneyMode.TRANSIT}:
        modes.append(walking_mode(ask))
    if JourneyMode.BICYCLE in ask.modes:
        modes.append(StreetMode.BICYCLE)
    if ask.modes & {JourneyMode.CAR, JourneyMode.PARK_AND_RIDE}:
        modes.append(StreetMode.CAR)
    return modes


def _node_times(view: JourneyView, ask: JourneyRequest, mode: StreetMode, zones: VehicleZones) -> Floats:
    """Seconds to every street node, infinite where there is no way."""
    start = view.network.snap(ask.origin, mode, "origin")
    times = view.network.street.reach(view.metric(mode, ask.time_s, live=True, emission=zones.emission), start, 0)
    return np.where(times == UNREACHABLE_MS, np.inf, times / 1000.0 / ask.speed_factor(mode))


def _stop_arrivals(view: JourneyView, ask: JourneyRequest) -> Floats:
    """Seconds to every stop by transit, infinite where not reached."""
    network = view.network_at(ask.time_s, EmissionClass.ELECTRIC, live=True)
    door = network.snap(ask.origin, walking_mode(ask), "origin")
    access = stops_around(network, ask, door, egress=False)
    if not len(access):
        return np.full(network.transit.timetable.stop_count, np.inf)
    arrival_s = network.rides(wheelchair=ask.wheelchair).earliest_arrivals(
        ask.time_s,
        access.stop,
        access.duration_s,
        max_transfers=ask.max_transfers,
        min_change_s=ask.min_change_s,
        wheelchair=ask.wheelchair,
    )
    return np.where(arrival_s == np.iinfo(np.int64).max, np.inf, arrival_s.astype(np.float64) - ask.time_s)


def _points(
    view: JourneyView, streets: list[Floats], arrivals: Floats | None, limit_s: int, walk_mps: float
) -> tuple[ReachedPoints, int]:
    graph, timetable = view.network.street.graph, view.network.transit.timetable
    reached = np.zeros(graph.node_count, np.bool_)
    for times in streets:
        reached |= times <= limit_s
    lat, lon = graph.node_lat_e7[reached] * 1e-7, graph.node_lon_e7[reached] * 1e-7
    left = np.full(len(lat), 60.0)
    stops = np.empty(0, np.int64)
    if arrivals is not None:
        stops = np.flatnonzero((arrivals <= limit_s) & np.isfinite(timetable.stop_lat_deg))
        lat = np.concatenate([lat, timetable.stop_lat_deg[stops]])
        lon = np.concatenate([lon, timetable.stop_lon_deg[stops]])
        left = np.concatenate([left, np.minimum(limit_s - arrivals[stops], 1800.0) * walk_mps / DETOUR])
    return ReachedPoints(np.asarray(lat, np.float64), np.asarray(lon, np.float64), left), len(stops)


def _to_proto(area: Area, limit_s: int, stop_count: int) -> matrix_pb2.Isochrone:
    shape = geo_pb2.MultiPolygon(
        polygons=[
            geo_pb2.Polygon(
                outer=geo_pb2.Polyline(encoded=encode(outer)),
                holes=[geo_pb2.Polyline(encoded=encode(hole)) for hole in holes],
            )
            for outer, holes in zip(area.outers, area.holes, strict=True)
        ]
    )
    return matrix_pb2.Isochrone(limit_s=limit_s, area=shape, area_m2=area.area_m2, stop_count=stop_count)

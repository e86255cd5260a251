"""GetMatrix: travel times between many places."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import matrix_pb2

from routing.model.modes import StreetMode
from routing.multimodal.access_egress import StopReach, stops_around, walking_mode
from routing.multimodal.model import JourneyRequest, Point
from routing.multimodal.network import JourneyNetwork
from routing.multimodal.travel_matrix import NEVER_S, street_matrix_s, transit_matrix_s
from routing.street.api import Snaps
from services.common.deadline import current_deadline
from services.common.errors import Unimplemented
from services.journeys.request_mapping import preferences
from services.journeys.routes import STREET_MODES
from services.journeys.view import JourneyView


def get_matrix(view: JourneyView, request: matrix_pb2.GetMatrixRequest, now_s: int) -> matrix_pb2.GetMatrixResponse:
    """Times row by row; -1 where there is no way. Places off the street network name their field."""
    if request.with_distances:
        raise Unimplemented("distances in matrices are not computed yet; ask PlanRoute for single ways", field="with_distances")
    time_s = request.depart_at_unix_s or now_s
    origins = _points(view, request.origins, "origins")
    destinations = _points(view, request.destinations, "destinations")
    if request.mode == pb.MODE_TRANSIT:
        table = _by_transit(view, request, origins, destinations, time_s)
    else:
        table = _on_streets(view, request, origins, destinations, time_s)
    return matrix_pb2.GetMatrixResponse(
        durations_s=np.where(table == NEVER_S, -1, table).ravel().tolist(),
        origin_count=len(origins),
        destination_count=len(destinations),
    )


def _points(view: JourneyView, locations: Sequence[geo_pb2.Location], field: str) -> list[Point]:
    return [view.places.resolve(location, f"{field}[{k}]") for k, location in enumerate(locations)]


def _snaps(view: JourneyView, points: list[Point], mode: StreetMode, field: str) -> Snaps:
    snaps = view.network.street.snap([p.lat_deg for p in points], [p.lon_deg for p in points], mode)
    for k in np.flatnonzero(snaps.arc < 0).tolist():
        view.network.snap(points[k], mode, f"{field}[{k}]")
    return snaps


def _on_streets(
    view: JourneyView, request: matrix_pb2.GetMatrixRequest, origins: list[Point], destinations: list[Point], time_s: int
) -> npt.NDArray[np.int32]:
    mode = STREET_MODES[request.mode]
    if mode is StreetMode.FOOT and request.preferences.wheelchair:
        mode = StreetMode.WHEELCHAIR
    live = not request.ignore_realtime
    metric = view.metric(mode, time_s, live=live)
    ends = _snaps(view, origins, mode, "origins"), _snaps(view, destinations, mode, "destinations")
    factor = preferences(_ask(origins, time_s), request.preferences, ()).speed_factor(mode)
    return street_matrix_s(view.network, metric, *ends, factor)


def _by_transit(
    view: JourneyView, request: matrix_pb2.GetMatrixRequest, origins: list[Point], destinations: list[Point], time_s: int
) -> npt.NDArray[np.int32]:
    """Transit with walking to, from and instead of it."""
    network = view.schedule_only if request.ignore_realtime else view.network
    ask = preferences(_ask(origins, time_s), request.preferences, ())
    mode = walking_mode(ask)
    starts, goals = _snaps(view, origins, mode, "origins"), _snaps(view, destinations, mode, "destinations")
    access = [_around(network, ask, starts, k, egress=False) for k in range(len(origins))]
    egress = [_around(network, ask, goals, k, egress=True) for k in range(len(destinations))]
    rides = transit_matrix_s(network, ask, access, egress, current_deadline().should_stop)
    return np.minimum(rides, street_matrix_s(network, network.metrics[mode], starts, goals, ask.walk_speed_factor))


def _around(network: JourneyNetwork, ask: JourneyRequest, snaps: Snaps, k: int, *, egress: bool) -> StopReach:
    """Stops within walking distance of one point, as long as somebody waits for the answer."""
    current_deadline().check()
    return stops_around(network, ask, snaps.take(k), egress=egress)


def _ask(origins: list[Point], time_s: int) -> JourneyRequest:
    return JourneyRequest(origins[0], origins[0], time_s)

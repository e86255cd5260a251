"""PlanRoute: ways on the street network, over places in between, by any cost, with alternatives and instructions."""

import hashlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import route_pb2

from routing.errors import Unreachable
from routing.model.emissions import driving_co2_g
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.street_graph import ARC_TOLL
from routing.multimodal.model import Itinerary, JourneyMode, JourneyRequest, Leg, Point
from routing.multimodal.street_legs import path_leg
from routing.street.access_rules import EmissionClass
from routing.street.alternatives import AlternativeLimits
from routing.street.api import CostMetric, SnapHints, Snaps, StreetEngine, StreetMetric, StreetPath
from routing.street.costs import timed_path
from routing.street.instructions import build_instructions, side_on_arrival
from services.common.deadline import current_deadline
from services.common.errors import Unimplemented
from services.journeys.itinerary_mapping import itinerary_to_proto
from services.journeys.request_mapping import preferences
from services.journeys.route_mapping import DRIVE_ON_LEFT, RouteWishes, fields_of_wishes, instruction_to_proto, route_wishes
from services.journeys.view import MOTOR_MODES, JourneyView
from services.journeys.zones import VehicleZones, note

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


@dataclass(frozen=True, slots=True)
class _Place:
    """A place of the way: where, what the request calls it, where it lies on the streets, and (`sided`) on which side."""

    point: Point
    field: str
    snap: Snaps
    sided: Snaps


@dataclass(frozen=True, slots=True)
class _Way:
    """One way: its parts from place to place, whose line and time are those of the street, and figures beyond them."""

    paths: tuple[StreetPath, ...]
    cost: float
    toll_m: float
    avoided_m: float
    shared: float = 1.0


def plan_route(view: JourneyView, request: route_pb2.PlanRouteRequest, now_s: int) -> route_pb2.PlanRouteResponse:
    """Best way from origin over all via points to the destination, and others beside it.

    Raises
    ------
    InvalidInput
        If the wishes contradict each other; `field` says which.
    Unimplemented
        If alternatives are asked for in a wheelchair.
    Unreachable
        If two places in a row are not connected, or a place lies in a zone that is closed to the vehicle; the message names
        them.
    """
    wishes = route_wishes(request, view.snapshot.city.languages)
    mode = STREET_MODES[request.mode]
    if mode is StreetMode.FOOT and request.preferences.wheelchair:
        mode = StreetMode.WHEELCHAIR
    time_s = request.depart_at_unix_s or now_s
    fields = ["origin", *(f"via[{k}]" for k in range(len(request.via))), "destination"]
    locations: list[geo_pb2.Location] = [request.origin, *request.via, request.destination]
    points = [view.places.resolve(location, field) for location, field in zip(locations, fields, strict=True)]
    factor = preferences(JourneyRequest(points[0], points[0], time_s), request.preferences, ()).speed_factor(mode)
    live = not request.ignore_realtime
    zones = VehicleZones.of(view, mode, time_s, request.preferences, live=live)
    planning = _Planning(view, mode, wishes, factor, request.preferences, live=live, emission=zones.emission)
    stopping = [False, *wishes.stops, True]
    places = [planning.place(*place) for place in zip(points, fields, stopping, strict=True)]
    with fields_of_wishes(wishes):
        if request.max_alternatives:
            ways = planning.alternatives(places, time_s, request.max_alternatives)
        else:
            ways = [planning.over(places, time_s)]
    open_arcs = planning.without_zones().arcs_of(places, time_s) if zones.closed else None
    response = route_pb2.PlanRouteResponse()
    for k, way in enumerate(ways):
        planning.add(response, way, places, time_s, k)
        note(response.routes[k], zones.remarks(np.concatenate([path.arcs for path in way.paths]), open_arcs))
    return response


class _Planning:
    """One request on one view."""

    def __init__(
        self, view: JourneyView, mode: StreetMode, wishes: RouteWishes, factor: float, wanted: pb.TravelPreferences, *,
        live: bool, emission: EmissionClass | None,
    ) -> None:  # fmt: skip
        self.view, self.mode, self.wishes, self.factor, self.live = view, mode, wishes, factor, live
        self.wanted, self.emission = wanted, emission
        self.network = view.network if live else view.schedule_only
        self.street: StreetEngine = self.network.street
        self._costs: dict[int, CostMetric] = {}
        self._plain = wishes.quickest and all(wishes.stops)

    def without_zones(self) -> "_Planning":
        """The same request if there were no zones."""
        return _Planning(self.view, self.mode, self.wishes, self.factor, self.wanted, live=self.live, emission=None)

    def arcs_of(self, places: Sequence["_Place"], time_s: int) -> npt.NDArray[np.int32] | None:
        """Arcs of the best way over all places, None if there is none."""
        try:
            return np.concatenate([path.arcs for path in self.over(places, time_s).paths])
        except Unreachable:
            return None

    def place(self, point: Point, field: str, stops: bool) -> _Place:
        """A place on the streets; by the side of the kerb where one stops or sets out and that is wanted."""
        nearest = self.network.snap(point, self.mode, field)
        left = self.view.snapshot.city.country in DRIVE_ON_LEFT
        kerb = self.wishes.kerb_departure if field == "origin" else self.wishes.kerb and stops
        hints = SnapHints(curb=kerb, drive_on_left=left)
        sided = self.street.snap(point.lat_deg, point.lon_deg, self.mode, hints=hints)
        return _Place(point, field, sided if hints.curb and sided.arc[0] >= 0 else nearest, sided)

    def over(self, places: Sequence[_Place], time_s: int) -> _Way:
        """Best way over all places: one search from stop to stop, passing what lies between."""
        ends = [0, *(k + 1 for k, stops in enumerate(self.wishes.stops) if stops), len(places) - 1]
        paths: list[StreetPath] = []
        for first, last in itertools.pairwise(ends):
            current_deadline().check()
            found = self._stretch(places[first : last + 1], time_s)
            time_s += sum(self._duration_s(path) for path in found)
            paths += found
        return self._measured(tuple(paths))

    def alternatives(self, places: Sequence[_Place], time_s: int, count: int) -> list[_Way]:
        """Best way between two places and sensible others."""
        metric = self._search_metric(time_s)
        if metric.weights is None:
            raise Unimplemented(
                f"max_alternatives: no alternatives are known for {self.mode.name.lower()}; leave it out",
                field="max_alternatives",
            )
        self._plain = False
        start, end = places
        found = self.street.alternatives(metric, start.snap, 0, end.snap, 0, AlternativeLimits(count=count))
        if not found:
            return [self.over(places, time_s)]
        ways = []
        for one in found:
            way = self._measured((self._timed(one.path, time_s),))
            ways.append(_Way(way.paths, way.cost, way.toll_m, way.avoided_m, one.shared))
        return ways

    def add(self, response: route_pb2.PlanRouteResponse, way: _Way, places: Sequence[_Place], time_s: int, rank: int) -> None:
        """Add a way to the answer."""
        legs: list[Leg] = []
        for path, start, end in zip(way.paths, places, places[1:], strict=False):
            arrival_s = time_s + self._duration_s(path)
            free_s = self._free_flow_s(path, start, end, time_s)
            legs.append(path_leg(path, self.mode, (start.point, end.point), time_s, arrival_s, free_flow_s=free_s))
            time_s = arrival_s
        itinerary = Itinerary(JOURNEY_KINDS.get(self.mode, JourneyMode.CAR), tuple(legs))
        message = itinerary_to_proto(itinerary, lambda *_: ())
        if rank:
            arcs = b"".join(path.arcs.tobytes() for path in way.paths)
            message.itinerary_id += f"-{hashlib.sha256(arcs).hexdigest()[:8]}"
        for leg, path, end in zip(message.legs, way.paths, places[1:], strict=True):
            instructions = build_instructions(path, self.mode, self.wishes.language, self._side(path, end))
            leg.instructions.extend(instruction_to_proto(one, path) for one in instructions)
        response.routes.append(message)
        response.figures.add(
            duration_s=itinerary.duration_s, distance_m=message.distance_m, co2_g=itinerary.co2_g,
            toll_distance_m=way.toll_m, avoided_distance_m=way.avoided_m, cost=way.cost, shared=way.shared,
        )  # fmt: skip

    def _stretch(self, places: Sequence[_Place], time_s: int) -> list[StreetPath]:
        """Ways from place to place without a stop in between."""
        search = self._search_metric(time_s)
        found = self._search(search, places)
        if found is None and not self.wishes.quickest:
            found = self._search(self._times(time_s), places)
        if found is None:
            zones = VehicleZones.of(self.view, self.mode, time_s, self.wanted, live=self.live)
            if self.emission is not None:
                zones.check((place.field, place.snap) for place in places)
            start, end = places[0].field, places[-1].field
            raise Unreachable(f"there is no way for {self.mode.name.lower()} from {start} to {end}", field=end)
        return [self._timed(path, time_s) for path in found]

    def _search(self, metric: StreetMetric, places: Sequence[_Place]) -> Sequence[StreetPath] | None:
        if len(places) == 2:
            path = self.street.find_route(metric, places[0].snap, 0, places[1].snap, 0)
            return None if path is None else (path,)
        way = self.street.find_way(metric, _joined([place.snap for place in places]))
        return None if way is None else way.legs

    def _times(self, time_s: int) -> StreetMetric:
        return self.view.metric(self.mode, time_s, live=self.live, emission=self.emission)

    def _cost(self, time_s: int) -> CostMetric:
        times = self._times(time_s)
        if id(times) not in self._costs:
            metrics = self.view.street_times(live=self.live and self.mode in MOTOR_MODES)
            costs = self.wishes.weights, self.wishes.avoidance
            self._costs[id(times)] = metrics.cost(self.mode, time_s, *costs, self.emission)
        return self._costs[id(times)]

    def _search_metric(self, time_s: int) -> StreetMetric:
        return self._times(time_s) if self.wishes.quickest else self._cost(time_s).search

    def _timed(self, path: StreetPath, time_s: int) -> StreetPath:
        """The path with its real time where it was chosen by another cost."""
        return path if self.wishes.quickest else self.street.measure(self._cost(time_s), path).path

    def _measured(self, paths: tuple[StreetPath, ...]) -> _Way:
        flags = self.street.graph.arc_flags
        toll_m = sum(float(path.arc_length_m[(flags[path.arcs] & ARC_TOLL) != 0].sum()) for path in paths)
        if self.wishes.quickest:
            return _Way(paths, sum(path.time_ms for path in paths) / 1000.0, toll_m, 0.0)
        costs = next(iter(self._costs.values()))
        avoided_m = sum(float(path.arc_length_m[costs.avoided[path.arcs]].sum()) for path in paths)
        weights = self.wishes.weights
        co2_g = sum(driving_co2_g(self.mode, path.arc_length_m, path.arc_time_ms, path.time_ms) for path in paths)
        price = weights.per_s * sum(path.time_ms for path in paths) / 1000.0
        price += weights.per_km * sum(path.length_m for path in paths) / 1000.0
        price += weights.per_kg_co2 * co2_g / 1000.0 + weights.per_toll_km * toll_m / 1000.0
        return _Way(paths, price, toll_m, avoided_m)

    def _duration_s(self, path: StreetPath) -> int:
        return math.ceil(path.time_ms / (1000 * self.factor))

    def _free_flow_s(self, path: StreetPath, start: _Place, end: _Place, time_s: int) -> int | None:
        """Time without traffic, for motor vehicles: of the quickest way, or of this one if chosen by something else."""
        if self.mode not in MOTOR_MODES:
            return None
        metric = self.view.metric(self.mode, time_s, live=False, emission=self.emission)
        if not self._plain:
            return round(timed_path(self.street.graph, metric, path).time_ms / 1000)
        times = self.street.one_to_many(metric, start.snap, 0, end.snap)
        return round((path.time_ms if int(times[0]) == UNREACHABLE_MS else int(times[0])) / 1000)

    def _side(self, path: StreetPath, place: _Place) -> int:
        """Side of a place as seen on arrival: 1 right, -1 left, 0 not known."""
        arc, last = int(place.sided.arc[0]), int(path.arcs[-1])
        if arc < 0 or last not in (arc, int(self.street.graph.arc_reverse[arc])):
            return 0
        return side_on_arrival(path, arc, int(place.sided.side[0]))


def _joined(snaps: Sequence[Snaps]) -> Snaps:
    """Positions one after the other."""
    columns = ("arc", "fraction", "distance_m", "lat_deg", "lon_deg", "side", "directed")
    return Snaps(*(np.concatenate([getattr(snap, column) for snap in snaps]) for column in columns))

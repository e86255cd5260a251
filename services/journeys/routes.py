"""PlanRoute: ways on the street network, over places in between, by any cost, with alternatives and instructions."""

import hashlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import route_pb2

from routing.errors import Unreachable
from routing.model.emissions import driving_co2_g
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.street_graph import ARC_TOLL
from routing.multimodal.model import Itinerary, JourneyMode, JourneyRequest, Leg, Point, TrafficBasis
from routing.multimodal.street_legs import path_leg
from routing.street.access_rules import EmissionClass
from routing.street.alternatives import AlternativeLimits
from routing.street.api import CostMetric, SnapHints, Snaps, StreetEngine, StreetMetric, StreetPath, TimedStreets
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
GOODS_MODES = {StreetMode.VAN: pb.MODE_VAN, StreetMode.TRUCK: pb.MODE_TRUCK}
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
class _Part:
    """A way from one place to the next, and what its time stands on; None for modes that no traffic slows."""

    path: StreetPath
    traffic: TrafficBasis | None


@dataclass(frozen=True, slots=True)
class _Way:
    """One way: when it begins, its parts from place to place, whose line and time are those of the street, and figures."""

    depart_s: int
    parts: tuple[_Part, ...]
    cost: float
    toll_m: float
    avoided_m: float
    shared: float = 1.0

    @property
    def arcs(self) -> npt.NDArray[np.int32]:
        """Arcs of all parts."""
        return np.concatenate([part.path.arcs for part in self.parts])

    @property
    def lasting_s(self) -> float:
        """Time under way."""
        return sum(part.path.time_ms for part in self.parts) / 1000.0


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
    arrive_by = request.arrive_by_unix_s > 0
    time_s = request.arrive_by_unix_s or request.depart_at_unix_s or now_s
    fields = ["origin", *(f"via[{k}]" for k in range(len(request.via))), "destination"]
    locations: list[geo_pb2.Location] = [request.origin, *request.via, request.destination]
    points = [view.places.resolve(location, field) for location, field in zip(locations, fields, strict=True)]
    factor = preferences(JourneyRequest(points[0], points[0], time_s), request.preferences, ()).speed_factor(mode)
    live = not request.ignore_realtime
    zones = VehicleZones.of(view, mode, time_s, request.preferences, live=live)
    vehicle = zones.emission, request.preferences
    planning = _Planning(view, mode, wishes, factor, vehicle, live=live, arrive_by=arrive_by)
    stopping = [False, *wishes.stops, True]
    places = [planning.place(*place) for place in zip(points, fields, stopping, strict=True)]
    with fields_of_wishes(wishes):
        if request.max_alternatives:
            ways = planning.alternatives(places, time_s, AlternativeLimits(count=request.max_alternatives))
        else:
            ways = [planning.over(places, time_s)]
    open_arcs = planning.without_zones().arcs_of(places, time_s) if zones.closed else None
    response = route_pb2.PlanRouteResponse()
    for k, way in enumerate(ways):
        planning.add(response, way, places, k)
        note(response.routes[k], zones.remarks(way.arcs, open_arcs))
    return response


class _Planning:
    """One request on one view; times given to its methods are departures, or arrivals (`arrive_by`)."""

    def __init__(
        self, view: JourneyView, mode: StreetMode, wishes: RouteWishes, factor: float,
        vehicle: tuple[EmissionClass | None, pb.TravelPreferences], *, live: bool, arrive_by: bool,
    ) -> None:  # fmt: skip
        self.view, self.mode, self.wishes, self.factor, self.live = view, mode, wishes, factor, live
        self.emission, self.wanted = vehicle
        self.arrive_by = arrive_by
        self.network = view.network if live else view.schedule_only
        self.street: StreetEngine = self.network.street
        self._costs: dict[int, CostMetric] = {}
        self._plain = wishes.quickest and all(wishes.stops)

    def without_zones(self) -> "_Planning":
        """The same request if there were no zones."""
        vehicle = None, self.wanted
        return _Planning(self.view, self.mode, self.wishes, self.factor, vehicle, live=self.live, arrive_by=self.arrive_by)

    def arcs_of(self, places: Sequence["_Place"], time_s: int) -> npt.NDArray[np.int32] | None:
        """Arcs of the best way over all places, None if there is none."""
        try:
            return self.over(places, time_s).arcs
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
        """Best way over all places, searched from stop to stop, passing what lies between; the last one first for arrivals."""
        ends = [0, *(k + 1 for k, stops in enumerate(self.wishes.stops) if stops), len(places) - 1]
        stretches, parts, paths = list(itertools.pairwise(ends)), list[_Part](), list[StreetPath]()
        now_s = time_s
        for first, last in reversed(stretches) if self.arrive_by else stretches:
            current_deadline().check()
            found = self._stretch(places[first : last + 1], now_s)
            if self.arrive_by:
                now_s = self._left_s(found, now_s)
                paths = [*found, *paths]
            else:
                parts += self._onward(found, now_s)
                now_s = time_s + sum(self._duration_s(part.path) for part in parts)
        return self._measured(now_s, self._onward(paths, now_s)) if self.arrive_by else self._measured(time_s, parts)

    def alternatives(self, places: Sequence[_Place], time_s: int, limits: AlternativeLimits) -> list[_Way]:
        """Best way between two places and sensible others."""
        metric = self._search_metric(time_s)
        if metric.weights is None:
            raise Unimplemented(
                f"max_alternatives: no alternatives are known for {self.mode.name.lower()}; leave it out",
                field="max_alternatives",
            )
        self._plain = False
        start, end = places
        found = self.street.alternatives(metric, start.snap, 0, end.snap, 0, limits)
        predicted = self.wishes.quickest and self._find_timed(time_s) is not None
        ways = [self.over(places, time_s)] if predicted or not found else []
        for one in found:
            path = self._with_times(one.path, time_s)
            depart_s = self._left_s([path], time_s) if self.arrive_by else time_s
            way = self._measured(depart_s, self._onward([path], depart_s))
            if not predicted:
                ways.append(replace(way, shared=one.shared))
                continue
            shared, longest_s = _share_of_first(way, ways), (1.0 + limits.stretch) * ways[0].lasting_s
            if len(ways) <= limits.count and shared <= limits.shared and way.lasting_s <= longest_s:
                ways.append(replace(way, shared=shared))
        return ways

    def add(self, response: route_pb2.PlanRouteResponse, way: _Way, places: Sequence[_Place], rank: int) -> None:
        """Add a way to the answer."""
        legs: list[Leg] = []
        time_s = way.depart_s
        for part, start, end in zip(way.parts, places, places[1:], strict=False):
            arrival_s = time_s + self._duration_s(part.path)
            free_s = self._free_flow_s(part.path, start, end, time_s)
            ends = start.point, end.point
            legs.append(path_leg(part.path, self.mode, ends, time_s, arrival_s, free_flow_s=free_s, traffic=part.traffic))
            time_s = arrival_s
        itinerary = Itinerary(JOURNEY_KINDS.get(self.mode, JourneyMode.CAR), tuple(legs))
        message = itinerary_to_proto(itinerary, lambda *_: ())
        if self.mode in GOODS_MODES:  # journeys know cars only
            message.itinerary_id += f"-{self.mode.name.lower()}"
            for leg in message.legs:
                leg.mode = GOODS_MODES[self.mode]
        if rank:
            arcs = b"".join(part.path.arcs.tobytes() for part in way.parts)
            message.itinerary_id += f"-{hashlib.sha256(arcs).hexdigest()[:8]}"
        for leg, part, end in zip(message.legs, way.parts, places[1:], strict=True):
            instructions = build_instructions(part.path, self.mode, self.wishes.language, self._side(part.path, end))
            leg.instructions.extend(instruction_to_proto(one, part.path) for one in instructions)
        response.routes.append(message)
        response.figures.add(
            duration_s=itinerary.duration_s, distance_m=message.distance_m, co2_g=itinerary.co2_g,
            toll_distance_m=way.toll_m, avoided_distance_m=way.avoided_m, cost=way.cost, shared=way.shared,
        )  # fmt: skip

    def _stretch(self, places: Sequence[_Place], time_s: int) -> list[StreetPath]:
        """Ways from place to place without a stop in between."""
        timed = self._find_timed(time_s) if self.wishes.quickest and len(places) == 2 else None
        found: Sequence[StreetPath] | None
        if timed is not None:
            search = timed.arrive_by if self.arrive_by else timed.leave_at
            way = search(places[0].snap, 0, places[1].snap, 0, time_s)
            found = None if way is None else [way.path]
        else:
            found = self._frozen(places, time_s)
            if found is not None and self.arrive_by and self.mode in MOTOR_MODES:
                found = self._frozen(places, time_s - sum(self._duration_s(path) for path in found))
        if found is None:
            zones = VehicleZones.of(self.view, self.mode, time_s, self.wanted, live=self.live)
            if self.emission is not None:
                zones.check((place.field, place.snap) for place in places)
            start, end = places[0].field, places[-1].field
            raise Unreachable(f"there is no way for {self.mode.name.lower()} from {start} to {end}", field=end)
        return list(found)

    def _frozen(self, places: Sequence[_Place], time_s: int) -> list[StreetPath] | None:
        """Ways by the metric of one departure."""
        found = self._search(self._search_metric(time_s), places)
        if found is None and not self.wishes.quickest:
            found = self._search(self._times(time_s), places)
        return None if found is None else [self._with_times(path, time_s) for path in found]

    def _onward(self, paths: Sequence[StreetPath], depart_s: int) -> list[_Part]:
        """Paths one after the other from a departure on, by the traffic along the way where it is known."""
        parts = []
        basis = self.network.car_basis if self.mode in MOTOR_MODES else None
        for path in paths:
            timed = self._find_timed(depart_s)
            way = None if timed is None else timed.retimed(path, depart_s)
            parts.append(_Part(path, basis) if way is None else _Part(way.path, TrafficBasis.PREDICTED))
            depart_s += self._duration_s(parts[-1].path)
        return parts

    def _left_s(self, paths: Sequence[StreetPath], deadline_s: int) -> int:
        """When one has to leave to have travelled paths by a deadline."""
        for path in reversed(paths):
            timed = self._find_timed(deadline_s)
            way = None if timed is None else timed.retimed_back(path, deadline_s)
            deadline_s = deadline_s - self._duration_s(path) if way is None else way.depart_ms // 1000
        return deadline_s

    def _find_timed(self, time_s: int) -> TimedStreets | None:
        return self.view.find_timed(self.mode, time_s, live=self.live, emission=self.emission)

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

    def _with_times(self, path: StreetPath, time_s: int) -> StreetPath:
        """The path with its real time where it was chosen by another cost."""
        return path if self.wishes.quickest else self.street.measure(self._cost(time_s), path).path

    def _measured(self, depart_s: int, parts: Sequence[_Part]) -> _Way:
        flags, paths = self.street.graph.arc_flags, [part.path for part in parts]
        toll_m = sum(float(path.arc_length_m[(flags[path.arcs] & ARC_TOLL) != 0].sum()) for path in paths)
        if self.wishes.quickest:
            return _Way(depart_s, tuple(parts), sum(path.time_ms for path in paths) / 1000.0, toll_m, 0.0)
        costs = next(iter(self._costs.values()))
        avoided_m = sum(float(path.arc_length_m[costs.avoided[path.arcs]].sum()) for path in paths)
        weights = self.wishes.weights
        co2_g = sum(driving_co2_g(self.mode, path.arc_length_m, path.arc_time_ms, path.time_ms) for path in paths)
        price = weights.per_s * sum(path.time_ms for path in paths) / 1000.0
        price += weights.per_km * sum(path.length_m for path in paths) / 1000.0
        price += weights.per_kg_co2 * co2_g / 1000.0 + weights.per_toll_km * toll_m / 1000.0
        return _Way(depart_s, tuple(parts), price, toll_m, avoided_m)

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


def _share_of_first(way: _Way, before: Sequence[_Way]) -> float:
    """Share of the first way's time that `way` has in common with the ways before it."""
    seen = np.concatenate([part.path.arcs for one in before for part in one.parts])
    common_ms = sum(float(part.path.arc_time_ms[np.isin(part.path.arcs, seen)].sum()) for part in way.parts)
    return min(common_ms / max(1000.0 * before[0].lasting_s, 1.0), 1.0)


def _joined(snaps: Sequence[Snaps]) -> Snaps:
    """Positions one after the other."""
    columns = ("arc", "fraction", "distance_m", "lat_deg", "lon_deg", "side", "directed")
    return Snaps(*(np.concatenate([getattr(snap, column) for snap in snaps]) for column in columns))

"""Requests → what the planner is asked. Pure."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import plan_pb2, tour_pb2

import routing.errors
from routing.multimodal.model import JourneyMode, JourneyRequest, Point
from routing.multimodal.tour import TourRequest, TourVisit
from routing.multimodal.visit_order import MANDATORY
from routing.street.access_rules import EmissionClass
from routing.street.profiles import DEFAULT_SPEEDS
from services.common.errors import InvalidInput, Unimplemented
from services.journeys.itinerary_mapping import modes_from_proto

DEFAULT_WALK_MPS = 1.3
DEFAULT_MAX_WALK_M = 1500.0
LONGEST_WAY_S = 3600
"""Longest walk all the way where no longest walk is given."""
DEFAULT_MAX_TRANSFERS = 7
DEFAULT_MIN_TRANSFER_S = 60
DEFAULT_ITINERARIES = 5
DEFAULT_WINDOW_S = 3600
DEFAULT_PRIZE_S = 3600
DEFAULT_MIN_FREE_PROBABILITY = 0.5
MAX_WINDOW_S = 6 * 3600

Resolve = Callable[[geo_pb2.Location, str], Point]


def journey_request(request: plan_pb2.PlanJourneysRequest, resolve: Resolve, now_s: int) -> JourneyRequest:
    """Map PlanJourneysRequest.

    Without a time the journey departs now and the next hour is searched; with one, `window_s` decides.
    """
    kind = request.WhichOneof("time")
    time_s = {"depart_at_unix_s": request.depart_at_unix_s, "arrive_by_unix_s": request.arrive_by_unix_s}.get(kind or "", now_s)
    arrive_by = kind == "arrive_by_unix_s"
    if request.window_s > MAX_WINDOW_S:
        raise InvalidInput(f"window_s is {request.window_s}; at most {MAX_WINDOW_S} are searched at once", field="window_s")
    base = JourneyRequest(resolve(request.origin, "origin"), resolve(request.destination, "destination"), time_s)
    return replace(
        preferences(base, request.preferences, request.modes),
        arrive_by=arrive_by,
        window_s=request.window_s or (0 if arrive_by else DEFAULT_WINDOW_S),
        max_itineraries=min(request.max_itineraries or DEFAULT_ITINERARIES, 20),
    )


def criteria(request: plan_pb2.PlanJourneysRequest) -> "list[pb.Criterion.ValueType]":
    """Criteria to order by; raises Unimplemented for fares, which nobody knows yet."""
    if pb.CRITERION_FARE in request.criteria:
        raise Unimplemented(
            "criteria: fares are not known yet; order by time, transfers, walk, CO2 or reliability", field="criteria"
        )
    return list(request.criteria)


def preferences(base: JourneyRequest, wanted: pb.TravelPreferences, modes: "Iterable[pb.Mode.ValueType]") -> JourneyRequest:
    """Lay a traveller's preferences and modes over a request."""
    walk_mps = walking_mps(wanted)
    engine_kmh = DEFAULT_SPEEDS.wheelchair_kmh if wanted.wheelchair else DEFAULT_SPEEDS.foot_kmh
    cycle_mps = wanted.bicycle_speed_mps if wanted.HasField("bicycle_speed_mps") else DEFAULT_SPEEDS.bicycle_kmh / 3.6
    max_walk_m = wanted.max_walk_m if wanted.HasField("max_walk_m") else DEFAULT_MAX_WALK_M
    max_walk_s = max(1, min(7200, round(max_walk_m / walk_mps)))
    transfers = wanted.max_transfers if wanted.HasField("max_transfers") else DEFAULT_MAX_TRANSFERS
    return replace(
        base,
        modes=journey_modes(modes),
        walk_speed_factor=walk_mps / (engine_kmh / 3.6),
        bicycle_speed_factor=cycle_mps / (DEFAULT_SPEEDS.bicycle_kmh / 3.6),
        max_walk_s=max_walk_s,
        max_way_s=max_walk_s if wanted.HasField("max_walk_m") else max(LONGEST_WAY_S, max_walk_s),
        max_transfers=min(7, transfers),
        min_change_s=wanted.min_transfer_s if wanted.HasField("min_transfer_s") else DEFAULT_MIN_TRANSFER_S,
        wheelchair=wanted.wheelchair,
        banned_routes=frozenset(wanted.banned_route_ids),
        route_types=frozenset(wanted.route_types),
    )


def emission_class(wanted: pb.TravelPreferences) -> EmissionClass | None:
    """Emission class of the vehicle, None if it is not given."""
    return EmissionClass(wanted.emission_class - 1) if wanted.emission_class else None


def walking_mps(wanted: pb.TravelPreferences) -> float:
    """Speed on foot; wheelchairs go at the street engine's speed unless one is given."""
    if wanted.HasField("walk_speed_mps"):
        return wanted.walk_speed_mps
    return DEFAULT_SPEEDS.wheelchair_kmh / 3.6 if wanted.wheelchair else DEFAULT_WALK_MPS


@contextlib.contextmanager
def time_given_as(field: str) -> Iterator[None]:
    """Name a time that the engine refuses as the request calls it."""
    try:
        yield
    except routing.errors.InvalidInput as error:
        if error.field != "time_s":
            raise
        raise InvalidInput(str(error), field=field) from None


def journey_modes(modes: "Iterable[pb.Mode.ValueType]") -> frozenset[JourneyMode]:
    """Modes of a request as the planner knows them; raises Unimplemented for the others."""
    wanted = list(modes)
    try:
        return modes_from_proto(wanted)
    except KeyError as error:
        name = pb.Mode.Name(error.args[0])
        raise Unimplemented(
            f"{name} is not planned yet; use WALK, TRANSIT, BICYCLE, CAR or PARK_AND_RIDE", field="modes"
        ) from None


def min_free_probability(wanted: pb.TravelPreferences) -> float:
    """Least probability of a free space."""
    return wanted.min_free_probability if wanted.HasField("min_free_probability") else DEFAULT_MIN_FREE_PROBABILITY


def tour_request(request: tour_pb2.PlanTourRequest, resolve: Resolve, now_s: int) -> TourRequest:
    """Map PlanTourRequest."""
    start = resolve(request.start, "start")
    end = None if request.open_end else resolve(request.end, "end") if request.HasField("end") else start
    depart_s = request.depart_at_unix_s or now_s
    if request.arrive_by_unix_s and request.arrive_by_unix_s <= depart_s:
        raise InvalidInput("arrive_by_unix_s must be after the departure of the tour", field="arrive_by_unix_s")
    visits = tuple(
        TourVisit(
            visit.visit_id,
            replace(resolve(visit.location, f"visits[{k}].location"), name=visit.visit_id),
            visit.duration_s,
            tuple((w.start_unix_s, w.end_unix_s or depart_s + 7 * 86400) for w in visit.windows),
            (visit.prize_s or DEFAULT_PRIZE_S) if visit.optional_visit else MANDATORY,
        )
        for k, visit in enumerate(request.visits)
    )
    base = replace(JourneyRequest(start, start, depart_s), max_itineraries=3)
    return TourRequest(
        start,
        end,
        visits,
        depart_s,
        preferences(base, request.preferences, request.modes),
        request.arrive_by_unix_s or None,
        request.fixed_order,
        request.time_limit_s or 2.0,
    )

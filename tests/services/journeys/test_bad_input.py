"""Wrong requests get the right status, a sentence that helps, and the field at fault."""

from typing import Any

import grpc
import pytest
from traboule.common.v1 import geo_pb2, time_pb2
from traboule.journeys.v1 import departures_pb2, matrix_pb2, places_pb2, plan_pb2, route_pb2, tour_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb

from tests.builders.journeys import MATOSINHOS, TRINDADE, at, plan_request, point, problem_of, stop

PARIS = (48.8566, 2.3522)
SEA = (41.15, -8.80)
YEAR_2030 = at("08:30", "2030-01-01")
HERE, THERE = point(TRINDADE), point(MATOSINHOS)
Journeys, Matrix = plan_pb2.PlanJourneysRequest, matrix_pb2.GetMatrixRequest
Route = route_pb2.PlanRouteRequest
ENDS: dict[str, Any] = {"origin": HERE, "destination": THERE}
Departures = departures_pb2.ListDeparturesRequest
INVALID, MISSING, UNABLE = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED


def visit(name: str, place: tuple[float, float] = MATOSINHOS, **fields: Any) -> tour_pb2.Visit:
    """A visit of half an hour."""
    return tour_pb2.Visit(visit_id=name, location=point(place), duration_s=1800, **fields)


def tour(*visits: tour_pb2.Visit, **fields: Any) -> tour_pb2.PlanTourRequest:
    """A tour at 8:30."""
    fields.setdefault("depart_at_unix_s", at("08:30"))
    return tour_pb2.PlanTourRequest(start=point(TRINDADE), visits=visits, **fields)


CASES: dict[str, tuple[str, Any, grpc.StatusCode, str, str]] = {
    "origin in another country": ("PlanJourneys", plan_request(PARIS), INVALID, "origin", "inside the city"),
    "origin with its coordinates swapped": ("PlanJourneys", plan_request((-8.61, 41.15)), INVALID, "origin", "origin: (-8.61"),
    "latitude for longitude": ("PlanJourneys", plan_request((-8.61, 41.15)), INVALID, "origin", "are latitude and longitude"),
    "destination in the sea": ("PlanJourneys", plan_request(TRINDADE, SEA), INVALID, "destination", "inside the city"),
    "latitude of 95 degrees": ("PlanJourneys", plan_request((95.0, 0.0)), INVALID, "origin.point.lat_deg", ""),
    "longitude that is no number": ("PlanJourneys", plan_request((41.1, float("nan"))), INVALID, "origin.point.lon_deg", ""),
    "departure outside the calendar": (
        "PlanJourneys", plan_request(depart_at_unix_s=YEAR_2030), INVALID, "depart_at_unix_s", "the timetable runs from",
    ),
    "arrival outside the calendar": (
        "PlanJourneys", plan_request(arrive_by_unix_s=YEAR_2030), INVALID, "arrive_by_unix_s", "the timetable runs from",
    ),
    "no origin": ("PlanJourneys", Journeys(destination=HERE), INVALID, "origin", ""),
    "location without a place": (
        "PlanJourneys", Journeys(origin=geo_pb2.Location(), destination=HERE), INVALID, "origin.location", "",
    ),
    "unknown stop": (
        "PlanJourneys", Journeys(origin=stop("stcp:NOPE"), destination=HERE), MISSING, "", "stcp:NOPE",
    ),
    "unknown place": (
        "PlanJourneys", Journeys(origin=geo_pb2.Location(place_id="osm:way/0"), destination=HERE),
        MISSING, "", "SearchPlaces",
    ),
    "unknown banned route": (
        "PlanJourneys", plan_request(preferences=pb.TravelPreferences(banned_route_ids=["stcp:ghost"])), MISSING, "",
        "stcp:ghost",
    ),
    "window too long": ("PlanJourneys", plan_request(window_s=80_000), INVALID, "window_s", "21600"),
    "a time beyond all calendars": (
        "PlanJourneys", plan_request(depart_at_unix_s=2**40, modes=[pb.MODE_CAR]), INVALID, "depart_at_unix_s", "4102444800",
    ),
    "criterion nobody knows": (
        "PlanJourneys", plan_request(criteria=[pb.CRITERION_CO2, pb.CRITERION_FARE]), UNABLE, "", "fares are not known",
    ),
    "alternatives by public transport": ("PlanJourneys", plan_request(max_alternatives=1), UNABLE, "", "max_itineraries"),
    "a departure and an arrival": (
        "PlanRoute", Route(**ENDS, depart_at_unix_s=at("08:00"), arrive_by_unix_s=at("09:00")), INVALID, "", "not both",
    ),
    "alternatives by criteria": (
        "PlanJourneys", plan_request(modes=[pb.MODE_CAR], max_alternatives=1, criteria=[pb.CRITERION_CO2]), INVALID, "criteria",
        "leave criteria out",
    ),
    "alternatives over a place in between": (
        "PlanRoute", Route(**ENDS, via=[HERE], max_alternatives=2), INVALID, "max_alternatives", "between two places only",
    ),
    "too many alternatives": ("PlanRoute", Route(**ENDS, max_alternatives=4), INVALID, "max_alternatives", ""),
    "kinds that do not pair up": (
        "PlanRoute", Route(**ENDS, via_kinds=[Route.VIA_KIND_PASS]), INVALID, "via_kinds", "give one for each",
    ),
    "a street nobody knows": (
        "PlanRoute", Route(**ENDS, avoid=route_pb2.RouteAvoidance(street_names=["Rua das Estrelas Cadentes"])),
        INVALID, "avoid.street_names[0]", "no street is called so",
    ),
    "an area of two corners": (
        "PlanRoute", Route(**ENDS, avoid=route_pb2.RouteAvoidance(polygons=[{"corners": [HERE.point, THERE.point]}])),
        INVALID, "avoid.polygons[0].corners", "",
    ),
    "a circle without a radius": (
        "PlanRoute", Route(**ENDS, avoid=route_pb2.RouteAvoidance(circles=[{"center": HERE.point}])),
        INVALID, "avoid.circles[0].radius_m", "",
    ),
    "least CO2 on foot": (
        "PlanRoute", Route(**ENDS, mode=pb.MODE_WALK, objective=route_pb2.ROUTE_OBJECTIVE_CO2), INVALID, "objective", "nothing",
    ),
    "prices that are all zero": (
        "PlanRoute", Route(**ENDS, weights=route_pb2.RouteCostWeights()), INVALID, "weights", "at least one",
    ),
    "a price below zero": (
        "PlanRoute", Route(**ENDS, weights=route_pb2.RouteCostWeights(per_km=-1.0)), INVALID, "weights.per_km", "",
    ),
    "a language nobody wrote": ("PlanRoute", Route(**ENDS, language="xx"), INVALID, "language", ""),
    "alternatives in a wheelchair": (
        "PlanRoute", Route(**ENDS, mode=pb.MODE_WALK, max_alternatives=1, preferences=pb.TravelPreferences(wheelchair=True)),
        UNABLE, "", "max_alternatives",
    ),
    "mode nobody plans": ("PlanJourneys", plan_request(modes=[pb.MODE_SHARED_BICYCLE]), UNABLE, "", "not planned yet"),
    "route to the sea": (
        "PlanRoute", route_pb2.PlanRouteRequest(origin=HERE, destination=point(SEA)), INVALID, "destination", "for car",
    ),
    "via in another country": (
        "PlanRoute", route_pb2.PlanRouteRequest(origin=HERE, destination=THERE, via=[point(PARIS)]),
        INVALID, "via[0]", "inside the city",
    ),
    "transit route": (
        "PlanRoute", route_pb2.PlanRouteRequest(origin=HERE, destination=THERE, mode=pb.MODE_TRANSIT),
        INVALID, "mode", "",
    ),
    "matrix origin outside": (
        "GetMatrix", Matrix(origins=[HERE, point(PARIS)], destinations=[HERE]),
        INVALID, "origins[1]", "inside the city",
    ),
    "matrix without destinations": ("GetMatrix", Matrix(origins=[HERE]), INVALID, "destinations", ""),
    "matrix outside the calendar": (
        "GetMatrix", Matrix(origins=[HERE], destinations=[THERE], mode=pb.MODE_TRANSIT,
                                                 depart_at_unix_s=YEAR_2030),
        INVALID, "depart_at_unix_s", "the timetable runs from",
    ),
    "isochrone without limits": ("GetIsochrone", matrix_pb2.GetIsochroneRequest(origin=HERE), INVALID, "limits_s", ""),
    "isochrone from the sea": (
        "GetIsochrone", matrix_pb2.GetIsochroneRequest(origin=point(SEA), limits_s=[600]), INVALID, "origin", "inside the city",
    ),
    "departures of an unknown stop": (
        "ListDepartures", Departures(stop_id="metro:0"), MISSING, "", "metro:0",
    ),
    "departures of an unknown route": (
        "ListDepartures", Departures(stop_id="metro:5726", route_ids=["metro:B", "metro:Z"]), MISSING, "", "route_ids[1]",
    ),
    "departures outside the calendar": (
        "ListDepartures", Departures(stop_id="metro:5726", from_unix_s=YEAR_2030), INVALID, "from_unix_s", "",
    ),
    "search for nothing": ("SearchPlaces", places_pb2.SearchPlacesRequest(query=""), INVALID, "query", ""),
    "tour without visits": ("PlanTour", tour(), INVALID, "visits", ""),
    "tour with a visit outside": ("PlanTour", tour(visit("a"), visit("b", PARIS)), INVALID, "visits[1].location", ""),
    "tour with a visit twice": ("PlanTour", tour(visit("a"), visit("a")), INVALID, "visits[1].visit_id", "given twice"),
    "tour with too many visits": ("PlanTour", tour(*(visit(str(k)) for k in range(17))), INVALID, "visits", "1..16"),
    "tour home before it starts": (
        "PlanTour", tour(visit("a"), arrive_by_unix_s=at("08:00")), INVALID, "arrive_by_unix_s", "after the departure",
    ),
    "tour windows that cannot be met": (
        "PlanTour", tour(visit("a", windows=[time_pb2.TimeRange(start_unix_s=at("08:31"), end_unix_s=at("08:32"))])),
        INVALID, "visits", "widen a window",
    ),
    "tour outside the calendar": ("PlanTour", tour(visit("a"), depart_at_unix_s=YEAR_2030), INVALID, "depart_at_unix_s", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_wrong_requests_say_what_is_wrong(stub: Any, name: str) -> None:
    """Status, field and a part of the sentence."""
    method, request, code, field, words = CASES[name]
    problem = await problem_of(getattr(stub, method)(request))
    assert problem.code is code, problem.message
    assert words in problem.message
    assert field in problem.message
    if field:
        assert field in [violation[0] for violation in problem.violations], problem


async def test_a_watch_that_cannot_begin_ends_with_the_reason(stub: Any) -> None:
    """An itinerary nobody offered, and a plan from outside the city."""
    unknown = plan_pb2.WatchJourneyRequest(plan=plan_request(), itinerary_id="nothing")
    problem = await problem_of(anext(aiter(stub.WatchJourney(unknown))))
    assert problem.code is MISSING
    assert "nothing" in problem.message
    outside = plan_pb2.WatchJourneyRequest(plan=plan_request(PARIS))
    assert (await problem_of(anext(aiter(stub.WatchJourney(outside))))).code is INVALID

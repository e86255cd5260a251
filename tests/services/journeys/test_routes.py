"""PlanRoute: alternatives, other costs, what is avoided, places passed, instructions and the side of arrival."""

import math
from typing import Any

import numpy as np
import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import route_pb2

from services.common.polyline import decode
from tests.builders.door_to_door import metres
from tests.builders.journeys import CAMPANHA, MATOSINHOS, TRINDADE, at, plan_request, point

Request = route_pb2.PlanRouteRequest
NAMELESS = {pb.Instruction.KIND_ARRIVE, pb.Instruction.KIND_ARRIVE_LEFT, pb.Instruction.KIND_ARRIVE_RIGHT}


def ask(**wishes: Any) -> route_pb2.PlanRouteRequest:
    """From Trindade to Matosinhos by car at 8:30."""
    wishes = {"origin": point(TRINDADE), "destination": point(MATOSINHOS), "depart_at_unix_s": at("08:30")} | wishes
    return Request(**wishes)


@pytest.mark.parametrize("mode", [pb.MODE_CAR, pb.MODE_BICYCLE, pb.MODE_WALK, pb.MODE_TRUCK])
async def test_alternatives_are_other_ways_and_not_much_longer(stub: Any, mode: pb.Mode.ValueType) -> None:
    """The first is the quickest; the others have ids and lines of their own, and share little enough."""
    answer = await stub.PlanRoute(ask(mode=mode, max_alternatives=3))
    (quickest,) = (await stub.PlanRoute(ask(mode=mode))).routes
    assert answer.routes[0].legs[0].polyline == quickest.legs[0].polyline
    assert 1 <= len(answer.routes) <= 4
    assert len({route.itinerary_id for route in answer.routes}) == len(answer.routes)
    assert len({route.legs[0].polyline.encoded for route in answer.routes}) == len(answer.routes)
    assert len(answer.figures) == len(answer.routes)
    for route, figures in zip(answer.routes[1:], answer.figures[1:], strict=True):
        assert quickest.duration_s <= route.duration_s <= 1.25 * quickest.duration_s + 1
        assert figures.shared <= 0.8


@pytest.mark.parametrize("mode", [pb.MODE_CAR, pb.MODE_VAN, pb.MODE_TRUCK])
async def test_legs_have_the_mode_that_was_asked_for(stub: Any, mode: pb.Mode.ValueType) -> None:
    """Vans and trucks are no cars; their ways have ids of their own."""
    (way,) = (await stub.PlanRoute(ask(mode=mode))).routes
    (car,) = (await stub.PlanRoute(ask())).routes
    assert {leg.mode for leg in way.legs} == {mode}
    assert (way.itinerary_id == car.itinerary_id) == (mode == pb.MODE_CAR)


async def test_a_car_has_an_alternative_to_matosinhos(stub: Any) -> None:
    """There are many ways across the city."""
    assert len((await stub.PlanRoute(ask(max_alternatives=2))).routes) >= 2


@pytest.mark.parametrize("mode", [pb.MODE_CAR, pb.MODE_BICYCLE])
async def test_journeys_on_streets_have_the_same_alternatives(stub: Any, mode: pb.Mode.ValueType) -> None:
    """The first has the id and times of the only journey otherwise; geometry may be left out; a long walk is none."""
    routes = (await stub.PlanRoute(ask(mode=mode, max_alternatives=2))).routes
    answer = await stub.PlanJourneys(plan_request(modes=[mode], max_alternatives=2))
    (only,) = (await stub.PlanJourneys(plan_request(modes=[mode]))).itineraries
    assert [one.itinerary_id for one in answer.itineraries] == [route.itinerary_id for route in routes]
    assert len(answer.itineraries) >= 2
    assert answer.itineraries[0].itinerary_id == only.itinerary_id
    assert answer.itineraries[0].arrival_unix_s == only.arrival_unix_s
    bare = await stub.PlanJourneys(plan_request(modes=[mode], max_alternatives=2, omit_geometry=True))
    assert not any(leg.steps or leg.polyline.encoded for one in bare.itineraries for leg in one.legs)
    walks = await stub.PlanJourneys(plan_request(modes=[pb.MODE_WALK], max_alternatives=2))
    assert not walks.itineraries
    assert walks.notices


async def test_each_cost_is_least_where_it_is_asked_for(stub: Any) -> None:
    """Quickest, shortest and least CO2: none beats another in its own figure; figures agree with the itinerary."""
    names = {"duration_s": "TIME", "distance_m": "DISTANCE", "co2_g": "CO2"}
    found = {}
    for field, name in names.items():
        answer = await stub.PlanRoute(ask(objective=getattr(route_pb2, f"ROUTE_OBJECTIVE_{name}")))
        (found[field],) = answer.figures
        assert answer.routes[0].co2_g == pytest.approx(answer.figures[0].co2_g)
        assert answer.routes[0].distance_m == pytest.approx(answer.figures[0].distance_m)
    for field in names:
        best = getattr(found[field], field)
        assert all(best <= getattr(other, field) * 1.001 + 1 for other in found.values()), field
    assert found["distance_m"].distance_m < found["duration_s"].distance_m
    assert found["distance_m"].cost == pytest.approx(found["distance_m"].distance_m / 1000)
    assert found["co2_g"].cost == pytest.approx(found["co2_g"].co2_g / 1000)


async def test_a_weighted_sum_is_the_price_of_what_the_way_takes(stub: Any) -> None:
    """Seconds and kilometres; it lies between the quickest and the shortest."""
    weights = route_pb2.RouteCostWeights(per_s=1.0, per_km=60.0)
    (figures,) = (await stub.PlanRoute(ask(weights=weights))).figures
    assert figures.cost == pytest.approx(figures.duration_s + 60.0 * figures.distance_m / 1000, abs=1.0)


async def test_what_is_avoided_is_kept_away_from(stub: Any) -> None:
    """A circle in the middle of the quickest way, motorways, and a street by its name."""
    (route,) = (await stub.PlanRoute(ask())).routes
    line = decode(route.legs[0].polyline.encoded)
    middle = line[len(line) // 2]
    circle = route_pb2.AvoidedCircle(center={"lat_deg": middle[0], "lon_deg": middle[1]}, radius_m=150.0)
    answer = await stub.PlanRoute(ask(avoid=route_pb2.RouteAvoidance(circles=[circle])))
    assert answer.figures[0].avoided_distance_m == 0.0
    assert answer.figures[0].duration_s > route.duration_s
    assert min(metres(at_, middle) for at_ in decode(answer.routes[0].legs[0].polyline.encoded)) > 145.0
    longest = max((step for step in route.legs[0].steps if step.street_name), key=lambda step: step.distance_m)
    named = route_pb2.RouteAvoidance(street_names=[longest.street_name.upper()])
    (other,) = (await stub.PlanRoute(ask(avoid=named))).routes
    assert longest.street_name not in {step.street_name for step in other.legs[0].steps}
    half = 0.001
    corners = [(middle[0] + y, middle[1] + x) for y, x in ((half, half), (half, -half), (-half, -half), (-half, half))]
    area = route_pb2.AvoidedPolygon(corners=[{"lat_deg": lat, "lon_deg": lon} for lat, lon in corners])
    (figures,) = (await stub.PlanRoute(ask(avoid=route_pb2.RouteAvoidance(polygons=[area], motorways=True)))).figures
    assert figures.avoided_distance_m == 0.0


async def test_who_starts_inside_what_is_avoided_gets_out(stub: Any) -> None:
    """The metres inside are said, and they are few."""
    circle = route_pb2.AvoidedCircle(center={"lat_deg": TRINDADE[0], "lon_deg": TRINDADE[1]}, radius_m=300.0)
    (figures,) = (await stub.PlanRoute(ask(avoid=route_pb2.RouteAvoidance(circles=[circle])))).figures
    assert 0.0 < figures.avoided_distance_m < 2_000.0


async def test_passing_is_no_quicker_than_stopping_and_does_not_turn_round(stub: Any) -> None:
    """One leg for each part; who passes goes on from where, and along the street, on which they came."""
    via = [point(CAMPANHA)]
    (stopped,) = (await stub.PlanRoute(ask(via=via, via_kinds=[Request.VIA_KIND_STOP]))).routes
    (default,) = (await stub.PlanRoute(ask(via=via))).routes
    (passed,) = (await stub.PlanRoute(ask(via=via, via_kinds=[Request.VIA_KIND_PASS]))).routes
    assert [leg.polyline for leg in stopped.legs] == [leg.polyline for leg in default.legs]
    assert passed.duration_s >= stopped.duration_s - 1
    first, second = (decode(leg.polyline.encoded) for leg in passed.legs)
    assert metres(first[-1], second[0]) < 2.0
    back, ahead = (next(at_ for at_ in line if metres(at_, first[-1]) > 8.0) for line in (first[::-1], second))
    before, after = heading([back, first[-1]]), heading([first[-1], ahead])
    assert abs((before - after + 180.0) % 360.0 - 180.0) < 135.0, "it turns round"


async def test_passed_places_can_be_priced_too(stub: Any) -> None:
    """The shortest way over a place that is passed is not longer than the quickest over it."""
    wishes: dict[str, Any] = {"via": [point(CAMPANHA)], "via_kinds": [Request.VIA_KIND_PASS]}
    (quickest,) = (await stub.PlanRoute(ask(**wishes))).figures
    (shortest,) = (await stub.PlanRoute(ask(**wishes, objective=route_pb2.ROUTE_OBJECTIVE_DISTANCE))).figures
    assert shortest.distance_m <= quickest.distance_m + 1.0
    assert shortest.duration_s >= quickest.duration_s - 2


@pytest.mark.parametrize(("language", "word"), [("", "Siga"), ("pt", "Siga"), ("en", "Head"), ("fr", "Partez")])
async def test_instructions_speak_the_language_asked_for(stub: Any, language: str, word: str) -> None:
    """Without one, the first of the city's languages; they cover the whole way and end in the arrival."""
    (route,) = (await stub.PlanRoute(ask(language=language))).routes
    leg = route.legs[0]
    assert leg.instructions[0].kind == pb.Instruction.KIND_DEPART
    assert word in leg.instructions[0].text
    assert leg.instructions[-1].kind in NAMELESS
    assert all(one.kind != pb.Instruction.KIND_UNSPECIFIED and one.text for one in leg.instructions)
    assert sum(one.distance_m for one in leg.instructions) == pytest.approx(leg.distance_m, rel=0.001)


async def test_by_the_kerb_one_arrives_with_the_place_on_the_right(stub: Any) -> None:
    """Twenty places beside streets: Porto drives on the right, so none lies on the left; without the wish some do."""
    rng = np.random.default_rng(7)
    arrivals: dict[bool, list[int]] = {False: [], True: []}
    for _ in range(20):
        place = (CAMPANHA[0] + rng.uniform(-0.01, 0.01), CAMPANHA[1] + rng.uniform(-0.01, 0.01))
        plain = None
        for kerb in (False, True):
            (route,) = (await stub.PlanRoute(ask(destination=point(place), kerb_approach=kerb))).routes
            arrivals[kerb].append(route.legs[0].instructions[-1].kind)
            plain = route if plain is None else plain
            assert route.duration_s >= plain.duration_s - 15
    left, right = pb.Instruction.KIND_ARRIVE_LEFT, pb.Instruction.KIND_ARRIVE_RIGHT
    assert arrivals[True].count(right) > arrivals[False].count(right)
    assert arrivals[True].count(left) < arrivals[False].count(left)


async def test_by_the_kerb_one_leaves_with_the_place_on_the_right(stub: Any) -> None:
    """Of twenty places; those on the far side of a one-way street cannot be left otherwise."""
    rng = np.random.default_rng(7)
    right: dict[bool, int] = {False: 0, True: 0}
    for _ in range(20):
        place = (CAMPANHA[0] + rng.uniform(-0.01, 0.01), CAMPANHA[1] + rng.uniform(-0.01, 0.01))
        for kerb in (False, True):
            (route,) = (await stub.PlanRoute(ask(origin=point(place), kerb_departure=kerb))).routes
            line = decode(route.legs[0].polyline.encoded)
            off = next((k for k in range(1, len(line)) if metres(line[k], line[0]) > 5.0), 1)
            turn = (heading([line[0], place]) - heading([line[0], line[off]]) + 180.0) % 360.0 - 180.0
            right[kerb] += turn > 0.0
    assert right[True] >= right[False] + 3, right


def heading(line: list[tuple[float, float]]) -> float:
    """Bearing of a stretch, degrees."""
    (lat, lon), (to_lat, to_lon) = line
    return math.degrees(math.atan2((to_lon - lon) * math.cos(math.radians(lat)), to_lat - lat))

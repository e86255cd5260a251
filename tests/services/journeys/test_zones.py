"""Zones by the service: who keeps out, who is told, which place cannot be reached; hours, holidays and class decide."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from traboule.common.v1 import vehicle_pb2
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import matrix_pb2, plan_pb2, route_pb2, tour_pb2
from traboule.journeys.v1.journeys_service_pb2_grpc import JourneysServiceStub

from services.common.polyline import decode
from services.journeys.keeper import ViewKeeper
from tests.builders.journeys import at, journeys_stub, point, problem_of, standing_clock
from tests.builders.zoned_town import build_zoned_town, middle

CLEAN, DIRTY = vehicle_pb2.EMISSION_CLASS_3, vehicle_pb2.EMISSION_CLASS_4
UNKNOWN = vehicle_pb2.EMISSION_CLASS_UNSPECIFIED
AVOIDED, ENTERED = vehicle_pb2.ZoneRemark.EFFECT_AVOIDED, vehicle_pb2.ZoneRemark.EFFECT_ENTERED
TUESDAY, EARLY, SATURDAY, HOLIDAY = at("10:00"), at("07:59"), at("10:00", "2026-08-01"), at("10:00", "2027-06-10")


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> ViewKeeper:
    """Views of the town with a zone."""
    return ViewKeeper(build_zoned_town(tmp_path_factory.mktemp("zones")), standing_clock())


@pytest.fixture
async def stub(keeper: ViewKeeper, tmp_path: Path) -> AsyncIterator[JourneysServiceStub]:
    """A real server."""
    async with journeys_stub(keeper, standing_clock(), tmp_path) as found:
        yield found


def route(emission: int, depart_s: int = TUESDAY, to: str = "CD", **wishes: Any) -> route_pb2.PlanRouteRequest:
    """From the west to the east of the main street."""
    wishes = {"origin": point(middle("AB")), "destination": point(middle(to)), "depart_at_unix_s": depart_s} | wishes
    request = route_pb2.PlanRouteRequest(**wishes)
    request.preferences.emission_class = emission  # type: ignore[assignment]
    return request


def is_round(itinerary: pb.Itinerary) -> bool:
    """Whether the way leads over the north."""
    return max(lat for leg in itinerary.legs for lat, _ in decode(leg.polyline.encoded)) > 41.152


@pytest.mark.parametrize(
    ("emission", "depart_s", "mode", "expected"),
    [
        (CLEAN, TUESDAY, pb.MODE_CAR, ()),
        (DIRTY, TUESDAY, pb.MODE_CAR, (AVOIDED,)),
        (DIRTY, TUESDAY, pb.MODE_VAN, (AVOIDED,)),
        (DIRTY, TUESDAY, pb.MODE_TRUCK, ()),
        (DIRTY, TUESDAY, pb.MODE_BICYCLE, ()),
        (DIRTY, EARLY, pb.MODE_CAR, ()),
        (DIRTY, SATURDAY, pb.MODE_CAR, ()),
        (DIRTY, HOLIDAY, pb.MODE_CAR, ()),
        (DIRTY, HOLIDAY + 86_400, pb.MODE_CAR, (AVOIDED,)),
        (UNKNOWN, TUESDAY, pb.MODE_CAR, (ENTERED,)),
        (UNKNOWN, SATURDAY, pb.MODE_CAR, ()),
    ],
)
async def test_who_keeps_out_when(stub: Any, emission: int, depart_s: int, mode: Any, expected: tuple[int, ...]) -> None:
    """By class, kind, hour, day of the week and holiday; answers name the zone."""
    answer = await stub.PlanRoute(route(emission, depart_s, mode=mode))
    (way,) = answer.routes
    assert tuple(zone.effect for zone in way.zones) == expected
    assert is_round(way) == (expected == (AVOIDED,))
    if expected:
        zone = way.zones[0]
        assert (zone.zone_id, zone.name, zone.closed_from, zone.hours) == (
            "centre", "Centre", vehicle_pb2.EMISSION_CLASS_4, "Mo-Fr 08:00-20:00; PH off",
        )  # fmt: skip
        assert "the zone Centre, which is closed to class 4 and dirtier (Mo-Fr 08:00-20:00; PH off)" in way.notices[0]


@pytest.mark.parametrize(
    ("midnight", "closed"),
    [
        (at("00:00", "2026-07-26"), [False, False, True, True, False, False, False]),
        (at("00:00", "2026-10-25"), [False, False, True, True, True, True, False]),  # two o'clock is one o'clock again
        (at("00:00", "2026-03-29"), [False, False, False, False, False, False, False]),  # one o'clock is two o'clock
    ],
)
async def test_nights_when_clocks_change(stub: Any, midnight: int, closed: list[bool]) -> None:
    """A zone closed to all trucks from one to two: both times where that hour comes twice, never where it is left out."""
    ways = [(await stub.PlanRoute(route(UNKNOWN, midnight + 1800 * k, mode=pb.MODE_TRUCK))).routes[0] for k in range(7)]
    assert [is_round(way) for way in ways] == closed
    assert [[zone.zone_id for zone in way.zones] for way in ways] == [["night"] * shut for shut in closed]


async def test_a_zone_that_closes_while_one_is_on_the_way(stub: Any) -> None:
    """Every stretch from stop to stop looks at the clock of its own departure, and the error names its end."""
    late = at("08:00") - 10
    via = {"via": [point((41.1500, -8.6225))], "origin": point(middle("AG"))}
    problem = await problem_of(stub.PlanRoute(route(DIRTY, late, to="BC", **via)))
    assert problem.message.startswith("destination lies in the zone Centre")
    assert (await stub.PlanRoute(route(DIRTY, late - 300, to="BC", **via))).routes


async def test_other_costs_places_passed_and_alternatives_keep_out_too(stub: Any) -> None:
    """The shortest way, one over a place in the west, and all alternatives."""
    for wishes in (
        {"objective": route_pb2.ROUTE_OBJECTIVE_DISTANCE},
        {"objective": route_pb2.ROUTE_OBJECTIVE_CO2},
        {"via": [point(middle("BE"))]},
        {"max_alternatives": 2},
        {"ignore_realtime": True},
    ):
        ways = (await stub.PlanRoute(route(DIRTY, **wishes))).routes
        assert ways
        assert all(is_round(way) for way in ways)
    assert not is_round((await stub.PlanRoute(route(CLEAN, objective=route_pb2.ROUTE_OBJECTIVE_DISTANCE))).routes[0])


async def test_a_place_inside_is_named(stub: Any) -> None:
    """Not merely that there is no way: where, which zone, when, what to do. From outside its hours it can be reached."""
    for field, request in (("destination", route(DIRTY, to="BC")), ("origin", route(DIRTY, origin=point(middle("BC"))))):
        problem = await problem_of(stub.PlanRoute(request))
        assert problem.code.name == "NOT_FOUND"
        words = f"{field} lies in the zone Centre, which is closed to class 4 and dirtier (Mo-Fr 08:00-20:00; PH off)"
        assert problem.message.startswith(words)
    assert (await stub.PlanRoute(route(DIRTY, EARLY, to="BC"))).routes
    assert (await stub.PlanRoute(route(CLEAN, to="BC"))).routes


def journey(emission: int, to: str = "CD", **fields: Any) -> plan_pb2.PlanJourneysRequest:
    """By car from the west."""
    fields = {"depart_at_unix_s": TUESDAY, "modes": [pb.MODE_CAR]} | fields
    request = plan_pb2.PlanJourneysRequest(origin=point(middle("AB")), destination=point(middle(to)), **fields)
    request.preferences.emission_class = emission  # type: ignore[assignment]
    return request


async def test_journeys_by_car(stub: Any) -> None:
    """The way round with a remark; a notice where there is none; the same with alternatives."""
    (around,) = (await stub.PlanJourneys(journey(DIRTY))).itineraries
    (through,) = (await stub.PlanJourneys(journey(CLEAN))).itineraries
    (unknown,) = (await stub.PlanJourneys(journey(UNKNOWN))).itineraries
    assert [zone.effect for one in (around, through, unknown) for zone in one.zones] == [AVOIDED, ENTERED]
    assert [is_round(one) for one in (around, through, unknown)] == [True, False, False]
    assert abs(around.legs[0].free_flow_duration_s - around.duration_s) <= 1
    assert around.duration_s > through.duration_s
    for more in ({}, {"max_alternatives": 1}):
        nothing = await stub.PlanJourneys(journey(DIRTY, "BC", **more))
        assert not nothing.itineraries
        assert any("destination lies in the zone Centre" in notice for notice in nothing.notices)
    walked = await stub.PlanJourneys(journey(DIRTY, "BC", modes=[pb.MODE_WALK]))
    assert walked.itineraries
    assert not walked.notices


async def test_tours_by_car(stub: Any) -> None:
    """A tour takes the way round too."""
    durations = []
    for emission in (CLEAN, DIRTY):
        visit = tour_pb2.Visit(visit_id="v", location=point(middle("CD")))
        request = tour_pb2.PlanTourRequest(
            start=point(middle("AB")), visits=[visit], modes=[pb.MODE_CAR], depart_at_unix_s=TUESDAY, open_end=True
        )
        request.preferences.emission_class = emission  # type: ignore[assignment]
        durations.append((await stub.PlanTour(request)).travel_duration_s)
    assert durations[0] < durations[1]


async def test_matrices(stub: Any) -> None:
    """Longer round the zone, none into it, and the place that lies inside is said; streamed ones say it once."""
    places = [point(middle(street)) for street in ("AB", "CD", "BC")]
    tables = {}
    for emission in (CLEAN, DIRTY):
        request = matrix_pb2.GetMatrixRequest(origins=places, destinations=places, depart_at_unix_s=TUESDAY)
        request.preferences.emission_class = emission  # type: ignore[assignment]
        answer = await stub.GetMatrix(request)
        tables[emission] = list(answer.durations_s)
        streamed = matrix_pb2.StreamMatrixRequest(
            origins=places, destinations=places, depart_at_unix_s=TUESDAY, preferences=request.preferences, max_row_count=1
        )
        messages = [message async for message in stub.StreamMatrix(streamed)]
        assert [second for message in messages for second in message.durations_s] == tables[emission]
        assert [list(message.notices) for message in messages] == [list(answer.notices), [], []]
        inside = [notice.split(" lies in the zone Centre")[0] for notice in answer.notices]
        assert inside == ([] if emission == CLEAN else ["origins[2]", "destinations[2]"])
    assert tables[DIRTY][1] > tables[CLEAN][1] > 0
    assert [tables[DIRTY][k] for k in (2, 5, 6, 7)] == [-1] * 4
    assert all(tables[CLEAN][k] > 0 for k in (2, 5, 6, 7))


async def test_areas(stub: Any) -> None:
    """What a dirty car reaches is less; the zone left out is said; from inside there is no area."""
    areas = {}
    for emission in (CLEAN, DIRTY):
        request = matrix_pb2.GetIsochroneRequest(
            origin=point(middle("AB")), modes=[pb.MODE_CAR], limits_s=[60], depart_at_unix_s=TUESDAY
        )
        request.preferences.emission_class = emission  # type: ignore[assignment]
        answer = await stub.GetIsochrone(request)
        areas[emission] = answer.isochrones[0].area_m2
        assert [("Centre" in notice) for notice in answer.notices] == ([] if emission == CLEAN else [True])
    assert areas[DIRTY] < areas[CLEAN]
    request.origin.CopyFrom(point(middle("BC")))
    assert "origin lies in the zone Centre" in (await problem_of(stub.GetIsochrone(request))).message


async def test_a_park_is_closed_at_night(stub: Any) -> None:
    """Hours on the map hold for walkers: through the park by day, round it by night, also from door to door."""
    lengths = {}
    for name, depart_s in (("day", TUESDAY), ("night", at("22:00"))):
        ends = {"origin": point((41.1485, -8.6240)), "destination": point((41.1485, -8.6120))}
        (way,) = (await stub.PlanRoute(route(UNKNOWN, depart_s, mode=pb.MODE_WALK, **ends))).routes
        request = plan_pb2.PlanJourneysRequest(**ends, modes=[pb.MODE_WALK], depart_at_unix_s=depart_s)
        (walk,) = (await stub.PlanJourneys(request)).itineraries
        assert walk.distance_m == pytest.approx(way.distance_m)
        lengths[name] = way.distance_m
    assert lengths["night"] - lengths["day"] == pytest.approx(222, abs=5)

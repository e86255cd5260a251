"""GetMatrix and PlanRoute agree; GetIsochrone grows with its limit and holds what can be reached."""

import itertools
from typing import Any

import grpc
import numpy as np
import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import matrix_pb2, route_pb2

from services.common.polyline import decode
from services.journeys.keeper import ViewKeeper
from tests.builders.door_to_door import metres
from tests.builders.journeys import CAMPANHA, MATOSINHOS, TRINDADE, at, plan_request, point, problem_of

PLACES = (TRINDADE, CAMPANHA, MATOSINHOS)


@pytest.mark.parametrize("mode", [pb.MODE_CAR, pb.MODE_BICYCLE, pb.MODE_WALK, pb.MODE_VAN, pb.MODE_TRUCK])
async def test_matrix_cells_are_route_durations(stub: Any, mode: pb.Mode.ValueType) -> None:
    """To the second, for every mode on streets, at the speed asked for."""
    wanted = pb.TravelPreferences(walk_speed_mps=1.1, bicycle_speed_mps=5.5)
    ends = [point(place) for place in PLACES]
    answer = await stub.GetMatrix(
        matrix_pb2.GetMatrixRequest(
            origins=ends, destinations=ends, mode=mode, depart_at_unix_s=at("08:30"), preferences=wanted
        )
    )
    assert (answer.origin_count, answer.destination_count) == (3, 3)
    table = np.array(answer.durations_s).reshape(3, 3)
    for row, origin in enumerate(ends):
        for column, destination in enumerate(ends):
            route = await stub.PlanRoute(
                route_pb2.PlanRouteRequest(
                    origin=origin, destination=destination, mode=mode, depart_at_unix_s=at("08:30"), preferences=wanted
                )
            )
            assert table[row, column] == route.routes[0].duration_s
    assert (np.diag(table) == 0).all()
    assert (table[~np.eye(3, dtype=bool)] > 0).all()


async def test_speed_preferences_change_the_time_in_proportion(stub: Any) -> None:
    """Twice the speed, half the time, on foot and by bicycle."""
    for mode, field in ((pb.MODE_WALK, "walk_speed_mps"), (pb.MODE_BICYCLE, "bicycle_speed_mps")):
        seconds = []
        for mps in (1.25, 2.5):
            request = route_pb2.PlanRouteRequest(origin=point(TRINDADE), destination=point(CAMPANHA), mode=mode)
            setattr(request.preferences, field, mps)
            seconds.append((await stub.PlanRoute(request)).routes[0].duration_s)
        assert seconds[0] == pytest.approx(2 * seconds[1], abs=2)


async def test_a_route_over_via_points_passes_them(stub: Any) -> None:
    """One leg from point to point, joined in time and place; the whole is not shorter than the direct way."""
    ask: dict[str, Any] = {"origin": point(TRINDADE), "destination": point(MATOSINHOS), "depart_at_unix_s": at("08:30")}
    (route,) = (await stub.PlanRoute(route_pb2.PlanRouteRequest(via=[point(CAMPANHA)], **ask))).routes
    (direct,) = (await stub.PlanRoute(route_pb2.PlanRouteRequest(**ask))).routes
    first, second = route.legs
    assert (first.to.location.lat_deg, first.to.location.lon_deg) == CAMPANHA
    assert first.arrival.scheduled_unix_s == second.departure.scheduled_unix_s
    assert route.duration_s > direct.duration_s
    assert sum(step.distance_m for step in first.steps) == pytest.approx(first.distance_m, rel=0.01)
    assert metres(decode(first.polyline.encoded)[-1], CAMPANHA) < 500


async def test_the_transit_matrix_is_what_journeys_take(stub: Any) -> None:
    """From the departure to the earliest arrival of PlanJourneys, waiting included; never later than walking."""
    answer = await stub.GetMatrix(
        matrix_pb2.GetMatrixRequest(
            origins=[point(TRINDADE)], destinations=[point(place) for place in PLACES], mode=pb.MODE_TRANSIT,
            depart_at_unix_s=at("08:30"),
        )
    )  # fmt: skip
    for seconds, place in zip(answer.durations_s, PLACES, strict=True):
        journeys = await stub.PlanJourneys(plan_request(TRINDADE, place, max_itineraries=20))
        assert at("08:30") + seconds == pytest.approx(min(i.arrival_unix_s for i in journeys.itineraries), abs=1)


async def test_a_larger_limit_contains_the_smaller(stub: Any) -> None:
    """Area and stops grow; every corner of the smaller area lies in the larger one or on its edge."""
    request = matrix_pb2.GetIsochroneRequest(
        origin=point(TRINDADE), modes=[pb.MODE_WALK, pb.MODE_TRANSIT], limits_s=[600, 1200, 2400], depart_at_unix_s=at("08:30")
    )
    answer = await stub.GetIsochrone(request)
    areas = [isochrone.area_m2 for isochrone in answer.isochrones]
    stops = [isochrone.stop_count for isochrone in answer.isochrones]
    assert [isochrone.limit_s for isochrone in answer.isochrones] == [600, 1200, 2400]
    assert areas == sorted(areas)
    assert stops == sorted(stops)
    assert areas[0] > 0
    small, large = answer.isochrones[0], answer.isochrones[2]
    for corner in (corner for polygon in small.area.polygons for corner in decode(polygon.outer.encoded)):
        assert inside(large, corner)


async def test_stops_in_the_area_are_reached_and_reached_stops_are_in_it(stub: Any, keeper: ViewKeeper) -> None:
    """Twenty random stops: PlanJourneys arrives within the limit if and only if the area says so, but for its edge."""
    limit_s = 1500
    ask = matrix_pb2.GetIsochroneRequest(
        origin=point(TRINDADE), modes=[pb.MODE_WALK, pb.MODE_TRANSIT], limits_s=[limit_s], depart_at_unix_s=at("08:30")
    )
    (isochrone,) = (await stub.GetIsochrone(ask)).isochrones
    timetable, rng = keeper.snapshot.timetable, np.random.default_rng(4)
    near = np.flatnonzero(np.hypot(timetable.stop_lat_deg - TRINDADE[0], timetable.stop_lon_deg - TRINDADE[1]) < 0.06)
    agreed, wrong = 0, []
    for stop in rng.choice(near, 20, replace=False).tolist():
        place = (float(timetable.stop_lat_deg[stop]), float(timetable.stop_lon_deg[stop]))
        journeys = await stub.PlanJourneys(plan_request(TRINDADE, place, max_itineraries=20))
        taken_s = min((i.arrival_unix_s for i in journeys.itineraries), default=10**12) - at("08:30")
        # Areas round stops are discs of a usual detour: where streets run straight one gets a little farther.
        if taken_s <= limit_s - 300:
            assert inside(isochrone, place), f"{timetable.stop_names[stop]} is reached in {taken_s} s but not in the area"
            agreed += 1
        elif taken_s > limit_s + 420 and inside(isochrone, place):
            wrong.append(f"{timetable.stop_names[stop]} takes {taken_s} s")
    assert agreed >= 3, "or nothing was compared"
    assert wrong == []


async def test_by_car_the_area_is_larger_than_on_foot(stub: Any) -> None:
    """Ten minutes."""
    areas = []
    for mode in (pb.MODE_WALK, pb.MODE_BICYCLE, pb.MODE_CAR):
        request = matrix_pb2.GetIsochroneRequest(origin=point(TRINDADE), modes=[mode], limits_s=[600])
        areas.append((await stub.GetIsochrone(request)).isochrones[0].area_m2)
    assert areas[0] < areas[1] < areas[2]


def inside(isochrone: matrix_pb2.Isochrone, place: tuple[float, float]) -> bool:
    """Whether a point lies in the area (even-odd over all rings)."""
    odd = False
    for polygon in isochrone.area.polygons:
        for ring in (polygon.outer, *polygon.holes):
            corners = decode(ring.encoded)
            for (y1, x1), (y2, x2) in itertools.pairwise(corners):
                if (y1 > place[0]) != (y2 > place[0]) and place[1] < (x2 - x1) * (place[0] - y1) / (y2 - y1) + x1:
                    odd = not odd
    return odd


@pytest.mark.parametrize("mode", [pb.MODE_CAR, pb.MODE_BICYCLE, pb.MODE_WALK, pb.MODE_TRUCK])
async def test_distances_are_those_of_the_ways(stub: Any, mode: pb.Mode.ValueType) -> None:
    """As PlanRoute has them, or a little less where another way is as quick; 0 to oneself; times do not change."""
    ends = [point(place) for place in PLACES]
    ask = matrix_pb2.GetMatrixRequest(origins=ends, destinations=ends, mode=mode, depart_at_unix_s=at("08:30"))
    plain = await stub.GetMatrix(ask)
    ask.with_distances = True
    answer = await stub.GetMatrix(ask)
    assert answer.durations_s == plain.durations_s
    assert len(plain.distances_m) == 0
    table = np.array(answer.distances_m).reshape(3, 3)
    for (row, origin), (column, destination) in itertools.product(enumerate(ends), enumerate(ends)):
        request = route_pb2.PlanRouteRequest(origin=origin, destination=destination, mode=mode, depart_at_unix_s=at("08:30"))
        length_m = (await stub.PlanRoute(request)).routes[0].legs[0].distance_m
        assert table[row, column] == pytest.approx(length_m, rel=0.01, abs=1.0)
        assert table[row, column] <= length_m + 1.0


async def test_distances_by_public_transport_are_not_known(stub: Any) -> None:
    """Said, not left out."""
    ask = matrix_pb2.GetMatrixRequest(
        origins=[point(TRINDADE)], destinations=[point(CAMPANHA)], mode=pb.MODE_TRANSIT, with_distances=True
    )
    problem = await problem_of(stub.GetMatrix(ask))
    assert problem.code is grpc.StatusCode.UNIMPLEMENTED
    assert "with_distances" in problem.message

"""Places and times that are hard, on the real city: rivers, motorways, a river without bridges, nights of changing clocks."""

import copy
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import numpy as np
import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import matrix_pb2, route_pb2

from routing.model.access_zones import no_zones
from routing.model.modes import StreetMode
from routing.model.street_graph import ARC_BRIDGE, ROAD_CLASSES
from routing.street.access_rules import AccessRule, AccessRules
from services.common.polyline import decode
from services.journeys.car_metrics import CityMetrics
from services.journeys.keeper import ViewKeeper
from tests.builders.door_to_door import metres
from tests.builders.journeys import TRINDADE, at, journeys_stub, plan_request, point, problem_of, standing_clock

DOURO = (41.1393, -8.6135)
"""In the middle of the river, a hundred metres from either quay."""
GAIA = (41.1235, -8.6120)
LISBON = ZoneInfo("Europe/Lisbon")
MOTORWAYS = [k for k, name in enumerate(ROAD_CLASSES) if name.startswith("motorway")]
Route = route_pb2.PlanRouteRequest


def ask(origin: tuple[float, float], destination: tuple[float, float], **fields: Any) -> route_pb2.PlanRouteRequest:
    """A way at 8:30."""
    return Route(origin=point(origin), destination=point(destination), **{"depart_at_unix_s": at("08:30"), **fields})


@pytest.mark.parametrize("mode", [pb.MODE_CAR, pb.MODE_BICYCLE, pb.MODE_WALK, pb.MODE_TRUCK])
async def test_from_the_middle_of_the_river_the_way_begins_on_the_quay(stub: Any, mode: pb.Mode.ValueType) -> None:
    """At the nearest street of the mode, and goes on as from there."""
    (route,) = (await stub.PlanRoute(ask(DOURO, TRINDADE, mode=mode))).routes
    line = decode(route.legs[0].polyline.encoded)
    assert 80.0 < metres(line[0], DOURO) < 500.0
    (again,) = (await stub.PlanRoute(ask(line[0], TRINDADE, mode=mode))).routes
    assert again.duration_s == pytest.approx(route.duration_s, abs=3)


async def test_on_a_motorway_walkers_begin_beside_it(keeper: ViewKeeper, stub: Any) -> None:
    """They never set foot on it; where no street of theirs is within 500 m that is said; cars begin where they are."""
    graph, street = keeper.snapshot.street, keeper.street
    driven = (graph.arc_routable & StreetMode.CAR.bit) != 0
    arcs = np.flatnonzero(np.isin(graph.arc_road_class, MOTORWAYS) & (graph.arc_length_m > 200.0) & driven)[::60]
    middle = (graph.first_shape[arcs] + graph.first_shape[arcs + 1]) // 2
    places = list(zip(graph.shape_lat_e7[middle] * 1e-7, graph.shape_lon_e7[middle] * 1e-7, strict=True))
    assert len(places) > 8
    feet = street.snap(*np.array(places).T, StreetMode.FOOT)
    for place, arc, off_m in zip(places, feet.arc.tolist(), feet.distance_m.tolist(), strict=True):
        if arc < 0:
            problem = await problem_of(stub.PlanRoute(ask(place, TRINDADE, mode=pb.MODE_WALK)))
            assert problem.code is grpc.StatusCode.INVALID_ARGUMENT
            assert "any street for foot" in problem.message
            continue
        (walk,) = (await stub.PlanRoute(ask(place, TRINDADE, mode=pb.MODE_WALK))).routes
        assert metres(decode(walk.legs[0].polyline.encoded)[0], place) == pytest.approx(off_m, abs=2.0)
        path = street.find_route(
            street.metric(StreetMode.FOOT), feet, places.index(place), street.snap(*TRINDADE, StreetMode.FOOT), 0
        )
        assert path is not None
        assert not np.isin(graph.arc_road_class[path.arcs], MOTORWAYS).any()
    cars = street.snap(*np.array(places).T, StreetMode.CAR)
    assert np.nanmax(cars.distance_m) < 2.0


@pytest.fixture
async def cut_off(keeper: ViewKeeper, tmp_path: Path) -> AsyncIterator[Any]:
    """Every bridge of the city is closed to motor vehicles, for three hours from 8:30."""
    view, street = keeper.view, keeper.street
    closed = np.flatnonzero(street.graph.arc_flags & ARC_BRIDGE).astype(np.int32)
    rules = AccessRules.of_zones(no_zones(), street.graph.arc_count, LISBON)
    shut = AccessRule(closed, ends_s=at("11:30"))
    motor = CityMetrics(street, rules, LISBON).follow(lambda _: None, [shut], at("08:30"), varies=False)
    without = copy.copy(keeper)
    without.view = replace(view, motor=motor, network=replace(view.network, car_metric=motor.of(StreetMode.CAR)))
    async with journeys_stub(without, standing_clock(), tmp_path) as found:
        yield found


@pytest.mark.parametrize("mode", [pb.MODE_CAR, pb.MODE_VAN, pb.MODE_TRUCK])
async def test_without_a_bridge_over_the_douro_there_is_no_way(cut_off: Any, mode: pb.Mode.ValueType) -> None:
    """Said as such, not as an endless journey; on the same bank one drives on, and after the closures over the river too."""
    problem = await problem_of(cut_off.PlanRoute(ask(TRINDADE, GAIA, mode=mode)))
    assert problem.code is grpc.StatusCode.NOT_FOUND, problem
    assert "no way" in problem.message
    assert (await cut_off.PlanRoute(ask(TRINDADE, (41.16, -8.62), mode=mode))).routes
    assert (await cut_off.PlanRoute(ask(TRINDADE, GAIA, mode=mode, depart_at_unix_s=at("11:45")))).routes
    assert (await cut_off.PlanRoute(ask(TRINDADE, GAIA, mode=mode, ignore_realtime=True))).routes


async def test_without_a_bridge_matrices_count_what_has_no_way(cut_off: Any) -> None:
    """Minus one for every pair across the river, and how many there are."""
    places = [point(place) for place in (TRINDADE, (41.16, -8.62), GAIA)]
    request = matrix_pb2.GetMatrixRequest(origins=places, destinations=places, depart_at_unix_s=at("08:30"), mode=pb.MODE_CAR)
    answer = await cut_off.GetMatrix(request)
    table = np.array(answer.durations_s).reshape(3, 3)
    across = np.array([[False, False, True], [False, False, True], [True, True, False]])
    assert ((table == -1) == across).all()
    assert answer.unreachable_count == 4
    assert table[~across].max() < 3600


async def test_without_a_bridge_reach_ends_at_the_river(cut_off: Any) -> None:
    """An hour by car from Trindade reaches no street of Gaia."""
    request = matrix_pb2.GetIsochroneRequest(
        origin=point(TRINDADE), limits_s=[3600], modes=[pb.MODE_CAR], depart_at_unix_s=at("08:30")
    )
    (area,) = (await cut_off.GetIsochrone(request)).isochrones
    rings = [decode(polygon.outer.encoded) for polygon in area.area.polygons]
    assert area.area_m2 > 1e7
    assert not any(inside(GAIA, ring) for ring in rings)
    assert any(inside(TRINDADE, ring) for ring in rings)


async def test_without_a_bridge_journeys_go_by_other_means(cut_off: Any) -> None:
    """No drive, and a remark or nothing; the metro still runs."""
    driven = await cut_off.PlanJourneys(plan_request(TRINDADE, GAIA, modes=[pb.MODE_CAR]))
    assert not driven.itineraries
    ridden = await cut_off.PlanJourneys(plan_request(TRINDADE, GAIA, modes=[pb.MODE_CAR, pb.MODE_TRANSIT, pb.MODE_WALK]))
    assert ridden.itineraries
    assert all(leg.mode != pb.MODE_CAR for itinerary in ridden.itineraries for leg in itinerary.legs)


@pytest.mark.parametrize("night", [dt.date(2026, 3, 29), dt.date(2026, 10, 25)])
async def test_nights_when_the_clocks_change(stub: Any, night: dt.date) -> None:
    """Every quarter hour from midnight to four, whatever the clock shows: arrival follows departure, and nothing jumps."""
    midnight = int(dt.datetime.combine(night, dt.time(), LISBON).timestamp())
    times = []
    for departure in range(midnight, midnight + 4 * 3600, 900):
        (route,) = (await stub.PlanRoute(ask(TRINDADE, GAIA, mode=pb.MODE_CAR, depart_at_unix_s=departure))).routes
        assert route.departure_unix_s == departure
        assert route.arrival_unix_s == departure + route.duration_s
        times.append(route.duration_s)
    assert max(times) <= 1.2 * min(times)


def inside(place: tuple[float, float], ring: list[tuple[float, float]]) -> bool:
    """Whether a place lies within a ring (even-odd rule)."""
    (y, x), odd = place, False
    for (y1, x1), (y2, x2) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            odd = not odd
    return odd

"""Searches by time and delivery bays, from requests to plans."""

from typing import Any

import numpy as np
import pytest
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import plan_pb2, problem_pb2

from routing.rounds.api import TimeWindow, build_plan
from routing.rounds.kerb import Bay, Kerb
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.errors import Unimplemented
from services.common.status import InvalidRequest
from services.rounds.city import RoundsCity
from services.rounds.mapping import MappedProblem, joined, problem_from_proto
from services.rounds.plan_mapping import LegSource, plan_to_proto
from tests.builders.journeys import at
from tests.builders.zoned_town import build_zoned_town, middle

BEGIN, END = at("06:00"), at("08:00")


def _place(street: str) -> dict[str, Any]:
    lat, lon = middle(street)
    return {"point": {"lat_deg": lat, "lon_deg": lon}}


def _span(begin: str, end: str) -> dict[str, int]:
    return {"start_unix_s": at(begin), "end_unix_s": at(end)}


def _bay(street: str, walk_s: int, **more: Any) -> dict[str, Any]:
    return {"bay_id": f"bay {street}", "location": _place(street), "walk_s": walk_s, **more}


def _message(*tasks: dict[str, Any], **more: Any) -> problem_pb2.Problem:
    """A van and a cargo bike that start in AB, and a delivery for each task."""
    shift = {"start_unix_s": BEGIN, "end_unix_s": END}
    fleet = [
        problem_pb2.Vehicle(vehicle_id=f"v{kind}", kind=kind, start=_place("AB"), shift=shift)  # type: ignore[arg-type]
        for kind in (1, 3)
    ]
    orders = [problem_pb2.Shipment(shipment_id=f"o{k}", delivery=task) for k, task in enumerate(tasks)]  # type: ignore[arg-type]
    return problem_pb2.Problem(vehicles=fleet, shipments=orders, **more)


def _resolve(location: geo_pb2.Location, _path: str) -> tuple[float, float]:
    return location.point.lat_deg, location.point.lon_deg


def _mapped(*tasks: dict[str, Any], **more: Any) -> MappedProblem:
    return problem_from_proto(_message(*tasks, **more), _resolve)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> RoundsCity:
    """A small town before the vans leave."""
    snapshot: CitySnapshot = build_zoned_town(tmp_path_factory.mktemp("kerb"))
    return RoundsCity(snapshot, CityClock.starting_at(at("05:00")))


def test_the_longest_search_of_a_place_at_any_time() -> None:
    """Spans of several tasks at one place, which overlap; outside of them the seconds of each task; none at a depot."""
    spans = [{"span": _span("06:10", "06:30"), "parking_s": 300}, {"span": _span("06:20", "06:40"), "parking_s": 60}]
    one = {"location": _place("CD"), "parking_s": 120, "parking_during": spans}
    two = {"location": _place("CD"), "parking_s": 90}
    home = {"location": _place("AB"), "parking_during": spans}
    mapped = _mapped(one, two, home)
    assert mapped.kerbs.at == {1: Kerb(((-np.inf, 120), (600, 300), (1800, 90), (2400, 120)))}
    assert mapped.parks


def test_bays_of_a_place() -> None:
    """Tasks at one place share their bays; hours are those of the engine, the end excluded; the same bay is one."""
    first = {"location": _place("CD"), "bays": [_bay("BC", 60, hours=[_span("06:00", "07:00")])]}
    second = {"location": _place("CD"), "bays": [_bay("DH", 30)]}
    third = {"location": _place("EF"), "bays": [_bay("DH", 200)]}
    kerbs = _mapped(first, second, third).kerbs
    assert kerbs.names == ["bay BC", "bay DH"]
    assert kerbs.at[1].bays == (Bay(0, 60, (TimeWindow(0, 3599),)), Bay(1, 30))
    assert kerbs.at[2].bays == (Bay(1, 200),)


def test_an_order_that_joins_brings_its_bays() -> None:
    """From then on the rounds do not change in place."""
    mapped = _mapped({"location": _place("CD")})
    assert not mapped.parks
    message = problem_pb2.Shipment(shipment_id="new", delivery={"location": _place("EF"), "bays": [_bay("BC", 10)]})  # type: ignore[arg-type]
    assert joined(mapped, message, _resolve)[1].parks


@pytest.mark.parametrize(
    ("task", "error", "name"),
    [
        ({"bays": [_bay("BC", 10, hours=[_span("06:00", "07:00")])]}, InvalidRequest, "shipments[0].delivery.bays[0].hours"),
        ({"parking_during": [{"span": _span("06:00", "07:00")}]}, InvalidRequest, "shipments[0].delivery.parking_during"),
        ({"bays": [_bay("BC", 10, max_vehicles=2)]}, Unimplemented, "shipments[0].delivery.bays[0].max_vehicles"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(task: dict[str, Any], error: type[Exception], name: str) -> None:
    """Hours under travel times that are the same all day; bays for a number of vehicles."""
    with pytest.raises(error) as caught:
        _mapped({"location": _place("CD")} | task, travel_times=problem_pb2.TRAVEL_TIMES_FREE_FLOW)
    assert name in str(caught.value)


def test_a_bay_that_saves_the_search_is_used_and_told(city: RoundsCity) -> None:
    """The van drives to the bay while that is open, its driver walks; the bike does not; later it looks at the door."""
    task = {
        "location": _place("CD"), "service_s": 60, "parking_s": 900, "bays": [_bay("BC", 45, hours=[_span("06:00", "07:00")])]
    }  # fmt: skip
    mapped = problem_from_proto(_message(task), city.resolve)
    bay = problem_from_proto(_message({"location": _place("BC")}), city.resolve)
    plain = problem_from_proto(_message({"location": _place("CD")}), city.resolve)
    built, to_bay, to_door = (city.build_times(one) for one in (mapped, bay, plain))
    by_road, by_door = to_bay.travel_times, to_door.travel_times
    said = built.travel_times
    assert said.arrival_s(0, 0, 1, 60.0) == pytest.approx(by_road.arrival_s(0, 0, 1, 60.0) + 45, abs=1.0)
    assert said.arrival_s(0, 0, 1, 5400.0) == pytest.approx(by_door.arrival_s(0, 0, 1, 5400.0) + 900, abs=1.0)
    assert said.arrival_s(1, 0, 1, 60.0) == by_door.arrival_s(1, 0, 1, 60.0)
    back = max(by_road.arrival_s(0, 1, 0, 345.0), by_door.arrival_s(0, 1, 0, 300.0))
    assert said.arrival_s(0, 1, 0, 300.0) == pytest.approx(back, abs=5.0)
    plan = build_plan(mapped.problem, said, [[0], []])
    answer = plan_to_proto(plan, mapped, LegSource(city, built, geometry=True))
    _, stop, home = answer.rounds[0].stops
    assert (stop.bay_id, stop.walk_s, stop.parking_s) == ("bay BC", 45, 0)
    lat, lon = middle("BC")
    assert (stop.bay_location.lat_deg, stop.bay_location.lon_deg) == (pytest.approx(lat), pytest.approx(lon))
    from_bay = plan_to_proto(
        build_plan(bay.problem, by_road, [[0], []]), bay, LegSource(city, to_bay, geometry=True)
    ).rounds[0].stops  # fmt: skip
    assert [stop.leg.distance_m, home.leg.distance_m] == pytest.approx([one.leg.distance_m for one in from_bay[1:]])


def test_times_grow_with_orders_as_if_built_at_once(city: RoundsCity) -> None:
    """A new order with a bay, a longer search at a place that is known, and times that are kept when nothing changed."""
    spans = [{"span": _span("06:30", "07:30"), "parking_s": 400}]
    first = {"location": _place("CD"), "parking_s": 20, "parking_during": spans}
    second = {"location": _place("EF"), "parking_s": 500, "bays": [_bay("FC", 30)]}
    before, after = (problem_from_proto(_message(*tasks), city.resolve) for tasks in ((first,), (first, second)))
    built = city.build_times(before)
    assert city.extend_times(built, len(before.points), before) is built
    grown, whole = city.extend_times(built, len(before.points), after), city.build_times(after)
    assert (grown.travel_times.arrays.slot_s == whole.travel_times.arrays.slot_s).all()
    arrivals = grown.slots_s[None, :, None, None] + grown.travel_times.arrays.slot_s
    assert (np.diff(arrivals, axis=1) >= 0).all()
    assert not grown.travel_times.lowered


def test_doors_that_share_a_bay_are_walked_to(city: RoundsCity) -> None:
    """From door to door by the same bay the van stays where it is."""
    tasks = [
        {"location": _place(street), "parking_s": 3000, "bays": [_bay("BC", walk)]} for street, walk in (("CD", 40), ("FC", 50))
    ]
    mapped = problem_from_proto(_message(*tasks), city.resolve)
    built = city.build_times(mapped)
    plan = build_plan(mapped.problem, built.travel_times, [[0, 1], []])
    answer: plan_pb2.Plan = plan_to_proto(plan, mapped, LegSource(city, built, geometry=False))
    one, two = answer.rounds[0].stops[1:3]
    assert (one.bay_id, two.bay_id, two.leg.distance_m) == ("bay BC", "bay BC", 0.0)
    assert two.leg.duration_s >= 90

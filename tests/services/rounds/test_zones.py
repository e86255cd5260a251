"""Zones in delivery rounds: a vehicle's emission class decides its travel times by the hour; the unserved are told why."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from traboule.common.v1 import vehicle_pb2
from traboule.rounds.v1 import problem_pb2, rounds_service_pb2_grpc
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.street.pair_functions import TOO_LATE_S
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.rules import Role
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.main import SERVICE
from services.rounds.mapping import problem_from_proto
from services.rounds.pool import SolverPool
from services.rounds.servicer import RoundsServicer
from tests.builders.journeys import at
from tests.builders.servers import channel_of, config_for, grpc_server, state_of, state_servers
from tests.builders.zoned_town import build_zoned_town, middle

CLEAN, DIRTY = vehicle_pb2.EMISSION_CLASS_3, vehicle_pb2.EMISSION_CLASS_4
WEST, EAST, INSIDE = 0, 1, 2


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> CitySnapshot:
    """The town with a zone on its main street."""
    return build_zoned_town(tmp_path_factory.mktemp("zones"))


def problem(
    *classes: int, begin: str = "06:00", end: str = "16:00", date: str = "2026-07-28", **more: Any
) -> problem_pb2.Problem:
    """Vans in the west, an order in the east, one inside the zone."""

    def place(street: str) -> dict[str, Any]:
        lat, lon = middle(street)
        return {"point": {"lat_deg": lat, "lon_deg": lon}}

    shift = {"start_unix_s": at(begin, date), "end_unix_s": at(end, date)}
    vehicles = [
        problem_pb2.Vehicle(vehicle_id=f"v{k}", kind=1, start=place("AB"), shift=shift, emission_class=emission, **more)  # type: ignore[arg-type]
        for k, emission in enumerate(classes)
    ]
    shipments = [
        problem_pb2.Shipment(shipment_id=street, delivery={"location": place(street), "service_s": 60})
        for street in ("CD", "BC")
    ]
    return problem_pb2.Problem(vehicles=vehicles, shipments=shipments)


def times_of(town: CitySnapshot, message: problem_pb2.Problem) -> tuple[RoundsCity, BuiltTimes]:
    """Travel times between the west, the east and the place inside."""
    city = RoundsCity(town, CityClock.starting_at(at("05:00")))
    return city, city.build_times(problem_from_proto(message, city.resolve))


def hour(clock: str) -> float:
    """Engine time of a local time."""
    return float(at(clock) - at("06:00"))


def test_travel_times_differ_by_class_and_hour(town: CitySnapshot) -> None:
    """Round the zone in its hours, through it before; into it not at all once it has closed for the rest of the shift."""
    _, built = times_of(town, problem(CLEAN, DIRTY))
    clean, dirty = ([lambda i, j, t, p=p: built.travel_times.arrival_s(p, i, j, t) - t][0] for p in range(2))
    assert dirty(WEST, EAST, hour("07:00")) == clean(WEST, EAST, hour("07:00"))
    assert dirty(WEST, EAST, hour("10:00")) > clean(WEST, EAST, hour("10:00")) + 30
    assert dirty(WEST, INSIDE, hour("07:00")) == clean(WEST, INSIDE, hour("07:00"))
    assert dirty(WEST, INSIDE, hour("10:00")) >= TOO_LATE_S
    assert clean(WEST, INSIDE, hour("10:00")) < 600
    assert set(built.zone_notes) == {INSIDE}


@pytest.mark.parametrize(("date", "equal"), [("2026-07-28", False), ("2026-08-01", True), ("2027-06-10", True)])
def test_days_off_and_classes_not_given(town: CitySnapshot, date: str, equal: bool) -> None:
    """On Saturdays and holidays all are alike; a class that is not given is taken to be admitted."""
    for kind in (problem_pb2.TRAVEL_TIMES_PREDICTED, problem_pb2.TRAVEL_TIMES_TYPICAL, problem_pb2.TRAVEL_TIMES_FREE_FLOW):
        message = problem(CLEAN, DIRTY, 0, begin="09:00", end="12:00", date=date)
        message.travel_times = kind
        _, built = times_of(town, message)
        tables = built.travel_times.arrays.slot_s
        assert (tables[0] == tables[1]).all() == equal
        assert built.travel_times.profile_count == 3
        assert (tables[0] == tables[2]).all()
        assert np.isinf(built.travel_times.arrays.matrix_s[1, WEST, INSIDE]) != equal


def test_one_waits_for_the_zone_to_open(town: CitySnapshot) -> None:
    """With a shift until night an order inside can be had after eight; arrivals stay first in, first out."""
    _, built = times_of(town, problem(DIRTY, end="22:00"))
    departures = np.arange(0.0, hour("21:45"), 300.0)
    arrivals = np.array([built.travel_times.arrival_s(0, WEST, INSIDE, float(t)) for t in departures])
    assert (np.diff(arrivals) >= 0).all()
    noon = built.travel_times.arrival_s(0, WEST, INSIDE, hour("12:00"))
    assert hour("20:00") <= noon <= hour("20:00") + 900


def test_a_new_order_finds_the_same_times(town: CitySnapshot) -> None:
    """Times extended by a location are those that are built with it, where the zone begins and ends too."""
    whole = problem(CLEAN, DIRTY, end="22:00")
    before = problem_pb2.Problem(vehicles=whole.vehicles, shipments=whole.shipments[:1])
    city, built = times_of(town, before)
    extended = city.extend_times(built, 2, problem_from_proto(whole, city.resolve))
    _, expected = times_of(town, whole)
    one, two = (times.travel_times.arrays.slot_s.astype(np.int64) for times in (extended, expected))
    assert (np.abs(one - two) <= 2).all()
    assert extended.zone_notes == expected.zone_notes


@pytest.fixture
async def stub(town: CitySnapshot, tmp_path: Path) -> AsyncIterator[Any]:
    """A real service with one solver."""
    with state_servers(tmp_path) as servers:
        config = config_for(servers.home)
        city = RoundsCity(town, CityClock.starting_at(at("05:00")))
        async with state_of(servers) as state, SolverPool(1) as pool:

            def register(server: grpc.aio.Server) -> list[str]:
                rounds_service_pb2_grpc.add_RoundsServiceServicer_to_server(RoundsServicer(city, pool, state), server)
                return [SERVICE]

            async with grpc_server(config, register) as server, channel_of(server, config, Role.LOGISTICS) as channel:
                yield rounds_service_pb2_grpc.RoundsServiceStub(channel)  # type: ignore[call-overload]
                await asyncio.sleep(0)


@pytest.mark.slow
async def test_plans_obey_the_zone_and_say_why_not(stub: Any) -> None:
    """The clean van serves the zone, the dirty one cannot and is told; before the zone closes it can."""

    async def solved(message: problem_pb2.Problem) -> Any:
        request = pb.SolveRoundsRequest(problem=message, limits=pb.SolveLimits(time_limit_s=1, with_polylines=True))
        return [answer async for answer in stub.SolveRounds(request)][-1].plan

    clean = await solved(problem(CLEAN, begin="09:00", end="12:00"))
    assert clean.served_count == 2
    dirty = await solved(problem(DIRTY, begin="09:00", end="12:00"))
    assert [one.shipment_id for one in dirty.unserved] == ["BC"]
    assert "it lies in the zone Centre, which is closed to class 4 and dirtier" in dirty.unserved[0].explanation
    assert dirty.drive_s > clean.drive_s * 1.2
    assert dirty.distance_m > clean.distance_m + 200
    early = await solved(problem(DIRTY, begin="06:00", end="12:00"))
    assert early.served_count == 2
    inside = [stop for one in early.rounds for stop in one.stops if stop.shipment_id == "BC"]
    assert inside[0].arrival_unix_s < at("08:00")
    both = await solved(problem(DIRTY, CLEAN, begin="09:00", end="12:00"))
    assert both.served_count == 2
    (van,) = [one.vehicle_id for one in both.rounds if any(stop.shipment_id == "BC" for stop in one.stops)]
    assert van == "v1"

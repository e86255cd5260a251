"""Incidents on the road and stops that were done: travel times built anew, rounds timed anew and repaired, over real gRPC."""

from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
from traboule.rounds.v1 import plan_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.kernels.rounds_times import NO_WAY_S
from routing.street.api import StreetEngine
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.errors import InvalidInput, NotFound
from services.common.live.traffic import LiveTraffic, empty_traffic
from services.common.state.embedded import EmbeddedState
from services.common.tokens import DEVELOPMENT_TENANT
from services.rounds.city import RoundsCity
from services.rounds.incidents import RoadIncident, in_force, with_incident, without_incident
from services.rounds.mapping import problem_from_proto
from services.rounds.new_times import lay_slots, new_slots
from services.rounds.store import RoundsStore
from tests.builders.carriers import MORNING, delivered, drawn_problem, planned, shipment
from tests.builders.clocks import HandClock
from tests.builders.servers import state_of

pytestmark = pytest.mark.slow
HERE = {"lat_deg": 41.1560, "lon_deg": -8.6220}
SQUARE = [
    {"lat_deg": lat, "lon_deg": lon} for lat, lon in ((41.150, -8.632), (41.150, -8.612), (41.160, -8.612), (41.160, -8.632))
]


@pytest.fixture(scope="module")
def city(porto_snapshot: CitySnapshot, engine: StreetEngine) -> RoundsCity:
    """Porto without live traffic."""
    return RoundsCity(porto_snapshot, CityClock.starting_at(MORNING - 3600), engine)


def _incident(**more: Any) -> pb.Incident:
    return pb.Incident(**({"area": SQUARE, "speed_factor": 0.3} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "told",
    [
        _incident(from_unix_s=MORNING + 1800, until_unix_s=MORNING + 3 * 3600),
        _incident(speed_factor=0.0, closed=True, until_unix_s=MORNING + 2 * 3600),
        _incident(speed_factor=0.05, from_unix_s=MORNING + 6 * 3600, until_unix_s=MORNING + 20 * 3600),
    ],
)
def test_times_laid_in_place_are_those_built_from_nothing(city: RoundsCity, told: pb.Incident) -> None:
    """From now on every duration is that of times built with the incident; lifted, it is that of before."""
    mapped = problem_from_proto(drawn_problem(6), city.resolve)
    before, incident = city.build_times(mapped), city.incidents.resolve(told, MORNING)
    wanted = city.build_times(mapped, (incident,)).travel_times.arrays
    plain = before.travel_times.arrays.slot_s.copy()
    now_s = 1000.0
    after = lay_slots(new_slots(city, mapped, before, (incident,), None, now_s), before, before.travel_times)
    arrays, present = after.travel_times.arrays, int(now_s // 900)
    assert (wanted.slot_s != plain).any(), "the incident changes nothing"
    np.testing.assert_array_equal(arrays.slot_s[:, present:], wanted.slot_s[:, present:])
    assert (np.isinf(arrays.matrix_s[0]) == (arrays.slot_s[0, 0] == NO_WAY_S)).all()
    back = lay_slots(new_slots(city, mapped, after, (), None, now_s), after, after.travel_times)
    np.testing.assert_array_equal(back.travel_times.arrays.slot_s[:, present:], plain[:, present:])


def test_one_change_after_the_other_leaves_the_times_of_all_together(porto_snapshot: CitySnapshot) -> None:
    """Areas drawn at random, slowed, closed and lifted, and measured speeds: as built from nothing, for part of the pairs."""
    rng, street = np.random.default_rng(3), StreetEngine(porto_snapshot.street, hierarchies=porto_snapshot.hierarchies)
    city = RoundsCity(porto_snapshot, CityClock.starting_at(MORNING - 3600), street)
    problem = drawn_problem(40)
    problem.shipments[3].delivery.parking_s = 240
    for vehicle in problem.vehicles:
        vehicle.shift.end_unix_s = MORNING + 3 * 3600
        del vehicle.breaks[:]
    mapped = problem_from_proto(problem, city.resolve)
    built, held, traffic, shares = city.build_times(mapped), tuple[RoadIncident, ...](), None, []
    for step in range(6):
        lat, lon = rng.uniform(41.149, 41.163), rng.uniform(-8.638, -8.604)
        corners = [(lat - 0.002, lon - 0.003), (lat - 0.002, lon + 0.003), (lat + 0.002, lon)]
        begins = MORNING + int(rng.integers(0, 2 * 3600))
        new = _incident(
            area=[{"lat_deg": one, "lon_deg": other} for one, other in corners], closed=step % 3 == 0,
            speed_factor=0.0 if step % 3 == 0 else float(rng.choice([0.02, 0.3, 0.8])), from_unix_s=begins,
            until_unix_s=begins + int(rng.integers(600, 2 * 3600)),
        )  # fmt: skip
        held = held[1:] if step in (3, 5) else (*held, city.incidents.resolve(new, MORNING))
        if step in (2, 4):
            traffic = _measured(street, rng, step)
        slots = new_slots(city, mapped, built, held, traffic, 0.0)
        shares.append(len(slots.pairs[0].source) / len(mapped.points) ** 2 if slots.pairs else 0.0)
        built = lay_slots(slots, built, built.travel_times)
        wanted = city.build_times_under(traffic, mapped, held).travel_times.arrays
        np.testing.assert_array_equal(built.travel_times.arrays.slot_s, wanted.slot_s, err_msg=f"step {step}")
        np.testing.assert_array_equal(built.travel_times.arrays.matrix_s, wanted.matrix_s)
    assert 0.0 < np.median(shares) < 0.7


def _measured(street: StreetEngine, rng: np.random.Generator, epoch: int) -> LiveTraffic:
    """Speeds measured on a few streets that lie together."""
    arcs = street.graph.arc_count
    speed, observed = np.full(arcs, np.nan, np.float32), np.zeros(arcs, np.int64)
    some = int(rng.integers(0, arcs - 50)) + np.arange(50)
    speed[some], observed[some] = rng.uniform(3.0, 60.0, 50), MORNING
    return replace(empty_traffic(arcs), epoch=epoch, at=MORNING, arc_speed_kmh=speed, arc_observed_s=observed)


def test_an_incident_names_streets_that_are_there(city: RoundsCity) -> None:
    """Points, a path and links name arcs; what names none is refused by its field; ids replace and lift."""
    arcs = city.incidents.arcs_of(city.incidents.resolve(pb.Incident(points=[HERE], closed=True), MORNING))
    assert len(arcs) >= 1
    whole = city.incidents.resolve(_incident(incident_id="a"), MORNING)
    assert set(arcs) <= set(city.incidents.arcs_of(whole))
    assert whole.until_s == MORNING + 3 * 3600
    assert "slowed" in whole.words
    for field, message in {
        "incident.points[1]": pb.Incident(points=[HERE, {"lat_deg": 0.0, "lon_deg": 0.0}], closed=True),  # type: ignore[list-item]
        "incident.path": pb.Incident(path=[HERE], closed=True),
        "incident.area": _incident(area=SQUARE[:2]),
        "incident.link_ids[0]": pb.Incident(link_ids=["1/2"], closed=True),
        "incident.until_unix_s": _incident(from_unix_s=MORNING - 7200, until_unix_s=MORNING - 3600),
    }.items():
        with pytest.raises(InvalidInput) as caught:
            city.incidents.resolve(message, MORNING)
        assert caught.value.field == field
    second = city.incidents.resolve(_incident(incident_id="a", closed=True, speed_factor=0.0), MORNING)
    assert with_incident((whole,), second, MORNING) == (second,)
    assert without_incident((second,), "a") == ((), second.words)
    with pytest.raises(NotFound, match="no incident"):
        without_incident((second,), "b")


def test_an_incident_holds_in_the_slots_its_time_touches() -> None:
    """Half-open: it ends before the slot that begins when it does."""
    one = RoadIncident("", "", (), 0.5, 1000, 1900)
    slots = np.array([0.0, 900.0, 1800.0, 2700.0])
    assert [bool(in_force([one], 100, slots, k)) for k in range(4)] == [False, True, False, False]
    assert in_force([one], 10**9, np.array([0.0]), 0) == (one,)


def _last(plan: plan_pb2.Plan, vehicle: str) -> int:
    return next(one.arrival_unix_s for one in plan.rounds if one.vehicle_id == vehicle)


async def test_an_incident_delays_rounds_until_it_is_lifted(service: Any, servers: EmbeddedState, city_name: str) -> None:
    """Every change after it holds it too, also where the plan is read anew; the bicycle is not slowed; lifted, it is over."""
    stub, *_ = service
    rounds_id = await planned(stub)
    before = (await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds.plan
    slow = _incident(incident_id="flood", description="flood in Cedofeita", speed_factor=0.1, until_unix_s=MORNING + 8 * 3600)
    told = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, incident=slow))
    assert _last(told.plan, "van") > _last(before, "van") + 300
    assert any("flood in Cedofeita" in words for words in told.changes)
    assert told.plan.version == 2
    again = await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))
    assert list(again.rounds.changes) == list(told.changes)
    async with state_of(servers, city_name) as state:
        stored = await RoundsStore(state).get(rounds_id, DEVELOPMENT_TENANT)
        assert [one.id for one in stored.reported.incidents] == ["flood"]
    new = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(99, 41.1550, -8.6200)))
    assert _last(new.plan, "van") >= _last(told.plan, "van") - 60 or new.vehicle_id == "bike"
    over = pb.Incident(incident_id="flood", lifted=True)
    lifted = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, incident=over))
    assert _last(lifted.plan, "van") < _last(told.plan, "van") - 200
    assert any("over" in words for words in lifted.changes)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, incident=over))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    same = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, traffic_change=pb.TrafficChange()))
    assert delivered(same.plan) == delivered(lifted.plan)


async def test_rounds_with_wishes_take_incidents_too(service: Any, clock: HandClock) -> None:
    """Rounds that are planned anew at every change go by the new times, and take stops as done."""
    stub, *_ = service
    rounds_id = await planned(stub)
    wish = shipment(50, 41.1580, -8.6300, task={"due_unix_s": MORNING + 60, "late_cost_per_hour": 36.0})
    before = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=wish))
    slow = _incident(speed_factor=0.1, until_unix_s=MORNING + 8 * 3600)
    told = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, incident=slow))
    assert _last(told.plan, "van") > _last(before.plan, "van") + 300
    van = next(one for one in told.plan.rounds if one.vehicle_id == "van")
    first = next(stop for stop in van.stops if stop.shipment_id)
    clock.put(first.departure_unix_s + 600)
    done = await stub.ReportEvent(
        pb.ReportEventRequest(
            rounds_id=rounds_id, observed_unix_s=first.departure_unix_s + 600, completion={"shipment_id": first.shipment_id}
        )
    )
    after = next(one for one in done.plan.rounds if one.vehicle_id == "van")
    assert after.done_count == 1
    assert after.stops[1].departure_unix_s == first.departure_unix_s + 600


async def test_stops_done_move_the_arrivals_of_those_to_come(service: Any, clock: HandClock) -> None:
    """Done ten minutes late: it stays done, what follows comes ten minutes later, and progress is counted."""
    stub, *_ = service
    rounds_id = await planned(stub)
    plan = (await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds.plan
    van = next(one for one in plan.rounds if one.vehicle_id == "van")
    first, second = [stop for stop in van.stops if stop.shipment_id][:2]
    assert not first.done
    left = first.departure_unix_s + 600
    clock.put(left)
    told = await stub.ReportEvent(
        pb.ReportEventRequest(rounds_id=rounds_id, observed_unix_s=left, completion={"shipment_id": first.shipment_id})
    )
    after = next(one for one in told.plan.rounds if one.vehicle_id == "van")
    stops = {stop.shipment_id: stop for stop in after.stops}
    assert stops[first.shipment_id].done
    assert stops[first.shipment_id].departure_unix_s == left
    assert after.done_count == 1
    assert 400 < stops[second.shipment_id].arrival_unix_s - second.arrival_unix_s < 900
    assert any(f"order {first.shipment_id} was delivered" in words for words in told.changes)
    again = (await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds.plan
    assert sum(one.done_count for one in again.rounds) == 1
    for wrong in (pb.Completion(shipment_id="nobody"), pb.Completion(shipment_id=first.shipment_id, pickup=True)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, completion=wrong))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_an_incident_that_says_too_little_is_refused(service: Any) -> None:
    """Nowhere, without effect, or ending before it begins: each is told."""
    stub, *_ = service
    rounds_id = await planned(stub)
    for wrong in (
        pb.Incident(closed=True),
        pb.Incident(points=[HERE]),
        pb.Incident(points=[HERE], closed=True, speed_factor=0.5),
        pb.Incident(points=[HERE], closed=True, from_unix_s=MORNING, until_unix_s=MORNING - 1),
        pb.Incident(lifted=True),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, incident=wrong))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT

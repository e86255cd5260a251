"""Orders and events that change a plan, over real gRPC."""

from typing import Any

import grpc
import pytest
from traboule.rounds.v1 import plan_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.common.state.embedded import EmbeddedState
from services.common.state.jobs import KEPT_S
from services.common.tokens import DEVELOPMENT_TENANT
from services.rounds.store import COLLECTION, RoundsStore
from tests.builders.carriers import MORNING, delivered, departures, drawn_problem, location, planned, shipment
from tests.builders.clocks import HandClock
from tests.builders.servers import state_of

pytestmark = pytest.mark.slow


async def test_orders_and_events_change_a_plan(service: Any, clock: HandClock) -> None:
    """Insert, refuse, delay and break down; versions grow and everything stays explained."""
    stub, *_ = service
    limits = pb.SolveLimits(max_iterations=200)
    rounds = (await stub.SubmitRounds(pb.SubmitRoundsRequest(problem=drawn_problem(), limits=limits))).rounds
    async for _message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds.rounds_id)):
        pass
    rounds_id = rounds.rounds_id
    new = shipment(99, 41.1550, -8.6200)
    dry = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=new, dry_run=True))
    found = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=new))
    assert found.served
    assert found.cost_delta == pytest.approx(dry.cost_delta)
    assert len(delivered(found.plan)) == 13
    assert found.plan.version == 2
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=new))
    assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
    big = shipment(100, 41.1550, -8.6200)
    big.loads[:] = [1000]
    refused = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=big))
    assert not refused.served
    assert refused.unserved.reason == plan_pb2.UNSERVED_REASON_CAPACITY
    told = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, refusal=pb.Refusal(shipment_id="o3")))
    assert "o3" not in delivered(told.plan)
    late = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id="van", delay_s=900)))
    assert late.plan.version == 4
    noon = MORNING + 5 * 3600
    clock.put(MORNING - 60)
    broken = pb.ReportEventRequest(rounds_id=rounds_id, observed_unix_s=MORNING - 60, breakdown=pb.Breakdown(vehicle_id="van"))
    after = await stub.ReportEvent(broken)
    assert after.reordered
    assert [one.vehicle_id for one in after.plan.rounds] == ["bike"]
    assert len(delivered(after.plan)) == 5
    assert after.plan.rounds[0].arrival_unix_s < noon
    explained = await stub.ExplainUnserved(pb.ExplainUnservedRequest(rounds_id=rounds_id))
    assert len(explained.explanations) >= 7
    assert all(one.summary for one in explained.explanations)
    later = pb.ReportEventRequest(
        rounds_id=rounds_id, observed_unix_s=MORNING - 60, delay=pb.Delay(vehicle_id="bike", delay_s=60)
    )
    lost = [change for change in (await stub.ReportEvent(later)).changes if "no longer" in change]
    assert not any(one.shipment_id in change for change in lost for one in explained.explanations), "lost before, told then"


async def test_a_broken_vehicle_gets_no_new_order(service: Any) -> None:
    """What was reported holds on: neither a new order nor another event brings a broken van back on the road."""
    stub, *_ = service
    rounds_id = await planned(stub)
    await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, breakdown=pb.Breakdown(vehicle_id="van")))
    new = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(99, 41.1550, -8.6200)))
    assert "van" not in departures(new.plan)
    late = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id="bike", delay_s=60)))
    assert "van" not in departures(late.plan)


async def test_a_delay_is_counted_from_the_planned_departure_and_remembered(service: Any) -> None:
    """An hour late, told an hour before the shift: the van leaves an hour later, also after the next change."""
    stub, *_ = service
    rounds_id = await planned(stub)
    before = departures((await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds.plan)["van"]
    delay = pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id="van", delay_s=3600))
    late = await stub.ReportEvent(delay)
    assert departures(late.plan)["van"] >= before + 3600
    after = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, refusal=pb.Refusal(shipment_id="o3")))
    assert departures(after.plan)["van"] >= before + 3600


async def test_a_plan_that_another_process_changed_is_read_again(service: Any, servers: EmbeddedState, city_name: str) -> None:
    """The version of the newer plan is accepted although an older one was in memory; an old version is refused."""
    stub, *_ = service
    rounds_id = await planned(stub)
    await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(97, 41.1550, -8.6200)))
    async with state_of(servers, city_name) as state:
        store = RoundsStore(state)
        stored = await store.get(rounds_id, DEVELOPMENT_TENANT)
        assert stored.plan is not None
        version = await store.change(stored, stored.problem, stored.plan, MORNING - 3500, stored.reported)
        key = state.settings.keys.documents(COLLECTION.format(rounds_id))
        assert KEPT_S - 60 < await state.settings.connection.read("TTL", key) <= KEPT_S, "forgotten as the job is"
    old = pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(98, 41.1550, -8.6200), plan_version=version - 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.InsertOrder(old)
    assert caught.value.code() == grpc.StatusCode.ABORTED
    new = pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(99, 41.1550, -8.6200), plan_version=version)
    assert (await stub.InsertOrder(new)).plan.version == version + 1


@pytest.mark.parametrize("ahead_s", [4_000_000_000 - MORNING, 7200, 180])
async def test_a_clock_ahead_is_refused(service: Any, clock: HandClock, ahead_s: int) -> None:
    """Told by a device whose clock is years, hours or minutes ahead nothing changes: the next order finds its place."""
    stub, *_ = service
    rounds_id = await planned(stub)
    clock.put(MORNING)
    refusal = pb.Refusal(shipment_id="o1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, observed_unix_s=MORNING + ahead_s, refusal=refusal))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "observed_unix_s" in (caught.value.details() or "")
    assert "clock" in (caught.value.details() or "")
    new = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(99, 41.1550, -8.6200)))
    assert new.served
    assert "o1" in delivered(new.plan)


async def test_a_position_shifts_what_follows(service: Any, clock: HandClock) -> None:
    """A van far behind its plan is told to be late; only what changed comes back, and the reason is said."""
    stub, *_ = service
    rounds_id = await planned(stub)
    plan = (await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds.plan
    van = next(one for one in plan.rounds if one.vehicle_id == "van")
    first = next(stop for stop in van.stops if stop.shipment_id)
    clock.put(first.arrival_unix_s - 60)  # a device's clock may be a little ahead
    where = pb.VehiclePosition(vehicle_id="van", location={"lat_deg": 41.1780, "lon_deg": -8.6600})
    told = await stub.ReportEvent(
        pb.ReportEventRequest(rounds_id=rounds_id, observed_unix_s=first.arrival_unix_s - 1, position=where, only_changed=True)
    )
    [after] = [one for one in told.plan.rounds if one.vehicle_id == "van"]
    assert next(stop for stop in after.stops if stop.shipment_id).arrival_unix_s > first.arrival_unix_s + 120
    assert any("van" in change and "by its position" in change for change in told.changes)
    assert told.plan.version == 2
    again = await stub.InsertOrder(
        pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(98, 41.1550, -8.6200), only_changed=True)
    )
    assert again.served
    assert [one.vehicle_id for one in again.plan.rounds] == [again.vehicle_id]


async def test_bays_are_kept_when_plans_change(service: Any) -> None:
    """An order with a bay joins plain rounds; after an incident and another order it is still delivered from there."""
    stub, *_ = service
    rounds_id = await planned(stub)
    bay = {"bay_id": "bay 1", "location": location(41.1581, -8.6302), "walk_s": 40}
    order = shipment(50, 41.1580, -8.6300, task={"parking_s": 900, "bays": [bay]}, locked_vehicle_id="van")
    inserted = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=order))
    assert inserted.served
    corners = ((41.155, -8.635), (41.155, -8.625), (41.161, -8.625), (41.161, -8.635))
    slow = pb.Incident(area=[{"lat_deg": lat, "lon_deg": lon} for lat, lon in corners], speed_factor=0.2)
    told = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, incident=slow))
    more = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(51, 41.1570, -8.6200)))
    for plan in (inserted.plan, told.plan, more.plan):
        stop = next(stop for one in plan.rounds for stop in one.stops if stop.shipment_id == "o50")
        assert (stop.bay_id, stop.walk_s, stop.parking_s) == ("bay 1", 40, 0)
    assert delivered(more.plan) == sorted([*delivered(inserted.plan), "o51"])


async def test_wishes_are_kept_when_plans_change(service: Any) -> None:
    """An order with a due and a time to park joins plain rounds; from then on every change plans the rest anew."""
    stub, *_ = service
    rounds_id = await planned(stub)
    task = {"due_unix_s": MORNING + 60, "late_cost_per_hour": 36.0, "parking_s": 120}
    wish = shipment(50, 41.1580, -8.6300, task=task)
    tried = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=wish, dry_run=True))
    inserted = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=wish))
    assert inserted.served
    assert (tried.vehicle_id, tried.arrival_unix_s) == (inserted.vehicle_id, inserted.arrival_unix_s)
    stop = next(stop for one in inserted.plan.rounds for stop in one.stops if stop.shipment_id == "o50")
    motor = inserted.vehicle_id == "van"
    assert stop.parking_s == (120 if motor else 0)
    assert stop.late_cost == pytest.approx(36.0 * max(0, stop.start_unix_s - MORNING - 60) / 3600, abs=0.02)
    plain = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(51, 41.1570, -8.6200)))
    assert plain.served
    assert delivered(plain.plan) == sorted([*delivered(inserted.plan), "o51"])
    late = await stub.ReportEvent(
        pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id=plain.vehicle_id, delay_s=1800))
    )
    was, now = departures(plain.plan), departures(late.plan)
    assert now[plain.vehicle_id] >= was[plain.vehicle_id] + 1799
    assert any("min late" in words for words in late.changes)
    away = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, refusal=pb.Refusal(shipment_id="o51")))
    assert "o51" not in delivered(away.plan)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReportEvent(
            pb.ReportEventRequest(
                rounds_id=rounds_id, stability=pb.Stability(move_cost=1.0), delay=pb.Delay(vehicle_id="van", delay_s=60)
            )
        )
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED

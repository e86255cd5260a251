"""RoundsService over real gRPC, on Porto's streets, with real state servers and solver processes."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from traboule.common.v1 import time_pb2
from traboule.rounds.v1 import plan_pb2, problem_pb2, rounds_service_pb2_grpc
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.street.api import StreetEngine
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.rules import Role
from services.common.state.embedded import EmbeddedState
from services.common.tokens import DEVELOPMENT_TENANT, issue_development_token
from services.rounds.city import RoundsCity
from services.rounds.main import SERVICE
from services.rounds.pool import SolverPool
from services.rounds.runner import JobRunner
from services.rounds.servicer import RoundsServicer
from services.rounds.store import RoundsStore
from tests.builders.servers import channel_of, config_for, grpc_server, state_of, state_servers
from tests.builders.waiting import until

pytestmark = pytest.mark.slow
MORNING = 1_785_222_000
"""Tuesday 2026-07-28, 08:00 in Lisbon."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedState]:
    """Both embedded state servers."""
    with state_servers(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def engine(porto_snapshot: CitySnapshot) -> StreetEngine:
    """Streets of Porto, shared by the tests."""
    return StreetEngine(porto_snapshot.street)


@pytest.fixture
def city_name() -> str:
    """Name of a city in the state server that no other test uses."""
    return f"rounds-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def service(
    servers: EmbeddedState, porto_snapshot: CitySnapshot, engine: StreetEngine, city_name: str
) -> AsyncIterator[Any]:
    """(stub, pool, channel, config) of a running service with one solver, an hour before the shifts begin."""
    config = config_for(servers.home)
    city = RoundsCity(porto_snapshot, CityClock.starting_at(MORNING - 3600), engine)
    async with state_of(servers, city_name) as state, SolverPool(1) as pool:

        def register(server: grpc.aio.Server) -> list[str]:
            rounds_service_pb2_grpc.add_RoundsServiceServicer_to_server(RoundsServicer(city, pool, state), server)
            return [SERVICE]

        async with grpc_server(config, register) as server, channel_of(server, config, Role.LOGISTICS) as channel:
            runner = asyncio.create_task(JobRunner(state, lambda: city, pool).work(), name="runner")
            yield rounds_service_pb2_grpc.RoundsServiceStub(channel), pool, channel, config  # type: ignore[call-overload]
            runner.cancel()
            await asyncio.gather(runner, return_exceptions=True)


def _location(lat: float, lon: float) -> dict[str, Any]:
    return {"point": {"lat_deg": lat, "lon_deg": lon}}


def _shipment(k: int, lat: float, lon: float, **more: Any) -> problem_pb2.Shipment:
    task = {"location": _location(lat, lon), "service_s": 180, **more.pop("task", {})}
    return problem_pb2.Shipment(shipment_id=f"o{k}", delivery=task, loads=[1], **more)  # type: ignore[arg-type]


def _problem(count: int = 12) -> problem_pb2.Problem:
    """Orders in the centre of Porto for a van and a cargo bike, on duty from eight to four."""
    rng = np.random.default_rng(7)
    shift = {"start_unix_s": MORNING, "end_unix_s": MORNING + 8 * 3600}
    depot = _location(41.1621, -8.6220)
    noon = time_pb2.TimeRange(start_unix_s=MORNING + 4 * 3600, end_unix_s=MORNING + 5 * 3600)
    lunch = problem_pb2.Break(duration_s=1800, start_window=noon)
    vehicles = [
        problem_pb2.Vehicle(vehicle_id="van", kind=1, capacities=[40], start=depot, shift=shift, breaks=[lunch]),  # type: ignore[arg-type]
        problem_pb2.Vehicle(vehicle_id="bike", kind=3, capacities=[5], start=depot, shift=shift),  # type: ignore[arg-type]
    ]
    at = zip(rng.uniform(41.148, 41.165, count), rng.uniform(-8.64, -8.60, count), strict=True)
    return problem_pb2.Problem(vehicles=vehicles, shipments=[_shipment(k, *place) for k, place in enumerate(at)])


def _delivered(plan: plan_pb2.Plan) -> list[str]:
    return sorted(stop.shipment_id for one in plan.rounds for stop in one.stops if stop.shipment_id)


async def test_plans_stream_and_health_answers_meanwhile(service: Any) -> None:
    """Improving plans, the last with geometry; health goes on answering while OR-Tools and kernels work."""
    stub, _, channel, _ = service
    health, waits, done = health_pb2_grpc.HealthStub(channel), [], asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            began = time.perf_counter()
            await health.Check(health_pb2.HealthCheckRequest())
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)

    asking: asyncio.Task[None] | None = None
    messages = []
    async for message in stub.SolveRounds(
        pb.SolveRoundsRequest(problem=_problem(), limits=pb.SolveLimits(time_limit_s=2, with_polylines=True))
    ):
        if message.progress == "solving":
            asking = asyncio.create_task(ask())
        messages.append(message)
    answered_meanwhile = len(waits)
    done.set()
    assert asking is not None
    await asking
    last = messages[-1]
    assert last.final
    assert _delivered(last.plan) == sorted(f"o{k}" for k in range(12))
    costs = [message.plan.cost for message in messages if message.HasField("plan")]
    assert costs == sorted(costs, reverse=True)
    assert last.plan.distance_m > 1000
    assert all(
        stop.leg.polyline.encoded for one in last.plan.rounds for stop in one.stops if stop.kind == 3 and stop.leg.duration_s
    )
    assert last.stamp.city == "porto"
    print(f"health: median {1000 * float(np.median(waits)):.1f} ms, worst {1000 * max(waits):.1f} ms of {len(waits)}")
    assert answered_meanwhile > 1


async def test_a_job_survives_its_solver(service: Any) -> None:
    """Killing the solver process (-9) while it works on a job: the job is done all the same."""
    stub, pool, *_ = service
    request = pb.SubmitRoundsRequest(problem=_problem(), limits=pb.SolveLimits(time_limit_s=5), idempotency_key="one")
    rounds = (await stub.SubmitRounds(request)).rounds
    assert (await stub.SubmitRounds(request)).rounds.rounds_id == rounds.rounds_id
    killed = False
    async for message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds.rounds_id)):
        rounds = message.rounds
        if rounds.state == pb.ROUNDS_STATE_RUNNING and rounds.HasField("plan") and not killed:
            os.kill(pool.pids()[0], signal.SIGKILL)
            killed = True
    assert killed
    assert rounds.state == pb.ROUNDS_STATE_DONE
    assert len(_delivered(rounds.plan)) == 12
    listed = await stub.ListRounds(pb.ListRoundsRequest())
    assert [one.rounds_id for one in listed.rounds] == [rounds.rounds_id]


async def test_cancel_stops_the_work(service: Any) -> None:
    """A cancelled job ends; its solver is free again for the next."""
    stub, pool, *_ = service
    rounds = (
        await stub.SubmitRounds(pb.SubmitRoundsRequest(problem=_problem(), limits=pb.SolveLimits(time_limit_s=600)))
    ).rounds
    async for message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds.rounds_id)):
        if message.rounds.HasField("plan"):
            break
    working = pool.pids()[0]
    answer = await stub.CancelRounds(pb.CancelRoundsRequest(rounds_id=rounds.rounds_id))
    assert answer.rounds.state == pb.ROUNDS_STATE_CANCELLED
    assert answer.rounds.HasField("plan")
    await until(lambda: working not in pool.pids(), "the solver's end")


async def test_a_runner_that_is_stopped_ends_its_solve(service: Any) -> None:
    """Cancelled while a solver works, the runner just ends, and the solver with it."""
    stub, pool, *_ = service
    [runner] = [task for task in asyncio.all_tasks() if task.get_name() == "runner"]
    rounds = (
        await stub.SubmitRounds(pb.SubmitRoundsRequest(problem=_problem(), limits=pb.SolveLimits(time_limit_s=600)))
    ).rounds
    async for message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds.rounds_id)):
        if message.rounds.HasField("plan"):
            break
    working = pool.pids()[0]
    runner.cancel()
    [ended] = await asyncio.gather(runner, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError)
    assert working not in pool.pids()
    await stub.CancelRounds(pb.CancelRoundsRequest(rounds_id=rounds.rounds_id))


async def test_orders_and_events_change_a_plan(service: Any) -> None:
    """Insert, refuse, delay and break down; versions grow and everything stays explained."""
    stub, *_ = service
    limits = pb.SolveLimits(max_iterations=200)
    rounds = (await stub.SubmitRounds(pb.SubmitRoundsRequest(problem=_problem(), limits=limits))).rounds
    async for _message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds.rounds_id)):
        pass
    rounds_id = rounds.rounds_id
    new = _shipment(99, 41.1550, -8.6200)
    dry = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=new, dry_run=True))
    found = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=new))
    assert found.served
    assert found.cost_delta == pytest.approx(dry.cost_delta)
    assert len(_delivered(found.plan)) == 13
    assert found.plan.version == 2
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=new))
    assert caught.value.code() == grpc.StatusCode.ALREADY_EXISTS
    big = _shipment(100, 41.1550, -8.6200)
    big.loads[:] = [1000]
    refused = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=big))
    assert not refused.served
    assert refused.unserved.reason == plan_pb2.UNSERVED_REASON_CAPACITY
    told = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, refusal=pb.Refusal(shipment_id="o3")))
    assert "o3" not in _delivered(told.plan)
    late = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id="van", delay_s=900)))
    assert late.plan.version == 4
    noon = MORNING + 5 * 3600
    broken = pb.ReportEventRequest(rounds_id=rounds_id, observed_unix_s=MORNING - 60, breakdown=pb.Breakdown(vehicle_id="van"))
    after = await stub.ReportEvent(broken)
    assert after.reordered
    assert [one.vehicle_id for one in after.plan.rounds] == ["bike"]
    assert len(_delivered(after.plan)) == 5
    assert after.plan.rounds[0].arrival_unix_s < noon
    explained = await stub.ExplainUnserved(pb.ExplainUnservedRequest(rounds_id=rounds_id))
    assert len(explained.explanations) >= 7
    assert all(one.summary for one in explained.explanations)
    later = pb.ReportEventRequest(
        rounds_id=rounds_id, observed_unix_s=MORNING - 60, delay=pb.Delay(vehicle_id="bike", delay_s=60)
    )
    lost = [change for change in (await stub.ReportEvent(later)).changes if "no longer" in change]
    assert not any(one.shipment_id in change for change in lost for one in explained.explanations), "lost before, told then"


async def _planned(stub: Any, **limits: Any) -> str:
    """Submit the drawn problem and wait until it is planned; answers the id."""
    request = pb.SubmitRoundsRequest(problem=_problem(), limits=pb.SolveLimits(**(limits or {"max_iterations": 100})))
    rounds_id: str = (await stub.SubmitRounds(request)).rounds.rounds_id
    async for message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds_id)):
        assert message.rounds.state != pb.ROUNDS_STATE_FAILED, message.rounds.explanation
    return rounds_id


def _departures(plan: plan_pb2.Plan) -> dict[str, int]:
    return {one.vehicle_id: one.departure_unix_s for one in plan.rounds}


async def test_a_broken_vehicle_gets_no_new_order(service: Any) -> None:
    """What was reported holds on: neither a new order nor another event brings a broken van back on the road."""
    stub, *_ = service
    rounds_id = await _planned(stub)
    await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, breakdown=pb.Breakdown(vehicle_id="van")))
    new = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=_shipment(99, 41.1550, -8.6200)))
    assert "van" not in _departures(new.plan)
    late = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id="bike", delay_s=60)))
    assert "van" not in _departures(late.plan)


async def test_a_delay_is_counted_from_the_planned_departure_and_remembered(service: Any) -> None:
    """An hour late, told an hour before the shift: the van leaves an hour later, also after the next change."""
    stub, *_ = service
    rounds_id = await _planned(stub)
    before = _departures((await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds.plan)["van"]
    delay = pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id="van", delay_s=3600))
    late = await stub.ReportEvent(delay)
    assert _departures(late.plan)["van"] >= before + 3600
    after = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, refusal=pb.Refusal(shipment_id="o3")))
    assert _departures(after.plan)["van"] >= before + 3600


async def test_a_plan_that_another_process_changed_is_read_again(service: Any, servers: EmbeddedState, city_name: str) -> None:
    """The version of the newer plan is accepted although an older one was in memory; an old version is refused."""
    stub, *_ = service
    rounds_id = await _planned(stub)
    await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=_shipment(97, 41.1550, -8.6200)))
    async with state_of(servers, city_name) as state:
        store = RoundsStore(state)
        stored = await store.get(rounds_id, DEVELOPMENT_TENANT)
        assert stored.plan is not None
        version = await store.change(stored, stored.problem, stored.plan, MORNING - 3500, stored.reported)
    old = pb.InsertOrderRequest(rounds_id=rounds_id, shipment=_shipment(98, 41.1550, -8.6200), plan_version=version - 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.InsertOrder(old)
    assert caught.value.code() == grpc.StatusCode.ABORTED
    new = pb.InsertOrderRequest(rounds_id=rounds_id, shipment=_shipment(99, 41.1550, -8.6200), plan_version=version)
    assert (await stub.InsertOrder(new)).plan.version == version + 1


async def test_a_position_shifts_what_follows(service: Any) -> None:
    """A van far behind its plan is told to be late; only what changed comes back, and the reason is said."""
    stub, *_ = service
    rounds_id = await _planned(stub)
    plan = (await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds.plan
    van = next(one for one in plan.rounds if one.vehicle_id == "van")
    first = next(stop for stop in van.stops if stop.shipment_id)
    where = pb.VehiclePosition(vehicle_id="van", location={"lat_deg": 41.1780, "lon_deg": -8.6600})
    told = await stub.ReportEvent(
        pb.ReportEventRequest(rounds_id=rounds_id, observed_unix_s=first.arrival_unix_s - 1, position=where, only_changed=True)
    )
    [after] = [one for one in told.plan.rounds if one.vehicle_id == "van"]
    assert next(stop for stop in after.stops if stop.shipment_id).arrival_unix_s > first.arrival_unix_s + 120
    assert any("van" in change and "by its position" in change for change in told.changes)
    assert told.plan.version == 2
    again = await stub.InsertOrder(
        pb.InsertOrderRequest(rounds_id=rounds_id, shipment=_shipment(98, 41.1550, -8.6200), only_changed=True)
    )
    assert again.served
    assert [one.vehicle_id for one in again.plan.rounds] == [again.vehicle_id]


async def test_wishes_are_kept_when_plans_change(service: Any) -> None:
    """An order with a due and a time to park joins plain rounds; from then on every change plans the rest anew."""
    stub, *_ = service
    rounds_id = await _planned(stub)
    task = {"due_unix_s": MORNING + 60, "late_cost_per_hour": 36.0, "parking_s": 120}
    wish = _shipment(50, 41.1580, -8.6300, task=task)
    tried = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=wish, dry_run=True))
    inserted = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=wish))
    assert inserted.served
    assert (tried.vehicle_id, tried.arrival_unix_s) == (inserted.vehicle_id, inserted.arrival_unix_s)
    stop = next(stop for one in inserted.plan.rounds for stop in one.stops if stop.shipment_id == "o50")
    motor = inserted.vehicle_id == "van"
    assert stop.parking_s == (120 if motor else 0)
    assert stop.late_cost == pytest.approx(36.0 * max(0, stop.start_unix_s - MORNING - 60) / 3600, abs=0.02)
    plain = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=_shipment(51, 41.1570, -8.6200)))
    assert plain.served
    assert _delivered(plain.plan) == sorted([*_delivered(inserted.plan), "o51"])
    late = await stub.ReportEvent(
        pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id=plain.vehicle_id, delay_s=1800))
    )
    was, now = _departures(plain.plan), _departures(late.plan)
    assert now[plain.vehicle_id] >= was[plain.vehicle_id] + 1799
    assert any("min late" in words for words in late.changes)
    away = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, refusal=pb.Refusal(shipment_id="o51")))
    assert "o51" not in _delivered(away.plan)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ReportEvent(
            pb.ReportEventRequest(
                rounds_id=rounds_id, stability=pb.Stability(move_cost=1.0), delay=pb.Delay(vehicle_id="van", delay_s=60)
            )
        )
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_the_time_limit_holds_beside_iterations(service: Any) -> None:
    """Iterations without end do not keep a solver for ever; the best plan found in the time given comes back."""
    stub, *_ = service
    limits = pb.SolveLimits(time_limit_s=1, max_iterations=2**60)
    messages = []
    async for message in stub.SolveRounds(pb.SolveRoundsRequest(problem=_problem(), limits=limits), timeout=60):
        messages.append(message)
    assert messages[-1].final
    assert len(_delivered(messages[-1].plan)) == 12


@pytest.mark.parametrize("token", ["²", "9" * 30, "-1", "x"])
async def test_a_page_token_that_was_not_given_is_refused(service: Any, token: str) -> None:
    """Superscripts, numbers beyond all lists, words."""
    stub, *_ = service
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListRounds(pb.ListRoundsRequest(page_token=token))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "page_token" in (caught.value.details() or "")


async def test_another_tenant_sees_nothing(service: Any) -> None:
    """Rounds of one carrier do not exist for another, whatever it asks; nothing is kept of its asking."""
    stub, _, _, config = service
    rounds_id = await _planned(stub)
    token = issue_development_token(config.home, Role.LOGISTICS, tenant="somebody-else")
    metadata = (("authorization", f"Bearer {token}"),)
    order = _shipment(99, 41.1550, -8.6200)
    calls = [
        stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id), metadata=metadata),
        stub.CancelRounds(pb.CancelRoundsRequest(rounds_id=rounds_id), metadata=metadata),
        stub.InsertOrder(pb.InsertOrderRequest(rounds_id=rounds_id, shipment=order), metadata=metadata),
        stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, refusal=pb.Refusal(shipment_id="o1")), metadata=metadata),
        stub.ExplainUnserved(pb.ExplainUnservedRequest(rounds_id=rounds_id), metadata=metadata),
        stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds_id), metadata=metadata).read(),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert not (await stub.ListRounds(pb.ListRoundsRequest(), metadata=metadata)).rounds


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"vehicles": []}, grpc.StatusCode.INVALID_ARGUMENT, "vehicles"),
        ({"shipments": [_shipment(0, 48.0, 2.0)]}, grpc.StatusCode.INVALID_ARGUMENT, "shipments[0].delivery.location"),
        ({"shipments": [_shipment(0, 41.15, -8.62)] * 2}, grpc.StatusCode.INVALID_ARGUMENT, "shipments[1].id"),
        ({"shipments": [_shipment(0, 41.15, -8.62, max_ride_s=60)]}, grpc.StatusCode.INVALID_ARGUMENT, "max_ride_s"),
        ({"shipments": [_shipment(0, 41.15, -8.62, locked_vehicle_id="x")]}, grpc.StatusCode.INVALID_ARGUMENT, "vehicle_ids"),
        ({"shipments": [_shipment(0, 41.1, -8.77)]}, grpc.StatusCode.INVALID_ARGUMENT, "shipments[0].delivery.location"),
    ],
)
async def test_bad_requests_name_the_field(service: Any, change: dict[str, Any], code: grpc.StatusCode, field: str) -> None:
    """Status and field of what is wrong."""
    stub, *_ = service
    problem = _problem(2)
    for name, values in change.items():
        problem.ClearField(name)  # type: ignore[arg-type]
        getattr(problem, name).extend(values)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub.SolveRounds(pb.SolveRoundsRequest(problem=problem)):
            pass
    assert caught.value.code() == code, caught.value.details()
    assert field in (caught.value.details() or "")


async def test_unknown_rounds_are_not_found(service: Any) -> None:
    """An id nobody gave out."""
    stub, *_ = service
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetRounds(pb.GetRoundsRequest(rounds_id="nope"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND

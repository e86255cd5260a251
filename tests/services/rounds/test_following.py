"""Plans that follow live traffic by themselves: told why and what changed, in peace otherwise. Real servers, drawn speeds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import grpc
import numpy as np
import pytest
from traboule.rounds.v1 import problem_pb2, rounds_service_pb2_grpc
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.api import build_plan
from routing.street.api import StreetEngine
from services.city.snapshot import CitySnapshot
from services.common.live.link_ids import LinkIds
from services.common.live.state import Topic
from services.common.live.traffic import LiveTraffic, empty_traffic
from services.common.records import Observation, Provenance
from services.common.rules import Role
from services.common.state import State
from services.common.state.embedded import EmbeddedState
from services.rounds import kept
from services.rounds.city import RoundsCity
from services.rounds.driving_ahead import driving_ahead
from services.rounds.main import SERVICE
from services.rounds.mapping import problem_from_proto
from services.rounds.pool import SolverPool
from services.rounds.runner import JobRunner
from services.rounds.served import ServedCity
from services.rounds.store import RoundsStore
from tests.builders.carriers import MORNING, delivered, drawn_problem
from tests.builders.clocks import HandClock
from tests.builders.servers import channel_of, config_for, grpc_server, state_of
from tests.builders.waiting import until

pytestmark = pytest.mark.slow
ALWAYS = pb.TrafficFollowing(when=pb.FOLLOW_TRAFFIC_ALWAYS)


class Running(NamedTuple):
    """A rounds service on Porto with live traffic, whose looks at the traffic are made by hand."""

    stub: Any
    city: ServedCity
    state: State
    clock: HandClock

    async def measure(self, factor: float, some: int = 1) -> None:
        """Let every `some`-th street of the middle of the city be measured now, at a share of the speed that is expected."""
        graph, now = self.city.city.street.graph, int(self.clock.now())
        lat, lon = graph.node_lat_e7[graph.arc_tail] * 1e-7, graph.node_lon_e7[graph.arc_tail] * 1e-7
        inside = (abs(lat - 41.157) < 0.012) & (abs(lon + 8.62) < 0.024)
        arcs = np.flatnonzero(inside)[::some]
        kmh = factor * self.city.city.forecast.arc_speed_kmh(now)[arcs]
        keys = LinkIds(graph).list_keys(arcs.astype(np.int32))
        rows = [
            Observation(
                feed="drawn", entity=str(key), observed_at=now, received_at=now, valid_until=now + 600, kind="speed",
                unit="km/h", value=float(speed), lat=41.157, lon=-8.62, arc_keys=(key,), provenance=Provenance("", "", "drawn"),
            )
            for key, speed in zip(keys, kmh.tolist(), strict=True)
        ]  # fmt: skip
        before = self.city.live.epoch(Topic.TRAFFIC)
        await self.state.publish_latest("speed", "drawn", rows, received_at=now)
        async with asyncio.timeout(60):
            await self.city.live.wait_for(Topic.TRAFFIC, before)
        assert self.city.city.traffic is self.city.live.traffic

    async def look(self) -> list[str]:
        """Look a minute later."""
        self.clock.put(self.clock.now() + 61.0)
        return await self.city.servicer.follower.look()

    async def followed(self) -> list[str]:
        """Ids of the plans that follow the traffic."""
        return [rounds_id for rounds_id, _, _ in await RoundsStore(self.state).list_followed()]

    async def plan(self, problem: problem_pb2.Problem, following: pb.TrafficFollowing) -> str:
        """Submit rounds and wait until they are planned."""
        limits = pb.SolveLimits(max_iterations=100)
        request = pb.SubmitRoundsRequest(problem=problem, limits=limits, traffic_following=following)
        rounds_id: str = (await self.stub.SubmitRounds(request)).rounds.rounds_id
        async for _message in self.stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds_id)):
            pass
        return rounds_id

    async def rounds(self, rounds_id: str) -> pb.Rounds:
        """Rounds as they are."""
        found: pb.Rounds = (await self.stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds
        return found


@pytest.fixture
async def running(
    servers: EmbeddedState, porto_snapshot: CitySnapshot, engine: StreetEngine, city_name: str, clock: HandClock
) -> AsyncIterator[Running]:
    """A service that follows the live state server, an hour before the shifts begin."""
    config = config_for(servers.home)
    async with state_of(servers, city_name) as state, SolverPool(1) as pool:
        served = ServedCity(RoundsCity(porto_snapshot, clock, engine), clock, state, pool, follow_s=60.0)  # type: ignore[arg-type]

        def register(server: grpc.aio.Server) -> list[str]:
            rounds_service_pb2_grpc.add_RoundsServiceServicer_to_server(served.servicer, server)
            return [SERVICE]

        async with grpc_server(config, register) as server, channel_of(server, config, Role.LOGISTICS) as channel:
            runner = JobRunner(state, lambda: served.city, pool, on_done=served.servicer.prepare)
            tasks = [asyncio.create_task(runner.work()), asyncio.create_task(served.live.follow())]
            await served.ready.wait()
            yield Running(rounds_service_pb2_grpc.RoundsServiceStub(channel), served, state, clock)  # type: ignore[no-untyped-call]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await served.servicer.close()


async def test_a_plan_follows_the_traffic_while_it_is_driven(running: Running) -> None:
    """In peace before and with little, told and later with much, in peace with the same again, forgotten when all is driven."""
    rounds_id = await running.plan(drawn_problem(), ALWAYS)
    assert await running.followed() == [rounds_id]
    before = await running.rounds(rounds_id)
    van = next(one for one in before.plan.rounds if one.vehicle_id == "van")
    running.clock.put(van.departure_unix_s - 200)
    await running.measure(0.2)
    assert await running.look() == [], "nobody drives yet"
    await running.measure(0.97, some=3)
    running.clock.put(van.departure_unix_s + 5)
    assert await running.look() == [], "too little"
    assert (await running.rounds(rounds_id)).plan.version == 1
    await running.measure(0.25)
    watching = running.stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds_id, follow=True))
    assert (await watching.read()).rounds.plan.version == 1
    assert await running.look() == [rounds_id]
    async with asyncio.timeout(30):
        after = (await watching.read()).rounds
    watching.cancel()
    assert after.plan.version == 2
    assert after.changes[0].startswith("live traffic ahead of van: ")
    assert "% slower" in after.changes[0]
    assert any("van arrives up to" in words and "later: live traffic" in words for words in after.changes)
    assert delivered(after.plan) == delivered(before.plan)
    assert await running.look() == [], "it goes by this traffic already"
    await running.measure(0.25)
    assert await running.look() == []
    assert (await running.rounds(rounds_id)).plan.version == 2
    await running.measure(1.0)
    assert await running.look() == [rounds_id], "and back"
    assert "% quicker" in (await running.rounds(rounds_id)).changes[0]
    running.clock.put(max(one.arrival_unix_s for one in after.plan.rounds) + 3600)
    assert await running.look() == []
    assert await running.followed() == []


async def test_plans_follow_once_they_are_seen_to_be_driven(running: Running) -> None:
    """Unless they are told to, or not to: from the first completion on."""
    unsaid = await running.plan(drawn_problem(4), pb.TrafficFollowing())
    never = await running.plan(drawn_problem(5), pb.TrafficFollowing(when=pb.FOLLOW_TRAFFIC_NEVER))
    assert await running.followed() == []
    for rounds_id in (unsaid, never):
        plan = (await running.rounds(rounds_id)).plan
        stop = min(
            (stop for one in plan.rounds for stop in one.stops if stop.shipment_id), key=lambda stop: stop.departure_unix_s
        )
        running.clock.put(max(running.clock.now(), stop.departure_unix_s))
        done = pb.Completion(shipment_id=stop.shipment_id)
        await running.stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, completion=done))
    assert await running.followed() == [unsaid]


async def test_what_cannot_be_changed_cannot_follow(running: Running) -> None:
    """Rounds with reloads are refused by the field's name before they are planned."""
    problem = drawn_problem(3)
    problem.vehicles[0].may_reload = True
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.plan(problem, ALWAYS)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "traffic_following.when" in (caught.value.details() or "")


async def test_new_plans_are_made_ready_but_never_in_place_of_one_in_use(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for two: the plan somebody asked for stays, of those made ready the oldest goes."""
    monkeypatch.setattr(kept, "KEPT_PLANS", 2)
    plans = running.city.servicer._live.kept._plans
    used = await running.plan(drawn_problem(3), pb.TrafficFollowing())
    await until(lambda: used in plans, "the plan in memory")
    assert not plans[used].asked
    delay = pb.ReportEventRequest(rounds_id=used, delay=pb.Delay(vehicle_id="van", delay_s=60))
    assert (await running.stub.ReportEvent(delay)).plan.version == 2
    assert plans[used].asked
    first = await running.plan(drawn_problem(2), pb.TrafficFollowing())
    await until(lambda: first in plans, "the next plan in memory")
    second = await running.plan(drawn_problem(2), pb.TrafficFollowing())
    await until(lambda: second in plans, "the one after that in memory")
    assert set(plans) == {used, second}


async def test_of_two_processes_one_looks(running: Running) -> None:
    """Who is first says so; the other leaves the plan to it for that minute."""
    rounds_id = await running.plan(drawn_problem(3), ALWAYS)
    store = RoundsStore(running.state)
    [(_, version, one)] = await store.list_followed()
    follower = running.city.servicer.follower
    assert await follower._mine(rounds_id, version, one)
    assert not await follower._mine(rounds_id, version, one)


def test_driving_ahead_of_a_plan_that_goes_by_the_traffic_is_as_planned(
    porto_snapshot: CitySnapshot, engine: StreetEngine
) -> None:
    """Ways longer and shorter than a slot, under drawn traffic: to the rounding; under other traffic it is not."""
    city = RoundsCity(porto_snapshot, HandClock(MORNING), engine)  # type: ignore[arg-type]
    mapped, rng = problem_from_proto(drawn_problem(8), city.resolve), np.random.default_rng(5)
    for factor in (1.0, 0.4):
        traffic = _everywhere(engine, factor * rng.uniform(0.8, 1.2, engine.graph.arc_count))
        built = city.build_times_under(traffic, mapped, ())
        plan = build_plan(mapped.problem, built.travel_times, [list(range(8)), []])
        now_s = plan.rounds[0].departure_s - 60.0
        [(r, one)] = driving_ahead(city, mapped, built, plan, traffic, now_s).items()
        assert r == 0
        assert one.planned_s > 300.0
        assert one.now_s == pytest.approx(one.planned_s, abs=10.0)
        assert not one.matters(0.01)
        jam = _everywhere(engine, np.full(engine.graph.arc_count, 0.4 * factor), mapped.zero_s + int(now_s))
        slower = driving_ahead(city, mapped, built, plan, jam, now_s)[0]
        assert slower.matters(0.1)
        assert slower.change > 0.1


def _everywhere(engine: StreetEngine, factors: np.ndarray, at_s: int = MORNING) -> LiveTraffic:
    """Every street measured at a moment, at shares of its free-flow speed."""
    empty = empty_traffic(engine.graph.arc_count)
    speed = (engine.graph.arc_speed_kmh * factors).astype(np.float32)
    return LiveTraffic(1, at_s, speed, np.full(len(speed), at_s), empty.arc_quality, empty.arc_flow_vph, empty.closed_arcs)

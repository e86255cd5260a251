"""Plans improved after changes by a solver process: told with what it saves, never against a change that came first."""

import asyncio
from typing import Any

import pytest
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.api import build_plan
from routing.street.api import StreetEngine
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.state.embedded import EmbeddedState
from services.common.tokens import DEVELOPMENT_TENANT
from services.rounds.city import RoundsCity
from services.rounds.codec import map_times, share_times
from services.rounds.mapping import problem_from_proto
from services.rounds.store import RoundsStore
from services.rounds.store import planned as planned_of
from tests.builders.carriers import MORNING, delivered, planned, shipment
from tests.builders.rounds import random_times
from tests.builders.servers import state_of

pytestmark = pytest.mark.slow


@pytest.fixture
def polish_s() -> float:
    """Plans are improved for a second."""
    return 1.0


async def _spoil(rounds_id: str, city: RoundsCity, servers: EmbeddedState, city_name: str) -> float:
    """Let the van of a stored plan drive its stops in a bad order; what the plan costs then."""
    async with state_of(servers, city_name) as state:
        store = RoundsStore(state)
        stored = await store.get(rounds_id, DEVELOPMENT_TENANT)
        mapped = problem_from_proto(stored.problem, city.resolve)
        routes: list[list[int]] = [[] for _ in mapped.problem.vehicles]
        for one in planned_of(stored).rounds:
            routes[one.vehicle_idx] = [stop.visit_idx for stop in one.stops]
        van = routes[0]
        routes[0] = [*van[::2], *van[1::2]]
        bad = build_plan(mapped.problem, city.build_times(mapped).travel_times, routes)
        await store.change(stored, stored.problem, bad, MORNING - 3500, stored.reported)
        return bad.cost


@pytest.fixture
def city(porto_snapshot: CitySnapshot, engine: StreetEngine) -> RoundsCity:
    """Porto, for making a plan worse."""
    return RoundsCity(porto_snapshot, CityClock.starting_at(MORNING - 3600), engine)


async def test_a_plan_is_improved_after_an_event(
    service: Any, city: RoundsCity, servers: EmbeddedState, city_name: str
) -> None:
    """Whoever watches gets the event's plan and then a cheaper one with a new version, and is told what it saves and why."""
    stub, *_ = service
    rounds_id = await planned(stub)
    await _spoil(rounds_id, city, servers, city_name)
    watching = stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds_id, follow=True))
    first = await watching.read()
    assert first.rounds.plan.version == 2
    told = await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id="bike", delay_s=60)))
    seen = []
    async with asyncio.timeout(90):
        while not seen or seen[-1].plan.version < 4:
            seen.append((await watching.read()).rounds)
    watching.cancel()
    better = seen[-1]
    assert better.plan.version == told.plan.version + 1
    assert better.plan.cost < told.plan.cost - 1.0
    assert delivered(better.plan) == delivered(told.plan)
    assert any("bike is 1 min late" in words and "saves" in words for words in better.changes)
    assert (await stub.GetRounds(pb.GetRoundsRequest(rounds_id=rounds_id))).rounds.plan.version == 4


async def test_a_change_that_arrives_meanwhile_wins(
    service: Any, city: RoundsCity, servers: EmbeddedState, city_name: str
) -> None:
    """Orders inserted while a plan is polished stay in it; polished plans come after them, none takes their place."""
    stub, *_ = service
    rounds_id = await planned(stub)
    await _spoil(rounds_id, city, servers, city_name)
    await stub.ReportEvent(pb.ReportEventRequest(rounds_id=rounds_id, delay=pb.Delay(vehicle_id="bike", delay_s=60)))
    versions = []
    for k in range(4):
        await asyncio.sleep(0.6)
        new = pb.InsertOrderRequest(rounds_id=rounds_id, shipment=shipment(90 + k, 41.1550, -8.6200 - 0.001 * k))
        answer = await stub.InsertOrder(new)
        assert answer.served
        versions.append(answer.plan.version)
    assert versions == sorted(set(versions))
    watching = stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=rounds_id, follow=True))
    last = (await watching.read()).rounds
    async with asyncio.timeout(90):
        while not any("saves" in words for words in last.changes):
            last = (await watching.read()).rounds
    watching.cancel()
    assert last.plan.version > versions[-1]
    assert {f"o{90 + k}" for k in range(4)} <= set(delivered(last.plan))
    assert len(delivered(last.plan)) == 16


def test_travel_times_are_shared_without_a_copy_of_the_past() -> None:
    """Mapped by another end: the same arrivals from the present slot on; what is written there stays there."""
    import os  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    times = random_times(np.random.default_rng(5), 7)
    since_s = float(times.arrays.slot_start_s[2]) + 1.0
    file, shared = share_times(times, since_s, 6)
    mapped = map_times(shared)
    assert mapped.location_count == 6
    for at_s in (since_s, since_s + 500.0, since_s + 5000.0):
        for i, j in ((0, 1), (5, 2), (3, 3)):
            assert mapped.arrival_s(0, i, j, at_s) == times.arrival_s(0, i, j, at_s)
    mapped.arrays.slot_s[:] = 0
    assert map_times(shared).arrays.slot_s.any()
    os.close(file)

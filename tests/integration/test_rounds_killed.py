"""A whole rounds service killed with SIGKILL: another process takes on its jobs, a new one goes on with its plans."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from traboule.rounds.v1 import problem_pb2, rounds_service_pb2_grpc
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.common.channel import development_tokens, open_channel
from services.common.processes import is_alive
from services.common.rules import Role
from services.common.state.client import text
from services.rounds.store import QUEUE
from tests.builders.cities import draw_city
from tests.builders.journeys import at, point
from tests.builders.servers import state_of, state_servers
from tests.builders.swapping import Service, build, served_with

pytestmark = pytest.mark.slow
WEST, EAST, NORTH = point((41.1501, -8.6199)), point((41.1500, -8.6161)), point((41.1515, -8.6180))
SETTINGS = {"ROUNDS_LEASE_S": "2", "ROUNDS_SOLVERS": "1", "ROUNDS_POLISH_S": "0"}
SECONDS = 6.0
"""Long enough to be killed in, short enough to be worked on twice."""


def _order(name: str, where: Any) -> problem_pb2.Shipment:
    return problem_pb2.Shipment(shipment_id=name, delivery={"location": where, "service_s": 60}, loads=[1])  # type: ignore[arg-type]


def _job() -> pb.SubmitRoundsRequest:
    shift = {"start_unix_s": at("09:00"), "end_unix_s": at("12:00")}
    van = problem_pb2.Vehicle(vehicle_id="van", kind=1, capacities=[10], start=WEST, shift=shift)  # type: ignore[arg-type]
    problem = problem_pb2.Problem(vehicles=[van], shipments=[_order("a", EAST), _order("b", NORTH)])
    return pb.SubmitRoundsRequest(problem=problem, limits=pb.SolveLimits(time_limit_s=SECONDS))


async def _until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(90):
        while not await check():
            await asyncio.sleep(0.1)


@pytest.mark.usefixtures("compiled_kernels")
async def test_jobs_and_plans_outlive_a_service_that_is_killed(tmp_path: Path) -> None:
    """Killed while it works: the other process finishes the job; killed again, a new process finishes it and keeps plans."""
    first_home, second_home = tmp_path / "one", tmp_path / "two"
    build(draw_city(tmp_path / "drawn"), first_home)
    shutil.copytree(first_home, second_home)
    async with AsyncExitStack() as stack:
        servers = stack.enter_context(state_servers(tmp_path / "state"))
        state = await stack.enter_async_context(state_of(servers, "drawn"))

        async def start(home: Path) -> tuple[Service, Any]:
            service = await stack.enter_async_context(served_with(home, "rounds", servers, **SETTINGS))
            tokens = development_tokens(home, Role.LOGISTICS)
            channel = await stack.enter_async_context(open_channel(service.address, tokens))
            return service, rounds_service_pb2_grpc.RoundsServiceStub(channel)  # type: ignore[call-overload]

        running = [await start(home) for home in (first_home, second_home)]

        async def kill_who_works_on(job: str) -> None:
            """Kill the process that has a job, once it has told of a plan; nothing that it started lives on."""

            async def planned() -> bool:
                found = await state.jobs.get(QUEUE, job)
                return found.state == "RUNNING" and bool(found.progress)

            await _until(planned)
            key = state.jobs.keys.job(QUEUE, job)
            pid = int(text(await state.jobs.connection.read("HGET", key, "worker")).split("-")[1])
            [victim] = [pair for pair in running if pair[0].pid == pid]
            children = victim[0].children()
            assert children
            victim[0].kill()
            running.remove(victim)

            async def gone() -> bool:
                return not any(is_alive(child) for child in children)

            await _until(gone)

        async def finished(stub: Any, job: str) -> pb.Rounds:
            async with asyncio.timeout(90):
                async for message in stub.WatchRounds(pb.WatchRoundsRequest(rounds_id=job)):
                    last: pb.Rounds = message.rounds
            return last

        job = (await running[0][1].SubmitRounds(_job())).rounds.rounds_id
        await kill_who_works_on(job)
        [(_, survivor)] = running
        done = await finished(survivor, job)
        assert done.state == pb.ROUNDS_STATE_DONE
        assert done.plan.served_count == 2
        assert (await state.jobs.get(QUEUE, job)).attempt == 2
        new = await survivor.InsertOrder(pb.InsertOrderRequest(rounds_id=job, shipment=_order("c", EAST)))
        assert new.plan.version == 2

        second = (await survivor.SubmitRounds(_job())).rounds.rounds_id
        await kill_who_works_on(second)
        assert not running
        third_home = tmp_path / "three"
        build(tmp_path / "drawn", third_home)
        _, stub = await start(third_home)
        assert (await finished(stub, second)).state == pb.ROUNDS_STATE_DONE
        kept = (await stub.GetRounds(pb.GetRoundsRequest(rounds_id=job))).rounds
        assert kept.plan.version == 2
        assert kept.plan.served_count == 3
        more = await stub.InsertOrder(pb.InsertOrderRequest(rounds_id=job, shipment=_order("d", NORTH), plan_version=2))
        assert more.plan.version == 3

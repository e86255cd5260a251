"""RoundsService over real gRPC, on Porto's streets, with real state servers and solver processes."""

import asyncio
import os
import signal
import time
from typing import Any

import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from traboule.rounds.v1 import rounds_service_pb2 as pb

from tests.builders.carriers import delivered, drawn_problem
from tests.builders.waiting import until

pytestmark = pytest.mark.slow


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
        pb.SolveRoundsRequest(problem=drawn_problem(), limits=pb.SolveLimits(time_limit_s=2, with_polylines=True))
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
    assert delivered(last.plan) == sorted(f"o{k}" for k in range(12))
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
    request = pb.SubmitRoundsRequest(problem=drawn_problem(), limits=pb.SolveLimits(time_limit_s=5), idempotency_key="one")
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
    assert len(delivered(rounds.plan)) == 12
    listed = await stub.ListRounds(pb.ListRoundsRequest())
    assert [one.rounds_id for one in listed.rounds] == [rounds.rounds_id]


async def test_cancel_stops_the_work(service: Any) -> None:
    """A cancelled job ends; its solver is free again for the next."""
    stub, pool, *_ = service
    rounds = (
        await stub.SubmitRounds(pb.SubmitRoundsRequest(problem=drawn_problem(), limits=pb.SolveLimits(time_limit_s=600)))
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
        await stub.SubmitRounds(pb.SubmitRoundsRequest(problem=drawn_problem(), limits=pb.SolveLimits(time_limit_s=600)))
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


async def test_the_time_limit_holds_beside_iterations(service: Any) -> None:
    """Iterations without end do not keep a solver for ever; the best plan found in the time given comes back."""
    stub, *_ = service
    limits = pb.SolveLimits(time_limit_s=1, max_iterations=2**60)
    messages = []
    async for message in stub.SolveRounds(pb.SolveRoundsRequest(problem=drawn_problem(), limits=limits), timeout=60):
        messages.append(message)
    assert messages[-1].final
    assert len(delivered(messages[-1].plan)) == 12

"""Solver processes: plans come back, crashes are said and healed, cancelling kills at once, nothing outlives the pool."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.api import list_violations
from services.common.processes import is_alive
from services.rounds.codec import Improvement, SolveOrder, decode_plan, encode_plan, pack_times, parts_of
from services.rounds.errors import EngineRefused, SolverCrashed
from services.rounds.pool import SolverPool
from services.rounds.runner import threads_of
from tests.builders.rounds import random_problem, random_times
from tests.builders.waiting import until


@pytest.fixture
async def pool() -> AsyncIterator[SolverPool]:
    """One solver."""
    async with SolverPool(1) as running:
        yield running


RNG = np.random.default_rng(1)
PROBLEM, TIMES = random_problem(RNG, 12, 4), random_times(RNG, 13)


def _order(seconds: float = 60.0, iterations: int | None = None) -> SolveOrder:
    return SolveOrder(parts_of(PROBLEM), pack_times(TIMES), seconds, iterations, 0)


async def _drained(work: AsyncIterator[Improvement]) -> list[Improvement]:
    return [found async for found in work]


@pytest.mark.slow
async def test_plans_come_back(pool: SolverPool) -> None:
    """The last plan is final, feasible and the same for the same seed and iterations; it survives the codec."""
    runs = [[found async for found in pool.solve(_order(iterations=300))] for _ in range(2)]
    assert [found.final for found in runs[0]] == [False] * (len(runs[0]) - 1) + [True]
    plan = runs[0][-1].plan
    assert plan == runs[1][-1].plan
    assert list_violations(PROBLEM, TIMES, plan) == []
    assert decode_plan(encode_plan(plan)) == plan


@pytest.mark.slow
async def test_big_problems_are_solved_on_several_threads(pool: SolverPool) -> None:
    """Two threads give a valid plan, the same one for the same seed and iterations."""
    rng = np.random.default_rng(2)
    big, times = random_problem(rng, 520, 40), random_times(rng, 521)
    order = SolveOrder(parts_of(big), pack_times(times), 60.0, 64, 0, threads=2)
    plans = [(await _drained(pool.solve(order)))[-1].plan for _ in range(2)]
    assert plans[0] == plans[1]
    assert list_violations(big, times, plans[0]) == []


def test_threads_are_those_asked_for_as_far_as_there_are_cores() -> None:
    """Small problems take one, big ones all unless another number or a number of iterations is asked for."""
    asked = {(0, 0): 4, (2, 0): 2, (9, 0): 4, (0, 10): 1, (3, 10): 3}
    for (threads, iterations), expected in asked.items():
        limits = pb.SolveLimits(threads=threads, max_iterations=iterations)
        assert threads_of(limits, 500, cores=4) == expected
        assert threads_of(limits, 499, cores=4) == 1


@pytest.mark.slow
async def test_a_crash_is_said_and_healed(pool: SolverPool) -> None:
    """Killing the process while it works raises; the next order is solved by a new one."""
    work = pool.solve(_order(seconds=60))
    await anext(work)
    os.kill(pool.pids()[0], signal.SIGKILL)
    with pytest.raises(SolverCrashed, match="try again"):
        await _drained(work)
    found = [one async for one in pool.solve(_order(iterations=10))]
    assert found[-1].final


@pytest.mark.slow
async def test_cancelling_kills(pool: SolverPool) -> None:
    """Leaving the loop ends the process that worked."""
    work = pool.solve(_order(seconds=3600))
    await anext(work)
    pid = pool.pids()[0]
    await work.aclose()  # type: ignore[attr-defined]
    await until(lambda: not is_alive(pid), "the solver's end")


@pytest.mark.slow
async def test_the_engine_s_errors_keep_kind_and_field(pool: SolverPool) -> None:
    """Travel times that are too small for the problem are the caller's mistake, not a crash."""
    order = SolveOrder(parts_of(PROBLEM), pack_times(random_times(RNG, 3)), 60.0, 5, 0)
    with pytest.raises(EngineRefused, match="covers 3 locations") as caught:
        await _drained(pool.solve(order))
    assert caught.value.kind == "invalid_argument"
    assert caught.value.field == "travel_times"


@pytest.mark.slow
async def test_nothing_outlives_the_pool() -> None:
    """All processes are gone when the pool is closed."""
    async with SolverPool(2) as pool:
        while pool.idle_count < 2:
            await asyncio.sleep(0.05)
        pids = pool.pids()
    assert not any(is_alive(pid) for pid in pids)


async def test_a_solver_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of processes or memory for a moment: the pool comes to its full size all the same."""
    program = sys.executable
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    async with SolverPool(1) as pool:
        await asyncio.sleep(0.2)
        monkeypatch.setattr(sys, "executable", program)
        found = await asyncio.wait_for(_drained(pool.solve(_order(iterations=10))), 60)
    assert found[-1].final


@pytest.mark.slow
async def test_a_solver_that_does_not_end_is_replaced(pool: SolverPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process says nothing and ends nothing: after its time and some patience it is given up."""
    monkeypatch.setattr("services.rounds.pool.STUCK_AFTER_S", 0.5)
    work = pool.solve(_order(seconds=1.0))
    await anext(work)
    os.kill(pool.pids()[0], signal.SIGSTOP)
    with pytest.raises(SolverCrashed, match="does not come to an end"):
        await _drained(work)
    assert (await asyncio.wait_for(_drained(pool.solve(_order(iterations=10))), 60))[-1].final


@pytest.mark.parametrize("turns", range(6))
async def test_a_pool_closed_while_its_solver_starts_leaves_nothing(turns: int) -> None:
    """However far the start has come when the pool is closed: the solver's process is gone and no socket is left open."""
    async with SolverPool(1):
        for _ in range(turns):
            await asyncio.sleep(0)
    gc.collect()
    assert solvers_of_this_process() == []


def solvers_of_this_process() -> list[int]:
    """Pids of solver processes that this process started and that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid() and b"services.rounds.worker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found

"""Jobs whose state server goes away, or which nobody foresaw: none is lost, none takes the others with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.common.state import State
from services.common.state.embedded import EmbeddedState
from services.rounds import runner
from services.rounds.pool import SolverPool
from services.rounds.runner import JobRunner
from services.rounds.store import QUEUE
from tests.builders.rounds import random_problem, random_times
from tests.builders.servers import state_of, state_servers

pytestmark = pytest.mark.slow


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are a drawn problem with drawn times: no city is needed."""
    import numpy as np  # noqa: PLC0415

    rng = np.random.default_rng(1)
    mapped = SimpleNamespace(problem=random_problem(rng, 12, 4), points=[], earliest=False)
    built = SimpleNamespace(travel_times=random_times(rng, 13))

    async def prepare(_city: object, request: pb.SubmitRoundsRequest) -> Any:
        if request.display_name == "nobody foresaw this":
            raise KeyError(request.display_name)
        return mapped, built

    monkeypatch.setattr(runner, "prepare", prepare)


CITY: Any = SimpleNamespace(kept=SimpleNamespace(put=lambda *_: None), now=lambda: 0)


@asynccontextmanager
async def _working(state: State) -> AsyncIterator["asyncio.Task[None]"]:
    async with SolverPool(1) as pool:
        working = asyncio.create_task(JobRunner(state, lambda: CITY, pool).work())
        yield working
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _submit(state: State, seconds: float, name: str = "") -> str:
    request = pb.SubmitRoundsRequest(limits=pb.SolveLimits(time_limit_s=seconds), display_name=name)
    return await state.jobs.submit(QUEUE, request.SerializeToString())


async def _until(state: State, job_id: str, *wanted: str, within_s: float = 60.0) -> str:
    async with asyncio.timeout(within_s):
        while (job := await state.jobs.get(QUEUE, job_id)).state not in wanted:
            await asyncio.sleep(0.05)
    return job.state


def _kill(servers: EmbeddedState) -> None:
    child = servers.servers["durable"].child
    assert child is not None
    child.kill()
    child.process.wait()


@pytest.mark.usefixtures("drawn")
async def test_a_job_outlives_a_state_server_that_is_away_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is away for longer than commands are repeated: the job is not failed, and done after its return."""
    monkeypatch.setattr(runner, "LEASE_S", 2.0)
    with state_servers(tmp_path) as servers:
        async with state_of(servers, STATE_RETRY_S="0.5") as state, _working(state) as working:
            job_id = await _submit(state, seconds=3)
            await _until(state, job_id, "RUNNING")
            _kill(servers)
            await asyncio.sleep(2.0)
            servers.servers["durable"].start()
            assert await _until(state, job_id, "DONE", "FAILED") == "DONE"
            assert not working.done()


@pytest.mark.usefixtures("drawn")
async def test_a_job_that_nobody_foresaw_fails_alone(tmp_path: Path) -> None:
    """An unforeseen error fails its job, says no more than that, and the next job is done."""
    with state_servers(tmp_path) as servers:
        async with state_of(servers) as state, _working(state) as working:
            broken = await _submit(state, seconds=1, name="nobody foresaw this")
            good = await _submit(state, seconds=0.5)
            assert await _until(state, broken, "DONE", "FAILED") == "FAILED"
            assert "KeyError" not in (await state.jobs.get(QUEUE, broken)).error
            assert await _until(state, good, "DONE", "FAILED") == "DONE"
            assert not working.done()

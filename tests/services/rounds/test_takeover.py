"""A whole rounds process is killed while it works on a job: another process finishes the job."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from traboule.rounds.v1 import rounds_service_pb2 as pb

from services.common.state import State
from services.common.state.embedded import EmbeddedState
from services.rounds.store import QUEUE
from tests.builders.servers import state_of, state_servers
from tests.builders.shared_data import ROOT

pytestmark = pytest.mark.slow
LEASE_S = 3.0


@contextmanager
def _runner(servers: EmbeddedState, city: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **servers.environment(), "TRABOULE_HOME": str(servers.home)}
    environment["PYTHONPATH"] = os.pathsep.join(part for part in sys.path if part)
    command = [sys.executable, "-m", "tests.builders.rounds_runner", city, str(LEASE_S)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


async def _until(state: State, job_id: str, *, attempt: int, finished: bool) -> None:
    async with asyncio.timeout(120.0):
        while True:
            job = await state.jobs.get(QUEUE, job_id)
            if job.attempt >= attempt and (job.finished if finished else job.progress):
                return
            await asyncio.sleep(0.1)


async def test_another_process_takes_a_job_over(tmp_path: Path) -> None:
    """Killed with -9 after its first plan; when the lease has ended the other one claims the job and completes it."""
    with state_servers(tmp_path) as servers:
        async with state_of(servers, "takeover") as state:
            request = pb.SubmitRoundsRequest(limits=pb.SolveLimits(time_limit_s=8))
            job_id = await state.jobs.submit(QUEUE, request.SerializeToString())
            with _runner(servers, "takeover") as first:
                await _until(state, job_id, attempt=1, finished=False)
                os.kill(first.pid, signal.SIGKILL)
                with _runner(servers, "takeover"):
                    await _until(state, job_id, attempt=2, finished=True)
            job = await state.jobs.get(QUEUE, job_id)
            assert (job.state, job.attempt) == ("DONE", 2)
            assert job.result

"""Jobs: submitted, worked on, watched, cancelled; workers that die are replaced and can do no harm."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.common.errors import NotFound, ResourceExhausted
from services.common.state import State
from services.common.state.jobs import ClaimedJob
from tests.builders.waiting import PATIENCE_S, until_true


async def _claim(worker: AsyncIterator[ClaimedJob], timeout_s: float = PATIENCE_S) -> ClaimedJob:
    return await asyncio.wait_for(anext(worker), timeout_s)  # type: ignore[arg-type]


async def test_a_job_from_submission_to_result(state: State) -> None:
    """A watcher sees it queued, running with progress, and done."""
    job_id = await state.jobs.submit("rounds", b"problem", tenant="carrier")
    watch = state.jobs.watch("rounds", job_id)
    assert (await anext(watch)).state == "QUEUED"
    claimed = await _claim(state.jobs.work("rounds"))
    assert (claimed.job.payload, claimed.job.tenant, claimed.job.attempt) == (b"problem", "carrier", 1)
    assert await claimed.report(b"half")
    assert await claimed.complete(b"solution")
    seen = [job async for job in watch]
    assert seen[-1].state == "DONE"
    assert seen[-1].result == b"solution"
    assert seen[-1].progress == b"half"
    assert await state.jobs.get("rounds", job_id) == seen[-1]
    assert [job.state async for job in state.jobs.watch("rounds", job_id)] == ["DONE"]


async def test_the_same_submission_twice_is_one_job(state: State) -> None:
    """A caller that repeats a submission with its own id does not get two plans."""
    for payload in (b"first", b"again"):
        assert await state.jobs.submit("rounds", payload, job_id="order-1") == "order-1"
    worker = state.jobs.work("rounds")
    assert (await _claim(worker)).job.payload == b"first"
    with pytest.raises(TimeoutError):
        await _claim(worker, 0.3)


async def test_cancelled_jobs_stop(state: State) -> None:
    """A queued job is never started; a running one learns it with its next report, and its result is dropped."""
    queued, running = [await state.jobs.submit("rounds", b"x") for _ in range(2)]
    assert (await state.jobs.cancel("rounds", queued)).state == "CANCELLED"
    claimed = await _claim(state.jobs.work("rounds"))
    assert claimed.job.id == running
    await state.jobs.cancel("rounds", running)
    assert not await claimed.report(b"more")
    assert not await claimed.complete(b"late")
    job = await state.jobs.get("rounds", running)
    assert (job.state, job.result) == ("CANCELLED", b"")


async def test_a_dead_worker_s_job_goes_to_another_and_the_first_is_refused(state: State) -> None:
    """After the lease another worker has the job; what the first still says does not count."""
    await state.jobs.submit("rounds", b"x")
    first = await _claim(state.jobs.work("rounds", lease_s=0.2))
    second = await _claim(state.jobs.work("rounds", lease_s=0.2))
    assert (second.job.id, second.job.attempt) == (first.job.id, 2)
    assert not await first.report(b"stale")
    assert not await first.extend()
    assert not await first.complete(b"stale")
    assert await second.complete(b"fresh")
    assert (await state.jobs.get("rounds", first.job.id)).result == b"fresh"


async def test_a_job_that_kills_its_workers_fails_after_three(state: State) -> None:
    """It does not go round for ever; who asks is told why."""
    job_id = await state.jobs.submit("rounds", b"poison")
    for attempt in (1, 2, 3):
        claimed = await _claim(state.jobs.work("rounds", lease_s=0.05))
        assert claimed.job.attempt == attempt
    waiting = asyncio.ensure_future(_claim(state.jobs.work("rounds", lease_s=0.05)))

    async def failed() -> bool:
        return (await state.jobs.get("rounds", job_id)).state == "FAILED"

    await until_true(failed)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    job = await state.jobs.get("rounds", job_id)
    assert job.state == "FAILED"
    assert "ended 3 times" in job.error


async def test_failures_can_be_tried_again_or_be_final(state: State) -> None:
    """With again=True the job is queued at once while attempts are left, and keeps its last error."""
    job_id = await state.jobs.submit("rounds", b"x")
    worker = state.jobs.work("rounds")
    for _ in range(2):
        assert await (await _claim(worker)).fail("no memory", again=True)
        assert (await state.jobs.get("rounds", job_id)).state == "QUEUED"
    assert await (await _claim(worker)).fail("no memory", again=True)
    job = await state.jobs.get("rounds", job_id)
    assert (job.state, job.error, job.attempt) == ("FAILED", "no memory", 3)


async def test_full_queues_and_unknown_jobs_are_said(state: State) -> None:
    """Limits and wrong ids have errors of their own; a tenant sees its own jobs only."""
    kept = await state.jobs.submit("rounds", b"x", tenant="a", max_queued=1)
    with pytest.raises(ResourceExhausted, match="full"):
        await state.jobs.submit("rounds", b"y", tenant="a", max_queued=1)
    with pytest.raises(NotFound, match="no job nothing"):
        await state.jobs.get("rounds", "nothing")
    with pytest.raises(NotFound):
        await state.jobs.cancel("rounds", "nothing")
    assert [job.id for job in await state.jobs.list_jobs("rounds", "a")] == [kept]
    assert await state.jobs.list_jobs("rounds", "b") == []

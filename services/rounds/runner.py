"""Works on submitted jobs: claim, build travel times, solve in a solver process, report, finish."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import structlog
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.errors import RoutingError
from routing.rounds.api import Problem
from services.common.deadline import run_in_thread
from services.common.errors import ServiceError, StateUnavailable, Unimplemented
from services.common.state import State
from services.common.state.jobs import ClaimedJob
from services.rounds import ray_workers
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.codec import Improvement, SolveOrder, pack_times, parts_of
from services.rounds.errors import EngineRefused, SolverCrashed
from services.rounds.mapping import MappedProblem, problem_from_proto
from services.rounds.pool import Backend, SolverPool
from services.rounds.store import QUEUE, Found

DEFAULT_TIME_LIMIT_S = 10.0
ITERATIONS_TIME_LIMIT_S = 3600.0
LEASE_S = 20.0
MANY_VISITS = 500
"""From so many visits on several threads pay."""
CHECK_S = 0.4
"""How often a running job looks whether it was cancelled."""

log = structlog.get_logger("rounds")


def ray_for(limits: pb.SolveLimits, problem: Problem, address: str | None, time_limit_s: float) -> str | None:
    """Which cluster of Ray improves the parts of a problem, if any: where the service uses Ray at all, for big ones."""
    plain = not problem.hubs and not limits.window_probability and time_limit_s >= ray_workers.LEAST_S
    return address if plain and len(problem.visits) >= ray_workers.MANY_VISITS else None


def threads_of(limits: pb.SolveLimits, visit_count: int, cores: int) -> int:
    """Threads of a solve: those asked for, as far as there are cores; unsaid all where it pays, one with `max_iterations`."""
    if visit_count < MANY_VISITS:
        return 1
    return min(limits.threads or (1 if limits.max_iterations else cores), cores)


def order_of(
    mapped: MappedProblem, built: BuiltTimes, limits: pb.SolveLimits, backend: Backend, longest_s: float = 3600.0
) -> SolveOrder:
    """What a solver process is told: the time limit always holds, with `max_iterations` it is an hour unless given."""
    if limits.window_probability and (mapped.problem.hubs or mapped.earliest):
        other = "hubs" if mapped.problem.hubs else "MAKESPAN"
        message = f"limits.window_probability: cannot be combined with {other} yet"
        raise Unimplemented(message, field="limits.window_probability")
    unsaid_s = ITERATIONS_TIME_LIMIT_S if limits.max_iterations else DEFAULT_TIME_LIMIT_S
    time_limit_s = min(limits.time_limit_s or unsaid_s, longest_s)
    ray_address = None if mapped.earliest else ray_for(limits, mapped.problem, backend.ray_address, time_limit_s)
    cores = backend.threads if ray_address is None else backend.ray_workers
    return SolveOrder(
        parts_of(mapped.problem),
        pack_times(built.travel_times),
        time_limit_s,
        limits.max_iterations or None,
        limits.seed,
        threads_of(limits, len(mapped.problem.visits), cores),
        limits.window_probability,
        ray_address,
        mapped.earliest,
    )


async def prepare(
    city: RoundsCity, request: pb.SubmitRoundsRequest | pb.SolveRoundsRequest
) -> tuple[MappedProblem, BuiltTimes]:
    """Map a request and build its travel times, off the event loop."""
    mapped = await run_in_thread(problem_from_proto, request.problem, city.resolve)
    return mapped, await run_in_thread(city.build_times, mapped)


class JobRunner:
    """Takes jobs one after the other; run as many `work` as there are solvers.

    Parameters
    ----------
    state, pool
        Where jobs come from, who solves them.
    city : callable
        What they are planned in: asked once for each job.
    lease_s : float, optional
        How long after the end of a worker that died another one takes over its job.
    on_done : callable, optional
        Told the id and the tenant of every job that was planned.
    """

    def __init__(
        self,
        state: State,
        city: Callable[[], RoundsCity],
        pool: SolverPool,
        lease_s: float | None = None,
        on_done: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self._on_done = on_done
        self._state, self._city, self._pool, self._lease_s = state, city, pool, lease_s or LEASE_S

    async def work(self) -> None:
        """Work on jobs for ever."""
        async for claimed in self._state.jobs.work(QUEUE, worker=f"rounds-{os.getpid()}-", lease_s=self._lease_s):
            try:
                await self._attempt(claimed)
            except StateUnavailable as error:
                # Nothing was decided: the job is still ours on paper, and is taken up again when its lease has ended.
                log.warning("job_left", job=claimed.job.id, error=str(error))

    async def _attempt(self, claimed: ClaimedJob) -> None:
        """Work on one job; whatever happens, it is done, failed, queued again or left to its lease, never forgotten."""
        try:
            await self._run(claimed)
        except StateUnavailable:
            raise
        except SolverCrashed as error:
            log.warning("job_again", job=claimed.job.id, error=str(error))
            await claimed.fail(str(error), again=True)
        except (ServiceError, RoutingError) as error:
            log.info("job_failed", job=claimed.job.id, error=str(error))
            await claimed.fail(str(error))
        except Exception as error:
            # One job that nobody foresaw must not end the service, with everybody else's jobs in it.
            log.error("job_broke", job=claimed.job.id, exc_info=error)
            await claimed.fail(f"internal error; quote job {claimed.job.id} when you report it")

    async def _run(self, claimed: ClaimedJob) -> None:
        request = pb.SubmitRoundsRequest.FromString(claimed.job.payload)
        city = self._city()
        preparing = asyncio.ensure_future(prepare(city, request))
        try:
            if not await self._kept(claimed, preparing):
                return
        finally:
            await _end(preparing)
        mapped, built = preparing.result()
        city.kept.put(claimed.job.id, mapped.points, built)
        work = self._pool.solve(order_of(mapped, built, request.limits, self._pool.backend))
        began = time.monotonic()
        last: Improvement | None = None
        following: asyncio.Future[Improvement] | None = None
        try:
            while last is None or not last.final:
                following = asyncio.ensure_future(anext(work))
                if not await self._kept(claimed, following):
                    return
                last = following.result()
                if not last.final and not await claimed.report(_found(last, city)):
                    return
        finally:
            if following is not None:
                await _end(following)
            await _close(work)
        if await claimed.complete(_found(last, city)):
            self._on_done(claimed.job.id, claimed.job.tenant)
        log.info("job_done", job=claimed.job.id, seconds=round(time.monotonic() - began, 2), cost=last.plan.cost)

    async def _kept(self, claimed: ClaimedJob, work: "asyncio.Future[Any]") -> bool:
        """Wait for `work` while keeping the job; False when it was cancelled or given to somebody else."""
        while not work.done():
            await asyncio.wait([work], timeout=CHECK_S)
            if not work.done() and not await claimed.extend():
                return False
        return True


async def _end(work: "asyncio.Future[Any]") -> None:
    """Cancel what still runs, and wait until it is over; what was raised is left to who asks for the result."""
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


def _found(found: Improvement, city: RoundsCity) -> bytes:
    return msgspec.msgpack.encode(Found(found.plan, city.now()))


async def _close(work: AsyncIterator[Improvement]) -> None:
    """End an unfinished solve at once: its process is killed."""
    await work.aclose()  # type: ignore[attr-defined]


__all__ = ["EngineRefused", "JobRunner", "order_of", "prepare"]

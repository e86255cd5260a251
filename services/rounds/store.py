"""Submitted rounds on the durable state: the job, and once it is planned the plan that new orders and events change."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec
from traboule.rounds.v1 import problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.api import Plan
from services.common.errors import FailedPrecondition, NotFound
from services.common.state import State
from services.common.state.jobs import KEPT_S, Job
from services.rounds.incidents import RoadIncident

QUEUE = "rounds"
COLLECTION = "rounds/{}"
"""Documents of one job: its plan as it was changed; a collection of its own, so that it is forgotten as the job is."""
DOCUMENT = "plan"
FOLLOWED = "rounds-followed"
MOST_CHANGES = 200
"""Changes that are kept in words."""
STATES = {
    "QUEUED": pb.ROUNDS_STATE_QUEUED,
    "RUNNING": pb.ROUNDS_STATE_RUNNING,
    "DONE": pb.ROUNDS_STATE_DONE,
    "CANCELLED": pb.ROUNDS_STATE_CANCELLED,
    "FAILED": pb.ROUNDS_STATE_FAILED,
}


class Found(msgspec.Struct, frozen=True):
    """A plan found by a job so far."""

    plan: Plan
    updated_s: int


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What was reported of a plan so far and holds on for every later change.

    Attributes
    ----------
    refused : tuple of str
        Shipments that are no longer wanted.
    broken : tuple of str
        Vehicles that can no longer drive.
    held_until_s : dict of str to int
        Vehicles that are late: unix second before which they do not leave the place where they were.
    incidents : tuple of RoadIncident
        Incidents on the road.
    done : dict of str to int
        Stops that were done (`plan_mapping.done_key`) and when they were left, unix seconds.
    """

    refused: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    held_until_s: dict[str, int] = {}
    incidents: tuple[RoadIncident, ...] = ()
    done: dict[str, int] = {}


class LivePlan(Reported, frozen=True, kw_only=True):
    """A plan that was changed after planning, with the problem it now belongs to (a serialised `Problem`).

    `changes` says in words what the last change did.
    """

    problem: bytes
    plan: Plan
    updated_s: int
    changes: tuple[str, ...] = ()


class Followed(msgspec.Struct, frozen=True):
    """A plan that follows the traffic: whose it is, and when it was looked at last (unix seconds)."""

    tenant: str
    looked_s: int


NOTHING_REPORTED = Reported()


@dataclass(frozen=True, slots=True)
class StoredRounds:
    """Rounds as they stand; `version` 1 is the plan of the solver, every change adds one.

    `changes` says in words what the last change did.
    """

    job: Job
    request: pb.SubmitRoundsRequest
    problem: problem_pb2.Problem
    plan: Plan | None
    version: int
    updated_s: int
    reported: Reported = NOTHING_REPORTED
    changes: tuple[str, ...] = ()


class RoundsStore:
    """Reads and writes submitted rounds of one city; a tenant sees only its own."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def submit(self, request: pb.SubmitRoundsRequest, tenant: str) -> str:
        """Queue a job; the same idempotency key of the same tenant is the same job."""
        job_id = None
        if request.idempotency_key:
            job_id = hashlib.sha256(f"{tenant}\0{request.idempotency_key}".encode()).hexdigest()[:24]
        return await self._state.jobs.submit(QUEUE, request.SerializeToString(), tenant=tenant, job_id=job_id)

    async def get(self, rounds_id: str, tenant: str) -> StoredRounds:
        """Rounds by id; raises NotFound for those of other tenants too."""
        job = await self._state.jobs.find(QUEUE, rounds_id)
        if job is None or job.tenant != tenant:
            raise NotFound(
                f"there are no rounds {rounds_id!r}; ids come from SubmitRounds and are kept a week", field="rounds_id"
            )
        return await self.of_job(job)

    async def of_job(self, job: Job) -> StoredRounds:
        """Rounds of a job, with the live plan if it was changed since."""
        request = pb.SubmitRoundsRequest.FromString(job.payload)
        live = await self._state.settings.find(COLLECTION.format(job.id), DOCUMENT, LivePlan) if job.finished else None
        if live is not None:
            value: LivePlan = live.value
            problem = problem_pb2.Problem.FromString(value.problem)
            reported = Reported(**{name: getattr(value, name) for name in Reported.__struct_fields__})
            version = live.version + 1
            return StoredRounds(job, request, problem, value.plan, version, value.updated_s, reported, value.changes)
        data = job.result or job.progress
        if not data:
            return StoredRounds(job, request, request.problem, None, 0, job.submitted_at)
        found = msgspec.msgpack.decode(data, type=Found)
        return StoredRounds(job, request, request.problem, found.plan, 1, found.updated_s)

    async def list_rounds(self, tenant: str, count: int) -> list[Job]:
        """List the newest jobs of a tenant."""
        return await self._state.jobs.list_jobs(QUEUE, tenant, count=count)

    async def cancel(self, rounds_id: str, tenant: str) -> StoredRounds:
        """Cancel a job."""
        await self.get(rounds_id, tenant)
        return await self.of_job(await self._state.jobs.cancel(QUEUE, rounds_id))

    async def change(
        self,
        stored: StoredRounds,
        problem: problem_pb2.Problem,
        plan: Plan,
        now_s: int,
        reported: Reported,
        changes: Sequence[str] = (),
    ) -> int:
        """Write a changed plan and announce it; returns its version. Raises Aborted if somebody else changed it meanwhile."""
        own = {name: getattr(reported, name) for name in Reported.__struct_fields__}
        data, told = problem.SerializeToString(), tuple(changes[:MOST_CHANGES])
        value = LivePlan(problem=data, plan=plan, updated_s=now_s, changes=told, **own)
        log = self._state.jobs.log_of(QUEUE, stored.job.id)
        expected = stored.version - 1
        return 1 + await self._state.settings.put(
            COLLECTION.format(stored.job.id), DOCUMENT, value, expected_version=expected, announce_in=log, kept_s=KEPT_S
        )

    async def list_followed(self) -> list[tuple[str, int, Followed]]:
        """List the plans that follow the traffic: ids, versions of the entries, entries."""
        found = await self._state.settings.list_all(FOLLOWED, Followed)
        return [(one.id, one.version, one.value) for one in found]

    async def keep_followed(self, rounds_id: str, value: Followed, expected_version: int | None = None) -> None:
        """Let a plan follow the traffic; raises Aborted if the entry has another version."""
        await self._state.settings.put(FOLLOWED, rounds_id, value, expected_version=expected_version)

    async def drop_followed(self, rounds_id: str) -> None:
        """Let a plan no longer follow the traffic."""
        await self._state.settings.delete(FOLLOWED, rounds_id)

    async def watch(self, rounds_id: str, *, follow: bool) -> AsyncIterator[StoredRounds]:
        """Rounds now and whenever they change: until they are planned, or for ever with `follow`."""
        async for job in self._state.jobs.watch(QUEUE, rounds_id, beyond=follow):
            yield await self.of_job(job)


def planned(stored: StoredRounds) -> Plan:
    """Plan of finished rounds; raises FailedPrecondition while there is none."""
    if stored.plan is None or not stored.job.finished:
        raise FailedPrecondition(f"rounds {stored.job.id} are {stored.job.state}: wait until they are planned (GetRounds)")
    return stored.plan

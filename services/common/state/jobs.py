"""Jobs that outlive the process that takes them: submitted once, worked on at least once, finished once.

On the durable server. A job whose submission was acknowledged is never lost: the server answers after its log is on disk.
A worker holds a job for `lease_s` and extends it; when it dies another worker takes over, and what the first still
says is refused. A job that was tried three times is FAILED.
"""

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from services.common.errors import NotFound, ResourceExhausted, ServiceError, StateUnavailable
from services.common.state import scripts
from services.common.state.client import Connection, GroupMissing, text
from services.common.state.keys import Keys
from services.common.state.streams import Batch, entries_of, follow

JobState = Literal["QUEUED", "RUNNING", "DONE", "FAILED", "CANCELLED"]
FINISHED = ("DONE", "FAILED", "CANCELLED")
GROUP = "workers"
MAX_ATTEMPTS = 3
KEPT_S = 7 * 86400
_LOG_LENGTH = 200
_CLAIM_BLOCK_MS = 1000


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands. Payload, progress and result are the caller's bytes; times are wall time, unix seconds."""

    id: str
    state: JobState
    tenant: str
    payload: bytes
    progress: bytes
    result: bytes
    error: str
    attempt: int
    submitted_at: int

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINISHED


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job in the hands of one worker."""

    job: Job
    lease_s: float
    _jobs: "Jobs"
    _queue: str
    _entry: str
    _worker: str

    async def report(self, progress: bytes) -> bool:
        """Store and announce progress; False means: stop, the job was cancelled or given to somebody else."""
        keys = [self._jobs.keys.job(self._queue, self.job.id), self._jobs.keys.job_log(self._queue, self.job.id)]
        arguments = [self.job.attempt, progress, _LOG_LENGTH, secrets.token_hex(8)]
        return bool(await self._jobs.connection.evaluate(scripts.REPORT_JOB, keys, arguments)) and await self.extend()

    async def extend(self) -> bool:
        """Keep the job for another `lease_s`; False means stop, as in `report`."""
        arguments = [self.job.attempt, GROUP, self._worker, self._entry]
        return bool(await self._jobs.connection.evaluate(scripts.EXTEND_JOB, self._keys(), arguments))

    async def complete(self, result: bytes) -> bool:
        """Finish the job; False when it was cancelled or is somebody else's, and the result is dropped."""
        return await self._finish("DONE", result, "")

    async def fail(self, error: str, *, again: bool = False) -> bool:
        """Give the job up; with `again` it is queued once more, while attempts are left. Returns as `complete`."""
        if again and self.job.attempt < MAX_ATTEMPTS:
            arguments = [self.job.attempt, error, GROUP, self._entry, self.job.id]
            return bool(await self._jobs.connection.evaluate(scripts.REQUEUE_JOB, self._keys(), arguments))
        return await self._finish("FAILED", b"", error)

    async def _finish(self, state: JobState, result: bytes, error: str) -> bool:
        keys = [*self._keys(), self._jobs.keys.job_log(self._queue, self.job.id)]
        arguments = [self.job.attempt, state, result, error, int(time.time()), KEPT_S, GROUP, self._entry]
        return bool(await self._jobs.connection.evaluate(scripts.FINISH_JOB, keys, arguments))

    def _keys(self) -> list[str]:
        return [self._jobs.keys.jobs(self._queue), self._jobs.keys.job(self._queue, self.job.id)]


@dataclass(frozen=True, slots=True)
class Jobs:
    """Job queues of one city, on the durable server."""

    connection: Connection
    keys: Keys

    async def submit(
        self, queue: str, payload: bytes, *, tenant: str = "", job_id: str | None = None, max_queued: int = 10_000
    ) -> str:
        """Queue a job and return its id, once it is safe on disk. The same `job_id` again is the same job.

        Raises
        ------
        ResourceExhausted
            If `max_queued` jobs wait or run already.
        """
        job_id = job_id or secrets.token_hex(12)
        keys = [self.keys.jobs(queue), self.keys.job(queue, job_id), self.keys.jobs_of(queue, tenant)]
        arguments = [job_id, payload, tenant, int(time.time()), max_queued]
        if not await self.connection.evaluate(scripts.SUBMIT_JOB, keys, arguments):
            message = f"the queue {queue} is full ({max_queued} jobs); try again when some are done"
            raise ResourceExhausted(message, retry_after_s=30.0)
        return job_id

    async def find(self, queue: str, job_id: str) -> Job | None:
        """A job as it stands; None when unknown or forgotten (a week after its end)."""
        fields = await self.connection.read("HGETALL", self.keys.job(queue, job_id))
        return _parse(job_id, fields) if b"payload" in fields else None

    async def get(self, queue: str, job_id: str) -> Job:
        """Like `find`, but raises `NotFound`."""
        job = await self.find(queue, job_id)
        if job is None:
            raise NotFound(f"there is no job {job_id}: the id is wrong, or the job ended more than a week ago")
        return job

    async def list_jobs(self, queue: str, tenant: str, *, count: int = 100) -> list[Job]:
        """List the newest jobs of a tenant that are not forgotten, newest first."""
        key = self.keys.jobs_of(queue, tenant)
        ids = [text(job_id) for job_id in await self.connection.read("ZREVRANGE", key, 0, count - 1)]
        if not ids:
            return []
        found = await self.connection.read_many([("HGETALL", self.keys.job(queue, job_id)) for job_id in ids])
        forgotten = [job_id for job_id, fields in zip(ids, found, strict=True) if b"payload" not in fields]
        if forgotten:
            await self.connection.execute("ZREM", key, *forgotten)
        return [_parse(job_id, fields) for job_id, fields in zip(ids, found, strict=True) if b"payload" in fields]

    async def cancel(self, queue: str, job_id: str) -> Job:
        """Cancel a job that is not finished; its worker learns it with its next report. Returns the job as it stands."""
        keys = [self.keys.job(queue, job_id), self.keys.job_log(queue, job_id)]
        await self.connection.evaluate(scripts.CANCEL_JOB, keys, [int(time.time()), KEPT_S])
        return await self.get(queue, job_id)

    def log_of(self, queue: str, job_id: str) -> str:
        """Stream in which what happens to a job is announced."""
        return self.keys.job_log(queue, job_id)

    async def watch(self, queue: str, job_id: str, *, beyond: bool = False) -> AsyncIterator[Job]:
        """The job now and after each change, until it is finished; survives restarts of the server.

        With `beyond` it goes on after that, whenever something is announced in the job's log, until the job is forgotten.
        """
        key = self.keys.job_log(queue, job_id)
        last = await self.connection.read("XREVRANGE", key, "+", "-", "COUNT", 1)
        job = await self.get(queue, job_id)
        yield job
        if job.finished and not beyond:
            return
        async for _ in follow(self.connection, key, text(last[0][0]) if last else "0-0"):
            job = await self.get(queue, job_id)
            yield job
            if job.finished and not beyond:
                return

    async def work(self, queue: str, *, worker: str = "", lease_s: float = 30.0) -> AsyncIterator[ClaimedJob]:
        """Jobs for one worker, for ever, oldest first; jobs whose worker died come first."""
        worker = f"{worker}{secrets.token_hex(6)}"
        await self._ensure_group(queue)
        while True:
            found: list[ClaimedJob | None] = []
            try:
                for entry_id, fields in await self._take(queue, worker, lease_s):
                    found.append(await self._start(queue, worker, lease_s, entry_id, text(fields[b"job"])))
            except GroupMissing:
                await self._ensure_group(queue)
                continue
            except StateUnavailable as error:
                if error.retry_after_s is None:
                    raise
                # What was taken but not begun comes back when its lease ends.
                await self.connection.wait_back()
                continue
            for claimed in found:
                if claimed is not None:
                    yield claimed

    async def _take(self, queue: str, worker: str, lease_s: float) -> Batch:
        key = self.keys.jobs(queue)
        reply = await self.connection.block("XAUTOCLAIM", key, GROUP, worker, int(1000 * lease_s), "0-0", "COUNT", 1)
        entries = [(text(entry_id), fields) for entry_id, fields in reply[1] if fields] if reply else []
        if entries:
            return entries
        block_ms = max(1, min(_CLAIM_BLOCK_MS, int(1000 * lease_s)))
        command = ("XREADGROUP", "GROUP", GROUP, worker, "COUNT", 1, "BLOCK", block_ms)
        reply = await self.connection.block(*command, "STREAMS", key, ">")
        return [(text(entry_id), fields) for entry_id, fields in entries_of(reply)]

    async def _start(self, queue: str, worker: str, lease_s: float, entry_id: str, job_id: str) -> ClaimedJob | None:
        keys = [self.keys.jobs(queue), self.keys.job(queue, job_id), self.keys.job_log(queue, job_id)]
        arguments = [GROUP, entry_id, MAX_ATTEMPTS, worker, int(time.time()), secrets.token_hex(8), KEPT_S]
        state, _ = await self.connection.evaluate(scripts.START_JOB, keys, arguments)
        job = await self.find(queue, job_id) if text(state) == "RUNNING" else None
        return None if job is None or job.finished else ClaimedJob(job, lease_s, self, queue, entry_id, worker)

    async def _ensure_group(self, queue: str) -> None:
        try:
            await self.connection.execute("XGROUP", "CREATE", self.keys.jobs(queue), GROUP, "0", "MKSTREAM")
        except ServiceError as error:
            if "BUSYGROUP" not in str(error):
                raise


def _parse(job_id: str, fields: dict[bytes, bytes]) -> Job:
    state: JobState = text(fields[b"state"])  # type: ignore[assignment]
    return Job(
        id=job_id,
        state=state,
        tenant=text(fields[b"tenant"]),
        payload=fields[b"payload"],
        progress=fields.get(b"progress", b""),
        result=fields.get(b"result", b""),
        error=text(fields.get(b"error", b"")),
        attempt=int(fields[b"attempt"]),
        submitted_at=int(fields[b"submitted_at"]),
    )

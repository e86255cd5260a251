"""Connection to one state server that survives its restart.

redis-py's own retries are switched off: they repeat a command without knowing whether it was done. Here a command is
repeated only by `Connection.run`, whose callers pass operations that may be done twice (they are idempotent, or look first).
Blocking reads use connections of their own and a BLOCK shorter than the socket timeout.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import redis.asyncio as redis
from redis import exceptions as redis_errors
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from services.common.config import mask_url
from services.common.errors import ResourceExhausted, ServiceError, StateUnavailable

SOCKET_TIMEOUT_S = 5.0
BLOCK_MS = 2000
"""Longest BLOCK of a read; must stay well below the socket timeout."""
MOST_WAITING = 2048
"""Blocking reads at once, over connections of their own; more than a server takes calls (``limits.max_concurrent_calls``)."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5
_LOST = (redis_errors.ConnectionError, redis_errors.TimeoutError, redis_errors.ReadOnlyError, OSError)
_REFUSED = (redis_errors.AuthenticationError, redis_errors.AuthorizationError, redis_errors.NoPermissionError)
_REFUSED_WORDS = ("NOPERM", "WRONGPASS", "NOAUTH", "invalid username-password", "Authentication")
_TRANSIENT_WORDS = ("LOADING", "TRYAGAIN", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "BUSY ", "UNBLOCKED", "MISCONF")

T = TypeVar("T")
Argument = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Script:
    """A server-side script: done as a whole or not at all."""

    text: str

    @property
    def sha1(self) -> str:
        """Name under which the server keeps it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class GroupMissing(ServiceError):
    """The consumer group is gone: the server came back empty. Make it again."""


class Connection:
    """Commands to one state server.

    Parameters
    ----------
    name
        ``durable`` or ``live``, for messages.
    url
        ``redis://``, ``rediss://`` or ``unix://``.
    retry_s
        How long a command is tried again while the server is away.
    replicas, replica_timeout_ms
        How many replicas must have a write before it counts as done.
    ca_file
        Authority that signed the server's certificate (``rediss://``).
    """

    def __init__(
        self,
        name: Literal["durable", "live"],
        url: str,
        *,
        retry_s: float = 10.0,
        replicas: int = 0,
        replica_timeout_ms: int = 1000,
        ca_file: Path | None = None,
    ) -> None:
        self.name, self.url, self.retry_s = name, url, retry_s
        self._replicas, self._replica_timeout_ms = replicas, replica_timeout_ms
        options: dict[str, Any] = {"ssl_ca_certs": str(ca_file)} if ca_file and url.startswith("rediss:") else {}
        options |= {"socket_timeout": SOCKET_TIMEOUT_S, "socket_connect_timeout": 2.0, "protocol": 2}
        self._redis: Any = redis.Redis.from_url(
            url, retry=Retry(NoBackoff(), 0), health_check_interval=0, max_connections=256, **options
        )
        # Whoever waits holds a connection: waiting callers must not take them from those that read and write.
        self._waiting: Any = redis.Redis.from_url(
            url, retry=Retry(NoBackoff(), 0), health_check_interval=0, max_connections=MOST_WAITING, **options
        )
        # redis-py guesses the form of these answers wrongly without options of its own.
        for client in (self._redis, self._waiting):
            for command in ("XPENDING", "XCLAIM"):
                client.response_callbacks.pop(command, None)

    async def close(self) -> None:
        """Close all connections."""
        await self._waiting.aclose()
        await self._redis.aclose()

    async def run(self, operation: Callable[[Any], Awaitable[T]], *, retry_s: float | None = None) -> T:
        """Do an operation, again after each loss of the server, until it succeeds or `retry_s` have passed.

        The operation gets the redis client and may be done more than once.

        Raises
        ------
        StateUnavailable
            If the server stays away.
        ResourceExhausted
            If the server's memory is full.
        """
        give_up_at = time.monotonic() + (self.retry_s if retry_s is None else retry_s)
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return await _cancellable(operation(self._redis))
            except (*_LOST, redis_errors.RedisError) as error:
                problem = self._describe(error)
                hopeless = not isinstance(problem, StateUnavailable) or problem.retry_after_s is None
                if hopeless or time.monotonic() + pause_s > give_up_at:
                    raise problem from error
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _describe(self, error: Exception) -> ServiceError:
        """Own error for one of redis-py's."""
        text = str(error)
        server = f"the {self.name} state server {mask_url(self.url)}"
        if isinstance(error, _REFUSED) or text.startswith(_REFUSED_WORDS):
            return StateUnavailable(
                f"{server} refuses this program: {text}; check user and password of its URL", retry_after_s=None
            )
        if text.startswith("OOM"):
            return ResourceExhausted(f"{server} is out of memory; raise its maxmemory or remove old cities")
        if isinstance(error, _LOST) or text.startswith(_TRANSIENT_WORDS):
            return StateUnavailable(f"{server} does not answer: {text or type(error).__name__}")
        if text.startswith("NOGROUP"):
            return GroupMissing(f"{server} lost a consumer group: {text}")
        return ServiceError(f"{server} answered: {text}")

    async def evaluate(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Any], *, retry_s: float | None = None
    ) -> Any:
        """Run a script that may be run twice; with replicas configured, wait until they have its writes too."""
        return await self.run(lambda client: self._evaluate(client, script, keys, arguments), retry_s=retry_s)

    async def _evaluate(self, client: Any, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        try:
            return await self._with_replicas(client, ("EVALSHA", script.sha1, len(keys), *keys, *arguments))
        except redis_errors.NoScriptError:
            return await self._with_replicas(client, ("EVAL", script.text, len(keys), *keys, *arguments))

    async def execute(self, *command: Argument, retry_s: float | None = None) -> Any:
        """Do one command that may be done twice, with the same wait for replicas as `evaluate`."""
        return await self.run(lambda client: self._with_replicas(client, command), retry_s=retry_s)

    async def _with_replicas(self, client: Any, command: Sequence[Argument]) -> Any:
        if not self._replicas:
            return await client.execute_command(*command)
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command(*command)
        pipeline.execute_command("WAIT", self._replicas, self._replica_timeout_ms)
        result, reached = await pipeline.execute()
        if int(reached) < self._replicas:
            raise redis_errors.ConnectionError(f"only {int(reached)} of {self._replicas} replicas have the write")
        return result

    async def read(self, *command: Argument, retry_s: float | None = None) -> Any:
        """Do one reading command."""
        return await self.run(lambda client: client.execute_command(*command), retry_s=retry_s)

    async def read_many(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Do several reading commands as one transaction: all see the same moment."""

        async def operation(client: Any) -> list[Any]:
            pipeline = client.pipeline(transaction=True)
            for command in commands:
                pipeline.execute_command(*command)
            return list(await pipeline.execute())

        return await self.run(operation)

    async def block(self, *command: Argument) -> Any:
        """Do one blocking read, once; None when nothing came in time.

        Raises
        ------
        StateUnavailable
            If the connection was lost: what was read, if anything, is unknown. Wait with `wait_back`, then look again.
        """
        try:
            return await _cancellable(self._waiting.execute_command(*command))
        except (*_LOST, redis_errors.RedisError) as error:
            raise self._describe(error) from error

    async def wait_back(self) -> None:
        """Wait as long as it takes until the server answers again."""
        while True:
            try:
                return await self.ping()
            except StateUnavailable as error:
                if error.retry_after_s is None:
                    raise

    async def ping(self) -> None:
        """Check that the server answers; waits as long as `retry_s`."""
        await self.read("PING")


async def _cancellable(operation: Awaitable[T]) -> T:
    """Await an operation of redis-py without losing a cancellation.

    redis-py sends inside ``asyncio.wait_for``, which before Python 3.12 swallows a cancellation that arrives together with the
    result; the task would then go on for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        return await operation
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError


def text(value: bytes | str) -> str:
    """Text of a server's answer."""
    return value.decode() if isinstance(value, bytes) else value

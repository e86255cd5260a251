"""One supervisor per home folder: state servers first, then every part; what dies is started again."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common import endpoints
from services.common.config import Config
from services.common.errors import Unavailable
from services.common.processes import Child, spawn
from services.common.state.embedded import EmbeddedState
from services.supervisor.parts import Part

START_TIMEOUT_S = 240.0
"""Longest wait for all parts, which may have to compile their kernels first; one that ends meanwhile is told at once."""
MOST_RESTARTS = 5
RESTARTS_WITHIN_S = 60.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.05

Say = Callable[[str], None]
_log = structlog.get_logger("supervisor")


@dataclass(slots=True)
class Running:
    """A part and its process; `restarts` holds the moments (monotonic seconds) it was started again."""

    part: Part
    child: Child
    restarts: list[float] = field(default_factory=list)


class Supervisor:
    """Runs parts of a city; use as ``async with`` in the main thread's event loop.

    Parameters
    ----------
    config : Config
        Without state URLs two embedded servers are started.
    parts : sequence of Part
    environment : mapping, optional
        Added to the environment of every part.
    say : callable, optional
        Told in words what happens.

    Raises
    ------
    FailedPrecondition
        If another supervisor uses the same home folder.
    Unavailable
        If a part does not get ready; the message holds the end of its log.
    """

    def __init__(
        self, config: Config, parts: Sequence[Part], environment: Mapping[str, str] | None = None, say: Say | None = None
    ) -> None:
        self._config, self._parts = config, list(parts)
        self._environment = dict(environment or {})
        self._say: Say = say or (lambda _text: None)
        embedded = not (config.state.durable_url and config.state.live_url)
        self.state = EmbeddedState(config.home) if embedded else None
        self.running: dict[str, Running] = {}

    async def __aenter__(self) -> "Supervisor":
        try:
            if self.state is not None:
                self.state.start()
                self._say("state servers ready (durable, live)")
            for part in self._parts:
                self.running[part.name] = Running(part, self._spawn(part))
            await self._wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self, part: Part) -> Child:
        logs = self._config.run_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "TRABOULE_HOME": str(self._config.home), **self._environment}
        if self.state is not None:
            environment |= self.state.environment(part.state_role)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules start seconds earlier the next time
        log_file = logs / f"{part.name}.log"
        if log_file.exists():
            log_file.replace(log_file.with_suffix(".log.1"))
        return spawn(part.name, part.command, environment=environment, log_file=log_file)

    async def _wait_ready(self) -> None:
        waiting = dict(self.running)
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while waiting:
            for name, running in list(waiting.items()):
                if not running.child.running:
                    code = running.child.process.returncode
                    raise Unavailable(f"{name} ended with code {code} while starting.\n{running.child.last_output()}")
                if await self.is_ready(running):
                    del waiting[name]
                    self._say(f"{name} ready at {endpoints.list_endpoints(self._config.home)[name].address}")
            if time.monotonic() > give_up_at:
                last = "\n".join(running.child.last_output() for running in waiting.values())
                raise Unavailable(f"{', '.join(waiting)} not ready after {START_TIMEOUT_S:g} s.\n{last}")
            await asyncio.sleep(POLL_S)

    async def is_ready(self, running: Running) -> bool:
        """Whether a part announced itself and answers health checks with SERVING."""
        endpoint = endpoints.list_endpoints(self._config.home).get(running.part.name)
        if endpoint is None or endpoint.pid != running.child.pid:
            return False
        if running.part.name == "edge":
            return True
        return await is_serving(endpoint.address)

    async def watch(self) -> None:
        """Start parts and state servers that died again, for ever.

        Raises
        ------
        Unavailable
            If one dies too often.
        """
        watching = [asyncio.ensure_future(self._watch_parts())]
        if self.state is not None:
            watching.append(asyncio.ensure_future(self.state.watch(say=self._say)))
        try:
            await asyncio.gather(*watching)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    async def _watch_parts(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            for name, running in self.running.items():
                if running.child.running:
                    continue
                code, now = running.child.process.returncode, time.monotonic()
                running.restarts = [moment for moment in running.restarts if now - moment < RESTARTS_WITHIN_S]
                if len(running.restarts) >= MOST_RESTARTS:
                    raise Unavailable(f"{name} died {MOST_RESTARTS} times in a minute.\n{running.child.last_output()}")
                running.restarts.append(now)
                _log.warning("part_died", part=name, code=code)
                self._say(f"{name} ended with code {code}; starting it again")
                await asyncio.sleep(min(5.0, 0.2 * 2 ** len(running.restarts)))
                running.child = self._spawn(running.part)

    def stop(self) -> None:
        """Stop all parts (they drain), then the state servers. Harmless when nothing runs."""
        names = list(reversed(self.running))
        for name in names:
            with contextlib.suppress(ProcessLookupError):
                if self.running[name].child.running:
                    self.running[name].child.process.terminate()
        for name in names:
            self.running[name].child.terminate(STOP_TIMEOUT_S)
        self.running.clear()
        if self.state is not None:
            self.state.stop()


async def is_serving(address: str, timeout_s: float = 1.0) -> bool:
    """Whether the server at ``host:port`` answers its health check with SERVING."""
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

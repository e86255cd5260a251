"""The gRPC server of every service: health, reflection, interceptors, TLS, readiness, graceful drain.

::

    def register(server: grpc.aio.Server) -> list[str]:
        journeys_service_pb2_grpc.add_JourneysServiceServicer_to_server(JourneysServicer(engine), server)
        return ["traboule.journeys.v1.JourneysService"]

    async def run(config: Config) -> None:
        async with State.connect(config) as state:
            await serve(config, "journeys", register, readiness={"state": state_ready})
"""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.common import endpoints
from services.common.config import Config, TlsConfig
from services.common.deadline import threads_for_calls
from services.common.errors import ConfigError, PortInUse, ServiceError
from services.common.identity import Authenticator
from services.common.interceptors import CallInterceptor
from services.common.metrics import Metrics
from services.common.processes import is_port_free
from services.common.status import load_rules

Register = Callable[[grpc.aio.Server], Sequence[str]]
ReadinessCheck = Callable[[], Awaitable[str | None]]
"""Returns None when ready, else a sentence that says what is missing; raising a `ServiceError` counts as that sentence."""
Background = Callable[[], Awaitable[None]]

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_READINESS_EVERY_S, _STARTING_EVERY_S = 0.5, 0.05
_RULES_AFTER_S = 3.0
"""Rules of requests are loaded this long after the server is bound: other services of a city may still be starting."""

_log = structlog.get_logger("server")


@dataclass(slots=True)
class RunningServer:
    """A server that accepts calls."""

    name: str
    host: str
    port: int
    metrics_port: int | None
    services: tuple[str, ...]
    _server: grpc.aio.Server
    _health: Any
    _interceptor: CallInterceptor
    _config: Config

    @property
    def address(self) -> str:
        """``host:port`` for clients on this machine."""
        return f"{_reachable(self.host)}:{self.port}"

    async def set_ready(self, ready: bool) -> None:
        """Tell health checks whether the services are ready."""
        for service in ("", *self.services):
            await self._health.set(service, _SERVING if ready else _NOT_SERVING)

    async def drain(self) -> None:
        """Stop without failing calls: health says no, new calls are refused, running ones end, streams are sent away."""
        settings = self._config.server
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(settings.drain_delay_s)
        stopping = asyncio.ensure_future(self._server.stop(settings.grace_s))
        await asyncio.wait([stopping], timeout=min(settings.stream_grace_s, settings.grace_s))
        self._interceptor.drain()
        await stopping


@asynccontextmanager
async def running_server(
    config: Config, name: str, register: Register, *, metrics: Metrics | None = None, ready: bool = True
) -> AsyncIterator[RunningServer]:
    """Serve until the block ends, then drain.

    Raises
    ------
    PortInUse
        If another program listens on the port.
    ConfigError
        If certificates or keys cannot be used.
    """
    metrics = metrics or Metrics()
    interceptor = CallInterceptor(Authenticator.from_config(config), config.limits, metrics, config.city)
    server = grpc.aio.server(
        interceptors=[interceptor], options=_options(config), maximum_concurrent_rpcs=config.limits.max_concurrent_calls
    )
    checker: Any = health.aio.HealthServicer()  # type: ignore[attr-defined]
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    services = tuple(register(server))
    if config.server.reflection:
        public = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(public, server)
    port = _bind(server, config, name)
    with metrics.serving(config.metrics) as metrics_port:
        running = RunningServer(name, config.server.host, port, metrics_port, services, server, checker, interceptor, config)
        await running.set_ready(ready)
        await server.start()
        try:
            yield running
        finally:
            await running.drain()


async def serve(
    config: Config,
    name: str,
    register: Register,
    *,
    readiness: Mapping[str, ReadinessCheck] | None = None,
    background: Sequence[Background] = (),
    metrics: Metrics | None = None,
    on_bound: Callable[[RunningServer], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`, then drain; a second signal ends at once.

    Parameters
    ----------
    config
        Settings; ``server.ports[name]`` or ``server.port`` is the port, 0 for any free one.
    name
        Short name of the service, under which its address is announced in ``<home>/run/endpoints.json``.
    register
        Adds the servicers and returns the full names of their services.
    readiness
        Checks by name, asked twice a second, more often until all are ready for the first time; health answers NOT_SERVING
        while one is not ready.
    background
        Work that goes on while serving (feeding engines). When one fails the server drains and the error is raised.
    on_bound
        Called once when calls are accepted.

    Raises
    ------
    PortInUse
        If another program listens on the port.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    workers = config.server.threads or max(2, os.cpu_count() or 1)
    loop.set_default_executor(ThreadPoolExecutor(workers, thread_name_prefix=f"{name}-work"))
    gc.enable()  # a part of a city starts without (`services.supervisor.launch`)
    async with (
        _signals_set(stop),
        _threads(workers, name),
        running_server(config, name, register, metrics=metrics, ready=not readiness) as server,
    ):
        if config.server.announce:
            endpoints.announce(config.home, name, server.address, metrics_port=server.metrics_port, tls=config.tls.enabled)
        _log.info("serving", service=name, address=server.address, services=list(server.services))
        if on_bound is not None:
            on_bound(server)
        try:
            await _until_stopped(stop, server, readiness or {}, background)
        finally:
            if config.server.announce:
                endpoints.withdraw(config.home, name)
            _log.info("draining", service=name)


async def _until_stopped(
    stop: asyncio.Event, server: RunningServer, readiness: Mapping[str, ReadinessCheck], background: Sequence[Background]
) -> None:
    waiting = asyncio.ensure_future(stop.wait())
    tasks = [waiting, *(asyncio.ensure_future(work()) for work in (_load_rules_soon, *background))]
    if readiness:
        tasks.append(asyncio.ensure_future(_watch_readiness(server, readiness)))
    try:
        running = set(tasks)
        while not waiting.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _load_rules_soon() -> None:
    """A request that comes earlier loads them itself."""
    await asyncio.sleep(_RULES_AFTER_S)
    await asyncio.to_thread(load_rules)


async def _watch_readiness(server: RunningServer, checks: Mapping[str, ReadinessCheck]) -> None:
    said: dict[str, str] = {}
    starting = True
    while True:
        missing: dict[str, str] = {}
        for name, check in checks.items():
            try:
                reason = await check()
            except ServiceError as error:
                reason = str(error)
            if reason:
                missing[name] = reason
        if missing != said:
            _log.info("ready") if not missing else _log.warning("not_ready", **missing)
            said = missing
        await server.set_ready(not missing)
        starting = starting and bool(missing)
        await asyncio.sleep(_STARTING_EVERY_S if starting else _READINESS_EVERY_S)


@asynccontextmanager
async def _threads(count: int, name: str) -> AsyncIterator[None]:
    """Threads for calls, apart from those of the live data: who asks for much must not keep news from coming in."""
    with threads_for_calls(count, name):
        yield


@asynccontextmanager
async def _signals_set(stop: asyncio.Event) -> AsyncIterator[None]:
    """SIGTERM and SIGINT set `stop`; a second one has its usual effect, which ends the process at once."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def on_signal() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    with contextlib.suppress(RuntimeError, ValueError):  # not the main thread: its owner handles signals
        for number in signals:
            loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError, ValueError):
            for number in signals:
                loop.remove_signal_handler(number)


def _bind(server: grpc.aio.Server, config: Config, name: str) -> int:
    host, port = config.server.host, config.server.port_of(name)
    # The kernel would let two servers share a port (SO_REUSEPORT is off), and gRPC's own message is not for people.
    sentence = (
        f"port {port} of {host} is in use by another program, or may not be used; stop that program, "
        "or choose another port with TRABOULE_SERVER_PORT (0: any free one)"
    )
    if port and not is_port_free(host, port):
        raise PortInUse(sentence, field="server.port")
    address = f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
    try:
        if config.tls.enabled:
            bound = server.add_secure_port(address, server_credentials(config.tls))
        else:
            bound = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if not bound:
        raise PortInUse(sentence, field="server.port")
    return int(bound)


def server_credentials(tls: TlsConfig) -> grpc.ServerCredentials:
    """Server side of TLS; with `client_ca_file` every client must show a certificate signed by it.

    Raises
    ------
    ConfigError
        If a file cannot be read.
    """
    assert tls.cert_file is not None
    assert tls.key_file is not None
    try:
        pair = (tls.key_file.read_bytes(), tls.cert_file.read_bytes())
        authority = None if tls.client_ca_file is None else tls.client_ca_file.read_bytes()
    except OSError as error:
        raise ConfigError(f"tls: {error.filename} cannot be read: {error.strerror}", field="tls") from None
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


def _options(config: Config) -> list[tuple[str, int]]:
    keepalive_ms = int(1000 * config.server.keepalive_s)
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", config.limits.max_message_bytes),
        ("grpc.max_send_message_length", config.limits.max_message_bytes),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.max_concurrent_streams", config.limits.max_concurrent_calls),
    ]


def _reachable(host: str) -> str:
    """Address that reaches a server listening on `host` from this machine."""
    if host in ("0.0.0.0", ""):
        return "127.0.0.1"
    if host in ("::", "[::]"):
        return "[::1]"
    return f"[{host}]" if ":" in host and not host.startswith("[") else host

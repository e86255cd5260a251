"""Process of the edge: ``python -m services.edge.main``, or `run` inside another."""

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import Iterator

import structlog

from services.common import endpoints
from services.common.config import Config, load_section
from services.common.errors import Unavailable
from services.common.main import service_main
from services.edge.config import SERVICES, EdgeConfig
from services.edge.envoy import EnvoyEdge

_FOLLOW_EVERY_S = 0.5
_log = structlog.get_logger("edge")


def find_upstreams(config: Config) -> dict[str, str]:
    """Addresses of the processes known now: from ``server.peers``, else from the running city."""
    running = {name: endpoint.address for name, endpoint in endpoints.list_endpoints(config.home).items()}
    known = running | config.server.peers
    return {name: known[name] for name in SERVICES if name in known}


def edge_config(config: Config) -> EdgeConfig:
    """Settings of the edge; its port may also stand in ``server.ports``."""
    own = load_section("edge", EdgeConfig)
    return own if own.port else dataclasses.replace(own, port=config.server.ports.get("edge", 0))


async def run(config: Config, stop: asyncio.Event | None = None) -> None:
    """Serve HTTP until SIGTERM, SIGINT or `stop`, following services that move. Must run in the main thread.

    Raises
    ------
    PortInUse
        If another program listens on the port.
    Unavailable
        If Envoy does not start, or ends by itself.
    """
    stop = stop or asyncio.Event()
    tls = (config.tls.cert_file, config.tls.key_file) if config.tls.cert_file and config.tls.key_file else None
    edge = await EnvoyEdge.start(find_upstreams(config), edge_config(config), config.run_dir / "edge", tls)
    try:
        if config.server.announce:
            endpoints.announce(config.home, "edge", edge.address, pid=os.getpid(), tls=tls is not None)
        _log.info("serving", service="edge", url=edge.url)
        with _signals_set(stop):
            await _follow(edge, config, stop)
    finally:
        if config.server.announce:
            endpoints.withdraw(config.home, "edge")
        edge.stop()


async def _follow(edge: EnvoyEdge, config: Config, stop: asyncio.Event) -> None:
    """Keep Envoy's addresses up to date until `stop`."""
    while not stop.is_set():
        if not edge.child.running:
            raise Unavailable(f"Envoy ended by itself with code {edge.child.process.returncode}.\n{edge.child.last_output()}")
        if edge.update(find_upstreams(config)):
            _log.info("services_moved", **find_upstreams(config))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _FOLLOW_EVERY_S)


@contextlib.contextmanager
def _signals_set(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def main() -> int:
    """Entry of the process; returns its exit code."""
    return service_main("edge", run)


if __name__ == "__main__":
    raise SystemExit(main())

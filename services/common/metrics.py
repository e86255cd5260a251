"""Prometheus metrics of one process, and the port where they are read."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from services.common.config import MetricsConfig
from services.common.errors import PortInUse

_LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_AGE_S = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 86400)


@dataclass(frozen=True)
class Metrics:
    """All metrics that services write. Make one per process; tests make their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    feed_age_seconds: Gauge = field(init=False)
    entity_age_seconds: Histogram = field(init=False)
    match_ratio: Gauge = field(init=False)
    records_total: Counter = field(init=False)
    rejected_total: Counter = field(init=False)
    epoch: Gauge = field(init=False)
    calls_total: Counter = field(init=False)
    call_seconds: Histogram = field(init=False)
    calls_running: Gauge = field(init=False)
    work_seconds: Histogram = field(init=False)

    def __post_init__(self) -> None:
        registry = self.registry
        GCCollector(registry=registry)
        ProcessCollector(registry=registry)
        put = object.__setattr__
        put(self, "feed_age_seconds", Gauge("feed_age_seconds", "Age of a feed's newest file.", ["feed"], registry=registry))
        put(
            self,
            "entity_age_seconds",
            Histogram(
                "entity_age_seconds", "Age of each entity when its feed is read.", ["feed"], buckets=_AGE_S, registry=registry
            ),
        )
        put(
            self,
            "match_ratio",
            Gauge("match_ratio", "Part of a feed's entities that were matched to the city.", ["feed"], registry=registry),
        )
        put(
            self,
            "records_total",
            Counter("records", "Canonical records published.", ["feed", "kind"], registry=registry),
        )
        put(
            self,
            "rejected_total",
            Counter("rejected", "Files and records refused, by documented code.", ["feed", "code"], registry=registry),
        )
        put(self, "epoch", Gauge("epoch", "Epoch of the data in use.", ["kind"], registry=registry))
        put(
            self,
            "calls_total",
            Counter("grpc_calls", "Calls served, by status code.", ["method", "code"], registry=registry),
        )
        put(
            self,
            "call_seconds",
            Histogram("grpc_call_seconds", "Duration of calls.", ["method"], buckets=_LATENCY_S, registry=registry),
        )
        put(self, "calls_running", Gauge("grpc_calls_running", "Calls being served now.", registry=registry))
        put(
            self,
            "work_seconds",
            Histogram("work_seconds", "Duration of a part of the work.", ["part"], buckets=_LATENCY_S, registry=registry),
        )

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Measure how long a part of the work takes."""
        with self.work_seconds.labels(part).time():
            yield

    @contextmanager
    def serving(self, config: MetricsConfig) -> Iterator[int | None]:
        """Serve ``/metrics`` over HTTP; gives the bound port, None when switched off.

        Raises
        ------
        PortInUse
            If another program listens on the port.
        """
        if config.port is None:
            yield None
            return
        try:
            server, thread = start_http_server(config.port, config.host, registry=self.registry)
        except OSError as error:
            raise PortInUse(
                f"metrics: port {config.port} of {config.host} cannot be used ({error.strerror}); "
                "choose another with TRABOULE_METRICS_PORT (0: any free one)"
            ) from None
        try:
            yield int(server.server_port)
        finally:
            server.shutdown()
            server.server_close()
            _join(thread)


def _join(thread: threading.Thread) -> None:
    thread.join(timeout=5.0)

"""Prometheus metrics of ingest, in the registry of the process."""

from collections import Counter as Count
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from services.common.live.kinds import kind_of
from services.common.metrics import Metrics
from services.common.records import AnyRecord
from services.ingest.codes import severity
from services.ingest.health import Delivery, Health


class FeedMetrics:
    """Metrics by feed."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        registry = metrics.registry
        self._deliveries = Counter("feed_deliveries", "Deliveries by verdict.", ["feed", "verdict"], registry=registry)
        self._changes = Counter("feed_changes", "Records unlike the state before.", ["feed"], registry=registry)
        self._seconds = Histogram(
            "feed_processing_seconds", "From the last byte to the published state.", ["feed"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10), registry=registry,
        )  # fmt: skip
        self._entities = Gauge("feed_entities", "Entities in force.", ["feed"], registry=registry)

    def delivered(self, delivery: Delivery, records: tuple[AnyRecord, ...], match_ratio: float | None) -> None:
        """Count one delivery and the records taken from it."""
        feed = delivery.feed_id
        self._deliveries.labels(feed, delivery.verdict).inc()
        self._changes.labels(feed).inc(delivery.changed)
        self._seconds.labels(feed).observe(delivery.processing_s)
        for kind, count in Count(kind_of(record) for record in records).items():
            self._metrics.records_total.labels(feed, kind).inc(count)
        ages = self._metrics.entity_age_seconds.labels(feed)
        for record in records:
            ages.observe(max(0, delivery.received_at - record.observed_at))
        for code, count in delivery.counts.items():
            if severity(code) != "info":
                self._metrics.rejected_total.labels(feed, code).inc(count)
        if match_ratio is not None:
            self._metrics.match_ratio.labels(feed).set(match_ratio)

    def failed(self, feed_id: str, code: str) -> None:
        """Count one failed poll."""
        self._metrics.rejected_total.labels(feed_id, code).inc()

    def judged(self, healths: Iterable[Health]) -> None:
        """Show ages."""
        for health in healths:
            if health.age_s is not None:
                self._metrics.feed_age_seconds.labels(health.feed_id).set(health.age_s)
            self._entities.labels(health.feed_id).set(health.entities)

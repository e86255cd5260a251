"""Prometheus metrics of ingest."""

from collections.abc import Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from services.ingest.health import Delivery, Health


class FeedMetrics:
    """Metrics by feed, in a registry of the caller (the process's own by default)."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._deliveries = Counter("feed_deliveries_total", "Deliveries by verdict.", ["feed", "verdict"], registry=registry)
        self._findings = Counter("rejected_total", "Findings worse than a note, by code.", ["feed", "code"], registry=registry)
        self._records = Counter("feed_records_total", "Records taken.", ["feed"], registry=registry)
        self._changes = Counter("feed_changes_total", "Records unlike the state before.", ["feed"], registry=registry)
        self._seconds = Histogram(
            "feed_processing_seconds", "From the last byte to the published state.", ["feed"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10), registry=registry,
        )  # fmt: skip
        self._match = Gauge("match_ratio", "Share of entities matched to the city.", ["feed"], registry=registry)
        self._age = Gauge("feed_age_seconds", "Age of the newest accepted content.", ["feed"], registry=registry)
        self._entity_age = Gauge("entity_age_seconds", "Age of the entities in force.", ["feed", "quantile"], registry=registry)
        self._entities = Gauge("feed_entities", "Entities in force.", ["feed"], registry=registry)

    def delivered(self, delivery: Delivery, match_ratio: float | None) -> None:
        """Count one delivery."""
        feed = delivery.feed_id
        self._deliveries.labels(feed, delivery.verdict).inc()
        self._records.labels(feed).inc(delivery.accepted)
        self._changes.labels(feed).inc(delivery.changed)
        self._seconds.labels(feed).observe(delivery.processing_s)
        for code, count in delivery.counts.items():
            self._findings.labels(feed, code).inc(count)
        if match_ratio is not None:
            self._match.labels(feed).set(match_ratio)

    def failed(self, feed_id: str, code: str) -> None:
        """Count one failed poll."""
        self._findings.labels(feed_id, code).inc()

    def judged(self, healths: Iterable[Health]) -> None:
        """Show ages."""
        for health in healths:
            if health.age_s is not None:
                self._age.labels(health.feed_id).set(health.age_s)
            for quantile, age in (("0.5", health.entity_age_p50_s), ("0.95", health.entity_age_p95_s)):
                if age is not None:
                    self._entity_age.labels(health.feed_id, quantile).set(age)
            self._entities.labels(health.feed_id).set(health.entities)

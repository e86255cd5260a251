"""How each feed is doing: counted as deliveries come, judged when asked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.common.records import AnyRecord, Finding
from services.ingest.codes import severity
from services.ingest.feed import Feed
from services.ingest.sources.base import Verdict

FeedState = Literal["waiting", "ok", "degraded", "stale", "failing", "paused"]
WORST_FIRST: tuple[FeedState, ...] = ("failing", "stale", "degraded", "waiting", "ok", "paused")

DEFAULT_STALE_S = 600
FAILING_AFTER = 3
DEGRADED_STALE_SHARE = 0.2
DEGRADED_MATCH_RATIO = 0.8


@dataclass(frozen=True, slots=True)
class Delivery:
    """Outcome of one delivery; times are city time."""

    feed_id: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    accepted: int
    rejected: int
    changed: int
    sha256: str
    size_bytes: int
    received_at: int
    processing_s: float
    published_at: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """A feed's health at one moment."""

    feed_id: str
    state: FeedState
    explanation: str
    last_success: int
    last_attempt: int
    age_s: float | None
    entity_age_p50_s: float | None
    entity_age_p95_s: float | None
    entities: int
    stale_entities: int
    accepted: int
    rejected: int
    rejected_by_code: dict[str, int]
    match_ratio: float | None
    failures: int
    last_delivery: Delivery | None
    origin: str


@dataclass(slots=True)
class Account:
    """Running account of one feed."""

    feed: Feed
    last_success: int = 0
    last_attempt: int = 0
    failures: int = 0
    failure: str = ""
    accepted: int = 0
    rejected: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    match_ratio: float | None = None
    last_delivery: Delivery | None = None
    records: tuple[AnyRecord, ...] = ()

    def failed(self, code: str, reason: str, now: int) -> None:
        """Note a poll that brought nothing."""
        self.last_attempt = now
        self.failures += 1
        self.failure = f"{code}: {reason}"
        self.by_code[code] += 1

    def unchanged(self, now: int) -> None:
        """Note a poll that was answered with "not modified"."""
        self.last_attempt = now
        self.failures = 0

    def delivered(self, delivery: Delivery, records: tuple[AnyRecord, ...], match_ratio: float | None) -> None:
        """Note a delivery, taken or rejected."""
        self.last_attempt = delivery.received_at
        self.last_delivery = delivery
        self.by_code.update({code: count for code, count in delivery.counts.items() if severity(code) != "info"})
        self.accepted += delivery.accepted
        self.rejected += delivery.rejected
        if delivery.verdict == "reject":
            self.failures += 1
            self.failure = (
                delivery.findings[-1].code + ": " + delivery.findings[-1].message if delivery.findings else "rejected"
            )
            return
        self.failures = 0
        self.last_success = delivery.received_at
        self.records = records
        self.match_ratio = match_ratio

    def judge(self, now: int) -> Health:
        """Health at city time `now`."""
        ages = sorted(max(0, now - record.observed_at) for record in self.records)
        stale = sum(record.valid_until < now for record in self.records)
        age = float(now - self.last_success) if self.last_success else None
        state, explanation = self._word(now, len(ages), stale)
        return Health(
            self.feed.feed_id, state, explanation, self.last_success, self.last_attempt, age, _quantile(ages, 0.5),
            _quantile(ages, 0.95), len(ages) - stale, stale, self.accepted, self.rejected,
            {code: count for code, count in self.by_code.items() if count}, self.match_ratio, self.failures,
            self.last_delivery, self.feed.origin,
        )  # fmt: skip

    def _word(self, now: int, entities: int, stale: int) -> tuple[FeedState, str]:
        if self.feed.paused:
            return "paused", "Paused by an operator: neither polled nor accepted."
        if self.feed.adapter is None:
            return "waiting", f"Feeds of kind {self.feed.kind} are declared but not read yet."
        if self.failures >= FAILING_AFTER or (self.failures and not self.last_success):
            return "failing", f"{self.failures} deliveries failed in a row; the last: {self.failure}"
        if not self.last_success:
            return "waiting", "Nothing has arrived yet."
        limit = self.feed.stale_after_s or DEFAULT_STALE_S
        newest = max((record.observed_at for record in self.records), default=self.last_success)
        if self.last_delivery is not None and self.last_delivery.published_at is not None:
            # A closure reported hours ago is no old news while its publication is fresh.
            newest = max(newest, self.last_delivery.published_at)
        if entities and now - newest > limit:
            return "stale", f"The newest value is {now - newest} s old (limit {limit} s): answers no longer use it."
        reasons = []
        if self.failures:
            reasons.append(f"the last delivery failed ({self.failure})")
        if entities and stale > DEGRADED_STALE_SHARE * entities:
            reasons.append(f"{stale} of {entities} entities are too old")
        if self.match_ratio is not None and self.match_ratio < DEGRADED_MATCH_RATIO:
            reasons.append(f"only {self.match_ratio:.0%} of the entities could be matched to the city")
        if reasons:
            return "degraded", ("; ".join(reasons)).capitalize() + "."
        return "ok", f"{entities} entities, fresh."


def _quantile(ages: Sequence[int], share: float) -> float | None:
    if not ages:
        return None
    return float(ages[min(int(share * len(ages)), len(ages) - 1)])

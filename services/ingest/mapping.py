"""Feeds, health and deliveries ↔ `traboule.feeds.v1`."""

import math
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from traboule.common.v1 import stamp_pb2
from traboule.feeds.v1 import feed_pb2 as pb

from services.common.errors import InvalidInput
from services.ingest.feed import Feed, Origin
from services.ingest.health import WORST_FIRST, Delivery, Health

_KINDS: dict[str, int] = {
    "gtfs": pb.FEED_KIND_GTFS_SCHEDULE, "gtfs-rt": pb.FEED_KIND_GTFS_REALTIME,
    "gtfs-rt-trip-updates": pb.FEED_KIND_GTFS_REALTIME, "gtfs-rt-vehicle-positions": pb.FEED_KIND_GTFS_REALTIME,
    "gtfs-rt-alerts": pb.FEED_KIND_GTFS_REALTIME, "ngsi-vehicles": pb.FEED_KIND_NGSI_VEHICLES,
    "parkapi": pb.FEED_KIND_PARKAPI, "ngsi-parking": pb.FEED_KIND_PARKAPI, "datex2-measured": pb.FEED_KIND_DATEX2_MEASURED,
    "detectors": pb.FEED_KIND_DATEX2_MEASURED, "datex2-sites": pb.FEED_KIND_DATEX2_SITES,
    "datex2-situations": pb.FEED_KIND_DATEX2_SITUATIONS, "datex2-parking": pb.FEED_KIND_DATEX2_PARKING,
    "gbfs": pb.FEED_KIND_GBFS, "siri-et": pb.FEED_KIND_SIRI_ET, "siri-vm": pb.FEED_KIND_SIRI_VM,
    "siri-sx": pb.FEED_KIND_SIRI_SX, "netex": pb.FEED_KIND_NETEX,
}  # fmt: skip
_KIND_NAMES = {number: name for name, number in reversed(_KINDS.items())}
_KIND_NAMES[pb.FEED_KIND_GTFS_REALTIME] = "gtfs-rt"
_ORIGINS: dict[str, stamp_pb2.DataOrigin.ValueType] = {
    "live": stamp_pb2.DATA_ORIGIN_LIVE,
    "recorded": stamp_pb2.DATA_ORIGIN_RECORDED,
    "simulated": stamp_pb2.DATA_ORIGIN_SIMULATED,
}
_ORIGIN_NAMES: dict[int, Origin] = {
    stamp_pb2.DATA_ORIGIN_LIVE: "live",
    stamp_pb2.DATA_ORIGIN_RECORDED: "recorded",
    stamp_pb2.DATA_ORIGIN_SIMULATED: "simulated",
}
_VERDICTS = {"accept": pb.VERDICT_ACCEPT, "accept_warn": pb.VERDICT_ACCEPT_WARN, "reject": pb.VERDICT_REJECT}
_STATES = {
    "waiting": pb.FEED_STATE_WAITING, "ok": pb.FEED_STATE_OK, "degraded": pb.FEED_STATE_DEGRADED,
    "stale": pb.FEED_STATE_STALE, "failing": pb.FEED_STATE_FAILING, "paused": pb.FEED_STATE_PAUSED,
}  # fmt: skip
_SEVERITIES = {
    "info": pb.Finding.SEVERITY_INFO, "warning": pb.Finding.SEVERITY_WARNING, "error": pb.Finding.SEVERITY_ERROR,
}  # fmt: skip
_WORST = {"error": 0, "warning": 1, "info": 2}


def to_feed(feed: Feed) -> pb.Feed:
    """Message of a feed; keys in headers are never shown, addresses lose their query and user."""
    return pb.Feed(
        feed_id=feed.feed_id, kind=pb.FeedKind.ValueType(_KINDS.get(feed.kind, 0)),
        display_name=feed.display_name or feed.feed_id, url=shown_url(feed.url), poll_interval_s=_shown_poll_s(feed),
        static_feed_id=feed.static_feed, stale_after_s=feed.stale_after_s, licence=feed.licence, attribution=feed.attribution,
        origin=_ORIGINS[feed.origin], paused=feed.paused,
    )  # fmt: skip


def from_feed(message: pb.Feed, timezone: str, before: Feed | None) -> Feed:
    """Feed of a request; what the contract does not carry, or rounds, is kept from `before`.

    Raises
    ------
    InvalidInput
        If no adapter reads the kind, or an address is none.
    """
    kind = _KIND_NAMES.get(message.kind, "")
    if before is not None and _KINDS.get(before.kind) == message.kind:
        kind = before.kind
    base = before or Feed(message.feed_id, kind, timezone=timezone)
    feed = replace(
        base, kind=kind, url=base.url if message.url == shown_url(base.url) else message.url,
        poll_s=base.poll_s if message.poll_interval_s == _shown_poll_s(base) else float(message.poll_interval_s),
        display_name=message.display_name, stale_after_s=message.stale_after_s, static_feed=message.static_feed_id,
        licence=message.licence, attribution=message.attribution, origin=_ORIGIN_NAMES.get(message.origin, "live"),
        paused=message.paused, registered=True,
    )  # fmt: skip
    if feed.adapter is None:
        name = pb.FeedKind.Name(message.kind)
        raise InvalidInput(f"feeds of kind {name} are not read yet", field="feed.kind")
    return feed


def shown_url(url: str) -> str:
    """Address without query, fragment and user, which may carry keys."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _shown_poll_s(feed: Feed) -> int:
    """Period in the whole seconds of the contract; what is polled several times a second is not "not polled"."""
    return math.ceil(feed.poll_s)


def to_delivery(delivery: Delivery) -> pb.Delivery:
    """Message of a delivery, worst findings first."""
    findings = sorted(delivery.findings, key=lambda finding: _WORST[finding.severity])
    return pb.Delivery(
        feed_id=delivery.feed_id, verdict=_VERDICTS[delivery.verdict],
        findings=[
            pb.Finding(
                code=f.code, severity=_SEVERITIES[f.severity], where=f.where, message=f.message,
                count=delivery.counts.get(f.code, 1),
            )
            for f in findings
        ],
        accepted_count=delivery.accepted, rejected_count=delivery.rejected, changed_count=delivery.changed,
        sha256=delivery.sha256, size_bytes=delivery.size_bytes, received_unix_s=delivery.received_at,
        processing_s=delivery.processing_s,
    )  # fmt: skip


def to_health(health: Health) -> pb.FeedHealth:
    """Message of a feed's health."""
    return pb.FeedHealth(
        feed_id=health.feed_id, state=_STATES[health.state], explanation=health.explanation,
        last_success_unix_s=health.last_success, last_attempt_unix_s=health.last_attempt, age_s=health.age_s,
        entity_age_p50_s=health.entity_age_p50_s, entity_age_p95_s=health.entity_age_p95_s, entity_count=health.entities,
        stale_entity_count=health.stale_entities, accepted_count=health.accepted, rejected_count=health.rejected,
        rejected_by_code=health.rejected_by_code, match_ratio=health.match_ratio, consecutive_failure_count=health.failures,
        last_delivery=to_delivery(health.last_delivery) if health.last_delivery else None,
        origin=_ORIGINS.get(health.origin, stamp_pb2.DATA_ORIGIN_UNSPECIFIED),
    )  # fmt: skip


def worst_first(healths: list[Health]) -> list[Health]:
    """Healths in the order an operator wants to see them."""
    return sorted(healths, key=lambda health: (WORST_FIRST.index(health.state), health.feed_id))

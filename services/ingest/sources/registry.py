"""Which adapter reads which kind of feed."""

from collections.abc import Callable

import structlog

from services.ingest.errors import FeedRejected, UnknownKind
from services.ingest.sources import datex2, gbfs, gtfs, gtfs_rt, ngsi_vehicles, parking, siri_et, waze
from services.ingest.sources.base import Decoded, Findings, SourceContext

log = structlog.get_logger("ingest")

KINDS: dict[str, Callable[[bytes, SourceContext], Decoded]] = {
    "gtfs": gtfs.decode,
    "gtfs-rt": gtfs_rt.decode,
    "parking-parkapi": parking.decode,
    "datex2": datex2.decode,
    "ngsi-vehicles": ngsi_vehicles.decode,
    "gbfs-status": gbfs.decode,
    "siri-et": siri_et.decode,
    "waze-ccp": waze.decode,
}
"""Kind of feed → pure decoder."""


def decode(kind: str, body: bytes, context: SourceContext) -> Decoded:
    """Decode `body` with the adapter of `kind`; never raises for a bad body, the verdict says it.

    Raises
    ------
    UnknownKind
        If there is no adapter for `kind`.
    """
    decoder = KINDS.get(kind)
    if decoder is None:
        raise UnknownKind(f"no adapter reads feeds of kind {kind!r}; known kinds: {', '.join(sorted(KINDS))}")
    try:
        return decoder(body, context)
    except Exception as error:
        # A body that nobody foresaw must cost one delivery, not the feed: whoever polls would stop for ever.
        log.error("adapter_error", feed=context.feed, kind=kind, sha256=context.sha256, exc_info=error)
        return Findings().rejected(FeedRejected("adapter_error", f"{type(error).__name__} while reading {kind}"))

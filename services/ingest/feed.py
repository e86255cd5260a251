"""A feed as the ingest service knows it: what it is, where it comes from, how often and within which limits it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from services.common.errors import InvalidInput
from services.ingest.limits import DEFAULT_LIMITS, Limits

Origin = Literal["live", "recorded", "simulated"]

ADAPTERS: dict[str, str] = {
    "gtfs": "gtfs",
    "gtfs-rt": "gtfs-rt",
    "gtfs-rt-trip-updates": "gtfs-rt",
    "gtfs-rt-vehicle-positions": "gtfs-rt",
    "gtfs-rt-alerts": "gtfs-rt",
    "ngsi-vehicles": "ngsi-vehicles",
    "ngsi-parking": "parking-parkapi",
    "parkapi": "parking-parkapi",
    "datex2-measured": "datex2",
    "datex2-sites": "datex2",
    "datex2-situations": "datex2",
    "detectors": "datex2",
    "gbfs": "gbfs-status",
    "siri-et": "siri-et",
    "waze": "waze-ccp",
}
"""Kind of feed (as in `city.toml`) → adapter of `services.ingest.sources`. Kinds not here are declared but not read yet."""

MIN_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed.

    Attributes
    ----------
    feed_id, kind, display_name, licence, attribution : str
    url : str
        Address to poll; empty = the content is pushed.
    poll_s : float
        Wall seconds between two polls; 0 = not polled.
    stale_after_s : int
        Age (city seconds) beyond which the feed's values are not used; 0 = the kind's default.
    static_feed : str
        Static feed whose trips it speaks of.
    timezone : str
        Zone of times without one.
    timeout_s : float
        Whole time a poll may take, slow senders included.
    allowed_hosts : tuple of str
        Hosts a redirect may lead to besides the feed's own.
    headers : mapping
        Sent with each poll (keys of the publisher); never logged.
    paused : bool
        Known, but neither polled nor accepted.
    registered : bool
        Registered over the API, not declared by the city.
    """

    feed_id: str
    kind: str
    url: str = ""
    display_name: str = ""
    poll_s: float = 0.0
    stale_after_s: int = 0
    static_feed: str = ""
    timezone: str = "UTC"
    licence: str = ""
    attribution: str = ""
    origin: Origin = "live"
    paused: bool = False
    registered: bool = False
    timeout_s: float = 15.0
    allowed_hosts: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    sites_url: str = ""
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if not self.feed_id:
            raise InvalidInput("a feed needs an identifier", field="feed.feed_id")
        for name, address in (("url", self.url), ("sites_url", self.sites_url)):
            if address and urlsplit(address).scheme not in {"http", "https"}:
                raise InvalidInput(f"feed {self.feed_id}: {address[:100]!r} is no http or https address", field=f"feed.{name}")
        if self.poll_s and self.poll_s < MIN_POLL_S:
            raise InvalidInput(f"feed {self.feed_id}: a poll every {self.poll_s} s is too often", field="feed.poll_interval_s")
        if self.timeout_s <= 0:
            raise InvalidInput(f"feed {self.feed_id}: the timeout must be positive", field="feed.timeout_s")

    @property
    def adapter(self) -> str | None:
        """Adapter that reads it, None where there is none yet."""
        return ADAPTERS.get(self.kind)

"""Settings of the ingest service: ``TRABOULE_INGEST_<NAME>``."""

from dataclasses import dataclass
from typing import Literal

from services.common.errors import ConfigError


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """Where feeds come from.

    Attributes
    ----------
    source : {"live", "recorded", "none"}
        Poll the real sources of `city.toml`, the recorded day, or nothing (feeds are pushed).
    replay_url : str
        Address of the recorded day's player; empty = as announced in ``<home>/run/recorded_day.json``.
    replay_poll_s : float
        Wall seconds between polls of the recorded day.
    max_backoff_s : float
        Longest pause after repeated failures of a feed.
    """

    source: Literal["live", "recorded", "none"] = "none"
    replay_url: str = ""
    replay_poll_s: float = 0.5
    max_backoff_s: float = 300.0

    def __post_init__(self) -> None:
        if self.replay_url and not self.replay_url.startswith(("http://", "https://")):
            raise ConfigError(f"ingest.replay_url (TRABOULE_INGEST_REPLAY_URL): {self.replay_url!r} is no http address")
        for name, low, high in (("replay_poll_s", 0.05, 3600), ("max_backoff_s", 1, 86_400)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"ingest.{name} (TRABOULE_INGEST_{name.upper()}): {value} is not between {low} and {high}")

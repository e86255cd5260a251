"""Settings of the signals service (``TRABOULE_SIGNALS_…``)."""

from dataclasses import dataclass
from pathlib import Path

from services.common.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SignalsConfig:
    """How commands are signed and kept alive.

    Attributes
    ----------
    key_file : Path or None
        Ed25519 private key (PEM); None = ``<home>/keys/signals.pem``, made when it does not exist.
    keepalive_s : int
        An unchanged command is repeated after this long.
    valid_for_s : int
        After this long a controller at the street no longer obeys a command.
    """

    key_file: Path | None = None
    keepalive_s: int = 10
    valid_for_s: int = 30

    def __post_init__(self) -> None:
        if not 1 <= self.keepalive_s < self.valid_for_s <= 600:
            raise ConfigError(
                "signals: keepalive_s must be at least 1 and shorter than valid_for_s, which is at most 600", field="signals"
            )

    @property
    def trust_gap_s(self) -> int:
        """Seconds without a command after which lamps are not believed to show the last one any more."""
        return self.valid_for_s - self.keepalive_s

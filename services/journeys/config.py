"""Settings of the journeys service, ``TRABOULE_JOURNEYS_<NAME>``."""

from dataclasses import dataclass, field

from services.common.settings import setting_error
from services.journeys.car_metrics import METRIC_BYTES


@dataclass(frozen=True, slots=True)
class JourneysConfig:
    """What tenants may ask for. A pair is one origin with one destination of a matrix.

    Attributes
    ----------
    matrix_pairs_per_call : int
        Most pairs of one GetMatrix or StreamMatrix.
    matrix_pairs_per_minute : int
        Most pairs of a tenant within a minute, over all its calls to this process.
    tenant_matrix_pairs_per_minute : dict of str to int
        The same for tenants that have a limit of their own.
    metric_memory_mb : int
        Bound of the metrics of streets kept in memory (MiB), over modes, emission classes, departures, costs and epochs.
    """

    matrix_pairs_per_call: int = 25_000_000
    matrix_pairs_per_minute: int = 100_000_000
    tenant_matrix_pairs_per_minute: dict[str, int] = field(default_factory=dict)
    metric_memory_mb: int = METRIC_BYTES >> 20

    def __post_init__(self) -> None:
        if self.matrix_pairs_per_call < 1:
            raise setting_error("journeys.matrix_pairs_per_call", self.matrix_pairs_per_call, "1 pair or more")
        if self.metric_memory_mb < 1:
            raise setting_error("journeys.metric_memory_mb", self.metric_memory_mb, "1 MiB or more")
        own = {
            f"tenant_matrix_pairs_per_minute[{tenant}]": pairs for tenant, pairs in self.tenant_matrix_pairs_per_minute.items()
        }
        for name, pairs in {"matrix_pairs_per_minute": self.matrix_pairs_per_minute, **own}.items():
            if pairs < 1:
                raise setting_error(f"journeys.{name}", pairs, "1 pair or more")

    def per_minute(self, tenant: str) -> int:
        """Most pairs of a tenant within a minute."""
        return self.tenant_matrix_pairs_per_minute.get(tenant, self.matrix_pairs_per_minute)

    def per_call(self, tenant: str) -> int:
        """Most pairs of one call of a tenant."""
        return min(self.matrix_pairs_per_call, self.per_minute(tenant))

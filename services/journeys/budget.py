"""How much of matrices each tenant may ask for: a bucket per tenant that fills again evenly within a minute."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from services.common.errors import ResourceExhausted
from services.journeys.config import JourneysConfig

MOST_BUCKETS = 10_000
"""Tenants remembered at a time; full buckets are forgotten first."""


@dataclass(slots=True)
class Spending:
    """Pairs one call has paid for and not computed yet."""

    left: int

    def done(self, pairs: int) -> None:
        """Note that so many pairs were computed."""
        self.left -= pairs


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


@dataclass(slots=True)
class MatrixBudget:
    """Counts pairs of matrices by tenant. For one thread: the event loop's.

    Parameters
    ----------
    config : JourneysConfig
        The limits.
    clock : callable
        Seconds that only grow.
    """

    config: JourneysConfig = field(default_factory=JourneysConfig)
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    @contextlib.contextmanager
    def spending(self, tenant: str, pairs: int) -> Iterator[Spending]:
        """Pay for a matrix. What a call that fails or is left has not computed (`Spending.done`) is given back.

        Raises
        ------
        ResourceExhausted
            If one call may not ask for so many pairs, or the tenant has used up its minute (then with the time to wait).
        """
        self._take(tenant, pairs)
        spending = Spending(pairs)
        try:
            yield spending
        except BaseException:
            bucket = self._bucket(tenant)
            bucket.left = min(bucket.left + max(spending.left, 0), self.config.per_minute(tenant))
            raise

    def _take(self, tenant: str, pairs: int) -> None:
        most = self.config.per_call(tenant)
        if pairs > most:
            raise ResourceExhausted(
                f"the matrix has {pairs} pairs of an origin and a destination; one call may ask for {most} at most: "
                "split the request (limit: journeys.matrix_pairs_per_call)"
            )
        bucket, rate = self._bucket(tenant), self.config.per_minute(tenant) / 60.0
        if pairs > bucket.left:
            wait_s = max(0.1, math.ceil(10 * (pairs - bucket.left) / rate) / 10)
            raise ResourceExhausted(
                f"{tenant or 'the caller'} may ask for {self.config.per_minute(tenant)} pairs of matrices a minute and has "
                f"{int(bucket.left)} left; {pairs} can be had in {wait_s:g} s (limit: journeys.matrix_pairs_per_minute)",
                retry_after_s=wait_s,
            )
        bucket.left -= pairs

    def _bucket(self, tenant: str) -> _Bucket:
        """Bucket of a tenant, filled up to now."""
        now_s, full = self.clock(), float(self.config.per_minute(tenant))
        bucket = self._buckets.get(tenant)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                self._buckets = {name: b for name, b in self._buckets.items() if now_s - b.at_s < 60.0}
            bucket = self._buckets[tenant] = _Bucket(full, now_s)
        bucket.left = min(full, bucket.left + (now_s - bucket.at_s) * full / 60.0)
        bucket.at_s = now_s
        return bucket

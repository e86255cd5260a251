"""Times of motor vehicles for any departure: live now, predicted later, by the rules of the hour, in bounded memory."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode
from routing.street.access_rules import AccessRule, AccessRules, EmissionClass
from routing.street.api import StreetEngine, StreetMetric
from routing.street.metric_store import MetricStore, SpeedAt, TrafficState

LIVE_BYTES = 384 << 20
"""Bound of the metrics of one epoch of traffic; one of Porto takes 22 MB."""

FREE_BYTES = 128 << 20
"""Bound of the metrics without traffic, which differ by mode and the hours' rules only."""


class CarMetrics:
    """Metrics of all motor modes for one epoch of traffic; thread-safe. The longest unused are dropped beyond a bound.

    Parameters
    ----------
    street : StreetEngine
    speed_at : SpeedAt
        Forecast with the live values of the epoch inside.
    zone : ZoneInfo
        Of the city: the map's rules of hours are local.
    closed_arcs : int32[…]
        Closed now.
    closed_until_s : int
        City time up to which closures are taken to last.
    varies : bool
        False for times that are the same all day.
    capacity_bytes : int
        Bound of memory, over all modes and departures.
    """

    def __init__(
        self,
        street: StreetEngine,
        speed_at: SpeedAt,
        zone: ZoneInfo,
        closed_arcs: npt.NDArray[np.int32],
        closed_until_s: int,
        *,
        varies: bool = True,
        capacity_bytes: int = LIVE_BYTES,
    ) -> None:
        closures = (AccessRule(closed_arcs, ends_s=closed_until_s + 1, name="closures"),) if len(closed_arcs) else ()
        rules = AccessRules(street.graph.arc_count, closures)
        self._store = MetricStore(street.metric, capacity_bytes)
        self._store.swap(TrafficState(0, speed_at, rules, varies, street.graph.rules, zone))

    def metric(self, mode: StreetMode, time_s: int) -> StreetMetric:
        """Metric of a motor mode for a departure at `time_s` (unix seconds)."""
        return self._store.get(mode, EmissionClass.UNCLASSIFIED, time_s).metric

    def of(self, mode: StreetMode) -> Callable[[int], StreetMetric]:
        """Metrics of one mode by departure."""
        return lambda time_s: self.metric(mode, time_s)

    def used_bytes(self) -> int:
        """Bytes of the metrics kept."""
        return self._store.used_bytes()

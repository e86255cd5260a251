"""Times and costs of motor vehicles for any departure: live now, predicted later, by the rules of the hour and of zones."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from routing.model.modes import StreetMode
from routing.street.access_rules import AccessRule, AccessRules, EmissionClass
from routing.street.api import Avoidance, CostMetric, CostWeights, StreetEngine, StreetMetric
from routing.street.metric_store import Costs, MetricStore
from routing.street.traffic_state import SpeedAt, TrafficState, modes_of_hours

METRIC_BYTES = 512 << 20
"""Bound of all metrics of a city, over epochs, modes, classes, departures and costs; one of Porto takes 22 MB."""


@dataclass(frozen=True, slots=True)
class CarMetrics:
    """Metrics of one state of traffic in the store of the city, which may hold those of others."""

    store: MetricStore
    traffic: TrafficState

    def metric(self, mode: StreetMode, time_s: int, emission: EmissionClass | None = EmissionClass.ELECTRIC) -> StreetMetric:
        """Metric of a mode for a departure at `time_s` (unix seconds); `emission` None = as if there were no zones."""
        return self.store.get(mode, emission, time_s, self.traffic).metric

    def of(self, mode: StreetMode, emission: EmissionClass = EmissionClass.ELECTRIC) -> Callable[[int], StreetMetric]:
        """Metrics of one mode by departure."""
        return lambda time_s: self.metric(mode, time_s, emission)

    def cost(
        self, mode: StreetMode, time_s: int, weights: CostWeights, avoidance: Avoidance | None, emission: EmissionClass | None
    ) -> CostMetric:
        """Metric of costs for a departure at `time_s`."""
        return self.store.cost(mode, emission, time_s, Costs(weights, avoidance), self.traffic)

    def zones_holding(self, mode: StreetMode, time_s: int, emission: EmissionClass) -> tuple[int, ...]:
        """Rows of `traffic.rules` that are of zones and closed to the vehicle at a departure."""
        rules = self.traffic.rules
        return tuple(row for row in rules.holding(mode, emission, time_s) if rules.rules[row].zone_id)


class CityMetrics:
    """The store of a city's metrics and the states of traffic it is asked for; thread-safe.

    Parameters
    ----------
    street : StreetEngine
    rules : AccessRules
        Zones of the city; their time zone and calendar are those of the map's hours too.
    zone : ZoneInfo
        Of the city.
    capacity_bytes : int
        Bound of memory for all metrics.

    Attributes
    ----------
    free : CarMetrics
        Without traffic.
    timed_modes : frozenset of StreetMode
        Modes that some rule of hours on the map binds.
    """

    def __init__(self, street: StreetEngine, rules: AccessRules, zone: ZoneInfo, capacity_bytes: int = METRIC_BYTES) -> None:
        self._rules, self._zone, self._hours = rules, zone, street.graph.rules
        self._hours_modes = modes_of_hours(street.graph)
        bits = int(np.bitwise_or.reduce(self._hours_modes, initial=0))
        self.timed_modes = frozenset(mode for mode in StreetMode if mode.bit & bits)
        self._epoch = 0
        free = self._state(0, _free_flow, rules, varies=False)
        self.store = MetricStore(street.metric, capacity_bytes, street.cost_metric, (free,))
        self.free = CarMetrics(self.store, free)

    def follow(self, speed_at: SpeedAt, closures: Iterable[AccessRule], now_s: int, *, varies: bool = True) -> CarMetrics:
        """Next epoch of traffic; its metric of cars that leave now is made before the epochs are swapped.

        Parameters
        ----------
        speed_at : SpeedAt
            Forecast with the live values of the epoch inside.
        closures : iterable of AccessRule
            In force or announced.
        now_s : int
            City time.
        varies : bool
            False for times that are the same all day.
        """
        rules = self._rules.with_rules(closures)
        self._epoch += 1
        traffic = self._state(self._epoch, speed_at, rules, varies=varies)
        self.store.swap(traffic, [(StreetMode.CAR, EmissionClass.ELECTRIC, now_s)])
        return CarMetrics(self.store, traffic)

    def _state(self, epoch: int, speed_at: SpeedAt, rules: AccessRules, *, varies: bool) -> TrafficState:
        return TrafficState(epoch, speed_at, rules, varies, self._hours, self._zone, rules.calendar, self._hours_modes)


def _free_flow(_time_s: int) -> None:
    """No speed is known: all streets flow freely."""

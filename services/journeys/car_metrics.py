"""Car times for any departure: live now, predicted later. One metric per quarter hour, made once per traffic epoch."""

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode
from routing.street.api import StreetEngine, StreetMetric

SLOT_S = 900
MAX_SLOTS = 24

SpeedAt = Callable[[int], npt.NDArray[np.float32]]
"""Speed of every arc (km/h, NaN = free flow) expected at a unix second."""


class CarMetrics:
    """Metrics of one mode for one epoch of traffic; thread-safe.

    Parameters
    ----------
    speed_at : SpeedAt
        Forecast with the live values of the epoch inside.
    closed_arcs : int32[…]
        Closed now.
    closed_until_s : int
        City time up to which closures are taken to last.
    varies : bool
        False for times that are the same all day.
    """

    def __init__(
        self,
        street: StreetEngine,
        speed_at: SpeedAt,
        closed_arcs: npt.NDArray[np.int32],
        closed_until_s: int,
        mode: StreetMode = StreetMode.CAR,
        varies: bool = True,
    ) -> None:
        self._varies = varies
        self._street, self._speed_at, self._mode = street, speed_at, mode
        self._closed, self._closed_until_s = closed_arcs, closed_until_s
        self._metrics: OrderedDict[int, StreetMetric] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, time_s: int) -> StreetMetric:
        """Metric for a departure at `time_s` (unix seconds)."""
        slot = time_s // SLOT_S if self._varies else 0
        with self._lock:
            metric = self._metrics.get(slot)
            if metric is None:
                closed = self._closed if slot * SLOT_S <= self._closed_until_s else None
                metric = self._street.metric(self._mode, self._speed_at(slot * SLOT_S + SLOT_S // 2), closed)
                self._metrics[slot] = metric
                if len(self._metrics) > MAX_SLOTS:
                    self._metrics.popitem(last=False)
            else:
                self._metrics.move_to_end(slot)
            return metric

"""Metrics by vehicle, emission class, time slot and epoch of traffic: made when asked for, kept within a bound of memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput, StaleInput
from routing.model.modes import StreetMode
from routing.model.time_rules import TimeRules, rules_holding
from routing.street.access_rules import AccessRules, EmissionClass
from routing.street.metric import StreetMetric

SLOT_S = 900
"""Length of a time slot, seconds."""

SpeedAt = Callable[[int], npt.NDArray[np.float32] | None]
"""Speed of every arc (float32[m] km/h, NaN = free flow; None = free flow everywhere) expected at a unix second."""


class MakeMetric(Protocol):
    """Weighs the streets for a mode, from speeds, closed arcs and the time rules of the graph that hold."""

    def __call__(
        self,
        mode: StreetMode,
        arc_speed_kmh: npt.NDArray[np.float32] | None,
        closed_arcs: npt.NDArray[np.bool_],
        /,
        *,
        rules_holding: npt.NDArray[np.bool_] | None = None,
    ) -> StreetMetric:
        """Metric for a mode."""


@dataclass(frozen=True, slots=True)
class TrafficState:
    """What is known of traffic in one epoch; immutable.

    Attributes
    ----------
    epoch : int
    speed_at : SpeedAt
    rules : AccessRules
        Zones, closures, events, limits.
    varies : bool
        False for speeds that are the same all day.
    hours : TimeRules, optional
        Time rules of the graph, those that hold at the departure being obeyed; none = all are taken not to hold.
    zone : tzinfo, optional
        Needed with `hours`.

    Raises
    ------
    InvalidInput
        For hours without a time zone.
    """

    epoch: int
    speed_at: SpeedAt
    rules: AccessRules
    varies: bool = True
    hours: TimeRules | None = None
    zone: tzinfo | None = None

    def __post_init__(self) -> None:
        if self.hours is not None and self.zone is None:
            raise InvalidInput("hours are local: give the time zone with them", "zone")

    def hours_holding(self, time_s: int) -> bytes:
        """One byte (0 or 1) for each of `hours`: which hold at a unix second; empty without any."""
        if self.hours is None or self.zone is None or not len(self.hours):
            return b""
        return rules_holding(self.hours, time_s, self.zone).tobytes()


@dataclass(frozen=True, slots=True)
class StoredMetric:
    """A metric and what it is valid for.

    Attributes
    ----------
    metric : StreetMetric
    epoch : int
        Of the traffic inside; for the stamp of an answer.
    slot : int
        Unix seconds // `SLOT_S`, 0 where speeds do not vary.
    rules : tuple of int
        Rows of the rules obeyed.
    """

    metric: StreetMetric
    epoch: int
    slot: int
    rules: tuple[int, ...]


_Key = tuple[StreetMode, int, int, tuple[int, ...], bytes]


class MetricStore:
    """Keeps metrics of the current epoch; thread-safe.

    Who holds a metric keeps it, whatever the store drops. Vehicles of different emission classes share a metric where the same
    rules bind them.

    Parameters
    ----------
    make : MakeMetric
        For instance ``StreetEngine.metric``.
    capacity_bytes : int
        Metrics beyond are dropped, the longest unused first (the last one always stays).
    """

    def __init__(self, make: MakeMetric, capacity_bytes: int = 512 << 20) -> None:
        if capacity_bytes < 1:
            raise InvalidInput(f"capacity_bytes = {capacity_bytes} is not positive", "capacity_bytes")
        self._make, self._capacity = make, capacity_bytes
        self._traffic: TrafficState | None = None
        self._kept: OrderedDict[_Key, StoredMetric] = OrderedDict()
        self._making: dict[_Key, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def epoch(self) -> int:
        """Epoch answers are made from (-1 before the first)."""
        return -1 if self._traffic is None else self._traffic.epoch

    def used_bytes(self) -> int:
        """Bytes of the metrics kept."""
        with self._lock:
            return sum(metric_bytes(stored.metric) for stored in self._kept.values())

    def swap(self, traffic: TrafficState, ready: Iterable[tuple[StreetMode, EmissionClass, int]] = ()) -> None:
        """Make metrics of a new epoch, then answer from it; until then all get the old one.

        Parameters
        ----------
        traffic : TrafficState
        ready : iterable of (mode, emission class, unix second)
            Metrics to make before the swap, two at a time on two threads; others are made when asked for.

        Raises
        ------
        StaleInput
            If the epoch is not newer than the present one.
        """
        if traffic.epoch <= self.epoch:
            raise StaleInput(f"traffic of epoch {traffic.epoch} comes after epoch {self.epoch}: it is not taken", "epoch")
        keys = dict.fromkeys(self._key(traffic, *one) for one in ready)
        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(lambda key: self._made(traffic, key), keys))
        with self._lock:
            self._traffic = traffic
            self._kept = OrderedDict(zip(keys, made, strict=True))
            self._shrink()

    def get(self, mode: StreetMode, emission: EmissionClass, time_s: int) -> StoredMetric:
        """Metric for a vehicle leaving at a unix second; made now if it is not there. Two callers never make the same one.

        Raises
        ------
        StaleInput
            Before the first `swap`.
        """
        traffic = self._traffic
        if traffic is None:
            raise StaleInput("no traffic yet: swap one in first (an empty one for free flow)", "epoch")
        key = self._key(traffic, mode, emission, time_s)
        with self._lock:
            if (stored := self._find(traffic, key)) is not None:
                return stored
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if (stored := self._find(traffic, key)) is not None:
                    return stored
            stored = self._made(traffic, key)
            with self._lock:
                if self._traffic is traffic:
                    self._kept[key] = stored
                    self._shrink()
                self._making.pop(key, None)
            return stored

    def _find(self, traffic: TrafficState, key: _Key) -> StoredMetric | None:
        stored = self._kept.get(key)
        if stored is None or stored.epoch != traffic.epoch:
            return None
        self._kept.move_to_end(key)
        return stored

    @staticmethod
    def _key(traffic: TrafficState, mode: StreetMode, emission: EmissionClass, time_s: int) -> _Key:
        slot = time_s // SLOT_S
        rules = traffic.rules.holding(mode, emission, time_s)
        return mode, traffic.epoch, slot if traffic.varies else 0, rules, traffic.hours_holding(time_s)

    def _made(self, traffic: TrafficState, key: _Key) -> StoredMetric:
        mode, epoch, slot, rows, hours = key
        speed = traffic.speed_at(slot * SLOT_S + SLOT_S // 2)
        holding = np.frombuffer(hours, np.bool_) if hours else None
        metric = self._make(mode, speed, traffic.rules.closed(rows), rules_holding=holding)
        metric.customise()
        return StoredMetric(metric, epoch, slot, rows)

    def _shrink(self) -> None:
        used = sum(metric_bytes(stored.metric) for stored in self._kept.values())
        while used > self._capacity and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            used -= metric_bytes(dropped.metric)


def metric_bytes(metric: StreetMetric) -> int:
    """Bytes a customised metric takes beside its network."""
    arrays = [metric.arc_time_ms, metric.edge_ms, metric.back_edge_ms]
    if not np.may_share_memory(metric.turn_ms, metric.network.turn_cost_ms(metric.mode)):
        arrays.append(metric.turn_ms)
    total = sum(array.nbytes for array in arrays)
    weights = metric.weights
    return total if weights is None else total + weights.weight_ms.nbytes + weights.known.nbytes

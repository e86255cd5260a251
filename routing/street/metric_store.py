"""Metrics by vehicle, emission class, time slot, cost and epoch: made when asked for, kept within one bound of memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput, StaleInput
from routing.model.modes import StreetMode
from routing.street.access_rules import MOTOR_BITS, EmissionClass
from routing.street.avoidance import Avoidance
from routing.street.costs import CostMetric, CostWeights
from routing.street.metric import StreetMetric
from routing.street.traffic_state import SLOT_S, TrafficState


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


MakeCost = Callable[[StreetMetric, CostWeights, Avoidance | None], CostMetric]
"""Prices the streets of a metric, for instance ``StreetEngine.cost_metric``."""


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


@dataclass(frozen=True, slots=True)
class Costs:
    """What ways are chosen by instead of time."""

    weights: CostWeights
    avoidance: Avoidance | None = None


@dataclass(frozen=True, slots=True)
class _Key:
    """What tells metrics apart; `costs` None = times."""

    traffic: TrafficState
    mode: StreetMode
    slot: int
    rules: tuple[int, ...]
    hours: bytes
    costs: Costs | None = None


_Stored = StoredMetric | CostMetric


class MetricStore:
    """Keeps metrics of the current epoch, of the one before it for requests under way, and of lasting states; thread-safe.

    One bound holds for all of them together. Who holds a metric keeps it, whatever the store drops. Vehicles of different
    emission classes share a metric where the same rules bind them; a metric of costs shares the times it was made from.

    Parameters
    ----------
    make : MakeMetric
        For instance ``StreetEngine.metric``.
    capacity_bytes : int
        Metrics beyond are dropped, first those of the epoch before, then the longest unused (the last one always stays).
    make_cost : MakeCost, optional
        For instance ``StreetEngine.cost_metric``; needed for `cost`.
    lasting : tuple of TrafficState
        States besides the epochs that may be asked for at any time, such as free flow.
    """

    def __init__(
        self,
        make: MakeMetric,
        capacity_bytes: int = 512 << 20,
        make_cost: MakeCost | None = None,
        lasting: tuple[TrafficState, ...] = (),
    ) -> None:
        if capacity_bytes < 1:
            raise InvalidInput(f"capacity_bytes = {capacity_bytes} is not positive", "capacity_bytes")
        self._make, self._make_cost, self._capacity, self._lasting = make, make_cost, capacity_bytes, lasting
        self._traffic: TrafficState | None = None
        self._before: TrafficState | None = None
        self._kept: OrderedDict[_Key, _Stored] = OrderedDict()
        self._bytes = _Bytes()
        self._making: dict[_Key, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def epoch(self) -> int:
        """Epoch answers are made from (-1 before the first)."""
        return -1 if self._traffic is None else self._traffic.epoch

    def used_bytes(self) -> int:
        """Bytes of the metrics kept, each counted once."""
        with self._lock:
            return self._bytes.total

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
        keys = dict.fromkeys(_key(traffic, *one) for one in ready)
        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(self._made, keys))
        with self._lock:
            self._before, self._traffic = self._traffic, traffic
            for key in [key for key in self._kept if not self._keeps(key.traffic)]:
                self._drop(key)
            for key in [key for key in reversed(self._kept) if key.traffic is self._before]:
                self._kept.move_to_end(key, last=False)
            for key, stored in zip(keys, made, strict=True):
                self._put(key, stored)

    def get(
        self, mode: StreetMode, emission: EmissionClass | None, time_s: int, traffic: TrafficState | None = None
    ) -> StoredMetric:
        """Metric for a vehicle leaving at a unix second; made now if it is not there. Two callers never make the same one.

        Parameters
        ----------
        mode : StreetMode
        emission : EmissionClass or None
            None = as if there were no zones.
        time_s : int
        traffic : TrafficState, optional
            The state to take: one that is no longer kept is answered from all the same. Default: the present epoch.

        Raises
        ------
        StaleInput
            Before the first `swap`.
        """
        key = _key(self._state(traffic), mode, emission, time_s)
        found = self._get(key, self._made)
        assert isinstance(found, StoredMetric)
        return found

    def cost(
        self,
        mode: StreetMode,
        emission: EmissionClass | None,
        time_s: int,
        costs: Costs,
        traffic: TrafficState | None = None,
    ) -> CostMetric:
        """Metric of costs, as `get` for times.

        Raises
        ------
        InvalidInput
            For costs the engine refuses, or if the store was not told how to make them.
        """
        make_cost = self._make_cost
        if make_cost is None:
            raise InvalidInput("this store makes metrics of times only: give it make_cost", "make_cost")
        times = self.get(mode, emission, time_s, traffic)
        key = _key(self._state(traffic), mode, emission, time_s, costs)

        def make(_key: _Key) -> CostMetric:
            made = make_cost(times.metric, costs.weights, costs.avoidance)
            made.search.customise()
            return made

        found = self._get(key, make)
        assert isinstance(found, CostMetric)
        return found

    def _state(self, traffic: TrafficState | None) -> TrafficState:
        wanted = self._traffic if traffic is None else traffic
        if wanted is None:
            raise StaleInput("no traffic yet: swap one in first (an empty one for free flow)", "epoch")
        return wanted

    def _get(self, key: _Key, make: Callable[[_Key], _Stored]) -> _Stored:
        with self._lock:
            if (stored := self._find(key)) is not None:
                return stored
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if (stored := self._find(key)) is not None:
                    return stored
            try:
                stored = make(key)
                with self._lock:
                    self._put(key, stored)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return stored

    def _find(self, key: _Key) -> _Stored | None:
        stored = self._kept.get(key)
        if stored is not None and key.traffic is not self._before:
            self._kept.move_to_end(key)
        return stored

    def _made(self, key: _Key) -> StoredMetric:
        traffic = key.traffic
        speed = traffic.speed_at(key.slot * SLOT_S + SLOT_S // 2) if key.mode.bit & MOTOR_BITS else None
        holding = np.frombuffer(key.hours, np.bool_) if key.hours else None
        metric = self._make(key.mode, speed, traffic.rules.closed(key.rules), rules_holding=holding)
        metric.customise()
        return StoredMetric(metric, traffic.epoch, key.slot, key.rules)

    def _keeps(self, traffic: TrafficState) -> bool:
        return traffic is self._traffic or traffic is self._before or any(traffic is state for state in self._lasting)

    def _put(self, key: _Key, stored: _Stored) -> None:
        """Keep a metric, if its state is kept, and drop what no longer fits."""
        if not self._keeps(key.traffic):
            return
        if key in self._kept:
            self._drop(key)
        self._kept[key] = stored
        self._bytes.add(stored)
        if key.traffic is self._before:
            self._kept.move_to_end(key, last=False)
        while self._bytes.total > self._capacity and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: _Key) -> None:
        self._bytes.remove(self._kept.pop(key))


def _key(
    traffic: TrafficState, mode: StreetMode, emission: EmissionClass | None, time_s: int, costs: Costs | None = None
) -> _Key:
    rules = traffic.rules.holding(mode, emission, time_s)
    slot = time_s // SLOT_S if traffic.varies and mode.bit & MOTOR_BITS else 0
    return _Key(traffic, mode, slot, rules, traffic.hours_holding(mode, time_s), costs)


class _Bytes:
    """Counts the bytes of metrics, those that several share once."""

    def __init__(self) -> None:
        self.total = 0
        self._users: dict[int, int] = {}

    def add(self, stored: _Stored) -> None:
        """Count what is kept from now on."""
        for part, size in _parts(stored):
            self._users[id(part)] = self._users.get(id(part), 0) + 1
            self.total += size if self._users[id(part)] == 1 else 0

    def remove(self, stored: _Stored) -> None:
        """Count what is no longer kept."""
        for part, size in _parts(stored):
            self._users[id(part)] -= 1
            if not self._users[id(part)]:
                del self._users[id(part)]
                self.total -= size


def _parts(stored: _Stored) -> list[tuple[object, int]]:
    """Parts of a metric that others may share, and the bytes of each."""
    if isinstance(stored, StoredMetric):
        return [(stored.metric, metric_bytes(stored.metric))]
    own = stored.arc_co2_g.nbytes + stored.avoided.nbytes + metric_bytes(stored.search)
    return [(stored.times, metric_bytes(stored.times)), (stored, own)]


def metric_bytes(metric: StreetMetric) -> int:
    """Bytes a customised metric takes beside its network."""
    arrays = [metric.arc_time_ms, metric.edge_ms, metric.back_edge_ms]
    if not np.may_share_memory(metric.turn_ms, metric.network.turn_cost_ms(metric.mode)):
        arrays.append(metric.turn_ms)
    total = sum(array.nbytes for array in arrays)
    weights = metric.weights
    return total if weights is None else total + weights.nbytes

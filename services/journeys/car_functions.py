"""Travel times of motor vehicles along the trip, for one epoch of traffic: made in the background, kept in bounded memory.

While functions are being made, `find` has none: answers then stand on the metric of the departure (`CarMetrics`).
"""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import structlog

from routing.forecast.traffic import RESIDUAL_TAU_S, TrafficForecast
from routing.model.modes import StreetMode
from routing.street.access_rules import EmissionClass
from routing.street.api import StreetEngine, StreetMetric, TimedStreets
from routing.street.metric import weigh_turns
from routing.street.traffic_functions import traffic_functions
from routing.street.traffic_state import TrafficState

FUNCTIONS_BYTES = 192 << 20
"""Bound of the functions of one epoch with their bounds; a day of cars in Porto takes 8 MB, and 11 MB for every window used."""

MOST_KEPT = 6
"""Windows of bounds kept for one day of one mode, memory permitting."""

MOST_WAITING = 8
"""Functions waiting to be made; more are not noted, whoever asks again later will have them."""

DAY_S = 86_400
MARGIN_S = 6 * 3600
"""Functions of a day (UTC) begin so long before it and last so long after it, for trips over midnight."""

SLOT_S = 900
SLOTS = (DAY_S + 2 * MARGIN_S) // SLOT_S

CLEANEST = EmissionClass.ELECTRIC

Submit = Callable[[Callable[[], None]], object]
"""Runs something in the background, one after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveSpeeds:
    """What was measured, for functions.

    Attributes
    ----------
    kmh : float32[m]
        NaN = nothing.
    observed_s : int64[m]
        Unix seconds; 0 = said by an event.
    at_s : int
        City time it was put together.
    """

    kmh: npt.NDArray[np.float32]
    observed_s: npt.NDArray[np.int64]
    at_s: int


@dataclass(frozen=True, slots=True)
class _Key:
    """Day (unix days), vehicle, rows of rules that hold at any time of the trip, and the hours' states in it.

    Classes bound by the same rules share functions.
    """

    day: int
    mode: StreetMode
    emission: EmissionClass | None = field(compare=False)
    rules: tuple[int, ...]
    hours: tuple[bytes, ...]


class CarFunctions:
    """Predicted ways of all motor modes for one epoch of traffic; thread-safe. The longest unused are dropped beyond a bound.

    Parameters
    ----------
    street : StreetEngine
    forecast : TrafficForecast
    live : LiveSpeeds
    traffic : TrafficState
        Rules, closures and hours. Those that hold at the moment given are obeyed, as by `CarMetrics`; where others begin to
        hold during a trip, all of them are, if there is a way.
    submit : Submit
        Where functions are made.
    capacity_bytes : int
        Bound of memory, over all modes and days.
    """

    def __init__(
        self,
        street: StreetEngine,
        forecast: TrafficForecast,
        live: LiveSpeeds,
        traffic: TrafficState,
        submit: Submit,
        capacity_bytes: int = FUNCTIONS_BYTES,
    ) -> None:
        self._street, self._forecast, self._traffic, self._submit = street, forecast, traffic, submit
        observed = live.observed_s if not live.at_s else np.where(live.observed_s > 0, live.observed_s, live.at_s)
        self._live, self._at_s = (live.kmh, observed), live.at_s
        self._capacity = capacity_bytes
        self._kept: OrderedDict[_Key, TimedStreets] = OrderedDict()
        self._waiting: set[_Key] = set()
        self._lock = threading.Lock()

    def find(self, mode: StreetMode, time_s: int, emission: EmissionClass | None = CLEANEST) -> TimedStreets | None:
        """Predicted ways for a trip that begins or ends at a unix second; None while they are being made.

        `emission` None = as if there were no zones.
        """
        return self._find(self._key(mode, emission, time_s, (time_s,)), time_s)

    def _find(self, key: _Key, time_s: int) -> TimedStreets | None:
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                self._shrink()
                return found
            if key in self._waiting or len(self._waiting) >= MOST_WAITING:
                return None
            self._waiting.add(key)
        myself = weakref.ref(self)  # an epoch that is over is not worked for
        self._submit(lambda: _make_waiting(myself, key, time_s))
        return None

    def get(self, mode: StreetMode, time_s: int, emission: EmissionClass | None = CLEANEST) -> TimedStreets:
        """The same, made now if it is not there."""
        key = self._key(mode, emission, time_s, (time_s,))
        with self._lock:
            found = self._kept.get(key)
        return self._make(key, time_s) if found is None else found

    def of(self, mode: StreetMode, emission: EmissionClass | None = CLEANEST) -> Callable[[int], TimedStreets | None]:
        """What `find` has for one mode, by moment."""
        return lambda time_s: self.find(mode, time_s, emission)

    def used_bytes(self) -> int:
        """Bytes of the functions kept, with their bounds."""
        with self._lock:
            return sum(streets.used_bytes() for streets in self._kept.values())

    def make_waiting(self, key: _Key, time_s: int) -> None:
        """Make what `find` noted as wanted; what goes wrong is told and leaves answers on the metric of the departure."""
        try:
            self._make(key, time_s)
        except Exception:
            structlog.get_logger().exception("functions_failed", mode=key.mode.name, day=key.day)
        finally:
            with self._lock:
                self._waiting.discard(key)

    def _key(self, mode: StreetMode, emission: EmissionClass | None, time_s: int, moments: Iterable[int]) -> _Key:
        """Key of a trip that begins or ends at `time_s`, with all that holds at some moments of it."""
        traffic, rules, hours = self._traffic, set[int](), set[bytes]()
        for moment in moments:
            rules.update(traffic.rules.holding(mode, emission, moment))
            hours.add(traffic.hours_holding(mode, moment))
        return _Key(time_s // DAY_S, mode, emission, tuple(sorted(rules)), tuple(sorted(hours)))

    def _during(self, key: _Key, depart_s: float, arrive_s: float) -> TimedStreets | None:
        """Streets of a trip with the rules of its beginning, its end, and every quarter of an hour in between."""
        first, last = int(depart_s), int(arrive_s)
        moments = (*range(first, last, SLOT_S), last)
        return self._find(self._key(key.mode, key.emission, key.day * DAY_S, moments), first)

    def _free_flow(self, key: _Key) -> StreetMetric:
        """Free flow, with everything closed that is so in any state of the hours."""
        closed = self._traffic.rules.closed(key.rules)
        states = [np.frombuffer(hours, np.bool_) if hours else None for hours in key.hours]
        metrics = [self._street.metric(key.mode, None, closed, rules_holding=holding) for holding in states]
        if len(metrics) == 1:
            return metrics[0]
        times, turns = (np.maximum.reduce([getattr(m, name) for m in metrics]) for name in ("arc_time_ms", "turn_ms"))
        return weigh_turns(metrics[0].network, times, turns, key.mode)

    def _make(self, key: _Key, time_s: int) -> TimedStreets:
        start_s = key.day * DAY_S - MARGIN_S
        free = self._free_flow(key)
        functions = traffic_functions(
            self._street.graph, free, start_s, self._forecast.profile.slots(start_s, SLOTS),
            ratio=self._forecast.arc_ratio(self._at_s, *self._live), ratio_at_s=self._at_s, ratio_tau_s=RESIDUAL_TAU_S,
        )  # fmt: skip
        myself = weakref.ref(self)

        def during(depart_s: float, arrive_s: float) -> TimedStreets | None:
            alive = myself()
            return None if alive is None else alive._during(key, depart_s, arrive_s)

        streets = self._street.timed(free, functions, self._most_kept(key.mode), during)
        streets.prepare(time_s)
        with self._lock:
            self._kept[key] = streets
            self._shrink()
        return streets

    def _shrink(self) -> None:
        """Drop the longest unused until the rest fits; bounds are made while functions are used, so this is looked at often."""
        while len(self._kept) > 1 and sum(kept.used_bytes() for kept in self._kept.values()) > self._capacity:
            self._kept.popitem(last=False)

    def _most_kept(self, mode: StreetMode) -> int:
        """Sets of bounds of one day of one mode: together at most half of the memory."""
        tree = self._street.hierarchy(mode)
        return max(2, min(MOST_KEPT, self._capacity // 2 // max(8 * tree.arc_count + 4 * len(tree.slot), 1)))


def _make_waiting(functions: "weakref.ref[CarFunctions]", key: _Key, time_s: int) -> None:
    if (alive := functions()) is not None:
        alive.make_waiting(key, time_s)

"""Road speeds to come: a daily profile, and what is measured now fading into it.

``speed(t) = free flow × factor(day type, quarter hour, road class) × ratio ^ exp(-(t - observed) / RESIDUAL_TAU_S)`` where
`ratio` is the measured speed over the profile's at the time of measuring. Road classes without own history use the urban
profile below: an assumption (shape of the Urban Mobility Report's weekday congestion, peaks 8–9 and 17–19), to be replaced
by `link_history` where speeds have been recorded. Cyclists and walkers are not slowed by traffic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.street_graph import ROAD_CLASSES, StreetGraph

Speeds = npt.NDArray[np.float32]
SpeedAt = Callable[[int], Speeds]
"""Speed of every arc (km/h) expected at a unix second."""

SLOT_S = 900
SLOTS_A_DAY = 96
WORKING_DAY, SATURDAY, SUNDAY = 0, 1, 2
RESIDUAL_TAU_S = 2700.0
"""A deviation measured now has faded to 37 % after 45 minutes (chosen, and checked on Aarhus: tests/routing/forecast)."""
RATIO_BOUNDS = (0.15, 1.8)
"""Measured over expected speed is cut to these: beyond, the sensor is more likely wrong than the profile."""

_PEAKS = {
    WORKING_DAY: ((0, 0.0), (6, 0.05), (7, 0.45), (8.25, 1.0), (9.5, 0.6), (11, 0.4), (13, 0.5), (15, 0.5), (17, 0.85),
                  (18.25, 1.0), (19.5, 0.55), (21, 0.15), (24, 0.0)),
    SATURDAY: ((0, 0.0), (8, 0.1), (11, 0.45), (13, 0.5), (18, 0.45), (21, 0.15), (24, 0.05)),
    SUNDAY: ((0, 0.05), (9, 0.05), (12, 0.25), (18, 0.35), (21, 0.15), (24, 0.0)),
}  # fmt: skip
_DEPTH = {
    "motorway": 0.35, "trunk": 0.40, "primary": 0.42, "secondary": 0.38, "tertiary": 0.30, "unclassified": 0.20,
    "residential": 0.15, "living_street": 0.05, "service": 0.05, "motorway_link": 0.40, "trunk_link": 0.42,
    "primary_link": 0.42, "secondary_link": 0.38, "tertiary_link": 0.30,
}  # fmt: skip
"""Share of the free-flow speed lost at the peak, by road class; other classes lose nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class TrafficProfile:
    """Share of free-flow speed left, by day type, quarter hour and road class.

    Attributes
    ----------
    timezone : tzinfo
        Local time of the profile.
    factor : float32[3, 96, len(ROAD_CLASSES)]
        In (0, 1.5]; at slot starts, linear in between.
    assumed : bool
        Whether it is the urban default rather than measured.
    """

    timezone: tzinfo
    factor: Speeds
    assumed: bool = False

    def __post_init__(self) -> None:
        if self.factor.shape != (3, SLOTS_A_DAY, len(ROAD_CLASSES)):
            wanted = f"(3, {SLOTS_A_DAY}, {len(ROAD_CLASSES)})"
            raise InvalidInput(f"factors must be of shape {wanted}, not {self.factor.shape}", "factor")
        if not ((self.factor > 0) & (self.factor <= 1.5)).all():
            raise InvalidInput("factors must lie in (0, 1.5]", "factor")

    @classmethod
    def urban(cls, timezone: str | tzinfo, depth: float = 1.0) -> "TrafficProfile":
        """Build the assumed urban profile; `depth` scales the loss of speed (0 = none, 1 = a congested European city).

        Raises
        ------
        InvalidInput
            For a depth outside [0, 2].
        """
        if not 0.0 <= depth <= 2.0:
            raise InvalidInput(f"depth {depth} is not between 0 and 2", "depth")
        hours = np.arange(SLOTS_A_DAY) / 4.0
        loss = np.array([depth * _DEPTH.get(name, 0.0) for name in ROAD_CLASSES])
        tables = [np.array(_PEAKS[day]) for day in (WORKING_DAY, SATURDAY, SUNDAY)]
        peaks = [np.interp(hours, table[:, 0], table[:, 1]) for table in tables]
        factor = np.stack([1.0 - np.outer(peak, loss) for peak in peaks]).astype(np.float32)
        return cls(ZoneInfo(timezone) if isinstance(timezone, str) else timezone, factor, assumed=True)

    def at(self, unix_s: float) -> npt.NDArray[np.float64]:
        """Factor of every road class at a moment."""
        day, second = day_type_and_second(unix_s, self.timezone)
        slot, rest = divmod(second, SLOT_S)
        share = rest / SLOT_S
        one, two = self.factor[day, int(slot)], self.factor[day, (int(slot) + 1) % SLOTS_A_DAY]
        return np.asarray((1.0 - share) * one + share * two, np.float64)

    def slots(self, start_s: float, count: int) -> npt.NDArray[np.float64]:
        """Factors (float64[count, len(ROAD_CLASSES)]) in the middle of slots of a quarter of an hour from `start_s` on.

        Slots are absolute, the profile is local time: in a night with a change of clocks some quarter hours come twice or
        not at all. Factors are linear between quarter hours, so those in the middle are the means of slots.
        """
        return np.stack([self.at(start_s + (k + 0.5) * SLOT_S) for k in range(count)])


def day_type_and_second(unix_s: float, timezone: tzinfo) -> tuple[int, float]:
    """Day type and second of the local day (wall clock)."""
    local = datetime.fromtimestamp(unix_s, timezone)
    day = {5: SATURDAY, 6: SUNDAY}.get(local.weekday(), WORKING_DAY)
    return day, local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6


@dataclass(frozen=True, slots=True, eq=False)
class TrafficForecast:
    """Speeds of every arc of a street graph at any moment; cheap to build, immutable.

    Attributes
    ----------
    graph : StreetGraph
    profile : TrafficProfile
    """

    graph: StreetGraph
    profile: TrafficProfile

    @classmethod
    def for_city(cls, graph: StreetGraph, profile: TrafficProfile) -> "TrafficForecast":
        """Forecast of one city."""
        return cls(graph, profile)

    def arc_speed_kmh(
        self,
        at_s: float,
        live_kmh: npt.ArrayLike | None = None,
        observed_s: npt.ArrayLike | None = None,
    ) -> Speeds:
        """Speed float32[m] expected at unix second `at_s`.

        Parameters
        ----------
        live_kmh, observed_s : float[m], int[m], optional
            Measured speeds (NaN = none) and when. Later measurements than `at_s` count in full.
        """
        expected = self.graph.arc_speed_kmh * self.profile.at(at_s)[self.graph.arc_road_class]
        if live_kmh is not None:
            ratio = self.arc_ratio(at_s, live_kmh, observed_s)
            known = np.isfinite(ratio)
            expected[known] *= ratio[known]
        return expected.astype(np.float32)

    def arc_ratio(self, at_s: float, live_kmh: npt.ArrayLike, observed_s: npt.ArrayLike | None) -> npt.NDArray[np.float64]:
        """Expected speed over the profile's at `at_s` (float64[m], NaN where nothing was measured).

        A ratio `r` at `at_s` has faded to ``r ** exp(-seconds / RESIDUAL_TAU_S)`` some seconds later. Arguments as
        `arc_speed_kmh`.
        """
        if observed_s is None:
            raise InvalidInput("measured speeds need the times they were measured at", "observed_s")
        live, observed = np.asarray(live_kmh, np.float64), np.asarray(observed_s, np.int64)
        known = np.flatnonzero(np.isfinite(live) & (live > 0))
        answer = np.full(len(live), np.nan)
        if len(known):
            then = self._expected_then(known, observed[known], at_s)
            ratio = np.clip(live[known] / np.maximum(then, 1.0), *RATIO_BOUNDS)
            age = np.maximum(0.0, at_s - observed[known])
            age[observed[known] <= 0] = 0.0  # said by an event, not measured: it holds while the event does
            answer[known] = ratio ** np.exp(-age / RESIDUAL_TAU_S)
        return answer

    def _expected_then(
        self, arcs: npt.NDArray[np.int64], observed_s: npt.NDArray[np.int64], at_s: float
    ) -> npt.NDArray[np.float64]:
        """Profile's speed of `arcs` when they were measured (to the quarter hour)."""
        slots = np.where(observed_s > 0, observed_s // SLOT_S, int(at_s) // SLOT_S)
        answer = np.empty(len(arcs))
        for slot in np.unique(slots):
            own = arcs[slots == slot]
            factor = self.profile.at(int(slot) * SLOT_S + SLOT_S // 2)
            answer[slots == slot] = self.graph.arc_speed_kmh[own] * factor[self.graph.arc_road_class[own]]
        return answer

    def speed_at_without_live(self) -> SpeedAt:
        """Profile only."""
        return self.arc_speed_kmh

    def speed_at_with_live(self, live_kmh: npt.ArrayLike, observed_s: npt.ArrayLike, made_at_s: int = 0) -> SpeedAt:
        """Profile and fading measurements; event speeds without a measuring time count as of `made_at_s`."""
        live, observed = np.asarray(live_kmh), np.asarray(observed_s, np.int64)
        if made_at_s:
            observed = np.where(observed > 0, observed, made_at_s)
        return lambda at_s: self.arc_speed_kmh(at_s, live, observed)


def list_slots(start_s: int, end_s: int, slot_s: int = SLOT_S) -> npt.NDArray[np.int64]:
    """Moments (unix seconds, multiples of `slot_s`) whose speeds cover departures in [start_s, end_s]."""
    return np.arange(start_s // slot_s * slot_s, end_s + slot_s, slot_s, dtype=np.int64)

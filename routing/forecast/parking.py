"""Chance of a free space at arrival.

Free spaces now drift with the usual course of the day and the present deviation fades into it; arrivals and departures are
taken as Poisson, so the uncertainty grows with the square root of turnover. ``P(free) = Φ((mean - 0.5) / sd)``.
The usual occupancy by hour is an assumption (working-day demand of public city car parks) unless a profile is given.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.forecast.traffic import SLOT_S, day_type_and_second
from routing.model.car_parks import CarParks

Outlook = Callable[[npt.NDArray[np.int32], npt.NDArray[np.int64]], npt.NDArray[np.float64]]
"""P(a space is free) for car parks int32[k] at unix seconds int64[k]; NaN = not known."""

DEVIATION_TAU_S = 4 * 3600.0
"""A car park fuller than usual is still so hours later."""
TURNOVER_PER_H = 0.25
"""Arrivals plus departures each hour, as a share of capacity, apart from the usual course."""
OBSERVATION_SD = 1.0
"""Spaces a counter is wrong by."""
FORGOTTEN_S = 12 * 3600
"""What was counted longer ago says nothing."""
CLOSED = ("closed",)


def urban_occupancy() -> npt.NDArray[np.float64]:
    """Assumed usual occupancy (share of capacity) [3 day types, 96 quarter hours]."""
    hours = np.arange(96) / 4.0
    working = np.interp(hours, (0, 6, 8, 10, 12, 14, 16, 18, 20, 24), (0.2, 0.18, 0.4, 0.72, 0.78, 0.8, 0.72, 0.5, 0.32, 0.2))
    saturday = np.interp(hours, (0, 8, 11, 14, 17, 20, 24), (0.2, 0.2, 0.55, 0.65, 0.5, 0.3, 0.2))
    sunday = np.interp(hours, (0, 10, 15, 19, 24), (0.18, 0.2, 0.35, 0.3, 0.18))
    return np.stack([working, saturday, sunday])


def probability_free(
    free_spaces: npt.ArrayLike, capacity: npt.ArrayLike, usual_change: npt.ArrayLike, age_s: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """P(at least one space) `age_s` after `free_spaces` were counted.

    Parameters
    ----------
    free_spaces, capacity : float[k]
    usual_change : float[k]
        Free spaces usually gained (positive) or lost (negative) meanwhile.
    age_s : float[k]
        Seconds since counting.
    """
    free, room = np.asarray(free_spaces, float), np.asarray(capacity, float)
    hours = np.maximum(0.0, np.asarray(age_s, float)) / 3600.0
    mean = np.clip(free + np.asarray(usual_change, float), 0.0, room)
    turnover = TURNOVER_PER_H * room * hours + np.abs(np.asarray(usual_change, float))
    sd = np.sqrt(OBSERVATION_SD**2 + turnover)
    z = (mean - 0.5) / sd
    return 0.5 * (1.0 + np.array([math.erf(x / math.sqrt(2.0)) for x in np.atleast_1d(z).ravel()]).reshape(np.shape(z)))


def uncounted(taken: float) -> tuple[float, float, float]:
    """Mean and standard deviation of the share of free spaces, and P(a space), where nobody counts.

    Only the average share of spaces taken, ρ, is assumed. Of all car parks with this average, one that is either full or empty
    has the widest spread, ``√(ρ(1-ρ))``, and the least chance of a space, ``1-ρ`` (Markov's inequality): no more is promised.
    """
    return 1.0 - taken, math.sqrt(taken * (1.0 - taken)), 1.0 - taken


@dataclass(frozen=True, slots=True, eq=False)
class ParkingForecast:
    """Forecast of a city's car parks.

    Attributes
    ----------
    capacity : int32[n]
    local_slot : callable
        Unix second → (day type, quarter hour as a float) on the city's clock.
    occupancy : float64[3, 96]
        Usual share of spaces taken.
    """

    capacity: npt.NDArray[np.int32]
    local_slot: Callable[[float], tuple[int, float]]
    occupancy: npt.NDArray[np.float64] = field(default_factory=urban_occupancy)

    def __post_init__(self) -> None:
        if self.occupancy.shape != (3, 96) or not ((self.occupancy >= 0) & (self.occupancy <= 1)).all():
            raise InvalidInput("usual occupancy must be shares of shape (3, 96)", "occupancy")

    @classmethod
    def for_city(cls, car_parks: CarParks, timezone: str = "UTC") -> "ParkingForecast":
        """Forecast with the assumed urban profile on the clock of `timezone`."""
        zone = ZoneInfo(timezone)

        def local_slot(unix_s: float) -> tuple[int, float]:
            day, second = day_type_and_second(unix_s, zone)
            return day, second / SLOT_S

        return cls(car_parks.capacity, local_slot)

    def usual(self, unix_s: float) -> float:
        """Usual share of spaces taken at a moment."""
        day, slot = self.local_slot(unix_s)
        one, two = self.occupancy[day, int(slot)], self.occupancy[day, (int(slot) + 1) % 96]
        return float(one + (two - one) * (slot - int(slot)))

    def outlook(
        self,
        free_spaces: npt.NDArray[np.int32],
        capacity: npt.NDArray[np.int32],
        observed_s: npt.NDArray[np.int64],
        status: Sequence[str],
    ) -> Outlook:
        """Forecast from what is counted now [n]: -1 free or 0 observed = nothing known; a closed car park has no space."""
        closed = np.array([state in CLOSED for state in status], np.bool_)

        def probability(car_park: npt.NDArray[np.int32], at_s: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
            age = at_s - observed_s[car_park]
            known = (free_spaces[car_park] >= 0) & (observed_s[car_park] > 0) & (age <= FORGOTTEN_S)
            answer = np.full(len(car_park), np.nan)
            for k in np.flatnonzero(known):
                answer[k] = self._one(int(car_park[k]), float(at_s[k]), free_spaces, capacity, observed_s)
            answer[closed[car_park]] = 0.0
            return answer

        return probability

    def _one(
        self,
        park: int,
        at_s: float,
        free_spaces: npt.NDArray[np.int32],
        capacity: npt.NDArray[np.int32],
        observed_s: npt.NDArray[np.int64],
    ) -> float:
        room, then = float(max(1, capacity[park])), float(observed_s[park])
        now_share, later_share = self.usual(then), self.usual(at_s)
        age = max(0.0, at_s - then)
        taken = 1.0 - float(free_spaces[park]) / room
        expected = later_share + (taken - now_share) * math.exp(-age / DEVIATION_TAU_S)
        change = (taken - expected) * room
        return float(probability_free(np.array([free_spaces[park]]), np.array([room]), np.array([change]), np.array([age]))[0])

"""Ranges of arrivals: how far the day may be from the plan, and how sure each window is.

Model. What is driven between two stops takes ``planned × exp(D + L)``. D is the day: one normal number of standard deviation
`day_sigma` for all legs of a round, because a slow day is slow everywhere. L belongs to the hour: a normal process of standard
deviation `hour_sigma` whose correlation fades with the time between two legs as ``exp(-gap / fades_s)`` (Ornstein-Uhlenbeck),
as a measured deviation fades in the traffic forecast. Both have median 0: the plan's times are medians. Services last as
planned. A round is driven again in many drawn days; early vehicles wait for windows, late ones go on.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.rounds.errors import InvalidProblemError
from routing.rounds.plan import DeliveryRound, PlannedReload, PlannedStop, resting_s
from routing.rounds.problem import Problem, TimeWindow

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Spread of driving times about the forecast (standard deviations of the logarithm); assumed until measured.

    Attributes
    ----------
    day_sigma, hour_sigma : float
        Of the whole day, and of an hour of it.
    fades_s : float
        After this time a deviation of the hour has faded to 37 %; default: that of the traffic forecast.
    """

    day_sigma: float = 0.08
    hour_sigma: float = 0.15
    fades_s: float = 2700.0

    def __post_init__(self) -> None:
        for name, value in (("day_sigma", self.day_sigma), ("hour_sigma", self.hour_sigma)):
            if not 0.0 <= value <= 2.0:
                raise InvalidProblemError.of(name, f"must be from 0 to 2, not {value}")
        if not (math.isfinite(self.fades_s) and self.fades_s > 0):
            raise InvalidProblemError.of("fades_s", f"must be a number of seconds above 0, not {self.fades_s}")


@dataclass(frozen=True, slots=True, eq=False)
class RoundRanges:
    """Ranges of one round of L stops.

    Attributes
    ----------
    arrival_s : float64[q, L]
        Quantiles of the arrival at each stop, in the order of those asked for.
    in_window : float64[L]
        Probability that the service begins before the stop's last window closes; 1 without windows.
    end_s : float64[q]
        Quantiles of the round's end.
    """

    arrival_s: F64
    in_window: F64
    end_s: F64


def draw_factors(rng: np.random.Generator, days: int, moments_s: F64, uncertainty: Uncertainty) -> F64:
    """Draw how much longer legs that begin at `moments_s` (float64[l], ascending) take: float64[days, l]."""
    level = rng.normal(0.0, uncertainty.hour_sigma, days)
    day = rng.normal(0.0, uncertainty.day_sigma, days)
    answer = np.empty((days, len(moments_s)))
    for k, moment in enumerate(moments_s):
        if k:
            kept = math.exp(-max(0.0, float(moment - moments_s[k - 1])) / uncertainty.fades_s)
            level = kept * level + math.sqrt(1.0 - kept * kept) * rng.normal(0.0, uncertainty.hour_sigma, days)
        answer[:, k] = np.exp(day + level)
    return answer


def windows_of(problem: Problem, halt: PlannedStop | PlannedReload) -> tuple[TimeWindow, ...]:
    """When a service, or a reload, may begin; empty = at any time."""
    if isinstance(halt, PlannedStop):
        return problem.visit(halt.visit_idx).windows
    return (problem.depots[problem.reloads[halt.visit_idx - len(problem.visits)][1]].window,)


def drive(problem: Problem, one: DeliveryRound, factors: F64) -> tuple[F64, F64, F64]:
    """Drive a round in many days: arrivals and starts of service (float64[days, L]) and ends (float64[days]).

    `factors` (float64[days, L + 1]) stretch the planned driving times. Breaks last as planned and move with their
    stops, holds end when planned; the ways to a reload and on to the next stop are stretched alike.
    """
    now = np.full(len(factors), one.departure_s)
    arrivals, starts, left = np.empty((len(factors), len(one.stops))), np.empty((len(factors), len(one.stops))), one.departure_s
    k = 0
    for halt in one.halts:
        now = now + halt.driven_s(left) * factors[:, k] + resting_s(halt.road_rests)
        arrived, now = now, now + resting_s(halt.breaks_before)
        begun = now.copy()
        for window in reversed(windows_of(problem, halt)):
            begun = np.where(now <= window.end_s, np.maximum(now, window.start_s), begun)
        left = halt.left_s
        now = begun + (halt.departure_s - halt.start_s) + resting_s(halt.breaks_after)
        if isinstance(halt, PlannedStop) and halt.held_s > 0.0:
            now = np.maximum(now, left)
        if isinstance(halt, PlannedStop):
            arrivals[:, k], starts[:, k] = arrived, begun
            k += 1
    rests = resting_s(one.road_rests)
    return arrivals, starts, now + max(0.0, one.end_s - left - rests) * factors[:, -1] + rests


def round_ranges(
    problem: Problem, one: DeliveryRound, uncertainty: Uncertainty, quantiles: tuple[float, ...] = (0.1, 0.5, 0.9),
    *, days: int = 400, seed: int = 0,
) -> RoundRanges:  # fmt: skip
    """Ranges of the arrivals of a round; same seed, same answer. O(days L)."""
    moments = np.array([one.departure_s, *(stop.departure_s for stop in one.stops)])
    factors = draw_factors(np.random.default_rng([seed, one.vehicle_idx]), days, moments, uncertainty)
    arrivals, starts, ends = drive(problem, one, factors)
    closes = [windows[-1].end_s if (windows := problem.visit(stop.visit_idx).windows) else math.inf for stop in one.stops]
    return RoundRanges(
        np.quantile(arrivals, quantiles, axis=0), (starts <= np.array(closes)).mean(axis=0), np.quantile(ends, quantiles)
    )

"""The nearest few of many places by travel time: car parks, depots, chargers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.modes import UNREACHABLE_MS
from routing.street.api import StreetEngine
from routing.street.metric import StreetMetric
from routing.street.snapping import Snaps

_FIRST_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Nearest:
    """At most k places in order of travel time.

    Attributes
    ----------
    target : int64[k]
        Row among the targets.
    time_ms : uint32[k]
    """

    target: npt.NDArray[np.int64]
    time_ms: npt.NDArray[np.uint32]


def nearest_of(
    engine: StreetEngine,
    metric: StreetMetric,
    sources: Snaps,
    i: int,
    targets: Snaps,
    k: int,
    limit_s: float | None = None,
    *,
    backward: bool = False,
) -> Nearest:
    """The `k` targets reached soonest from source `i` (ties: the lower row); fewer where fewer are reached.

    The same as sorting the times to all targets, and exact. Without a hierarchy the search grows by steps of time until enough
    targets are inside.

    Parameters
    ----------
    engine : StreetEngine
    metric : StreetMetric
    sources : Snaps
    i : int
    targets : Snaps
    k : int
    limit_s : float, optional
        Targets further away do not count.
    backward : bool
        From the targets to the position instead: who is here first.

    Raises
    ------
    InvalidInput
        For `k` below 1, or a negative limit.
    """
    if k < 1:
        raise InvalidInput(f"k = {k}: at least one place must be asked for", "k")
    if limit_s is not None and not limit_s >= 0.0:
        raise InvalidInput(f"limit_s = {limit_s} is not a time", "limit_s")
    wanted = min(k, int((targets.arc >= 0).sum()))
    step_s = None if metric.weights is not None else _FIRST_LIMIT_S
    while True:
        bound_s = limit_s if step_s is None else (step_s if limit_s is None else min(step_s, limit_s))
        if backward:
            times = engine.many_to_one(metric, targets, sources, i, bound_s)
        else:
            times = engine.one_to_many(metric, sources, i, targets, bound_s)
        found = np.flatnonzero(times != UNREACHABLE_MS)
        if len(found) >= wanted or bound_s == limit_s:
            break
        step_s = None if step_s is None or step_s > 7200.0 else 3.0 * step_s
    order = found[np.argsort(times[found], kind="stable")][:k]
    return Nearest(order, times[order])

"""Door-to-door times between many points, by street modes and by transit."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from routing.errors import Interrupted
from routing.model.modes import UNREACHABLE_MS
from routing.multimodal.access_egress import StopReach
from routing.multimodal.model import JourneyRequest
from routing.multimodal.network import JourneyNetwork, seconds
from routing.street.api import Snaps, StreetMetric

NEVER_S = 2**31 - 1
"""Time of a pair that cannot be travelled."""


def street_matrix_s(
    network: JourneyNetwork, metric: StreetMetric, origins: Snaps, destinations: Snaps, factor: float = 1.0
) -> npt.NDArray[np.int32]:
    """Seconds (int32 [o, d]) on the street network; `NEVER_S` where there is no way. `factor` scales the speed."""
    return _whole_seconds(network.street.many_to_many(metric, origins, destinations), factor)


def street_blocks_s(
    network: JourneyNetwork, metric: StreetMetric, origins: Snaps, destinations: Snaps, factor: float, rows: int
) -> Iterator[npt.NDArray[np.int32]]:
    """Yield the rows of `street_matrix_s` in order, at most `rows` at a time."""
    for times in network.street.many_to_many_blocks(metric, origins, destinations, rows):
        yield _whole_seconds(times, factor)


def street_blocks_with_lengths(
    network: JourneyNetwork, metric: StreetMetric, origins: Snaps, destinations: Snaps, factor: float, rows: int
) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
    """Yield rows of `street_matrix_s` with the lengths of those ways (float32 m, -1 = no way)."""
    table = network.street.lengths(metric, destinations)
    for begin in range(0, len(origins), rows):
        times, lengths_m = table.rows(origins.take(np.arange(begin, min(begin + rows, len(origins)))))
        yield _whole_seconds(times, factor), lengths_m


def _whole_seconds(times: npt.NDArray[np.uint32], factor: float) -> npt.NDArray[np.int32]:
    unreachable = times == UNREACHABLE_MS
    if not unreachable.any():
        return seconds(times, factor)
    return np.where(unreachable, np.int32(NEVER_S), seconds(np.where(unreachable, np.uint32(0), times), factor))


def transit_matrix_s(
    network: JourneyNetwork,
    request: JourneyRequest,
    origins: list[StopReach],
    destinations: list[StopReach],
    should_stop: Callable[[], bool] | None = None,
) -> npt.NDArray[np.int32]:
    """Seconds (int32 [o, d]) from `request.time_s` to arrival by transit, waiting included; `NEVER_S` where none.

    One one-to-all RAPTOR per origin; walks all the way are not in it.

    Raises
    ------
    Interrupted
        If `should_stop`, read before each origin, became true.
    """
    out = np.full((len(origins), len(destinations)), NEVER_S, np.int32)
    for row, reach in enumerate(origins):
        if should_stop is not None and should_stop():
            raise Interrupted(f"stopped after {row} of {len(origins)} origins")
        if not len(reach):
            continue
        arrival_s = network.rides(wheelchair=request.wheelchair).earliest_arrivals(
            request.time_s,
            reach.stop,
            reach.duration_s,
            max_transfers=request.max_transfers,
            min_change_s=request.min_change_s,
            wheelchair=request.wheelchair,
        )
        for column, goal in enumerate(destinations):
            out[row, column] = best_arrival(arrival_s, goal, request.time_s)
    return out


def best_arrival(arrival_s: npt.NDArray[np.int64], goal: StopReach, time_s: int) -> int:
    """Seconds from `time_s` to the best arrival through the stops of `goal`, `NEVER_S` if none."""
    if not len(goal):
        return NEVER_S
    reached = arrival_s[goal.stop]
    totals = np.where(reached < np.iinfo(np.int64).max, reached + goal.duration_s, np.iinfo(np.int64).max)
    best = int(totals.min())
    return best - time_s if best < np.iinfo(np.int64).max else NEVER_S

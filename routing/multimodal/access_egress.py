"""Ways between a door and all stops around it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.multimodal.model import JourneyRequest
from routing.multimodal.network import JourneyNetwork, seconds
from routing.street.api import Snaps


@dataclass(frozen=True, slots=True, eq=False)
class StopReach:
    """Stops within reach and how long it takes: `stop` int32[k], `duration_s` int32[k]."""

    stop: npt.NDArray[np.int32]
    duration_s: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.stop)


def walking_mode(request: JourneyRequest) -> StreetMode:
    """FOOT, or WHEELCHAIR for step-free journeys."""
    return StreetMode.WHEELCHAIR if request.wheelchair else StreetMode.FOOT


def stops_around(network: JourneyNetwork, request: JourneyRequest, door: Snaps, *, egress: bool) -> StopReach:
    """Stops within the request's walk from `door` (egress: from which `door` is within the walk)."""
    mode, factor = walking_mode(request), request.walk_speed_factor
    stops, metric = network.stops(wheelchair=request.wheelchair), network.metrics[mode]
    limit_s = request.max_walk_s * factor
    if egress:
        times = network.street.many_to_one(metric, stops, door, 0, limit_s)
    else:
        times = network.street.one_to_many(metric, door, 0, stops, limit_s)
    reached = np.flatnonzero(times != UNREACHABLE_MS).astype(np.int32)
    return StopReach(reached, seconds(times[reached], factor))

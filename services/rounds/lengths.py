"""Shortest distances between the stops of rounds: one millisecond stands for a decimetre, without turn costs."""

import numpy as np
import numpy.typing as npt

from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.api import NO_TURN_COSTS, Snaps, StreetEngine, StreetMetric
from routing.street.metric import weigh
from services.city.snapshot import CitySnapshot

NO_WAY_M = 1e9
Metres = npt.NDArray[np.float64]


class Lengths:
    """Distances on the streets of one city; its networks are made when they are first asked for."""

    def __init__(self, snapshot: CitySnapshot) -> None:
        self._snapshot = snapshot
        self._street: StreetEngine | None = None
        self._metrics: dict[StreetMode, StreetMetric] = {}

    def matrix(self, mode: StreetMode, snaps: Snaps) -> Metres:
        """Metres (float64[n, n]) between all positions."""
        street, metric = self._prepared(mode)
        return _metres(street.many_to_many(metric, snaps, snaps))

    def star(self, mode: StreetMode, snaps: Snaps, i: int) -> tuple[Metres, Metres]:
        """Metres (float64[n]) from position `i` to all, and from all to it."""
        street, metric = self._prepared(mode)
        return _metres(street.one_to_many(metric, snaps, i, snaps)), _metres(street.many_to_one(metric, snaps, snaps, i))

    def _prepared(self, mode: StreetMode) -> tuple[StreetEngine, StreetMetric]:
        if self._street is None:
            free_turns = dict.fromkeys(StreetMode, NO_TURN_COSTS)
            self._street = StreetEngine(self._snapshot.street, free_turns, self._snapshot.hierarchies)
        street = self._street
        if mode not in self._metrics:
            times = np.maximum(np.rint(street.graph.arc_length_m * 10.0), 1).astype(np.uint32)
            times[street.metric(mode).arc_time_ms == UNREACHABLE_MS] = UNREACHABLE_MS
            self._metrics[mode] = weigh(street.network(mode), times, street.searcher(mode).hierarchy, mode=mode)
        return street, self._metrics[mode]


def _metres(found: npt.NDArray[np.uint32]) -> Metres:
    return np.where(found == UNREACHABLE_MS, NO_WAY_M, found / 10.0)

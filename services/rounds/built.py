"""Travel times that were built for rounds, and those kept of the rounds used last."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from routing.rounds.api import TravelTimes
from routing.street.api import Snaps
from services.common.live.traffic import LiveTraffic
from services.rounds.incidents import RoadIncident
from services.rounds.kerb import Parked
from services.rounds.mapping import Point

KEPT_TIMES = 16


@dataclass(frozen=True, slots=True, eq=False)
class BuiltTimes:
    """Travel times of a problem and where its locations lie on the streets, one entry per profile.

    `incidents` were reported of the rounds and hold on top of the city's traffic. `zone_notes` says of locations in a zone
    that is closed to some profile at some time which one it is; `parking_s` is the time to find a place to stop that the
    travel times to each location hold, `parked` the stands where that is more than one number. Of locations from `exact` on
    (None = of none) times are those of some slots, interpolated between them.
    """

    travel_times: TravelTimes
    snaps: tuple[Snaps, ...]
    slots_s: npt.NDArray[np.float64]
    traffic: LiveTraffic | None
    zone_notes: Mapping[int, str] = field(default_factory=dict)
    parking_s: tuple[int, ...] = ()
    incidents: tuple[RoadIncident, ...] = ()
    parked: Parked | None = None
    exact: int | None = None


class KeptTimes:
    """Travel times of the rounds used last, by job."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, tuple[list[Point], BuiltTimes]] = OrderedDict()

    def put(self, rounds_id: str, points: list[Point], built: BuiltTimes) -> None:
        """Keep the times of a job's locations."""
        self._times[rounds_id] = (points, built)
        self._times.move_to_end(rounds_id)
        while len(self._times) > KEPT_TIMES:
            self._times.popitem(last=False)

    def drop(self, rounds_id: str) -> None:
        """Forget the times of a job."""
        self._times.pop(rounds_id, None)

    def __contains__(self, rounds_id: str) -> bool:
        """Whether times of a job are kept."""
        return rounds_id in self._times

    def find(self, rounds_id: str, points: list[Point]) -> tuple[int, BuiltTimes] | None:
        """Times of a job and how many of its locations they cover; None if the locations are others."""
        kept = self._times.get(rounds_id)
        if kept is None or points[: len(kept[0])] != kept[0]:
            return None
        return len(kept[0]), kept[1]

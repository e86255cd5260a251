"""Parking records → free spaces of the snapshot's car parks."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.model.car_parks import CarParks
from services.common.records import Observation

MATCH_DISTANCE_M = 150.0
_METRES_PER_DEGREE = 111_195.0


@dataclass(frozen=True, slots=True, eq=False)
class LiveCarParks:
    """State of n car parks, in the order of `CarParks`. Immutable.

    Attributes
    ----------
    epoch, at : int
    free_spaces : int32[n]
        -1 = nothing known.
    capacity : int32[n]
        What the feed says, else what the snapshot says.
    observed_s : int64[n]
        Unix seconds; 0 = never.
    status : tuple of str
        ``open``, ``full``, ``closed``, ``no_data``, ``unknown`` or empty (not said). A closed car park is not routable,
        whatever its free spaces.
    matched, unmatched : int
        Entities of feeds with and without a car park.
    """

    epoch: int
    at: int
    free_spaces: npt.NDArray[np.int32]
    capacity: npt.NDArray[np.int32]
    observed_s: npt.NDArray[np.int64]
    status: tuple[str, ...]
    matched: int = 0
    unmatched: int = 0


class CarParkMatcher:
    """Entities of parking feeds → index of a car park: declared feed and entity, the same id, else the nearest position."""

    def __init__(self, car_parks: CarParks) -> None:
        self.car_parks = car_parks
        self._declared = {
            (feed, entity): i
            for i, (feed, entity) in enumerate(zip(car_parks.feed_ids, car_parks.feed_entities, strict=True))
            if entity
        }
        self._ids = {car_park_id: i for i, car_park_id in enumerate(car_parks.ids)}

    def find(self, row: Observation) -> int | None:
        """Index of the car park that `row` speaks of, or None."""
        declared = self._declared.get((row.feed, row.entity))
        if declared is not None:
            return declared
        if row.entity in self._ids:
            return self._ids[row.entity]
        if row.lat is None or row.lon is None or not len(self.car_parks.capacity):
            return None
        lat = self.car_parks.lat_e7 * 1e-7
        dy = (lat - row.lat) * _METRES_PER_DEGREE
        dx = (self.car_parks.lon_e7 * 1e-7 - row.lon) * _METRES_PER_DEGREE * np.cos(np.radians(row.lat))
        distance = np.hypot(dx, dy)
        nearest = int(np.argmin(distance))
        return nearest if distance[nearest] <= MATCH_DISTANCE_M else None


def build_car_parks(matcher: CarParkMatcher, rows: Iterable[Observation], epoch: int, now: int) -> LiveCarParks:
    """Lay valid parking observations on the car parks; newer ones win."""
    n = len(matcher.car_parks.capacity)
    free = np.full(n, -1, np.int32)
    capacity = np.array(matcher.car_parks.capacity, np.int32)
    observed = np.zeros(n, np.int64)
    status = [""] * n
    matched: set[str] = set()
    unmatched: set[str] = set()
    for row in sorted(rows, key=lambda row: (row.observed_at, row.feed, row.entity)):
        if row.valid_until < now:
            continue
        index = matcher.find(row)
        if index is None:
            unmatched.add(f"{row.feed}|{row.entity}")
            continue
        matched.add(f"{row.feed}|{row.entity}")
        if row.kind == "capacity":
            capacity[index] = max(int(row.value), 1)
        elif row.kind == "free_spaces":
            free[index], observed[index] = int(row.value), row.observed_at
        status[index] = row.status
    return LiveCarParks(epoch, now, free, capacity, observed, tuple(status), len(matched), len(unmatched))

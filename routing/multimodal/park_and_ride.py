"""Drive to a car park, then ride.

Every car park near a stop is weighed by drive + search + walk, with the predicted probability of a free space at arrival.
Rules that spare silly answers: no drive under five minutes, no car park that is not clearly nearer (by car) than the
destination, none that is farther from the destination than the origin, and a way back must exist when the stay is over.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.model.modes import UNREACHABLE_MS
from routing.multimodal.access_egress import StopReach
from routing.multimodal.model import JourneyRequest, ParkingDetail, Point, TrafficBasis
from routing.multimodal.network import JourneyNetwork, seconds
from routing.street.api import Snaps, StreetMetric

MIN_DRIVE_S = 300
MAX_DRIVE_S = 3600
MAX_SHARE_OF_DIRECT_DRIVE = 0.85
PARK_AND_LEAVE_S = 150
"""From the barrier to the pavement with a space at hand (entrance, ramp, walk out; Shoup, 2005, gives 1 to 4 minutes)."""

FULL_DETOUR_S = 420
"""What a full car park costs: to the next one and in."""

DEFAULT_PROBABILITY = 0.7
"""Taken where no data say anything about a car park."""

MAX_LOTS = 40


@dataclass(frozen=True, slots=True, eq=False)
class ParkAndRideAccess:
    """Stops reached by car and foot; k stops.

    Attributes
    ----------
    reach : StopReach
        Seconds from leaving the door to standing at each stop.
    lot : int32[k]
        Row of `JourneyNetwork.lots` used for each stop.
    walk_s : int32[k]
        The walk's part of it.
    drive_s, search_s, probability : [lots]
        By lot row; drive is NaN-free only for lots in use.
    traffic : TrafficBasis
        What the drives stand on.
    """

    reach: StopReach
    lot: npt.NDArray[np.int32]
    walk_s: npt.NDArray[np.int32]
    drive_s: npt.NDArray[np.int32]
    search_s: npt.NDArray[np.int32]
    probability: npt.NDArray[np.float64]
    traffic: TrafficBasis

    def row_of(self, stop: int) -> int:
        """Position of a stop in `reach`."""
        return int(np.flatnonzero(self.reach.stop == stop)[0])


def find_access(
    network: JourneyNetwork,
    request: JourneyRequest,
    door: Snaps,
    car: StreetMetric,
    direct_drive_s: float | None,
    min_probability: float,
) -> ParkAndRideAccess | None:
    """Stops reachable by park-and-ride from `door`; None if no car park makes sense.

    Car parks are chosen by `car`; the drives to those chosen follow the traffic along the way where it is known and the journey
    is one that departs.

    Parameters
    ----------
    car : StreetMetric
        Times at the time of travel.
    direct_drive_s : float, optional
        Drive to the destination, None if there is none.
    """
    lots = network.lots
    if not len(lots):
        return None
    times = network.street.one_to_many(car, door, 0, lots.entrance, MAX_DRIVE_S)
    drive_s = np.where(times == UNREACHABLE_MS, MAX_DRIVE_S + 1, seconds(np.minimum(times, 10**9).astype(np.uint32)))
    probability = _probabilities(network, request.time_s + drive_s.astype(np.int64))
    good = (drive_s >= MIN_DRIVE_S) & (drive_s <= MAX_DRIVE_S) & (probability >= min_probability)
    if direct_drive_s is not None:
        good &= drive_s <= MAX_SHARE_OF_DIRECT_DRIVE * direct_drive_s
    good &= _nearer(network, request)
    rows = np.flatnonzero(good)
    if not len(rows):
        return None
    search_s = np.rint(PARK_AND_LEAVE_S + (1.0 - probability) * FULL_DETOUR_S).astype(np.int32)
    rows = rows[np.argsort(drive_s[rows] + search_s[rows], kind="stable")][:MAX_LOTS]
    drive_s, traffic = drive_s.astype(np.int32), network.car_basis
    timed = None if request.arrive_by else network.timed_car(request.time_s)
    if timed is not None:
        along, traffic = timed.times_from(door, 0, lots.entrance.take(rows), request.time_s), TrafficBasis.PREDICTED
        rows, along = rows[along != UNREACHABLE_MS], along[along != UNREACHABLE_MS]
        drive_s[rows] = seconds(along)
    return _best_per_stop(network, request, rows, (drive_s, search_s, probability), traffic)


def _probabilities(network: JourneyNetwork, arrival_s: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    outlook = network.parking_outlook(network.lots.car_park, arrival_s)
    return np.where(np.isnan(outlook), DEFAULT_PROBABILITY, outlook)


def _nearer(network: JourneyNetwork, request: JourneyRequest) -> npt.NDArray[np.bool_]:
    """Whether each lot lies nearer to the destination than the origin does, as the crow flies."""
    lots, goal = network.lots, request.destination
    lon_scale = np.cos(np.radians(goal.lat_deg))
    away = np.hypot(lots.entrance.lat_deg - goal.lat_deg, (lots.entrance.lon_deg - goal.lon_deg) * lon_scale)
    start = np.hypot(request.origin.lat_deg - goal.lat_deg, (request.origin.lon_deg - goal.lon_deg) * lon_scale)
    return np.asarray(away < start)


def _best_per_stop(
    network: JourneyNetwork,
    request: JourneyRequest,
    rows: npt.NDArray[np.int64],
    values: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]],
    traffic: TrafficBasis,
) -> ParkAndRideAccess | None:
    drive_s, search_s, probability = values
    lots, factor = network.lots, request.walk_speed_factor
    best: dict[int, tuple[int, int, int]] = {}
    for row in rows.tolist():
        for k in range(int(lots.first_walk[row]), int(lots.first_walk[row + 1])):
            walk_s = int(np.ceil(lots.walk_s[k] / factor))
            stop, total = int(lots.walk_stop[k]), int(drive_s[row]) + int(search_s[row]) + walk_s
            if walk_s <= request.max_walk_s and (stop not in best or total < best[stop][0]):
                best[stop] = (total, row, walk_s)
    if not best:
        return None
    stops = np.array(sorted(best), np.int32)
    table = np.array([best[stop] for stop in stops.tolist()], np.int32)
    reach = StopReach(stops, np.ascontiguousarray(table[:, 0]))
    return ParkAndRideAccess(reach, table[:, 1], table[:, 2], drive_s, search_s, probability, traffic)


def parking_detail(network: JourneyNetwork, access: ParkAndRideAccess, lot: int, *, return_possible: bool) -> ParkingDetail:
    """What an itinerary says about its car park."""
    parks, index = network.lots.car_parks, int(network.lots.car_park[lot])
    return ParkingDetail(
        parks.ids[index],
        parks.names[index],
        int(parks.capacity[index]),
        float(access.probability[lot]),
        int(access.search_s[lot]),
        return_possible,
    )


def lot_point(network: JourneyNetwork, lot: int) -> Point:
    """Entrance of a lot as a point of a journey."""
    lots = network.lots
    index = int(lots.car_park[lot])
    parks = lots.car_parks
    return Point(
        float(lots.entrance.lat_deg[lot]), float(lots.entrance.lon_deg[lot]), parks.names[index], car_park_id=parks.ids[index]
    )

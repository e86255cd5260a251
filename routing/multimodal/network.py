"""What one planning sees of the city: streets, their times, stops on streets, car parks, transit. Immutable."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from routing.errors import OutsideArea
from routing.model.car_parks import CarParks
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.transfers import Footpaths, StreetTransfers
from routing.multimodal.model import Point, TrafficBasis
from routing.multimodal.transfers import build_transfers, snap_stops
from routing.street.api import Snaps, StreetEngine, StreetMetric, TimedStreets
from routing.transit.api import RealtimeOverlay, TransitEngine

MAX_POINT_DISTANCE_M = 500.0
MAX_LOT_WALK_S = 600.0

MetricAt = Callable[[int], StreetMetric]
"""Metric of a motor mode for a departure at the given unix second: live now, predicted later."""

TimedAt = Callable[[int], TimedStreets | None]
"""Car ways by predicted traffic for trips that begin or end at the given unix second; None = not known (yet)."""

ParkingOutlook = Callable[[npt.NDArray[np.int32], npt.NDArray[np.int64]], npt.NDArray[np.float64]]
"""P(a space is free) for car park indices int32[k] at arrival times int64[k] (unix seconds); NaN = not known."""


@dataclass(frozen=True, slots=True, eq=False)
class ParkAndRideLots:
    """Car parks within a short walk of a stop; l lots, w walks.

    Attributes
    ----------
    car_park : int32[l]
        Index into `car_parks`.
    entrance : Snaps [l]
        Where cars drive in.
    first_walk : int32[l + 1]
        Walks of lot `i` are ``first_walk[i]:first_walk[i + 1]``.
    walk_stop, walk_s : int32[w]
        Stop index and seconds on foot.
    """

    car_parks: CarParks
    car_park: npt.NDArray[np.int32]
    entrance: Snaps
    centre: Snaps
    first_walk: npt.NDArray[np.int32]
    walk_stop: npt.NDArray[np.int32]
    walk_s: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.car_park)


@dataclass(frozen=True, slots=True, eq=False)
class JourneyNetwork:
    """Engines and what ties them together, all of one epoch.

    Attributes
    ----------
    metrics
        Metrics of the modes that no traffic changes (FOOT, WHEELCHAIR, BICYCLE).
    car_metric
        Car times by departure.
    free_flow_metric
        Car times without traffic, for comparison.
    timed_car
        Car ways that follow the traffic along the trip, where they are known.
    car_basis
        What the times of `car_metric` stand on.
    transit, transit_step_free : TransitEngine
        With changes on foot, and with changes without steps.
    stops_on_foot, stops_step_free : Snaps [stops]
        Where each stop lies on the street network; arc -1 = nowhere near.
    lots : ParkAndRideLots
    parking_outlook
        Predicted availability.
    """

    street: StreetEngine
    metrics: dict[StreetMode, StreetMetric]
    car_metric: MetricAt
    free_flow_metric: StreetMetric
    transit: TransitEngine
    transit_step_free: TransitEngine
    stops_on_foot: Snaps
    stops_step_free: Snaps
    lots: ParkAndRideLots
    parking_outlook: ParkingOutlook
    timed_car: TimedAt = lambda _time_s: None
    car_basis: TrafficBasis = TrafficBasis.FREE_FLOW

    def stops(self, *, wheelchair: bool) -> Snaps:
        """Positions of all stops for walkers, or for wheelchairs."""
        return self.stops_step_free if wheelchair else self.stops_on_foot

    def rides(self, *, wheelchair: bool) -> TransitEngine:
        """Public transport for walkers, or for wheelchairs."""
        return self.transit_step_free if wheelchair else self.transit

    def with_realtime(self, overlay: RealtimeOverlay | None) -> "JourneyNetwork":
        """The same network with `overlay` laid over the schedule (None = as scheduled)."""
        on_foot, step_free = (engine.with_realtime(overlay) for engine in (self.transit, self.transit_step_free))
        return replace(self, transit=on_foot, transit_step_free=step_free)

    def snap(self, point: Point, mode: StreetMode, field: str) -> Snaps:
        """Put a traveller on the street network.

        Raises
        ------
        OutsideArea
            If no street of the mode is within 500 m; `field` names the input.
        """
        snaps = self.street.snap(point.lat_deg, point.lon_deg, mode, MAX_POINT_DISTANCE_M)
        if snaps.arc[0] < 0:
            swapped = self.street.snap(point.lon_deg, point.lat_deg, mode, MAX_POINT_DISTANCE_M).arc[0] >= 0
            advice = "are latitude and longitude swapped?" if swapped else "choose a place inside the city"
            raise OutsideArea(
                f"({point.lat_deg:.5f}, {point.lon_deg:.5f}) is more than {MAX_POINT_DISTANCE_M:.0f} m from any street "
                f"for {mode.name.lower()}; {advice}",
                field=field,
            )
        return snaps


def no_outlook(car_park: npt.NDArray[np.int32], _at_s: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Outlook of a city without parking data: nothing is known."""
    return np.full(len(car_park), np.nan)


def build_network(
    street: StreetEngine,
    transit: TransitEngine,
    car_parks: CarParks,
    min_capacity: int = 40,
    transfers: StreetTransfers | None = None,
) -> JourneyNetwork:
    """Tie a city's engines together under free flow; real time is put in with `dataclasses.replace`.

    Parameters
    ----------
    min_capacity : int
        Smaller car parks are not proposed for park-and-ride unless they are signed as such.
    transfers : StreetTransfers, optional
        Made from the streets where they are not given.
    """
    timetable = transit.timetable
    foot, step_free = (snap_stops(street, timetable, mode) for mode in (StreetMode.FOOT, StreetMode.WHEELCHAIR))
    metrics = {mode: street.metric(mode) for mode in (StreetMode.FOOT, StreetMode.WHEELCHAIR, StreetMode.BICYCLE)}
    car = street.metric(StreetMode.CAR)
    lots = build_lots(street, metrics[StreetMode.FOOT], foot, car_parks, min_capacity)
    changes = transfers or build_transfers(street, timetable)
    walks, rolls = _changing(transit, changes.on_foot), _changing(transit, changes.step_free)
    return JourneyNetwork(street, metrics, lambda _time_s: car, car, walks, rolls, foot, step_free, lots, no_outlook)


def _changing(transit: TransitEngine, paths: Footpaths) -> TransitEngine:
    return transit.with_footpaths(paths.from_stop, paths.to_stop, paths.duration_s)


def build_lots(
    street: StreetEngine, foot: StreetMetric, stops: Snaps, car_parks: CarParks, min_capacity: int
) -> ParkAndRideLots:
    """Walks (≤ 10 min) from every sizeable car park to stops."""
    chosen = np.flatnonzero(car_parks.park_and_ride | (car_parks.capacity >= min_capacity))
    centre = street.snap(car_parks.centre_lat_e7[chosen] * 1e-7, car_parks.centre_lon_e7[chosen] * 1e-7, StreetMode.FOOT)
    entrance = street.snap(car_parks.lat_e7[chosen] * 1e-7, car_parks.lon_e7[chosen] * 1e-7, StreetMode.CAR)
    on_street = np.flatnonzero((centre.arc >= 0) & (entrance.arc >= 0))
    kept, first, walk_stop, walk_s = [], [0], [], []
    near = np.flatnonzero(stops.arc >= 0)
    targets = stops.take(near)
    for row in on_street:
        times = street.one_to_many(foot, centre, int(row), targets, MAX_LOT_WALK_S)
        reached = np.flatnonzero(times != UNREACHABLE_MS)
        if len(reached):
            kept.append(row)
            walk_stop.append(near[reached])
            walk_s.append(seconds(times[reached]))
            first.append(first[-1] + len(reached))
    rows = np.array(kept, np.int64)
    return ParkAndRideLots(
        car_parks,
        chosen[rows].astype(np.int32),
        entrance.take(rows),
        centre.take(rows),
        np.array(first, np.int32),
        np.concatenate(walk_stop).astype(np.int32) if walk_stop else np.empty(0, np.int32),
        np.concatenate(walk_s).astype(np.int32) if walk_s else np.empty(0, np.int32),
    )


def seconds(time_ms: npt.NDArray[np.uint32], factor: float = 1.0) -> npt.NDArray[np.int32]:
    """Milliseconds (reachable ones only) to whole seconds, rounded up, divided by a speed factor."""
    return np.ceil(time_ms / (1000.0 * factor)).astype(np.int32)

"""Door-to-door journeys.

Every kind of journey yields candidates that know their times only; the best are chosen, and only those get names, lines and
steps. Transit is range RAPTOR between all stops around both doors; see `routing.transit`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from routing.errors import OutsideArea
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.multimodal.access_egress import StopReach, stops_around, walking_mode
from routing.multimodal.itinerary_filter import choose
from routing.multimodal.model import Itinerary, JourneyMode, JourneyRequest, Leg, Point, TrafficBasis
from routing.multimodal.network import JourneyNetwork
from routing.multimodal.park_and_ride import find_access
from routing.multimodal.reliability import journey_reliability
from routing.multimodal.ride_park import ParkAndRide
from routing.multimodal.street_legs import find_drive, find_path, path_leg
from routing.multimodal.transit_journeys import transit_legs, transit_request, transit_walk_s
from routing.multimodal.transit_legs import stop_point
from routing.street.api import Snaps, StreetPath
from routing.transit.api import TransitJourney

DEFAULT_MIN_FREE_PROBABILITY = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A journey not yet drawn; compared by `routing.multimodal.itinerary_filter`."""

    kind: JourneyMode
    departure_s: int
    arrival_s: int
    transfers: int
    walk_s: int
    build: Callable[[], tuple[Leg, ...]]

    @property
    def duration_s(self) -> int:
        """Door to door."""
        return self.arrival_s - self.departure_s


def plan_journeys(
    network: JourneyNetwork, request: JourneyRequest, min_free_probability: float = DEFAULT_MIN_FREE_PROBABILITY
) -> list[Itinerary]:
    """Best journeys of the kinds asked for, in order of arrival (arrive-by: latest departure first).

    Parameters
    ----------
    network : JourneyNetwork
        All values of one epoch.
    min_free_probability : float
        Car parks less likely to have a space are not proposed.

    Raises
    ------
    OutsideArea
        If one of the ends is far from every street.
    """
    planning = _Planning(network, request, min_free_probability)
    chosen = choose(planning.candidates(), limit=request.max_itineraries, arrive_by=request.arrive_by)
    itineraries = []
    for candidate in chosen:
        legs = candidate.build()
        itineraries.append(Itinerary(candidate.kind, legs, journey_reliability(legs)))
    return itineraries


class _Planning:
    """One request against one network."""

    def __init__(self, network: JourneyNetwork, request: JourneyRequest, min_free_probability: float) -> None:
        self.network, self.request, self.min_free_probability = network, request, min_free_probability
        self.foot = walking_mode(request)
        self.origin = network.snap(request.origin, self.foot, "origin")
        self.destination = network.snap(request.destination, self.foot, "destination")

    def candidates(self) -> list[Candidate]:
        """Everything worth comparing."""
        modes, found = self.request.modes, []
        if JourneyMode.WALK in modes:
            found += self._street(JourneyMode.WALK, self.foot, (self.origin, self.destination))
        if JourneyMode.BICYCLE in modes:
            found += self._street(JourneyMode.BICYCLE, StreetMode.BICYCLE, self._ends(StreetMode.BICYCLE))
        if JourneyMode.CAR in modes:
            found += self._street(JourneyMode.CAR, StreetMode.CAR, self._ends(StreetMode.CAR))
        if modes & {JourneyMode.TRANSIT, JourneyMode.PARK_AND_RIDE}:
            egress = stops_around(self.network, self.request, self.destination, egress=True)
            if JourneyMode.TRANSIT in modes and len(egress):
                found += self._transit(egress)
            if JourneyMode.PARK_AND_RIDE in modes and len(egress):
                found += self._park_and_ride(egress)
        return found

    def _street(self, kind: JourneyMode, mode: StreetMode, ends: tuple[Snaps, Snaps]) -> list[Candidate]:
        path, traffic = self._way(mode, ends)
        if path is None:
            return []
        duration_s = max(1, math.ceil(path.time_ms / (1000 * self.request.speed_factor(mode))))
        if kind is JourneyMode.WALK and duration_s > self.request.max_way_s:
            return []
        start_s = self.request.time_s - duration_s if self.request.arrive_by else self.request.time_s
        walk_s = duration_s if kind is JourneyMode.WALK else 0
        end_s = start_s + duration_s

        def build(way: StreetPath = path) -> tuple[Leg, ...]:
            points = (self.request.origin, self.request.destination)
            free_s = self._free_flow_s(*ends) if mode is StreetMode.CAR else None
            return (path_leg(way, mode, points, start_s, end_s, free_flow_s=free_s, traffic=traffic),)

        return [Candidate(kind, start_s, end_s, 0, walk_s, build)]

    def _way(self, mode: StreetMode, ends: tuple[Snaps, Snaps]) -> tuple[StreetPath | None, TrafficBasis | None]:
        """Quickest way by a street mode; what a drive's time stands on."""
        request = self.request
        if mode is not StreetMode.CAR:
            return find_path(self.network, self.network.metrics[mode], *ends), None
        return find_drive(self.network, *ends, request.time_s, arrive_by=request.arrive_by)

    def _ends(self, mode: StreetMode) -> tuple[Snaps, Snaps]:
        return (
            self.network.snap(self.request.origin, mode, "origin"),
            self.network.snap(self.request.destination, mode, "destination"),
        )

    def _free_flow_s(self, origin: Snaps, destination: Snaps) -> int | None:
        times = self.network.street.one_to_many(self.network.free_flow_metric, origin, 0, destination)
        return None if int(times[0]) == UNREACHABLE_MS else round(int(times[0]) / 1000)

    def _transit(self, egress: StopReach) -> list[Candidate]:
        access = stops_around(self.network, self.request, self.origin, egress=False)
        if not len(access):
            return []
        rides = self.network.rides(wheelchair=self.request.wheelchair)
        journeys = rides.plan(transit_request(self.network, self.request, access, egress))
        return [
            Candidate(
                JourneyMode.TRANSIT,
                journey.departure_s,
                journey.arrival_s,
                journey.transfers,
                transit_walk_s(journey),
                partial(self._draw, journey, self._walk_in),
            )
            for journey in journeys
        ]

    def _draw(self, journey: TransitJourney, way_in: Callable[[TransitJourney], tuple[Leg, ...]]) -> tuple[Leg, ...]:
        return way_in(journey) + transit_legs(self.network, self.request, journey) + self._walk_out(journey)

    def _walk_in(self, journey: TransitJourney) -> tuple[Leg, ...]:
        stop, arrival_s = journey.access_stop, journey.departure_s + journey.access_s
        return self._walk(self.origin, self._stop(stop), (self.request.origin, stop), (journey.departure_s, arrival_s))

    def _walk_out(self, journey: TransitJourney) -> tuple[Leg, ...]:
        stop, departure_s = journey.egress_stop, journey.arrival_s - journey.egress_s
        return self._walk(
            self._stop(stop), self.destination, (stop, self.request.destination), (departure_s, journey.arrival_s)
        )

    def _stop(self, stop: int) -> Snaps:
        return self.network.stops(wheelchair=self.request.wheelchair).take(stop)

    def _walk(
        self, start: Snaps, end: Snaps, points: tuple[Point | int, Point | int], times: tuple[int, int]
    ) -> tuple[Leg, ...]:
        if times[0] == times[1]:
            return ()
        timetable = self.network.transit.timetable
        named = [stop_point(timetable, p) if isinstance(p, int) else p for p in points]
        path = find_path(self.network, self.network.metrics[self.foot], start, end)
        assert path is not None, "a reach without a way"
        return (path_leg(path, self.foot, (named[0], named[1]), *times),)

    def _park_and_ride(self, egress: StopReach) -> list[Candidate]:
        if self.request.wheelchair:
            return []
        try:
            ends = self._ends(StreetMode.CAR)
        except OutsideArea:
            return []
        car = self.network.car_metric(self.request.time_s)
        direct = self.network.street.one_to_many(car, ends[0], 0, ends[1])
        direct_s = None if direct[0] > 10**9 else float(direct[0]) / 1000
        access = find_access(self.network, self.request, ends[0], car, direct_s, self.min_free_probability)
        if access is None:
            return []
        request = replace(transit_request(self.network, self.request, access.reach, egress), window_s=0)
        parked = ParkAndRide(self.network, self.request, access, car, ends[0], egress)
        return [
            Candidate(
                JourneyMode.PARK_AND_RIDE,
                journey.departure_s,
                journey.arrival_s,
                journey.transfers,
                transit_walk_s(journey) - parked.driving_s(journey),
                partial(self._draw, journey, parked.drive_and_walk),
            )
            for journey in self.network.transit.plan(request)
            if parked.return_possible(journey)
        ]

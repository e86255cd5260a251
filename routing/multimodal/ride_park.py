"""The car's part of park-and-ride journeys, drawn, and the way back checked."""

from dataclasses import dataclass, field, replace

from routing.errors import InvalidInput
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.multimodal.access_egress import StopReach
from routing.multimodal.model import JourneyRequest, Leg, TrafficBasis
from routing.multimodal.network import JourneyNetwork
from routing.multimodal.park_and_ride import ParkAndRideAccess, lot_point, parking_detail
from routing.multimodal.street_legs import find_drive, find_path, path_leg
from routing.multimodal.transit_journeys import transit_request
from routing.multimodal.transit_legs import stop_point
from routing.street.api import Snaps, StreetMetric, StreetPath
from routing.transit.api import TransitJourney

MAX_RETURN_S = 3 * 3600
"""A way back that takes longer (waiting included) counts as none."""


@dataclass(slots=True, eq=False)
class ParkAndRide:
    """Access by car of one request; `way_back` remembers checked lots."""

    network: JourneyNetwork
    request: JourneyRequest
    access: ParkAndRideAccess
    car: StreetMetric
    door: Snaps
    egress: StopReach
    way_back: dict[int, bool] = field(default_factory=dict)

    def driving_s(self, journey: TransitJourney) -> int:
        """Seconds of the access that are not walked: driving and searching."""
        return journey.access_s - int(self.access.walk_s[self.access.row_of(journey.access_stop)])

    def return_possible(self, journey: TransitJourney) -> bool:
        """Whether after the stay a journey leads back to the car park."""
        lot = int(self.access.lot[self.access.row_of(journey.access_stop)])
        if lot not in self.way_back:
            lots = self.network.lots
            walks = slice(int(lots.first_walk[lot]), int(lots.first_walk[lot + 1]))
            to_car = StopReach(lots.walk_stop[walks], lots.walk_s[walks])
            back = replace(self.request, time_s=journey.arrival_s + self.request.stay_s, arrive_by=False, window_s=0)
            search = replace(transit_request(self.network, back, self.egress, to_car), max_duration_s=MAX_RETURN_S)
            try:
                self.way_back[lot] = bool(self.network.transit.plan(search))
            except InvalidInput:
                self.way_back[lot] = False  # the stay ends after the calendar does: nobody knows a way back
        return self.way_back[lot]

    def _drive(self, entrance: Snaps, departure_s: int) -> StreetPath | None:
        if self.access.traffic is not TrafficBasis.PREDICTED:
            return find_path(self.network, self.car, self.door, entrance)
        return find_drive(self.network, self.door, entrance, departure_s)[0]

    def drive_and_walk(self, journey: TransitJourney) -> tuple[Leg, ...]:
        """Car leg (search included) and the walk to the first stop."""
        row = self.access.row_of(journey.access_stop)
        lot, walk_s = int(self.access.lot[row]), int(self.access.walk_s[row])
        parked_s = journey.departure_s + journey.access_s - walk_s
        lots, place = self.network.lots, lot_point(self.network, lot)
        drive, traffic = self._drive(lots.entrance.take(lot), journey.departure_s), self.access.traffic
        assert drive is not None, "a drive time without a way"
        free = self.network.street.one_to_many(self.network.free_flow_metric, self.door, 0, lots.entrance.take(lot))
        detail = parking_detail(self.network, self.access, lot, return_possible=True)
        ends = (self.request.origin, place)
        free_s = None if int(free[0]) == UNREACHABLE_MS else round(int(free[0]) / 1000)
        legs = [path_leg(drive, StreetMode.CAR, ends, journey.departure_s, parked_s, detail, free_s, traffic)]
        if walk_s:
            stop = stop_point(self.network.transit.timetable, journey.access_stop)
            walk = find_path(
                self.network,
                self.network.metrics[StreetMode.FOOT],
                lots.centre.take(lot),
                self.network.stops_on_foot.take(journey.access_stop),
            )
            assert walk is not None, "a walk time without a way"
            legs.append(path_leg(walk, StreetMode.FOOT, (place, stop), parked_s, parked_s + walk_s))
        return tuple(legs)

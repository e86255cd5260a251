"""What the transit engine answers: journeys made of rides and transfers.

A leg holds numbers; names, ids and stop times are read from the timetable when they are asked for. Every time exists twice:
as scheduled and as expected in real time (the same where nothing is known).
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from routing.model.timetable import Int32, Int64, Timetable, UInt8
from routing.transit.realtime import RealtimeOverlay


@dataclass(frozen=True, slots=True, eq=False)
class TripOnDay:
    """A trip on a service day, as scheduled and as expected.

    Attributes
    ----------
    timetable : Timetable
    trip : int
        -1 for a trip that real time added.
    service_day : int
        Day number of the timetable.
    overlay : RealtimeOverlay or None
    change : int
        Index of its change in `overlay`, -1 if nothing is known of it.
    """

    timetable: Timetable
    trip: int
    service_day: int
    overlay: RealtimeOverlay | None = None
    change: int = -1

    @property
    def stops(self) -> Int32:
        """Stop indices of the whole trip."""
        if self.overlay is not None and self.change >= 0:
            return self.overlay.stops_of(self.change)
        return self.timetable.stops_of_trip(self.trip)

    @property
    def scheduled_arrival_s(self) -> Int64:
        """Scheduled arrivals at all stops, unix seconds; of an added trip, those it was announced with."""
        return self._scheduled(self.timetable.arrival_s) if self.trip >= 0 else self.arrival_s

    @property
    def scheduled_departure_s(self) -> Int64:
        """Scheduled departures at all stops, unix seconds; of an added trip, those it was announced with."""
        return self._scheduled(self.timetable.departure_s) if self.trip >= 0 else self.departure_s

    @property
    def arrival_s(self) -> Int64:
        """Expected arrivals at all stops, unix seconds."""
        if self.overlay is not None and self.change >= 0:
            return self.overlay.arrivals_of(self.change)
        return self._scheduled(self.timetable.arrival_s)

    @property
    def departure_s(self) -> Int64:
        """Expected departures at all stops, unix seconds."""
        if self.overlay is not None and self.change >= 0:
            return self.overlay.departures_of(self.change)
        return self._scheduled(self.timetable.departure_s)

    @property
    def call_states(self) -> UInt8:
        """What real time says of each call, see `routing.transit.realtime.CALL_*`; zeros where nothing is known."""
        if self.overlay is not None and self.change >= 0:
            return self.overlay.call_states_of(self.change)
        return np.zeros(len(self.stops), np.uint8)

    @property
    def is_added(self) -> bool:
        """The trip is not in the schedule."""
        return self.trip < 0

    @property
    def is_cancelled(self) -> bool:
        """The trip does not run."""
        return self.overlay is not None and self.change >= 0 and bool(self.overlay.change_cancelled[self.change])

    @property
    def has_realtime(self) -> bool:
        """Real time says something about the trip."""
        return self.change >= 0

    @property
    def service_date(self) -> dt.date:
        """Service day of the trip, in the dates served (calendar shift included)."""
        return self.timetable.date_of_day(self.service_day)

    @property
    def trip_id(self) -> str:
        """Feed-scoped trip id."""
        if self.trip < 0 and self.overlay is not None:
            return self.overlay.change_trip_ids[self.change]
        return self.timetable.trip_ids[self.trip]

    @property
    def route(self) -> int:
        """Route index, -1 for an added trip of an unknown route."""
        if self.trip < 0 and self.overlay is not None:
            return int(self.overlay.change_route[self.change])
        return int(self.timetable.trip_route[self.trip])

    @property
    def route_id(self) -> str:
        """Feed-scoped route id, "" if unknown."""
        return self.timetable.route_ids[self.route] if self.route >= 0 else ""

    @property
    def route_type(self) -> int:
        """GTFS `route_type`; 3 (bus) if the route is unknown."""
        return int(self.timetable.route_type[self.route]) if self.route >= 0 else 3

    @property
    def agency_id(self) -> str:
        """Feed-scoped agency id, "" if unknown."""
        agency = int(self.timetable.route_agency[self.route]) if self.route >= 0 else -1
        return self.timetable.agency_ids[agency] if agency >= 0 else ""

    @property
    def headsign(self) -> str:
        """Where the vehicle says it goes; the name of the last stop where the feed gives no headsign."""
        text = self.timetable.headsigns[int(self.timetable.trip_headsign[self.trip])] if self.trip >= 0 else ""
        return text or self.timetable.stop_names[int(self.stops[-1])]

    def _scheduled(self, times: Int32) -> Int64:
        timetable = self.timetable
        calls = slice(timetable.first_stop_time[self.trip], timetable.first_stop_time[self.trip + 1])
        feed = timetable.route_feed[timetable.trip_route[self.trip]]
        scheduled: Int64 = times[calls] + timetable.day_start_s[feed, self.service_day]
        return scheduled


@dataclass(frozen=True, slots=True, eq=False)
class RideLeg:
    """One ride.

    Attributes
    ----------
    trip : TripOnDay
    board_position, alight_position : int
        Positions in the stops of the trip.
    from_stop, to_stop : int
    departure_s, arrival_s : int
        Expected, unix seconds.
    """

    trip: TripOnDay
    board_position: int
    alight_position: int
    from_stop: int
    to_stop: int
    departure_s: int
    arrival_s: int

    @property
    def scheduled_departure_s(self) -> int:
        """Scheduled departure from `from_stop`, unix seconds."""
        return int(self.trip.scheduled_departure_s[self.board_position])

    @property
    def scheduled_arrival_s(self) -> int:
        """Scheduled arrival at `to_stop`, unix seconds."""
        return int(self.trip.scheduled_arrival_s[self.alight_position])

    @property
    def from_stop_id(self) -> str:
        """Feed-scoped id of the stop where the ride begins."""
        return self.trip.timetable.stop_ids[self.from_stop]

    @property
    def to_stop_id(self) -> str:
        """Feed-scoped id of the stop where the ride ends."""
        return self.trip.timetable.stop_ids[self.to_stop]

    @property
    def stops(self) -> Int32:
        """Stop indices from boarding to alighting, both included (skipped ones, too)."""
        return self.trip.stops[self.board_position : self.alight_position + 1]


@dataclass(frozen=True, slots=True)
class TransferLeg:
    """Change between two rides: at one stop, or by a footpath of the timetable (minimum change time included)."""

    from_stop: int
    to_stop: int
    departure_s: int
    arrival_s: int


@dataclass(frozen=True, slots=True, eq=False)
class TransitJourney:
    """From origin to destination.

    Attributes
    ----------
    departure_s, arrival_s : int
        Leaving the origin and reaching the destination, access and egress included; unix seconds.
    transfers : int
        Rides less one.
    access_s, egress_s : int
        Seconds to the first stop and from the last.
    legs : tuple of RideLeg and TransferLeg
        Rides, with one transfer between two.
    """

    departure_s: int
    arrival_s: int
    transfers: int
    access_s: int
    egress_s: int
    legs: tuple[RideLeg | TransferLeg, ...]

    @property
    def rides(self) -> tuple[RideLeg, ...]:
        """The rides alone."""
        return tuple(leg for leg in self.legs if isinstance(leg, RideLeg))

    @property
    def access_stop(self) -> int:
        """Stop of the first ride."""
        return self.legs[0].from_stop

    @property
    def egress_stop(self) -> int:
        """Stop where the last ride ends."""
        return self.legs[-1].to_stop

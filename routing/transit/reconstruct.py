"""Rows the search found → journeys, without needless waiting at the start."""

from typing import NamedTuple

import numpy as np

from routing.kernels.raptor_types import Int32, Query, Walks
from routing.model.timetable import Timetable
from routing.transit.journeys import RideLeg, TransferLeg, TransitJourney, TripOnDay
from routing.transit.realtime import RealtimeOverlay
from routing.transit.service_window import ServiceWindow


class _Ride(NamedTuple):
    """A ride in window time."""

    instance: int
    board: int
    alight: int
    departure: int
    arrival: int
    from_stop: int
    to_stop: int


class Rebuilder:
    """Turns the rows of one search into journeys."""

    def __init__(
        self, timetable: Timetable, overlay: RealtimeOverlay | None, window: ServiceWindow, walks: Walks, query: Query
    ) -> None:
        self._timetable = timetable
        self._overlay = overlay
        self._window = window
        self._walks = walks
        self._query = query
        self._access = dict(zip(query.access_stop.tolist(), query.access_s.tolist(), strict=True))

    def journey(self, row: Int32, legs: Int32, tighten: bool) -> TransitJourney:
        """One journey of its row (departure, arrival, trips, first leg, last stop) and the leg rows of the search."""
        arrival, trips, first, last_stop = (int(value) for value in row[1:])
        rides = [self._ride(*map(int, legs[x])) for x in range(first + trips - 1, first - 1, -1)]
        if tighten:
            rides = self._tightened(rides)
        access = self._access[rides[0].from_stop]
        egress = int(self._query.egress_s[last_stop])
        departure = rides[0].departure - access
        if self._window.mirrored:
            return self._assemble([self._turned(ride) for ride in reversed(rides)], -arrival, -departure, egress, access)
        return self._assemble(rides, departure, arrival, access, egress)

    def _ride(self, instance: int, board: int, alight: int) -> _Ride:
        lines = self._window.lines
        line = self._window.line_of(instance)
        first, n = int(lines.first_position[line]), int(lines.first_position[line + 1] - lines.first_position[line])
        row = 2 * (int(lines.first_time[line]) + (instance - int(lines.first_instance[line])) * n)
        return _Ride(
            instance,
            board,
            alight,
            int(lines.times[row + 2 * board + 1]),
            int(lines.times[row + 2 * alight]),
            int(lines.position_stop[first + board]),
            int(lines.position_stop[first + alight]),
        )

    def _tightened(self, rides: list[_Ride]) -> list[_Ride]:
        """Take each trip but the last as late as the next one allows (earlier ones arrive first, but only to wait)."""
        for i in range(len(rides) - 2, -1, -1):
            after = rides[i + 1]
            latest = after.departure - self.change_s(rides[i].to_stop, after.from_stop)
            ride = rides[i]
            lines = self._window.lines
            line = self._window.line_of(ride.instance)
            while ride.instance + 1 < lines.first_instance[line + 1]:
                later = self._ride(ride.instance + 1, ride.board, ride.alight)
                if later.arrival > latest:
                    break
                ride = later
            rides[i] = ride
        return rides

    def change_s(self, from_stop: int, to_stop: int) -> int:
        """Seconds from leaving a trip at one stop to boarding at another."""
        if from_stop == to_stop:
            walk = self._walk_s(from_stop, to_stop)
            own = int(self._query.change_s[from_stop])
            return own if walk is None else min(own, walk)
        walk = self._walk_s(from_stop, to_stop)
        if walk is None:
            raise AssertionError(f"no footpath from stop {from_stop} to {to_stop}")
        return walk

    def _walk_s(self, from_stop: int, to_stop: int) -> int | None:
        begin, end = self._walks.first[from_stop], self._walks.first[from_stop + 1]
        found = np.flatnonzero(self._walks.to[begin:end] == to_stop)
        return int(self._walks.seconds[begin + found[0]]) if len(found) else None

    def _turned(self, ride: _Ride) -> _Ride:
        """The ride as it is in unmirrored time."""
        line = self._window.line_of(ride.instance)
        lines = self._window.lines
        last = int(lines.first_position[line + 1] - lines.first_position[line]) - 1
        return _Ride(
            ride.instance,
            last - ride.alight,
            last - ride.board,
            -ride.arrival,
            -ride.departure,
            ride.to_stop,
            ride.from_stop,
        )

    def _assemble(self, rides: list[_Ride], departure: int, arrival: int, access: int, egress: int) -> TransitJourney:
        base, window = self._window.base_s, self._window
        legs: list[RideLeg | TransferLeg] = []
        for i, ride in enumerate(rides):
            if i:
                before = rides[i - 1]
                pair = (before.to_stop, ride.from_stop)
                seconds = self.change_s(*(pair[::-1] if window.mirrored else pair))
                legs.append(TransferLeg(*pair, base + before.arrival, base + before.arrival + seconds))
            trip = TripOnDay(
                self._timetable,
                int(window.instance_trip[ride.instance]),
                int(window.instance_day[ride.instance]),
                self._overlay,
                int(window.instance_change[ride.instance]),
            )
            times = (base + ride.departure, base + ride.arrival)
            legs.append(RideLeg(trip, ride.board, ride.alight, ride.from_stop, ride.to_stop, *times))
        return TransitJourney(base + departure, base + arrival, len(rides) - 1, access, egress, tuple(legs))

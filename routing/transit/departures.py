"""Departure boards."""

from dataclasses import dataclass

import numpy as np

from routing.kernels.raptor_types import BOARD
from routing.model.timetable import Timetable
from routing.transit.journeys import TripOnDay
from routing.transit.realtime import RealtimeOverlay
from routing.transit.service_window import ServiceWindow


@dataclass(frozen=True, slots=True, eq=False)
class Departure:
    """One line of a departure board.

    Attributes
    ----------
    trip : TripOnDay
    stop : int
    position : int
        Position of the stop in the trip.
    departure_s : int
        Expected, unix seconds (as scheduled if the trip is cancelled).
    scheduled_departure_s : int
    is_cancelled : bool
        The trip does not run, or skips the stop.
    """

    trip: TripOnDay
    stop: int
    position: int
    departure_s: int
    scheduled_departure_s: int
    is_cancelled: bool = False


def board_stops(timetable: Timetable, stop: int) -> list[int]:
    """The stop and, if it is a station, the stops in it."""
    return [stop, *np.flatnonzero(timetable.stop_parent == stop).tolist()]


def list_departures_at(
    timetable: Timetable,
    overlay: RealtimeOverlay | None,
    window: ServiceWindow,
    scheduled_window: ServiceWindow,
    stop: int,
    from_s: int,
    count: int,
) -> list[Departure]:
    """Next departures from a stop or station, cancelled ones included, in order of expected time.

    Departures at the last stop of a trip, and where nobody may board, are left out.
    """
    found: list[Departure] = []
    for place in board_stops(timetable, stop):
        found += _running(timetable, overlay, window, place, from_s, count)
        if overlay is not None:
            found += _cancelled(timetable, overlay, scheduled_window, place, from_s, count)
    found.sort(key=lambda departure: (departure.departure_s, departure.trip.trip_id))
    return found[:count]


def _rows(window: ServiceWindow, stop: int, from_s: int) -> list[tuple[int, int, int, int]]:
    """Rows (departure, instance, position, last position) of each line's departures at `stop` from `from_s` on."""
    lines = window.lines
    rows: list[tuple[int, int, int, int]] = []
    for x in range(int(lines.first_stop_line[stop]), int(lines.first_stop_line[stop + 1])):
        line, position = int(lines.stop_line[x]), int(lines.stop_position[x])
        first = int(lines.first_position[line])
        last = int(lines.first_position[line + 1]) - first - 1
        if position == last or not lines.position_use[first + position] & BOARD:
            continue
        base, m = int(lines.first_instance[line]), int(lines.first_instance[line + 1] - lines.first_instance[line])
        begin = int(lines.first_time[line]) + position * m
        departures = lines.departures[begin : begin + m]
        next_one = int(np.searchsorted(departures, from_s - window.base_s))
        rows += [(int(departures[j]), base + j, position, last) for j in range(next_one, m)]
    return rows


def _running(
    timetable: Timetable, overlay: RealtimeOverlay | None, window: ServiceWindow, stop: int, from_s: int, count: int
) -> list[Departure]:
    rows = sorted(_rows(window, stop, from_s))[:count]
    return [_departure(timetable, overlay, window, stop, row, int(window.instance_change[row[1]])) for row in rows]


def _cancelled(
    timetable: Timetable, overlay: RealtimeOverlay, window: ServiceWindow, stop: int, from_s: int, count: int
) -> list[Departure]:
    """Scheduled departures that real time takes away."""
    found: list[Departure] = []
    for row in sorted(_rows(window, stop, from_s)):
        change = overlay.find_change(int(window.instance_trip[row[1]]), int(window.instance_day[row[1]]))
        if change is not None and overlay.is_cancelled_at(change, row[2]):
            found.append(_departure(timetable, overlay, window, stop, row, change, cancelled=True))
            if len(found) == count:
                break
    return found


def _departure(
    timetable: Timetable,
    overlay: RealtimeOverlay | None,
    window: ServiceWindow,
    stop: int,
    row: tuple[int, int, int, int],
    change: int,
    cancelled: bool = False,
) -> Departure:
    time, instance, position, _ = row
    trip = TripOnDay(timetable, int(window.instance_trip[instance]), int(window.instance_day[instance]), overlay, change)
    scheduled = int(trip.scheduled_departure_s[position])
    return Departure(trip, stop, position, window.base_s + time, scheduled, cancelled)

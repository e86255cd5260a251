"""Rides and transfers as legs: names, times, lines on the map."""

import itertools

import numpy as np
import numpy.typing as npt

from routing.model.timetable import Timetable
from routing.multimodal.emissions import transit_co2_g
from routing.multimodal.model import Leg, LegMode, Point, StopCall, TransitDetail
from routing.transit.api import RideLeg, TripOnDay

METRES_PER_DEGREE = 111_195.0


def stop_point(timetable: Timetable, stop: int) -> Point:
    """A stop as a point of a journey."""
    return Point(
        float(timetable.stop_lat_deg[stop]),
        float(timetable.stop_lon_deg[stop]),
        timetable.stop_names[stop],
        stop_id=timetable.stop_ids[stop],
    )


def ride_leg(timetable: Timetable, ride: RideLeg) -> Leg:
    """A ride with all its calls and its line along the shape of the trip."""
    trip = ride.trip
    points = [stop_point(timetable, int(stop)) for stop in ride.stops]
    shape = ride_shape(timetable, trip.trip, points)
    distance_m = line_length_m(shape)
    return Leg(
        LegMode.TRANSIT,
        points[0],
        points[-1],
        ride.departure_s,
        ride.arrival_s,
        distance_m,
        transit_co2_g(trip.route_type, distance_m),
        shape,
        transit=_detail(timetable, ride, points),
    )


def _detail(timetable: Timetable, ride: RideLeg, points: list[Point]) -> TransitDetail:
    trip, route = ride.trip, ride.trip.route
    agency = int(timetable.route_agency[route]) if route >= 0 else -1
    scheduled = trip.trip >= 0
    return TransitDetail(
        trip_id=trip.trip_id,
        route_id=trip.route_id,
        agency_id=trip.agency_id,
        agency_name=timetable.agency_names[agency] if agency >= 0 else "",
        route_short_name=timetable.route_short_names[route] if route >= 0 else "",
        route_long_name=timetable.route_long_names[route] if route >= 0 else "",
        route_type=trip.route_type,
        route_color=_color(int(timetable.route_color[route])) if route >= 0 else "",
        text_color=_color(int(timetable.route_text_color[route])) if route >= 0 else "",
        headsign=trip.headsign,
        service_date=f"{trip.service_date:%Y%m%d}",
        realtime=trip.has_realtime,
        wheelchair=_known(int(timetable.trip_wheelchair[trip.trip])) if scheduled else None,
        bicycles=_known(int(timetable.trip_bikes[trip.trip])) if scheduled else None,
        calls=_calls(timetable, ride, points),
    )


def _calls(timetable: Timetable, ride: RideLeg, points: list[Point]) -> tuple[StopCall, ...]:
    trip, low, high = ride.trip, ride.board_position, ride.alight_position + 1
    sequence = _sequence(timetable, trip)[low:high]
    times = (trip.scheduled_arrival_s, trip.scheduled_departure_s, trip.arrival_s, trip.departure_s)
    rows = zip(points, sequence, *(values[low:high].tolist() for values in times), strict=True)
    return tuple(StopCall(point, int(number), *four) for point, number, *four in rows)


def _sequence(timetable: Timetable, trip: TripOnDay) -> list[int]:
    if trip.trip < 0 or len(trip.stops) != len(timetable.stops_of_trip(trip.trip)):
        return list(range(1, len(trip.stops) + 1))
    first = int(timetable.first_stop_time[trip.trip])
    return [int(number) for number in timetable.stop_sequence[first : first + len(trip.stops)]]


def _color(value: int) -> str:
    return f"{value:06X}" if value >= 0 else ""


def _known(value: int) -> bool | None:
    return {1: True, 2: False}.get(value)


def ride_shape(timetable: Timetable, trip: int, points: list[Point]) -> tuple[tuple[float, float], ...]:
    """Line of a ride: the trip's shape between its first and last stop, or straight from stop to stop."""
    straight = tuple((p.lat_deg, p.lon_deg) for p in points)
    shape = int(timetable.trip_shape[trip]) if trip >= 0 else -1
    if shape < 0:
        return straight
    rows = slice(int(timetable.first_shape_point[shape]), int(timetable.first_shape_point[shape + 1]))
    lat = np.asarray(timetable.shape_lat_e7[rows] * 1e-7, np.float64)
    lon = np.asarray(timetable.shape_lon_e7[rows] * 1e-7, np.float64)
    if len(lat) < 2:
        return straight
    first, last = _passes(lat, lon, straight)
    middle = zip(lat[first + 1 : last].tolist(), lon[first + 1 : last].tolist(), strict=True)
    return (straight[0], *middle, straight[-1])


def _passes(
    lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64], stops: tuple[tuple[float, float], ...]
) -> tuple[int, int]:
    """Shape points nearest to the first and the last stop.

    Where a shape passes a stop twice (a loop), the pair of passes whose length fits the ride best is taken.
    """
    scale = np.cos(np.radians(lat[0]))

    def near(stop: tuple[float, float]) -> npt.NDArray[np.int64]:
        away = np.hypot(lat - stop[0], (lon - stop[1]) * scale)
        close = np.flatnonzero(away <= away.min() + 60 / METRES_PER_DEGREE)
        groups = np.split(close, np.flatnonzero(np.diff(close) > 1) + 1)
        return np.array([group[np.argmin(away[group])] for group in groups])

    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(lat), np.diff(lon) * scale))])
    wanted = sum(np.hypot(b[0] - a[0], (b[1] - a[1]) * scale) for a, b in itertools.pairwise(stops))
    pairs = [(int(a), int(b)) for a in near(stops[0]) for b in near(stops[-1]) if a <= b]
    if not pairs:
        return 0, len(lat)
    return min(pairs, key=lambda pair: abs(along[pair[1]] - along[pair[0]] - wanted))


def line_length_m(shape: tuple[tuple[float, float], ...]) -> float:
    """Length of a line of (lat, lon) degrees in metres (equirectangular, right to 0.1 % in a city)."""
    if len(shape) < 2:
        return 0.0
    points = np.array(shape)
    scale = np.cos(np.radians(points[:, 0].mean()))
    return float(np.hypot(np.diff(points[:, 0]), np.diff(points[:, 1]) * scale).sum() * METRES_PER_DEGREE)

"""Rides are drawn along their shapes from stop to stop, with every call and both times."""

from dataclasses import replace

import numpy as np
import pytest

from routing.multimodal.model import LegMode, Point
from routing.multimodal.transit_legs import line_length_m, ride_leg, ride_shape, stop_point
from routing.transit.api import RideLeg, TransitEngine, stop_to_stop
from services.city.snapshot import CitySnapshot
from tests.builders.door_to_door import DrawnCity, draw, metres

CITY = """
A                   B                   C                   D
---
ABCD
===
7 t1: A 8:00 > B 8:04/8:05 > C 8:10 > D 8:15
"""


@pytest.fixture(scope="module")
def drawn() -> DrawnCity:
    """One bus along one street."""
    return draw(CITY)


def with_shape(drawn: DrawnCity, points: list[tuple[float, float]]) -> DrawnCity:
    """The same city whose trip has a shape."""
    timetable = replace(
        drawn.timetable,
        trip_shape=np.zeros(1, np.int32),
        first_shape_point=np.array([0, len(points)], np.int64),
        shape_lat_e7=np.array([round(lat * 1e7) for lat, _ in points], np.int32),
        shape_lon_e7=np.array([round(lon * 1e7) for _, lon in points], np.int32),
    )
    return replace(drawn, timetable=timetable, network=replace(drawn.network, transit=TransitEngine(timetable)))


def ride(drawn: DrawnCity, start: str, end: str) -> RideLeg:
    """The ride between two stops."""
    names = list(drawn.drawing.stops)
    request = stop_to_stop(names.index(start), names.index(end), drawn.drawing.at("7:55"))
    (leg,) = drawn.network.transit.plan(request)[0].legs
    assert isinstance(leg, RideLeg)
    return leg


def test_a_ride_holds_every_call_from_boarding_to_alighting(drawn: DrawnCity) -> None:
    """Stops, sequence numbers and times are those of the timetable."""
    leg = ride_leg(drawn.timetable, ride(drawn, "B", "D"))
    assert leg.mode is LegMode.TRANSIT
    assert leg.transit is not None
    assert [call.stop.stop_id for call in leg.transit.calls] == ["f:B", "f:C", "f:D"]
    assert [call.stop_sequence for call in leg.transit.calls] == [10, 20, 30]
    assert [drawn.clock(call.scheduled_departure_s) for call in leg.transit.calls] == ["8:05:00", "8:10:00", "8:15:00"]
    assert drawn.clock(leg.transit.calls[0].scheduled_arrival_s) == "8:04:00"
    assert (leg.transit.route_short_name, leg.transit.service_date, leg.transit.realtime) == ("7", "20260727", False)
    assert (leg.transit.wheelchair, leg.transit.bicycles) == (None, None), "not said is not no"


def test_without_a_shape_the_line_goes_straight_from_stop_to_stop(drawn: DrawnCity) -> None:
    """Three kilometres in three straight pieces."""
    leg = ride_leg(drawn.timetable, ride(drawn, "A", "D"))
    assert leg.shape == tuple(drawn.positions[letter] for letter in "ABCD")
    assert leg.distance_m == pytest.approx(3000, abs=3)


def test_the_shape_between_the_stops_is_kept_and_the_rest_left_out(drawn: DrawnCity) -> None:
    """A detour between B and C is in the ride B–C; what lies before B and after C is not."""
    a, b, c, d = (drawn.positions[letter] for letter in "ABCD")
    detour = (b[0] + 0.005, (b[1] + c[1]) / 2)
    shaped = with_shape(drawn, [a, b, detour, c, d])
    leg = ride_leg(shaped.timetable, ride(shaped, "B", "C"))
    assert leg.shape[0] == b
    assert leg.shape[-1] == c
    assert len(leg.shape) == 3
    assert metres(leg.shape[1], detour) < 0.1
    assert leg.distance_m == pytest.approx(2 * np.hypot(500, 0.005 * 111_195), rel=0.001)


def test_a_shape_that_passes_a_stop_twice_is_cut_at_the_right_pass(drawn: DrawnCity) -> None:
    """A loop line comes by B at its start and at its end: the ride B–C is not drawn round the loop."""
    a, b, c, d = (drawn.positions[letter] for letter in "ABCD")
    south = b[0] - 0.02
    shaped = with_shape(drawn, [b, a, (south, a[1]), (south, b[1]), b, c, d])
    points = [stop_point(shaped.timetable, list(drawn.drawing.stops).index(name)) for name in "BC"]
    line = ride_shape(shaped.timetable, 0, points)
    assert line_length_m(line) == pytest.approx(1000, abs=5)


def test_added_trips_and_broken_shapes_are_drawn_straight(drawn: DrawnCity) -> None:
    """Trips that only real time knows have no shape; a shape of one point is none."""
    points = [Point(*drawn.positions["A"]), Point(*drawn.positions["D"])]
    straight = (drawn.positions["A"], drawn.positions["D"])
    assert ride_shape(drawn.timetable, -1, points) == straight
    assert ride_shape(with_shape(drawn, [drawn.positions["A"]]).timetable, 0, points) == straight


def test_lengths_are_right_to_a_thousandth() -> None:
    """One hundredth of a degree of latitude is 1111.95 m; of longitude, times the cosine of the latitude."""
    assert line_length_m(((41.0, -8.6), (41.01, -8.6))) == pytest.approx(1111.95, rel=1e-3)
    assert line_length_m(((41.0, -8.6), (41.0, -8.59))) == pytest.approx(1111.95 * np.cos(np.radians(41)), rel=1e-3)
    assert line_length_m(((41.0, -8.6),)) == 0.0


def test_real_rides_begin_and_end_at_their_stops(porto_snapshot: CitySnapshot) -> None:
    """Of 60 random trips of Porto, any ride's line touches both stops and is neither absurdly short nor long."""
    timetable, rng = porto_snapshot.timetable, np.random.default_rng(3)
    shaped = np.flatnonzero(timetable.trip_shape >= 0)
    assert len(shaped), "the feeds of Porto carry shapes"
    ratios = []
    for trip in rng.choice(shaped, 60, replace=False).tolist():
        stops = timetable.stops_of_trip(trip)
        low, high = sorted(rng.choice(len(stops), 2, replace=False).tolist())
        points = [stop_point(timetable, int(stop)) for stop in stops[low : high + 1]]
        line = ride_shape(timetable, trip, points)
        assert line[0] == (points[0].lat_deg, points[0].lon_deg)
        assert line[-1] == (points[-1].lat_deg, points[-1].lon_deg)
        straight = line_length_m(tuple((p.lat_deg, p.lon_deg) for p in points))
        assert line_length_m(line) >= 0.9 * straight - 100, "a line along the shape is not shorter than from stop to stop"
        ratios.append(line_length_m(line) / max(straight, 100.0))
    assert np.median(ratios) < 1.3
    assert max(ratios) < 4

"""Rides are drawn along their shape, between the right passes of the line."""

import dataclasses

import numpy as np

from routing.transit.api import TransitEngine, stop_to_stop
from routing.transit.shapes import cut, locate_stops, ride_path
from tests.builders.timetables import draw


def test_a_line_that_comes_back_is_cut_at_the_right_pass() -> None:
    """Out and back along the same street: the last stop lies on the way back, though the way out is as near."""
    lat = np.array([41.0, 41.0, 41.0])
    lon = np.array([-8.60, -8.50, -8.60])
    along = locate_stops(lat, lon, np.full(3, 41.0), np.array([-8.58, -8.50, -8.58]))
    assert np.allclose(along, [0.2, 1.0, 1.8])
    cut_lat, cut_lon = cut(lat, lon, along[0], along[2])
    assert np.allclose(cut_lon, [-8.58, -8.50, -8.58])
    assert np.allclose(cut_lat, 41.0)


def test_a_ride_follows_the_shape_or_else_the_stops() -> None:
    """With a shape its bends are drawn; without one the line goes from stop to stop."""
    drawing, timetable = draw("R t: A 8:00 > B 8:10 > C 8:20")
    (journey,) = TransitEngine(timetable).plan(stop_to_stop([0], [2], drawing.at("7:00")))
    lat, lon = ride_path(journey.rides[0])
    assert np.allclose(lat, timetable.stop_lat_deg)
    bent = dataclasses.replace(
        timetable,
        trip_shape=np.zeros(1, np.int32),
        first_shape_point=np.array([0, 3], np.int64),
        shape_lat_e7=np.array([410_000_000, 410_500_000, 411_000_000], np.int32),
        shape_lon_e7=np.array([-86_000_000, -85_500_000, -86_000_000], np.int32),
    )
    (journey,) = TransitEngine(bent).plan(stop_to_stop([0], [2], drawing.at("7:00")))
    lat, lon = ride_path(journey.rides[0])
    assert np.allclose(lat, [41.0, 41.05, 41.1])
    assert np.allclose(lon, [-8.6, -8.55, -8.6])

"""Speeds, lanes and durations out of OSM tags."""

import pytest

from services.city.osm_reader_access import CAR, FOOT, MOTOR, TRUCK, VAN, access_masks
from services.city.osm_reader_speeds import duration_s, limit_kmh, speeds_kmh
from services.city.osm_reader_tags import way_traits


@pytest.mark.parametrize(
    ("text", "kmh"),
    [
        ("50", 50.0),
        ("50 km/h", 50.0),
        ("30 mph", 48.28032),
        ("5 knots", 9.26),
        ("PT:urban", 50.0),
        ("DE:zone:30", 30.0),
        ("FR:zone30", 30.0),
        ("DE:30", 30.0),
        ("walk", 6.0),
        ("none", 130.0),
        ("50;30", 50.0),
        ("DE:rural", 100.0),
        ("FR:rural", 80.0),
        ("PT:rural", 90.0),
        ("IT:urban", 50.0),
        ("GB:nsl_dual", 112.7),
        ("UK:nsl_single", 96.6),
        ("PL:motorway", 140.0),
        ("DE:nonsense", None),
        ("signals", None),
        ("fast", None),
        ("", None),
        ("-3", None),
        ("9999", None),
        ("0", None),
        ("1e9", None),
        ("nan", None),
    ],
)
def test_limits(text, kmh):
    """Speed limits in every usual spelling; nonsense says nothing."""
    assert limit_kmh(text) == (None if kmh is None else pytest.approx(kmh))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20", 1200), ("00:20", 1200), ("01:00:05", 3605), ("PT1H20M", 4800), ("soon", 0), ("", 0), ("1:2:3:4", 0), ("-5", 0)],
)
def test_durations(text, seconds):
    """Crossing times of ferries."""
    assert duration_s(text) == seconds


def test_speeds():
    """Limit × free-flow share, by direction, and the class's usual limit where none is given."""
    assert speeds_kmh({}, "residential") == (30.0, 30.0)
    assert speeds_kmh({"maxspeed": "50"}, "primary") == (45.0, 45.0)
    assert speeds_kmh({"maxspeed:forward": "50"}, "primary") == (45.0, 45.0)
    assert speeds_kmh({"maxspeed:backward": "30", "maxspeed": "50"}, "primary") == (45.0, 27.0)
    assert speeds_kmh({"source:maxspeed": "DE:zone:30"}, "tertiary") == (24.0, 24.0)
    assert speeds_kmh({"maxspeed": "nonsense"}, "no such class") == (12.0, 12.0)


@pytest.mark.parametrize(
    ("tags", "lanes"),
    [
        ({}, (1, 1)),
        ({"lanes": "4"}, (2, 2)),
        ({"lanes": "3", "oneway": "yes"}, (3, 3)),
        ({"lanes": "1"}, (1, 1)),
        ({"lanes": "many"}, (1, 1)),
        ({"lanes": "-2"}, (1, 1)),
        ({"lanes": "²"}, (1, 1)),
        ({"lanes": "99"}, (10, 10)),
        ({"lanes:backward": "2"}, (1, 2)),
        ({"highway": "motorway"}, (2, 2)),
    ],
)
def test_lanes(tags, lanes):
    """Lanes per direction, at least one."""
    traits = way_traits({"highway": "secondary", **tags})
    assert traits is not None
    assert traits.lanes == lanes


def test_access_goes_from_general_to_special():
    """The most special key that is present decides, mode by mode."""
    assert access_masks({"access": "no", "motor_vehicle": "yes", "hgv": "no"}, 63) == (CAR | VAN, 0)
    assert access_masks({"access": "yes"}, FOOT) == (FOOT, 0)
    assert access_masks({"motor_vehicle": "delivery"}, MOTOR) == (VAN | TRUCK, VAN | TRUCK)
    assert access_masks({"access": "customers"}, MOTOR) == (MOTOR, MOTOR)
    assert access_masks({"access": "nobody knows"}, MOTOR) == (MOTOR, 0)


@pytest.mark.parametrize("highway", ["proposed", "construction", "raceway", "bus_stop", "", "services"])
def test_what_is_no_street(highway):
    """Plans, stops and race tracks are no streets; the first of several classes counts."""
    assert way_traits({"highway": highway}) is None
    assert way_traits({"highway": "unclassified;tertiary"}) is not None

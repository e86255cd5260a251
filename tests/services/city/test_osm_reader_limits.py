"""Measures, surfaces and slopes out of OSM tags."""

import pytest

from routing.model.street_graph import SMOOTHNESS
from services.city.osm_reader_limits import limits, measured, metres, strictest, tonnes
from services.city.osm_reader_surface import incline_pct, smoothness


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.8", 3.8), ("3,8 m", 3.8),
        ("380 cm", 3.8), ("12'", 3.6576), ("12'6\"", 3.81), ("12 ft 6 in", 3.81), ("13ft", 3.9624),
        ("4;3", 4.0), ("default", None), ("none", None), ("below_default", None), ("", None), ("-3", None), ("0", None),
        ("9999", None), ("1e1", None), ("3.8 t", None),
    ],
)  # fmt: skip
def test_metres(text, value):
    """Lengths in every usual spelling."""
    assert metres(text) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7.5", 7.5), ("7.5 t", 7.5), ("7,5t", 7.5), ("3500 kg", 3.5), ("10 st", 9.0718474), ("8000 lbs", 3.62873896),
        ("none", None), ("unsigned", None), ("-2", None), ("99999", None), ("3 m", None),
    ],
)  # fmt: skip
def test_tonnes(text, value):
    """Weights in every usual spelling."""
    assert tonnes(text) == (None if value is None else pytest.approx(value))


def test_limits():
    """Columns in their order, the strictest of similar keys, rounded down."""
    tags = {"maxheight": "3.89", "maxheight:physical": "4", "maxweight": "7.5", "maxaxleload": "0.06", "maxlength": "none"}
    assert limits(tags) == (38, 0, 0, 75, 1)
    assert limits({"highway": "service"}) == (0, 0, 0, 0, 0)
    assert strictest((38, 0, 0, 75, 1), (0, 20, 0, 35, 5)) == (38, 20, 0, 35, 1)
    assert measured("axleload", 8.0) == (0, 0, 0, 0, 80)


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({}, "unknown"),
        ({"surface": "asphalt"}, "excellent"),
        ({"surface": "Asphalt; cobblestone"}, "excellent"),
        ({"surface": "cobblestone"}, "bad"),
        ({"surface": "mud"}, "horrible"),
        ({"surface": "lava"}, "unknown"),
        ({"tracktype": "grade2"}, "intermediate"),
        ({"tracktype": "grade2", "surface": "ground"}, "very_bad"),
        ({"smoothness": "good", "surface": "ground"}, "good"),
        ({"smoothness": "very_horrible"}, "horrible"),
    ],
)
def test_smoothness(tags, word):
    """What is said counts, else the worse of what surface and track let expect."""
    assert SMOOTHNESS[smoothness(tags)] == word


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("10%", 10), ("10 %", 10), ("-7.6%", -8), ("7", 7), ("+3%", 3), ("5°", 9), ("-45°", -60), ("up", 6), ("down", -6),
        ("yes", 0), ("0", 0), ("", 0), ("200%", 60), ("steep", 0), ("90°", 60),
    ],
)  # fmt: skip
def test_inclines(text, percent):
    """Slopes in percent and degrees, capped; words say the direction only."""
    assert incline_pct(text) == percent

"""Legs say how many metres they climb and descend, where that is known."""

import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb

from routing.model.modes import StreetMode
from routing.multimodal.model import Point
from routing.multimodal.street_legs import path_leg
from services.journeys.itinerary_mapping import leg_to_proto
from tests.builders.streets import draw

ENDS = (Point(41.15, -8.61), Point(41.15, -8.6076))


def leg(text: str) -> pb.Leg:
    """From the middle of AB to the middle of BC on foot."""
    drawn = draw(text)
    path = drawn.engine.find_route(drawn.engine.metric(StreetMode.FOOT), drawn.at("AB"), 0, drawn.at("BC"), 0)
    assert path is not None
    return leg_to_proto(path_leg(path, StreetMode.FOOT, ENDS, 0, 150), lambda *_: (), geometry=False)


def test_metres_up_and_down() -> None:
    """Half of 8 m up, half of 4 m down."""
    found = leg("A B C\n---\nAB\nBC\nA: ele=10\nB: ele=18\nC: ele=14\n")
    assert (found.ascent_m, found.descent_m) == (pytest.approx(4.0), pytest.approx(2.0))


def test_not_known_is_not_zero() -> None:
    """A level way says 0; one with a height missing says nothing."""
    level, unknown = leg("A B C\n---\nAB\nBC\nA: ele=9\nB: ele=9\nC: ele=9\n"), leg("A B C\n---\nAB\nBC\nA: ele=9\nB: ele=9\n")
    assert level.HasField("ascent_m")
    assert (level.ascent_m, level.descent_m) == (0.0, 0.0)
    assert not unknown.HasField("ascent_m")
    assert not unknown.HasField("descent_m")

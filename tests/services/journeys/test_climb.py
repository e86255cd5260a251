"""Legs say how many metres they climb and descend, where that is known."""

import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb

from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.multimodal.model import Point
from routing.multimodal.street_legs import path_leg
from routing.street.instructions import build_instructions
from services.journeys.itinerary_mapping import leg_to_proto
from services.journeys.route_mapping import instruction_to_proto
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


def test_instructions_say_it_for_their_stretch() -> None:
    """Up along the first street, down along the second; nothing at the arrival; their sum is that of the way."""
    drawn = draw("A B C\n\n    D\n---\nAB name=Um\nBC name=Um\nCD name=Dois\nA: ele=10\nB: ele=18\nC: ele=20\nD: ele=14\n")
    path = drawn.engine.find_route(drawn.engine.metric(StreetMode.FOOT), drawn.at("AB"), 0, drawn.at("CD"), 0)
    assert path is not None
    said = [instruction_to_proto(one, path) for one in build_instructions(path, StreetMode.FOOT)]
    assert [(round(one.ascent_m, 1), round(one.descent_m, 1)) for one in said] == [(6.0, 0.0), (0.0, 3.0), (0.0, 0.0)]
    assert [one.HasField("ascent_m") for one in said] == [True, True, False]
    assert path.climb_m == (pytest.approx(6.0), pytest.approx(3.0))


def test_reach_is_shorter_uphill() -> None:
    """An isochrone follows: in the time that leads down to the valley one does not get up the hill as far."""
    drawn = draw("A B C D E\n---\nAB\nBC\nCD\nDE\nA: ele=0\nB: ele=12\nC: ele=24\nD: ele=36\nE: ele=48\n")
    metric, start = drawn.engine.metric(StreetMode.BICYCLE), drawn.at("CD", fraction=0.0)
    reached = drawn.engine.reach(metric, start, 0, 90.0) != UNREACHABLE_MS
    assert {letter for letter in "ABDE" if reached[drawn.node(letter)]} == {"A", "B", "D"}
    assert UNREACHABLE_MS not in drawn.engine.reach(metric, start, 0)


def test_not_known_is_not_zero() -> None:
    """A level way says 0; one with a height missing says nothing."""
    level, unknown = leg("A B C\n---\nAB\nBC\nA: ele=9\nB: ele=9\nC: ele=9\n"), leg("A B C\n---\nAB\nBC\nA: ele=9\nB: ele=9\n")
    assert level.HasField("ascent_m")
    assert (level.ascent_m, level.descent_m) == (0.0, 0.0)
    assert not unknown.HasField("ascent_m")
    assert not unknown.HasField("descent_m")

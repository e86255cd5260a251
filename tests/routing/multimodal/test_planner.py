"""Door-to-door journeys hang together, keep the promises of the request, and follow real time."""

import pytest

from routing.errors import InvalidInput, NotFound, OutsideArea
from routing.model.modes import StreetMode
from routing.multimodal.model import Itinerary, JourneyMode, LegMode, Point
from routing.multimodal.planner import plan_journeys
from routing.transit.api import TripChange
from tests.builders.door_to_door import DrawnCity, draw, gaps, place

LINE = """
A           B                                       C           D
---
ABCD maxspeed=50
===
1 t1: B 8:05 > C 8:10
1 t2: B 8:20 > C 8:25
1 t3: B 8:35 > C 8:40
"""
"""A home 600 m west of stop B, a goal 600 m east of stop C, 2 km between the stops; a bus every quarter of an hour."""

WALK_600_M_S = 450
"""Walkers go 4.8 km/h."""


@pytest.fixture(scope="module")
def line() -> DrawnCity:
    """Line."""
    return draw(LINE)


def rides(itinerary: Itinerary) -> list[str]:
    """Trips of an itinerary."""
    return [leg.transit.trip_id for leg in itinerary.legs if leg.transit]


def test_walks_to_the_bus_rides_and_walks_on(line: DrawnCity) -> None:
    """Walks to the bus rides and walks on."""
    (journey,) = line.plan("A", "D", "8:00", modes="transit", window_s=0)
    assert [leg.mode for leg in journey.legs] == [LegMode.WALK, LegMode.TRANSIT, LegMode.WALK]
    # 450 s of walking: the bus of 8:05 is missed, that of 8:20 is caught.
    assert rides(journey) == ["f:t2"]
    assert journey.legs[0].duration_s == pytest.approx(WALK_600_M_S, abs=2)
    assert journey.legs[0].arrival_s <= journey.legs[1].departure_s == line.drawing.at("8:20")
    assert journey.arrival_s == pytest.approx(line.drawing.at("8:25") + WALK_600_M_S, abs=2)
    assert place(journey.legs[0].origin) == place(line.at("A"))
    assert place(journey.legs[-1].destination) == place(line.at("D"))
    assert gaps(journey) == []


def test_leaves_as_late_as_the_bus_allows(line: DrawnCity) -> None:
    """Leaves as late as the bus allows."""
    (journey,) = line.plan("A", "D", "8:00", modes="transit", window_s=0)
    assert journey.departure_s == pytest.approx(line.drawing.at("8:20") - WALK_600_M_S, abs=2)


def test_window_offers_every_bus_of_the_hour_once(line: DrawnCity) -> None:
    """Window offers every bus of the hour once."""
    found = line.plan("A", "D", "7:50", modes="transit", window_s=3600)
    assert [rides(journey) for journey in found] == [["f:t1"], ["f:t2"], ["f:t3"]]
    assert [journey.arrival_s for journey in found] == sorted(journey.arrival_s for journey in found)


@pytest.mark.parametrize("clock", ["8:17:20", "8:32:20", "8:47:40", "9:30"])
def test_arrive_by_never_arrives_late_and_leaves_as_late_as_can_be(line: DrawnCity, clock: str) -> None:
    """Arrive by never arrives late and leaves as late as can be."""
    found = line.plan("A", "D", clock, arrive_by=True, window_s=0, modes="transit walk bicycle car")
    latest = line.drawing.at(clock)
    assert {JourneyMode.WALK, JourneyMode.CAR} <= {journey.kind for journey in found}
    assert all(journey.arrival_s <= latest for journey in found)
    street = [journey for journey in found if journey.kind is not JourneyMode.TRANSIT]
    assert all(journey.arrival_s == latest for journey in street), "nobody waits at the goal for nothing"
    buses = {"f:t1": "8:10", "f:t2": "8:25", "f:t3": "8:40"}
    fitting = [trip for trip, there in buses.items() if line.drawing.at(there) + WALK_600_M_S <= latest]
    assert [rides(j) for j in found if j.kind is JourneyMode.TRANSIT] == ([[fitting[-1]]] if fitting else [])


def test_modes_not_wanted_are_not_used(line: DrawnCity) -> None:
    """Modes not wanted are not used."""
    for mode in ("walk", "bicycle", "car", "transit"):
        assert {j.kind for j in line.plan("A", "D", "8:00", modes=mode)} == {JourneyMode(mode)}


def test_faster_modes_take_less_time_on_the_same_street(line: DrawnCity) -> None:
    """Faster modes take less time on the same street."""
    times = {j.kind: j.duration_s for j in line.plan("A", "D", "8:00", modes="walk bicycle car")}
    assert times[JourneyMode.CAR] < times[JourneyMode.BICYCLE] < times[JourneyMode.WALK]
    assert times[JourneyMode.WALK] == pytest.approx(3200 / (4.8 / 3.6), abs=2)


def test_only_driving_and_riding_emit(line: DrawnCity) -> None:
    """Only driving and riding emit."""
    grams = {j.kind: j.co2_g for j in line.plan("A", "D", "8:00", modes="walk bicycle car transit")}
    assert grams[JourneyMode.WALK] == grams[JourneyMode.BICYCLE] == 0
    assert grams[JourneyMode.CAR] == pytest.approx(3.2 * 165, rel=0.1)
    assert grams[JourneyMode.TRANSIT] == pytest.approx(2.0 * 113, rel=0.01)


def test_transit_that_walking_beats_is_not_offered(line: DrawnCity) -> None:
    """Transit that walking beats is not offered."""
    found = line.plan("A", "B", "8:00", modes="walk transit")
    assert [journey.kind for journey in found] == [JourneyMode.WALK]


def test_a_shorter_walk_limit_leaves_no_stop_within_reach(line: DrawnCity) -> None:
    """A shorter walk limit leaves no stop within reach."""
    assert line.plan("A", "D", "8:00", modes="transit", max_walk_s=440) == []
    assert len(line.plan("A", "D", "8:00", modes="transit", max_walk_s=460, window_s=0)) == 1


def test_slow_walkers_start_earlier(line: DrawnCity) -> None:
    """Slow walkers start earlier."""
    (journey,) = line.plan("A", "D", "8:00", modes="transit", walk_speed_factor=0.5, window_s=0)
    assert journey.legs[0].duration_s == pytest.approx(2 * WALK_600_M_S, abs=2)


def test_the_same_place_twice_is_a_journey_of_no_length(line: DrawnCity) -> None:
    """The same place twice is a journey of no length."""
    found = line.plan("A", "A", "8:00", modes="walk transit")
    assert [journey.kind for journey in found] == [JourneyMode.WALK]
    assert found[0].duration_s <= 1


def test_a_delay_moves_the_journey_and_keeps_the_schedule_readable(line: DrawnCity) -> None:
    """A delay moves the journey and keeps the schedule readable."""
    late = line.delayed("t2", 240)
    (journey,) = late.plan("A", "D", "8:00", modes="transit", window_s=0)
    (planned,) = line.plan("A", "D", "8:00", modes="transit", window_s=0)
    ride = journey.legs[1]
    assert ride.transit is not None
    assert ride.transit.realtime
    assert (late.clock(ride.departure_s), late.clock(ride.arrival_s)) == ("8:24:00", "8:29:00")
    first, last = ride.transit.calls[0], ride.transit.calls[-1]
    assert (late.clock(first.scheduled_departure_s), late.clock(first.departure_s)) == ("8:20:00", "8:24:00")
    assert (late.clock(last.scheduled_arrival_s), late.clock(last.arrival_s)) == ("8:25:00", "8:29:00")
    assert journey.arrival_s == planned.arrival_s + 240
    assert gaps(journey) == []


def test_a_long_delay_moves_travellers_to_the_next_bus(line: DrawnCity) -> None:
    """A long delay moves travellers to the next bus."""
    (journey,) = line.delayed("t2", 20 * 60).plan("A", "D", "8:00", modes="transit", window_s=0)
    assert rides(journey) == ["f:t3"]
    assert journey.legs[1].transit is not None
    assert not journey.legs[1].transit.realtime


def test_a_cancelled_bus_is_not_ridden(line: DrawnCity) -> None:
    """A cancelled bus is not ridden."""
    cancelled = TripChange("f", "t2", service_date="20260727", relationship="CANCELED")
    (journey,) = line.changed(cancelled).plan("A", "D", "8:00", modes="transit", window_s=0)
    assert rides(journey) == ["f:t3"]


CHANGES = """
A                   B                   C
                    D                   E
---
ABC maxspeed=50
BD
DE
===
1 t1: A 8:00 > B 8:10
2 u1: B2 8:12 > C 8:20
2 u2: B2 8:30 > C 8:38
3 v1: D 8:30 > E 8:40
walk B ~ B2 60s
walk B ~ D 80s
"""


def test_transfers_are_legs_of_their_own() -> None:
    """Transfers are legs of their own."""
    city = draw(CHANGES)
    (journey,) = city.plan("A", "E", "7:55", modes="transit", window_s=0, max_walk_s=200)
    assert rides(journey) == ["f:t1", "f:v1"]
    assert [leg.mode for leg in journey.legs] == [LegMode.TRANSIT, LegMode.WALK, LegMode.TRANSIT]
    assert (journey.legs[1].origin.stop_id, journey.legs[1].destination.stop_id) == ("f:B", "f:D")
    assert journey.transfers == 1
    assert gaps(journey) == []


def test_a_tight_change_is_less_sure_than_a_loose_one() -> None:
    """A tight change is less sure than a loose one."""
    city = draw(CHANGES)
    (tight,) = city.plan("A", "C", "7:55", modes="transit", window_s=0, max_walk_s=200)
    assert rides(tight) == ["f:t1", "f:u1"]
    (loose,) = city.delayed("u1", -15 * 60).plan("A", "C", "7:55", modes="transit", window_s=0, max_walk_s=200)
    assert rides(loose) == ["f:t1", "f:u2"]
    assert tight.reliability < 0.9 < loose.reliability


def test_a_missed_change_breaks_the_connection() -> None:
    """Two minutes lie between the vehicles; a feeder five minutes late leaves only the later one."""
    (journey,) = draw(CHANGES).delayed("t1", 300).plan("A", "C", "7:55", modes="transit", window_s=0, max_walk_s=200)
    assert rides(journey) == ["f:t1", "f:u2"]


STEPS = """
A   B                       C   D


E   F
---
AB highway=steps
AE highway=footway
EF highway=footway
FB highway=footway
BC maxspeed=50
CD highway=footway
===
1 t1: B 8:12 > C 8:20
1 t2 wheelchair=2: B 8:30 > C 8:40
1 t3 wheelchair=1: B 8:50 > C 9:00
stop B wheelchair=1
stop C wheelchair=1
"""


def test_wheelchairs_go_round_steps() -> None:
    """Wheelchairs go round steps."""
    city = draw(STEPS)
    (walker,) = city.plan("A", "D", "8:00", modes="transit", window_s=0)
    (rolling,) = city.plan("A", "D", "8:00", modes="transit", window_s=0, wheelchair=True)
    assert "stairs" in [step.manoeuvre for step in walker.legs[0].steps]
    assert "stairs" not in [step.manoeuvre for step in rolling.legs[0].steps]
    # 200 m of steps against 300 + 200 + 300 m round them.
    assert walker.legs[0].distance_m == pytest.approx(200, abs=2)
    assert rolling.legs[0].distance_m == pytest.approx(800, abs=2)
    assert rolling.legs[0].duration_s > walker.legs[0].duration_s


def test_wheelchairs_do_not_board_vehicles_without_room() -> None:
    """Wheelchairs do not board vehicles without room."""
    city = draw(STEPS)
    found = city.plan("A", "D", "8:15", modes="transit", window_s=0, wheelchair=True)
    assert [rides(journey) for journey in found] == [["f:t3"]]
    assert [rides(journey) for journey in city.plan("A", "D", "8:15", modes="transit", window_s=0)] == [["f:t2"]]


STAIRS_BETWEEN_LINES = """
A                   B   C                   D


                    E   F
---
AB maxspeed=50
BC highway=steps
CD maxspeed=50
BE highway=footway
EF highway=footway
FC highway=footway
===
1 t1: A 8:00 > B 8:10
2 u1: C 8:16 > D 8:20
2 u2: C 8:25 > D 8:32
2 u3: C 8:40 > D 8:47
walk B > C 150s
"""


def test_wheelchairs_change_only_where_the_step_free_way_is_quick_enough() -> None:
    """Steps of 200 m take 300 s, whatever the operator says; round them 800 m take 600 s and more."""
    city = draw(STAIRS_BETWEEN_LINES)
    (walker,) = city.plan("A", "D", "7:55", modes="transit", window_s=0, max_walk_s=120)
    (rolling,) = city.plan("A", "D", "7:55", modes="transit", window_s=0, max_walk_s=120, wheelchair=True)
    assert rides(walker) == ["f:t1", "f:u1"]
    assert rides(rolling) == ["f:t1", "f:u2"]
    needed = city.network.street.one_to_many(
        city.network.metrics[StreetMode.WHEELCHAIR], city.network.stops_step_free, 1, city.network.stops_step_free.take(2)
    )
    change = rolling.legs[1]
    assert change.duration_s >= int(needed[0]) / 1000
    assert gaps(rolling) == []


def test_places_off_the_map_are_refused_by_name(line: DrawnCity) -> None:
    """Places off the map are refused by name."""
    ask = line.ask("A", "D", "8:00")
    away = Point(42.0, -8.61)
    for field, bad in (("origin", (away, ask.destination)), ("destination", (ask.origin, away))):
        request = type(ask)(bad[0], bad[1], ask.time_s)
        with pytest.raises(OutsideArea, match="choose a place inside the city") as caught:
            plan_journeys(line.network, request)
        assert caught.value.field == field


def test_dates_outside_the_calendar_are_refused(line: DrawnCity) -> None:
    """Dates outside the calendar are refused."""
    with pytest.raises(InvalidInput, match="2026-07-27 to 2026-07-29"):
        line.plan("A", "D", "240:00", modes="transit")


def test_banned_routes_are_avoided_and_unknown_ones_named(line: DrawnCity) -> None:
    """Banned routes are avoided and unknown ones named."""
    assert line.plan("A", "D", "8:00", modes="transit", banned_routes=frozenset({"f:1"})) == []
    with pytest.raises(NotFound, match="f:99"):
        line.plan("A", "D", "8:00", modes="transit", banned_routes=frozenset({"f:99"}))


def test_route_types_limit_the_vehicles(line: DrawnCity) -> None:
    """Route types limit the vehicles."""
    assert line.plan("A", "D", "8:00", modes="transit", route_types=frozenset({0})) == []
    assert len(line.plan("A", "D", "8:00", modes="transit", window_s=0, route_types=frozenset({3}))) == 1

"""Park-and-ride proposes car parks that make sense, and none that do not."""

import numpy as np
import pytest

from routing.multimodal.model import Itinerary, JourneyMode, LegMode
from tests.builders.door_to_door import DrawnCity, draw, gaps, place
from tests.builders.streets import METRES_PER_DEGREE

FAR = " " * 119
NEAR = " " * 79

STREETS = f"""
A{FAR}B{NEAR}C{NEAR}D
---
ABCD maxspeed=50
===
"""
"""6 km from home A to the station B, 4 km on to the goal C, 4 km beyond it D."""

METRO = """
1 t1: B 8:20 > C 8:26
1 t2: B 8:30 > C 8:36
1 t3: B 8:40 > C 8:46
1 back1: C 16:40 > B 16:46
1 back2: C 17:00 > B 17:06
"""

ALL = "walk transit park_and_ride"


def city(more: str = "park P B 100", metro: str = METRO) -> DrawnCity:
    """The city with car parks and other services."""
    return draw(f"{STREETS}{metro}\n{more}\n")


def rides_with_car(found: list[Itinerary]) -> list[Itinerary]:
    """The park-and-ride journeys."""
    return [journey for journey in found if journey.kind is JourneyMode.PARK_AND_RIDE]


def test_drives_parks_walks_and_rides() -> None:
    """The journey is a drive to the car park, then the first metro that can be caught, and hangs together."""
    drawn = city()
    (journey,) = rides_with_car(drawn.plan("A", "C", "8:00", modes=ALL))
    assert [leg.mode for leg in journey.legs if leg.mode is not LegMode.WALK] == [LegMode.CAR, LegMode.TRANSIT]
    drive, ride = journey.legs[0], next(leg for leg in journey.legs if leg.transit)
    assert drive.parking is not None
    assert (drive.parking.car_park_id, drive.parking.capacity, drive.parking.return_possible) == ("P", 100, True)
    assert place(drive.origin) == place(drawn.at("A"))
    assert place(journey.legs[-1].destination) == place(drawn.at("C"))
    assert drive.free_flow_s is not None
    assert drive.duration_s >= drive.free_flow_s + drive.parking.search_s - 1
    assert drive.arrival_s <= ride.departure_s
    assert ride.transit is not None
    assert gaps(journey) == []
    assert journey.departure_s >= drawn.drawing.at("8:00")


def test_the_chance_of_a_space_counts_in_search_time_and_reliability() -> None:
    """A fuller car park costs more search, and the journey is as sure as its space."""
    (sure,) = rides_with_car(city().with_chance(1.0).plan("A", "C", "8:00", modes=ALL))
    (doubtful,) = rides_with_car(city().with_chance(0.6).plan("A", "C", "8:00", modes=ALL))
    assert sure.reliability == 1.0
    assert doubtful.reliability == pytest.approx(0.6)
    assert sure.legs[0].parking is not None
    assert doubtful.legs[0].parking is not None
    assert doubtful.legs[0].parking.search_s > sure.legs[0].parking.search_s
    assert doubtful.legs[0].parking.free_probability == pytest.approx(0.6)


def test_car_parks_likely_to_be_full_are_not_proposed() -> None:
    """Below the traveller's least probability there is no park-and-ride; a closed car park has probability 0."""
    full = city().with_chance(0.4)
    assert rides_with_car(full.plan("A", "C", "8:00", modes=ALL)) == []
    assert len(rides_with_car(full.plan("A", "C", "8:00", modes=ALL, min_free_probability=0.3))) == 1
    assert rides_with_car(city().with_chance(0.0).plan("A", "C", "8:00", modes=ALL, min_free_probability=0.01)) == []


def test_the_outlook_is_asked_for_the_time_of_arrival_at_the_car_park() -> None:
    """The prediction is asked for departure plus drive, of every car park near a stop."""
    from dataclasses import replace  # noqa: PLC0415

    asked: list[np.ndarray] = []

    def outlook(car_park: np.ndarray, at_s: np.ndarray) -> np.ndarray:
        asked.append(at_s)
        return np.ones(len(car_park))

    drawn = city()
    drawn = replace(drawn, network=replace(drawn.network, parking_outlook=outlook))
    (journey,) = rides_with_car(drawn.plan("A", "C", "8:00", modes=ALL))
    drive_s = journey.legs[0].duration_s - journey.legs[0].parking.search_s  # type: ignore[union-attr]
    assert [int(times[0]) - drawn.drawing.at("8:00") for times in asked] == [pytest.approx(drive_s, abs=1)]


def test_no_car_for_a_drive_of_less_than_five_minutes() -> None:
    """From 2 km away the drive takes some three minutes: nobody takes the car out for that."""
    near = " " * 39
    text = f"\nA{near}B{NEAR}{NEAR}C\n---\nABC maxspeed=50\n===\n{METRO}\npark P B 100\n"
    assert rides_with_car(draw(text).plan("A", "C", "8:00", modes="park_and_ride")) == []
    assert len(rides_with_car(city().plan("A", "C", "8:00", modes="park_and_ride"))) == 1


def test_no_car_park_beyond_the_destination() -> None:
    """Nobody drives past the goal to ride back to it."""
    beyond = "1 b1: D 8:30 > C 8:36\n1 b2: C 16:40 > D 16:46"
    assert rides_with_car(city("park Q D 100", beyond).plan("A", "C", "8:00", modes="park_and_ride")) == []


def test_no_car_park_away_from_the_destination() -> None:
    """A car park that is farther from the goal than home is not weighed, even if a metro runs from it."""
    text = f"\nB{FAR}A{NEAR}C\n---\nBAC maxspeed=50\n===\n1 t1: B 8:20 > C 8:22\n1 t2: C 16:40 > B 16:42\npark P B 100\n"
    assert rides_with_car(draw(text).plan("A", "C", "8:00", modes="park_and_ride")) == []


def test_without_a_way_back_the_car_stays_at_home() -> None:
    """No metro runs back within three hours of the end of the stay."""
    no_return = "\n".join(line for line in METRO.splitlines() if "back" not in line)
    assert rides_with_car(city(metro=no_return).plan("A", "C", "8:00", modes="park_and_ride")) == []
    too_late = f"{no_return}\n1 back: C 20:10 > B 20:16"
    assert rides_with_car(city(metro=too_late).plan("A", "C", "8:00", modes="park_and_ride")) == []
    assert len(rides_with_car(city(metro=too_late).plan("A", "C", "8:00", modes="park_and_ride", stay_s=11 * 3600))) == 1


def test_small_car_parks_count_only_when_signed() -> None:
    """Twenty spaces are no park-and-ride, unless the city signs them as such."""
    assert rides_with_car(city("park P B 20").plan("A", "C", "8:00", modes="park_and_ride")) == []
    assert len(rides_with_car(city("park P B 20 signed").plan("A", "C", "8:00", modes="park_and_ride"))) == 1


def test_wheelchair_travellers_are_not_sent_through_car_parks() -> None:
    """Nobody knows the steps of a car park."""
    assert rides_with_car(city().plan("A", "C", "8:00", modes=ALL, wheelchair=True)) == []


def test_a_direct_bus_as_good_spares_the_car() -> None:
    """Park-and-ride has to gain five minutes over public transport from the door."""
    bus = f"{METRO}\n2 bus: A 8:05 > C 8:25"
    found = city(metro=bus).plan("A", "C", "8:00", modes=ALL)
    assert rides_with_car(found) == []
    assert [leg.transit.trip_id for leg in found[0].legs if leg.transit] == ["f:bus"]


def test_the_nearer_of_two_car_parks_at_one_station_is_taken() -> None:
    """Both lead to the same metro; the one with the shorter drive and walk wins."""
    text = f"\nA{FAR}E   B{NEAR}C\n---\nAEBC maxspeed=50\n===\n{METRO}\npark FAR E 100\npark NEXT B 100\n"
    drawn = draw(text)
    (journey,) = rides_with_car(drawn.plan("A", "C", "8:00", modes="park_and_ride"))
    # 200 m are 15 s by car but 150 s on foot.
    assert journey.legs[0].destination.car_park_id == "NEXT"


def test_arrive_by_holds_with_the_car_too() -> None:
    """The journey arrives in time, on the last metro that does."""
    drawn = city()
    (journey,) = rides_with_car(drawn.plan("A", "C", "8:50", modes="park_and_ride", arrive_by=True, window_s=0))
    assert journey.arrival_s <= drawn.drawing.at("8:50")
    assert [leg.transit.trip_id for leg in journey.legs if leg.transit] == ["f:t3"]


def test_the_last_day_of_the_calendar_has_park_and_ride_without_failing() -> None:
    """A way back beyond the calendar is none; the request is answered all the same."""
    late = "1 t: B 47:50 > C 47:56\n1 b: C 40:00 > B 40:06"
    drawn = city(metro=late)
    day3 = drawn.drawing.at("47:30", 2) - drawn.drawing.at("0:00")
    clock = f"{day3 // 3600}:{day3 // 60 % 60:02d}"
    assert rides_with_car(drawn.plan("A", "C", clock, modes="park_and_ride transit", stay_s=8 * 3600)) == []


def test_drawn_distances_are_as_meant() -> None:
    """The picture holds 6 km between home and station: what the tests above rest on."""
    drawn = city()
    a, b = drawn.at("A"), drawn.at("B")
    metres = (b.lon_deg - a.lon_deg) * np.cos(np.radians(a.lat_deg)) * METRES_PER_DEGREE
    assert metres == pytest.approx(6000, abs=5)

"""Functions of one epoch: made in the background, once, within a bound of memory, for an epoch that still counts."""

import gc
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from routing.forecast.traffic import TrafficForecast, TrafficProfile
from routing.model.modes import StreetMode
from routing.street.access_rules import AccessRule, AccessRules, EmissionClass
from routing.street.timed_warm import warm_time_dependent
from routing.street.traffic_state import TrafficState
from services.journeys import car_functions
from services.journeys.car_functions import DAY_S, CarFunctions, LiveSpeeds
from tests.builders.streets import draw

ZONE = ZoneInfo("Europe/Lisbon")
START = 1_785_223_800
TOWN = """
A B C
D E F
---
ABC  highway=primary maxspeed=50
DEF
AD
BE
CF
"""


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Machine code of all kernels, made outside the time a test may take."""
    return warm_time_dependent()


@pytest.fixture
def town():
    """A drawn town."""
    return draw(TOWN)


def made(town, waiting, rules=(), speed=np.nan, **options):
    """Functions of an epoch whose work is put aside."""
    forecast = TrafficForecast.for_city(town.graph, TrafficProfile.urban(ZONE))
    arcs = town.graph.arc_count
    live = LiveSpeeds(np.full(arcs, speed, np.float32), np.zeros(arcs, np.int64), START)
    state = TrafficState(0, lambda _at: None, AccessRules(arcs, rules), True, town.graph.rules, ZONE)
    return CarFunctions(town.engine, forecast, live, state, waiting.append, **options)


def test_nothing_is_known_until_it_has_been_made(town):
    """Asked for often and noted once; by day, mode and rules, whatever the moment."""
    waiting = []
    rule = AccessRule(np.array([town.arc("AB")], np.int32), starts_s=START + 7200, ends_s=START + 9000)
    functions = made(town, waiting, (rule,))
    assert [functions.find(StreetMode.CAR, START + s) for s in (0, 900, 7000)] == [None] * 3
    assert len(waiting) == 1
    waiting.pop()()
    found = functions.find(StreetMode.CAR, START)
    assert found is functions.find(StreetMode.CAR, START + 7000) is functions.get(StreetMode.CAR, START) is not None
    for mode, moment in ((StreetMode.VAN, START), (StreetMode.CAR, START + DAY_S), (StreetMode.CAR, START + 7200)):
        assert functions.find(mode, moment) is None
    assert len(waiting) == 3
    for work in waiting:
        work()
    ways = [functions.of(StreetMode.CAR)(START + s).leave_at(town.at("AB"), 0, town.at("BC"), 0, START + s) for s in (0, 7200)]
    assert [town.letters(way.path.arcs) for way in ways] == ["AB BC", "BA AD DE EB BC"]


def test_memory_stays_within_its_bound(town):
    """Many days of all modes, many departures in each; the last one used is always there."""
    functions = made(town, [])
    capacity = 3 * functions.get(StreetMode.CAR, START).used_bytes()
    functions = made(town, [], capacity_bytes=capacity)
    for day in range(5):
        for mode in (StreetMode.CAR, StreetMode.VAN, StreetMode.TRUCK):
            moment = START + day * DAY_S
            timed = functions.get(mode, moment)
            for hour in range(-6, 6):
                timed.leave_at(town.at("AB"), 0, town.at("EF"), 0, moment + hour * 3600)
                assert functions.find(mode, moment) is timed
                assert functions.used_bytes() <= capacity or functions.used_bytes() == timed.used_bytes()


def test_few_are_noted_and_those_of_an_old_epoch_are_not_made(town, monkeypatch):
    """Who sweeps over a year does not fill the memory with wishes; an epoch that nobody uses makes nothing."""
    monkeypatch.setattr(car_functions, "MOST_WAITING", 3)
    waiting = []
    functions = made(town, waiting)
    for day in range(365):
        assert functions.find(StreetMode.CAR, START + day * DAY_S) is None
    assert len(waiting) == 3
    calls = []
    monkeypatch.setattr(CarFunctions, "make_waiting", lambda *_: calls.append(1))
    del functions
    gc.collect()
    for work in waiting:
        work()
    assert calls == []


def test_what_cannot_be_made_is_told_and_may_be_tried_again(town, capsys):
    """A measured speed for the wrong number of streets: nothing is known, the log says so."""
    waiting = []
    functions = made(town, waiting)
    functions._live = (np.ones(3), np.zeros(3, np.int64))
    assert functions.find(StreetMode.CAR, START) is None
    waiting.pop()()
    assert "functions_failed" in capsys.readouterr().out
    assert functions.find(StreetMode.CAR, START) is None
    assert len(waiting) == 1


def test_what_begins_to_hold_on_the_way_is_kept_off(town):
    """A closure five seconds after the departure: around it, as soon as that has been worked out."""
    waiting = []
    soon = AccessRule(np.array([town.arc("BC")], np.int32), starts_s=START + 5, ends_s=START + 9000)
    functions = made(town, waiting, (soon,))
    timed = functions.get(StreetMode.CAR, START)

    def letters(start, end):
        return town.letters(timed.leave_at(town.at(start), 0, town.at(end, fraction=0.9), 0, START).path.arcs)

    assert letters("AB", "CF") == "AB BC CF"
    assert len(waiting) == 1
    waiting.pop()()
    assert letters("AB", "CF") != "AB BC CF"
    assert "BC" not in letters("AB", "CF").split()
    by = functions.get(StreetMode.CAR, START + 120).arrive_by(town.at("AB"), 0, town.at("CF"), 0, START + 120)
    assert "BC" not in town.letters(by.path.arcs).split()


def test_hours_that_change_on_the_way_close_what_either_closes():
    """One street is closed until half past eight, another from then on: who sets out just before uses neither."""
    hours = {"AD": "06:00-08:30", "CF": "08:30-10:00"}
    lines = [f"{line}  motor_vehicle:conditional=no@({hours[line]})" if line in hours else line for line in TOWN.splitlines()]
    city, waiting = draw("\n".join(lines)), []
    functions = made(city, waiting)
    timed = functions.get(StreetMode.CAR, START - 3)

    def letters(start, end, share):
        return city.letters(timed.leave_at(city.at(start), 0, city.at(end, fraction=share), 0, START - 3).path.arcs)

    assert (letters("BC", "EF", 0.9), letters("AB", "DE", 0.1)) == ("BC CF FE", "AB BE ED")
    for work in waiting:
        work()
    assert len(waiting) == 1
    assert (letters("BC", "EF", 0.9), letters("AB", "DE", 0.1)) == ("CB BE EF", "AB BE ED")


def test_classes_bound_by_the_same_rules_share_functions(town):
    """A zone closed to old cars: the clean ones share what is made for the street without it."""
    zone = AccessRule(np.array([town.arc("BC")], np.int32), from_class=EmissionClass.CLASS_3, zone_id="z")
    functions = made(town, [], (zone,))
    clean, other, old = (
        functions.get(StreetMode.CAR, START, emission)
        for emission in (EmissionClass.ELECTRIC, EmissionClass.CLASS_2, EmissionClass.CLASS_3)
    )
    assert clean is other is not old
    ways = [timed.leave_at(town.at("AB"), 0, town.at("CF"), 0, START).path.arcs for timed in (clean, old)]
    assert ["BC" in town.letters(arcs).split() for arcs in ways] == [True, False]

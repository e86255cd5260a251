"""Scenarios of journey searches, each drawn."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from routing.errors import InvalidInput, NotFound
from routing.transit.api import TransitEngine, TransitRequest, stop_to_stop
from routing.transit.warm import warm
from tests.builders.timetables import draw, stop


def test_clocks_changing_do_not_move_departures() -> None:
    """25 October 2026 has 25 hours in Lisbon: 8:00 is noon less four hours, and a night trip of the 24th keeps its length."""
    drawing, timetable = draw("R t: A 8:00 > B 8:30\nR n: A 24:30 > B 26:30", first_date="2026-10-24")
    engine, ends = TransitEngine(timetable), ([0], [1])
    (morning,) = engine.plan(stop_to_stop(*ends, drawing.at("6:00", 1)))
    assert morning.departure_s == 1_792_915_200  # 2026-10-25T08:00Z
    assert drawing.at("8:00", 1) - drawing.at("8:00", 0) == 25 * 3600
    (night,) = engine.plan(stop_to_stop(*ends, drawing.at("24:00", 0)))
    assert night.arrival_s - night.departure_s == 7200


def test_wheelchair_avoids_trips_and_stops() -> None:
    """Only marked trips; unknown ones when allowed; never a stop marked impossible."""
    text = "R1 a: A 8:00 > B 8:10\nR1 b wheelchair=1: A 9:00 > B 9:20 > C 9:30\nstop C wheelchair=2"
    drawing, timetable = draw(text)
    engine = TransitEngine(timetable)
    request = dataclasses.replace(stop_to_stop([0], [1], drawing.at("7:00")), wheelchair=True)
    assert engine.plan(request)[0].rides[0].trip.trip_id == "f:b"
    assert engine.plan(dataclasses.replace(request, allow_unknown_trips=True))[0].rides[0].trip.trip_id == "f:a"
    to_c = dataclasses.replace(request, egress_stop=np.array([stop(timetable, "C")], np.int32))
    assert engine.plan(to_c) == []
    assert engine.plan(dataclasses.replace(to_c, wheelchair=False))


def test_banned_routes_types_and_stops() -> None:
    """Each ban alone leaves no journey or the other route."""
    drawing, timetable = draw("R1 a: A 8:00 > B 8:10\nR2 b: A 8:05 > B 8:15")
    engine, request = TransitEngine(timetable), stop_to_stop([0], [1], drawing.at("7:00"))
    banned = engine.plan(dataclasses.replace(request, banned_routes=frozenset({0})))
    assert [journey.rides[0].trip.route_id for journey in banned] == ["f:R2"]
    assert engine.plan(dataclasses.replace(request, banned_route_types=frozenset({3}))) == []
    assert engine.plan(dataclasses.replace(request, banned_stops=frozenset({1}))) == []


def test_no_needless_waiting_at_the_start() -> None:
    """The first ride is the last that makes the connection, not the first that comes."""
    drawing, timetable = draw("R1 a: A 8:00 > B 8:10\nR1 b: A 8:20 > B 8:30\nR2 c: B 9:00 > C 9:10")
    (journey,) = TransitEngine(timetable).plan(stop_to_stop([0], [2], drawing.at("7:00")))
    assert journey.departure_s == drawing.at("8:20")
    transfer = journey.legs[1]
    assert (transfer.departure_s, transfer.arrival_s) == (drawing.at("8:30"), drawing.at("8:32"))


def test_bad_requests_say_what_is_wrong() -> None:
    """Outside the calendar, unknown stops, windows too long: each with the field at fault."""
    drawing, timetable = draw("R1 a: A 8:00 > B 8:10")
    engine = TransitEngine(timetable)
    with pytest.raises(InvalidInput, match="2026-07-27 to 2026-07-29") as wrong:
        engine.plan(stop_to_stop([0], [1], 1_700_000_000))
    assert wrong.value.field == "time_s"
    with pytest.raises(InvalidInput, match="stop 9 of 2"):
        engine.plan(stop_to_stop([9], [1], drawing.at("8:00")))
    with pytest.raises(InvalidInput, match="narrow the search"):
        dataclasses.replace(stop_to_stop([0], [1], 0), window_s=13 * 3600)
    with pytest.raises(NotFound, match="stop 7"):
        engine.departures(7, drawing.at("8:00"))
    nothing = np.zeros(0, np.int32)
    assert engine.plan(TransitRequest(drawing.at("8:00"), nothing, nothing, nothing, nothing)) == []


def test_many_threads_get_the_answers_of_one() -> None:
    """Thirty-two searches over four threads, with windows not yet laid out: the same answers as one after the other."""
    text = "\n".join(
        f"R{i % 3} t{i}: A {6 + i // 6}:{i % 6}5 > B {7 + i // 6}:{i % 6}0 > C {7 + i // 6}:{i % 6}9" for i in range(60)
    )
    drawing, timetable = draw(text)
    requests = [
        dataclasses.replace(
            stop_to_stop([0], [2], drawing.at(f"{6 + i // 4}:{i % 4}7", i % 2)), window_s=3600 * (i % 3), arrive_by=i % 5 == 0
        )
        for i in range(32)
    ]

    def triples(engine: TransitEngine, request: TransitRequest) -> list[tuple[int, int, int]]:
        return [(journey.departure_s, journey.arrival_s, journey.transfers) for journey in engine.plan(request)]

    alone, shared = TransitEngine(timetable), TransitEngine(timetable)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda request: triples(shared, request), requests))
    assert answers == [triples(alone, request) for request in requests]
    assert sum(map(bool, answers)) > 20


def test_warm_runs_every_kernel() -> None:
    """Warming needs no data and raises nothing."""
    warm()

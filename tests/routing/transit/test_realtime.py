"""Real time is laid over the schedule by the rules of GTFS Realtime, and both stay readable."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.transit.api import RealtimeOverlay, StopChange, TransitEngine, TripChange, stop_to_stop
from tests.builders.timetables import Drawing, draw, stop

CITY = """
R1 t1: A 8:00 > B 8:10/8:11 > C 8:20
R1 t2: A 8:30 > B 8:40/8:41 > C 8:50
R1 late: A 25:00 > B 25:10/25:11 > C 25:20
R2 u1: D 8:30 > E 8:45
walk C ~ D 4m
"""


def setup(*changes: TripChange, now: str = "8:00") -> tuple[Drawing, TransitEngine]:
    """Engine with real time on the second day."""
    drawing, timetable = draw(CITY)
    overlay = RealtimeOverlay.build(timetable, changes, drawing.at(now, 1))
    return drawing, TransitEngine(timetable).with_realtime(overlay)


def ride(drawing: Drawing, engine: TransitEngine, ends: str, clock: str) -> list[tuple[str, int, int]]:
    """(trip, departure, arrival) of the rides of the first journey, in seconds of the second service day."""
    begin, end = (stop(engine.timetable, name) for name in ends)
    journeys = engine.plan(stop_to_stop([begin], [end], drawing.at(clock, 1)))
    start = drawing.day_start_s(1)
    return [(leg.trip.trip_id, leg.departure_s - start, leg.arrival_s - start) for leg in journeys[0].rides] if journeys else []


def change(trip: str, *stops: StopChange, **more: Any) -> TripChange:
    """Change of a trip on the second day."""
    return dataclasses.replace(TripChange("f", trip, service_date="20260728", stops=stops), **more)


def test_a_delay_is_carried_to_the_stops_after_it_and_the_schedule_stays_readable() -> None:
    """t1 leaves B ten minutes late and misses the connection it had."""
    drawing, engine = setup(change("t1", StopChange(10, departure_delay_s=600)))
    begin, end = stop(engine.timetable, "A"), stop(engine.timetable, "C")
    (journey,) = engine.plan(stop_to_stop([begin], [end], drawing.at("7:50", 1)))
    leg = journey.rides[0]
    assert leg.arrival_s == drawing.at("8:30", 1)
    assert leg.scheduled_arrival_s == drawing.at("8:20", 1)
    assert leg.departure_s == leg.scheduled_departure_s == drawing.at("8:00", 1)
    assert leg.trip.has_realtime
    assert leg.trip.call_states.tolist() == [0, 1, 1]
    assert ride(drawing, engine, "AE", "7:50") == []
    assert [trip for trip, _, _ in ride(*setup(), "AE", "7:50")] == ["f:t1", "f:u1"]


def test_an_absolute_time_wins_over_a_delay_and_times_never_go_back() -> None:
    """Both given: the time counts; a later prediction before it is lifted."""
    drawing, timetable = draw(CITY)
    said = (
        StopChange(0, departure_delay_s=60, departure_time_s=drawing.at("8:25", 1)),
        StopChange(10, arrival_time_s=drawing.at("8:12", 1), departure_time_s=drawing.at("8:13", 1)),
    )
    overlay = RealtimeOverlay.build(timetable, [change("t1", *said)], drawing.at("8:00", 1))
    expected = [drawing.at(clock, 1) for clock in ("8:25", "8:25", "8:25")]
    assert overlay.departures_of(0).tolist() == expected
    assert (np.diff(overlay.arrivals_of(0)) >= 0).all()


def test_cancelled_skipped_and_no_data() -> None:
    """A cancelled trip is not taken, a skipped stop not used, and after NO_DATA the schedule holds."""
    drawing, engine = setup(change("t1", relationship="CANCELED"))
    assert ride(drawing, engine, "AC", "7:50")[0][0] == "f:t2"
    drawing, engine = setup(change("t1", StopChange(stop_id="B", relationship="SKIPPED")))
    assert ride(drawing, engine, "AB", "7:50")[0][0] == "f:t2"
    assert ride(drawing, engine, "AC", "7:50")[0][0] == "f:t1"
    drawing, engine = setup(change("t1", StopChange(10, relationship="NO_DATA"), delay_s=300))
    assert ride(drawing, engine, "AC", "7:50") == [("f:t1", 8 * 3600 + 300, 8 * 3600 + 1200)]


def test_a_trip_delayed_past_the_next_one_is_overtaken() -> None:
    """t1 is 40 minutes late: whoever waits at B takes t2 first."""
    drawing, engine = setup(change("t1", StopChange(0, departure_delay_s=2400)))
    assert ride(drawing, engine, "BC", "8:00")[0][0] == "f:t2"
    assert ride(drawing, engine, "BC", "8:42")[0][0] == "f:t1"


def test_without_a_date_the_run_nearest_to_now_is_meant() -> None:
    """At 1:05 of the third day, `late` is the run of the second day; at 8:00, t1 is today's."""
    drawing, timetable = draw(CITY)
    for trip, now, day in (("late", drawing.at("1:05", 2), 1), ("t1", drawing.at("8:05", 2), 2)):
        overlay = RealtimeOverlay.build(timetable, [TripChange("f", trip, delay_s=60)], now)
        assert overlay.change_day.tolist() == [day]


def test_added_and_replaced_trips_run() -> None:
    """An added trip with its own stops and times is found; a replacement takes the place of its trip."""
    drawing, _ = draw(CITY)
    calls = tuple(
        StopChange(stop_id=name, arrival_time_s=drawing.at(clock, 1)) for name, clock in (("A", "8:02"), ("E", "8:09"))
    )
    for kind in ("ADDED", "REPLACEMENT"):
        engine = setup(change("t1" if kind == "REPLACEMENT" else "x9", *calls, relationship=kind, route_id="R1"))[1]
        (found,) = ride(drawing, engine, "AE", "7:50")
        assert found[1:] == (8 * 3600 + 120, 8 * 3600 + 540)
        assert (ride(drawing, engine, "AB", "7:50")[0][0] == "f:t1") is (kind == "ADDED")


def test_what_cannot_be_matched_is_listed_and_the_rest_counts() -> None:
    """Unknown trip, unknown stop, wrong day, unknown feed; the last update of a trip wins."""
    drawing, timetable = draw(CITY)
    changes = [
        TripChange("f", "nobody"),
        TripChange("g", "t1"),
        TripChange("f", "t1", service_date="20301231"),
        change("t1", StopChange(stop_id="Z", arrival_delay_s=5)),
        change("t2", delay_s=60),
        change("t2", delay_s=120),
    ]
    overlay = RealtimeOverlay.build(timetable, changes, drawing.at("8:00", 1))
    codes = [problem.code for problem in overlay.unmatched]
    assert codes == ["TRIP_NOT_FOUND", "FEED_NOT_FOUND", "TRIP_NOT_RUNNING", "INVALID_STOP_REFERENCE"]
    assert overlay.departures_of(1)[0] == drawing.at("8:32", 1)
    with pytest.raises(InvalidInput, match="another timetable"):
        TransitEngine(draw(CITY)[1]).with_realtime(overlay)


def test_departures_show_delays_and_cancellations_in_order() -> None:
    """The board of B: t2 on time before the late t1, the cancelled night run marked."""
    drawing, engine = setup(change("t1", StopChange(0, departure_delay_s=2400)), change("late", relationship="CANCELED"))
    board = engine.departures(stop(engine.timetable, "B"), drawing.at("8:00", 1), 3)
    seen = [(row.trip.trip_id, row.departure_s - row.scheduled_departure_s, row.is_cancelled) for row in board]
    assert seen == [("f:t2", 0, False), ("f:t1", 2400, False), ("f:late", 0, True)]
    assert engine.departures(stop(engine.timetable, "C"), drawing.at("8:00", 1), 3) == []

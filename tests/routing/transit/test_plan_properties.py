"""The engine finds what the naive search finds, on drawn timetables with overtaking, nights, real time and all options."""

import dataclasses
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.transit.api import RealtimeOverlay, StopChange, TransitEngine, TransitJourney, TransitRequest, TripChange
from tests.builders.timetables import Drawing, DrawnTrip, build, stop
from tests.routing.transit import naive

STOPS = "ABCDEF"
HOUR = 3600
PROFILE = settings(max_examples=70)


def draw_timetable(random: Random) -> Drawing:
    """Busy hours on six stops, by day or round midnight: trips that overtake, footpaths, change times, closed doors."""
    drawing = Drawing(stops={name: {} for name in STOPS})
    for name in random.sample(STOPS, random.randint(0, 2)):
        drawing.stops[name] = {"change": str(random.choice((0, 60, 600)))}
    patterns = [random.sample(STOPS, random.randint(2, 3)) for _ in range(random.randint(5, 8))]
    opening = random.choice((8, 23)) * HOUR
    for number in range(random.randint(40, 110)):
        route = random.randrange(len(patterns))
        time = opening + random.randint(0, 36) * 300
        calls = []
        for name in patterns[route]:
            arrival = time + random.choice((1, 2, 3, 5, 15)) * 60
            time = arrival + random.choice((0, 0, 60, 300))
            calls.append((name, arrival, time, random.random() < 0.93, random.random() < 0.93))
        drawing.trips.append(DrawnTrip(f"t{number}", f"R{route}", calls, random.choice(("", "", "110", "011", "010"))))
    for _ in range(random.randint(0, 4)):
        origin, other = random.sample(STOPS, 2)
        drawing.walks[origin, other] = random.randint(0, 15) * 60
    return drawing


def draw_changes(random: Random, drawing: Drawing) -> list[TripChange]:
    """Delays, skipped stops and cancellations of a third of the trips."""
    changes = []
    for trip in drawing.trips:
        for day in range(drawing.days):
            if not trip.runs_on(day) or random.random() < 0.66:
                continue
            kind: Any = random.choice(("SCHEDULED", "SCHEDULED", "SCHEDULED", "CANCELED"))
            stops = []
            for position in sorted(random.sample(range(len(trip.calls)), random.randint(0, min(3, len(trip.calls))))):
                what: Any = random.choice(("SCHEDULED", "SCHEDULED", "SKIPPED", "NO_DATA"))
                delays = [random.choice((None, 60 * random.randint(-5, 40))) for _ in "ad"]
                stops.append(StopChange(10 * position, "", delays[0], delays[1], relationship=what))
            whole = random.choice((None, 420))
            changes.append(TripChange("f", trip.id, "", None, f"202607{27 + day}", None, kind, whole, tuple(stops)))
    return changes


def draw_question(random: Random, drawing: Drawing) -> naive.Question:
    """Between two places near one or two stops each, while trips run."""
    places = random.sample(STOPS, 4)
    ends = [{name: 60 * random.randint(0, 10) for name in places[i : i + random.randint(1, 2)]} for i in (0, 2)]
    first = min(trip.calls[0][1] for trip in drawing.trips)
    time = drawing.day_start_s(1) + first + random.randint(-30, 120) * 60
    limit = random.choice((HOUR, 4 * HOUR, 24 * HOUR))
    return naive.Question(ends[0], ends[1], time, 0, random.choice((0, 2, 4)), random.choice((0, 120)), limit)


def draw_case(seed: int) -> tuple[Drawing, list[TripChange], naive.Question]:
    """One case of a seed."""
    random = Random(seed)
    drawing = draw_timetable(random)
    return drawing, draw_changes(random, drawing), draw_question(random, drawing)


def ask(engine: TransitEngine, question: naive.Question, **more: Any) -> list[TransitJourney]:
    """Put the naive question to the engine."""
    access, egress = (
        (np.array([stop(engine.timetable, name) for name in end], np.int32), np.array(list(end.values()), np.int32))
        for end in (question.access, question.egress)
    )
    request = TransitRequest(
        question.time_s,
        access[0],
        access[1],
        egress[0],
        egress[1],
        window_s=question.window_s,
        max_transfers=question.max_transfers,
        min_change_s=question.min_change_s,
        max_duration_s=question.max_duration_s,
    )
    return engine.plan(dataclasses.replace(request, **more))


def check_legs(drawing: Drawing, question: naive.Question, journeys: list[TransitJourney]) -> None:
    """Every journey can really be made: legs join, trips are caught, times are those of the trips."""
    names = list(drawing.stops)
    for journey in journeys:
        rides = journey.rides
        assert len(rides) == journey.transfers + 1
        assert journey.access_s == question.access[names[rides[0].from_stop]]
        assert journey.egress_s == question.egress[names[rides[-1].to_stop]]
        assert journey.departure_s + journey.access_s == rides[0].departure_s
        assert journey.arrival_s - journey.egress_s == rides[-1].arrival_s
        for ride in rides:
            assert ride.board_position < ride.alight_position
            assert ride.stops[0] == ride.from_stop
            assert ride.stops[-1] == ride.to_stop
            assert ride.trip.departure_s[ride.board_position] == ride.departure_s
            assert ride.trip.arrival_s[ride.alight_position] == ride.arrival_s
            assert not ride.trip.is_cancelled
        for before, after in pairwise(rides):
            origin, other = names[before.to_stop], names[after.from_stop]
            change = int(drawing.stops[origin].get("change", question.min_change_s))
            needed = change if origin == other else drawing.walks[origin, other]
            assert before.arrival_s + needed <= after.departure_s


@pytest.mark.slow
@PROFILE
@given(st.integers(0, 1 << 32))
def test_depart_at_equals_the_naive_search(seed: int) -> None:
    """Same Pareto set of arrival and transfers, with and without real time, and the legs can be travelled."""
    drawing, changes, question = draw_case(seed)
    engine = TransitEngine(build(drawing))
    live = engine.with_realtime(RealtimeOverlay.build(engine.timetable, changes, question.time_s))
    for searched, known in ((engine, []), (live, changes)):
        found = ask(searched, question)
        expected = naive.depart_at(drawing, naive.list_runs(drawing, known), question)
        assert sorted((journey.arrival_s, journey.transfers) for journey in found) == expected
        check_legs(drawing, question, found)


@pytest.mark.slow
@PROFILE
@given(st.integers(0, 1 << 32))
def test_range_equals_a_naive_search_of_every_departure(seed: int) -> None:
    """Same Pareto set of departure, arrival and transfers over a window."""
    drawing, changes, question = draw_case(seed)
    question.window_s = (1, HOUR, 6 * HOUR)[seed % 3]
    engine = TransitEngine(build(drawing))
    live = engine.with_realtime(RealtimeOverlay.build(engine.timetable, changes, question.time_s))
    for searched, known in ((engine, []), (live, changes)):
        found = ask(searched, question)
        expected = naive.depart_between(drawing, naive.list_runs(drawing, known), question)
        triples = [(journey.departure_s, journey.arrival_s, journey.transfers) for journey in found]
        assert sorted(triples) == expected
        assert naive.pareto(set(triples)) == set(triples)
        check_legs(drawing, question, found)


@pytest.mark.slow
@PROFILE
@given(st.integers(0, 1 << 32))
def test_arrive_by_equals_a_naive_search_of_every_departure(seed: int) -> None:
    """Same Pareto set of departure and transfers among all that arrive in time."""
    drawing, changes, question = draw_case(seed)
    engine = TransitEngine(build(drawing))
    live = engine.with_realtime(RealtimeOverlay.build(engine.timetable, changes, question.time_s))
    for searched, known in ((engine, []), (live, changes)):
        found = ask(searched, question, arrive_by=True)
        expected = naive.arrive_by(drawing, naive.list_runs(drawing, known), question)
        assert sorted((journey.departure_s, journey.transfers) for journey in found) == expected
        assert all(journey.arrival_s <= question.time_s for journey in found)
        check_legs(drawing, question, found)


@pytest.mark.slow
@PROFILE
@given(st.integers(0, 1 << 32))
def test_leaving_later_never_arrives_earlier(seed: int) -> None:
    """First in, first out: for each number of transfers, a later start cannot win."""
    drawing, _, question = draw_case(seed)
    engine = TransitEngine(build(drawing))
    early = ask(engine, question)
    limit = question.time_s + question.max_duration_s
    later = dataclasses.replace(question, time_s=question.time_s + seed % HOUR + 1)
    for journey in ask(engine, later):
        if journey.arrival_s <= limit:
            assert any(first.arrival_s <= journey.arrival_s and first.transfers <= journey.transfers for first in early)


def test_the_drawn_cases_are_worth_asking() -> None:
    """Most have journeys, many with transfers, and real time changes many answers: the properties above are not empty."""
    answered = transferred = changed = 0
    for seed in range(120):
        drawing, changes, question = draw_case(seed)
        engine = TransitEngine(build(drawing))
        live = engine.with_realtime(RealtimeOverlay.build(engine.timetable, changes, question.time_s))
        assert not live.overlay or not live.overlay.unmatched
        found = ask(engine, question)
        answered += bool(found)
        transferred += any(journey.transfers for journey in found)
        changed += [journey.arrival_s for journey in found] != [journey.arrival_s for journey in ask(live, question)]
    assert answered >= 60
    assert transferred >= 15
    assert changed >= 20

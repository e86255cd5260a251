"""The engine finds what the naive search finds, on drawn timetables with overtaking, nights, real time and all options."""

import dataclasses

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing.transit.api import RealtimeOverlay, StopChange, TransitEngine, TransitJourney, TransitRequest, TripChange
from tests.builders.timetables import Drawing, DrawnTrip, build, stop
from tests.routing.transit import naive

STOPS = "ABCDEF"
HOUR = 3600
PROFILE = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def drawings(draw: st.DrawFn) -> Drawing:
    """Up to nine trips on three days over six stops, some after midnight, with footpaths and change times."""
    drawing = Drawing(stops={name: {} for name in STOPS})
    for name in draw(st.sets(st.sampled_from(STOPS), max_size=2)):
        drawing.stops[name] = {"change": str(draw(st.integers(0, 600)))}
    patterns = draw(st.lists(st.lists(st.sampled_from(STOPS), min_size=2, max_size=5, unique=True), min_size=1, max_size=3))
    for number in range(draw(st.integers(1, 9))):
        route = draw(st.integers(0, len(patterns) - 1))
        time = draw(st.integers(0, 27 * 12)) * 300
        calls = []
        for name in patterns[route]:
            arrival = time + draw(st.integers(0, 20)) * 60
            time = arrival + draw(st.sampled_from((0, 0, 60, 300)))
            calls.append((name, arrival, time, draw(st.integers(0, 9)) > 0, draw(st.integers(0, 9)) > 0))
        drawing.trips.append(DrawnTrip(f"t{number}", f"R{route}", calls, draw(st.sampled_from(("", "110", "011", "010")))))
    for _ in range(draw(st.integers(0, 3))):
        pair = draw(st.lists(st.sampled_from(STOPS), min_size=2, max_size=2, unique=True))
        drawing.walks[pair[0], pair[1]] = draw(st.integers(0, 15)) * 60
    return drawing


@st.composite
def changes_of(draw: st.DrawFn, drawing: Drawing) -> list[TripChange]:
    """Delays, skipped stops and cancellations of some trips."""
    changes = []
    for trip in drawing.trips:
        for day in range(drawing.days):
            if not trip.runs_on(day) or draw(st.integers(0, 2)):
                continue
            date = f"202607{27 + day}"
            kind = draw(st.sampled_from(("SCHEDULED", "SCHEDULED", "SCHEDULED", "CANCELED")))
            stops = []
            for position in sorted(draw(st.sets(st.integers(0, len(trip.calls) - 1), max_size=3))):
                what = draw(st.sampled_from(("SCHEDULED", "SCHEDULED", "SKIPPED", "NO_DATA")))
                delay = st.none() | st.integers(-5, 40).map(lambda minutes: 60 * minutes)
                stops.append(StopChange(10 * position, "", draw(delay), draw(delay), relationship=what))
            whole = draw(st.none() | st.just(420))
            changes.append(
                TripChange("f", trip.id, service_date=date, relationship=kind, delay_s=whole, stops=tuple(stops))
            )
    return changes


@st.composite
def questions(draw: st.DrawFn, drawing: Drawing) -> naive.Question:
    """Between two places near one or two stops each, on the second day."""
    ends = [draw(st.dictionaries(st.sampled_from(STOPS), st.integers(0, 10).map(lambda m: 60 * m), min_size=1, max_size=2)) for _ in "ae"]
    time = drawing.day_start_s(1) + draw(st.integers(0, 24 * 60 - 1)) * 60
    return naive.Question(
        *ends, time, 0, draw(st.integers(0, 3)), draw(st.sampled_from((0, 120))), draw(st.sampled_from((4 * HOUR, 24 * HOUR)))
    )


def ask(engine: TransitEngine, question: naive.Question, **more: object) -> list[TransitJourney]:
    """Put the naive question to the engine."""
    ends = []
    for end in (question.access, question.egress):
        ends += [np.array([stop(engine.timetable, name) for name in end], np.int32), np.array(list(end.values()), np.int32)]
    request = TransitRequest(
        question.time_s,
        *ends,
        window_s=question.window_s,
        max_transfers=question.max_transfers,
        min_change_s=question.min_change_s,
        max_duration_s=question.max_duration_s,
    )
    return engine.plan(dataclasses.replace(request, **more))


def check_legs(engine: TransitEngine, drawing: Drawing, question: naive.Question, journeys: list[TransitJourney]) -> None:
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
        for before, after in zip(rides[:-1], rides[1:], strict=True):
            origin, other = names[before.to_stop], names[after.from_stop]
            change = int(drawing.stops[origin].get("change", question.min_change_s))
            needed = change if origin == other else drawing.walks[origin, other]
            assert before.arrival_s + needed <= after.departure_s


@PROFILE
@given(st.data())
def test_depart_at_equals_the_naive_search(data: st.DataObject) -> None:
    """Same Pareto set of arrival and transfers, with and without real time, and the legs can be travelled."""
    drawing = data.draw(drawings())
    changes, question = data.draw(changes_of(drawing)), data.draw(questions(drawing))
    engine = TransitEngine(build(drawing))
    live = engine.with_realtime(RealtimeOverlay.build(engine.timetable, changes, question.time_s))
    for searched, known in ((engine, []), (live, changes)):
        found = ask(searched, question)
        expected = naive.depart_at(drawing, naive.list_runs(drawing, known), question)
        assert sorted((journey.arrival_s, journey.transfers) for journey in found) == expected
        check_legs(searched, drawing, question, found)


@PROFILE
@given(st.data())
def test_range_equals_a_naive_search_of_every_departure(data: st.DataObject) -> None:
    """Same Pareto set of departure, arrival and transfers over a window."""
    drawing = data.draw(drawings())
    changes, question = data.draw(changes_of(drawing)), data.draw(questions(drawing))
    question.window_s = data.draw(st.sampled_from((1, HOUR, 6 * HOUR)))
    engine = TransitEngine(build(drawing))
    live = engine.with_realtime(RealtimeOverlay.build(engine.timetable, changes, question.time_s))
    for searched, known in ((engine, []), (live, changes)):
        found = ask(searched, question)
        expected = naive.depart_between(drawing, naive.list_runs(drawing, known), question)
        triples = [(journey.departure_s, journey.arrival_s, journey.transfers) for journey in found]
        assert sorted(triples) == expected
        assert naive.pareto(set(triples)) == set(triples)
        check_legs(searched, drawing, question, found)


@PROFILE
@given(st.data())
def test_arrive_by_equals_a_naive_search_of_every_departure(data: st.DataObject) -> None:
    """Same Pareto set of departure and transfers among all that arrive in time."""
    drawing = data.draw(drawings())
    changes, question = data.draw(changes_of(drawing)), data.draw(questions(drawing))
    engine = TransitEngine(build(drawing))
    live = engine.with_realtime(RealtimeOverlay.build(engine.timetable, changes, question.time_s))
    for searched, known in ((engine, []), (live, changes)):
        found = ask(searched, question, arrive_by=True)
        expected = naive.arrive_by(drawing, naive.list_runs(drawing, known), question)
        assert sorted((journey.departure_s, journey.transfers) for journey in found) == expected
        assert all(journey.arrival_s <= question.time_s for journey in found)
        check_legs(searched, drawing, question, found)


@PROFILE
@given(st.data())
def test_leaving_later_never_arrives_earlier(data: st.DataObject) -> None:
    """First in, first out: for each number of transfers, a later start cannot win."""
    drawing = data.draw(drawings())
    question = data.draw(questions(drawing))
    engine = TransitEngine(build(drawing))
    early = ask(engine, question)
    limit = question.time_s + question.max_duration_s
    later = dataclasses.replace(question, time_s=question.time_s + data.draw(st.integers(1, HOUR)))
    for journey in ask(engine, later):
        if journey.arrival_s <= limit:
            assert any(first.arrival_s <= journey.arrival_s and first.transfers <= journey.transfers for first in early)

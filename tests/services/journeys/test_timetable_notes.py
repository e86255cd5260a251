"""A timetable that has ended, or not begun, is named where it lacks."""

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traboule.journeys.v1 import itinerary_pb2 as pb

from routing.model.strings import StringTable
from routing.multimodal.model import ALL_JOURNEY_MODES, JourneyMode, JourneyRequest
from services.journeys.timetable_notes import note_timetables, service_span
from tests.builders.journeys import at, plan_request
from tests.builders.timetables import draw

LINES = "red r1 days={}: a 8:00 > b 8:10\nblue b1 days={}: a 9:00 > c 9:20"


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_a_feed_spans_the_days_on_which_any_trip_runs(runs: list[tuple[bool, bool]]) -> None:
    """As told one by one, over more than one byte of days too."""
    red, blue = ("".join("01"[run] for run in line) for line in zip(*runs, strict=True))
    _, timetable = draw(LINES.format(red, blue), first_date="2026-07-27", days=len(runs))
    days = [dt.date(2026, 7, 27) + dt.timedelta(k) for k, run in enumerate(runs) if any(run)]
    assert service_span(timetable) == ({0: (days[0], days[-1])} if days else {})


def test_each_feed_counts_its_own_trips() -> None:
    """One operator's last day is not another's, though both are in one calendar."""
    _, timetable = draw(LINES.format("11100", "00111"), days=5)
    two = replace(
        timetable, feed_ids=StringTable.build(["one", "two"]), feed_shift_days=np.zeros(2, np.int32),
        feed_timezones=StringTable.build(["Europe/Lisbon"] * 2), route_feed=np.array([0, 1], np.int32),
    )  # fmt: skip
    assert [(str(first), str(last)) for first, last in service_span(two).values()] == [
        ("2026-07-27", "2026-07-29"),
        ("2026-07-29", "2026-07-31"),
    ]


@pytest.mark.parametrize(
    ("clock", "date", "said"),
    [
        ("23:59", "2026-07-29", []),
        ("00:00", "2026-07-30", ["The timetable of f ends on 2026-07-29: journeys on 2026-07-30 are without it."]),
        ("00:00", "2026-07-28", []),
        ("23:59", "2026-07-27", ["The timetable of f begins on 2026-07-28: journeys on 2026-07-27 are without it."]),
    ],
)
def test_the_day_is_that_of_the_feed(clock: str, date: str, said: list[str]) -> None:
    """By its own clock, to the minute; who only walks or drives hears nothing."""
    _, timetable = draw(LINES.format("0110", "0000"), days=4)
    asked = JourneyRequest((41.0, -8.6), (41.1, -8.6), at(clock, date), modes=ALL_JOURNEY_MODES)
    assert note_timetables(timetable, asked) == said
    assert note_timetables(timetable, replace(asked, modes=frozenset({JourneyMode.WALK, JourneyMode.CAR}))) == []


async def test_answers_name_operators_without_a_timetable(stub: Any) -> None:
    """In Porto two timetables of three have ended by the end of the year."""
    request = plan_request(modes=[pb.MODE_TRANSIT], depart_at_unix_s=at("08:30", "2026-12-27"))
    answer = await stub.PlanJourneys(request)
    ended = [notice for notice in answer.notices if "timetable" in notice]
    assert [notice.split(":")[0] for notice in ended] == [
        "The timetable of metro ends on 2026-12-25",
        "The timetable of cp ends on 2026-12-12",
    ]
    usual = await stub.PlanJourneys(plan_request(modes=[pb.MODE_TRANSIT]))
    assert not usual.notices

"""Hours and conditions out of OSM tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.model.time_rules import NOT_ON_HOLIDAYS, PUBLIC_HOLIDAY
from services.city.osm_reader_times import build_rules, clauses, old_style_hours, weekly_hours

WEEK, WORK = 127, 31


@pytest.mark.parametrize(
    ("text", "intervals"),
    [
        ("07:00-09:00", [(WEEK, 420, 540)]),
        ("Mo-Fr 07:00-09:00", [(WORK, 420, 540)]),
        ("mo-fr 7:00 - 9:00", [(WORK, 420, 540)]),
        ("Mo-Fr 07:00-09:00,16:30-18:00", [(WORK, 420, 540), (WORK, 990, 1080)]),
        ("Mo-Fr 07:00-09:00; Sa 08:00-12:00", [(WORK, 420, 540), (32, 480, 720)]),
        ("Mo-Fr 07:00-09:00, Sa 08:00-12:00", [(WORK, 420, 540), (32, 480, 720)]),
        ("Mo,We,Fr 10:00-11:00", [(21, 600, 660)]),
        ("Fr-Mo", [(113, 0, 1440)]),
        ("Monday-Friday", [(WORK, 0, 1440)]),
        ("Sa,Su,PH 00:00-24:00", [(96 | PUBLIC_HOLIDAY, 0, 1440)]),
        ("22:00-06:00", [(WEEK, 1320, 360)]),
        ("Sa 20:00-26:00", [(32, 1200, 120)]),
        ("24/7", [(WEEK | PUBLIC_HOLIDAY, 0, 1440)]),
        ("Mo-Sa 06:00-11:00; PH off", [(63 | NOT_ON_HOLIDAYS, 360, 660)]),
        ("", None),
        (";", None),
        ("off", None),
        ("PH off", None),
        ("Sa off", None),
        ("Mo-Fr 07:00-09:00; We off", None),
        ("sunset-sunrise", None),
        ("Apr-Sep", None),
        ("2016 Apr 25 - 2016 Sep 26", None),
        ("Mo-Fr 07:00-09:61", None),
        ("Mo-Fr 07:00-99:00", None),
        ("wet", None),
        ("Montag", None),
    ],
)
def test_weekly_hours(text, intervals):
    """The common forms, and that nothing else is taken for one."""
    assert weekly_hours(text) == (None if intervals is None else tuple(intervals))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no @ (Mo-Fr 07:00-09:00)", [("no", "Mo-Fr 07:00-09:00", ("", 0.0))]),
        ("no@Mo-Fr 07:00-09:00", [("no", "Mo-Fr 07:00-09:00", ("", 0.0))]),
        ("no @ (Mo-Fr 07:00-09:00; Sa)", [("no", "Mo-Fr 07:00-09:00; Sa", ("", 0.0))]),
        ("no @ Mo-Fr 07:00-09:00; Sa", [("no", "Mo-Fr 07:00-09:00; Sa", ("", 0.0))]),
        ("no @ (Mo); yes @ (Tu)", [("no", "Mo", ("", 0.0)), ("yes", "Tu", ("", 0.0))]),
        ("no @ (weight>7.5)", [("no", "", ("weight", 7.5))]),
        ("no @ (weight > 7.5 t AND Mo)", [("no", "Mo", ("weight", 7.5))]),
        ("no @ (height>=3)", [("no", "", ("height", 3.0))]),
        ("no @ (weight>7.5 AND length>9)", None),
        ("no @ (weight>..)", None),
        ("no @ (wet)", None),
        ("no @ (Mo); maybe", None),
        ("no", None),
        ("", None),
        ("no @", None),
    ],
)
def test_clauses(text, expected):
    """Values with their hours and measures; a tag is read as a whole or not at all."""
    assert clauses(text) == expected


def test_outdated_tags():
    """`day_on`, `hour_on` and their likes as hours of today."""
    assert old_style_hours("Monday", "Friday", "07:00", "09:00") == "Monday-Friday 07:00-09:00"
    assert old_style_hours("", "", "07:00", "09:00") == "07:00-09:00"
    assert old_style_hours("Sunday", "", "", "") == "Sunday"


def test_rules_are_sorted_and_shared():
    """Every distinct text is one rule."""
    rules, where = build_rules(["Tu 10:00-11:00,12:00-13:00", "Mo", "Tu 10:00-11:00,12:00-13:00"])
    assert list(rules.texts) == ["Mo", "Tu 10:00-11:00,12:00-13:00"]
    assert where["Mo"] == 0
    assert rules.first_interval.tolist() == [0, 1, 3]
    assert rules.days.tolist() == [1, 2, 2]


@given(st.text("MoTuFr-PH of24/7:0,;@()<>&wAND", max_size=40))
def test_any_text(text):
    """Nonsense is refused, never an accident; what is understood makes rules."""
    hours = weekly_hours(text)
    if hours is not None:
        assert len(build_rules([text])[0].days) == len(hours)
        assert all(0 <= begin < 1440 and 0 <= end <= 1440 and day > 0 for day, begin, end in hours)
    read = clauses(text)
    assert read is None or all(clause.hours or clause.measure[0] for clause in read)

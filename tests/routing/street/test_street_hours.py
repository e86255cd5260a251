"""Rules of certain hours: turns and streets that are forbidden at times, and what the clock says."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.model.time_rules import NO_HOLIDAYS, Calendar, no_rules, rules_holding
from services.city.osm_reader_times import build_rules
from tests.builders.streets import draw

CAR, VAN, TRUCK, BICYCLE, FOOT, WHEELCHAIR, CARGO_BIKE = StreetMode
LISBON, BERLIN = ZoneInfo("Europe/Lisbon"), ZoneInfo("Europe/Berlin")
CROSS = """
  N
W C   E
  S
---
WC
CE
NC
CS
"""
LADDER = """
A B C D
  E F
G H I J
---
AB
BC
CD
BE
CF
EF
EH
FI
GH
HI
IJ
"""
BYPASS = """
S A     B T



    D E
---
SA
AB {}
BT
AD
DE
EB
"""
DIRECT, AROUND = "SA AB BT", "SA AD DE EB BT"
TUESDAY_8, TUESDAY_12, SUNDAY_8 = (
    datetime(2026, 3, day, hour, tzinfo=LISBON).timestamp() for day, hour in ((10, 8), (10, 12), (15, 8))
)


def at(drawn, unix_s, mode=CAR, zone=LISBON):
    """Metric of a mode at an instant."""
    return drawn.engine.metric(mode, rules_holding=rules_holding(drawn.graph.rules, unix_s, zone))


@pytest.mark.parametrize(
    "restriction",
    [
        "tagged WC C NC restriction:conditional=no_left_turn~@~(Mo-Fr~07:00-09:00)",
        "tagged WC C NC restriction:conditional=no_left_turn~@~Mo-Fr~07:00-09:00,17:00-19:00",
        "tagged WC C NC restriction:motorcar:conditional=no_left_turn~@~(Mo-Fr~07:00-09:00)",
        "no_left_turn WC C NC day_on=Monday day_off=Friday hour_on=07:00 hour_off=09:00",
        "tagged WC C CE restriction:conditional=only_straight_on~@~(Mo-Fr~07:00-09:00)",
    ],
)
def test_turns_at_certain_hours(restriction):
    """A turn that is forbidden on weekday mornings is free at noon, on Sundays, and for who does not say when."""
    drawn = draw(CROSS + restriction)
    assert drawn.report.restrictions == 1
    assert drawn.way("WC", "NC", metric=at(drawn, TUESDAY_8)) in {"WC CS SC CN", "WC CE EC CN"}
    for free in (at(drawn, TUESDAY_12), at(drawn, SUNDAY_8), drawn.engine.metric(CAR)):
        assert drawn.way("WC", "NC", metric=free) == "WC CN"


def test_a_turn_forbidden_for_trucks_at_night():
    """`restriction:hgv:conditional` binds trucks only."""
    drawn = draw(CROSS + "tagged WC C NC restriction:hgv:conditional=no_left_turn~@~(22:00-06:00)")
    night = datetime(2026, 3, 10, 3, tzinfo=LISBON).timestamp()
    assert drawn.way("WC", "NC", TRUCK, at(drawn, night, TRUCK)) == "WC CS SC CN"
    assert drawn.way("WC", "NC", TRUCK, at(drawn, TUESDAY_12, TRUCK)) == "WC CN"
    assert drawn.way("WC", "NC", CAR, at(drawn, night)) == "WC CN"


def test_over_ways_at_certain_hours():
    """A via-way restriction of certain hours binds who came over its whole beginning, at those hours."""
    drawn = draw(LADDER + "tagged AB BE EF restriction:conditional=no_u_turn~@~(Mo-Fr~07:00-09:00)")
    assert drawn.way("AB", "EF", metric=at(drawn, TUESDAY_8)) == "AB BC CF FE"
    assert drawn.way("AB", "EH", metric=at(drawn, TUESDAY_8)) == "AB BE EH"
    assert drawn.way("AB", "EF", metric=at(drawn, SUNDAY_8)) == "AB BE EF"
    assert drawn.way("AB", "EF") == "AB BE EF"


def test_always_and_at_certain_hours():
    """Different restrictions in one relation, each at its time."""
    drawn = draw(CROSS + "no_right_turn WC C CS restriction:conditional=no_left_turn@(Su)")
    both = draw(CROSS + "no_right_turn WC C CS\ntagged WC C NC restriction:conditional=no_left_turn@(Su)")
    assert drawn.report.restrictions == 1
    assert drawn.way("WC", "CS") == both.way("WC", "CS") == "WC CN NC CS"
    assert both.way("WC", "NC", metric=at(both, SUNDAY_8)) == "WC CE EC CN"


@pytest.mark.parametrize(
    ("tags", "mode", "morning", "noon", "plain"),
    [
        ("motor_vehicle:conditional=no~@~(Mo-Fr~07:00-09:00)", CAR, AROUND, DIRECT, DIRECT),
        ("motor_vehicle:conditional=no~@~(Mo-Fr~07:00-09:00)", BICYCLE, DIRECT, DIRECT, DIRECT),
        ("hgv:conditional=no~@~(Mo-Fr~07:00-09:00)", TRUCK, AROUND, DIRECT, DIRECT),
        ("hgv:conditional=no~@~(Mo-Fr~07:00-09:00)", VAN, DIRECT, DIRECT, DIRECT),
        ("access:conditional=no~@~(Mo-Fr~07:00-09:00) bicycle=yes", BICYCLE, DIRECT, DIRECT, DIRECT),
        ("access:conditional=no~@~(Mo-Fr~07:00-09:00) bicycle=yes", FOOT, AROUND, DIRECT, DIRECT),
        ("highway=track motor_vehicle:conditional=yes~@~(Mo-Fr~07:00-09:00)", VAN, DIRECT, AROUND, AROUND),
        ("highway=track motor_vehicle:conditional=delivery~@~(Mo-Fr~07:00-09:00)", VAN, AROUND, AROUND, AROUND),
        ("vehicle=no vehicle:conditional=yes~@~(Mo-Fr~07:00-09:00)", CAR, DIRECT, AROUND, AROUND),
        ("access:conditional=yes~@~(Mo-Fr~07:00-09:00) access=no", CAR, DIRECT, AROUND, AROUND),
        ("hgv:conditional=no~@~(weight>7.5~AND~Mo-Fr~07:00-09:00)", TRUCK, AROUND, DIRECT, DIRECT),
        ("motor_vehicle:conditional=no~@~(weight>7.5~AND~Mo-Fr~07:00-09:00)", CAR, DIRECT, DIRECT, DIRECT),
        ("access:conditional=no~@~(snow)", CAR, DIRECT, DIRECT, DIRECT),
        ("motor_vehicle:conditional=no~@~(Mo-Fr~07:00-08:00);~no~@~(Mo-Fr~08:00-09:00)", CAR, AROUND, DIRECT, DIRECT),
    ],
)
def test_streets_at_certain_hours(tags, mode, morning, noon, plain):
    """Streets open and close by the clock, for whom it concerns; without a time the plain tags hold."""
    drawn = draw(BYPASS.format(tags))
    assert drawn.way("SA", "BT", mode, at(drawn, TUESDAY_8, mode)) == morning
    assert drawn.way("SA", "BT", mode, at(drawn, TUESDAY_12, mode)) == noon
    assert drawn.way("SA", "BT", mode) == plain


@pytest.mark.parametrize(
    ("tags", "mode", "morning", "noon"),
    [
        ("oneway:conditional=-1~@~(Mo-Fr~07:00-09:00)", CAR, AROUND, DIRECT),
        ("oneway:conditional=-1~@~(Mo-Fr~07:00-09:00)", FOOT, DIRECT, DIRECT),
        ("oneway:conditional=-1~@~(Mo-Fr~07:00-09:00)", BICYCLE, AROUND, DIRECT),
        ("oneway:conditional=-1~@~(Mo-Fr~07:00-09:00) oneway:bicycle=no", BICYCLE, DIRECT, DIRECT),
        ("oneway:bicycle:conditional=-1~@~(Mo-Fr~07:00-09:00)", BICYCLE, AROUND, DIRECT),
        ("oneway:bicycle:conditional=-1~@~(Mo-Fr~07:00-09:00)", CAR, DIRECT, DIRECT),
        ("oneway:conditional=yes~@~(Mo-Fr~07:00-09:00)", CAR, DIRECT, DIRECT),
        ("oneway=-1 oneway:conditional=no~@~(Mo-Fr~07:00-09:00)", CAR, DIRECT, AROUND),
        ("oneway=-1 oneway:conditional=yes~@~(Mo-Fr~07:00-09:00)", TRUCK, DIRECT, AROUND),
        ("oneway=reversible oneway:conditional=yes~@~(07:00-11:00);-1~@~(11:00-07:00)", CAR, DIRECT, AROUND),
        ("oneway=reversible oneway:conditional=-1~@~(07:00-11:00);yes~@~(11:00-07:00)", CAR, AROUND, DIRECT),
        ("oneway=-1 oneway:conditional=no~@~(snow)", CAR, AROUND, AROUND),
        (
            "oneway=-1 oneway:conditional=no~@~(Mo-Fr~07:00-09:00) vehicle=no vehicle:conditional=yes~@~(Tu)",
            CAR,
            AROUND,
            AROUND,
        ),
    ],
)
def test_one_way_streets_at_certain_hours(tags, mode, morning, noon):
    """Streets turn round by the clock, for whom it concerns; reversible lanes are open in the direction of the hour only."""
    drawn = draw(BYPASS.format(tags))
    assert drawn.way("SA", "BT", mode, at(drawn, TUESDAY_8, mode)) == morning
    assert drawn.way("SA", "BT", mode, at(drawn, TUESDAY_12, mode)) == noon


def test_a_reversible_street_is_open_one_way_at_a_time():
    """What is open towards the city in the morning is open out of it later, and closed to who does not say when."""
    drawn = draw(BYPASS.format("oneway=reversible oneway:conditional=yes~@~(07:00-11:00);-1~@~(11:00-07:00)"))
    back = "TB BE ED DA AS"
    assert [drawn.way("TB", "AS", metric=at(drawn, when)) for when in (TUESDAY_8, TUESDAY_12)] == [back, "TB BA AS"]
    assert drawn.way("SA", "BT") == AROUND
    assert drawn.way("TB", "AS") == back


def kmh(drawn, letters, unix_s, mode=CAR, speeds=None):
    """Speed on an arc at an instant."""
    holding = rules_holding(drawn.graph.rules, unix_s, LISBON)
    metric = drawn.engine.metric(mode, speeds, rules_holding=holding)
    arc = drawn.arc(letters)
    return round(float(drawn.graph.arc_length_m[arc]) * 3600.0 / float(metric.arc_time_ms[arc]), 1)


@pytest.mark.parametrize(
    ("tags", "mode", "morning", "noon"),
    [
        ("maxspeed=50 maxspeed:conditional=30~@~(Mo-Fr~07:00-09:00)", CAR, 30, 50),
        ("maxspeed=50 maxspeed:conditional=20~mph~@~(Mo-Fr~07:00-09:00)", VAN, 32.187, 50),
        ("maxspeed=50 maxspeed:conditional=70~@~(Mo-Fr~07:00-09:00)", CAR, 70, 50),
        ("maxspeed=50 maxspeed:conditional=30~@~(weight>7.5)", CAR, 50, 50),
        ("maxspeed=50 maxspeed:conditional=30~@~(weight>7.5)", TRUCK, 30, 30),
        ("maxspeed=50 maxspeed:hgv=40", TRUCK, 40, 40),
        ("maxspeed=50 maxspeed:hgv=40", CAR, 50, 50),
        ("maxspeed=50 maxspeed:hgv:conditional=40~@~(Mo-Fr~07:00-09:00)", TRUCK, 40, 50),
        ("maxspeed=50 maxspeed:forward:conditional=30~@~(Mo-Fr~07:00-09:00)", CAR, 30, 50),
        ("maxspeed=50 maxspeed:backward:conditional=30~@~(Mo-Fr~07:00-09:00)", CAR, 50, 50),
        ("maxspeed:forward=30 maxspeed:backward=50", CAR, 30, 30),
        ("maxspeed=50 maxspeed:conditional=30~@~(Mo-Fr~07:00-09:00);40~@~(Tu)", CAR, 40, 40),
        ("maxspeed=50 maxspeed:conditional=30~@~(wet)", CAR, 50, 50),
        ("maxspeed=50 maxspeed:conditional=none~@~(Su)", CAR, 50, 50),
    ],
)
def test_speeds_at_certain_hours(tags, mode, morning, noon):
    """Limits change by the clock, the vehicle and the direction; a street's free-flow share stays."""
    drawn = draw(f"A B\n---\nAB {tags}\n")
    assert kmh(drawn, "AB", TUESDAY_8, mode) == pytest.approx(0.75 * morning, abs=0.1)
    assert kmh(drawn, "AB", TUESDAY_12, mode) == pytest.approx(0.75 * noon, abs=0.1)


def test_given_speeds_keep_to_the_limit_of_the_hour():
    """A forecast for 50 does not hold where 30 is allowed before school; a slower queue does."""
    drawn = draw("A B\n---\nAB maxspeed=50 maxspeed:conditional=30~@~(Mo-Fr~07:00-09:00)\n")
    fast, slow = np.full(2, 37.5), np.full(2, 10.0)
    assert [kmh(drawn, "AB", when, speeds=fast) for when in (TUESDAY_8, TUESDAY_12)] == [22.5, 37.5]
    assert [kmh(drawn, "AB", when, speeds=slow) for when in (TUESDAY_8, TUESDAY_12)] == [10.0, 10.0]


def test_conditional_speeds_not_understood_are_counted():
    """Weather is not known here."""
    drawn = draw("A B\n---\nAB maxspeed:conditional=30~@~(wet) oneway:conditional=yes~@~(wet)\n")
    assert drawn.report.skipped == {"condition not understood": 2}


def test_deliveries_in_the_morning():
    """A van may end in a closed street during delivery hours, and is not put there at others."""
    drawn = draw(BYPASS.format("highway=track motor_vehicle:conditional=delivery~@~(Mo-Fr~07:00-09:00)"))
    assert drawn.way("SA", "AB", VAN, at(drawn, TUESDAY_8, VAN)) == "SA AB"
    assert drawn.way("SA", "AB", VAN, at(drawn, TUESDAY_12, VAN)) == "-"
    assert drawn.way("SA", "AB", CAR, at(drawn, TUESDAY_8)) == "-"
    middle = drawn.graph.shape_lat_e7[drawn.graph.first_shape[drawn.arc("AB")]] * 1e-7
    lon = (drawn.graph.node_lon_e7[drawn.node("A")] + drawn.graph.node_lon_e7[drawn.node("B")]) * 0.5e-7
    assert drawn.engine.snap(middle, lon, VAN).arc[0] not in {drawn.arc("AB"), drawn.arc("BA")}


def test_what_is_not_understood_is_counted():
    """Conditions left out are in the report, once per way."""
    drawn = draw(BYPASS.format("motor_vehicle:conditional=no~@~(sunset-sunrise) hgv:conditional=no~@~(wet)"))
    assert drawn.report.skipped == {"condition not understood": 2}


def hold(text, *local, zone=LISBON, calendar=NO_HOLIDAYS):
    """Whether opening hours hold at a local time, or a unix time."""
    rules, _ = build_rules([text])
    unix_s = local[0] if len(local) == 1 else datetime(*local, tzinfo=zone).timestamp()
    return bool(rules_holding(rules, unix_s, zone, calendar)[0])


def test_edges_of_intervals():
    """The begin belongs to an interval, the end does not; a day is the local one."""
    for minute, expected in (((6, 59), False), ((7, 0), True), ((8, 59), True), ((9, 0), False)):
        assert hold("Mo-Fr 07:00-09:00", 2026, 3, 10, *minute) == expected
    assert hold("Tu", 2026, 3, 10, 0, 0)
    assert not hold("Tu", 2026, 3, 9, 23, 59)
    assert hold("24/7", 2026, 3, 15, 3, 0)


def test_past_midnight():
    """22:00–06:00 of Friday ends on Saturday morning; Sunday's wraps into Monday."""
    assert hold("Fr 22:00-06:00", 2026, 3, 13, 23, 0)
    assert hold("Fr 22:00-06:00", 2026, 3, 14, 5, 59)
    assert not hold("Fr 22:00-06:00", 2026, 3, 13, 5, 0)
    assert not hold("Fr 22:00-06:00", 2026, 3, 14, 22, 0)
    assert hold("Su 22:00-06:00", 2026, 3, 16, 1, 0)


def test_nights_when_clocks_change():
    """The hour that comes twice holds twice; the one that is left out never; neighbours are not moved."""
    back = int(datetime(2026, 10, 25, 0, 0, tzinfo=ZoneInfo("UTC")).timestamp())  # 02:00 CEST in Berlin
    assert [hold("02:00-03:00", back + 1800 * k, zone=BERLIN) for k in range(-1, 6)] == [False, *[True] * 4, False, False]
    forth = int(datetime(2026, 3, 29, 0, 0, tzinfo=ZoneInfo("UTC")).timestamp())  # 01:00 CET, an hour before the jump
    assert not any(hold("02:00-03:00", forth + 600 * k, zone=BERLIN) for k in range(-3, 24))
    assert hold("03:00-04:00", forth + 3600, zone=BERLIN)
    assert hold("Sa 22:00-06:00", forth + 3 * 3600, zone=BERLIN)  # 05:00 CEST
    assert not hold("Sa 22:00-06:00", forth + 4 * 3600, zone=BERLIN)


def test_public_and_school_holidays():
    """`PH` holds on holidays only, `PH off` takes them out, `SH` likewise; nobody knows of holidays unless told."""
    noon = 2026, 6, 10, 12, 0  # a Wednesday
    public, school = Calendar(frozenset({date(2026, 6, 10)})), Calendar(school_holidays=frozenset({date(2026, 6, 10)}))
    for word, other, calendar in (("PH", "SH", public), ("SH", "PH", school)):
        assert hold(f"Mo,{word} 10:00-14:00", *noon, calendar=calendar)
        assert not hold(word, *noon)
        assert hold(word, *noon, calendar=calendar)
        assert not hold(other, *noon, calendar=calendar)
        assert hold(f"Mo-Fr 10:00-14:00; {word} off", *noon)
        assert not hold(f"Mo-Fr 10:00-14:00; {word} off", *noon, calendar=calendar)
        assert not hold("Mo-Fr 10:00-14:00; SH,PH off", *noon, calendar=calendar)
        assert not hold(f"24/7; {word} off", *noon, calendar=calendar)
        assert hold(f"Mo-Fr 10:00-14:00; {other} off", *noon, calendar=calendar)


def test_a_holiday_ends_at_midnight_but_its_intervals_do_not():
    """An interval past midnight belongs to the day it begins on."""
    tuesday = Calendar(frozenset({date(2026, 6, 9)}))
    assert not hold("Tu 22:00-06:00; PH off", 2026, 6, 10, 3, 0, calendar=tuesday)
    assert hold("We 22:00-06:00; PH off", 2026, 6, 11, 3, 0, calendar=tuesday)
    assert hold("PH 22:00-06:00", 2026, 6, 10, 3, 0, calendar=tuesday)


def test_no_rules_at_all():
    """A city without timed rules; and a wrong number of them is refused."""
    assert rules_holding(no_rules(), 0.0, LISBON).tolist() == []
    drawn = draw(CROSS)
    with pytest.raises(InvalidInput) as caught:
        drawn.engine.metric(CAR, rules_holding=np.ones(3, bool))
    assert caught.value.field == "rules_holding"

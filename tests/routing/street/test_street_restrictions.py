"""Every kind of turn restriction forbids what it says and nothing else."""

import pytest

from routing.model.modes import StreetMode
from tests.builders.streets import draw

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


@pytest.mark.parametrize(
    ("restriction", "start", "end", "expected"),
    [
        ("", "WC", "NC", "WC CN"),
        ("no_left_turn WC C NC", "WC", "NC", "WC CS SC CN"),
        ("no_left_turn WC C NC", "WC", "CS", "WC CS"),
        ("no_left_turn WC C NC", "CE", "NC", "EC CN"),
        ("no_right_turn WC C CS", "WC", "CS", "WC CN NC CS"),
        ("no_straight_on WC C CE", "WC", "CE", "WC CS SC CE"),
        ("only_straight_on WC C CE", "WC", "CE", "WC CE"),
        ("only_straight_on WC C CE", "WC", "NC", "WC CE EC CN"),
        ("only_straight_on WC C CE", "NC", "WC", "NC CW"),
        ("only_right_turn WC C CS", "WC", "CE", "WC CS SC CE"),
        ("only_left_turn WC C NC", "WC", "CE", "WC CN NC CE"),
        ("no_left_turn WC C NC except=motorcar", "WC", "NC", "WC CN"),
        ("no_left_turn WC C NC except=bicycle;psv", "WC", "NC", "WC CS SC CN"),
        ("no_exit WC C NC", "WC", "NC", "WC CS SC CN"),
        ("no_entry WC C NC", "WC", "NC", "WC CS SC CN"),
        ("tagged WC C NC restriction:hgv=no_left_turn", "WC", "NC", "WC CN"),
        ("tagged WC C NC restriction:motorcar=no_left_turn", "WC", "NC", "WC CS SC CN"),
        ("tagged WC C NC restriction:conditional=no_left_turn~@~(07:00-09:00)", "WC", "NC", "WC CN"),
        ("tagged WC C NC restriction:conditional=no_left_turn~@~(weight>7.5)", "WC", "NC", "WC CN"),
        ("no_left_turn WC C NC hour_on=07:00 hour_off=09:00", "WC", "NC", "WC CN"),
    ],
)
def test_via_node(restriction, start, end, expected):
    """A restriction at a junction binds the turn it names, for the vehicles it names."""
    drawn = draw(CROSS + restriction)
    assert drawn.way(start, end) == expected


def test_no_way_left():
    """Where every turn is forbidden and nothing leads around, there is no way, and it is said."""
    drawn = draw("""
A B C
---
AB
BC
no_straight_on AB B BC
""")
    assert drawn.way("AB", "BC") == "-"
    assert drawn.way("BC", "AB") == "CB BA"


def test_modes_bound():
    """A plain restriction binds vehicles and bicycles, never walkers; `restriction:hgv` binds trucks only."""
    plain = draw(CROSS + "no_left_turn WC C NC")
    for mode in (StreetMode.CAR, StreetMode.VAN, StreetMode.TRUCK, StreetMode.BICYCLE):
        assert plain.way("WC", "NC", mode) == "WC CS SC CN"
    for mode in (StreetMode.FOOT, StreetMode.WHEELCHAIR):
        assert plain.way("WC", "NC", mode) == "WC CN"
    truck = draw(CROSS + "tagged WC C NC restriction:hgv=no_left_turn")
    assert truck.way("WC", "NC", StreetMode.CAR) == truck.way("WC", "NC", StreetMode.VAN) == "WC CN"
    assert truck.way("WC", "NC", StreetMode.TRUCK) == "WC CS SC CN"


@pytest.mark.parametrize(
    ("restriction", "start", "end", "expected"),
    [
        ("", "AB", "EF", "AB BE EF"),
        ("no_u_turn AB BE EF", "AB", "EF", "AB BC CF FE"),
        ("no_u_turn AB BE EF", "AB", "EH", "AB BE EH"),  # and who goes elsewhere may pass
        ("only_straight_on AB BE EH", "AB", "EH", "AB BE EH"),
        ("only_straight_on AB BE EH", "AB", "EF", "AB BC CF FE"),
        ("only_straight_on AB BE EH", "AB", "CD", "AB BC CD"),  # who does not enter the via way is free
    ],
)
def test_via_way(restriction, start, end, expected):
    """A restriction over a way binds only who came along `from` and goes on to `to`."""
    assert draw(LADDER + restriction).way(start, end) == expected


@pytest.mark.parametrize("restriction", ["no_u_turn AB BE EF", "only_straight_on AB BE EH"])
def test_via_way_leaves_others_free(restriction):
    """Who enters the via way from another street may take the turn."""
    assert draw(LADDER.replace("CF\n", "") + restriction).way("BC", "EF") == "CB BE EF"


def test_via_several_ways():
    """A forbidden chain of four streets can be driven in all its parts, but not as a whole."""
    drawn = draw(LADDER + "no_straight_on AB BE EF FI")
    assert drawn.way("AB", "EF") == "AB BE EF"
    assert drawn.way("BE", "FI") == "BE EF FI"
    assert drawn.way("AB", "FI") != "AB BE EF FI"
    assert drawn.way("AB", "FI") != "-"


def test_via_way_cut_at_a_junction():
    """A via way of two arcs is followed through the junction in its middle."""
    drawn = draw(LADDER.replace("BE\n", "").replace("EH\n", "BEH\n") + "no_left_turn AB BEH HI")
    assert drawn.report.restrictions == 1
    assert drawn.way("AB", "HI") != "AB BE EH HI"
    assert drawn.way("BC", "HI") in {"CB BE EH HI", "CB BE EF FI IH", "BC CF FI IH"}
    assert drawn.way("AB", "GH") == "AB BE EH HG"


def test_overlapping_via_way_restrictions():
    """Two chains that share streets are both obeyed."""
    drawn = draw(LADDER + "no_straight_on AB BE EF FC\nno_straight_on BE EF FI\n".replace("FC", "CF"))
    assert drawn.report.restrictions == 2
    assert "BE EF FI" not in drawn.way("AB", "FI")
    assert "AB BE EF FC" not in drawn.way("AB", "CD")


def test_no_u_turn_at_a_dead_end():
    """`no_u_turn` from a way to itself forbids the turn at the one place where it would else be allowed."""
    drawing = """
A B C
---
AB
BC
"""
    assert draw(drawing).way("AB", "BC") == "AB BC"
    free, bound = draw(drawing), draw(drawing + "no_u_turn BC C BC")
    turning = (free.arc("BC"), free.arc("CB"))
    assert turning in _turns(free) - _turns(bound)
    assert _turns(bound) < _turns(free)


def _turns(drawn):
    """Pairs of arcs a car may drive one after the other."""
    car = drawn.engine.network(StreetMode.CAR)
    return {(int(a), int(car.state_arc[s])) for a, s in zip(car.edge_arc, car.edge_to, strict=True)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no_left_turn WC C NC except=motor_vehicle;bicycle", "binds no mode"),
        ("tagged WC C NC restriction:conditional=no_left_turn@(sunset-sunrise)", "condition not understood"),
        ("tagged WC C NC restriction:conditional=none@(Mo-Fr)", "condition not understood"),
        ("no_left_turn WC C NC hour_on=seven", "condition not understood"),
        ("tagged WC C NC restriction=maybe", "unknown kind"),
        ("no_left_turn WC NC", "incomplete"),
        ("no_left_turn WC N CS", "ways do not meet"),
    ],
)
def test_left_out(text, reason):
    """What cannot be used is counted by reason, and the rest of the city still works."""
    drawn = draw(CROSS + text)
    assert drawn.report.skipped == {reason: 1}
    assert drawn.way("WC", "NC") == "WC CN"


@pytest.mark.parametrize(
    "restrictions",
    [
        "only_straight_on WC C CE\nonly_right_turn WC C CS",
        "only_straight_on WC C CE\nno_straight_on WC C CE",
    ],
)
def test_contradictory(restrictions):
    """Restrictions that leave nothing to do are all left out, and counted; nobody is stranded."""
    drawn = draw(CROSS + restrictions)
    assert drawn.report.skipped == {"contradictory": 2}
    for goal in ("CE", "NC", "CS"):
        assert drawn.way("WC", goal) == f"WC {goal if goal[0] == 'C' else goal[::-1]}"


def test_agreeing_and_for_different_vehicles():
    """The same demand twice, one beside a ban on another turn, and two for different vehicles do not contradict each other."""
    twice = draw(CROSS + "only_straight_on WC C CE\nonly_straight_on WC C CE\nno_left_turn WC C NC")
    assert twice.report.skipped == {}
    assert twice.way("WC", "NC") == "WC CE EC CN"
    split = draw(CROSS + "tagged WC C CE restriction:hgv=only_straight_on\ntagged WC C CS restriction:motorcar=only_right_turn")
    assert split.report.skipped == {}
    assert split.way("WC", "NC") == "WC CS SC CN"
    assert split.way("WC", "NC", StreetMode.TRUCK) == "WC CE EC CN"


def test_only_into_nowhere():
    """A demand to go where one may not strands nobody: it binds only who may go there."""
    closed = draw(CROSS.replace("CE\n", "CE highway=footway\n") + "only_straight_on WC C CE")
    assert closed.report.skipped == {"leads where nobody it binds may go": 1}
    assert closed.way("WC", "NC") == "WC CN"
    buses = draw(CROSS.replace("CE\n", "CE motor_vehicle=no\n") + "only_straight_on WC C CE")
    assert buses.way("WC", "NC") == "WC CN"
    assert buses.way("WC", "NC", StreetMode.BICYCLE) == "WC CE EC CN"
    against = draw(CROSS.replace("CE\n", "EC oneway=yes\n").replace("CE", "EC") + "only_straight_on WC C EC")
    assert against.way("WC", "NC") == "WC CN"


def test_a_way_that_passes_its_via_node():
    """Of a one-way street that runs on through the via node, the half that leads there is meant."""
    drawn = draw(CROSS.replace("WC\nCE\n", "WCE oneway=yes\n") + "no_left_turn WCE C NC")
    assert drawn.report.restrictions == 1
    assert drawn.way("WC", "NC") == "WC CS SC CN"
    unclear = draw(CROSS.replace("WC\nCE\n", "WCE\n") + "no_left_turn WCE C NC")
    assert unclear.report.skipped == {"ways do not meet": 1}

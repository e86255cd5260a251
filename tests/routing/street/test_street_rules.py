"""One-ways, access, barriers, dead ends, closures and speeds, each on a drawn street."""

import numpy as np
import pytest

from routing.errors import InvalidInput, Unreachable
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.api import SpeedOptions
from tests.builders.streets import ORIGIN_DEG, draw

CAR, VAN, TRUCK, BICYCLE, FOOT, WHEELCHAIR, CARGO_BIKE = StreetMode
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
DIRECT, AROUND = ("SA AB BT", "TB BA AS"), ("SA AD DE EB BT", "TB BE ED DA AS")


@pytest.mark.parametrize(
    ("tags", "mode", "there", "back"),
    [
        ("", CAR, DIRECT, DIRECT),
        ("oneway=yes", CAR, DIRECT, AROUND),
        ("oneway=-1", CAR, AROUND, DIRECT),
        ("oneway=yes", BICYCLE, DIRECT, AROUND),
        ("oneway=yes oneway:bicycle=no", BICYCLE, DIRECT, DIRECT),
        ("oneway=yes cycleway=opposite_lane", BICYCLE, DIRECT, DIRECT),
        ("oneway:bicycle=yes", BICYCLE, DIRECT, AROUND),
        ("oneway=yes", FOOT, DIRECT, DIRECT),
        ("oneway:foot=yes", FOOT, DIRECT, AROUND),
        ("junction=roundabout", CAR, DIRECT, AROUND),
        ("junction=roundabout oneway=no", CAR, DIRECT, DIRECT),
        ("highway=motorway", CAR, DIRECT, AROUND),
        ("highway=motorway", FOOT, AROUND, AROUND),
        ("highway=trunk motorroad=yes", BICYCLE, AROUND, AROUND),
        ("oneway=reversible", CAR, AROUND, AROUND),
        ("access=no", CAR, AROUND, AROUND),
        ("access=private", FOOT, AROUND, AROUND),
        ("access=no foot=yes", FOOT, DIRECT, DIRECT),
        ("access=no motor_vehicle=yes", TRUCK, DIRECT, DIRECT),
        ("access=no motor_vehicle=yes", BICYCLE, AROUND, AROUND),
        ("vehicle=no", BICYCLE, AROUND, AROUND),
        ("motor_vehicle=no", BICYCLE, DIRECT, DIRECT),
        ("motor_vehicle=no", VAN, AROUND, AROUND),
        ("hgv=no", TRUCK, AROUND, AROUND),
        ("hgv=no", VAN, DIRECT, DIRECT),
        ("highway=steps", FOOT, DIRECT, DIRECT),
        ("highway=steps", WHEELCHAIR, AROUND, AROUND),
        ("highway=steps ramp:wheelchair=yes wheelchair=yes", WHEELCHAIR, DIRECT, DIRECT),
        ("highway=steps bicycle=yes", BICYCLE, AROUND, AROUND),
        ("highway=cycleway", BICYCLE, DIRECT, DIRECT),
        ("highway=cycleway", CAR, AROUND, AROUND),
        ("highway=path", WHEELCHAIR, AROUND, AROUND),
        ("highway=path surface=asphalt", WHEELCHAIR, DIRECT, DIRECT),
        ("wheelchair=no", WHEELCHAIR, AROUND, AROUND),
        ("highway=track", CAR, AROUND, AROUND),
        ("highway=track motor_vehicle=yes", CAR, DIRECT, DIRECT),
        ("access=destination", CAR, AROUND, AROUND),
        ("vehicle=destination", FOOT, DIRECT, DIRECT),
        ("motor_vehicle=delivery", CAR, AROUND, AROUND),
        ("motor_vehicle=delivery", VAN, AROUND, AROUND),
        ("highway=construction", CAR, AROUND, AROUND),
        ("route=ferry", FOOT, DIRECT, DIRECT),
        ("route=ferry duration=00:20", FOOT, AROUND, AROUND),
        ("route=ferry", CAR, AROUND, AROUND),
        ("route=ferry duration=00:00:20 motor_vehicle=yes", CAR, DIRECT, DIRECT),
        ("maxspeed=5", CAR, AROUND, AROUND),
        ("maxspeed:backward=5", CAR, DIRECT, AROUND),
    ],
)
def test_who_may_pass(tags, mode, there, back):
    """A tagged street is taken by who may, in the directions they may, and avoided by the others."""
    drawn = draw(BYPASS.format(tags))
    assert drawn.way("SA", "BT", mode) == there[0]
    assert drawn.way("BT", "SA", mode) == back[1]


@pytest.mark.parametrize(
    ("tags", "passing"),
    [
        ("barrier=bollard", {BICYCLE, FOOT, WHEELCHAIR, CARGO_BIKE}),
        ("barrier=gate", set(StreetMode)),
        ("barrier=gate access=private", set()),
        ("barrier=gate access=private foot=yes", {FOOT, WHEELCHAIR}),
        ("barrier=bollard motor_vehicle=yes", set(StreetMode)),
        ("barrier=stile", {FOOT}),
        ("barrier=cycle_barrier", {BICYCLE, FOOT, WHEELCHAIR}),
        ("barrier=block", {BICYCLE, FOOT, WHEELCHAIR, CARGO_BIKE}),
        ("barrier=lift_gate vehicle=no", {FOOT, WHEELCHAIR}),
        ("barrier=kerb", set(StreetMode) - {WHEELCHAIR}),
        ("barrier=kerb kerb=lowered", set(StreetMode)),
        ("barrier=kerb wheelchair=yes", set(StreetMode)),
        ("highway=crossing kerb=raised", set(StreetMode) - {WHEELCHAIR}),
        ("highway=crossing kerb=flush", set(StreetMode)),
        ("barrier=sump_buster", {TRUCK, BICYCLE, FOOT, WHEELCHAIR, CARGO_BIKE}),
        ("barrier=height_restrictor maxheight=2.2", set(StreetMode) - {VAN, TRUCK}),
        ("barrier=gate maxwidth=2.3", set(StreetMode) - {TRUCK}),
        ("barrier=toll_booth", set(StreetMode)),
        ("barrier=no", set(StreetMode)),
        ("highway=crossing", set(StreetMode)),
    ],
)
def test_barriers(tags, passing):
    """A barrier in the middle of a street stops who cannot pass it, and nobody else."""
    drawn = draw(BYPASS.replace("A     B", "A  X  B").format("").replace("AB", "AXB") + f"X: {tags}\n")
    for mode in StreetMode:
        way = drawn.way("SA", "BT", mode)
        straight = way.split()[0] == "SA" and way.split()[1] in {"AX", "AB"}
        assert straight == (mode in passing), (mode, way)


def test_both_sides_of_a_barrier_are_reached():
    """A street closed in its middle by a bollard is driven up to it from either side, and left by turning round."""
    drawn = draw(BYPASS.replace("A     B", "A  X  B").format("").replace("AB", "AXB") + "X: barrier=bollard\n")
    assert drawn.way("SA", "AX") == "SA AX"
    assert drawn.way("BT", "XB") == "TB BX"
    assert drawn.way("AX", "XB") == "XA AD DE EB BX"
    assert drawn.way("AX", "XB", FOOT) == "AX XB"


def test_walkers_respect_barriers_on_both_sides():
    """Walking is node-based: a gate closed to walkers separates the two streets that meet at it."""
    drawn = draw(BYPASS.replace("A     B", "A  X  B").format("").replace("AB", "AXB") + "X: barrier=gate access=no\n")
    assert drawn.way("AX", "XB", FOOT) == "XA AD DE EB BX"
    assert drawn.way("AX", "AX", FOOT) == "AX"


def test_no_through_zone():
    """Streets for residents are driven to reach them or to leave them, not to cut through, even past a junction inside."""
    text = """
S A X B T

    D

    E
---
SA
AX  motor_vehicle=destination
XB  motor_vehicle=destination
XD  motor_vehicle=destination
BT
AE
EB
"""
    drawn = draw(text)
    assert drawn.way("SA", "BT") == "SA AE EB BT"
    assert drawn.way("SA", "XD") == "SA AX XD"
    assert drawn.way("XD", "BT") == "DX XB BT"
    assert drawn.way("AX", "XB") == "AX XB"
    assert drawn.way("SA", "BT", FOOT) == "SA AX XB BT"


def test_two_no_through_zones():
    """Who leaves one such zone may end in another but not cut through it."""
    text = """
A B C D E

  F
---
AB motor_vehicle=destination
BC
CD motor_vehicle=customers
DE
BF
FE
"""
    drawn = draw(text)
    assert drawn.way("AB", "DE") == "AB BF FE ED"
    assert drawn.way("AB", "CD") == "AB BC CD"


def test_turning_round_only_at_dead_ends():
    """Who has to turn round does not do it at a junction but at the next end of a road."""
    drawn = draw("""
  N
W C     E
  S P

  Q
---
WC
CE
NC
CSQ
SP
no_left_turn WC C NC
""")
    assert drawn.way("WC", "NC") == "WC CS SP PS SC CN"


def test_closures_and_speeds():
    """Closing a street or slowing it down sends traffic around; other modes do not care about slow traffic."""
    drawn = draw(BYPASS.format(""))
    arcs = [drawn.arc("AB"), drawn.arc("BA")]
    assert drawn.way("SA", "BT", metric=drawn.engine.metric(CAR, closed_arcs=arcs)) == AROUND[0]
    mask = np.zeros(drawn.graph.arc_count, bool)
    mask[arcs[:1]] = True
    one = drawn.engine.metric(CAR, closed_arcs=mask)
    assert (drawn.way("SA", "BT", metric=one), drawn.way("BT", "SA", metric=one)) == (AROUND[0], DIRECT[1])
    slow = np.full(drawn.graph.arc_count, np.nan)
    slow[arcs] = 3.0
    assert drawn.way("SA", "BT", metric=drawn.engine.metric(CAR, slow)) == AROUND[0]
    assert drawn.way("SA", "BT", BICYCLE, drawn.engine.metric(BICYCLE, slow)) == DIRECT[0]
    nonsense = np.array([-5.0, 0.0, np.inf, np.nan] * 4)[: drawn.graph.arc_count]
    free = drawn.engine.metric(CAR).arc_time_ms
    assert drawn.engine.metric(CAR, nonsense).arc_time_ms.tolist() == free.tolist()


def test_closed_on_all_sides():
    """A position nothing open leads to is unreachable, in times and in routes."""
    drawn = draw(BYPASS.format(""))
    metric = drawn.engine.metric(CAR, closed_arcs=[drawn.arc("BT"), drawn.arc("TB")])
    assert drawn.engine.one_to_many(metric, drawn.at("SA"), 0, drawn.at("BT", "AB"))[0] == UNREACHABLE_MS
    with pytest.raises(Unreachable, match="CAR"):
        drawn.engine.route(metric, drawn.at("SA"), 0, drawn.at("BT"), 0)


def test_time_along_one_street():
    """Two positions on one street: straight along it where allowed, around the block on a one-way."""
    drawn = draw(BYPASS.format("oneway=yes maxspeed=48"))
    metric = drawn.engine.metric(CAR)
    ahead = drawn.engine.one_to_many(metric, drawn.at("AB", fraction=0.25), 0, drawn.at("AB", fraction=0.75))[0]
    assert ahead == round(0.5 * int(metric.arc_time_ms[drawn.arc("AB")]))
    path = drawn.engine.route(metric, drawn.at("AB", fraction=0.75), 0, drawn.at("AB", fraction=0.25), 0)
    assert drawn.letters(path.arcs) == "AB BE ED DA AB"
    walk = drawn.engine.metric(FOOT)
    back = drawn.engine.route(walk, drawn.at("AB", fraction=0.75), 0, drawn.at("AB", fraction=0.25), 0)
    assert drawn.letters(back.arcs) == "BA"
    assert back.length_m == pytest.approx(150.0, rel=1e-3)
    assert back.time_ms == pytest.approx(150.0 / 4.8 * 3600, rel=1e-3)


def test_path_line_and_steps():
    """A path starts and ends part-way, its line follows the bends, and its steps name the streets and turns."""
    drawn = draw("""
A B
  C D
---
ABC name=Rua_Um
CD  name=Rua_Dois
""")
    metric = drawn.engine.metric(FOOT, options=SpeedOptions(foot_kmh=3.6))
    path = drawn.engine.route(metric, drawn.at("AC", fraction=0.25), 0, drawn.at("CD"), 0)
    assert path.length_m == pytest.approx(200.0, rel=1e-3)
    assert path.time_ms == pytest.approx(200_000, rel=1e-3)
    assert [(step.name, step.manoeuvre, round(step.length_m)) for step in path.steps] == [
        ("Rua Um", "depart", 150),
        ("Rua Dois", "left", 50),
    ]
    east = (path.lon_deg - ORIGIN_DEG[1]) * 111_195.08 * np.cos(np.radians(ORIGIN_DEG[0]))
    north = (path.lat_deg - ORIGIN_DEG[0]) * 111_195.08
    assert np.round(east).tolist() == [50, 100, 100, 150]
    assert np.round(north).tolist() == [0, 0, -100, -100]
    assert path.steps[1].first_point == 2


def test_bad_arguments():
    """Wrong shapes, indices and limits are refused, naming the field."""
    drawn = draw(BYPASS.format(""))
    engine, places = drawn.engine, drawn.at("SA")
    for call, field in (
        (lambda: engine.metric(CAR, [1.0]), "arc_speed_kmh"),
        (lambda: engine.metric(CAR, closed_arcs=[999]), "closed_arcs"),
        (lambda: engine.metric(CAR, closed_arcs=[True]), "closed_arcs"),
        (lambda: engine.one_to_many(engine.metric(CAR), places, 0, places, -1.0), "limit_s"),
        (lambda: engine.snap([91.0], [0.0], CAR), "lat_deg"),
        (lambda: engine.snap([np.nan], [0.0], CAR), "lat_deg"),
        (lambda: engine.snap([41.0], [181.0], CAR), "lon_deg"),
        (lambda: engine.snap([41.0], [0.0, 1.0], CAR), "lon_deg"),
        (lambda: engine.snap([41.0], [0.0], CAR, -1.0), "max_distance_m"),
        (lambda: SpeedOptions(foot_kmh=0.0), "foot_kmh"),
    ):
        with pytest.raises(InvalidInput) as caught:
            call()
        assert caught.value.field == field

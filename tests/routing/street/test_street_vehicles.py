"""What a vehicle is decides where it goes: measures, width, surface and slope, each on a drawn street."""

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.api import SpeedOptions, VehicleLimits
from routing.street.metric import closed_to_vehicle
from tests.builders.streets import draw

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
DIRECT, AROUND = "SA AB BT", "SA AD DE EB BT"


@pytest.mark.parametrize(
    ("tags", "vehicle", "fits"),
    [
        ("maxheight=3.5", VehicleLimits(height_m=3.5), True),
        ("maxheight=3.5", VehicleLimits(height_m=3.6), False),
        ("maxheight=3.59", VehicleLimits(height_m=3.55), False),  # rounded down: rather around than stuck
        ("maxheight=default", VehicleLimits(height_m=4.0), True),
        ("maxheight=12'6\"", VehicleLimits(height_m=3.8), True),
        ("maxheight=12'6\"", VehicleLimits(height_m=3.9), False),
        ("maxheight:physical=3", VehicleLimits(height_m=3.1), False),
        ("maxweight=7.5", VehicleLimits(weight_t=7.5), True),
        ("maxweight=7.5", VehicleLimits(weight_t=12), False),
        ("maxweightrating=3500kg", VehicleLimits(weight_t=3.6), False),
        ("maxaxleload=8", VehicleLimits(weight_t=12, axle_load_t=8.5), False),
        ("maxlength=10", VehicleLimits(length_m=16.5), False),
        ("maxwidth=2", VehicleLimits(width_m=2.5), False),
        ("maxwidth=2", VehicleLimits(), True),
        ("motor_vehicle:conditional=no@(weight>7.5)", VehicleLimits(weight_t=10), False),
        ("motor_vehicle:conditional=no@(weight>7.5)", VehicleLimits(weight_t=7), True),
    ],
)
def test_measures(tags, vehicle, fits):
    """A truck that is too high, wide, long or heavy for a street goes around; the same truck unloaded may not have to."""
    drawn = draw(BYPASS.format(tags))
    options = SpeedOptions(limits={TRUCK: vehicle})
    assert drawn.way("SA", "BT", TRUCK, drawn.engine.metric(TRUCK, options=options)) == (DIRECT if fits else AROUND)
    closed = closed_to_vehicle(drawn.graph, vehicle)
    assert np.flatnonzero(closed).tolist() == ([] if fits else sorted([drawn.arc("AB"), drawn.arc("BA")]))


@pytest.mark.parametrize(("tags", "modes"), [("maxheight=2.5", {VAN, TRUCK}), ("maxweight=5", {TRUCK}), ("hgv=no", {TRUCK})])
def test_usual_vehicles(tags, modes):
    """Vans and trucks have usual measures unless told otherwise; cars fit everywhere."""
    drawn = draw(BYPASS.format(tags))
    assert {mode for mode in (CAR, VAN, TRUCK) if drawn.way("SA", "BT", mode) == AROUND} == modes


def test_limits_at_a_barrier():
    """Under a height restrictor a van does not pass; the shorter street beside it counts as closed, the other is reached."""
    drawn = draw(BYPASS.replace("A     B", "A   X B").format("").replace("AB", "AXB") + "X: barrier=gate maxheight=2\n")
    assert drawn.way("SA", "BT", CAR) == "SA AX XB BT"
    assert drawn.way("SA", "BT", VAN) == AROUND
    assert drawn.way("SA", "AX", VAN) == "SA AX"
    assert drawn.way("AX", "BT", VAN) == "XA AD DE EB BT"
    assert drawn.way("BT", "XB", VAN) == "-"


@pytest.mark.parametrize(
    ("tags", "mode", "way"),
    [
        ("oneway=-1 cycleway=opposite", BICYCLE, DIRECT),
        ("oneway=-1 cycleway:left=opposite_track", CARGO_BIKE, DIRECT),
        ("oneway=-1 cycleway:left=lane cycleway:left:oneway=-1", BICYCLE, DIRECT),
        ("oneway=-1 cycleway:left=lane", BICYCLE, AROUND),
        ("oneway=-1 oneway:bicycle=no", CARGO_BIKE, DIRECT),
        ("oneway:bicycle=-1", BICYCLE, AROUND),
        ("bicycle=no", CARGO_BIKE, AROUND),
        ("bicycle=no cargo_bike=yes", CARGO_BIKE, DIRECT),
        ("highway=cycleway maxwidth=0.8", CARGO_BIKE, AROUND),
        ("highway=cycleway maxwidth=0.8", BICYCLE, DIRECT),
        ("surface=mud", BICYCLE, AROUND),
        ("surface=asphalt", BICYCLE, DIRECT),
        ("highway=track tracktype=grade5", BICYCLE, AROUND),
        ("smoothness=good surface=mud", BICYCLE, DIRECT),
        ("surface=cobblestone", FOOT, DIRECT),
        ("highway=footway width=0.6", WHEELCHAIR, AROUND),
        ("highway=footway width=0.6", FOOT, DIRECT),
        ("highway=footway width=1.2", WHEELCHAIR, DIRECT),
        ("highway=footway smoothness=very_bad", WHEELCHAIR, AROUND),
        ("highway=footway smoothness=very_bad wheelchair=yes", WHEELCHAIR, AROUND),  # allowed, but slower than around
        ("surface=sand", WHEELCHAIR, AROUND),
        ("incline=20%", WHEELCHAIR, AROUND),
        ("incline=-20%", WHEELCHAIR, AROUND),
        ("incline=3%", WHEELCHAIR, DIRECT),
        ("incline=15%", FOOT, DIRECT),
        ("smoothness=horrible", CAR, AROUND),
        ("surface=paving_stones", CAR, DIRECT),
    ],
)
def test_who_prefers_what(tags, mode, way):
    """Contraflow, narrow places, rough ground and slopes send each class its own way."""
    drawn = draw(BYPASS.format(tags))
    assert drawn.way("SA", "BT", mode) == way


def test_slopes_have_a_direction():
    """Cycling uphill is slow, downhill quick; a cargo bike's motor helps up; walkers lose a little uphill."""
    drawn = draw("A B\n---\nAB incline=8%\n")
    flat = draw("A B\n---\nAB\n")
    up, down = drawn.arc("AB"), drawn.arc("BA")
    times = {mode: drawn.engine.metric(mode).arc_time_ms.astype(float) for mode in (BICYCLE, CARGO_BIKE, FOOT, CAR)}
    level = {mode: float(flat.engine.metric(mode).arc_time_ms[0]) for mode in times}
    share = {mode: (times[mode][up] / level[mode], times[mode][down] / level[mode]) for mode in times}
    assert share[BICYCLE][0] > 2.0 > share[CARGO_BIKE][0] > 1.0 > share[BICYCLE][1]
    assert 0.9 < share[FOOT][1] < 1.0 < share[FOOT][0] < 1.5
    assert share[CAR] == (1.0, 1.0)
    assert drawn.graph.arc_incline_pct[[up, down]].tolist() == [8, -8]


def test_steps_are_not_slopes():
    """The incline of steps says which way they climb; it does not slow walkers down twice."""
    plain, steep = (draw(f"A B\n---\nAB highway=steps {tags}\n") for tags in ("", "incline=up"))
    assert plain.engine.metric(FOOT).arc_time_ms.tolist() == steep.engine.metric(FOOT).arc_time_ms.tolist()


def test_wheelchair_slope_is_a_parameter():
    """Who has a strong chair says so."""
    drawn = draw("A B\n---\nAB incline=14%\n")
    assert set(drawn.engine.metric(WHEELCHAIR).arc_time_ms.tolist()) == {UNREACHABLE_MS}
    strong = drawn.engine.metric(WHEELCHAIR, options=SpeedOptions(wheelchair_max_incline_pct=20.0))
    assert UNREACHABLE_MS not in strong.arc_time_ms


def test_impossible_vehicles():
    """Measures no vehicle has are refused, naming the field."""
    for field in ("height_m", "width_m", "length_m", "weight_t", "axle_load_t"):
        for value in (-1.0, 1e4, float("nan")):
            with pytest.raises(InvalidInput) as caught:
                VehicleLimits(**{field: value})
            assert caught.value.field == field


NARROW = """
E A B

  C D F G
---
EA
AB
BD
DC
CA
DF maxwidth=2.0
FG
"""


def test_streets_behind_a_narrow_one_are_islands_for_vans():
    """A stop whose only street is too narrow for the usual van is served from the nearest one that is not."""
    city = draw(NARROW)
    node = city.node("G")
    lat, lon = city.graph.node_lat_e7[node] * 1e-7, city.graph.node_lon_e7[node] * 1e-7
    found = {mode: city.engine.snap([lat], [lon], mode) for mode in (CAR, VAN, TRUCK)}
    assert city.letters(found[CAR].arc) in ("FG", "GF")
    for mode in (VAN, TRUCK):
        assert not set(city.letters(found[mode].arc)) & set("FG")
        metric, there = city.engine.metric(mode), city.at("EA")
        assert city.engine.many_to_many(metric, found[mode], there)[0, 0] < UNREACHABLE_MS
        assert city.engine.many_to_many(metric, there, found[mode])[0, 0] < UNREACHABLE_MS

"""Snapping finds the nearest street a mode may use, never an island, and where along it the position lies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.model.modes import StreetMode
from tests.builders.streets import METRES_PER_DEGREE, ORIGIN_DEG, draw

CAR, BICYCLE, FOOT = StreetMode.CAR, StreetMode.BICYCLE, StreetMode.FOOT
TOWN = """
A B C   X Y

D E F   Z W
---
ABC
AD
BE
CF
DEF oneway=yes
XY
XZ
ZW
YW highway=footway
"""


def degrees(east_m, north_m):
    """Position so far from the drawing's top left letter."""
    stretch = np.cos(np.radians(ORIGIN_DEG[0]))
    return ORIGIN_DEG[0] + north_m / METRES_PER_DEGREE, ORIGIN_DEG[1] + east_m / METRES_PER_DEGREE / stretch


def test_position_along_an_arc():
    """The nearest street, the distance to it, and the fraction along the arc's direction."""
    drawn = draw(TOWN)
    snaps = drawn.engine.snap(*degrees(130.0, 12.0), CAR)
    arc = int(snaps.arc[0])
    assert drawn.letters([arc]) in {"BC", "CB", "AC", "CA"}
    ahead = snaps.fraction[0] if drawn.graph.arc_tail[arc] == drawn.node("B") else 1 - snaps.fraction[0]
    assert ahead == pytest.approx(0.3, abs=1e-3)
    assert snaps.distance_m[0] == pytest.approx(12.0, rel=2e-3)
    assert (snaps.lat_deg[0], snaps.lon_deg[0]) == pytest.approx(degrees(130.0, 0.0), abs=1e-6)


def test_direction_of_a_one_way():
    """On a one-way street the arc is the one cars may drive; walkers get a street of theirs."""
    drawn = draw(TOWN)
    snaps = drawn.engine.snap(*degrees(130.0, -201.0), CAR)
    assert drawn.letters(snaps.arc) == "EF"
    assert snaps.fraction[0] == pytest.approx(0.3, abs=1e-3)


def test_islands_are_not_snapped_to():
    """The block that hangs together with nothing is nobody's nearest street, however near; -1 if nothing else is in reach."""
    drawn = draw(TOWN)
    beside_island = degrees(410.0, 3.0)
    assert drawn.letters(drawn.engine.snap(*beside_island, CAR).arc)[0] in "ABCF"
    assert drawn.engine.snap(*beside_island, CAR, max_distance_m=50.0).arc[0] == -1
    assert np.isnan(drawn.engine.snap(*beside_island, CAR, max_distance_m=50.0).distance_m[0])
    x_y = drawn.arc("XY")
    assert drawn.graph.arc_access[x_y] & CAR.bit
    assert not drawn.graph.arc_routable[x_y] & CAR.bit


def test_traps_are_islands():
    """A one-way street with no way back, or none to reach it, is not snapped to by cars but is by walkers."""
    drawn = draw(TOWN + "CX oneway=yes\n")
    for letters in ("XY", "CX"):
        assert not drawn.graph.arc_routable[drawn.arc(letters)] & CAR.bit
        assert drawn.graph.arc_routable[drawn.arc(letters)] & FOOT.bit


def test_far_away():
    """Positions far outside are not snapped, at once."""
    drawn = draw(TOWN)
    assert drawn.engine.snap([0.0, 89.9, -41.15], [0.0, 179.9, -8.61], CAR, max_distance_m=10_000).arc.tolist() == [-1, -1, -1]


@settings(max_examples=40)
@given(
    places=st.lists(st.tuples(st.floats(-400, 900), st.floats(-700, 400)), min_size=1, max_size=8),
    mode=st.sampled_from([CAR, BICYCLE, FOOT]),
    reach_m=st.sampled_from([30.0, 200.0, 500.0]),
)
def test_equals_brute_force(places, mode, reach_m):
    """The distance is the least over all segments of routable arcs."""
    drawn = draw(TOWN)
    graph = drawn.graph
    lat, lon = degrees(*np.array(places).T)
    snaps = drawn.engine.snap(lat, lon, mode, reach_m)
    segments = [
        (p, p + 1)
        for arc in np.flatnonzero(graph.arc_routable & mode.bit)
        for p in range(graph.first_shape[arc], graph.first_shape[arc + 1] - 1)
    ]
    for i in range(len(places)):
        stretch = np.cos(np.radians(lat[i]))
        east = (graph.shape_lon_e7 * 1e-7 - lon[i]) * stretch * 111_319.49
        north = (graph.shape_lat_e7 * 1e-7 - lat[i]) * 111_319.49
        best = min(_distance(np.array([east[p], north[p]]), np.array([east[q], north[q]])) for p, q in segments)
        if snaps.arc[i] >= 0:
            assert snaps.distance_m[i] == pytest.approx(best, abs=0.01)
        else:
            assert best > reach_m - 0.01


def _distance(a, b):
    """From the origin to a segment."""
    part = np.clip(-(a @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
    return float(np.hypot(*(a + part * (b - a))))

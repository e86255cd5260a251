"""Snapping by name, by bearing and by the side of the street; several streets near a position."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.street.candidates import Candidates, list_candidates
from routing.street.hints import SnapHints, keep_directed, snap_with_hints
from routing.street.names import StreetNames, resemblance, words_of
from routing.street.snapping import SnapGrid, Snaps, usable_for_snapping
from tests.builders.streets import Drawn, draw
from tests.routing.street.test_matching import at

TWO = """
A B C
D E F
---
AB name=Rua_de_Santa_Catarina
BC name=Rua_de_Santa_Catarina
DE name=Avenida_dos_Aliados oneway=yes
EF name=Avenida_dos_Aliados oneway=yes
AD
BE
CF
"""


def snap(
    drawn: Drawn, point: tuple[float, float], hints: SnapHints, mode: StreetMode = StreetMode.CAR, reach_m: float = 120.0
) -> Snaps:
    """Snap one position."""
    graph = drawn.engine.graph
    return snap_with_hints(
        SnapGrid(graph), StreetNames(graph.names), usable_for_snapping(graph, mode), ([point[0]], [point[1]]), hints, reach_m
    )


def near(
    drawn: Drawn, points: list[tuple[float, float]], most: int = 8, reach_m: float = 120.0, *, both: bool = True
) -> Candidates:
    """Streets near some positions."""
    lat, lon = zip(*points, strict=True)
    usable = usable_for_snapping(drawn.engine.graph, StreetMode.CAR)
    return list_candidates(SnapGrid(drawn.engine.graph), lat, lon, usable, reach_m, most, both_directions=both)


def test_candidates_come_nearest_first_with_side_and_bearing() -> None:
    """30 m below the upper street: it in both directions, then the lower one-way street, its own way only."""
    drawn = draw(TWO)
    found = near(drawn, [at(drawn, "BC", 0.5, 0, -30)], reach_m=80.0)
    by_arc = {drawn.letters(found.arc[0, i : i + 1]): i for i in range(int(found.count[0]))}
    assert "FE" not in by_arc
    assert by_arc["BC"] < by_arc["EF"]
    assert by_arc["CB"] < by_arc["EF"]
    assert [int(found.side[0, by_arc[name]]) for name in ("BC", "CB", "EF")] == [1, -1, -1]
    assert found.bearing_deg[0, [by_arc["BC"], by_arc["CB"]]] == pytest.approx([90.0, 270.0], abs=0.1)
    assert found.distance_m[0, [by_arc["BC"], by_arc["EF"]]] == pytest.approx([30.0, 70.0], abs=0.3)


def test_candidates_of_nonsense_are_none() -> None:
    """Positions that are not finite, or off any street, have no candidates; a radius or number out of bounds is refused."""
    drawn = draw(TWO)
    assert near(drawn, [(np.nan, 1.0), (41.0, np.inf), (10.0, 10.0)]).count.tolist() == [0, 0, 0]
    with pytest.raises(InvalidInput, match="max_distance_m"):
        near(drawn, [(41.0, -8.0)], reach_m=-1.0)
    with pytest.raises(InvalidInput, match="most"):
        near(drawn, [(41.0, -8.0)], most=0)


@given(st.lists(st.tuples(st.floats(-0.003, 0.001), st.floats(-0.001, 0.004)), min_size=1, max_size=8), st.integers(1, 6))
def test_few_candidates_are_the_head_of_many(offsets: list[tuple[float, float]], most: int) -> None:
    """Asking for fewer leaves out the farther ones; the first is what plain snapping finds."""
    drawn = draw(TWO)
    points = [(41.15 + dy, -8.61 + dx) for dy, dx in offsets]
    few, many = near(drawn, points, most, 200.0, both=False), near(drawn, points, 30, 200.0, both=False)
    plain = drawn.engine.snap([p[0] for p in points], [p[1] for p in points], StreetMode.CAR, 200.0)
    for k in range(len(points)):
        count = int(few.count[k])
        assert count == min(most, int(many.count[k]))
        assert few.arc[k, :count].tolist() == many.arc[k, :count].tolist()
        assert (few.arc[k, 0] if count else -1) == plain.arc[k]
        assert count == 0 or few.fraction[k, 0] == pytest.approx(plain.fraction[k], abs=1e-6)


def test_a_name_beats_a_nearer_street() -> None:
    """40 m from the one-way street, 60 m from the street that is named."""
    drawn = draw(TWO)
    point = at(drawn, "BC", 0.5, 0, -60)
    assert drawn.letters(snap(drawn, point, SnapHints()).arc) == "EF"
    assert drawn.letters(snap(drawn, point, SnapHints(["R. Sta. Catarina"])).arc) in {"BC", "CB"}
    assert drawn.letters(snap(drawn, point, SnapHints(["Rua do Almada"])).arc) == "EF"
    assert drawn.letters(snap(drawn, point, SnapHints(["R. Sta. Catarina"]), reach_m=50.0).arc) == "EF"


@pytest.mark.parametrize(("bearing", "expected"), [(85.0, "BC"), (275.0, "CB"), (float("nan"), "BC")])
def test_a_bearing_chooses_the_direction(bearing: float, expected: str) -> None:
    """Only the direction travelled is kept, and the position says so."""
    drawn = draw(TWO)
    found = snap(drawn, at(drawn, "BC", 0.5, 0, -5), SnapHints(bearing_deg=[bearing]))
    assert drawn.letters(found.arc) == expected or np.isnan(bearing)
    assert found.directed.tolist() == [not np.isnan(bearing)]


@pytest.mark.parametrize(
    ("north_m", "left", "expected"), [(-8, False, "BC"), (8, False, "CB"), (-8, True, "CB"), (8, True, "BC")]
)
def test_the_kerb_is_on_the_right(north_m: float, left: bool, expected: str) -> None:
    """South of a street one arrives eastward where traffic keeps right, westward where it keeps left."""
    drawn = draw(TWO)
    found = snap(drawn, at(drawn, "BC", 0.4, 0, north_m), SnapHints(curb=True, drive_on_left=left))
    assert drawn.letters(found.arc) == expected
    assert found.directed.tolist() == [True]
    assert found.side.tolist() == [-1 if left else 1]


def test_the_far_side_of_a_one_way_street_is_served_all_the_same() -> None:
    """Nobody may come the other way: the street stays, its side is said, nothing is forced."""
    drawn = draw(TWO)
    found = snap(drawn, at(drawn, "EF", 0.4, 0, 8), SnapHints(curb=True))
    assert (drawn.letters(found.arc), found.side.tolist(), found.directed.tolist()) == ("EF", [-1], [False])


def test_directed_positions_keep_the_anchors_of_their_arc() -> None:
    """Of a two-way street both directions lead to a stop; of a directed one its own."""
    drawn = draw(TWO)
    found = snap(drawn, at(drawn, "BC", 0.4, 0, -8), SnapHints(curb=True))
    metric = drawn.engine.metric(StreetMode.CAR)
    ends = drawn.engine.searcher(StreetMode.CAR).targets(metric, found.take([0, 0]))
    free = Snaps(found.arc, found.fraction, found.distance_m, found.lat_deg, found.lon_deg)
    both = drawn.engine.searcher(StreetMode.CAR).targets(metric, free)
    assert set(both.arc.tolist()) == {drawn.arc("BC"), drawn.arc("CB")}
    kept = keep_directed(ends, found.take([0, 0]))
    assert set(kept.arc.tolist()) == {drawn.arc("BC")}
    assert kept.first.tolist() == [0, 1, 2]


def test_hints_must_pair_up() -> None:
    """One name and one bearing per position."""
    drawn = draw(TWO)
    with pytest.raises(InvalidInput, match="street names"):
        snap(drawn, (41.15, -8.61), SnapHints(["a", "b"]))
    with pytest.raises(InvalidInput, match="bearings"):
        snap(drawn, (41.15, -8.61), SnapHints(bearing_deg=[1.0, 2.0]))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Av. da Boavista", "Avenida da Boavista", True),
        ("R de Sta Catarina", "Rua de Santa Catarina", True),
        ("BOULEVARD VIVIER-MERLE", "Bd Vivier Merle", True),
        ("A 25", "A25", True),
        ("N-14;Via Norte", "Via Norte", True),
        ("Rua do Almada", "Rua da Alegria", False),
        ("Rua 1", "Rua 2", False),
        ("", "Rua 2", False),
        ("A 25", "A 28", False),
        ("Århusvej", "Aarhusvej", True),
    ],
)
def test_names_resemble(one: str, other: str, same: bool) -> None:
    """Abbreviations, accents and case do not matter, other words and numbers do."""
    assert (resemblance(one, other) >= 0.5) == same
    assert resemblance(one, other) == pytest.approx(resemblance(other, one))


def test_words_of_a_name() -> None:
    """Little words fall away, kinds are written out, road numbers become one word."""
    assert words_of("Av. Dr. António José de Almeida (N 12)") == {"avenida", "doutor", "antonio", "jose", "almeida", "n12"}

"""Heights of streets: drawn hills with known climbs; tags first; bridges and tunnels run between their ends."""

import numpy as np
import pytest

from routing.model.modes import StreetMode
from routing.street.api import StreetEngine
from services.city.elevation import HeightsAt
from services.city.osm_reader import build_street_graph
from services.city.osm_reader_surface import find_height_m
from tests.builders.streets import METRES_PER_DEGREE, ORIGIN_DEG, Drawn, draw, raw_streets

EAST_M = METRES_PER_DEGREE * np.cos(np.radians(ORIGIN_DEG[0]))


def metres_east(lon: np.ndarray) -> np.ndarray:
    """Metres east of the first letter of a drawing."""
    return np.asarray((lon - ORIGIN_DEG[1]) * EAST_M)


def on_land(text: str, height_at_east: list[float] | None = None, land: HeightsAt | None = None) -> Drawn:
    """Draw streets on land whose height depends on the metres east: given every 100 m, straight between."""
    if land is None:
        values = np.asarray(height_at_east, np.float64)
        land = lambda _lat, lon: np.interp(metres_east(lon), np.arange(len(values)) * 100.0, values).astype(np.float32)  # noqa: E731
    graph, report = build_street_graph(raw_streets(text), heights_at=land)
    return Drawn(graph, report, StreetEngine(graph))


def climb(drawn: Drawn, letters: str) -> tuple[float, float]:
    """Metres up and down on an arc, to the decimetre."""
    heights = drawn.graph.heights
    assert heights is not None
    arc = drawn.arc(letters)
    return round(float(heights.arc_climb_m[arc]), 1), round(float(heights.arc_descent_m[arc]), 1)


def height(drawn: Drawn, letters: str) -> list[float]:
    """Heights of nodes, to the decimetre."""
    assert drawn.graph.heights is not None
    return [round(float(drawn.graph.heights.node_height_m[drawn.node(letter)]), 1) for letter in letters]


def test_a_street_up_a_slope() -> None:
    """Climb one way is descent the other way."""
    drawn = on_land("A B C\n---\nAB\nBC\n", [10, 15, 12])
    assert height(drawn, "ABC") == [10.0, 15.0, 12.0]
    assert [climb(drawn, arc) for arc in ("AB", "BA", "BC", "CB")] == [(5.0, 0.0), (0.0, 5.0), (0.0, 3.0), (3.0, 0.0)]


def test_a_hill_between_two_nodes_counts() -> None:
    """A street of 300 m without a bend goes over a hill: up and down are both known, though its ends lie level."""
    drawn = on_land("A     B\n---\nAB\n", [0, 30, 30, 0])
    assert climb(drawn, "AB") == climb(drawn, "BA") == (30.0, 30.0)


def test_one_way_streets_know_both() -> None:
    """What lacks a twin has its own climb and descent."""
    drawn = on_land("A M B\n---\nAMB oneway=yes foot=no\n", [5, 9, 6])
    assert drawn.find_arc("BA") < 0
    assert climb(drawn, "AB") == (4.0, 3.0)


@pytest.mark.parametrize("structure", ["bridge=yes", "tunnel=yes", "bridge=viaduct"])
def test_bridges_and_tunnels_run_between_their_ends(structure: str) -> None:
    """Over a valley of 40 m both pieces of a bridge change height evenly, and steps to its foot are no end of it."""
    drawn = on_land(
        f"A B C D E\n    F\n---\nAB\nBC {structure}\nCD {structure}\nDE\nCF highway=steps\n",
        [20, 20, -20, 26, 26],
    )
    assert height(drawn, "ABCDE") == [20.0, 20.0, 23.0, 26.0, 26.0]
    assert climb(drawn, "BC") == (3.0, 0.0)
    assert climb(drawn, "CF") == (0.0, 43.0)


def test_bridges_that_meet() -> None:
    """Where three bridges meet, the node is the mean of their ends weighed by 1 / length."""
    land: HeightsAt = lambda lat, lon: np.where(metres_east(lon) > 150, 20, np.where(lat > 41.1495, 10, 40)).astype(np.float32)  # noqa: E731
    drawn = on_land("A B X C D\n\n    E F\n---\nAB\nBX bridge=yes\nXC bridge=yes\nXE bridge=yes\nCD\nEF\n", land=land)
    (joint,) = height(drawn, "X")
    ends = height(drawn, "BCE")
    lengths = np.array([100.0, 100.0, 200.0])
    assert joint == pytest.approx(float(np.average(ends, weights=1 / lengths)), abs=0.11)


def test_a_bridge_that_meets_nothing_keeps_the_ground() -> None:
    """There is nothing better to say."""
    assert height(on_land("A B\n---\nAB bridge=yes\n", [7, 9]), "AB") == [7.0, 9.0]


def test_tags_come_first_unless_absurd() -> None:
    """A tagged height a few metres off the model counts, one in feet without saying so does not, and is counted."""
    drawn = on_land("A B C\n---\nAB\nBC\nB: ele=104\nC: ele=328\n", [100, 100, 100])
    assert height(drawn, "ABC") == [100.0, 104.0, 100.0]
    assert drawn.report.heights is not None
    assert (drawn.report.heights.tags, drawn.report.heights.doubted) == (1, 1)


def test_tags_alone() -> None:
    """Without a model heights are known at tagged nodes; a tagged bend counts too, an untagged one is passed evenly."""
    drawn = draw("A B C D E\n---\nABC\nCD\nDE\nA: ele=10\nB: ele=15\nC: ele=11.5~m\nD: ele=30~ft\n".replace("~", ""))
    assert height(drawn, "ACD") == [10.0, 11.5, 9.1]
    assert np.isnan(height(drawn, "E")).all()
    assert climb(drawn, "AC") == (5.0, 3.5)
    assert np.isnan(climb(drawn, "DE")).all()
    assert draw("A B\n---\nAB\n").graph.heights is None


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("84", 84.0),
        ("84,5 m", 84.5),
        ("-3", -3.0),
        ("1000 ft", 304.8),
        ("12000", None),
        ("high", None),
        ("", None),
        ("1e3", None),
    ],
)
def test_reading_heights(text: str, metres: float | None) -> None:
    """Metres unless it says feet; nonsense is none."""
    assert find_height_m(text) == (None if metres is None else pytest.approx(metres))


def test_who_is_slowed_down() -> None:
    """Uphill costs cyclists most and a cargo bike's motor helps; walkers follow Tobler; cars do not care."""
    hill, flat = (on_land("A B\n---\nAB\n", ends) for ends in ([0, 8], [0, 0]))
    up, down = hill.arc("AB"), hill.arc("BA")

    def share(mode: StreetMode, arc: int) -> float:
        times = [float(drawn.engine.metric(mode).arc_time_ms[arc]) for drawn in (hill, flat)]
        return times[0] / times[1]

    tagged = draw("A B\n---\nAB incline=8%\n")
    for mode in (StreetMode.FOOT, StreetMode.BICYCLE, StreetMode.CARGO_BIKE, StreetMode.WHEELCHAIR):
        by_tag = tagged.engine.metric(mode).arc_time_ms
        assert hill.engine.metric(mode).arc_time_ms[[up, down]].tolist() == pytest.approx(by_tag[[up, down]].tolist(), rel=0.01)
    assert share(StreetMode.FOOT, up) == pytest.approx(np.exp(3.5 * 0.08), rel=0.01)
    assert share(StreetMode.CAR, up) == 1.0


def test_over_a_hill_costs_time_though_its_ends_lie_level() -> None:
    """Half up, half down at 10 %: the time is the mean of both."""
    hill, flat = (on_land("A M B\n---\nAMB\n", land) for land in ([0, 10, 0], [0, 0, 0]))
    over, level = (drawn.engine.metric(StreetMode.FOOT).arc_time_ms[drawn.arc("AB")] for drawn in (hill, flat))
    walking = (np.exp(3.5 * 0.10) + 1 / np.exp(-3.5 * (abs(-0.10 + 0.05) - 0.05))) / 2
    assert over / level == pytest.approx(walking, rel=0.01)


def test_the_tagged_incline_comes_first() -> None:
    """The model says 20 %, the sign says 3 %: the sign is right, for speeds and for wheelchairs."""
    drawn, tagged = on_land("A B\n---\nAB incline=3%\n", [0, 20]), draw("A B\n---\nAB incline=3%\n")
    for mode in (StreetMode.BICYCLE, StreetMode.WHEELCHAIR):
        assert drawn.engine.metric(mode).arc_time_ms.tolist() == tagged.engine.metric(mode).arc_time_ms.tolist()


def test_wheelchairs_go_round_a_hill() -> None:
    """15 % is too steep for the short way; everybody else takes it."""
    drawn = on_land(
        "S A B T\n  C D\n---\nSA\nAB\nBT\nAC\nCD\nDB\n",
        land=lambda lat, lon: np.where(
            lat > ORIGIN_DEG[0] - 0.0002, np.interp(metres_east(lon), [100, 150, 200], [0, 8, 0]), 0.0
        ).astype(np.float32),
    )
    assert drawn.way("SA", "BT", StreetMode.WHEELCHAIR) == "SA AC CD DB BT"
    assert drawn.way("SA", "BT", StreetMode.FOOT) == "SA AB BT"


def test_ways_say_what_they_climb() -> None:
    """From the middle of the first street to the middle of the last; not known if any part is not."""
    text = "A B C D\n---\nAB\nBC\nCD\n"
    drawn = on_land(text, [0, 4, 10, 6])
    path = drawn.engine.find_route(drawn.engine.metric(StreetMode.BICYCLE), drawn.at("AB"), 0, drawn.at("CD"), 0)
    assert path is not None
    assert path.climb_m == (pytest.approx(8.0, abs=0.1), pytest.approx(2.0, abs=0.1))
    gap = on_land(text, land=lambda _lat, lon: np.where(metres_east(lon) > 250, np.nan, 3.0).astype(np.float32))
    short, far = (
        gap.engine.find_route(gap.engine.metric(StreetMode.FOOT), gap.at("AB"), 0, gap.at(end), 0) for end in ("BC", "CD")
    )
    assert short is not None
    assert far is not None
    assert (short.climb_m, far.climb_m) == ((0.0, 0.0), None)

"""Measurement sites, road segments and location references matched to arcs."""

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.street.matching import TraceMatcher
from routing.street.names import StreetNames
from routing.street.sites import Site, SiteMatch, SiteMatcher
from routing.street.snapping import SnapGrid
from tests.builders.streets import Drawn, draw
from tests.routing.street.test_matching import at

TOWN = """
A B C D E
F G H I J
    K
---
AB name=Ringvej highway=primary
BC name=Ringvej highway=primary
CD name=Ringvej highway=primary
DE name=Ringvej highway=primary
FG name=Lavvej
GH name=Lavvej
HI name=Lavvej
IJ name=Lavvej
AF
BG
CH
DI
EJ
HK name=Blindvej
"""


def match(drawn: Drawn, *sites: Site) -> list[SiteMatch]:
    """Match sites on the drawing."""
    grid = SnapGrid(drawn.engine.graph)
    matcher = TraceMatcher(grid, drawn.engine.metric(StreetMode.CAR))
    return SiteMatcher(grid, matcher, StreetNames(drawn.engine.graph.names)).match_sites(sites)


def letters(drawn: Drawn, found: SiteMatch) -> str:
    """Arcs as text."""
    return drawn.letters(found.arcs)


@pytest.mark.parametrize(
    ("bearing", "name", "north_m", "expected"),
    [(90.0, "", -10, "BC"), (270.0, "", -10, "CB"), (None, "Ringvej", -52, "BC CB"),
     (None, "Lavvej", -48, "GH HG"), (90.0, "Lavvej", -48, "GH")],
)  # fmt: skip
def test_a_point_takes_the_street_that_fits(bearing: float | None, name: str, north_m: float, expected: str) -> None:
    """By direction and by name, between two parallel streets; without a direction both ways count."""
    drawn = draw(TOWN)
    (found,) = match(drawn, Site((at(drawn, "BC", 0.5, 0, north_m),), bearing, name=name))
    assert " ".join(sorted(letters(drawn, found).split())) == expected
    assert found.complete


def test_a_point_where_all_streets_go_elsewhere_matches_nothing() -> None:
    """A bearing across the only street near."""
    drawn = draw("A B\n---\nAB")
    across, far, nonsense = match(
        drawn, Site((at(drawn, "AB", 0.5),), 0.0), Site(((10.0, 10.0),), 0.0), Site(((float("nan"), 1.0),))
    )
    assert [len(found.arcs) for found in (across, far, nonsense)] == [0, 0, 0]
    assert not across.complete


def test_a_segment_of_two_ends_follows_the_road_between_them() -> None:
    """From the middle of the upper street down and along the lower one: as long as it says, however it bends."""
    drawn = draw(TOWN)
    ends = at(drawn, "AB", 0.5, 0, 4), at(drawn, "IJ", 0.5, 0, -4)
    over, back = match(drawn, Site(ends, lengths_m=(400.0,)), Site(ends[::-1], lengths_m=(400.0,)))
    assert drawn.letters(over.arcs[[0, -1]]) == "AB IJ"
    assert drawn.letters(back.arcs[[0, -1]]) == "JI BA"
    assert over.cover[[0, -1]] == pytest.approx([0.5, 0.5], abs=0.02)
    (longer,) = match(drawn, Site(ends, lengths_m=(500.0,)))
    assert drawn.letters(longer.arcs) == "AB BC CD DE EJ JI"
    assert over.cover @ drawn.graph.arc_length_m[over.arcs] == pytest.approx(400.0, abs=5.0)


def test_names_choose_among_ways_of_the_same_length() -> None:
    """Between opposite corners there are many ways; the points in between lie between two streets."""
    drawn = draw(TOWN)
    line = tuple(at(drawn, arc, 0.5, 0, -50) for arc in ("AB", "BC", "CD", "DE"))
    upper, lower = match(drawn, Site(line, name="Ringvej"), Site(line, name="Lavvej"))
    assert letters(drawn, upper) == "AB BC CD DE"
    assert letters(drawn, lower) == "FG GH HI IJ"


def test_a_location_reference() -> None:
    """Two points with bearing, class and distance: the classes speak for the primary road."""
    drawn = draw(TOWN)
    points = at(drawn, "AB", 0.2, 0, -20), at(drawn, "DE", 0.8, 0, -20)
    site = Site(points, bearings_deg=(90.0, 90.0), lengths_m=(360.0,), functional_class=2)
    (found,) = match(drawn, site)
    assert letters(drawn, found) == "AB BC CD DE"
    assert found.confidence > 0.8


def test_both_directions_of_a_line() -> None:
    """The reverse arcs follow, in their order of travel."""
    drawn = draw(TOWN)
    (found,) = match(drawn, Site((at(drawn, "AB", 0.1), at(drawn, "BC", 0.9)), both_directions=True))
    assert letters(drawn, found) == "AB BC CB BA"


def test_a_line_that_leaves_the_network_is_not_complete() -> None:
    """What is found is kept, and the rest is said to be missing."""
    drawn = draw(TOWN)
    (found,) = match(drawn, Site((at(drawn, "DE", 0.2), at(drawn, "DE", 1.0), at(drawn, "DE", 1.0, 400, 0))))
    assert letters(drawn, found) == "DE"
    assert not found.complete


def test_columns_of_a_site_must_fit() -> None:
    """One length between two points, one bearing at each."""
    with pytest.raises(InvalidInput, match="lengths"):
        Site(((1.0, 1.0), (1.0, 2.0)), lengths_m=(1.0, 2.0))
    with pytest.raises(InvalidInput, match="bearings"):
        Site(((1.0, 1.0), (1.0, 2.0)), bearings_deg=(1.0,))


def test_many_sites_are_answered_like_one_by_one() -> None:
    """Whatever their kinds and order."""
    drawn = draw(TOWN)
    sites = [
        Site((at(drawn, "AB", 0.5),), 90.0),
        Site((at(drawn, "AB", 0.1), at(drawn, "DE", 0.9))),
        Site((at(drawn, "FG", 0.1), at(drawn, "GH", 0.9))),
        Site(((0.0, 0.0), (0.0, 0.0001))),
    ]
    together = match(drawn, *sites)
    for site, found in zip(sites, together, strict=True):
        (alone,) = match(drawn, site)
        assert alone.arcs.tolist() == found.arcs.tolist()
        assert np.array_equal(alone.cover, found.cover)
    assert len(together[3].arcs) == 0

"""Roads of feeds find their arcs; speeds, closures and their times are laid on them."""

import msgspec
import numpy as np

from routing.model.modes import StreetMode
from routing.street.access_rules import AccessRules, EmissionClass
from services.common.live.closures import closure_rules
from services.common.live.link_ids import LinkIds
from services.common.live.links import LinkMatcher, Place, match_places
from services.common.live.traffic import build_traffic
from services.common.records import Event, Observation, Provenance
from tests.builders.streets import Drawn, draw

NOW = 1_000_000
MAP = """
A B C
  D
---
ABC  name=High_Street highway=secondary
BD   name=Side_Street oneway=yes
"""


def point(drawn: Drawn, letter: str) -> tuple[float, float]:
    """Position of a node."""
    node = drawn.node(letter)
    return float(drawn.graph.node_lat_e7[node]) * 1e-7, float(drawn.graph.node_lon_e7[node]) * 1e-7


def speed(drawn: Drawn, letters: str, value: float, at: int = NOW, kind: str = "speed") -> Observation:
    """Observation along a street."""
    return Observation(
        feed="t", entity=f"{letters}{at}", observed_at=at, received_at=at, valid_until=at + 600, kind=kind, value=value,
        unit="km/h", provenance=Provenance("", "", "x"), path=tuple(point(drawn, letter) for letter in letters),
    )  # fmt: skip


def closure(drawn: Drawn, letters: str, begins: int | None, ends: int | None, both: bool = True) -> Event:
    """Closed street."""
    return Event(
        feed="e", entity=letters, observed_at=NOW, received_at=NOW, valid_until=NOW + 9999, kind="closure", version=1,
        starts_at=begins, ends_at=ends, both_directions=both, provenance=Provenance("", "", "x"),
        path=tuple(point(drawn, letter) for letter in letters),
    )  # fmt: skip


def test_a_path_takes_the_arcs_of_its_direction_only() -> None:
    """A to C takes AB and BC, neither their reverses nor the side street; the way back takes the reverses."""
    drawn = draw(MAP)
    there, back = match_places(
        drawn.engine, [Place(tuple(point(drawn, x) for x in "ABC")), Place(tuple(point(drawn, x) for x in "CBA"))]
    )
    assert set(there) == {drawn.arc("AB"), drawn.arc("BC")}
    assert set(back) == {drawn.arc("CB"), drawn.arc("BA")}


def test_both_directions_points_and_places_far_away() -> None:
    """Both directions close both; a point takes the nearest street; what is far away takes nothing."""
    drawn = draw(MAP)
    (lat, lon), (_, east) = point(drawn, "A"), point(drawn, "B")
    middle = Place(lat=lat + 1e-5, lon=(lon + east) / 2)
    one_way = Place(lat=lat + 1e-5, lon=(lon + east) / 2, bearing_deg=90)
    both = Place(tuple(point(drawn, x) for x in "AB"), both_directions=True)
    found = match_places(drawn.engine, [middle, one_way, both, Place(lat=lat + 0.01, lon=lon), Place()])
    ab, ba = drawn.arc("AB"), drawn.arc("BA")
    assert [set(arcs) for arcs in found] == [{ab, ba}, {ab}, {ab, ba}, set(), set()]


def test_newest_speed_wins_and_old_ones_run_out() -> None:
    """Two observations of one street: the newer counts; one past its validity counts no more."""
    drawn = draw(MAP)
    matcher = LinkMatcher(drawn.engine)
    rows = [speed(drawn, "AB", 30, NOW - 100), speed(drawn, "AB", 20, NOW - 10), speed(drawn, "BC", 9, NOW - 700)]
    traffic = build_traffic(matcher, rows, [], 1, NOW)
    assert traffic.arc_speed_kmh[drawn.arc("AB")] == 20
    assert traffic.arc_observed_s[drawn.arc("AB")] == NOW - 10
    assert np.isnan(traffic.arc_speed_kmh[drawn.arc("BC")])
    assert np.isnan(traffic.arc_speed_kmh[drawn.arc("BA")])
    assert (traffic.matched, traffic.unmatched) == (2, 0)


def test_travel_time_becomes_a_speed() -> None:
    """200 m in 24 s are 30 km/h."""
    drawn = draw(MAP)
    traffic = build_traffic(LinkMatcher(drawn.engine), [speed(drawn, "ABC", 24, kind="travel_time")], [], 1, NOW)
    assert abs(float(traffic.arc_speed_kmh[drawn.arc("AB")]) - 30) < 0.5


def test_closures_begin_and_end_with_the_clock() -> None:
    """A closure counts from its start to its end, in both directions or one."""
    drawn = draw(MAP)
    matcher = LinkMatcher(drawn.engine)
    event = closure(drawn, "AB", NOW + 10, NOW + 20)
    closed = [set(build_traffic(matcher, [], [event], 1, NOW + t).closed_arcs.tolist()) for t in (0, 15, 25)]
    both = {drawn.arc("AB"), drawn.arc("BA")}
    assert closed == [set(), both, set()]
    one = build_traffic(matcher, [], [closure(drawn, "AB", None, None, both=False)], 1, NOW)
    assert one.closed_arcs.tolist() == [drawn.arc("AB")]


def test_closures_become_rules_with_their_times_and_vehicles() -> None:
    """In force, announced, without an end, for trucks only: each closes its street to whom and when it says."""
    drawn = draw(MAP)
    events = [
        closure(drawn, "AB", None, NOW + 600),
        closure(drawn, "BC", NOW + 86_400, NOW + 90_000),
        msgspec.structs.replace(closure(drawn, "BA", None, None, both=False), vehicles=("truck",)),
    ]
    traffic = build_traffic(LinkMatcher(drawn.engine), [], events, 1, NOW)
    assert set(traffic.closed_arcs.tolist()) == {drawn.arc("AB"), drawn.arc("BA")}
    rules = AccessRules(drawn.graph.arc_count, closure_rules(traffic, 3600))

    def closed(mode: StreetMode, at: int) -> set[int]:
        return set(np.flatnonzero(rules.closed(rules.holding(mode, EmissionClass.ELECTRIC, at))).tolist())

    ab, ba, bc, cb = (drawn.arc(name) for name in ("AB", "BA", "BC", "CB"))
    for mode in (StreetMode.CAR, StreetMode.VAN):
        expected = {NOW: {ab, ba}, NOW + 599: {ab, ba}, NOW + 600: set(), NOW + 86_400: {bc, cb}, NOW + 90_000: set()}
        assert {at: closed(mode, at) for at in expected} == expected
    assert closed(StreetMode.TRUCK, NOW + 3600) == {ba}
    assert closed(StreetMode.TRUCK, NOW + 3601) == set()
    assert closed(StreetMode.BICYCLE, NOW) == set()
    trucks = build_traffic(LinkMatcher(drawn.engine), [], events[2:], 1, NOW)
    assert not len(trucks.closed_arcs)


def test_link_ids_go_both_ways() -> None:
    """Every arc has an identifier of its own that leads back to it; nonsense leads nowhere."""
    drawn = draw(MAP)
    ids = LinkIds(drawn.graph)
    names = ids.list_ids(range(drawn.graph.arc_count))
    assert len(set(names)) == drawn.graph.arc_count
    assert ids.find_arcs(names).tolist() == list(range(drawn.graph.arc_count))
    way, _, key = names[0].partition("/")
    wrong = [
        "",
        "1/2",
        "x/0/f",
        f"7{way}/{key}",
        f"{way}/{key[1:]}",
        f"{way}/{key.upper()}x",
        f"{way}/{'f' * 16}",
        f"{way}/{'0' * 16}",
    ]
    assert ids.find_arcs(wrong).tolist() == [-1] * len(wrong)
    assert ids.find_arc(names[1]) == 1
    assert ids.find_arc("") is None
    assert ids.find_arcs([]).tolist() == []

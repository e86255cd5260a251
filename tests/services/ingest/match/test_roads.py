"""Roads of feeds are matched once, by keys: they survive a rebuild, and tell the two sides of a street apart."""

import msgspec
import numpy as np
import pytest

from routing.street.arc_keys import arc_keys
from services.common.live.link_ids import LinkIds
from services.common.live.links import LinkMatcher, match_places
from services.common.live.traffic import build_traffic, place_of
from services.common.records import AnyRecord, Event, Observation, Provenance
from services.ingest.match.roads import RoadMatcher
from tests.builders.streets import Drawn, draw
from tests.services.common.live.test_traffic import NOW, closure, point, speed

BEFORE = """
A B C D
    E
---
ABC name=High_Street highway=secondary
CD  name=High_Street highway=secondary
BE  name=Side_Street
"""
AFTER = """
X
A B C D
F   E
---
XA  name=New_Street
AF  name=New_Street
ABC name=High_Street highway=secondary
CD  name=High_Street highway=secondary
BE  name=Side_Street
"""
"""Nothing is new but a street at A: every arc has another number. The ways keep their ids, which `rebuilt` sees to."""


def rebuilt() -> Drawn:
    """Draw the later map; its old ways have the ids they had."""
    drawn = draw(AFTER)
    drawn.graph.arc_way_osm_id[:] -= 2  # a drawing counts its ways from 1
    return drawn


def where(drawn: Drawn, record: AnyRecord) -> str:
    """Arcs of a record's keys on a drawing, as text."""
    assert isinstance(record, Observation | Event)
    keys = arc_keys(drawn.graph).tolist()
    return drawn.letters(np.array([keys.index(key) for key in record.arc_keys], np.int64))


def site(drawn: Drawn, letters: str, bearing: float | None) -> Observation:
    """A loop 4 m beside the middle of a street."""
    (lat, lon), (lat2, lon2) = point(drawn, letters[0]), point(drawn, letters[1])
    return Observation(
        feed="t", entity=f"{letters}{bearing}", observed_at=NOW, received_at=NOW, valid_until=NOW + 600, kind="speed",
        value=20.0, unit="km/h", provenance=Provenance("", "", "x"), lat=(lat + lat2) / 2 + 4e-5, lon=(lon + lon2) / 2,
        bearing_deg=bearing,
    )  # fmt: skip


def test_sides_are_told_apart() -> None:
    """Lines by their direction, points by their bearing; without one both sides are meant; closures close what they say."""
    drawn = draw(BEFORE)
    there, back, east, west, either, both, one = RoadMatcher(drawn.engine).match(
        [
            speed(drawn, "ABC", 30), speed(drawn, "CBA", 30), site(drawn, "CD", 95.0), site(drawn, "CD", 268.0),
            site(drawn, "CD", None), closure(drawn, "CD", None, None), closure(drawn, "DC", None, None, both=False),
        ]
    )[0]  # fmt: skip
    assert [where(drawn, row) for row in (there, back, east, west, one)] == ["AB BC", "BA CB", "CD", "DC", "DC"]
    assert set(where(drawn, either).split()) == set(where(drawn, both).split()) == {"CD", "DC"}


def test_a_site_survives_a_rebuild() -> None:
    """Keys found on the old city mean the same streets on the new one, where all numbers have changed."""
    old, new = draw(BEFORE), rebuilt()
    rows = [speed(old, "ABC", 30), site(old, "CD", 270.0), closure(old, "BE", None, None)]
    matched, ratio = RoadMatcher(old.engine).match(rows)
    assert ratio == 1.0
    found = LinkMatcher(new.engine).match(
        {str(k): place_of(row) for k, row in enumerate(matched) if isinstance(row, Observation | Event)}
    )
    assert [set(new.letters(found[str(k)]).split()) for k in range(3)] == [{"AB", "BC"}, {"DC"}, {"BE", "EB"}]
    assert LinkIds(old.graph).id_of(old.arc("CB")) == LinkIds(new.graph).id_of(new.arc("CB"))
    assert old.arc("CB") != new.arc("CB")


def test_where_the_street_changed_the_line_counts_again() -> None:
    """A new junction in BC makes two pieces of it: its key is gone, both pieces are found by the line."""
    old = draw(BEFORE)
    (row,), _ = RoadMatcher(old.engine).match([speed(old, "ABC", 30)])
    assert isinstance(row, Observation)
    split = draw(BEFORE.replace("A B C D\n", "A BYC D\n").replace("ABC", "ABYC") + "YE\n")
    found = LinkMatcher(split.engine).match({"row": place_of(row)})["row"]
    assert set(split.letters(found).split()) == {"AB", "BY", "YC"}


def test_traffic_by_keys_is_traffic_by_lines() -> None:
    """Speeds and closures lie on the same arcs, whether ingest matched them or not."""
    drawn = draw(BEFORE)
    rows, events = [speed(drawn, "ABC", 30), speed(drawn, "DC", 12)], [closure(drawn, "BE", None, None)]
    matched = RoadMatcher(drawn.engine).match([*rows, *events])[0]
    seen = [row for row in matched if isinstance(row, Observation)], [row for row in matched if isinstance(row, Event)]
    ours, theirs = (build_traffic(LinkMatcher(drawn.engine), *both, 1, NOW) for both in (seen, (rows, events)))
    np.testing.assert_array_equal(ours.arc_speed_kmh, theirs.arc_speed_kmh)
    np.testing.assert_array_equal(ours.closed_arcs, theirs.closed_arcs)


def test_noise_does_not_lose_the_street() -> None:
    """A line that wanders by up to 35 m still follows its street from end to end, past the side streets."""
    drawn = draw("A  B  C  D\nE  F  G  H\n---\nAB\nBC\nCD\nEF\nFG\nGH\nAE\nBF\nCG\nDH\n")
    wander_m = (0, 12, -35, 20, -30, 8, -25, 30, 0)
    line = tuple((41.15 + metres / 111_195, -8.61 + k * 6.7e-4) for k, metres in enumerate(wander_m))
    (matched,), _ = RoadMatcher(drawn.engine).match([msgspec.structs.replace(speed(drawn, "AD", 30), path=line)])
    assert where(drawn, matched) == "AB BC CD"


def test_places_without_a_street() -> None:
    """Far away, without a position, or of another kind: no keys, and the share says so."""
    drawn = draw(BEFORE)
    far = msgspec.structs.replace(site(drawn, "CD", None), lat=10.0, entity="far")
    nowhere = msgspec.structs.replace(far, lat=None, lon=None, entity="nowhere")
    rows, ratio = RoadMatcher(drawn.engine).match([far, nowhere, site(drawn, "CD", None)])
    assert [bool(row.arc_keys) for row in rows if isinstance(row, Observation)] == [False, False, True]
    assert ratio == pytest.approx(1 / 3)
    assert RoadMatcher(drawn.engine).match([]) == ((), None)


def test_records_without_keys_stay_as_they_were() -> None:
    """The fields are left out where they are empty, so that what was stored before reads the same."""
    drawn = draw(BEFORE)
    plain = speed(drawn, "AB", 30)
    stored = msgspec.msgpack.encode(plain)
    assert b"arc_keys" not in stored
    assert b"bearing_deg" not in stored
    (matched,), _ = RoadMatcher(drawn.engine).match([msgspec.msgpack.decode(stored, type=Observation)])
    assert where(drawn, msgspec.msgpack.decode(msgspec.msgpack.encode(matched), type=Observation)) == "AB"


def test_lines_that_leave_the_streets_fall_back() -> None:
    """Half of the line runs through fields: what of it lies on a street counts, as by its nearest streets."""
    drawn = draw("A  B\n\n\n\n\n\nC\n---\nAB\n")
    row = msgspec.structs.replace(speed(drawn, "AB", 30), path=(point(drawn, "A"), point(drawn, "B"), (41.15, -8.59)))
    (matched,), _ = RoadMatcher(drawn.engine).match([row])
    assert where(drawn, matched) == "AB"
    assert match_places(drawn.engine, [place_of(row)])[0].tolist() == [drawn.arc("AB")]

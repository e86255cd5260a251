"""Keys of arcs: one each, the same after a rebuild, found again."""

from dataclasses import replace

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.street.arc_keys import ArcLookup, arc_keys
from services.city.osm_reader import build_street_graph
from tests.builders.streets import draw, porto_streets

TOWN = """
A B C
  D E F
G H
---
GH
ABC
BDH
DEF oneway=yes
"""


def keyed(drawn):
    """Letters of every arc by its key."""
    return dict(zip(arc_keys(drawn.graph).tolist(), (drawn.letters([a]) for a in range(drawn.graph.arc_count)), strict=True))


def test_keys_survive_an_unrelated_way():
    """A new street elsewhere changes the numbers of arcs and none of their keys."""
    before, after = draw(TOWN), draw(TOWN + "CF\n")
    arcs = range(before.graph.arc_count)
    assert [before.letters([a]) for a in arcs] != [after.letters([a]) for a in arcs]
    old, new = keyed(before), keyed(after)
    assert len(old) == before.graph.arc_count
    assert old.items() <= new.items()
    assert set(new.values()) - set(old.values()) == {"CF", "FC"}


def test_a_new_junction_renews_only_what_it_cuts():
    """Where a street is cut in two, its old keys are gone; all others are found."""
    before, after = draw(TOWN), draw(TOWN + "CE\n")
    lost = {
        before.letters([a]) for a, found in enumerate(ArcLookup(after.graph).find_arcs(arc_keys(before.graph))) if found < 0
    }
    assert lost == {"DF", "FD"}


def test_directions_and_parallels():
    """Both directions, rings and parallel pieces of one way have keys of their own."""
    ring = draw("A B\nC D\n---\nABDCA junction=roundabout\nAB name=Other\n")
    assert len(keyed(ring)) == ring.graph.arc_count
    twice = draw("A B\nC D\n---\nABCABD\nBA\nCB\n")
    assert len(keyed(twice)) == twice.graph.arc_count
    loop = draw("A B\nC D\n---\nABDCB\n")
    assert len(keyed(loop)) == loop.graph.arc_count


def test_lookup():
    """Every arc is found by its key; unknown keys are not."""
    drawn = draw(TOWN)
    lookup, keys = ArcLookup(drawn.graph), arc_keys(drawn.graph)
    assert keys.dtype == np.int64
    assert (keys > 0).all()
    assert lookup.find_arcs(keys).tolist() == list(range(drawn.graph.arc_count))
    assert lookup.find_arcs([keys[2], 7, -1]).tolist() == [2, -1, -1]
    assert lookup.find_arcs([]).tolist() == []


def test_doubled_keys_are_refused(monkeypatch):
    """A graph whose arcs cannot be told apart is refused."""
    graph = draw(TOWN).graph
    monkeypatch.setattr("routing.street.arc_keys._mixed", lambda value: value & np.uint64(1))
    with pytest.raises(InvalidInput, match="same key"):
        ArcLookup(graph)


@pytest.mark.slow
def test_porto():
    """No two arcs of the embedded city share a key, and leaving out every tenth way changes no key of what stays as it was."""
    raw = porto_streets()
    graph, _ = build_street_graph(raw)
    lookup = ArcLookup(graph)
    ends = np.stack((graph.arc_way_osm_id, graph.node_osm_id[graph.arc_tail], graph.node_osm_id[graph.arc_head]))
    found = lookup.find_arcs(arc_keys(graph))
    assert (found == np.arange(graph.arc_count)).all()
    part, _ = build_street_graph(_without_some_ways(raw))
    arcs = lookup.find_arcs(arc_keys(part))
    kept = arcs >= 0
    assert kept.mean() > 0.7
    again = np.stack((part.arc_way_osm_id, part.node_osm_id[part.arc_tail], part.node_osm_id[part.arc_head]))
    assert (again[:, kept] == ends[:, arcs[kept]]).all()


def _without_some_ways(raw):
    keep = np.arange(len(raw.way_id)) % 10 != 0
    counts = np.diff(raw.first_ref)
    return replace(
        raw,
        way_id=raw.way_id[keep],
        first_ref=np.concatenate([[0], np.cumsum(counts[keep])]),
        refs=raw.refs[np.repeat(keep, counts)],
        way_traits=raw.way_traits[keep],
        way_name=raw.way_name[keep],
    )

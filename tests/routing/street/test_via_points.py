"""Ways over several positions: passing through without turning round, stopping, restrictions across the position."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.street.api import Snaps, StreetEngine
from tests.builders.streets import draw

BLOCK = """
    A B C
      D E
    ---
    ABC
    BD
    DE
    CE
"""


def over(drawn, *places, stops=None, mode=StreetMode.CAR):
    """Legs of the way over the middles of streets, as text."""
    way = drawn.engine.find_way(drawn.engine.metric(mode), drawn.at(*places), stops)
    return "-" if way is None else " | ".join(drawn.letters(leg.arcs) for leg in way.legs)


@pytest.mark.parametrize("contract", [False, True])
def test_who_passes_through_does_not_turn_round(contract):
    """Back to the start, through goes round the block, a stop turns in the street; walkers turn as they like."""
    drawn = draw(BLOCK)
    if contract:
        drawn.engine.hierarchy(StreetMode.CAR)
        drawn.engine.hierarchy(StreetMode.FOOT)
    through = over(drawn, "AB", "BC", "AB")
    assert through in ("AB BC | BC CE ED DB BA", "AB BD DE EC CB | CB BA")
    assert over(drawn, "AB", "BC", "AB", stops=[True]) == "AB BC | CB BA"
    assert over(drawn, "AB", "BC", "AB", mode=StreetMode.FOOT) == "AB BC | CB BA"


def test_restrictions_look_back_past_the_position():
    """A via-way restriction holds when a position lies on the way in between, unless one stops there."""
    drawn = draw("""
    A B C D
      E F
      G
    ---
    AB
    BC
    CD
    CF
    EF
    BE
    EG
    no_left_turn AB BC CF
    """)
    drawn.engine.hierarchy(StreetMode.CAR)
    assert over(drawn, "AB", "BC", "CF") == "AB BC | BC CD DC CF"
    assert over(drawn, "AB", "BC", "CF", stops=[True]) == "AB BC | BC CF"


def test_several_positions_on_one_street():
    """Along the street, in order; against the order one has to turn where that is possible."""
    drawn = draw(BLOCK)
    metric, ab = drawn.engine.metric(StreetMode.CAR), drawn.arc("AB")
    zeros = np.zeros(3)

    def at(*fractions):
        return Snaps(np.full(3, ab, np.int32), np.array(fractions, np.float32), zeros, zeros, zeros)

    way = drawn.engine.find_way(metric, at(0.1, 0.5, 0.9))
    assert [drawn.letters(leg.arcs) for leg in way.legs] == ["AB", "AB"]
    assert way.length_m == pytest.approx(80.0, rel=0.01)
    turned = drawn.engine.find_way(metric, at(0.1, 0.9, 0.5))
    assert drawn.letters(turned.legs[0].arcs) in ("AB", "BA AB", "AB BD DE EC CB BA")
    assert turned.length_m > 100.0
    assert drawn.engine.find_way(metric, at(0.1, 0.9, 0.5), [True]).length_m == pytest.approx(120.0, rel=0.01)


def test_the_side_of_the_kerb_is_kept():
    """A position that must be reached along its own arc: the way goes round the block to it."""
    drawn = draw(BLOCK)
    plain = drawn.at("AB", "CB", "AB")
    kerb = dataclasses.replace(plain, directed=np.array([False, True, False]))
    way = drawn.engine.find_way(drawn.engine.metric(StreetMode.CAR), kerb)
    assert " | ".join(drawn.letters(leg.arcs) for leg in way.legs) == "AB BD DE EC CB | CB BA"


def test_no_way_to_one_of_them():
    """One unreachable position: no way at all."""
    drawn = draw("""
    A B C D
    ---
    AB
    CD
    """)
    assert over(drawn, "AB", "CD", "AB") == "-"


@pytest.mark.parametrize(("count", "stops"), [(1, None), (3, []), (2, [True]), (101, None)])
def test_wrong_input(count, stops):
    """Too few, too many, flags that do not pair up."""
    drawn = draw(BLOCK)
    with pytest.raises(InvalidInput, match="position"):
        drawn.engine.find_way(drawn.engine.metric(StreetMode.CAR), drawn.at(*["AB"] * count), stops)


@given(st.integers(0, 2**32 - 1), st.sampled_from([StreetMode.CAR, StreetMode.FOOT]))
@settings(max_examples=60, deadline=None)
def test_stops_chain_quickest_legs_and_passing_is_never_quicker(grid_of_streets, seed, mode):
    """With stops the time is the sum of routes; without, not less; every leg begins where the last ended, in its direction."""
    plain, contracted = grid_of_streets
    rng = np.random.default_rng(seed)
    speeds, closed = rng.uniform(10, 80, plain.graph.arc_count), rng.choice(plain.graph.arc_count, 4)
    metric = plain.metric(mode, speeds, closed)
    k = int(rng.integers(2, 6))
    arcs = rng.choice(np.flatnonzero(plain.graph.arc_access & mode.bit), k).astype(np.int32)
    places = Snaps(arcs, rng.random(k).astype(np.float32), *(np.zeros(k) for _ in range(3)))
    routes = [plain.find_route(metric, places, i, places, i + 1) for i in range(k - 1)]
    stopping, passing = plain.find_way(metric, places, [True] * (k - 2)), plain.find_way(metric, places)
    if None in routes:
        assert stopping is None
        assert passing is None
        return
    assert stopping.time_ms == sum(route.time_ms for route in routes)
    again = contracted.find_way(contracted.metric(mode, speeds, closed), places)
    assert (again and again.time_ms) == (passing and passing.time_ms)
    if passing is None:
        return
    assert passing.time_ms >= stopping.time_ms
    for before, after in itertools.pairwise(passing.legs):
        if mode == StreetMode.CAR:
            assert before.arcs[-1] == after.arcs[0]
            assert before.end_fraction == pytest.approx(after.start_fraction)
    assert sum(leg.time_ms for leg in passing.legs) == passing.time_ms


@pytest.fixture(scope="module")
def grid_of_streets():
    """A chessboard with some one-way streets, searched by Dijkstra's algorithm and on hierarchies."""
    graph = draw("""
    A B C D
    E F G H
    I J K L
    ---
    ABCD
    EFGH  oneway=yes
    IJKL
    AEI
    BFJ   oneway=yes
    CGK
    DHL
    no_left_turn ABCD C CGK
    """).graph
    builder = StreetEngine(graph)
    return StreetEngine(graph), StreetEngine(graph, hierarchies={m: builder.hierarchy(m) for m in StreetMode})

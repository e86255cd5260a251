"""Pairs whose quickest way may lead over arcs that changed: none that changes its time is left out; only those are timed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.api import Snaps, StreetEngine
from tests.builders.streets import draw

CAR = StreetMode.CAR
TOWN = """
A B C D
E F G H
I J K L
---
AB
BCD oneway=yes
AEI
BFJ highway=tertiary
CGK oneway=yes
DHL
EF
FG
GH
IJKL highway=primary
no_left_turn EF F FG
no_u_turn AB B AB
"""


@pytest.fixture(scope="module")
def engines():
    """The same town without and with a hierarchy."""
    plain, with_tree = draw(TOWN).engine, draw(TOWN).engine
    with_tree.hierarchy(CAR)
    return plain, with_tree


@st.composite
def cases(draw, arcs=34):
    """Speeds before and after: some arcs slower, quicker, closed or opened; and positions on streets."""
    before = np.array(draw(st.lists(st.floats(2.0, 80.0), min_size=arcs, max_size=arcs)))
    changed = np.array(draw(st.lists(st.integers(0, arcs - 1), min_size=1, max_size=5, unique=True)), np.int32)
    after = before.copy()
    after[changed] = draw(st.lists(st.floats(2.0, 80.0), min_size=len(changed), max_size=len(changed)))
    shut = [draw(st.lists(st.sampled_from(changed.tolist()), max_size=2)) for _ in range(2)]
    at = draw(st.lists(st.tuples(st.integers(0, arcs - 1), st.floats(0.0, 1.0)), min_size=2, max_size=8))
    return before, after, changed, shut, at


@given(cases())
@settings(max_examples=150, deadline=None)
def test_no_pair_whose_time_changes_is_left_out(engines, case):
    """Whoever keeps out of the arcs keeps the time; the others' are those of the whole matrix."""
    before, after, changed, shut, at = case
    for engine in engines:
        usable = np.flatnonzero(engine.graph.arc_access & CAR.bit)
        arcs, fractions = (np.array(column) for column in zip(*at, strict=True))
        arcs, streets = usable[arcs % len(usable)].astype(np.int32), usable[changed % len(usable)].astype(np.int32)
        k, zeros = len(arcs), np.zeros(len(arcs))
        places = Snaps(arcs, fractions.astype(np.float32), zeros.astype(np.float32), zeros, zeros)
        then, now = (_metric(engine, speeds, before, streets, own, changed) for speeds, own in
                     ((before, shut[0]), (after, shut[1])))  # fmt: skip
        old, new = (engine.many_to_many(metric, places, places).astype(np.float64) for metric in (then, now))
        may = engine.passing(now, places, streets).within(np.where(old == UNREACHABLE_MS, np.inf, old))
        assert not (old != new)[~may].any()
        assert (engine.passing(then, places, streets).within(np.where(old == UNREACHABLE_MS, np.inf, old)) == may).all()
        assert (engine.some_to_some(now, places, places, may)[may] == new[may]).all()
        assert may.shape == (k, k)


def _metric(engine: StreetEngine, speeds, before, streets, shut, changed):
    """Speeds of all arcs that exist: those of before but on the changed streets."""
    kmh = np.resize(before, engine.graph.arc_count)
    kmh[streets] = speeds[changed]
    closed = streets[np.isin(changed, shut)]
    return engine.metric(CAR, kmh, closed if len(closed) else None)


def test_a_pair_far_from_the_arcs_is_left_out(engines):
    """A street closed in one corner touches nobody who goes about in the other."""
    town = draw(TOWN)
    for engine in engines:
        metric = engine.metric(CAR, closed_arcs=[town.arc("AE")])
        places = town.at("JK", "KL", "AB")
        old = engine.many_to_many(engine.metric(CAR), places, places).astype(np.float64)
        may = engine.passing(metric, places, np.array([town.arc("AE")], np.int32)).within(old)
        assert not may[:2, :2].any()
        assert engine.passing(metric, places, np.array([town.arc("JK")], np.int32)).within(old)[0, 1]

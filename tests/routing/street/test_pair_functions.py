"""Arrival functions of pairs: first in, first out, like driving where arcs scale alike, compact and in place alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.kernels.rounds_growing import lay_pairs
from routing.kernels.rounds_times import NO_WAY_S
from routing.model.modes import UNREACHABLE_MS
from routing.rounds.travel_times import TravelTimes, restore_fifo
from routing.street.pair_functions import (
    FAR,
    NO_WAY,
    TOO_LATE_S,
    fill_slots,
    longest_of,
    pair_functions,
    stitch_in_place,
    wait_until_open,
)
from routing.street.timed_warm import warm_time_dependent
from tests.routing.street.timed_reference import arrival


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Machine code of all kernels, made outside the time a test may take."""
    return warm_time_dependent()


TIMES = st.one_of(st.integers(0, 5000), st.integers(0, 4_000_000), st.just(UNREACHABLE_MS))


@st.composite
def matrices(draw):
    """Times of up to 6 slots between two positions and two others."""
    slots = draw(st.integers(1, 6))
    cells = draw(st.lists(TIMES, min_size=4 * slots, max_size=4 * slots))
    return np.array(cells, np.uint32).reshape(slots, 2, 2)


@given(matrices(), st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_first_in_first_out(tables, threads):
    """Arrivals never decrease with departures; nothing had to be lowered for the solver; in place = compact."""
    slot_s = 900.0 * np.arange(len(tables))
    found = pair_functions(slot_s, tables.__getitem__, longest_of(tables), threads)
    inside = np.minimum(tables, FAR).astype(np.int32)
    stitch_in_place(slot_s, inside)
    assert (np.where(inside == NO_WAY_S, NO_WAY, inside) == found.duration_s).all()
    assert TravelTimes.slots(slot_s, inside).lowered == 0
    for i in range(2):
        for j in range(2):
            arrivals = [found.arrival_s(i, j, t) for t in np.linspace(-500, slot_s[-1] + 500, 60)]
            assert (np.diff(arrivals) >= 0).all() if np.isfinite(arrivals).all() else np.isinf(arrivals).all()


@given(st.integers(0, 3_000_000), st.lists(st.sampled_from([0.5, 1.0, 1.3, 2.0, 5.0]), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_like_driving_where_all_arcs_scale_alike(work, paces):
    """Departures with slots: the exact time, rounded up to a second (and to a thousandth of a millisecond)."""
    tables = np.array([[[round(work * pace)]] for pace in paces], np.uint32)
    found = pair_functions(900.0 * np.arange(len(paces)), tables.__getitem__, longest_of(tables))
    for k in range(len(paces)):
        exact = float(arrival(900_000 * k, work, paces)) / 1000 - 900 * k
        assert exact - 0.02 <= found.duration_s[k, 0, 0] <= exact + 1.02


def test_a_pair_without_a_way_in_some_slot_has_none_there():
    """A closure that begins in a later slot cuts trips that would still be under way."""
    tables = np.array([[[600_000, 600_000]], [[600_000, UNREACHABLE_MS]], [[600_000, 600_000]]], np.uint32)
    durations = pair_functions([0.0, 300.0, 5000.0], tables.__getitem__, 600_000).duration_s
    assert durations[:, 0].tolist() == [[600, NO_WAY], [600, NO_WAY], [600, 600]]


def test_slots_and_trips_that_do_not_fit_are_refused():
    """Out of order, none at all, NaN; trips of more than 18 hours."""
    for slots in ([], [0.0, 0.0], [900.0, 0.0], [0.0, np.nan]):
        with pytest.raises(InvalidInput, match="slot_s"):
            pair_functions(slots, lambda _: np.zeros((1, 1), np.uint32), 5)
    with pytest.raises(InvalidInput, match="18"):
        pair_functions([0.0], lambda _: np.zeros((1, 1), np.uint32), 70_000_000)


def test_slots_between_known_ones():
    """Linear in between; no way where a neighbour has none; known slots stay."""
    table = np.zeros((5, 1, 2), np.int32)
    table[[0, 3, 4], 0] = [[100, 100], [400, FAR], [900, 7]]
    fill_slots(np.array([0, 3, 4]), table)
    assert table[:, 0].tolist() == [[100, 100], [200, FAR], [300, FAR], [400, FAR], [900, 7]]


@given(st.data())
def test_waiting_for_a_way_is_first_in_first_out(data):
    """Whatever is closed when: pairs that are never open stay so, open departures keep their time, nobody overtakes."""
    slots = data.draw(st.integers(1, 8))
    starts = 900.0 * np.arange(slots)
    base = data.draw(st.lists(st.integers(0, 900), min_size=slots, max_size=slots))
    table = np.array(base, np.int32).reshape(slots, 1, 1)
    for k in range(slots - 2, -1, -1):  # what is open keeps the order
        table[k] = np.minimum(table[k], table[k + 1] + 900)
    closed = np.array(data.draw(st.lists(st.booleans(), min_size=slots, max_size=slots)))
    given_s = np.where(closed[:, None, None], NO_WAY_S, table).astype(np.int32)
    waited = given_s.copy()
    wait_until_open(starts, waited)
    if closed.all():
        assert (waited == NO_WAY_S).all()
        return
    arrivals = starts + waited[:, 0, 0]
    assert (np.diff(arrivals) >= 0).all()
    assert (waited[~closed] == given_s[~closed]).all()
    for k in np.flatnonzero(closed):
        later = np.flatnonzero(~closed & (np.arange(slots) > k))
        if len(later):
            assert arrivals[k] == starts[later[0]] + table[later[0], 0, 0]
        else:
            assert waited[k, 0, 0] >= TOO_LATE_S


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_pairs_laid_in_place_are_those_of_whole_tables(data):
    """New durations of some pairs and slots, some without a way: as waiting and restoring the whole table would have them."""
    slots, n, k = data.draw(st.integers(1, 6)), data.draw(st.integers(2, 4)), data.draw(st.integers(1, 6))
    starts = np.cumsum([0.0, *data.draw(st.lists(st.sampled_from([600.0, 900.0]), min_size=slots - 1, max_size=slots - 1))])
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    cells = [(i, j) for i in range(n) for j in range(n) if i != j]
    chosen = [cells[c] for c in sorted(rng.choice(len(cells), min(k, len(cells)), replace=False))]
    source, target = (np.array(column) for column in zip(*chosen, strict=True))
    parking = rng.integers(0, 200, n)
    table = rng.integers(0, 2000, (slots, n, n)).astype(np.int32)
    first = int(rng.integers(0, slots))
    new = rng.integers(0, 2000, (int(rng.integers(1, slots - first + 1)), len(source))).astype(np.int32)
    new[rng.random(new.shape) < 0.3] = NO_WAY_S
    new[rng.random(new.shape) < 0.2] = -1
    wanted = table.copy()
    wanted[:, source, target] -= parking[target].astype(np.int32)
    for row, own in enumerate(new, first):
        wanted[row, source, target] = np.where(own == -1, wanted[row, source, target], own)
    part = np.ascontiguousarray(wanted[:, source, target])[:, :, None]
    wait_until_open(starts, part)
    part = np.where(part == NO_WAY_S, part, part + parking[target][:, None].astype(np.int32)).astype(np.int32)
    restore_fifo(starts, part[None])
    wanted = table.copy()
    wanted[:, source, target] = part[:, :, 0]
    matrix = np.full((n, n), -1.0)
    lay_pairs(starts, first, source, target, parking[target], new, -1, TOO_LATE_S, table, matrix)
    assert (table == wanted).all()
    least = table[:, source, target].min(axis=0).astype(float)
    assert (matrix[source, target] == np.where(least == NO_WAY_S, np.inf, least)).all()

"""Ways by predicted traffic between positions on streets equal a naive time-dependent search, leaving at and arriving by."""

import heapq
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.kernels.td_functions import CLOSED, SLOT_MS
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.api import DEFAULT_TURN_COSTS, NO_TURN_COSTS, Snaps, StreetEngine
from routing.street.timed_warm import warm_time_dependent
from routing.street.travel_time_functions import travel_time_functions
from tests.builders.streets import draw
from tests.routing.street.reference import Reference
from tests.routing.street.test_street_search import streets
from tests.routing.street.timed_reference import whole

PACES = (0.25, 1.0, 3.0, 20.0, 400.0)
START_S = 1_772_409_600
NEVER = 1 << 60
CHAIN = """
A B C D
---
AB  maxspeed=30
BC  maxspeed=30
CD  maxspeed=30
"""


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Machine code of all kernels, made outside the time a test may take."""
    return warm_time_dependent()


class TimedReference:
    """Dijkstra's algorithm on full histories, every arc driven by exact fractions."""

    def __init__(self, reference, pace, profile):
        self.reference, self.pace, self.profile = reference, pace, profile
        self.work = reference.metric.arc_time_ms

    def part(self, arc, share, now):
        """Moment at which a share of an arc begun at `now` is done."""
        work = int(np.floor(share * float(self.work[arc]) + 0.5))
        return whole(now, work, self.pace[:, self.profile[arc]])

    def ends(self, snaps, i):
        """A position on its arc and, where it has no direction, on the reverse."""
        arc, fraction = int(snaps.arc[i]), float(snaps.fraction[i])
        return [(a, f) for a, f in self.reference._both(arc, fraction) if a == arc or not snaps.directed[i]]

    def arrival(self, snaps, i, j, depart):
        """Earliest arrival at position `j` when leaving position `i`."""
        reached, queue, tie = {}, [], itertools.count()
        best = NEVER
        for arc, fraction in self.ends(snaps, i):
            then = self.part(arc, 1.0 - fraction, depart)
            for state, cost in self.reference.turns(((arc,), False)):
                heapq.heappush(queue, (then + cost, next(tie), state))
            for other, stop in self.ends(snaps, j):
                if other == arc and stop >= fraction:
                    best = min(best, self.part(arc, stop - fraction, depart))
        while queue:
            now, _, state = heapq.heappop(queue)
            arc = state[0][-1]
            if state in reached or self.work[arc] == UNREACHABLE_MS:
                continue
            reached[state] = now
            for other, stop in self.ends(snaps, j):
                if other == arc:
                    best = min(best, self.part(arc, stop, now))
            for after, cost in self.reference.turns(state):
                heapq.heappush(queue, (self.part(arc, 1.0, now) + cost, next(tie), after))
        return best


def timed_town(graph, mode, rng):
    """Engine, functions and reference of a random town with closures and rules that hold or not."""
    engine = StreetEngine(graph)
    holding = rng.random(len(graph.rules)) < 0.5
    metric = engine.metric(mode, closed_arcs=rng.random(graph.arc_count) < 0.1, rules_holding=holding)
    pace = rng.choice(PACES, (int(rng.integers(1, 6)), 3)).astype(np.float32)
    profile = rng.integers(0, 3, graph.arc_count)
    work = np.where(metric.arc_time_ms == UNREACHABLE_MS, CLOSED, metric.arc_time_ms.astype(np.int64))
    functions = travel_time_functions(metric.network, START_S, pace, work, profile, metric.turn_ms)
    costs = DEFAULT_TURN_COSTS.get(mode, NO_TURN_COSTS)
    naive = Reference(graph, metric, costs, frozenset(np.flatnonzero(holding).tolist()))
    return engine.timed(metric, functions), TimedReference(naive, pace, profile)


def places(graph, mode, rng):
    """Positions, some of which are left and reached in one direction only, some on the same street."""
    arcs = np.flatnonzero(graph.arc_access & mode.bit)
    arc = np.append(rng.choice(arcs, 5), -1).astype(np.int32)
    arc[1] = arc[0]
    if graph.arc_reverse[arc[0]] in arcs:
        arc[2] = graph.arc_reverse[arc[0]]
    zeros = np.zeros(6)
    fraction = rng.choice([0.0, 0.25, 0.7, 1.0], 6).astype(np.float32)
    directed = (rng.random(6) < 0.3) & (arc >= 0) & (mode is not StreetMode.FOOT)  # walkers have no kerb
    return Snaps(arc, fraction, np.zeros(6, np.float32), zeros, zeros, np.zeros(6, np.int8), directed)


@settings(max_examples=150, deadline=None)
@given(streets(), st.integers(0, 1000), st.sampled_from([StreetMode.CAR, StreetMode.TRUCK, StreetMode.FOOT]))
def test_ways_equal_a_naive_search(graph, seed, mode):
    """Leaving at a moment: the naive arrival. Arriving by one: the way arrives, and a millisecond later is too late."""
    rng = np.random.default_rng(seed)
    if not (graph.arc_access & mode.bit).any():
        return
    timed, reference = timed_town(graph, mode, rng)
    snaps, zero = places(graph, mode, rng), START_S * 1000
    for i, j in itertools.product(range(6), range(6)):
        moment = int(rng.integers(0, 5)) * SLOT_MS // 4
        way = timed.leave_at(snaps, i, snaps, j, START_S + moment / 1000)
        best = NEVER if -1 in (snaps.arc[i], snaps.arc[j]) else reference.arrival(snaps, i, j, moment)
        if best >= 2**30:
            assert way is None
            continue
        assert way is not None
        assert (way.depart_ms, way.arrive_ms) == (zero + moment, zero + best)
        check(timed, way)
        latest = timed.arrive_by(snaps, i, snaps, j, START_S + moment / 1000)
        if latest is None:
            assert reference.arrival(snaps, i, j, 0) > moment
            continue
        assert latest.arrive_ms <= zero + moment
        assert reference.arrival(snaps, i, j, latest.depart_ms - zero + 1) > moment
        check(timed, latest)


def check(timed, way):
    """Driving the same way again takes the same time; the latest departure for its arrival is not earlier than its own."""
    path = way.path
    again = timed.retimed(path, way.depart_ms / 1000)
    assert again is not None
    assert again.path.time_ms == path.time_ms
    assert again.path.arc_time_ms.tolist() == path.arc_time_ms.tolist()
    assert 0 <= path.arc_time_ms.sum() <= path.time_ms
    assert len(path.arcs) == len(path.arc_time_ms) == len(path.arc_length_m)
    if way.arrive_ms % 1000 == 0 and way.arrive_ms <= (START_S + timed.functions.slot_count * 900) * 1000:
        back = timed.retimed_back(path, way.arrive_ms / 1000)
        assert back is not None
        assert back.depart_ms >= way.depart_ms
        assert back.arrive_ms == way.arrive_ms


def test_a_trip_meets_the_streets_at_their_own_time():
    """Three streets of 12 s in a row, five times slower from the second quarter of an hour on: the slot's end cuts the trip."""
    town = draw(CHAIN)
    engine, metric = town.engine, town.engine.metric(StreetMode.CAR)
    work = np.full(town.graph.arc_count, 12_000)
    functions = travel_time_functions(metric.network, START_S, [[1.0], [5.0]], work, np.zeros(len(work)), metric.turn_ms)
    timed = engine.timed(metric, functions)
    ends = town.at("AB", "CD", fraction=0.0), 0, town.at("CD", fraction=1.0), 0
    calm, cut, slow = (timed.leave_at(*ends, START_S + s) for s in (0, 880, 900))
    assert [way.path.time_ms for way in (calm, cut, slow)] == [36_000, 20_000 + 5 * 16_000, 180_000]
    assert cut.path.arc_time_ms.tolist() == [12_000, 8_000 + 5 * 4_000, 60_000]
    by = timed.arrive_by(*ends, START_S + 980)
    assert (by.depart_ms, by.path.time_ms) == (cut.depart_ms, cut.path.time_ms)
    assert timed.used_bytes() > functions.arrays.pace.nbytes


def test_what_cannot_be_driven_is_told():
    """A way over a street closed in the functions, an impossible turn, and moments beyond them."""
    town = draw(CHAIN)
    metric = town.engine.metric(StreetMode.CAR)
    shut = town.engine.metric(StreetMode.CAR, closed_arcs=[town.arc("BC")])
    work = np.where(shut.arc_time_ms == UNREACHABLE_MS, CLOSED, shut.arc_time_ms.astype(np.int64))
    functions = travel_time_functions(metric.network, START_S, [[1.0]], work, np.zeros(len(work)), metric.turn_ms)
    timed = town.engine.timed(shut, functions)
    path = town.engine.find_route(metric, town.at("AB"), 0, town.at("CD"), 0)
    assert timed.retimed(path, START_S) is None
    assert timed.retimed_back(path, START_S + 900) is None
    assert timed.leave_at(town.at("AB"), 0, town.at("CD"), 0, START_S) is None
    assert timed.arrive_by(town.at("AB"), 0, town.at("CD"), 0, START_S + 900) is None
    jump = replace(path, arcs=np.array([town.arc("AB"), town.arc("CD")], np.int32))
    assert timed.retimed(jump, START_S) is None
    assert timed.retimed_back(town.engine.find_route(metric, town.at("AB"), 0, town.at("AB", fraction=1.0), 0), START_S) is None
    for moment in (START_S - 1, START_S + 901):
        with pytest.raises(InvalidInput, match="is not between"):
            timed.leave_at(town.at("AB"), 0, town.at("AB"), 0, moment)

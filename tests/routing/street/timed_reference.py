"""Naive time-dependent routing: exact fractions for one arc, label correction for a network."""

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from routing.kernels.td_functions import CLOSED, SLOT_MS
from routing.street.customization import FAR
from routing.street.nodes import plain_network
from routing.street.timed_anchors import TimedAnchors
from routing.street.travel_time_functions import travel_time_functions

PACES = (0.25, 0.6, 1.0, 1.1, 1.75, 3.0, 20.0)


def arrival(enter_ms, work_ms, paces):
    """Moment (a fraction) at which the work is done, driven slot by slot."""
    at, left = Fraction(enter_ms), Fraction(work_ms)
    k = min(enter_ms // SLOT_MS, len(paces) - 1)
    while True:
        done = at + left * Fraction(float(paces[k]))
        end = (k + 1) * SLOT_MS
        if k == len(paces) - 1 or done <= end:
            return done
        left -= (end - at) / Fraction(float(paces[k]))
        at, k = Fraction(end), k + 1


@st.composite
def tables(draw, most_slots=6, most_profiles=4):
    """Pace tables."""
    slots, profiles = draw(st.integers(1, most_slots)), draw(st.integers(1, most_profiles))
    rows = st.lists(st.sampled_from(PACES), min_size=profiles, max_size=profiles)
    return np.array(draw(st.lists(rows, min_size=slots, max_size=slots)), np.float32)


@st.composite
def timed_networks(draw):
    """Functions on a sparse network with loops, parallel and closed arcs, arcs that last slots or for ever, and islands."""
    n = draw(st.integers(2, 12))
    works = st.one_of(st.integers(0, 5), st.integers(0, 2_000_000), st.sampled_from([CLOSED, 1_000_000_000]))
    rows = st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), works), min_size=1, max_size=40)
    tail, head, work = (np.array(column, np.int64) for column in zip(*draw(rows), strict=True))
    pace = draw(tables())
    profile = np.array(draw(st.lists(st.integers(0, pace.shape[1] - 1), min_size=len(work), max_size=len(work))))
    network = plain_network(np.append(tail, n - 1), np.append(head, n - 1))
    turns = st.one_of(st.just(0), st.integers(0, 20_000), st.just(CLOSED))
    turn = np.array(draw(st.lists(turns, min_size=len(work) + 1, max_size=len(work) + 1)), np.int32)
    return travel_time_functions(network, 0, pace, np.append(work, 0), np.append(profile, 0), turn)


def position(draw, functions):
    """Anchors of one position: states, each with a part of some profile before or behind it and a turn."""
    states = st.integers(0, functions.network.state_count - 1)
    work = st.one_of(st.integers(0, 900_000), st.just(CLOSED))
    rows = st.tuples(states, st.integers(0, functions.profile_count - 1), work, st.integers(0, 30_000))
    found = draw(st.lists(rows, min_size=1, max_size=3))
    state, profile, part, cost = (np.array(column, np.int32) for column in zip(*found, strict=True))
    first = np.array([0, len(state)], np.int32)
    return TimedAnchors(first, state, np.full(len(state), -1, np.int32), profile, part, cost)


def earliest(functions, sources, depart_ms):
    """Earliest arrival at every state: all edges relaxed until nothing changes."""
    net, arrays, pace = functions.network, functions.arrays, functions.arrays.pace
    times = [FAR] * net.state_count
    for s, p, w, c in zip(sources.state, sources.profile, sources.work_ms, sources.cost_ms, strict=True):
        if w != CLOSED:
            times[s] = min(times[s], whole(depart_ms, int(w), pace[:, p]) + int(c))
    tails = np.repeat(np.arange(net.state_count), np.diff(net.first_edge)).tolist()
    edges = [
        (t, int(h), int(a), int(c)) for t, h, a, c in zip(tails, net.edge_to, net.edge_arc, functions.turn_ms, strict=True)
    ]
    changed = True
    while changed:
        changed = False
        for t, h, a, c in edges:
            work = int(arrays.arc_work_ms[a])
            if times[t] < FAR and CLOSED not in (work, c):
                then = whole(times[t], work, pace[:, arrays.arc_profile[a]]) + c
                if then < times[h]:
                    times[h], changed = then, True
    return times


def at_target(functions, targets, times):
    """Earliest arrival at a position."""
    pace, best = functions.arrays.pace, FAR
    for s, p, w, c in zip(targets.state, targets.profile, targets.work_ms, targets.cost_ms, strict=True):
        if w != CLOSED and times[s] < FAR:
            best = min(best, whole(int(times[s]), int(w), pace[:, p]) + int(c))
    return best


def whole(enter_ms, work_ms, paces):
    """`arrival` to the millisecond."""
    return int(arrival(enter_ms, work_ms, paces) + Fraction(1, 2))

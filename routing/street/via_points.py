"""Ways over several positions in a given order: passing through some, stopping at others.

At a stop one may turn round, as at both ends of any trip. Who passes through goes on in the direction of arrival, with all the
past that turn restrictions look at; the way is the quickest of all that do so, not a chain of quickest legs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels.street_search import INFINITE
from routing.model.street_graph import StreetGraph
from routing.street.anchors import Anchors
from routing.street.metric import StreetMetric
from routing.street.path import StreetPath, build_path
from routing.street.search import Searcher
from routing.street.snapping import Snaps

Int32 = npt.NDArray[np.int32]

MOST_POSITIONS = 100


@dataclass(frozen=True, slots=True)
class ViaWay:
    """A way over several positions.

    Attributes
    ----------
    time_ms : int
    length_m : float
    legs : tuple of StreetPath
        One from every position to the next; the line of one ends where the next begins.
    """

    time_ms: int
    length_m: float
    legs: tuple[StreetPath, ...]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """Reaching a position along `arc` (in network state `state`, -1 in node-based ones) at a time since the start."""

    ms: int
    arc: int
    fraction: float
    state: int
    leg: StreetPath | None
    before: "_Arrival | None"


def find_way(
    graph: StreetGraph, searcher: Searcher, metric: StreetMetric, positions: Snaps, stops: Sequence[bool] | None = None
) -> ViaWay | None:
    """Quickest way over all positions in their order; None if there is none.

    Parameters
    ----------
    positions : Snaps
        Start, positions in between, end.
    stops : sequence of bool, optional
        For every position in between: whether one stops there and may turn round (default: nowhere). Walkers may always.

    Raises
    ------
    InvalidInput
        For less than two positions, more than `MOST_POSITIONS`, or flags that do not pair up with those in between.
    """
    k = len(positions)
    if not 2 <= k <= MOST_POSITIONS:
        raise InvalidInput(f"a way over {k} positions: between 2 and {MOST_POSITIONS} are needed", "positions")
    stopping = [False] * (k - 2) if stops is None else list(stops)
    if len(stopping) != k - 2:
        raise InvalidInput(f"{len(stopping)} stop flags for {k - 2} positions in between", "stops")
    if (positions.arc < 0).any():
        return None
    arrivals: list[_Arrival] = []
    for i in range(k - 1):
        here, there = positions.take(i), positions.take(i + 1)
        free = i == 0 or stopping[i - 1] or not searcher.network.edge_based
        arrivals = _leg(graph, searcher, metric, (here, there), arrivals, free)
        if not arrivals:
            return None
    last: _Arrival | None = min(arrivals, key=lambda arrival: arrival.ms)
    legs: list[StreetPath] = []
    total = last.ms if last else 0
    while last is not None and last.leg is not None:
        legs.append(last.leg)
        last = last.before
    legs.reverse()
    return ViaWay(total, sum(leg.length_m for leg in legs), tuple(legs))


def _leg(
    graph: StreetGraph,
    searcher: Searcher,
    metric: StreetMetric,
    ends: tuple[Snaps, Snaps],
    arrivals: list[_Arrival],
    free: bool,
) -> list[_Arrival]:
    """Best arrival at the next position for every state it can be reached in."""
    here, there = ends
    if free:
        first = min(arrivals, key=lambda arrival: arrival.ms, default=None)
        seeds = searcher.sources(metric, here)
        came = [first] * len(seeds.state)
        began = np.full(len(seeds.state), 0 if first is None else first.ms, np.int64)
        began_ms = 0 if first is None else first.ms
        departures = [(arc, fraction, began_ms, first) for arc, fraction in _both(graph, here)]
    else:
        seeds, came, began = _onward(searcher, metric, arrivals)
        departures = [(one.arc, one.fraction, one.ms, one) for one in arrivals]
    offset = int(began.min(initial=0))
    timed = Anchors(seeds.first, seeds.state, (seeds.time_ms + (began - offset)).astype(np.int32), seeds.arc)
    targets = searcher.targets(metric, there)
    found: list[_Arrival] = []
    for row in range(len(targets.state)):
        end = Anchors(
            np.array([0, 1], np.int32), targets.state[row : row + 1], targets.time_ms[row : row + 1], targets.arc[row : row + 1]
        )
        best, meeting = searcher.pair(metric, timed, end)
        if best >= INFINITE:
            continue
        seed, edges, _ = searcher.unpack(metric, meeting)
        arcs = np.concatenate([seeds.arc[seed : seed + 1], searcher.network.edge_arc[edges], end.arc])
        fraction = there.fraction_on(arcs[-1], 0)
        leg_ms = best + offset - int(began[seed])
        path = build_path(graph, metric, leg_ms, arcs, here.fraction_on(arcs[0], 0), fraction)
        found.append(_Arrival(best + offset, int(arcs[-1]), fraction, int(end.state[0]), path, came[seed]))
    return found + _along(graph, searcher, metric, there, departures, free)


def _along(
    graph: StreetGraph,
    searcher: Searcher,
    metric: StreetMetric,
    there: Snaps,
    departures: list[tuple[int, float, int, _Arrival | None]],
    free: bool,
) -> list[_Arrival]:
    """Arrivals without leaving the street."""
    net = searcher.network
    found = []
    for arc, fraction, began_ms, before in departures:
        for end_arc, end in _both(graph, there):
            if end_arc != arc or end < fraction or metric.arc_time_ms[arc] >= INFINITE:
                continue
            ms = int(np.floor((end - fraction) * float(metric.arc_time_ms[arc]) + 0.5))
            path = build_path(graph, metric, ms, np.array([arc], np.int32), fraction, end)
            plain = int(net.arc_states[net.arc_first_state[arc]]) if net.edge_based else -1
            state = plain if before is None or free else before.state
            found.append(_Arrival(began_ms + ms, arc, end, state, path, before))
    return found


def _onward(
    searcher: Searcher, metric: StreetMetric, arrivals: list[_Arrival]
) -> tuple[Anchors, list[_Arrival | None], npt.NDArray[np.int64]]:
    """Where those who pass through go on: all turns at the end of the arc they came along, from their own state."""
    net = searcher.network
    state: list[int] = []
    rest: list[int] = []
    arcs: list[int] = []
    came: list[_Arrival | None] = []
    for one in arrivals:
        left = int(np.floor((1.0 - one.fraction) * float(metric.arc_time_ms[one.arc]) + 0.5))
        for e in range(net.first_edge[one.state], net.first_edge[one.state + 1]):
            if metric.turn_ms[e] < INFINITE:
                state.append(int(net.edge_to[e]))
                rest.append(left + int(metric.turn_ms[e]))
                arcs.append(one.arc)
                came.append(one)
    first = np.array([0, len(state)], np.int32)
    columns = (np.array(column, np.int32) for column in (state, rest, arcs))
    return Anchors(first, *columns), came, np.array([one.ms for one in came if one], np.int64)


def _both(graph: StreetGraph, snap: Snaps) -> list[tuple[int, float]]:
    """The position on its arc and, where there is one and the side of the kerb does not matter, on the reverse."""
    arc, fraction = int(snap.arc[0]), float(snap.fraction[0])
    back = -1 if snap.directed[0] else int(graph.arc_reverse[arc])
    return [(arc, fraction)] + ([(back, 1.0 - fraction)] if back >= 0 else [])

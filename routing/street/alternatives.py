"""Sensible other ways: different enough, nowhere silly, not much longer.

A candidate is the quickest way over one state *via*. Both climbs of a hierarchy see the separators of the network between the
two ends; the ancestors of the start and of the end are the candidates, and their exact times from the start and to the end
cost a sweep over these few states. The ways are then drawn in order of time and judged:

* *limited sharing*: the part (of time) in common with the ways taken before is at most `shared` of the quickest time;
* *local optimality*: the T-test, around the via state for ``T = optimal_within ·`` quickest time; it implies that every stretch
  of at most T is a quickest way, so no way leaves a street to come back to it;
* *bounded stretch*: where it leaves the quickest way it takes at most ``1 + stretch`` times as long as that;
* no street is driven in both directions, unless the quickest way has to.

References
----------
Abraham, Delling, Goldberg, Werneck: Alternative Routes in Road Networks. ACM JEA 18 (2013), doi:10.1145/2444016.2444019.
"""

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import street_ways as kernels
from routing.kernels.street_anchors import direct
from routing.kernels.street_search import INFINITE
from routing.model.street_graph import StreetGraph
from routing.street.anchors import Anchors
from routing.street.cch import Hierarchy
from routing.street.customization import HierarchyWeights
from routing.street.hierarchy_search import HierarchySearcher
from routing.street.metric import StreetMetric
from routing.street.path import StreetPath, build_path
from routing.street.search import Searcher
from routing.street.snapping import Snaps

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

MOST_WAYS = 400
"""Candidates drawn at most for one question; a city has some dozens within the usual limits."""


@dataclass(frozen=True, slots=True)
class AlternativeLimits:
    """What makes another way sensible (defaults: Abraham et al., section 2).

    Attributes
    ----------
    count : int
        Ways wanted beside the quickest.
    shared : float
        Greatest share of the quickest way's time that may be in common with ways taken before.
    stretch : float
        A detour may take this much longer than what it replaces.
    optimal_within : float
        Stretches up to this share of the quickest time must be quickest ways themselves.
    """

    count: int = 2
    shared: float = 0.8
    stretch: float = 0.25
    optimal_within: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.count <= 8:
            raise InvalidInput(f"count = {self.count}: between 0 and 8 alternatives can be asked for", "count")
        for name, low, high in (("shared", 0.0, 1.0), ("stretch", 0.0, 4.0), ("optimal_within", 0.0, 1.0)):
            if not low <= getattr(self, name) <= high:
                raise InvalidInput(f"{name} = {getattr(self, name)} is not between {low:g} and {high:g}", name)


USUAL_LIMITS = AlternativeLimits()


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of several ways.

    Attributes
    ----------
    path : StreetPath
    shared : float
        Share of the quickest way's time that it has in common with the ways before it (1 for the quickest itself).
    stretch : float
        Its time as a multiple of the quickest, at least 1.
    """

    path: StreetPath
    shared: float
    stretch: float


@dataclass(frozen=True, slots=True)
class _Way:
    """A way state by state: q states, q + 1 arcs.

    ``at_ms[k]`` (int64[q]) is the time on entering ``state[k]``; ``step_ms`` (int64[q + 1]) the time from each arc to the
    next; ``arc_ms`` (float64[q + 1]) the part of it that is spent along the arc.
    """

    time_ms: int
    arcs: Int32
    state: Int32
    at_ms: Int64
    step_ms: Int64
    arc_ms: npt.NDArray[np.float64]
    via: int = -1


class _Seen:
    """Arcs and turns of ways taken so far; `forget` leaves the scratch arrays as they came."""

    def __init__(self, scratch: "_Scratch") -> None:
        self._first, self._ways = scratch.first_turn, list[_Way]()
        self._next = self._to = np.empty(0, np.int32)
        self._count = 0

    def add(self, way: _Way) -> None:
        """Take a way."""
        room = np.empty(len(way.arcs), np.int32)
        self._next, self._to = np.concatenate([self._next, room]), np.concatenate([self._to, room])
        self._count = kernels.add_turns(way.arcs, self._first, self._next, self._to, self._count)
        self._ways.append(way)

    def shared_ms(self, way: _Way) -> float:
        """Time another way has in common with those taken."""
        return float(kernels.common_ms(way.arcs, way.step_ms, way.arc_ms, self._first, self._next, self._to))

    def forget(self) -> None:
        """Clean up."""
        for way in self._ways:
            self._first[way.arcs] = -1


class _Scratch(threading.local):
    """Working arrays of one thread."""

    def __init__(self, arcs: int, states: int) -> None:
        self.first_turn = np.full(arcs, -1, np.int32)
        self.marked = np.zeros(arcs, np.bool_)
        self.row_of = np.full(states, -1, np.int32)


class AlternativeSearcher:
    """Alternatives on the hierarchy of one mode; thread-safe."""

    def __init__(self, graph: StreetGraph, searcher: Searcher, hierarchy: Hierarchy) -> None:
        self._graph, self._searcher, self._tree = graph, searcher, HierarchySearcher(hierarchy)
        self._scratch = _Scratch(graph.arc_count, searcher.network.state_count)

    def find(self, metric: StreetMetric, start: Snaps, end: Snaps, limits: AlternativeLimits) -> list[Alternative]:
        """Quickest way from one position to another and up to `limits.count` others; empty if there is no way."""
        if start.arc[0] < 0 or end.arc[0] < 0 or (weights := metric.weights) is None:
            return []
        seeds, ends = self._searcher.sources(metric, start), self._searcher.targets(metric, end)
        along, arc = direct(
            start.arc[0], start.fraction[0], end.arc[0], end.fraction[0], metric.arc_time_ms, self._graph.arc_reverse,
            start.directed[0], end.directed[0],
        )  # fmt: skip
        best, _ = self._tree.pair(weights, seeds, ends)
        if min(best, along) >= INFINITE:
            return []
        if along <= best:
            arcs = np.array([arc], np.int32)
            return [Alternative(self._path(metric, int(along), arcs, start, end), 1.0, 1.0)]
        seen = _Seen(self._scratch)
        try:
            ways = self._ways(metric, weights, (start, end), (seeds, ends), limits, seen)
            chosen = _choose(ways, limits, seen)
        finally:
            seen.forget()
        return [
            Alternative(self._path(metric, way.time_ms, way.arcs, start, end), shared, way.time_ms / max(best, 1))
            for way, shared in chosen
        ]

    def _ways(
        self,
        metric: StreetMetric,
        weights: HierarchyWeights,
        places: tuple[Snaps, Snaps],
        anchors: tuple[Anchors, Anchors],
        limits: AlternativeLimits,
        seen: _Seen,
    ) -> list[_Way]:
        """The quickest way (`seen` takes it), then all candidates that pass each for itself, by time."""
        state, total = self._tree.via_times(weights, *anchors)
        most = (1.0 + limits.stretch) * int(total.min()) if limits.count else int(total.min())
        kept = np.flatnonzero(total <= most)
        kept = kept[np.argsort(total[kept], kind="stable")]
        state, total = state[kept], total[kept]
        done = np.zeros(len(state), np.bool_)
        self._scratch.row_of[state] = np.arange(len(state))
        ways: list[_Way] = []
        drawn = both = 0
        for k in range(len(state)):
            if done[k] or drawn > MOST_WAYS:
                continue
            drawn += 1
            way = self._way(metric, weights, places, anchors, int(state[k]))
            kernels.strike(way.state, total[k], self._scratch.row_of, total, done)
            if not ways:
                seen.add(way)
                ways.append(way)
                _, both = kernels.repeats(way.arcs, self._graph.arc_reverse, self._scratch.marked)
            elif self._sensible(weights, way, ways[0], seen, both, limits):
                ways.append(way)
        self._scratch.row_of[state] = -1
        return ways

    def _way(
        self,
        metric: StreetMetric,
        weights: HierarchyWeights,
        places: tuple[Snaps, Snaps],
        anchors: tuple[Anchors, Anchors],
        via: int,
    ) -> _Way:
        """The quickest way over a state."""
        seeds, ends = anchors
        middle = _state(via)
        _, meeting = self._tree.pair(weights, seeds, middle)
        seed, first, _ = self._tree.unpack(weights, meeting)
        _, meeting = self._tree.pair(weights, middle, ends)
        _, second, last = self._tree.unpack(weights, meeting)
        edges = np.concatenate([first, second])
        net, edge_ms = self._searcher.network, metric.edge_ms
        arcs = np.concatenate([seeds.arc[seed : seed + 1], net.edge_arc[edges], ends.arc[last : last + 1]])
        state = np.concatenate([seeds.state[seed : seed + 1], net.edge_to[edges]])
        step = np.concatenate([seeds.time_ms[seed : seed + 1], edge_ms[edges], ends.time_ms[last : last + 1]]).astype(np.int64)
        share = np.ones(len(arcs))
        share[0] -= places[0].fraction_on(arcs[0], 0)
        share[-1] = places[1].fraction_on(arcs[-1], 0)
        arc_ms = np.minimum(metric.arc_time_ms[arcs] * share, step)
        at = np.cumsum(step)
        return _Way(int(at[-1]), arcs, state, at[:-1], step, arc_ms, len(first))

    def _sensible(
        self, weights: HierarchyWeights, way: _Way, quickest: _Way, seen: _Seen, both: int, limits: AlternativeLimits
    ) -> bool:
        """Whether a candidate is different enough from the quickest way, short enough and locally optimal."""
        shared = seen.shared_ms(way)
        if shared > limits.shared * quickest.time_ms:
            return False
        if way.time_ms - shared > (1.0 + limits.stretch) * (quickest.time_ms - shared):
            return False
        again, back = kernels.repeats(way.arcs, self._graph.arc_reverse, self._scratch.marked)
        if again or back > both:
            return False
        reach = limits.optimal_within * quickest.time_ms
        first = max(int(np.searchsorted(way.at_ms, way.at_ms[way.via] - reach, side="right")) - 1, 0)
        last = min(int(np.searchsorted(way.at_ms, way.at_ms[way.via] + reach)), len(way.at_ms) - 1)
        straight, _ = self._tree.pair(weights, _state(int(way.state[first])), _state(int(way.state[last])))
        return bool(straight == way.at_ms[last] - way.at_ms[first])

    def _path(self, metric: StreetMetric, time_ms: int, arcs: Int32, start: Snaps, end: Snaps) -> StreetPath:
        ends = start.fraction_on(arcs[0], 0), end.fraction_on(arcs[-1], 0)
        return build_path(self._graph, metric, time_ms, arcs, *ends)


def _choose(ways: list[_Way], limits: AlternativeLimits, seen: _Seen) -> list[tuple[_Way, float]]:
    """The quickest way and those that, one after the other, add least time and repeat least of what is there."""
    chosen, left = [(ways[0], 1.0)], ways[1:]
    while left and len(chosen) <= limits.count:
        shared = [seen.shared_ms(way) for way in left]
        good = [k for k in range(len(left)) if shared[k] <= limits.shared * ways[0].time_ms]
        if not good:
            break
        best = min(good, key=lambda k: (left[k].time_ms + shared[k], k))
        seen.add(left[best])
        chosen.append((left[best], shared[best] / max(ways[0].time_ms, 1)))
        left = [left[k] for k in good if k != best]
    return chosen


def _state(state: int) -> Anchors:
    return Anchors(np.array([0, 1], np.int32), np.array([state], np.int32), np.zeros(1, np.int32), np.zeros(1, np.int32))

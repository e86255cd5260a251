"""Time-dependent routing between positions: exact (A*), sampled (TD-S), and Dijkstra's algorithm as their reference."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import RoutingError
from routing.kernels import td_potentials, td_sampling, td_search
from routing.kernels.td_functions import SLOT_MS, Edges
from routing.kernels.td_potentials import OUTLASTED, Bounds
from routing.kernels.td_sampling import NOT_THESE, TOO_SHORT, Sample
from routing.street.cch import Hierarchy
from routing.street.customization import FAR, HierarchyWeights, customise
from routing.street.network import StreetNetwork
from routing.street.timed_anchors import TimedAnchors
from routing.street.travel_time_functions import TravelTimeFunctions

Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]

WINDOWS = ((4, 2), (8, 4), (24, 8))
"""Windows for lower bounds: length and stride in slots, tried in this order; then the whole time there is."""
SAMPLES = 6
"""Most slots whose quickest ways are looked at: as many as a trip of an hour and a quarter touches."""
KEPT = 32
"""Sets of weights kept, the last used; each has some 9 bytes per arc of the hierarchy (11 MB for a city)."""


@dataclass(frozen=True, slots=True, eq=False)
class TimedWay:
    """A way and its moments (milliseconds since slot 0).

    Attributes
    ----------
    depart_ms, arrive_ms : int
    seed, end : int
        Rows of the anchors used.
    edges : int32[…]
        Edges of the state graph in order of travel.
    settled : int
        States settled by the search that found it.
    """

    depart_ms: int
    arrive_ms: int
    seed: int
    edges: Int32
    end: int
    settled: int


class _Memory(threading.local):
    """Working arrays of one thread, made on first use."""

    def __init__(self, network: StreetNetwork, hierarchy: Hierarchy) -> None:
        n, e, deep = max(network.state_count, 1), len(network.edge_to), hierarchy.row_length

        def blank() -> Int32:
            return np.empty(n, np.int32)

        def far() -> Int32:
            return np.full(n, FAR, np.int32)

        heap = np.empty(e + 1024, np.int64)
        self.scratch = td_potentials.Scratch(
            far(), blank(), blank(), far(), np.full(n, -1, np.int32), blank(), np.empty(2 * n, np.int32), blank(), blank(), heap
        )
        stack, edges = np.empty(4 * deep + 64, np.int32), np.empty(4096, np.int32)
        slots, allowed = np.empty(2 * deep + 2, np.int32), np.zeros(n, np.uint8)
        self.ways = td_sampling.Ways(far(), blank(), slots, stack, edges, allowed, blank())


class TimeDependentRouter:
    """Quickest ways under travel-time functions; thread-safe (scratch memory is per thread).

    Parameters
    ----------
    functions : TravelTimeFunctions
    hierarchy : Hierarchy
        Of the functions' network.
    windows : sequence of (int, int)
        See `WINDOWS`.
    kept : int
        Sets of weights to keep.
    """

    def __init__(
        self,
        functions: TravelTimeFunctions,
        hierarchy: Hierarchy,
        windows: Sequence[tuple[int, int]] = WINDOWS,
        kept: int = KEPT,
    ) -> None:
        net = functions.network
        self.functions, self.hierarchy, self._windows = functions, hierarchy, tuple(windows)
        self._edges = Edges(
            net.first_edge, net.edge_to, net.edge_arc, functions.turn_ms, net.back_first, net.back_to, net.back_edge
        )
        self._tree = td_potentials.Tree(hierarchy.rank, hierarchy.up_first, hierarchy.up_head, hierarchy.parent)
        self._arcs = td_sampling.Arcs(
            hierarchy.up_tail, hierarchy.down_first, hierarchy.down_arc, hierarchy.slot_first, hierarchy.slot_edge
        )
        self._memory = _Memory(net, hierarchy)
        self._kept, self._lock = kept, threading.Lock()
        self._kept_weights: OrderedDict[tuple[int, int, bool], tuple[HierarchyWeights, Float32]] = OrderedDict()

    @property
    def kept_weights(self) -> int:
        """Number of sets of weights in memory."""
        return len(self._kept_weights)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the sets of weights in memory."""
        with self._lock:
            return sum(w.weight_ms.nbytes + w.edge_ms.nbytes + row.nbytes for w, row in self._kept_weights.values())

    def earliest_arrival(self, sources: TimedAnchors, targets: TimedAnchors, depart_ms: int) -> TimedWay | None:
        """Quickest way when leaving at `depart_ms`; exact. None if there is none."""
        there, end, settled = self._search(sources, targets, depart_ms, backward=False)
        return self._way(depart_ms, there, targets, end, settled)

    def latest_departure(self, sources: TimedAnchors, targets: TimedAnchors, deadline_ms: int) -> TimedWay | None:
        """Way with the latest departure that arrives by `deadline_ms`; exact. None if there is none since slot 0."""
        lead, seed, settled = self._search(targets, sources, deadline_ms, backward=True)
        if lead >= FAR:
            return None
        net, parent = self.functions.network, self._memory.scratch.parent
        edges, state = [], int(sources.state[seed])
        while (edge := int(parent[state])) >= 0:
            edges.append(edge)
            state = int(net.edge_to[edge])
        return TimedWay(deadline_ms - lead, deadline_ms, seed, np.array(edges, np.int32), -1 - edge, settled)

    def _search(self, begin: TimedAnchors, end: TimedAnchors, moment_ms: int, *, backward: bool) -> tuple[int, int, int]:
        """Label of `end` by A* from `begin`, the row used, states settled; in windows until one holds the whole trip."""
        label_ms = self._labels(begin, moment_ms, backward=backward)
        search = td_potentials.latest_departure if backward else td_potentials.earliest_arrival
        for bounds in self.bounds_for(moment_ms, backward=backward):
            label, row, settled = search(
                self._edges, self.functions.arrays, self._tree, bounds, moment_ms, begin.state, label_ms, end.state,
                end.profile, end.work_ms, end.cost_ms, self._memory.scratch,
            )  # fmt: skip
            if label != OUTLASTED:
                break
        return int(label), int(row), int(settled)

    def sampled_arrival(self, sources: TimedAnchors, targets: TimedAnchors, depart_ms: int) -> TimedWay | None:
        """Way made of the quickest ones of a few slots from the departure on; never too early, seldom too late."""
        seed_ms, memory = self._labels(sources, depart_ms, backward=False), self._memory
        samples, pace = self._samples(depart_ms)
        while True:
            there, end, settled = td_sampling.sampled_arrival(
                self._edges, self.functions.arrays, self._tree, self._arcs, samples, pace, len(pace), depart_ms,
                sources.state, seed_ms, targets.state, targets.profile, targets.work_ms, targets.cost_ms, memory.scratch,
                memory.ways,
            )  # fmt: skip
            if there == NOT_THESE:
                raise RoutingError("the weights are not those of this hierarchy: build the city again")
            if there != TOO_SHORT:
                return self._way(depart_ms, int(there), targets, int(end), int(settled))
            stack, edges = (np.empty(4 * len(short), np.int32) for short in (memory.ways.stack, memory.ways.edges))
            memory.ways = memory.ways._replace(stack=stack, edges=edges)

    def all_arrivals(self, sources: TimedAnchors, depart_ms: int) -> Int32:
        """Earliest arrival at every state (int32[s], `FAR` = none) by Dijkstra's algorithm."""
        return self._spread(sources, depart_ms, backward=False)

    def all_departures(self, targets: TimedAnchors, deadline_ms: int) -> Int32:
        """Lead before the deadline with which every state must be left (int32[s], `FAR` = none) by Dijkstra's algorithm."""
        return self._spread(targets, deadline_ms, backward=True)

    def _spread(self, begin: TimedAnchors, moment_ms: int, *, backward: bool) -> Int32:
        label_ms, scratch = np.empty(self.functions.network.state_count, np.int32), self._memory.scratch
        from_label = self._labels(begin, moment_ms, backward=backward)
        functions = self.functions.arrays
        search = td_search.latest if backward else td_search.earliest
        search(self._edges, functions, moment_ms, begin.state, from_label, label_ms, scratch.parent, scratch.heap)
        return label_ms

    def _labels(self, anchors: TimedAnchors, moment_ms: int, *, backward: bool) -> Int32:
        label_ms = np.empty(len(anchors.state), np.int32)
        columns = anchors.profile, anchors.work_ms, anchors.cost_ms
        td_search.anchor_labels(backward, moment_ms, *columns, self.functions.arrays, label_ms)
        return label_ms

    def _way(self, depart_ms: int, there: int, targets: TimedAnchors, end: int, settled: int) -> TimedWay | None:
        if there >= FAR:
            return None
        net, parent = self.functions.network, self._memory.scratch.parent
        edges, seed = td_search.trace(int(targets.state[end]), parent, net.first_edge)
        return TimedWay(depart_ms, there, int(seed), edges, end, settled)

    def bounds_for(self, moment_ms: int, *, backward: bool) -> Iterator[Bounds]:
        """Bounds for trips from (or to, `backward`) a moment, of longer and longer windows, made as they are asked for."""
        slots = self.functions.slot_count
        here = min(moment_ms // SLOT_MS, slots - 1)
        for length, stride in self._windows:
            if length >= slots:
                continue
            first = here - here % stride
            if backward:
                first = max(first + stride - length, 0)
            yield self._bounds(first, min(first + length, slots))
        yield self._bounds(0, slots)

    def _bounds(self, first: int, last: int) -> Bounds:
        weights, row = self._weights_of(first, last, lower=True)
        end_ms = FAR if last == self.functions.slot_count else last * SLOT_MS
        return Bounds(weights.weight_ms, row, first * SLOT_MS, end_ms)

    def _weights_of(self, first: int, last: int, *, lower: bool) -> tuple[HierarchyWeights, Float32]:
        """Weights at the least (`lower`) or mean pace of some slots, and that pace."""
        key = (first, last, lower)
        with self._lock:
            found = self._kept_weights.get(key)
            if found is not None:
                self._kept_weights.move_to_end(key)
                return found
        row = self.functions.pace_of(first, last, lower=lower)
        found = customise(self.hierarchy, self.functions.edge_ms(row, lower=lower)), row
        with self._lock:
            self._kept_weights[key] = found
            while len(self._kept_weights) > self._kept:
                self._kept_weights.popitem(last=False)
        return found

    def _samples(self, depart_ms: int) -> tuple[tuple[Sample, ...], Float32]:
        """Weights of the first `SAMPLES` samples from a moment on."""
        slots = self.functions.slot_count
        here = min(depart_ms // SLOT_MS, slots - 1)
        found = [
            self._weights_of(min(here + i, slots - 1), min(here + i, slots - 1) + 1, lower=False)[0] for i in range(SAMPLES)
        ]
        return tuple(Sample(w.weight_ms, w.edge_ms, w.known) for w in found), self.functions.arrays.pace[here : here + SAMPLES]

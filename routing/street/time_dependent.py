"""Time-dependent routing between positions: A*, exact or nearly so, and Dijkstra's algorithm as its reference.

A* goes by potentials of a window of slots (`routing.kernels.td_potentials`). With the least paces of the window they are bounds
and answers are exact. With paces a little nearer to the mean the search looks at fewer states, above all where a trip crosses
a rush hour, and the way it finds is real but may be late: weighted A* (Pohl 1970) with weights from the window itself.

References
----------
Pohl: Heuristic search viewed as path finding in a graph. Artificial Intelligence 1 (1970), doi:10.1016/0004-3702(70)90007-X.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.kernels import td_potentials, td_search
from routing.kernels.td_functions import SLOT_MS, Edges
from routing.kernels.td_potentials import OUTLASTED, Bounds
from routing.street.cch import Hierarchy
from routing.street.customization import FAR, customise
from routing.street.network import StreetNetwork
from routing.street.sides import Sides
from routing.street.timed_anchors import TimedAnchors
from routing.street.travel_time_functions import TravelTimeFunctions

Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]

WINDOWS = ((3, 1), (5, 1), (10, 2), (24, 8))
"""Windows for potentials: length and stride in slots, tried in this order; then the whole time there is."""
NEAR_MEAN_SHARE = 0.2
"""Paces of nearly exact searches, from the least (0) to the mean (1) of a window. Error and speed: docs/benchmarks.md."""
KEPT = 32
"""Sets of weights kept, the last used; each has some 4 bytes per arc of the hierarchy (5 MB for a city)."""

Key = tuple[int, int, float]
"""First slot, last slot, share of the mean pace."""


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

    def __init__(self, network: StreetNetwork) -> None:
        n, e = max(network.state_count, 1), len(network.edge_to)

        def blank() -> Int32:
            return np.empty(n, np.int32)

        def far() -> Int32:
            return np.full(n, FAR, np.int32)

        heap = np.empty(e + 1024, np.int64)
        self.scratch = td_potentials.Scratch(
            far(), blank(), blank(), blank(), far(), np.full(n, -1, np.int32), blank(), blank(), blank(), blank(), heap
        )


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
        self._tree = td_potentials.Tree(hierarchy.rank, hierarchy.parent)
        self._memory = _Memory(net)
        self._kept, self._lock = kept, threading.Lock()
        self._kept_weights: OrderedDict[Key, tuple[Sides, Float32]] = OrderedDict()

    @property
    def kept_weights(self) -> int:
        """Number of sets of weights in memory."""
        return len(self._kept_weights)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the sets of weights in memory."""
        with self._lock:
            return sum(
                up.weight_ms.nbytes + down.weight_ms.nbytes + row.nbytes for (up, down), row in self._kept_weights.values()
            )

    def earliest_arrival(self, sources: TimedAnchors, targets: TimedAnchors, depart_ms: int) -> TimedWay | None:
        """Quickest way when leaving at `depart_ms`; exact. None if there is none."""
        there, end, settled = self._search(sources, targets, depart_ms, backward=False)
        return self._way(depart_ms, there, targets, end, settled)

    def near_arrival(self, sources: TimedAnchors, targets: TimedAnchors, depart_ms: int) -> TimedWay | None:
        """Nearly the quickest way when leaving at `depart_ms`: never too early, seldom late. None if there is none."""
        there, end, settled = self._search(sources, targets, depart_ms, backward=False, mean_share=NEAR_MEAN_SHARE)
        if there >= FAR:  # nowhere at these paces: bounds must tell
            return self.earliest_arrival(sources, targets, depart_ms)
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

    def _search(
        self, begin: TimedAnchors, end: TimedAnchors, moment_ms: int, *, backward: bool, mean_share: float = 0.0
    ) -> tuple[int, int, int]:
        """Label of `end` by A* from `begin`, the row used, states settled; in windows until one holds the whole trip."""
        label_ms = self._labels(begin, moment_ms, backward=backward)
        search = td_potentials.latest_departure if backward else td_potentials.earliest_arrival
        label, row, settled = OUTLASTED, 0 if backward else moment_ms, 0
        for first, last in self._spans(moment_ms, backward=backward):
            whole = last - first == self.functions.slot_count
            if not whole and (first * SLOT_MS > moment_ms - row if backward else last * SLOT_MS < row):
                continue  # a shorter window has told that the trip takes longer
            bounds = self._bounds(first, last, mean_share)
            label, row, settled = search(
                self._edges, self.functions.arrays, self._tree, bounds, moment_ms, begin.state, label_ms, end.state,
                end.profile, end.work_ms, end.cost_ms, self._memory.scratch,
            )  # fmt: skip
            if label != OUTLASTED:
                break
        return int(label), int(row), int(settled)

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
        scratch = self._memory.scratch
        edges, seed = td_search.trace(int(targets.state[end]), scratch.parent, scratch.before)
        return TimedWay(depart_ms, there, int(seed), edges, end, settled)

    def prepare(self, moment_ms: int) -> None:
        """Make the weights that trips from and to a moment need first."""
        for backward in (False, True):
            self._bounds(*next(self._spans(moment_ms, backward=backward)))

    def _spans(self, moment_ms: int, *, backward: bool) -> Iterator[tuple[int, int]]:
        """Windows for trips from (or to, `backward`) a moment, as slots: longer and longer ones, then all there are."""
        slots = self.functions.slot_count
        here = min(moment_ms // SLOT_MS, slots - 1)
        for length, stride in self._windows:
            if length >= slots:
                continue
            first = here - here % stride
            if backward:
                first = max(first + stride - length, 0)
            yield first, min(first + length, slots)
        yield 0, slots

    def _bounds(self, first: int, last: int, mean_share: float = 0.0) -> Bounds:
        sides, row = self._weights_of(first, last, mean_share)
        end_ms = FAR if last == self.functions.slot_count else last * SLOT_MS
        return Bounds(*sides, row, first * SLOT_MS, end_ms)

    def _weights_of(self, first: int, last: int, mean_share: float) -> tuple[Sides, Float32]:
        """Weights at a pace of some slots, and that pace; see `TravelTimeFunctions.pace_of`."""
        key = (first, last, mean_share)
        with self._lock:
            found = self._kept_weights.get(key)
            if found is not None:
                self._kept_weights.move_to_end(key)
                return found
        row = self.functions.pace_of(first, last, mean_share)
        found = customise(self.hierarchy, self.functions.edge_ms(row, lower=True)).sides, row
        with self._lock:
            self._kept_weights[key] = found
            while len(self._kept_weights) > self._kept:
                self._kept_weights.popitem(last=False)
        return found

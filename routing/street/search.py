"""Searches on one network: scratch memory, anchors, one-to-many in both directions, one-to-one."""

import threading

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import street_anchors as anchor_kernels
from routing.kernels import street_search as kernels
from routing.kernels.street_route import States
from routing.kernels.street_search import INFINITE
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.street_graph import StreetGraph
from routing.street.anchors import Anchors
from routing.street.cch import Hierarchy
from routing.street.hierarchy_search import FAR, HierarchySearcher, Labels
from routing.street.hints import keep_directed
from routing.street.metric import StreetMetric
from routing.street.network import StreetNetwork
from routing.street.snapping import Snaps

Int32 = npt.NDArray[np.int32]


SWEEP_FROM_S = {
    StreetMode.CAR: 240.0, StreetMode.VAN: 240.0, StreetMode.TRUCK: 240.0, StreetMode.BICYCLE: 600.0, StreetMode.FOOT: 2400.0,
    StreetMode.WHEELCHAIR: 2400.0,
}  # fmt: skip
"""Searches of a shorter limit see so little of a city that Dijkstra's algorithm is quicker than a sweep over the hierarchy."""


class Scratch(threading.local):
    """Working arrays of one thread for one network, made on first use."""

    def __init__(self, network: StreetNetwork) -> None:
        states, edges = network.state_count, len(network.edge_to)
        self.time, self.back_time = np.empty(states, np.int32), np.empty(states, np.int32)
        self.parent, self.back_parent = np.empty(states, np.int32), np.empty(states, np.int32)
        self.goal = np.zeros(states, np.uint8)
        self.heap, self.back_heap = np.empty(edges + 1024, np.int64), np.empty(edges + 1024, np.int64)


class StateSearcher:
    """Searches between states of one network; thread-safe (scratch memory is per thread).

    With a hierarchy everything but searches of a short limit runs on it, else Dijkstra's algorithm does.
    """

    def __init__(self, network: StreetNetwork, hierarchy: Hierarchy | None = None) -> None:
        self.network, self.hierarchy = network, hierarchy
        self._scratch = Scratch(network)
        self._tree = None if hierarchy is None else HierarchySearcher(hierarchy)
        self._sweep_from_ms = round(1000 * SWEEP_FROM_S.get(network.mode, 0.0))

    def spread(self, metric: StreetMetric, seeds: Anchors, limit_ms: int, goals: Int32 | None, backward: bool) -> Int32:
        """State times (int32[s]; scratch) from the seeds, right at `goals` (None: everywhere); `INFINITE` beyond the limit."""
        if self._tree is not None and limit_ms >= self._sweep_from_ms and (weights := metric.weights) is not None:
            return self._tree.spread(weights, seeds, goals, backward, limit_ms)
        net, scratch = self.network, self._scratch
        count = 0 if goals is None else anchor_kernels.mark(goals, scratch.goal, 1)
        if backward:
            edges = (net.back_first, net.back_to, metric.back_edge_ms)
        else:
            edges = (net.first_edge, net.edge_to, metric.edge_ms)
        kernels.search(
            *edges, seeds.state, seeds.time_ms, limit_ms, scratch.goal, count, scratch.time, scratch.parent, scratch.heap
        )
        if goals is not None:
            anchor_kernels.mark(goals, scratch.goal, 0)
        return scratch.time

    def pair(self, metric: StreetMetric, seeds: Anchors, ends: Anchors) -> tuple[int, int]:
        """Best time from any seed to any end and the state where both searches met (`INFINITE`, -1 if none)."""
        if self._tree is not None and (weights := metric.weights) is not None:
            return self._tree.pair(weights, seeds, ends)
        net, scratch = self.network, self._scratch
        best, meeting = kernels.search_pair(
            net.first_edge, net.edge_to, metric.edge_ms, seeds.state, seeds.time_ms, net.back_first, net.back_to,
            metric.back_edge_ms, ends.state, ends.time_ms, scratch.time, scratch.parent, scratch.heap, scratch.back_time,
            scratch.back_parent, scratch.back_heap,
        )  # fmt: skip
        return int(best), int(meeting)

    def unpack(self, metric: StreetMetric, meeting: int) -> tuple[int, Int32, int]:
        """Way of the calling thread's last `pair`: seed row, edges in order of travel (int32[…]), end row."""
        if self._tree is not None and (weights := metric.weights) is not None:
            return self._tree.unpack(weights, meeting)
        net, scratch = self.network, self._scratch
        # A key of the arrays' own type: any other would make NumPy convert the whole array each time.
        forth, backward = net.first_edge.dtype.type, net.back_first.dtype.type
        edges: list[int] = []
        state = meeting
        while (edge := int(scratch.parent[state])) >= 0:
            edges.append(edge)
            state = int(net.first_edge.searchsorted(forth(edge), side="right")) - 1
        edges.reverse()
        state = meeting
        while (back := int(scratch.back_parent[state])) >= 0:
            edges.append(int(net.back_edge[back]))
            state = int(net.back_first.searchsorted(backward(back), side="right")) - 1
        return -1 - edge, np.array(edges, np.int32), -1 - back

    def table(self, metric: StreetMetric, sources: Anchors, targets: Anchors) -> npt.NDArray[np.uint32] | None:
        """Times (uint32[s, t]) between anchored positions by labels of the hierarchy; None where there is none."""
        if self._tree is None or (weights := metric.weights) is None:
            return None
        starts = self._tree.labels(weights, sources, backward=False)
        found = self._tree.matrix(starts, self._tree.labels(weights, targets, backward=True))
        return np.where(found < FAR, found, np.int64(UNREACHABLE_MS)).astype(np.uint32)


class Searcher(StateSearcher):
    """Searches of one mode between positions on streets."""

    def __init__(self, graph: StreetGraph, network: StreetNetwork, hierarchy: Hierarchy | None = None) -> None:
        super().__init__(network, hierarchy)
        self.graph = graph

    def sources(self, metric: StreetMetric, snaps: Snaps) -> Anchors:
        """Where trips starting at `snaps` enter the state graph."""
        return keep_directed(self._all_sources(metric, snaps), snaps)

    def targets(self, metric: StreetMetric, snaps: Snaps) -> Anchors:
        """Where trips ending at `snaps` leave the state graph."""
        return keep_directed(self._all_targets(metric, snaps), snaps)

    def _all_sources(self, metric: StreetMetric, snaps: Snaps) -> Anchors:
        graph, net = self.graph, self.network
        if not net.edge_based:
            return self._node_anchors(metric, snaps, True)
        return Anchors(
            *anchor_kernels.turn_sources(
                snaps.arc, snaps.fraction, metric.arc_time_ms, graph.arc_reverse, net.arc_first_state, net.arc_states,
                net.first_edge, net.edge_to, metric.turn_ms,
            )
        )  # fmt: skip

    def _all_targets(self, metric: StreetMetric, snaps: Snaps) -> Anchors:
        graph, net = self.graph, self.network
        if not net.edge_based:
            return self._node_anchors(metric, snaps, False)
        return Anchors(
            *anchor_kernels.turn_targets(
                snaps.arc, snaps.fraction, metric.arc_time_ms, graph.arc_reverse, net.arc_first_state, net.arc_states
            )
        )

    def _node_anchors(self, metric: StreetMetric, snaps: Snaps, leaving: bool) -> Anchors:
        graph = self.graph
        return Anchors(
            *anchor_kernels.node_anchors(
                snaps.arc, snaps.fraction, metric.arc_time_ms, graph.arc_reverse, graph.arc_tail, graph.arc_head,
                self.network.blocked, leaving,
            )
        )  # fmt: skip

    def find_way(self, metric: StreetMetric, starts: Snaps, i: int, ends: Snaps, j: int) -> tuple[int, Int32] | None:
        """Quickest way from position `i` of `starts` to position `j` of `ends`: time (ms) and arcs; None if there is none."""
        i, j = range(len(starts))[i], range(len(ends))[j]
        if starts.arc[i] < 0 or ends.arc[j] < 0:
            return None
        if self._tree is None or (weights := metric.weights) is None:
            return self._find_way_by_dijkstra(metric, starts.take(i), ends.take(j))
        graph, net = self.graph, self.network
        states = States(
            metric.arc_time_ms, metric.turn_ms, graph.arc_reverse, graph.arc_tail, graph.arc_head, net.arc_first_state,
            net.arc_states, net.first_edge, net.edge_to, net.edge_arc, net.blocked,
        )  # fmt: skip
        time_ms, arcs = self._tree.find_way(weights, states, net.edge_based, starts, i, ends, j)
        return (time_ms, arcs) if len(arcs) else None

    def _find_way_by_dijkstra(self, metric: StreetMetric, start: Snaps, end: Snaps) -> tuple[int, Int32] | None:
        seeds, ends = self.sources(metric, start), self.targets(metric, end)
        best, meeting = self.pair(metric, seeds, ends)
        along, arc = anchor_kernels.direct(
            start.arc[0], start.fraction[0], end.arc[0], end.fraction[0], metric.arc_time_ms, self.graph.arc_reverse,
            start.directed[0], end.directed[0],
        )  # fmt: skip
        if min(best, along) >= INFINITE:
            return None
        if along <= best:
            return int(along), np.array([arc], np.int32)
        seed, edges, last = self.unpack(metric, meeting)
        return best, np.concatenate([seeds.arc[seed : seed + 1], self.network.edge_arc[edges], ends.arc[last : last + 1]])

    def times(
        self, metric: StreetMetric, one: Snaps, many: Snaps, many_anchors: Anchors, limit_ms: int, backward: bool,
        out: npt.NDArray[np.uint32],
    ) -> None:  # fmt: skip
        """Times from the single position `one` to all of `many` (`backward`: from each of them to it) into `out` uint32[k]."""
        seeds = self.targets(metric, one) if backward else self.sources(metric, one)
        if len(seeds.state) or one.arc[0] >= 0:
            time = self.spread(metric, seeds, limit_ms, many_anchors.state, backward)
            anchor_kernels.gather(
                many_anchors.first, many_anchors.state, many_anchors.time_ms, time, limit_ms, one.arc[0], one.fraction[0],
                one.directed[0], many.arc, many.fraction, many.directed, metric.arc_time_ms, self.graph.arc_reverse, backward,
                out,
            )  # fmt: skip
        else:
            out[:] = UNREACHABLE_MS

    def target_labels(self, metric: StreetMetric, targets: Snaps) -> Labels | None:
        """What `matrix` needs of the targets, for several calls with the same; None without a hierarchy."""
        if self._tree is None or (weights := metric.weights) is None:
            return None
        return self._tree.labels(weights, self.targets(metric, targets), backward=True)

    def matrix(
        self, metric: StreetMetric, sources: Snaps, targets: Snaps, limit_ms: int, ends: Labels | None = None,
        wanted: npt.NDArray[np.bool_] | None = None,
    ) -> npt.NDArray[np.uint32] | None:  # fmt: skip
        """Times (uint32[s, t]) by labels of the hierarchy; None where there is none or searches of this limit are quicker.

        `ends`: the targets' labels (`target_labels`) under the same metric, where they are known. Of pairs that are not
        `wanted` (bool[s, t]) nothing is said.
        """
        if self._tree is None or limit_ms < self._sweep_from_ms or (weights := metric.weights) is None:
            return None
        starts = self._tree.labels(weights, self.sources(metric, sources), backward=False)
        if ends is None:
            ends = self._tree.labels(weights, self.targets(metric, targets), backward=True)
        found = self._tree.matrix(starts, ends, wanted=wanted)
        out = np.empty(found.shape, np.uint32)
        anchor_kernels.close_matrix(
            found, limit_ms, sources.arc, sources.fraction, sources.directed, targets.arc, targets.fraction, targets.directed,
            metric.arc_time_ms, self.graph.arc_reverse, out,
        )  # fmt: skip
        return out


def limit_in_ms(limit_s: float | None) -> int:
    """Milliseconds of a limit in seconds; none = all there is.

    Raises
    ------
    InvalidInput
        For a negative or NaN limit.
    """
    if limit_s is None:
        return INFINITE - 1
    if not limit_s >= 0:
        raise InvalidInput(f"limit_s = {limit_s} is not a time", "limit_s")
    return int(min(limit_s * 1000, INFINITE - 1))

"""Trips between nodes: for benchmarks and for plain weighted graphs that are no streets.

A trip starts on any arc out of its first node and ends on any arc into its last, without a turn cost at either end; from a
node to itself it takes no time.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels.street_anchors import gather
from routing.kernels.street_search import INFINITE
from routing.kernels.street_turns import reversed_edges
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.anchors import Anchors
from routing.street.cch import Hierarchy
from routing.street.metric import StreetMetric, weigh
from routing.street.network import StreetNetwork, frozen
from routing.street.search import StateSearcher

Int32 = npt.NDArray[np.int32]


class NodeTrips:
    """Searches between nodes on one metric.

    Parameters
    ----------
    metric : StreetMetric
    arc_tail, arc_head : int32[m]
        Ends of the arcs of an edge-based network; unused in node-based ones.
    hierarchy : Hierarchy, optional
        Of the metric's network; without one Dijkstra's algorithm searches.
    """

    def __init__(self, metric: StreetMetric, arc_tail: Int32, arc_head: Int32, hierarchy: Hierarchy | None = None) -> None:
        self.metric = metric
        self._searcher = StateSearcher(metric.network, hierarchy)
        states = np.flatnonzero(metric.network.state_arc >= 0).astype(np.int32)
        arcs = metric.network.state_arc[states]
        self._out, self._in = _grouped(states, arc_tail[arcs]), _grouped(states, arc_head[arcs])

    def anchors(self, nodes: npt.NDArray[np.int64], *, leaving: bool) -> Anchors:
        """States where trips leave or reach each of `nodes`; a negative node has none."""
        network = self.metric.network
        if network.edge_based:
            first, states = self._out if leaving else self._in
            rows = [states[first[node] : first[node + 1]] if 0 <= node < len(first) - 1 else states[:0] for node in nodes]
        else:
            count = network.state_count
            rows = [np.array([node] if 0 <= node < count else [], np.int32) for node in nodes]
        state = np.concatenate([np.empty(0, np.int32), *rows])
        time = np.zeros(len(state), np.int32)
        if network.edge_based and not leaving:
            time = np.minimum(self.metric.arc_time_ms[network.state_arc[state]], INFINITE).astype(np.int32)
        first_row = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
        return Anchors(first_row, state, time, np.zeros(len(state), np.int32))

    def matrix(self, sources: npt.NDArray[np.int64], targets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        """Times (uint32 ms [s, t])."""
        ends = self.anchors(targets, leaving=False)
        if (table := self._searcher.table(self.metric, self.anchors(sources, leaving=True), ends)) is not None:
            table[(sources[:, None] == targets[None, :]) & (targets >= 0)[None, :]] = 0
            return table
        out = np.empty((len(sources), len(targets)), np.uint32)
        nowhere = frozen(np.full(len(targets), -1, np.int32))
        fractions, both_ways = frozen(np.zeros(len(targets), np.float32)), frozen(np.zeros(len(targets), np.bool_))
        for i, node in enumerate(sources):
            seeds = self.anchors(sources[i : i + 1], leaving=True)
            time = self._searcher.spread(self.metric, seeds, INFINITE - 1, ends.state, False)
            gather(
                ends.first, ends.state, ends.time_ms, time, INFINITE - 1, np.int32(-1), np.float32(0.0), False,
                nowhere, fractions, both_ways, self.metric.arc_time_ms, self.metric.network.edge_arc, False, out[i],
            )  # fmt: skip
            out[i, (targets == node) & (targets >= 0)] = 0
        return out

    def trip(self, source: int, target: int) -> tuple[int, list[int]]:
        """Time (ms, `UNREACHABLE_MS` if none) and the way: states in edge-based networks, arcs in node-based ones."""
        if source == target and source >= 0:
            return 0, []
        network = self.metric.network
        seeds = self.anchors(np.array([source]), leaving=True)
        ends = self.anchors(np.array([target]), leaving=False)
        best, meeting = self._searcher.pair(self.metric, seeds, ends)
        if meeting < 0 or best >= INFINITE:
            return UNREACHABLE_MS, []
        seed, edges, _ = self._searcher.unpack(self.metric, meeting)
        if not network.edge_based:
            return best, network.edge_arc[edges].tolist()
        return best, [int(seeds.state[seed]), *network.edge_to[edges].tolist()]


def plain_network(tail: npt.ArrayLike, head: npt.ArrayLike) -> StreetNetwork:
    """Node-based network of a directed graph given by its arcs (any order, n = largest node + 1).

    Raises
    ------
    InvalidInput
        For negative nodes or columns of different lengths.
    """
    tails, heads = np.asarray(tail, np.int64), np.asarray(head, np.int64)
    if tails.shape != heads.shape or tails.ndim != 1 or not len(tails):
        raise InvalidInput(f"tail {tails.shape} and head {heads.shape} are not two equally long columns", "head")
    if min(tails.min(), heads.min()) < 0 or max(tails.max(), heads.max()) >= INFINITE:
        raise InvalidInput("tail and head must be node numbers from 0", "tail")
    n = int(max(tails.max(), heads.max())) + 1
    arc = np.argsort(tails, kind="stable").astype(np.int32)
    first = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(tails, minlength=n), out=first[1:])
    to = heads[arc].astype(np.int32)
    back_first, back_to, back_edge = np.zeros(n + 1, np.int32), np.empty_like(to), np.empty_like(to)
    reversed_edges(frozen(first), frozen(to), back_first, back_to, back_edge)
    nothing = np.empty(0, np.int32)
    columns = (first, to, arc, np.zeros(len(to), np.int32), np.full(n, -1, np.int32), back_first, back_to, back_edge, nothing)
    arrays: list[Any] = [frozen(column) for column in (*columns, nothing, np.zeros(n, np.bool_))]
    return StreetNetwork(StreetMode.CAR, False, *arrays)


def plain_metric(network: StreetNetwork, weight_ms: npt.ArrayLike, hierarchy: Hierarchy | None = None) -> StreetMetric:
    """Metric of a plain network from the weights of its arcs in the order they were given."""
    weight = np.asarray(weight_ms, np.int64)
    if weight.shape != network.edge_arc.shape or (weight < 0).any():
        raise InvalidInput(
            f"weight_ms {weight.shape}: one weight from 0 per arc ({len(network.edge_arc)}) is needed", "weight_ms"
        )
    return weigh(network, np.minimum(weight, UNREACHABLE_MS).astype(np.uint32), hierarchy)


def _grouped(states: Int32, nodes: Int32) -> tuple[Int32, Int32]:
    """CSR of states by node."""
    first = np.concatenate([[0], np.cumsum(np.bincount(nodes))]) if len(nodes) else np.zeros(1)
    return first.astype(np.int32), states[np.argsort(nodes, kind="stable")]

"""Times between many positions with the lengths of the quickest ways."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import cch_lengths as kernels
from routing.kernels.street_anchors import direct
from routing.model.modes import UNREACHABLE_MS
from routing.model.street_graph import StreetGraph
from routing.street.anchors import Anchors
from routing.street.cch import Hierarchy
from routing.street.customization import FAR, HierarchyWeights
from routing.street.metric import StreetMetric
from routing.street.search import Searcher
from routing.street.snapping import Snaps

Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Labels:
    """Labels of positions (CSR): ancestors, times and lengths there."""

    first: npt.NDArray[np.int64]
    node: Int32
    ms: Int32
    m: Float32


class LengthMatrix:
    """Times and lengths under one metric, by row; O(arcs of the hierarchy) to make, some 70 ms for a city.

    A length is that of the shortest of all quickest ways.

    Parameters
    ----------
    graph : StreetGraph
    searcher : Searcher
    metric : StreetMetric
    targets : Snaps

    Raises
    ------
    InvalidInput
        If the metric has no hierarchy.
    """

    def __init__(self, graph: StreetGraph, searcher: Searcher, metric: StreetMetric, targets: Snaps) -> None:
        hierarchy, weights = searcher.hierarchy, metric.weights
        if hierarchy is None or weights is None:
            raise InvalidInput(f"lengths need a hierarchy of {metric.mode.name}: call hierarchy(mode) before metrics", "metric")
        self._graph, self._searcher, self._metric, self._targets = graph, searcher, metric, targets
        self._hierarchy, self._weights = hierarchy, weights
        self._length_m = _arc_lengths(hierarchy, weights, graph.arc_length_m[searcher.network.edge_arc])
        self._ends = self._labels(targets, leaving=False)

    def rows(self, sources: Snaps) -> tuple[npt.NDArray[np.uint32], Float32]:
        """Times (uint32 ms [s, t], `UNREACHABLE_MS` = no way) and lengths (float32 m [s, t], -1 = no way)."""
        starts, targets, n = self._labels(sources, leaving=True), self._targets, self._hierarchy.node_count
        time, meters = np.empty((len(targets), len(sources)), np.int32), np.empty((len(targets), len(sources)), np.float32)
        mark_ms, mark_m = np.full(n, FAR, np.int32), np.empty(n, np.float32)
        for j in range(len(targets)):
            own = slice(int(self._ends.first[j]), int(self._ends.first[j + 1]))
            kernels.meet(
                starts.first, starts.node, starts.ms, starts.m, self._ends.node[own], self._ends.ms[own], self._ends.m[own],
                mark_ms, mark_m, time[j], meters[j],
            )  # fmt: skip
        times, lengths = np.where(time < FAR, time.astype(np.int64), UNREACHABLE_MS).T, np.where(time < FAR, meters, -1.0).T
        self._along_streets(sources, times, lengths)
        return np.ascontiguousarray(times).astype(np.uint32), np.ascontiguousarray(lengths).astype(np.float32)

    def _along_streets(self, sources: Snaps, times: npt.NDArray[np.int64], lengths: npt.NDArray[np.float64]) -> None:
        """Take the way along a street that both ends lie on where it is quicker, or as quick and shorter."""
        graph, targets = self._graph, self._targets
        street = [
            np.where(s.arc < 0, -1, np.minimum(s.arc, np.maximum(graph.arc_reverse[s.arc], 0))) for s in (sources, targets)
        ]
        one_way = [graph.arc_reverse[s.arc] < 0 for s in (sources, targets)]
        street = [
            np.where(single & (s.arc >= 0), s.arc, k) for single, s, k in zip(one_way, (sources, targets), street, strict=True)
        ]
        for i, j in np.argwhere((street[0][:, None] == street[1][None, :]) & (sources.arc[:, None] >= 0)).tolist():
            time, arc = direct(
                sources.arc[i], sources.fraction[i], targets.arc[j], targets.fraction[j], self._metric.arc_time_ms,
                graph.arc_reverse, sources.directed[i], targets.directed[j],
            )  # fmt: skip
            if arc < 0 or time > times[i, j]:
                continue
            stop = targets.fraction[j] if targets.arc[j] == sources.arc[i] else 1.0 - targets.fraction[j]
            meters = abs(float(stop) - float(sources.fraction[i])) * float(graph.arc_length_m[arc])
            if time < times[i, j] or meters < lengths[i, j]:
                times[i, j], lengths[i, j] = time, meters

    def _labels(self, snaps: Snaps, *, leaving: bool) -> _Labels:
        tree, searcher = self._hierarchy, self._searcher
        anchors = searcher.sources(self._metric, snaps) if leaving else searcher.targets(self._metric, snaps)
        rank, meters = tree.rank[anchors.state], _anchor_lengths(self._graph, snaps, anchors, leaving=leaving)
        n = tree.node_count
        time_ms, far_m = np.full(n, FAR, np.int32), np.empty(n, np.float32)
        via, path = np.empty(n, np.int32), np.empty(2 * n, np.int32)
        room = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32)
        first, parts = np.zeros(len(snaps) + 1, np.int64), []
        for i in range(len(snaps)):
            own = slice(int(anchors.first[i]), int(anchors.first[i + 1]))
            count = kernels.label(
                tree.up_first, tree.up_head, tree.parent, self._weights.weight_ms, self._length_m, int(not leaving), rank[own],
                anchors.time_ms[own], meters[own], time_ms, far_m, via, path, *room,
            )  # fmt: skip
            parts.append([column[:count].copy() for column in room])
            first[i + 1] = first[i] + count
        node, ms, m = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return _Labels(first, node, ms, m)


def _arc_lengths(tree: Hierarchy, weights: HierarchyWeights, edge_m: Float32) -> Float32:
    length_m = np.empty((tree.arc_count, 2), np.float32)
    row_ms, row_m = np.empty((tree.row_length, 2), np.int32), np.empty((tree.row_length, 2), np.float32)
    kernels.arc_lengths(
        tree.up_first, tree.head_depth, tree.down_first, tree.down_arc, tree.down_end, tree.slot_first, tree.slot_edge,
        weights.edge_ms, edge_m.astype(np.float32), weights.weight_ms, row_ms, row_m, length_m,
    )  # fmt: skip
    return length_m


def _anchor_lengths(graph: StreetGraph, snaps: Snaps, anchors: Anchors, *, leaving: bool) -> Float32:
    """Metres between positions and their anchors."""
    position = np.repeat(np.arange(len(snaps)), np.diff(anchors.first))
    fraction = snaps.fraction[position].astype(np.float64)
    along = np.where(anchors.arc == snaps.arc[position], fraction, 1.0 - fraction)
    share = 1.0 - along if leaving else along
    return np.asarray(share * graph.arc_length_m[anchors.arc], np.float32)

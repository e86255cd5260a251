"""Searches on a customised hierarchy between anchors: pairs with their way, one to all, matrices."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from routing.errors import RoutingError
from routing.kernels import cch_matrix, cch_query, cch_unpack, street_route
from routing.kernels.street_search import INFINITE
from routing.street.anchors import Anchors
from routing.street.cch import Hierarchy
from routing.street.customization import FAR, HierarchyWeights
from routing.street.snapping import Snaps

Int32 = npt.NDArray[np.int32]

_BLOCK = 2048
"""Targets whose labels are joined at a time, so that they stay in the processor's cache."""

_FOREIGN_WEIGHTS = "the weights are not those of this hierarchy: build the city again"

_SMALL = 2048
"""States up to which separators are too few to tell where ways may lead."""


class _Scratch(threading.local):
    """Working arrays of one thread, made on first use."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        n = max(hierarchy.node_count, 1)
        self.rows = np.empty((6, n), np.int32)
        self.time, self.via, self.back_time, self.back_via = self.rows[:4]
        self.path = self.rows[4:].reshape(-1)
        self.time[:] = self.back_time[:] = FAR
        self.slots = np.empty(2 * hierarchy.row_length + 2, np.int32)
        self.stack = np.empty(4 * hierarchy.row_length + 64, np.int32)
        self.edges = np.empty(4096, np.int32)
        self.arcs = np.empty(4096, np.int32)
        self.seen = np.zeros((n + 63) // 64, np.int64)

    def lengthen(self) -> None:
        """Make room for longer ways."""
        self.edges, self.arcs = np.empty(4 * len(self.edges), np.int32), np.empty(4 * len(self.arcs), np.int32)
        self.stack = np.empty(4 * len(self.stack), np.int32)

    @property
    def work(self) -> street_route.Work:
        """What finding a way writes to."""
        return street_route.Work(
            self.time, self.via, self.back_time, self.back_via, self.path, self.slots, self.stack, self.edges
        )


@dataclass(frozen=True, slots=True)
class Labels:
    """What positions know of their ancestors; see `routing.kernels.cch_matrix`.

    Attributes
    ----------
    common : int32[k]
    node, ms : int32[k, depth]
    branch_first : int64[k + 1]
    branch_node, branch_ms : int32[…]
    """

    common: Int32
    node: Int32
    ms: Int32
    branch_first: npt.NDArray[np.int64]
    branch_node: Int32
    branch_ms: Int32


class HierarchySearcher:
    """Searches on one hierarchy under any weights; thread-safe (scratch memory is per thread)."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self.hierarchy = hierarchy
        self._scratch = _Scratch(hierarchy)
        columns = (getattr(hierarchy, name) for name in street_route.Tree._fields)
        self._tree = street_route.Tree(*columns)

    @cached_property
    def _state(self) -> Int32:
        """States by rank."""
        return np.argsort(self.hierarchy.rank).astype(np.int32)

    def pair(self, weights: HierarchyWeights, seeds: Anchors, ends: Anchors) -> tuple[int, int]:
        """Best time from any seed to any end, and the node where the climbs met (`INFINITE`, -1 if none)."""
        tree = self._tree
        up, down = weights.sides
        found: tuple[int, int] = cch_query.meet_at(
            up.first, up.head, up.weight_ms, down.first, down.head, down.weight_ms, tree.parent, tree.rank, seeds.state,
            seeds.time_ms, ends.state, ends.time_ms, self._scratch.rows,
        )  # fmt: skip
        return found if found[1] >= 0 else (INFINITE, -1)

    def unpack(self, weights: HierarchyWeights, meeting: int) -> tuple[int, Int32, int]:
        """Way of the calling thread's last `pair`: seed row, edges in order of travel (int32[…]), end row."""
        tree, scratch = self.hierarchy, self._scratch
        up, down = weights.sides
        count, seed, end = cch_unpack.climb_side_arcs(
            meeting, scratch.via, scratch.back_via, up.arc, down.arc, tree.up_tail, scratch.slots
        )
        while True:
            written = cch_unpack.unpack(
                scratch.slots, count, tree.up_first, tree.up_head, tree.up_tail, tree.down_first, tree.down_arc,
                weights.weight_ms, tree.slot_first, tree.slot_edge, weights.edge_ms, weights.known, scratch.stack,
                scratch.edges,
            )  # fmt: skip
            if written >= 0:
                return int(seed), scratch.edges[:written].copy(), int(end)
            if written == street_route.NO_TRIANGLE:
                raise RoutingError(_FOREIGN_WEIGHTS)
            scratch.lengthen()

    def find_way(
        self, weights: HierarchyWeights, states: street_route.States, edge_based: bool, start: Snaps, i: int, end: Snaps, j: int
    ) -> tuple[int, Int32]:
        """Time and arcs (int32[…]) from position `i` of `start` to position `j` of `end`; `INFINITE` and none if none leads."""
        scratch = self._scratch
        here = street_route.Positions(start.arc, start.fraction, start.directed)
        there = street_route.Positions(end.arc, end.fraction, end.directed)
        while True:
            best, count = street_route.find_way(
                here, i, there, j, edge_based, states, self._tree, *weights.sides, weights.weight_ms, weights.edge_ms,
                weights.known, scratch.work, scratch.arcs,
            )  # fmt: skip
            if count >= 0:
                return best, scratch.arcs[:count].copy()
            if count == street_route.NO_TRIANGLE:
                raise RoutingError(_FOREIGN_WEIGHTS)
            scratch.lengthen()

    def via_times(self, weights: HierarchyWeights, seeds: Anchors, ends: Anchors) -> tuple[Int32, npt.NDArray[np.int64]]:
        """Quickest times over all states that are ancestors of a seed or an end; over all states of a small network.

        Returns
        -------
        state : int32[k]
        time_ms : int64[k]
            `FAR` and more = no way over it.
        """
        tree, scratch = self.hierarchy, self._scratch
        ranks = tree.rank[seeds.state], tree.rank[ends.state]
        wanted = np.concatenate(ranks) if tree.node_count > _SMALL else tree.rank
        chosen = cch_query.with_ancestors(wanted, tree.parent, scratch.seen)
        total = np.zeros(len(chosen), np.int64)
        up, down = weights.sides
        for there, back, rank, anchors in ((up, down, ranks[0], seeds), (down, up, ranks[1], ends)):
            cch_query.climb(
                there.first, there.head, tree.parent, there.weight_ms, 0, rank, anchors.time_ms, scratch.time, scratch.via,
                scratch.path,
            )  # fmt: skip
            cch_query.sweep_chosen(chosen, back.first, back.head, back.weight_ms, scratch.time)
            total += scratch.time[chosen]
            scratch.time[chosen] = FAR
        return self._state[chosen], total

    def spread(
        self, weights: HierarchyWeights, seeds: Anchors, goals: Int32 | None, backward: bool, limit_ms: int = INFINITE - 1
    ) -> Int32:
        """Times (int32[n]) from the seeds to all states, or to the states `goals` and some others; `INFINITE` beyond the limit.

        `backward`: from all states to the seeds.
        """
        tree, scratch = self.hierarchy, self._scratch
        there, back = reversed(weights.sides) if backward else weights.sides
        time = np.full(tree.node_count, FAR, np.int32)
        cch_query.climb(
            there.first, there.head, tree.parent, there.weight_ms, 0, tree.rank[seeds.state], seeds.time_ms, time, scratch.via,
            scratch.path,
        )  # fmt: skip
        if goals is None:
            cch_query.sweep(back.first, back.head, back.weight_ms, time)
        else:
            chosen = cch_query.with_ancestors(tree.rank[goals], tree.parent, scratch.seen)
            cch_query.sweep_chosen(chosen, back.first, back.head, back.weight_ms, time)
        out = np.empty(tree.node_count, np.int32)
        cch_query.by_node(time, tree.rank, limit_ms, out)
        return out

    def labels(self, weights: HierarchyWeights, anchors: Anchors, *, backward: bool) -> Labels:
        """Labels of positions as sources, or as targets (`backward`)."""
        tree, scratch = self.hierarchy, self._scratch
        k = len(anchors.first) - 1
        common, branch_first = np.empty(k, np.int32), np.empty(k + 1, np.int64)
        node, ms = np.empty((k, tree.row_length), np.int32), np.empty((k, tree.row_length), np.int32)
        side = weights.sides[int(backward)]
        room = 16 * k + 1024
        while True:
            branch_node, branch_ms = np.empty(room, np.int32), np.empty(room, np.int32)
            needed = cch_matrix.label(
                side.first, side.head, tree.parent, side.weight_ms, 0, anchors.first, tree.rank[anchors.state],
                anchors.time_ms, scratch.time, scratch.via, scratch.path, common, node, ms, branch_first, branch_node,
                branch_ms,
            )  # fmt: skip
            if needed <= room:
                return Labels(common, node, ms, branch_first, branch_node, branch_ms)
            room = int(needed)

    def matrix(self, sources: Labels, targets: Labels, threads: int = 1, wanted: npt.NDArray[np.bool_] | None = None) -> Int32:
        """Times (int32[s, t], `FAR` = no way) between labelled positions; of pairs that are not `wanted` (bool[s, t]) `FAR`."""
        rows, columns = len(sources.common), len(targets.common)
        some = wanted is not None
        out = np.full((rows, columns), FAR, np.int32) if some else np.empty((rows, columns), np.int32)
        chosen = np.empty((0, 0), np.bool_) if wanted is None else wanted
        join = cch_matrix.join_some if some else cch_matrix.join
        if not rows or not columns:
            return out
        last = np.where(targets.common > 0, targets.node[np.arange(columns), np.maximum(targets.common, 1) - 1], -1)
        order = np.argsort(last, kind="stable")
        blocks = []
        for begin in range(0, columns, _BLOCK):
            block = order[begin : begin + _BLOCK]
            shared = np.empty(len(block), np.int32)
            cch_matrix.shared_with_next(block, targets.common, targets.node, shared)
            blocks.append((block, shared))

        def fill(begin: int, end: int) -> None:
            for block, shared in blocks:
                join(
                    begin, end, sources.common, sources.node, sources.ms, sources.branch_first, sources.branch_node,
                    sources.branch_ms, self.hierarchy.depth, block, shared, targets.common, targets.node, targets.ms,
                    targets.branch_first, targets.branch_node, targets.branch_ms, chosen, out,
                )  # fmt: skip

        if threads < 2:
            fill(0, rows)
        else:
            cuts = np.linspace(0, rows, 4 * threads + 1).astype(int).tolist()
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(fill, cuts[:-1], cuts[1:]))
        return out


__all__ = ["FAR", "HierarchySearcher", "Labels"]

"""Which pairs of positions may have a quickest way over some arcs, told without looking for the way of any pair.

A way over one of the arcs first gets to the beginning of one, and has the end of one behind it in the end. What lies before the
first and behind the last of them does not depend on what the arcs themselves take: so these bounds are the same before and
after the weights of the arcs changed, and a pair whose quickest way takes less than both together keeps its way and its time.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.kernels.street_search import INFINITE
from routing.street.anchors import Anchors
from routing.street.metric import StreetMetric
from routing.street.search import Searcher
from routing.street.snapping import Snaps

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Passing:
    """Bounds of k positions, milliseconds; `INFINITE` and more = cannot be.

    Attributes
    ----------
    there_ms : int64[k]
        From the position to the beginning of any of the arcs, at least; 0 where it lies on one.
    back_ms : int64[k]
        From the end of any of them to the position, at least; 0 where it lies on one.
    """

    there_ms: Int64
    back_ms: Int64

    def within(self, longest_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Pairs (bool[k, k], from and to) whose quickest way may be over the arcs if it takes ``longest_ms[i, j]`` at most."""
        least_ms = self.there_ms[:, None] + self.back_ms[None, :]
        met: npt.NDArray[np.bool_] = (least_ms <= longest_ms) & (least_ms < INFINITE)
        return met


def passing(searcher: Searcher, metric: StreetMetric, positions: Snaps, arcs: Int32) -> Passing:
    """Bounds of the positions for ways over `arcs`; two searches.

    Parameters
    ----------
    searcher : Searcher
    metric : StreetMetric
        With any weights of the arcs themselves: the bounds do not depend on them.
    positions : Snaps
    arcs : int32[…]
    """
    net = searcher.network
    chosen = np.zeros(searcher.graph.arc_count + 1, np.bool_)
    chosen[arcs] = True
    edges = np.flatnonzero(chosen[net.edge_arc])
    tails = np.searchsorted(net.first_edge, edges.astype(net.first_edge.dtype), side="right") - 1
    sources, targets = searcher.sources(metric, positions), searcher.targets(metric, positions)
    there = _least(sources, searcher.spread(metric, _at(tails), INFINITE - 1, sources.state, backward=True))
    back = _least(targets, searcher.spread(metric, _at(net.edge_to[edges]), INFINITE - 1, targets.state, backward=False))
    reverse = searcher.graph.arc_reverse[positions.arc]
    own = (positions.arc >= 0) & (chosen[positions.arc] | chosen[reverse])
    there[own] = back[own] = 0
    return Passing(there, back)


def _at(states: npt.NDArray[np.integer]) -> Anchors:
    found = np.unique(states).astype(np.int32)
    return Anchors(np.array([0, len(found)], np.int32), found, np.zeros_like(found), np.zeros_like(found))


def _least(anchors: Anchors, time_ms: Int32) -> Int64:
    """Least time of every position over its anchors."""
    rows = np.repeat(np.arange(len(anchors.first) - 1), np.diff(anchors.first))
    least = np.full(len(anchors.first) - 1, 2 * INFINITE, np.int64)
    np.minimum.at(least, rows, time_ms[anchors.state].astype(np.int64) + anchors.time_ms)
    return least

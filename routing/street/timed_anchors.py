"""Where positions touch a state graph whose travel times depend on the moment."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.kernels import street_anchors as kernels
from routing.kernels.td_functions import CLOSED
from routing.model.street_graph import StreetGraph
from routing.street.anchors import Anchors
from routing.street.hints import keep_directed
from routing.street.snapping import Snaps
from routing.street.travel_time_functions import TravelTimeFunctions

Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class TimedAnchors:
    """Rows of anchors of k positions; a anchors.

    Attributes
    ----------
    first : int32[k + 1]
    state : int32[a]
    arc : int32[a]
        Arc travelled first or last, -1 = none.
    profile, work_ms : int32[a]
        Part of that arc: its profile and its free-flow time (`CLOSED` = not now).
    cost_ms : int32[a]
        Time lost in the first turn.
    """

    first: Int32
    state: Int32
    arc: Int32
    profile: Int32
    work_ms: Int32
    cost_ms: Int32

    def of(self, i: int) -> "TimedAnchors":
        """Anchors of position `i` alone."""
        rows = slice(int(self.first[i]), int(self.first[i + 1]))
        columns = (column[rows] for column in (self.state, self.arc, self.profile, self.work_ms, self.cost_ms))
        return TimedAnchors(np.array([0, rows.stop - rows.start], np.int32), *columns)


def timed_anchors(graph: StreetGraph, functions: TravelTimeFunctions, snaps: Snaps, *, leaving: bool) -> TimedAnchors:
    """Anchors of positions on streets as sources (`leaving`) or as targets; `directed` ones in their direction alone."""
    net, work = functions.network, functions.arrays.arc_work_ms.view(np.uint32)
    if not net.edge_based:
        found = kernels.node_anchors(
            snaps.arc, snaps.fraction, work, graph.arc_reverse, graph.arc_tail, graph.arc_head, net.blocked, leaving
        )
        return of_anchors(functions, keep_directed(Anchors(*found), snaps))
    if not leaving:
        found = kernels.turn_targets(snaps.arc, snaps.fraction, work, graph.arc_reverse, net.arc_first_state, net.arc_states)
        return of_anchors(functions, keep_directed(Anchors(*found), snaps))
    rows = (
        snaps.arc,
        snaps.fraction,
        work,
        graph.arc_reverse,
        net.arc_first_state,
        net.arc_states,
        net.first_edge,
        net.edge_to,
    )
    free = keep_directed(Anchors(*kernels.turn_sources(*rows, functions.free_turn_ms)), snaps)
    turned = keep_directed(Anchors(*kernels.turn_sources(*rows, functions.turn_ms)), snaps)
    return of_anchors(functions, free, turned.time_ms - free.time_ms)


def of_anchors(functions: TravelTimeFunctions, anchors: Anchors, cost_ms: Int32 | None = None) -> TimedAnchors:
    """Timed anchors from free-flow ones (`time_ms` is work on `arc`; an arc of -1 has none)."""
    arrays, arc = functions.arrays, anchors.arc
    known = arc >= 0
    profile = np.where(known, arrays.arc_profile[arc], 0).astype(np.int32)
    shut = known & (arrays.arc_work_ms[arc] == CLOSED)
    work = np.where(shut, CLOSED, anchors.time_ms).astype(np.int32)
    cost = np.zeros(len(arc), np.int32) if cost_ms is None else cost_ms
    return TimedAnchors(anchors.first, anchors.state, arc, profile, work, cost)

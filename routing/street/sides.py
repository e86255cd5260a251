"""The arcs of a hierarchy that queries walk along, each direction on its own.

A hierarchy connects its nodes in both directions; in a network of one-way states more than half of that can never be travelled.
A query climbs in one direction only, so it is given the arcs and weights of that direction side by side in memory.
"""

import numpy as np
import numpy.typing as npt

from routing.kernels import cch_customise, cch_perfect
from routing.kernels.cch_query import Side
from routing.street.cch import Hierarchy
from routing.street.network import frozen

Int32 = npt.NDArray[np.int32]

Sides = tuple[Side, Side]
"""Up arcs as travelled from their tail to their head, and from the head to the tail."""

_NOTHING_MS = np.zeros((0, 1), np.int32)


def list_sides(hierarchy: Hierarchy, weight_ms: Int32) -> Sides:
    """Sides with the weights int32[a, 2] of one customisation: the arcs that can be travelled under any."""
    if "sides" not in hierarchy.memo:
        hierarchy.memo["sides"] = _travelled(hierarchy)
    sides: Sides = hierarchy.memo["sides"]
    return _weighed(sides, weight_ms)


def list_perfect_sides(hierarchy: Hierarchy, weight_ms: Int32, shortest_ms: Int32) -> Sides:
    """Sides without the arcs that are heavier than the shortest time between their ends (int32[a, 2])."""
    return _weighed(_kept(hierarchy, weight_ms, shortest_ms), weight_ms)


def _travelled(hierarchy: Hierarchy) -> Sides:
    """Arcs that have a weight when no edge is closed."""
    weight_ms = np.empty((hierarchy.arc_count, 2), np.int32)
    cch_customise.respect(hierarchy.slot, frozen(np.zeros(len(hierarchy.slot), np.int32)), weight_ms.reshape(-1))
    row = np.empty((hierarchy.row_length, 2), np.int32)
    cch_customise.customise(
        hierarchy.up_first, hierarchy.head_depth, hierarchy.down_first, hierarchy.down_arc, hierarchy.down_end, weight_ms, row,
        0, hierarchy.node_count,
    )  # fmt: skip
    fixed = frozen(weight_ms)
    return _kept(hierarchy, fixed, fixed)


def _kept(hierarchy: Hierarchy, weight_ms: Int32, shortest_ms: Int32) -> Sides:
    head, arc = np.empty(hierarchy.arc_count + 1, np.int32), np.empty(hierarchy.arc_count + 1, np.int32)
    sides = []
    for side in (0, 1):
        first = np.empty(hierarchy.node_count + 1, np.uint32)
        count = cch_perfect.keep(hierarchy.up_first, hierarchy.up_head, weight_ms, shortest_ms, side, first, head, arc)
        sides.append(Side(frozen(first), frozen(head[:count].copy()), frozen(_NOTHING_MS), frozen(arc[:count].copy())))
    return sides[0], sides[1]


def _weighed(sides: Sides, weight_ms: Int32) -> Sides:
    picked = []
    for side, arcs in enumerate(sides):
        picked_ms = np.empty((len(arcs.arc), 1), np.int32)
        cch_perfect.pick(weight_ms, side, arcs.arc, picked_ms)
        picked.append(arcs._replace(weight_ms=frozen(picked_ms)))
    return picked[0], picked[1]

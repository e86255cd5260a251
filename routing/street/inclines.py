"""How inclines slow down who walks, rolls or cycles: from tags first, else from the heights of the streets."""

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode
from routing.model.street_graph import ARC_FERRY, ARC_STEPS, StreetGraph
from routing.street.profiles import INCLINE_FACTORS, STEEPEST_PCT

RESOLVED_M = 50.0
"""Shorter streets are not called too steep from an elevation model, whose cells of 30 to 90 m say little about them."""

_SLOPES = np.arange(-STEEPEST_PCT, STEEPEST_PCT + 1, dtype=np.float64)


def incline_factors(graph: StreetGraph, mode: StreetMode) -> npt.NDArray[np.float64]:
    """Share of a mode's speed that the incline of every arc leaves (float64[m]); O(arcs).

    A tagged incline holds for the whole arc. Otherwise, where heights are known, the arc is taken as one stretch up and one
    down, equally steep, that climb and descend what it does: travel times add up, so the share is their harmonic mean. Steps
    and ferries are as quick as they are.
    """
    table = np.array(INCLINE_FACTORS[mode])
    slope = np.clip(graph.arc_incline_pct.astype(np.int64), -STEEPEST_PCT, STEEPEST_PCT)
    slope[(graph.arc_flags & ARC_STEPS) != 0] = 0
    factors: npt.NDArray[np.float64] = table[slope + STEEPEST_PCT]
    arcs, steep, rising = _from_heights(graph)
    up, down = np.interp(steep, _SLOPES, table), np.interp(-steep, _SLOPES, table)
    factors[arcs] = 1.0 / (rising / up + (1.0 - rising) / down)
    return factors


def too_steep(graph: StreetGraph, limit_pct: float) -> npt.NDArray[np.bool_]:
    """Arcs (bool[m]) steeper than a limit, up or down: by their tag, else by heights if at least `RESOLVED_M` long."""
    closed: npt.NDArray[np.bool_] = np.abs(graph.arc_incline_pct) > limit_pct
    arcs, steep, _ = _from_heights(graph)
    closed[arcs] = (steep > limit_pct) & (graph.arc_length_m[arcs] >= RESOLVED_M)
    return closed


def _from_heights(
    graph: StreetGraph,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Arcs without a tagged incline but with heights, how steep they are (%, from 0), and the share of them that goes up."""
    if graph.heights is None:
        nothing = np.zeros(0)
        return np.zeros(0, np.int64), nothing, nothing
    climb, descent = (values.astype(np.float64) for values in (graph.heights.arc_climb_m, graph.heights.arc_descent_m))
    moved = climb + descent
    plain = (graph.arc_incline_pct == 0) & ((graph.arc_flags & (ARC_STEPS | ARC_FERRY)) == 0)
    arcs = np.flatnonzero(plain & (moved > 0.0))
    steep = np.minimum(moved[arcs] / np.maximum(graph.arc_length_m[arcs], 1.0) * 100.0, STEEPEST_PCT)
    return arcs, steep, climb[arcs] / moved[arcs]

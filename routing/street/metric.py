"""Travel times of every arc for one mode at one moment."""

import threading
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels.street_search import INFINITE
from routing.kernels.street_turns import edge_weights
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.street_graph import ARC_FERRY, StreetGraph
from routing.street.cch import Hierarchy
from routing.street.customization import HierarchyWeights, customise
from routing.street.network import StreetNetwork, frozen
from routing.street.profiles import BICYCLE_FACTORS, FOOT_FACTORS, NODE_BASED_MODES, SpeedOptions

MIN_KMH, MAX_KMH = 2.0, 200.0
"""Live speeds outside are clamped: a standing queue still moves, a sensor may not fly."""

SLOWEST_KMH = 0.2
"""The slowest free-flow speed (a ferry whose crossing time includes waiting)."""


class _Customised:
    """Weights of a hierarchy, made when first asked for; thread-safe."""

    def __init__(self, hierarchy: Hierarchy, edge_ms: npt.NDArray[np.int32]) -> None:
        self._hierarchy, self._edge_ms = hierarchy, edge_ms
        self._weights: HierarchyWeights | None = None
        self._lock = threading.Lock()

    def get(self) -> HierarchyWeights:
        with self._lock:
            if self._weights is None:
                self._weights = customise(self._hierarchy, self._edge_ms)
            return self._weights


@dataclass(frozen=True, slots=True)
class StreetMetric:
    """Weights of one network; immutable, so a request keeps one from start to end.

    Attributes
    ----------
    network : StreetNetwork
    arc_time_ms : uint32[m]
        `UNREACHABLE_MS` where the mode may not go or the arc is closed.
    edge_ms, back_edge_ms : int32[e]
        Weight of the network's edges, forward and reversed.
    """

    network: StreetNetwork
    arc_time_ms: npt.NDArray[np.uint32]
    edge_ms: npt.NDArray[np.int32]
    back_edge_ms: npt.NDArray[np.int32]
    _customised: _Customised | None = field(default=None, repr=False, compare=False)

    @property
    def weights(self) -> HierarchyWeights | None:
        """Weights of the network's hierarchy, None where it has none; customised on first use (some 20 ms for a city)."""
        return None if self._customised is None else self._customised.get()

    def customise(self) -> None:
        """Make `weights` now, so that the first question does not wait for them."""
        if self._customised is not None:
            self._customised.get()

    @property
    def mode(self) -> StreetMode:
        """The mode the times are for."""
        return self.network.mode


def build_metric(
    graph: StreetGraph,
    network: StreetNetwork,
    options: SpeedOptions,
    arc_speed_kmh: npt.ArrayLike | None,
    closed_arcs: npt.ArrayLike | None,
    hierarchy: Hierarchy | None = None,
) -> StreetMetric:
    """Weigh `network`; O(arcs + turns), a few milliseconds for a city."""
    speed = _speeds_kmh(graph, network.mode, options, arc_speed_kmh)
    time = np.maximum(np.rint(graph.arc_length_m.astype(np.float64) * 3600.0 / speed), 1.0)
    arc_time = np.minimum(time, INFINITE - 1).astype(np.uint32)
    arc_time[(graph.arc_access & network.mode.bit) == 0] = UNREACHABLE_MS
    if closed_arcs is not None:
        arc_time[_closed(closed_arcs, graph.arc_count)] = UNREACHABLE_MS
    return weigh(network, arc_time, hierarchy)


def weigh(network: StreetNetwork, arc_time_ms: npt.NDArray[np.uint32], hierarchy: Hierarchy | None = None) -> StreetMetric:
    """Metric of `network` from travel times given arc by arc (uint32[m], `UNREACHABLE_MS` = closed)."""
    times = frozen(arc_time_ms)
    edge_ms, back_edge_ms = np.empty(len(network.edge_to), np.int32), np.empty(len(network.edge_to), np.int32)
    edge_weights(network.edge_arc, network.edge_cost_ms, network.back_edge, times, edge_ms, back_edge_ms)
    edges = frozen(edge_ms)
    return StreetMetric(network, times, edges, frozen(back_edge_ms), _Customised(hierarchy, edges) if hierarchy else None)


def _speeds_kmh(
    graph: StreetGraph, mode: StreetMode, options: SpeedOptions, live: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    free_flow = np.maximum(graph.arc_speed_kmh.astype(np.float64), SLOWEST_KMH)
    if mode in NODE_BASED_MODES:
        walk = options.foot_kmh if mode == StreetMode.FOOT else options.wheelchair_kmh
        return np.where(graph.arc_flags & ARC_FERRY, free_flow, walk * np.array(FOOT_FACTORS)[graph.arc_road_class])
    if mode == StreetMode.BICYCLE:
        ride = options.bicycle_kmh * np.array(BICYCLE_FACTORS)[graph.arc_road_class]
        return np.where(graph.arc_flags & ARC_FERRY, free_flow, ride)
    speed = free_flow
    if live is not None:
        given = np.asarray(live, np.float64)
        if given.shape != (graph.arc_count,):
            raise InvalidInput(f"arc_speed_kmh has shape {given.shape}, the graph {graph.arc_count} arcs", "arc_speed_kmh")
        known = np.isfinite(given) & (given > 0.0)
        speed = np.where(known, np.clip(given, MIN_KMH, MAX_KMH), free_flow)
    return np.minimum(speed, options.max_kmh.get(mode, MAX_KMH))


def _closed(closed_arcs: npt.ArrayLike, arc_count: int) -> npt.NDArray[np.bool_] | npt.NDArray[np.int64]:
    closed = np.asarray(closed_arcs)
    if closed.dtype == np.bool_:
        if closed.shape != (arc_count,):
            raise InvalidInput(f"closed_arcs has shape {closed.shape}, the graph {arc_count} arcs", "closed_arcs")
        return closed
    arcs = closed.astype(np.int64).ravel()
    wrong = arcs[(arcs < 0) | (arcs >= arc_count)]
    if len(wrong):
        raise InvalidInput(f"closed_arcs holds {wrong[0]}; arcs are 0 to {arc_count - 1}", "closed_arcs")
    return arcs

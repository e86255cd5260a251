"""Travel times of every arc for one mode at one moment."""

import threading
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels.street_search import INFINITE
from routing.kernels.street_turns import edge_weights
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.street_graph import ARC_FERRY, CLOSED_WHILE, OPEN_ONLY_WHILE, StreetGraph
from routing.street.cch import Hierarchy
from routing.street.customization import HierarchyWeights, customise, customise_after
from routing.street.inclines import incline_factors, too_steep
from routing.street.network import StreetNetwork, frozen
from routing.street.profiles import (
    BICYCLE_FACTORS,
    CYCLE_MODES,
    FOOT_FACTORS,
    NODE_BASED_MODES,
    SMOOTHNESS_FACTORS,
    SpeedOptions,
    VehicleLimits,
)

MIN_KMH, MAX_KMH = 2.0, 200.0
"""Live speeds outside are clamped: a standing queue still moves, a sensor may not fly."""

PUSHING_KMH = 2.5
"""Whoever cannot ride up a hill pushes."""

SLOWEST_KMH = 0.2
"""The slowest free-flow speed (a ferry whose crossing time includes waiting)."""


class _Customised:
    """Weights of a hierarchy, made when first asked for; thread-safe."""

    def __init__(self, hierarchy: Hierarchy, edge_ms: npt.NDArray[np.int32], perfect: bool) -> None:
        self._hierarchy, self._edge_ms, self._perfect = hierarchy, edge_ms, perfect
        self._weights: HierarchyWeights | None = None
        self._lock = threading.Lock()

    def get(self) -> HierarchyWeights:
        with self._lock:
            if self._weights is None:
                if self._perfect:
                    made = customise(self._hierarchy, self._edge_ms, perfect=True)
                else:
                    made = customise_after(self._hierarchy, self._edge_ms)
                made.sides  # noqa: B018 - listed now, so that the first question does not wait
                self._weights = made
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
    turn_ms : int32[e]
        Part of it lost in turning; `INFINITE` where the turn is forbidden now.
    mode : StreetMode
        The mode the times are for.
    """

    network: StreetNetwork
    arc_time_ms: npt.NDArray[np.uint32]
    edge_ms: npt.NDArray[np.int32]
    back_edge_ms: npt.NDArray[np.int32]
    turn_ms: npt.NDArray[np.int32]
    mode: StreetMode
    _customised: _Customised | None = field(default=None, repr=False, compare=False)

    @property
    def weights(self) -> HierarchyWeights | None:
        """Weights of the network's hierarchy, None where it has none; customised on first use (some 20 ms for a city)."""
        return None if self._customised is None else self._customised.get()

    def customise(self) -> None:
        """Make `weights` now, so that the first question does not wait for them."""
        if self._customised is not None:
            self._customised.get()


def build_metric(
    graph: StreetGraph,
    network: StreetNetwork,
    options: SpeedOptions,
    arc_speed_kmh: npt.ArrayLike | None,
    closed_arcs: npt.ArrayLike | None,
    hierarchy: Hierarchy | None = None,
    rules_holding: npt.NDArray[np.bool_] | None = None,
    mode: StreetMode | None = None,
    perfect: bool = False,
) -> StreetMetric:
    """Weigh `network` for a mode it serves (default: its first); O(arcs + turns), a few milliseconds for a city.

    `rules_holding` (bool[k], see `rules_holding` of the time rules) says which of the graph's time rules hold; without it,
    none does: what is closed at certain hours is open, what is open at certain hours closed. A lower limit of the hour or the
    vehicle bounds given speeds too; a higher one counts only where no speed is given. `perfect`: see
    `routing.street.customization.customise`.
    """
    mode = network.mode if mode is None else mode
    speed = _speeds_kmh(graph, mode, options, arc_speed_kmh, rules_holding)
    time = np.maximum(np.rint(graph.arc_length_m.astype(np.float64) * 3600.0 / speed), 1.0)
    arc_time = np.minimum(time, INFINITE - 1).astype(np.uint32)
    arc_time[(graph.arc_access & mode.bit) == 0] = UNREACHABLE_MS
    arc_time[closed_by_time(graph, mode, rules_holding)] = UNREACHABLE_MS
    if mode in options.limits:
        arc_time[closed_to_vehicle(graph, options.limits[mode])] = UNREACHABLE_MS
    if mode == StreetMode.WHEELCHAIR:
        arc_time[too_steep(graph, options.wheelchair_max_incline_pct)] = UNREACHABLE_MS
    if closed_arcs is not None:
        arc_time[_closed(closed_arcs, graph.arc_count)] = UNREACHABLE_MS
    return weigh(network, arc_time, hierarchy, rules_holding, mode, perfect)


def weigh(
    network: StreetNetwork,
    arc_time_ms: npt.NDArray[np.uint32],
    hierarchy: Hierarchy | None = None,
    rules_holding: npt.NDArray[np.bool_] | None = None,
    mode: StreetMode | None = None,
    perfect: bool = False,
) -> StreetMetric:
    """Metric of `network` for a mode it serves (default: its first).

    Travel times are given arc by arc (uint32[m], `UNREACHABLE_MS` = closed).
    """
    mode = network.mode if mode is None else mode
    turn_ms = network.turn_cost_ms(mode)
    if rules_holding is not None and len(network.timed_edge):
        forbidden = rules_holding[network.timed_edge_rule] & ((network.timed_edge_modes & mode.bit) != 0)
        turn_ms = turn_ms.copy()
        turn_ms[network.timed_edge[forbidden]] = INFINITE
        turn_ms = frozen(turn_ms)
    return weigh_turns(network, arc_time_ms, turn_ms, mode, hierarchy, perfect)


def weigh_turns(
    network: StreetNetwork,
    arc_time_ms: npt.NDArray[np.uint32],
    turn_ms: npt.NDArray[np.int32],
    mode: StreetMode,
    hierarchy: Hierarchy | None = None,
    perfect: bool = False,
) -> StreetMetric:
    """Metric of `network` from arc weights and turn weights (int32[e], `INFINITE` = forbidden)."""
    times = frozen(arc_time_ms)
    edge_ms, back_edge_ms = np.empty(len(network.edge_to), np.int32), np.empty(len(network.edge_to), np.int32)
    edge_weights(network.edge_arc, turn_ms, network.back_edge, times, edge_ms, back_edge_ms)
    edges, customised = frozen(edge_ms), None
    if hierarchy is not None:
        customised = _Customised(hierarchy, edges, perfect)
    return StreetMetric(network, times, edges, frozen(back_edge_ms), turn_ms, mode, customised)


def closed_to_vehicle(graph: StreetGraph, vehicle: VehicleLimits) -> npt.NDArray[np.bool_]:
    """Arcs (bool[m]) a vehicle is too high, wide, long or heavy for; O(arcs)."""
    steps = np.array(vehicle.measures) * 10.0 - 1e-6
    limits = graph.limits.reshape(-1, len(steps))
    too_small: npt.NDArray[np.bool_] = np.any((limits > 0) & (limits < steps), axis=1)
    return too_small[graph.arc_limit]


def closed_by_time(graph: StreetGraph, mode: StreetMode, rules_holding: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_]:
    """Arcs (bool[m]) closed to a mode while the given time rules hold (bool[k]; None = no rule does)."""
    closed = np.zeros(graph.arc_count, np.bool_)
    bound = (graph.condition_modes & mode.bit) != 0
    holds = np.zeros(len(bound), np.bool_)
    if rules_holding is not None:
        _check_rules(graph, rules_holding)
        holds = rules_holding[graph.condition_rule]
    only = bound & (graph.condition_effect == OPEN_ONLY_WHILE)
    closed[graph.condition_arc[only]] = True
    closed[graph.condition_arc[only & holds]] = False
    closed[graph.condition_arc[bound & holds & (graph.condition_effect == CLOSED_WHILE)]] = True
    return closed


def free_flow_kmh(
    graph: StreetGraph, mode: StreetMode, rules_holding: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float64]:
    """Free-flow speeds (float64[m]) of a motor mode while the given time rules hold (bool[k]; None = no rule does); O(arcs)."""
    speed = np.maximum(graph.arc_speed_kmh.astype(np.float64), SLOWEST_KMH)
    holds = graph.speed_rule < 0
    if rules_holding is not None:
        _check_rules(graph, rules_holding)
        holds[~holds] = rules_holding[graph.speed_rule[~holds]]
    rows = np.flatnonzero(holds & ((graph.speed_modes & mode.bit) != 0))
    speed[graph.speed_arc[rows]] = np.maximum(graph.speed_kmh[rows], SLOWEST_KMH)
    return speed


def _check_rules(graph: StreetGraph, rules_holding: npt.NDArray[np.bool_]) -> None:
    if rules_holding.shape != (len(graph.rules),):
        raise InvalidInput(
            f"rules_holding has shape {rules_holding.shape}, the graph {len(graph.rules)} rules", "rules_holding"
        )


def _speeds_kmh(
    graph: StreetGraph,
    mode: StreetMode,
    options: SpeedOptions,
    live: npt.ArrayLike | None,
    rules_holding: npt.NDArray[np.bool_] | None,
) -> npt.NDArray[np.float64]:
    free_flow = free_flow_kmh(graph, mode, rules_holding)
    if mode in NODE_BASED_MODES or mode in CYCLE_MODES:
        return np.where(graph.arc_flags & ARC_FERRY, free_flow, _muscle_kmh(graph, mode, options))
    speed = free_flow
    if live is not None:
        given = np.asarray(live, np.float64)
        if given.shape != (graph.arc_count,):
            raise InvalidInput(f"arc_speed_kmh has shape {given.shape}, the graph {graph.arc_count} arcs", "arc_speed_kmh")
        known = np.isfinite(given) & (given > 0.0)
        speed = np.where(known, np.clip(given, MIN_KMH, MAX_KMH), free_flow)
        speed = np.where(free_flow < graph.arc_speed_kmh, np.minimum(speed, free_flow), speed)
    return np.minimum(speed, options.max_kmh.get(mode, MAX_KMH))


def _muscle_kmh(graph: StreetGraph, mode: StreetMode, options: SpeedOptions) -> npt.NDArray[np.float64]:
    """Speeds of who walks, rolls or cycles: on level ground, on the class and surface of the street, and its incline."""
    level = {
        StreetMode.FOOT: options.foot_kmh,
        StreetMode.WHEELCHAIR: options.wheelchair_kmh,
        StreetMode.BICYCLE: options.bicycle_kmh,
        StreetMode.CARGO_BIKE: options.cargo_bike_kmh,
    }[mode]
    by_class = np.array(BICYCLE_FACTORS if mode in CYCLE_MODES else FOOT_FACTORS)[graph.arc_road_class]
    ground = np.minimum(by_class, np.array(SMOOTHNESS_FACTORS[mode])[graph.arc_smoothness])
    kmh: npt.NDArray[np.float64] = level * ground * incline_factors(graph, mode)
    return np.maximum(kmh, PUSHING_KMH) if mode in CYCLE_MODES else kmh


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

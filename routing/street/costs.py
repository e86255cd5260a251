"""Ways that are cheapest in something else than time: distance, CO2, tolls, a sum of them, without what is to be avoided."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import street_costs as kernels
from routing.kernels.street_search import INFINITE
from routing.model.emissions import co2_g_per_km, idle_co2_g_per_s
from routing.model.modes import UNREACHABLE_MS
from routing.model.street_graph import ARC_FERRY, ARC_TOLL, StreetGraph
from routing.street.cch import Hierarchy
from routing.street.metric import StreetMetric, weigh_turns
from routing.street.network import frozen
from routing.street.path import StreetPath, build_path

AVOID_FACTOR = 50.0
"""A street to avoid counts this many times: it is used only where a way without it is this much longer, or none exists."""


@dataclass(frozen=True, slots=True)
class CostWeights:
    """Price of what a way takes, in any one unit; the default is time alone.

    Attributes
    ----------
    per_s, per_km, per_kg_co2, per_toll_km : float
        From 0. Maps say where a toll is due, not how much: it is priced by the kilometre.
    """

    per_s: float = 1.0
    per_km: float = 0.0
    per_kg_co2: float = 0.0
    per_toll_km: float = 0.0

    def __post_init__(self) -> None:
        for name in ("per_s", "per_km", "per_kg_co2", "per_toll_km"):
            if not 0.0 <= getattr(self, name) <= 1e6:
                raise InvalidInput(f"{name} = {getattr(self, name)} is not between 0 and 1000000", name)


QUICKEST = CostWeights()
SHORTEST = CostWeights(per_s=0.0, per_km=1.0)
LEAST_CO2 = CostWeights(per_s=0.0, per_kg_co2=1.0)


@dataclass(frozen=True, slots=True)
class CostMetric:
    """Costs of every arc and turn for one mode at one moment; immutable.

    Attributes
    ----------
    times : StreetMetric
        The times behind the costs.
    search : StreetMetric
        To search with: costs in place of milliseconds, scaled to the size of times, what is avoided times `AVOID_FACTOR`.
    weights : CostWeights
    arc_co2_g : float64[m]
    avoided : bool[m]
    """

    times: StreetMetric
    search: StreetMetric
    weights: CostWeights
    arc_co2_g: npt.NDArray[np.float64]
    avoided: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CostedPath:
    """A way with all that it takes, by whatever it was chosen.

    Attributes
    ----------
    path : StreetPath
        With its time and length.
    cost : float
        In the unit of the weights, without any penalty.
    co2_g : float
    toll_m, avoided_m : float
        Metres of toll roads, and of streets that were to be avoided.
    starts_inside, ends_inside : bool
        The way begins or ends on a street that was to be avoided; it leaves these as soon as possible.
    """

    path: StreetPath
    cost: float
    co2_g: float
    toll_m: float
    avoided_m: float
    starts_inside: bool
    ends_inside: bool


def build_cost_metric(
    graph: StreetGraph,
    times: StreetMetric,
    weights: CostWeights,
    avoided: npt.NDArray[np.bool_] | None = None,
    hierarchy: Hierarchy | None = None,
) -> CostMetric:
    """Price the streets of a metric; O(arcs + turns).

    Raises
    ------
    InvalidInput
        If every street costs nothing (CO2 alone, for who walks), or `avoided` is not bool[m].
    """
    shun = np.zeros(graph.arc_count, np.bool_) if avoided is None else avoided
    if shun.shape != (graph.arc_count,) or shun.dtype != np.bool_:
        raise InvalidInput(f"avoided is {shun.dtype}{shun.shape}, the graph has {graph.arc_count} arcs", "avoided")
    usable = times.arc_time_ms != UNREACHABLE_MS
    time_s = np.where(usable, times.arc_time_ms, 0) / 1000.0
    length_km = graph.arc_length_m.astype(np.float64) / 1000.0
    speed = length_km / np.maximum(time_s, 1e-3) * 3600.0
    sailing = (graph.arc_flags & ARC_FERRY) != 0
    co2_g = np.where(sailing, 0.0, co2_g_per_km(times.mode, speed) * length_km)
    toll_km = np.where(graph.arc_flags & ARC_TOLL, length_km, 0.0)
    cost = weights.per_s * time_s + weights.per_km * length_km
    cost += weights.per_kg_co2 * co2_g / 1000.0 + weights.per_toll_km * toll_km
    if not cost[usable].sum() > 0.0:
        raise InvalidInput(
            f"with these weights all streets cost {times.mode.name} nothing: give time or distance a price", "weights"
        )
    scale = 1000.0 * time_s[usable].sum() / cost[usable].sum()
    scaled = np.clip(np.rint(cost * scale * np.where(shun, AVOID_FACTOR, 1.0)), 1.0, INFINITE - 1).astype(np.uint32)
    scaled[~usable] = UNREACHABLE_MS
    per_s = weights.per_s + weights.per_kg_co2 * idle_co2_g_per_s(times.mode) / 1000.0
    turns = np.minimum(np.rint(times.turn_ms * (scale * per_s / 1000.0)), INFINITE - 1).astype(np.int32)
    turns[times.turn_ms >= INFINITE] = INFINITE
    search = weigh_turns(times.network, scaled, frozen(turns), times.mode, hierarchy)
    return CostMetric(times, search, weights, frozen(co2_g), frozen(shun))


def measure(graph: StreetGraph, cost: CostMetric, path: StreetPath) -> CostedPath:
    """What a way takes by a cost metric's times and prices, from its arcs alone.

    Raises
    ------
    InvalidInput
        If the way cannot be driven with these times.
    """
    times, weights, arcs = cost.times, cost.weights, path.arcs
    timed, turning_ms = _timed(graph, times, path)
    share = timed.arc_length_m / np.maximum(graph.arc_length_m[arcs], 1e-9)
    co2_g = float((cost.arc_co2_g[arcs] * share).sum()) + turning_ms / 1000.0 * idle_co2_g_per_s(times.mode)
    toll_m = float(timed.arc_length_m[(graph.arc_flags[arcs] & ARC_TOLL) != 0].sum())
    total = weights.per_s * timed.time_ms / 1000.0 + weights.per_km * timed.length_m / 1000.0
    total += weights.per_kg_co2 * co2_g / 1000.0 + weights.per_toll_km * toll_m / 1000.0
    inside = cost.avoided[arcs]
    avoided_m = float(timed.arc_length_m[inside].sum())
    return CostedPath(timed, float(total), float(co2_g), toll_m, avoided_m, bool(inside[0]), bool(inside[-1]))


def timed_path(graph: StreetGraph, times: StreetMetric, path: StreetPath) -> StreetPath:
    """A way with the times of a metric, by whatever it was chosen.

    Raises
    ------
    InvalidInput
        If the way cannot be driven with these times.
    """
    return _timed(graph, times, path)[0]


def _timed(graph: StreetGraph, times: StreetMetric, path: StreetPath) -> tuple[StreetPath, int]:
    """The way with its times, and the milliseconds lost in turning."""
    net = times.network
    time_ms, turning_ms = kernels.way_ms(
        path.arcs, path.start_fraction, path.end_fraction, times.arc_time_ms, net.edge_based, net.arc_first_state,
        net.arc_states, net.state_arc, net.first_edge, net.edge_to, times.turn_ms,
    )  # fmt: skip
    if time_ms >= INFINITE:
        raise InvalidInput("the way holds an arc or a turn that is closed now: ask again", "path")
    return build_path(graph, times, int(time_ms), path.arcs, path.start_fraction, path.end_fraction), int(turning_ms)

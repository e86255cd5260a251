"""From the forecast of speeds to travel-time functions.

The forecast (`routing.forecast.traffic`) is the only truth about traffic: a profile by day type, quarter hour and road class,
and measured deviations that fade. Unmeasured arcs share a profile with all arcs of their class and free-flow speed; measured
ones share profiles by *level* of their deviation as well, so that a city needs some hundred profiles. A slot has the speed the
forecast gives for its middle. `routing.street.metric` would give the same travel times to a millisecond or two.

Slots are absolute and a forecast speaks of local time, so nights with a change of clocks need no care here: a local day is 92,
96 or 100 slots, of which the forecast lets some quarter hours come twice or not at all.
"""

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels.td_functions import CLOSED
from routing.model.modes import UNREACHABLE_MS
from routing.model.street_graph import ROAD_CLASSES, StreetGraph
from routing.street.metric import MAX_KMH, MIN_KMH, SLOWEST_KMH, StreetMetric
from routing.street.profiles import CYCLE_MODES, DEFAULT_SPEEDS, NODE_BASED_MODES, SpeedOptions
from routing.street.travel_time_functions import SLOT_S, TravelTimeFunctions, travel_time_functions

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

FINEST_LEVEL = 0.005
"""Step of the logarithm of deviations that count as alike: a quarter of a percent at most from the true one."""
MOST_PROFILES = 32_768
"""Levels are made coarser until profiles do not exceed this."""
_SMALL = 20_000_000
"""Keys up to which a table of all of them is quicker than sorting."""
UNSLOWED = CYCLE_MODES | frozenset(NODE_BASED_MODES)
"""Modes traffic does not slow."""


def traffic_functions(
    graph: StreetGraph,
    free_flow: StreetMetric,
    start_s: int,
    factor: npt.ArrayLike,
    *,
    options: SpeedOptions = DEFAULT_SPEEDS,
    ratio: npt.ArrayLike | None = None,
    ratio_at_s: float = 0.0,
    ratio_tau_s: float = np.inf,
) -> TravelTimeFunctions:
    """Travel-time functions of a mode.

    Parameters
    ----------
    graph : StreetGraph
    free_flow : StreetMetric
        Of the mode, without live speeds. Arcs closed in it stay closed the whole time: build functions anew when they open.
    start_s : int
        Unix second of slot 0.
    factor : float[slots, len(ROAD_CLASSES)]
        Share of free-flow speed left in every slot: `TrafficProfile.slots`.
    options : SpeedOptions
        As given to the metric.
    ratio : float[m], optional
        Measured over usual speed at `ratio_at_s`, NaN where nothing was measured: `TrafficForecast.arc_ratio`.
    ratio_at_s, ratio_tau_s : float
        A ratio fades to ``ratio ** exp(-(t - ratio_at_s) / ratio_tau_s)``.

    Raises
    ------
    InvalidInput
        For factors or ratios of a wrong shape, or that are not positive numbers.
    """
    table = np.asarray(factor, np.float64)
    if table.ndim != 2 or table.shape[1] != len(ROAD_CLASSES) or not len(table):
        raise InvalidInput(f"factor {table.shape}: slots × {len(ROAD_CLASSES)} road classes are needed", "factor")
    if not (np.isfinite(table) & (table > 0)).all():
        raise InvalidInput("factor must hold positive numbers only", "factor")
    work = np.where(free_flow.arc_time_ms == UNREACHABLE_MS, CLOSED, free_flow.arc_time_ms.astype(np.int64))
    if free_flow.mode in UNSLOWED:
        return travel_time_functions(
            free_flow.network, start_s, np.ones((len(table), 1)), work, np.zeros(len(work)), free_flow.turn_ms
        )
    level, step = _levels(graph, ratio)
    speed_kmh, road_class, arc_profile, level = _profiles(graph, level)
    middle = start_s + (np.arange(len(table)) + 0.5) * SLOT_S
    fading = np.exp(-np.maximum(middle - ratio_at_s, 0.0) / ratio_tau_s)
    free = np.maximum(speed_kmh, SLOWEST_KMH)
    cap = options.max_kmh.get(free_flow.mode, MAX_KMH)
    expected = free * table[:, road_class] * np.exp(fading[:, None] * (level * step))
    pace = np.minimum(free, cap) / np.minimum(np.clip(expected, MIN_KMH, MAX_KMH), cap)
    return travel_time_functions(free_flow.network, start_s, pace, work, arc_profile, free_flow.turn_ms)


def _levels(graph: StreetGraph, ratio: npt.ArrayLike | None) -> tuple[Int64, float]:
    """Level of every arc's deviation (int64[m], 0 = none) and the step between levels."""
    if ratio is None:
        return np.zeros(graph.arc_count, np.int64), FINEST_LEVEL
    given = np.asarray(ratio, np.float64)
    if given.shape != (graph.arc_count,):
        raise InvalidInput(f"ratio has shape {given.shape}, the graph {graph.arc_count} arcs", "ratio")
    known = np.isfinite(given)
    if (given[known] <= 0).any():
        raise InvalidInput("ratio must hold positive numbers, or NaN where nothing was measured", "ratio")
    logarithm = np.log(np.where(known, given, 1.0))
    step = FINEST_LEVEL
    kind = graph.arc_speed_kmh.astype(np.int64) * len(ROAD_CLASSES) + graph.arc_road_class
    while True:
        level = np.rint(logarithm / step).astype(np.int64)
        moved = np.flatnonzero(level)
        span = int(kind.max(initial=0)) + 1
        keys = (level[moved] - level.min(initial=0)) * span + kind[moved]
        if len(moved) < MOST_PROFILES or len(_distinct(keys)[0]) < MOST_PROFILES:
            return level, step
        step *= 2.0


def _profiles(graph: StreetGraph, level: Int64) -> tuple[Float64, Int64, Int64, Int64]:
    """Free-flow speed, road class of every profile, profile of every arc, level of every profile."""
    speeds, speed = np.unique(graph.arc_speed_kmh, return_inverse=True)
    classes = len(ROAD_CLASSES)
    usual = speed * classes + graph.arc_road_class
    moved = np.flatnonzero(level)
    lowest = int(level.min(initial=0))
    span = len(speeds) * classes
    keys, own = _distinct(usual[moved] + (level[moved] - lowest + 1) * span)
    arc_profile = usual.astype(np.int64)
    arc_profile[moved] = span + own
    every = np.concatenate([np.arange(span), keys % span])
    levels = np.concatenate([np.zeros(span, np.int64), keys // span + lowest - 1])
    return speeds[every // classes].astype(np.float64), every % classes, arc_profile, levels


def _distinct(keys: Int64) -> tuple[Int64, Int64]:
    """Distinct values of numbers from 0, ascending, and the place of every key among them; small ones are not sorted."""
    if keys.max(initial=-1) > _SMALL:
        found, own = np.unique(keys, return_inverse=True)
        return found, own
    present = np.zeros(int(keys.max(initial=-1)) + 1, np.bool_)
    present[keys] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[keys]

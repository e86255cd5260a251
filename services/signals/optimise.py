"""Fixed plans for one or several intersections, coordinated along their order."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from services.common.errors import InvalidInput
from traffic_lights.model.groups import GroupKind
from traffic_lights.model.intersection import Intersection, Turn
from traffic_lights.offline.offsets import find_green_window, optimise_offsets
from traffic_lights.offline.webster import WebsterPlan, build_webster_plan

PROGRESSION_MPS = 40 / 3.6
EARTH_M_PER_DEG = 111_319.0
DETOUR = 1.15
"""Streets are this much longer than the straight line between two intersections."""


@dataclass(frozen=True, slots=True, eq=False)
class OptimisedPlans:
    """Plans in the order asked for, and the bands of green through all of them (s)."""

    plans: tuple[WebsterPlan, ...]
    forward_band_s: int
    backward_band_s: int


def build_plans(
    intersections: list[Intersection],
    demands_vph: list[npt.NDArray[np.float64]],
    *,
    min_cycle_s: int = 40,
    max_cycle_s: int = 120,
    time_limit_s: float = 10.0,
) -> OptimisedPlans:
    """Webster plans; two or more share the longest cycle and get offsets by CP-SAT.

    Raises
    ------
    InvalidInput
        If the shortest cycle is above the longest.
    InvalidPlanError
        If minimum greens do not fit into the longest cycle.
    """
    if min_cycle_s > max_cycle_s:
        raise InvalidInput(f"min_cycle_s {min_cycle_s} is above max_cycle_s {max_cycle_s}", field="min_cycle_s")
    pairs = list(zip(intersections, demands_vph, strict=True))
    alone = [build_webster_plan(x, d, min_cycle_s=min_cycle_s, max_cycle_s=max_cycle_s) for x, d in pairs]
    if len(alone) < 2:
        return OptimisedPlans(tuple(alone), 0, 0)
    cycle_s = max(p.plan.cycle_s for p in alone)
    common = [build_webster_plan(x, d, max_cycle_s=max_cycle_s, cycle_s=cycle_s) for x, d in pairs]
    forward, backward = [], []
    for (x, demand), webster in zip(pairs, common, strict=True):
        there, back = _main_groups(x, demand)
        forward.append(find_green_window(x, webster.plan, there))
        backward.append(find_green_window(x, webster.plan, back))
    travel = tuple(_travel_s(a, b) for a, b in pairwise(intersections))
    result = optimise_offsets(cycle_s, tuple(forward), tuple(backward), travel, travel, time_limit_s=time_limit_s)
    shifted = tuple(
        WebsterPlan(p.plan.with_offset(o), p.flow_ratio, p.mean_delay_s, p.saturation)
        for p, o in zip(common, result.offsets_s, strict=True)
    )
    return OptimisedPlans(shifted, result.forward_band_s, result.backward_band_s)


def share_demand(x: Intersection, by_group_vph: dict[int, float]) -> npt.NDArray[np.float64]:
    """Demand of every movement from that of its group, shared by lanes."""
    group = np.array([m.group for m in x.movements], np.intp)
    lanes = np.array([m.lanes for m in x.movements], np.float64)
    total = np.bincount(group, weights=lanes, minlength=len(x.groups))
    flow = np.array([by_group_vph.get(g, 0.0) for g in range(len(x.groups))])
    return np.asarray(flow[group] * lanes / np.maximum(total[group], 1e-9), np.float64)


def _main_groups(x: Intersection, demand_vph: npt.NDArray[np.float64]) -> tuple[int, int]:
    """The two busiest vehicle groups of the busiest stage: both directions of the main street."""
    flow = np.zeros(len(x.groups))
    for m, d in zip(x.movements, demand_vph, strict=True):
        flow[m.group] += d if m.turn is Turn.THROUGH else 0.5 * d
    vehicles = [g for g, group in enumerate(x.groups) if group.kind is GroupKind.VEHICLE]
    first = max(vehicles, key=lambda g: flow[g])
    stage = max((k for k in range(len(x.stages)) if x.green[k, first]), key=lambda k: float(flow[x.green[k]].sum()))
    others = [g for g in vehicles if g != first and x.green[stage, g] and flow[g] > 0]
    return first, max(others, key=lambda g: flow[g], default=first)


def _travel_s(a: Intersection, b: Intersection) -> int:
    north = (b.lat_deg - a.lat_deg) * EARTH_M_PER_DEG
    east = (b.lon_deg - a.lon_deg) * EARTH_M_PER_DEG * math.cos(math.radians(a.lat_deg))
    return round(math.hypot(north, east) * DETOUR / PROGRESSION_MPS)

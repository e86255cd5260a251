"""Fixed plans by Webster's method.

References
----------
F. V. Webster, "Traffic signal settings", Road Research Technical Paper 39 (1958). Delay above saturation follows the
Highway Capacity Manual (incremental delay, one hour).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from traffic_lights.errors import InvalidPlanError
from traffic_lights.guard_tables import GuardTables, build_tables
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan
from traffic_lights.plan_check import check_plan

MAX_FLOW_RATIO = 0.95
CYCLE_STEP_S = 4


@dataclass(frozen=True, slots=True)
class WebsterTimes:
    """Cycle and effective greens (s, not rounded) for stages with the given flow ratios."""

    cycle_s: float
    greens_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WebsterPlan:
    """A plan with what it is expected to do.

    Attributes
    ----------
    plan : SignalPlan
    flow_ratio : float
        Sum of the critical flow ratios; above 0.95 demand exceeds what any cycle can serve.
    mean_delay_s : float
        Expected mean delay of a vehicle.
    saturation : float64[m]
        Demand over capacity of each movement.
    """

    plan: SignalPlan
    flow_ratio: float
    mean_delay_s: float
    saturation: npt.NDArray[np.float64]

    @property
    def oversaturated(self) -> bool:
        """Whether demand exceeds capacity somewhere."""
        return self.flow_ratio > MAX_FLOW_RATIO or bool((self.saturation > 1).any())


def compute_webster(
    flow_ratios: tuple[float, ...], lost_s: float, min_cycle_s: float = 30.0, max_cycle_s: float = 120.0
) -> WebsterTimes:
    """Cycle of least delay ``(1.5 L + 5) / (1 − Y)``, clipped, split in proportion to the critical flow ratios.

    Raises
    ------
    InvalidPlanError
        If the ratios are negative, or the lost time does not fit into `max_cycle_s`.
    """
    if not flow_ratios or min(flow_ratios) < 0 or lost_s < 0 or lost_s >= max_cycle_s:
        raise InvalidPlanError(f"Webster needs flow ratios ≥ 0 and a lost time in [0, {max_cycle_s}) s, got {lost_s}", "demand")
    total = sum(flow_ratios)
    best = (1.5 * lost_s + 5) / (1 - total) if total < MAX_FLOW_RATIO else max_cycle_s
    cycle = min(max(best, min_cycle_s, lost_s + len(flow_ratios)), max_cycle_s)
    share = [r / total for r in flow_ratios] if total > 0 else [1 / len(flow_ratios)] * len(flow_ratios)
    return WebsterTimes(cycle, tuple(s * (cycle - lost_s) for s in share))


def build_webster_plan(
    x: Intersection,
    demand_vph: npt.NDArray[np.float64],
    *,
    min_cycle_s: int = 40,
    max_cycle_s: int = 120,
    cycle_s: int | None = None,
    order: tuple[int, ...] | None = None,
) -> WebsterPlan:
    """Plan for the stages `order` (default: the rescue cycle) under `demand_vph` (float64[m], per movement).

    Intergreens count as lost. Minimum greens are kept; `cycle_s` fixes the cycle, for coordination.

    Raises
    ------
    InvalidPlanError
        If the demand has the wrong shape or is negative, or no cycle within the bounds holds all minimum greens.
    """
    if demand_vph.shape != (len(x.movements),) or not (demand_vph >= 0).all():
        raise InvalidPlanError(f"demand needs {len(x.movements)} values ≥ 0 veh/h", "demand")
    order = order or x.rescue_cycle
    if len(order) < 2:
        return WebsterPlan(SignalPlan(order, (0,), max(min_cycle_s, 1)), 0.0, 0.0, np.zeros(len(x.movements)))
    tables = build_tables(x)
    # Bounds, not the usual durations: after a short stage an older intergreen may still be running.
    changes = [int(tables.transition_bound_s[a, b]) for a, b in zip(order, order[1:] + order[:1], strict=True)]
    ratios = _critical_ratios(x, tables, demand_vph, order)
    shortest = [int(tables.stage_min_s[k]) for k in order]
    longest = [min((int(tables.max_green_s[g]) for g in x.stages[k].groups), default=max_cycle_s) for k in order]
    if sum(changes) + sum(shortest) > max_cycle_s:
        raise InvalidPlanError(
            f"intersection {x.id!r}: intergreens and minimum greens take {sum(changes) + sum(shortest)} s, "
            f"more than the longest cycle of {max_cycle_s} s",
            "max_cycle_s",
        )
    times = compute_webster(ratios, sum(changes), cycle_s or min_cycle_s, cycle_s or max_cycle_s)
    cycle = max(math.ceil(times.cycle_s - 1e-9), sum(changes) + sum(shortest))
    while True:
        # Maximum reds and greens bound the cycle from above: the first cycle that the guard leaves alone is taken.
        total = cycle - sum(changes)
        wanted = tuple(g * total / max(1e-9, sum(times.greens_s)) for g in times.greens_s)
        greens = _round_greens(wanted, shortest, longest if sum(longest) >= total else [total] * len(order), total)
        ends = changes[-1] + np.cumsum([g + c for g, c in zip(greens, changes, strict=True)]) - changes
        # A stage is asked for when the transition to it begins: second 0 is the end of the last stage's green.
        plan = SignalPlan(order, (0, *(int(e) for e in ends[:-1])), cycle, 0, f"{x.id} webster")
        if cycle_s is not None or cycle <= sum(changes) + sum(shortest) or not check_plan(x, plan):
            return _expect(x, tables, plan, order, greens, demand_vph, sum(ratios))
        cycle = max(cycle - CYCLE_STEP_S, sum(changes) + sum(shortest))


def compute_delay_s(cycle_s: float, green_s: float, flow_vph: float, saturation_vph: float) -> float:
    """Mean delay of a vehicle at a fixed-time signal: uniform plus random and overflow delay (HCM, one hour)."""
    if green_s <= 0 or saturation_vph <= 0:
        return 3600.0
    share = min(1.0, green_s / cycle_s)
    capacity = saturation_vph * share
    x = flow_vph / capacity
    uniform = 0.5 * cycle_s * (1 - share) ** 2 / max(1e-9, 1 - min(1.0, x) * share)
    return uniform + 900.0 * ((x - 1) + math.sqrt((x - 1) ** 2 + 4 * x / capacity))


def _critical_ratios(
    x: Intersection, t: GuardTables, demand_vph: npt.NDArray[np.float64], order: tuple[int, ...]
) -> tuple[float, ...]:
    """Critical flow ratio of each stage: movements of one stage first, those of several only for what is then missing."""
    ratios = [0.0] * len(order)
    needs: list[tuple[list[int], float]] = []
    for m, flow in zip(x.movements, demand_vph, strict=True):
        places = [k for k, stage in enumerate(order) if x.green[stage, m.group]]
        protected = [k for k in places if not t.shows_yield[order[k], m.group]]
        needs.append((protected or places, float(flow) / max(m.saturation_flow_vph, 1e-9)))
    for places, ratio in sorted(needs, key=lambda n: len(n[0])):
        missing = ratio - sum(ratios[k] for k in places)
        if places and missing > 0:
            ratios[max(places, key=lambda k: ratios[k])] += missing
    return tuple(ratios)


def _round_greens(wanted_s: tuple[float, ...], shortest_s: list[int], longest_s: list[int], total_s: int) -> list[int]:
    """Integer greens within their bounds, summing to `total_s`, as near to `wanted_s` as that allows."""
    bounds = list(zip(wanted_s, shortest_s, longest_s, strict=True))
    greens = [min(max(low, int(w)), high) for w, low, high in bounds]
    while sum(greens) != total_s:
        step = 1 if sum(greens) < total_s else -1
        movable = [k for k, g in enumerate(greens) if (g < longest_s[k] if step > 0 else g > shortest_s[k])]
        k = max(movable, key=lambda k: step * (wanted_s[k] - greens[k]))
        greens[k] += step
    return greens


def _expect(
    x: Intersection,
    t: GuardTables,
    plan: SignalPlan,
    order: tuple[int, ...],
    greens_s: list[int],
    demand_vph: npt.NDArray[np.float64],
    flow_ratio: float,
) -> WebsterPlan:
    saturation = np.zeros(len(x.movements))
    delay = 0.0
    for i, (m, flow) in enumerate(zip(x.movements, demand_vph, strict=True)):
        weights = [0.5 if t.shows_yield[k, m.group] else 1.0 for k in order if x.green[k, m.group]]
        mine = [g for g, k in zip(greens_s, order, strict=True) if x.green[k, m.group]]
        green = sum(w * g for w, g in zip(weights, mine, strict=True))
        saturation[i] = flow * plan.cycle_s / max(1e-9, m.saturation_flow_vph * green)
        delay += float(flow) * compute_delay_s(plan.cycle_s, green, float(flow), m.saturation_flow_vph)
    return WebsterPlan(plan, flow_ratio, delay / max(1e-9, float(demand_vph.sum())), saturation)

"""Closed-loop comparison of fixed and adaptive control on the queue model, streamed while it runs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.signals.corridor import Corridor
from traffic_lights.api import Controller, Mode
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan
from traffic_lights.offline.webster import build_webster_plan
from traffic_lights.simulation.closed_loop import LoopReport, run_closed_loop
from traffic_lights.simulation.network import QueueNetwork

CONTROLS = ("fixed", "adaptive")


@dataclass(frozen=True, slots=True)
class ComparisonStep:
    """Where both runs stand.

    Attributes
    ----------
    control : str
        ``fixed`` or ``adaptive``.
    report : LoopReport
    """

    control: str
    report: LoopReport


def simulate_corridor(
    corridor: Corridor, *, seconds: int = 3600, start_s: int = 0, seed: int = 1, every_s: int = 60
) -> Iterator[ComparisonStep]:
    """Run the corridor under fixed Webster plans, then under max pressure, on the same arrivals."""
    plans = build_plans(corridor.network)
    for control in CONTROLS:
        mode = Mode.FIXED if control == "fixed" else Mode.ACTIVE
        controllers = tuple(Controller(x, p, mode) for x, p in zip(corridor.network.intersections, plans, strict=True))
        for report in run_closed_loop(
            corridor.network, controllers, start_s=start_s, seconds=seconds, seed=seed, every_s=every_s
        ):
            yield ComparisonStep(control, report)


def build_plans(network: QueueNetwork) -> tuple[SignalPlan, ...]:
    """Webster plans for the demand of the network, propagated along its links by the turning shares."""
    flow = network.link_rate_vps.copy() * 3600.0
    entering = flow.copy()
    for _ in range(4 * len(network.intersections)):  # vehicles go round; the rest that still circulates is negligible
        passing = flow[network.movement_from] * network.movement_share
        flow = entering + np.bincount(network.movement_to, weights=passing, minlength=len(flow))
    plans = []
    for order, x in zip(network.movement_order, network.intersections, strict=True):
        demand = flow[network.movement_from[order]] * network.movement_share[order]
        plans.append(build_webster_plan(x, demand, max_cycle_s=_longest_cycle_s(x)).plan)
    return tuple(plans)


def _longest_cycle_s(x: Intersection) -> int:
    """120 s, or more where a junction needs so many stages that its maximum reds are longer."""
    return max(120, max(g.max_red_s for g in x.groups))

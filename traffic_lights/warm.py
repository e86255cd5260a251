"""Compile and load the kernels of the queue model, so that no control room waits for a compiler."""

import numpy as np

from traffic_lights.api import Controller, Mode
from traffic_lights.build import build_intersection
from traffic_lights.model.geometry import ApproachGeometry, ExitGeometry, IntersectionGeometry
from traffic_lights.offline.webster import build_webster_plan
from traffic_lights.simulation.closed_loop import run_closed_loop
from traffic_lights.simulation.network import LinkSpec, build_network

SECONDS = 30


def warm() -> int:
    """Run one crossroads for half a minute under adaptive control; answers the seconds simulated."""
    arms = range(4)
    x = build_intersection(
        IntersectionGeometry(
            "warm",
            tuple(ApproachGeometry(i, 90.0 * i) for i in arms),
            tuple(ExitGeometry(100 + i, 90.0 * i) for i in arms),
        )
    )
    links = [LinkSpec(i, 200.0, demand_vph=300.0) for i in arms] + [LinkSpec(100 + i, 200.0) for i in arms]
    plan = build_webster_plan(x, np.full(len(x.movements), 100.0)).plan
    network = build_network((x,), tuple(links))
    for _ in run_closed_loop(network, (Controller(x, plan, Mode.ACTIVE),), start_s=0, seconds=SECONDS, seed=0):
        pass
    return SECONDS

"""Drawn corridors of crossroads for the queue model."""

import numpy as np

from tests.builders.signals import junction
from traffic_lights.build import build_intersection
from traffic_lights.model.geometry import ApproachGeometry, ExitGeometry, IntersectionGeometry
from traffic_lights.model.intersection import Intersection
from traffic_lights.simulation.network import LinkSpec, QueueNetwork, build_network


def corridor(
    n: int, main_vph: float = 700.0, side_vph: float = 300.0, block_m: float = 250.0, main_lanes: int = 2
) -> QueueNetwork:
    """An east-west street of `n` crossroads.

    Links eastbound 0..n (link `i` leads to crossroads `i`), westbound 1000..1000+n, side streets in 2000 + 2i (+1), out 3000 +.
    """
    sites: list[Intersection] = []
    links = {
        **{i: LinkSpec(i, block_m, lanes=main_lanes, demand_vph=main_vph if i == 0 else 0) for i in range(n + 1)},
        **{1000 + i: LinkSpec(1000 + i, block_m, lanes=main_lanes, demand_vph=main_vph if i == n else 0) for i in range(n + 1)},
    }
    for i in range(n):
        for k in (2 * i, 2 * i + 1):
            links[2000 + k] = LinkSpec(2000 + k, block_m, demand_vph=side_vph)
            links[3000 + k] = LinkSpec(3000 + k, block_m)
        sites.append(build_intersection(IntersectionGeometry(
            f"x{i}",
            (ApproachGeometry(2000 + 2 * i, 0), ApproachGeometry(1000 + i + 1, 90, main_lanes),
             ApproachGeometry(2001 + 2 * i, 180), ApproachGeometry(i, 270, main_lanes)),
            (ExitGeometry(3000 + 2 * i, 0), ExitGeometry(i + 1, 90, main_lanes),
             ExitGeometry(3001 + 2 * i, 180), ExitGeometry(1000 + i, 270, main_lanes)),
        )))  # fmt: skip
    return build_network(tuple(sites), tuple(links.values()))


def demand_of(network: QueueNetwork, site: int, main_vph: float, side_vph: float) -> np.ndarray:
    """Demand of each movement of a crossroads of `corridor`, veh/h."""
    flows = []
    movements = network.intersections[site].movements
    for m in movements:
        lanes = sum(o.lanes for o in movements if o.approach == m.approach)
        flows.append((side_vph if m.approach >= 2000 else main_vph) * m.lanes / lanes)
    return np.array(flows)


__all__ = ["corridor", "demand_of", "junction"]

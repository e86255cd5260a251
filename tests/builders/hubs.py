"""Small delivery problems with micro-hubs, drawn."""

from dataclasses import replace

import numpy as np

from routing.rounds.api import Depot, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit
from routing.rounds.hub import Hub

DAY = TimeWindow(0, 20_000)


def hub_problem(
    rng: np.random.Generator, orders: int, *, hubs: int = 1, vans: int = 1, bikes: int = 1, windows: bool = False
) -> tuple[Problem, TravelTimes]:
    """A far depot, hubs in a town, vans and bikes (as quick, cheaper by the metre) and deliveries round the hubs."""
    centres = rng.uniform(1500, 2500, (hubs, 2))
    places = centres[rng.integers(hubs, size=orders)] + rng.normal(0, 250, (orders, 2))
    at = np.vstack([[0.0, 0.0], centres, places])
    metres = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    shipments = tuple(
        Shipment(
            f"o{k}", (int(rng.integers(1, 3)),),
            delivery=Visit(1 + hubs + k, 20.0, _drawn_window(rng) if windows and rng.random() < 0.6 else ()),
            direct_only=bool(rng.random() < 0.1),
        )
        for k in range(orders)
    )  # fmt: skip
    depots = (Depot("depot", 0, DAY), *(Depot(f"hub {h}", 1 + h, TimeWindow(500, 18_000)) for h in range(hubs)))
    fleet = [Vehicle(f"van {k}", 0, 0, (50,), DAY, fixed_cost=100.0, cost_per_s=0.0, cost_per_m=1.0) for k in range(vans)]
    fleet += [
        Vehicle(f"bike {h}.{k}", 1 + h, 1 + h, (8,), DAY, profile=0, fixed_cost=20.0, cost_per_s=0.0, cost_per_m=0.25)
        for h in range(hubs)
        for k in range(bikes)
    ]
    listed = tuple(Hub(f"hub {h}", 1 + h, 30.0, (10,), 50.0) for h in range(hubs))
    return Problem(len(at), depots, tuple(fleet), shipments, listed), TravelTimes.static(metres, metres)


def vans_alone(problem: Problem) -> Problem:
    """The same problem without hubs and their vehicles."""
    homes = {hub.depot_idx for hub in problem.hubs}
    vans = tuple(vehicle for vehicle in problem.vehicles if vehicle.start_depot_idx not in homes)
    return replace(problem, vehicles=vans, hubs=())


def _drawn_window(rng: np.random.Generator) -> tuple[TimeWindow, ...]:
    start = float(rng.integers(2_000, 8_000))
    return (TimeWindow(start, start + float(rng.integers(1_500, 6_000))),)

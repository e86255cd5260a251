"""Small delivery problems, drawn."""

from collections.abc import Sequence

import numpy as np

from routing.rounds.api import Depot, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit

DAY = TimeWindow(0, 10_000)


def line_times(positions: Sequence[float], speed: float = 1.0) -> TravelTimes:
    """Places on a line; one metre takes ``1 / speed`` seconds."""
    at = np.array(positions, float)
    metres = np.abs(at[:, None] - at[None, :])
    return TravelTimes.static(metres / speed, metres)


def delivery(
    name: str, location: int, window: tuple[float, float] | None = None, service: float = 0, **more: object
) -> Shipment:
    """Delivery of one unit from the depot."""
    windows = () if window is None else (TimeWindow(*window),)
    return Shipment(name, **({"load": (1,)} | more), delivery=Visit(location, service, windows))  # type: ignore[arg-type]


def van(name: str = "van", capacity: int = 10, shift: TimeWindow = DAY, **more: object) -> Vehicle:
    """Vehicle of the only depot."""
    return Vehicle(name, 0, 0, (capacity,), shift, **more)  # type: ignore[arg-type]


def problem(locations: int, vehicles: Sequence[Vehicle], shipments: Sequence[Shipment], depot: TimeWindow = DAY) -> Problem:
    """Problem with one depot at location 0."""
    return Problem(locations, (Depot("depot", 0, depot),), tuple(vehicles), tuple(shipments))


def random_times(rng: np.random.Generator, n: int, slots: int = 6, slot_s: int = 300) -> TravelTimes:
    """Time-dependent times between places in a square, half to twice the usual; some break first in, first out."""
    at = rng.uniform(0, 400, (n, 2))
    base = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    factor = rng.uniform(0.5, 2.0, (slots, n, n))
    durations = np.rint(base * factor).astype(np.int32)
    durations[:, np.arange(n), np.arange(n)] = 0
    return TravelTimes.slots(np.arange(slots) * slot_s, durations, base)


def random_problem(rng: np.random.Generator, n: int, vehicles: int, *, windows: bool = True, breaks: bool = False) -> Problem:
    """Problem with `n` single deliveries, tight windows and capacities."""
    from routing.rounds.api import Break  # noqa: PLC0415

    shipments = []
    for k in range(n):
        start = int(rng.integers(0, 1200))
        window = (start, start + int(rng.integers(100, 900))) if windows and rng.random() < 0.8 else None
        more = {"load": (int(rng.integers(1, 4)),)}
        shipments.append(delivery(f"o{k}", k + 1, window, int(rng.integers(0, 60)), **more))
    rests = (Break(600, 1500, 120),) if breaks else ()
    fleet = [
        van(f"v{k}", int(rng.integers(4, 9)), TimeWindow(0, 3000), breaks=rests, fixed_cost=100.0, cost_per_m=0.5)
        for k in range(vehicles)
    ]
    return problem(n + 1, fleet, shipments, TimeWindow(0, 3000))

"""``python -m loadtest rounds_live``: orders inserted into, and incidents patched out of, a plan of a thousand stops in memory.

Plans are drawn (places in a square, travel times of a day in slots with two peaks). Wall time and processor time are told
apart: on a busy machine the first says little.
"""

import argparse
import time

import numpy as np
import numpy.typing as npt

from loadtest.report import machine, show
from routing.rounds.api import Depot, Plan, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit, solve
from routing.rounds.live import LivePlan

SPEED_MPS = 8.0
SIDE_M = 20_000.0
DAY_S = 36_000
SLOTS = np.arange(0, DAY_S, 900)
INSERTED = 200


def main(argv: list[str]) -> int:
    """Run the benchmark; exit status 1 if a plan is invalid at the end."""
    parser = argparse.ArgumentParser(prog="python -m loadtest rounds_live", description=__doc__)
    parser.add_argument("--stops", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--iterations", type=int, default=200, help="Improvement of the plan before it is driven.")
    options = parser.parse_args(argv)
    rows = []
    for seed in options.seeds:
        for name, wall_ms, own_ms in measure(seed, options.stops, options.iterations):
            cells = [f"{np.percentile(values, share):.2f}" for values in (wall_ms, own_ms) for share in (50, 99)]
            rows.append([seed, name, len(wall_ms), *cells])
    show(
        f"a plan of {options.stops} stops, milliseconds",
        ["seed", "what", "n", "wall p50", "wall p99", "processor p50", "processor p99"],
        rows,
        machine(),
    )
    return 0


def measure(seed: int, stops: int, iterations: int) -> list[tuple[str, list[float], list[float]]]:
    """Name, wall and processor milliseconds of every kind of change of one drawn plan, driven for a quarter of the day."""
    rng = np.random.default_rng(seed)
    problem, times, at, plan = draw(rng, stops, iterations)
    live = LivePlan(problem, times, plan, DAY_S / 4)
    inserted, patched, evaluated = _Clock(), _Clock(), _Clock()
    for k in range(INSERTED):
        row = durations_s(at[stops + 1 + k], at[: live.times.used + 1])
        with inserted:
            location = live.times.add(row, row)
            live.advance(live.now_s + 1.0)
            live.insert(Shipment(f"new {k}", (1,), pickup=Visit(location, 120)))
    live.check()
    for _ in range(20):
        with evaluated:
            live.evaluate()
    for _ in range(5):
        near = np.flatnonzero(np.hypot(*(at[: live.times.used] - rng.uniform(0, SIDE_M, 2)).T) < 1000.0)
        with patched:
            _slow_down(live, near)
            live.times_changed()
        live.check()
    return [("insert", *inserted.took), ("incident", *patched.took), ("evaluate", *evaluated.took)]


def draw(rng: np.random.Generator, stops: int, iterations: int) -> tuple[Problem, TravelTimes, npt.NDArray[np.float64], Plan]:
    """Draw a day: a van for 25 deliveries, six of ten with a window of two hours; places of orders to come are at the end."""
    at = rng.uniform(0, SIDE_M, (stops + 1 + INSERTED, 2))
    used = at[: stops + 1]
    matrix = np.stack([durations_s(one, used)[0] for one in used], axis=1)
    day = TimeWindow(0, DAY_S)
    opens = rng.integers(0, DAY_S // 2, stops)
    shipments = tuple(
        Shipment(f"order {k}", (1,), delivery=Visit(k + 1, 180, (TimeWindow(o, o + 7200),) if rng.random() < 0.6 else ()))
        for k, o in enumerate(opens.tolist())
    )
    vans = tuple(Vehicle(f"van {r}", 0, 0, (45,), day) for r in range(stops // 25))
    problem = Problem(stops + 1, (Depot("depot", 0, day),), vans, shipments)
    times = TravelTimes.slots(SLOTS, matrix)
    return problem, times, at, solve(problem, times, iterations=iterations)


def durations_s(one: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Seconds (int32[1, slots, n]) between a place and others."""
    peaks = 1.0 + 0.4 * np.sin(SLOTS / 3600.0) ** 2
    metres = np.hypot(*(others - one).T)
    seconds: npt.NDArray[np.int32] = np.rint(peaks[None, :, None] * metres[None, None, :] / SPEED_MPS).astype(np.int32)
    return seconds


def _slow_down(live: LivePlan, near: npt.NDArray[np.int64]) -> None:
    """Ten minutes more for two hours on every way that begins or ends near an incident."""
    slots = live.times.times.arrays.slot_s
    first = int(live.now_s // 900)
    touched = np.zeros(slots.shape[2:], np.int32)
    touched[near, : live.times.used] = touched[: live.times.used, near] = 600
    np.fill_diagonal(touched, 0)
    slots[:, first : first + 8] += touched


class _Clock:
    """Collects wall and processor milliseconds of what happens inside ``with``."""

    def __init__(self) -> None:
        self.took: tuple[list[float], list[float]] = ([], [])

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        for values, now, began in zip(self.took, (time.perf_counter(), time.process_time()), self._began, strict=True):
            values.append(1000.0 * (now - began))


__all__ = ["draw", "durations_s", "main", "measure"]

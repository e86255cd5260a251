"""``python -m loadtest rounds_sure``: what windows that are kept with a wanted probability cost.

Every instance is planned twice with the same processor time, as usual and with a wanted probability. Both plans are driven on
many drawn days by code of its own: driving times scatter as `routing.rounds.ranges` says, drawn from the covariance of all
legs of a round instead of leg by leg, on days that the plan was not made with.
"""

import argparse
import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from loadtest.report import machine, show
from loadtest.rounds_instances import is_time_dependent, read_instance
from routing.rounds.api import Depot, Plan, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit, solve
from routing.rounds.ranges import Uncertainty
from routing.rounds.standing import leaves_stop_s
from routing.rounds.sure import solve_surely

HEADER = (
    "instance",
    "plan",
    "windows",
    "kept on days",
    "least sure",
    "below wanted",
    "cost",
    "more",
    "hours",
    "vehicles",
    "left out",
)
DRAWN_HOURS = 9


@dataclass(frozen=True, slots=True)
class Measured:
    """A plan on many days; `kept` is the mean over windows, `below` counts windows under the wanted probability."""

    instance: str
    plan: str
    windows: int
    kept: float
    least: float
    below: int
    cost: float
    hours: float
    vehicles: int
    left_out: int


def drive_days(problem: Problem, plan: Plan, uncertainty: Uncertainty, days: int, seed: int) -> list[float]:
    """Share of days on which each window of a plan is kept."""
    rng, shares = np.random.default_rng(seed), []
    for one in plan.rounds:
        leaves = [one.departure_s, *(leaves_stop_s(stop) for stop in one.stops)]
        legs = [stop.arrival_s - left for stop, left in zip(one.stops, leaves, strict=False)]
        gaps = np.abs(np.subtract.outer(leaves[:-1], leaves[:-1]))
        covariance = uncertainty.day_sigma**2 + uncertainty.hour_sigma**2 * np.exp(-gaps / uncertainty.fades_s)
        factors = np.exp(rng.multivariate_normal(np.zeros(len(legs)), covariance, days, method="cholesky"))
        kept = [0] * len(legs)
        for row in factors.tolist():
            clock = one.departure_s
            for k, (stop, leg) in enumerate(zip(one.stops, legs, strict=True)):
                clock += leg * row[k] + sum(rest.end_s - rest.start_s for rest in stop.breaks_before)
                windows = problem.visit(stop.visit_idx).windows
                fitting = [window for window in windows if clock <= window.end_s]
                kept[k] += bool(fitting) or not windows
                clock = max(clock, fitting[0].start_s) if fitting else clock
                clock += stop.departure_s - stop.start_s + sum(rest.end_s - rest.start_s for rest in stop.breaks_after)
        shares += [kept[k] / days for k, stop in enumerate(one.stops) if problem.visit(stop.visit_idx).windows]
    return shares


def drawn_instance(orders: int, vans: int, width_s: int, seed: int) -> tuple[Problem, TravelTimes]:
    """Orders in a city of 9 by 9 km with rush hours; windows of `width_s` for all of them."""
    rng = np.random.default_rng(seed)
    at = np.concatenate([[[4500.0, 4500.0]], rng.uniform(0, 9000, (orders, 2))])
    metres = 1.3 * np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    slots = np.arange(0, (DRAWN_HOURS + 2) * 3600, 900)
    hours = 7.0 + slots / 3600.0
    speed = 8.5 - 3.0 * np.exp(-((hours - 8.5) ** 2)) - 2.0 * np.exp(-((hours - 17.0) ** 2))
    times = TravelTimes.slots(slots, np.rint(metres[None] / speed[:, None, None]).astype(np.int32), metres)
    day = TimeWindow(0, DRAWN_HOURS * 3600)
    shipments = []
    for k in range(orders):
        opens = int(rng.integers(3600, DRAWN_HOURS * 3600 - 3600 - width_s) // 900 * 900)
        shipments.append(Shipment(f"o{k}", (1,), None, Visit(k + 1, 180, (TimeWindow(opens, opens + width_s),))))
    fleet = tuple(Vehicle(f"van {k}", 0, 0, (orders,), day, fixed_cost=3600.0) for k in range(vans))
    return Problem(orders + 1, (Depot("depot", 0, day),), fleet, tuple(shipments)), times


def main(argv: list[str]) -> int:
    """Plan, drive and print; exit status 1 if a plan with a wanted probability leaves out what the usual one serves."""
    options = _parser().parse_args(argv)
    instances = [(name, *drawn_instance(60, 12, 60 * width, seed)) for width in options.widths for seed in range(options.drawn)
                 for name in (f"drawn {width} min, seed {seed}",)]  # fmt: skip
    for given in options.instances:
        path = Path(given)
        files = sorted(file for file in path.rglob("*.vrp.json*") if is_time_dependent(file)) if path.is_dir() else [path]
        for file in files:
            found = read_instance(file, "duration", "double")
            instances.append((found.name, found.problem, found.times))
    uncertainty, measured = Uncertainty(options.day_sigma, options.hour_sigma), []
    for name, problem, times in instances:
        limits = {"time_limit_s": options.seconds, "elapsed_s": time.process_time, "seed": options.seed}
        solve(problem, times, iterations=5)  # kernels are compiled or loaded before any clock
        usual = solve(problem, times, **limits)
        sure = solve_surely(problem, times, options.sure, uncertainty=uncertainty, **limits)
        for label, plan in (("usual", usual), (f"{100 * options.sure:g} %", sure)):
            shares = drive_days(problem, plan, uncertainty, options.days, options.seed + 1000)
            served = sum(one.cost for one in plan.rounds)
            measured.append(
                Measured(
                    name, label, len(shares), float(np.mean(shares or [1.0])), min(shares, default=1.0),
                    sum(share < options.sure for share in shares), served, plan.duration_s / 3600, len(plan.rounds),
                    len(plan.unserved),
                )
            )  # fmt: skip
        print(f"{name} done", file=sys.stderr, flush=True)
    rows = [_row(one, measured[k - k % 2]) for k, one in enumerate(measured)]
    about = {"wanted": options.sure, "seconds": options.seconds, "days": options.days, "load": round(os.getloadavg()[0], 1)}
    show("windows kept with a wanted probability", HEADER, rows, about | machine(seed=options.seed))
    more = [100 * (b.cost / a.cost - 1) for a, b in zip(measured[::2], measured[1::2], strict=True) if a.cost]
    total = [sum(one.below for one in measured[k::2]) for k in (0, 1)]
    count = sum(one.windows for one in measured[::2])
    print(f"{count} windows: {total[0]} below the wanted probability as usual, {total[1]} with it")
    print(f"cost: median {np.median(more):+.1f} %, most {max(more):+.1f} %")
    if options.out:
        Path(options.out).write_text(json.dumps({"about": about, "plans": [asdict(one) for one in measured]}, indent=1))
    return 1 if any(b.left_out > a.left_out for a, b in zip(measured[::2], measured[1::2], strict=True)) else 0


def _row(one: Measured, usual: Measured) -> tuple[object, ...]:
    more = "" if one is usual or not usual.cost else f"{100 * (one.cost / usual.cost - 1):+.1f} %"
    least = "" if math.isnan(one.least) else f"{100 * one.least:.1f} %"
    return (one.instance, one.plan, one.windows, f"{100 * one.kept:.1f} %", least, one.below, f"{one.cost:,.0f}", more,
            f"{one.hours:.1f}", one.vehicles, one.left_out)  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest rounds_sure", description=__doc__)
    parser.add_argument("instances", nargs="*", help="MAMUT .vrp.json files, or folders with them")
    parser.add_argument("--drawn", type=int, default=0, help="drawn instances of 60 orders for each width of windows")
    parser.add_argument("--widths", type=int, nargs="+", default=[30, 60, 120], help="widths of drawn windows in minutes")
    parser.add_argument("--sure", type=float, default=0.95, help="wanted probability")
    parser.add_argument("--seconds", type=float, default=5.0, help="processor time for each plan")
    parser.add_argument("--days", type=int, default=2000, help="days driven")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--day-sigma", type=float, default=Uncertainty().day_sigma)
    parser.add_argument("--hour-sigma", type=float, default=Uncertainty().hour_sigma)
    parser.add_argument("--out", help="all figures as JSON")
    return parser

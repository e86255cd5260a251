"""``python -m loadtest.rounds_reloads --pyvrp PY --seconds S --out DIR``: drawn days of several trips, we and PyVRP.

Deliveries at random places, half of them with windows, and vans that come back to load two or three times; by distance. PY is
the Python of an environment with PyVRP. Both get the same seconds on one core, one after the other; loading and compiling is
left out for both. With ``--balance`` instead: what spreading the work over drivers costs, for us alone.
"""

import argparse
import json
import statistics
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.report import machine, show
from routing.rounds.api import Depot, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit, solve

PYVRP = """
import json, sys, time
from pyvrp import Model
from pyvrp.stop import MaxRuntime
drawn = json.load(open(sys.argv[1]))
model, rows = Model(), drawn["matrix"]
places = [model.add_location(x, y) for x, y in drawn["at"]]
depot = model.add_depot(places[0], tw_early=0, tw_late=drawn["closes"])
model.add_vehicle_type(drawn["vans"], capacity=drawn["capacity"], start_depot=depot, end_depot=depot, tw_early=0,
                       tw_late=drawn["closes"], reload_depots=[depot], max_reloads=drawn["reloads"])
for place, load, window in zip(places[1:], drawn["loads"], drawn["windows"]):
    model.add_client(place, delivery=load, service_duration=drawn["service"], tw_early=window[0], tw_late=window[1])
for i, row in enumerate(rows):
    for j, metres in enumerate(row):
        if i != j:
            model.add_edge(places[i], places[j], distance=metres, duration=metres)
began = time.perf_counter()
found = model.solve(stop=MaxRuntime(float(sys.argv[2])), seed=int(sys.argv[3]), display=False)
print(json.dumps({"cost": found.cost() if found.is_feasible() else None, "seconds": time.perf_counter() - began,
                  "trips": sum(route.num_trips() for route in found.best.routes())}))
"""


def main() -> int:
    """Run the comparison; exit status 1 if some order could not be served by us."""
    options = _parser().parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    _solve(draw(8, 1), 0.1, 0)
    return _balance(options) if options.balance else _compare(options, out)


def _compare(options: argparse.Namespace, out: Path) -> int:
    rows: list[tuple[str, object]] = []
    ratios, unserved = [], 0
    for n in options.orders:
        for seed in options.seeds:
            drawn, path = draw(n, seed), out / f"reloads_{n}_{seed}.json"
            path.write_text(json.dumps(drawn))
            plan = _solve(drawn, options.seconds, seed)
            unserved += len(plan.unserved)
            ours = {"cost": plan.cost, "iterations": plan.iterations, "unserved": len(plan.unserved), "trips": _trips(plan)}
            peer = _peer(path, options.seconds, seed, options.pyvrp)
            (out / f"{path.stem}.compared.json").write_text(json.dumps({"ours": ours, "peer": peer} | machine(seed=seed)))
            text = f"{plan.cost:.0f} / {ours['trips']} ({plan.iterations} iterations)"
            if peer and peer["cost"]:
                ratios.append(plan.cost / peer["cost"])
                text += f"   {peer['cost']:.0f} / {peer['trips']}   {100 * (ratios[-1] - 1):+.2f} %"
            elif peer:
                text += "   nothing feasible"
            rows.append((f"{n} orders, seed {seed}", text))
            print(*rows[-1], flush=True)
    if ratios:
        rows.append(
            ("median, mean, worst ratio", f"{statistics.median(ratios):.4f}, {statistics.mean(ratios):.4f}, {max(ratios):.4f}")
        )
    show(f"reloads, {options.seconds:g} s each", ("drawn", "ours / trips, PyVRP / trips, difference"), rows, machine())
    return 1 if unserved else 0


def _balance(options: argparse.Namespace) -> int:
    """Least duration, then the same with a cost of squared hours: how far durations are apart, and what it costs."""
    rows: list[tuple[str, object]] = []
    for n in options.orders:
        for seed in options.seeds:
            problem, times = _problem(draw(n, seed))
            for weight in (0.0, 1.0, 5.0, 25.0):
                fleet = tuple(
                    replace(
                        one, capacity=(10**6,), max_reloads=0, cost_per_m=0.0, cost_per_s=1.0, balance_cost_per_s2=weight / 1e5
                    )
                    for one in problem.vehicles
                )
                asked = replace(problem, vehicles=fleet)
                plan = solve(asked, times, time_limit_s=options.seconds, elapsed_s=time.perf_counter, seed=seed)
                lasts = [one.duration_s for one in plan.rounds] + [0.0] * (len(fleet) - len(plan.rounds))
                spread = f"longest − shortest {max(lasts) - min(lasts):.0f}, deviation {statistics.pstdev(lasts):.0f}"
                rows.append(
                    (
                        f"{n} orders, seed {seed}, weight {weight:g}",
                        f"sum {sum(lasts):.0f}, {spread}, left out {len(plan.unserved)}",
                    )
                )
                print(*rows[-1], flush=True)
    show(f"balance, {options.seconds:g} s each", ("drawn", "durations in seconds"), rows, machine())
    return 0


def draw(n: int, seed: int) -> dict[str, Any]:
    """Places, loads and windows of a day; about two and a half trips of each van."""
    rng = np.random.default_rng(seed)
    at = rng.integers(0, 1000, (n + 1, 2))
    at[0] = (500, 500)
    matrix = np.rint(np.hypot(*(at[:, None] - at[None, :]).T)).astype(int)
    loads, closes, vans = rng.integers(1, 20, n), 14_000, max(2, n // 40)
    opens = rng.integers(500, closes - 4000, n)
    windows = [[int(a), int(a) + 2500] if half else [0, closes] for a, half in zip(opens, rng.random(n) < 0.5, strict=True)]
    return {
        "at": at.tolist(), "matrix": matrix.T.tolist(), "loads": loads.tolist(), "windows": windows, "closes": closes,
        "vans": vans, "capacity": int(np.ceil(loads.sum() / vans / 2.5)), "reloads": 3, "service": 30,
    }  # fmt: skip


def _problem(drawn: dict[str, Any]) -> tuple[Problem, TravelTimes]:
    matrix, day = np.array(drawn["matrix"], float), TimeWindow(0, drawn["closes"])
    orders = tuple(
        Shipment(f"o{k}", (load,), delivery=Visit(k + 1, drawn["service"], (TimeWindow(*window),)))
        for k, (load, window) in enumerate(zip(drawn["loads"], drawn["windows"], strict=True))
    )
    fleet = tuple(
        Vehicle(f"v{r}", 0, 0, (drawn["capacity"],), day, cost_per_s=0.0, cost_per_m=1.0, max_reloads=drawn["reloads"])
        for r in range(drawn["vans"])
    )
    return Problem(len(matrix), (Depot("depot", 0, day),), fleet, orders), TravelTimes.static(matrix, matrix)


def _solve(drawn: dict[str, Any], seconds: float, seed: int) -> Any:
    problem, times = _problem(drawn)
    return solve(problem, times, time_limit_s=seconds, elapsed_s=time.perf_counter, seed=seed)


def _trips(plan: Any) -> int:
    return sum(1 + len(one.halts) - len(one.stops) for one in plan.rounds)


def _peer(path: Path, seconds: float, seed: int, python: str | None) -> dict[str, Any] | None:
    if not python:
        return None
    command = [python, "-c", PYVRP, str(path), str(seconds), str(seed)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(f"the peer failed on {path}: {answer.stderr[-500:]}")
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.rounds_reloads", description=__doc__)
    parser.add_argument("--pyvrp", help="Python with PyVRP")
    parser.add_argument("--balance", action="store_true", help="spread work over drivers instead")
    parser.add_argument("--orders", type=int, nargs="+", default=[40, 80, 160])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--out", required=True)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

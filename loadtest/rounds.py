"""``python -m loadtest rounds``: solve a public delivery instance and write the solution for independent checking."""

import argparse
import json
import os
import time
from pathlib import Path

from loadtest.report import machine, show
from loadtest.rounds_instances import VEHICLES_FIRST, Instance, best_known, is_time_dependent, read_instance
from routing.rounds.api import Plan, solve


def main(argv: list[str]) -> int:
    """Run the benchmark; exit status 1 if some customer could not be served."""
    options = _parser().parse_args(argv)
    if (options.seconds is None) == (options.iterations is None):
        _parser().error("give either --seconds or --iterations")
    began = time.perf_counter()
    path = Path(options.instance)
    objective = options.objective or ("duration" if is_time_dependent(path) else "distance")
    instance = read_instance(path, objective, options.rounding)
    loading_s = time.perf_counter() - began
    compile_s = _warm_up(instance)
    began = time.perf_counter()
    plan = solve(
        instance.problem,
        instance.times,
        iterations=options.iterations,
        time_limit_s=options.seconds,
        elapsed_s=time.perf_counter,
        seed=options.seed,
        threads=options.cores,
    )
    solving_s = time.perf_counter() - began
    answer = solution(instance, plan, objective)
    _report(instance, plan, answer, options, objective, loading_s, compile_s, solving_s)
    if options.out:
        about = {"iterations": plan.iterations, "loading_s": loading_s, "compile_s": compile_s, "solving_s": solving_s}
        Path(options.out).write_text(json.dumps(answer | {"metadata": about | machine(seed=options.seed)}))
    return 1 if plan.unserved else 0


def solution(instance: Instance, plan: Plan, objective: str) -> dict[str, object]:
    """Routes in the file's customer numbers, departures, and the cost under the objective (vehicles: the distance)."""
    vehicles = VEHICLES_FIRST * len(plan.rounds) if objective == "vehicles-distance" else 0.0
    return {
        "routes": [[instance.customer[stop.visit_idx] for stop in one.stops] for one in plan.rounds],
        "route_departure_times": [one.departure_s for one in plan.rounds],
        "cost": plan.cost - vehicles,
    }


def _warm_up(instance: Instance) -> float:
    """Compile (or load from the cache) every kernel before the clock starts."""
    began = time.perf_counter()
    small = instance.problem
    solve(
        type(small)(small.location_count, small.depots, small.vehicles[:2], small.shipments[:6]),
        instance.times,
        iterations=5,
    )
    return time.perf_counter() - began


def _report(
    instance: Instance, plan: Plan, answer: dict[str, object], options: argparse.Namespace, objective: str,
    loading_s: float, compile_s: float, solving_s: float,
) -> None:  # fmt: skip
    cost = float(str(answer["cost"]))
    best = best_known(Path(options.instance))
    known = best.get("cost")
    gap = f"{100 * (cost / known - 1):.2f} %" if known else "–"
    rows: list[tuple[str, object]] = [
        ("customers", len(instance.customer)),
        ("rounds", len(plan.rounds)),
        ("unserved", len(plan.unserved)),
        ("cost", cost),
        ("best known cost", known or "–"),
        ("gap", gap),
        ("best known rounds", best.get("vehicles") or "–"),
        ("cost of the first plan", plan.first_cost),
        ("iterations", plan.iterations),
        ("loading s", loading_s),
        ("compiling or loading kernels s", compile_s),
        ("solving s", solving_s),
    ]
    about = machine(seed=options.seed) | {"cores used": options.cores}
    show(f"rounds: {instance.name} ({objective}, {options.rounding})", ("measure", "value"), rows, about)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest rounds", description=__doc__)
    parser.add_argument("--instance", required=True, help="MAMUT .vrp.json, Solomon/Homberger .txt or Li & Lim .txt")
    parser.add_argument("--seconds", type=float, help="wall time of solving, after loading")
    parser.add_argument(
        "--iterations", type=int, help="instead of --seconds: the same seed and iterations give the same answer"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--cores", type=int, default=1, choices=range(1, (os.cpu_count() or 1) + 1), help="threads for 500 stops and more"
    )
    parser.add_argument("--objective", choices=("duration", "distance", "vehicles-distance"))
    parser.add_argument("--rounding", choices=("double", "dimacs"), default="double")
    parser.add_argument("--out", help="solution file")
    return parser

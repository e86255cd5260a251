"""``python -m loadtest.rounds_peers --kayros PY | --pyvrp PY --seconds S --out DIR FILE…``: we and a peer, the same seconds.

PY is the Python of an environment with the peer in it (``pip install kayros`` or ``pip install pyvrp``). Both solve each file
one after the other on one core, with the same wall time (PyVRP also with the same processor time, ``--clock processor``, for
busy machines); loading and compiling is left out for both. Time-dependent files by duration (KAYROS), static ones by distance
truncated to a tenth (PyVRP). Raw routes go to DIR. ``--vehicles`` reduces the number of vehicles first, in doubles, and is for
us alone: Solomon's, Gehring and Homberger's and Li and Lim's files beside the best known where ``BKS.json`` lies beside them.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from loadtest.report import machine, show
from loadtest.rounds import solution
from loadtest.rounds_instances import best_known, is_time_dependent, read_instance
from routing.rounds.api import solve
from routing.rounds.warm import warm

KAYROS = """
import json, sys, time, kayros
path, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
began = time.perf_counter()
found = kayros.solve(path, time_limit=seconds, seed=seed)
print(json.dumps({"cost": found.duration, "routes": found.num_routes, "seconds": time.perf_counter() - began}))
"""
PYVRP = """
import json, math, sys, time
from pyvrp import Model
path, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
clock = time.process_time if sys.argv[4] == "processor" else time.perf_counter
header, rows = None, []
for line in open(path):
    try:
        numbers = [float(x) for x in line.split()]
    except ValueError:
        continue
    if len(numbers) == 2 and header is None:
        header = numbers
    elif len(numbers) == 7:
        rows.append(numbers)
model = Model()
places = [model.add_location(int(row[1]), int(row[2])) for row in rows]
closes = int(rows[0][5] * 10)
depot = model.add_depot(places[0], tw_early=0, tw_late=closes)
model.add_vehicle_type(int(header[0]), capacity=int(header[1]), start_depot=depot, end_depot=depot, tw_early=0, tw_late=closes)
for place, row in list(zip(places, rows))[1:]:
    model.add_client(place, delivery=int(row[3]), service_duration=int(row[6] * 10), tw_early=int(row[4] * 10),
                     tw_late=int(row[5] * 10))
for i, one in enumerate(rows):
    for j, two in enumerate(rows):
        if i != j:
            apart = math.floor(10 * math.hypot(one[1] - two[1], one[2] - two[2]) + 1e-9)
            model.add_edge(places[i], places[j], distance=apart, duration=apart)
began = clock()
found = model.solve(stop=lambda best: clock() - began > seconds, seed=seed, display=False)
print(json.dumps({"cost": found.cost() / 10 if found.is_feasible() else None, "routes": found.best.num_routes(),
                  "seconds": clock() - began}))
"""


def main() -> int:
    """Run the comparison; exit status 1 if some customer could not be served by us."""
    options = _parser().parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    warm()
    rows: list[tuple[str, object]] = []
    ratios, unserved = [], 0
    for path in map(Path, options.files):
        ours = _ours(path, options, out)
        peer = _peer(path, options)
        unserved += int(ours["unserved"])
        best = ours["best_known"]
        (out / f"{path.name}.compared.json").write_text(json.dumps({"ours": ours, "peer": peer} | machine(seed=options.seed)))
        text = f"{ours['cost']:.1f} / {ours['routes']}"
        if peer is not None and peer["cost"]:
            ratios.append(float(ours["cost"]) / float(peer["cost"]))
            text += f"   {peer['cost']:.1f} / {peer['routes']}   {100 * (ratios[-1] - 1):+.2f} %"
        if best:
            text += f"   ({100 * (float(ours['cost']) / float(best) - 1):+.2f} % of best known"
            text += f", {ours['best_known_routes']} rounds)" if ours["best_known_routes"] else ")"
        rows.append((path.name, text))
        print(*rows[-1], flush=True)
    if ratios:
        rows.append(("better / equal / worse", f"{sum(r < 1 - 1e-9 for r in ratios)} / "
                     f"{sum(abs(r - 1) <= 1e-9 for r in ratios)} / {sum(r > 1 + 1e-9 for r in ratios)}"))  # fmt: skip
        rows.append(
            ("median, mean, worst ratio", f"{statistics.median(ratios):.4f}, {statistics.mean(ratios):.4f}, {max(ratios):.4f}")
        )
    show(
        f"rounds, {options.seconds:g} s each",
        ("file", "ours / routes, peer / routes, difference"),
        rows,
        machine(seed=options.seed),
    )
    return 1 if unserved else 0


def _ours(path: Path, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    time_dependent = is_time_dependent(path)
    objective = "vehicles-distance" if options.vehicles else "duration" if time_dependent else "distance"
    instance = read_instance(path, objective, "double" if time_dependent or options.vehicles else "dimacs")
    clock = time.process_time if options.clock == "processor" else time.perf_counter
    began = clock()
    plan = solve(instance.problem, instance.times, time_limit_s=options.seconds, elapsed_s=clock, seed=options.seed)
    seconds, answer = clock() - began, solution(instance, plan, objective)
    (out / f"{path.name}.solution.json").write_text(json.dumps(answer))
    known = best_known(path)
    return {"cost": answer["cost"], "routes": len(plan.rounds), "seconds": seconds, "unserved": len(plan.unserved),
            "iterations": plan.iterations, "best_known": known.get("cost"),
            "best_known_routes": known.get("vehicles")}  # fmt: skip


def _peer(path: Path, options: argparse.Namespace) -> dict[str, Any] | None:
    for python, program in ((options.kayros, KAYROS), (options.pyvrp, PYVRP)):
        if python:
            command = [python, "-c", program, str(path), str(options.seconds), str(options.seed), options.clock]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode:
                raise RuntimeError(f"the peer failed on {path}: {answer.stderr[-500:]}")
            found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
            return found
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.rounds_peers", description=__doc__)
    parser.add_argument("files", nargs="+", help="MAMUT .vrp.json (KAYROS) or Solomon/Homberger .txt (PyVRP)")
    parser.add_argument("--kayros", help="Python with KAYROS")
    parser.add_argument("--pyvrp", help="Python with PyVRP")
    parser.add_argument("--vehicles", action="store_true", help="fewest vehicles first, distances in doubles")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="of both; KAYROS knows wall time only")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

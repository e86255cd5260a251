"""``python -m loadtest rounds_large``: one drawn day of very many stops, planned by threads and by workers of Ray.

Deliveries at random places, half of them with windows of two hours, times that do not change, duration as the objective; one
run after the other, each in a process of its own. Memory is the most that all processes of a run held together (what they share
counted once), read every second.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from loadtest.report import machine, show
from routing.rounds.api import Depot, Plan, Problem, Shipment, TimeWindow, TravelTimes, Vehicle, Visit, solve
from routing.rounds.parts import PartWorkers, ThreadWorkers
from routing.rounds.warm import warm
from services.rounds.ray_workers import RayWorkers

BACKENDS = ("threads", "ray")
DAY_S = 10 * 3600
SPEED_MPS = 8.0


def main(argv: list[str]) -> int:
    """Run the benchmark; exit status 1 if some stop could not be served."""
    options = _parser().parse_args(argv)
    if options.child:
        print(json.dumps(_run(options)))
        return 0
    answers = {}
    for backend in options.backends:
        answers[backend] = _watched([*argv, "--child", backend])
        print(backend, answers[backend], flush=True)
    measures = list(next(iter(answers.values())))
    rows: list[tuple[object, ...]] = [(name, *(answer[name] for answer in answers.values())) for name in measures]
    show(f"rounds: {options.stops} stops", ("measure", *answers), rows, machine(seed=options.seed))
    if options.out:
        Path(options.out).write_text(json.dumps(answers | machine(seed=options.seed)))
    return 1 if any(answer["left out"] for answer in answers.values()) else 0


def draw(stops: int, seed: int) -> tuple[Problem, TravelTimes]:
    """A day of a hundred stops a van or less, in a square that grows with their number."""
    rng = np.random.default_rng(seed)
    at = rng.random((stops + 1, 2)) * 1000.0 * np.sqrt(stops / 10.0)
    at[0] = at.mean(axis=0)
    seconds = np.empty((stops + 1, stops + 1))
    for i, place in enumerate(at):
        seconds[i] = np.hypot(*(at - place).T) / SPEED_MPS
    day = TimeWindow(0, DAY_S)
    opens = rng.integers(0, DAY_S - 7200, stops)
    orders = tuple(
        Shipment(
            f"o{k}", (1,), delivery=Visit(k + 1, 120, (TimeWindow(int(opens[k]), int(opens[k]) + 7200) if k % 2 else day,))
        )
        for k in range(stops)
    )
    fleet = tuple(Vehicle(f"v{r}", 0, 0, (100,), day) for r in range(max(2, stops // 50)))
    return Problem(stops + 1, (Depot("depot", 0, day),), fleet, orders), TravelTimes.static(seconds)


def _run(options: argparse.Namespace) -> dict[str, object]:
    warm()
    problem, times = draw(options.stops, options.seed)
    seconds = options.seconds if options.iterations is None else None
    workers: PartWorkers = ThreadWorkers(options.cores)
    if options.child == "ray":
        workers = RayWorkers(options.cores, time_limit_s=seconds)
    began, first_s = time.monotonic(), 0.0

    def better(_: Plan) -> None:
        nonlocal first_s
        first_s = first_s or time.monotonic() - began

    plan = solve(
        problem, times, iterations=options.iterations, time_limit_s=seconds, elapsed_s=time.monotonic, seed=options.seed,
        workers=workers, on_improvement=better,
    )  # fmt: skip
    return {
        "seconds": round(time.monotonic() - began, 1), "seconds to the first plan": round(first_s, 1),
        "cost of the first plan": round(plan.first_cost), "cost": round(plan.cost), "rounds": len(plan.rounds),
        "iterations": plan.iterations, "left out": len(plan.unserved),
    }  # fmt: skip


def _watched(argv: list[str]) -> dict[str, object]:
    """What a run answers, with the most memory its processes held together."""
    command = [sys.executable, "-m", "loadtest", "rounds_large", *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        most, ticks = 0, dict[int, int]()
        while child.poll() is None:
            most = max(most, _held(child.pid, ticks))
            time.sleep(1.0)
        output = child.stdout.read() if child.stdout else ""
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with code {child.returncode}")
    *told, last = output.splitlines()
    print(*told, sep="\n", file=sys.stderr, flush=True)
    answer: dict[str, object] = json.loads(last)
    used_s = sum(ticks.values()) / os.sysconf("SC_CLK_TCK")
    return answer | {"memory, GB": round(most / 1e9, 2), "processor seconds, loading included": round(used_s)}


def _held(session: int, ticks: dict[int, int]) -> int:
    """Bytes that the processes of a session hold, what is shared in parts; notes the processor time of each."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == session:
                ticks[int(folder.name)] = int(fields[11]) + int(fields[12])
                lines = (folder / "smaps_rollup").read_text().splitlines()
                total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest rounds_large", description=__doc__)
    parser.add_argument("--stops", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=300.0, help="of planning, wall time; drawing and loading come on top")
    parser.add_argument("--iterations", type=int, help="instead of --seconds: the plans are the same")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--child", choices=BACKENDS, help=argparse.SUPPRESS)
    parser.add_argument("--out", help="file of the answers")
    return parser

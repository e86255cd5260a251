"""``python -m loadtest rounds_value``: what predicted travel times are worth, on all time-dependent instances of a folder.

Every instance is planned with free flow, snapshots, the day's mean and the full prediction: the same solver, the same
processor time (a busy machine changes nothing then). Each plan is driven through the true times.
"""

import argparse
import json
import os
import re
import sys
import time
from functools import partial
from pathlib import Path

from loadtest.report import machine, show
from loadtest.rounds_instances import read_instance
from routing.rounds.api import Plan, Problem, TravelTimes, solve
from routing.rounds.prediction_value import compare_views
from services.cli.value_summary import (
    INSTANCE_HEADER,
    RULES,
    SUMMARY_HEADER,
    InstanceValue,
    as_json,
    instance_rows,
    summary_rows,
    write_value_page,
)  # fmt: skip


def main(argv: list[str]) -> int:
    """Run the comparison; exit status 1 if a plan made with the full prediction is late or leaves something out."""
    options = _parser().parse_args(argv)
    files = [file for given in options.instances for file in _files(Path(given))]
    if not files:
        _parser().error("no .vrp.json instance there")
    values = []
    for number, file in enumerate(files, 1):
        instance = read_instance(file, "duration", "double")
        seconds = options.seconds if options.seconds is not None else max(0.5, len(instance.customer) / 30)
        if number == 1:
            solve(instance.problem, instance.times, iterations=20)  # compiles, or loads from the cache, before any clock
        plan_with = partial(plan_in, seconds=seconds, seed=options.seed)
        results = compare_views(instance.problem, instance.times, plan_with, waiting=options.waiting)
        values.append(InstanceValue(f"{file.parent.name} {instance.name}", tuple(results)))
        print(f"{number} of {len(files)}: {values[-1].name}", file=sys.stderr, flush=True)
    about = {
        "instances": len(values),
        "objective": "duration" if options.waiting is None else f"driving, waiting at {options.waiting:g} of it",
        "processor seconds": options.seconds if options.seconds is not None else "customers / 30, at least 0.5",
        "load": round(os.getloadavg()[0], 1),
    }
    about |= machine(seed=options.seed)
    if options.each:
        show(f"every instance: {RULES['as_planned']}", INSTANCE_HEADER, instance_rows(values, "as_planned"))
    for rule, words in RULES.items():
        show(f"value of prediction: {words}", SUMMARY_HEADER, summary_rows(values, rule), about)
    if options.picture:
        write_value_page(values, about, Path(options.picture))
    if options.out:
        Path(options.out).write_text(json.dumps(as_json(values, about), indent=1))
    full = [value.results[-1].as_planned for value in values]
    return 1 if any(day.late_stops or day.late_returns or day.unserved for day in full) else 0


def plan_in(problem: Problem, travel_times: TravelTimes, *, seconds: float, seed: int) -> Plan:
    """Plan for so many seconds of processor time."""
    return solve(problem, travel_times, time_limit_s=seconds, elapsed_s=time.process_time, seed=seed)


def _files(path: Path) -> list[Path]:
    """The file itself, or every instance below a folder, in the order of their numbers."""
    if path.is_file():
        return [path]
    found = [*path.rglob("*.vrp.json"), *path.rglob("*.vrp.json.gz")]
    return sorted(found, key=lambda file: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(file))])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest rounds_value", description=__doc__)
    parser.add_argument("instances", nargs="+", help="MAMUT .vrp.json files, or folders with them")
    parser.add_argument(
        "--seconds",
        type=float,
        help="processor time for each plan (default: a second for 30 customers, at least half a second)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--waiting",
        type=float,
        help="make driving small, a second not driven costing this share of one driven (default: make the duration small)",
    )
    parser.add_argument("--each", action="store_true", help="print every instance too")
    parser.add_argument("--picture", help="HTML page")
    parser.add_argument("--out", help="all figures as JSON")
    return parser

"""``python -m loadtest signals``: one hour of a SUMO scenario under one controller, every lamp through the guard.

Writes ``tripinfo.xml``, ``tls_states.xml``, ``limits.json`` and ``report.json`` to ``--out``. The delay is the mean of
``timeLoss + departDelay`` over *all* vehicles of the trip information, those that never arrived or never departed
included.
"""

import argparse
import json
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.progress import Progress

from loadtest.report import machine, show
from services.common.errors import InvalidInput, ServiceError
from services.twin.sumo_net import SumoLimits, SumoSignal, read_signals
from services.twin.sumo_run import LaneWatch, RunFiles, run_scenario
from traffic_lights.adaptive.max_pressure import MaxPressure
from traffic_lights.adaptive.reference import Actuated, Greedy
from traffic_lights.adaptive.strategy import Strategy
from traffic_lights.api import Controller, Mode
from traffic_lights.errors import SignalsError
from traffic_lights.guard import Guard

CONTROLLERS = ("fixed", "actuated", "greedy", "adaptive")
PERMISSIVE = (
    "A link in `yields` may show g while the link it yields to shows G: it gives way, as in the map's own program. Pairs "
    "in `conflicts` are never green (G or g) together, and the begin of one follows the end of the other by at least "
    "yellow + all-red. The same gap is kept between yielding pairs when they are not green in one stage."
)


def main(argv: list[str]) -> int:
    """Run the benchmark; exit status 2 for bad input."""
    arguments = _parse(argv)
    try:
        report = run(arguments)
    except (ServiceError, SignalsError) as error:
        print(f"signals: {error}", file=sys.stderr)
        return 2
    rows = [(key, report[key]) for key in ("mean_delay_s", "vehicles", "arrived", "unfinished", "undeparted", "control_us")]
    show(f"{report['scenario']} · {report['controller']} · seed {report['seed']}", ("figure", "value"), rows, report["machine"])
    return 0


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the scenario and write all files; returns the report.

    Raises
    ------
    InvalidInput
        If the scenario folder does not hold exactly one ``.sumocfg``.
    """
    config, net = _scenario_files(arguments.scenario)
    arguments.out.mkdir(parents=True, exist_ok=True)
    limits = SumoLimits(all_red_s=arguments.all_red_s, min_green_s=arguments.min_green_s)
    signals = read_signals(net, limits)
    controllers = [_controller(signal, arguments.controller) for signal in signals]
    watches = [LaneWatch(signal, arguments.detection, arguments.seed) for signal in signals]
    spent_s, seconds = 0.0, 0

    def choose(now_s: int, sumo: ModuleType) -> list[bytes]:
        nonlocal spent_s, seconds
        seen = [None if arguments.controller == "fixed" else watch.read(sumo) for watch in watches]
        started = time.perf_counter()
        shown = [c.step(now_s, d).command.aspects for c, d in zip(controllers, seen, strict=True)]
        spent_s, seconds = spent_s + time.perf_counter() - started, seconds + 1
        return shown

    files = RunFiles(arguments.out / "tripinfo.xml", arguments.out / "tls_states.xml")
    started = time.perf_counter()
    with Progress(transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"{arguments.scenario.name} {arguments.controller}", total=None)
        run_scenario(
            config, signals, choose, arguments.seed, files,
            lambda done, total: progress.update(task, completed=done, total=total),
        )  # fmt: skip
    figures = summarise_trips(files.tripinfo)
    report: dict[str, Any] = {
        "scenario": arguments.scenario.name,
        "controller": arguments.controller,
        "seed": arguments.seed,
        "detection": arguments.detection,
        **figures,
        "control_us": round(spent_s / max(1, seconds * len(signals)) * 1e6, 1),
        "wall_s": round(time.perf_counter() - started, 2),
        "guard_interventions": sum(c.intervention_count for c in controllers),
        "machine": machine(("numpy", "eclipse-sumo", "libsumo"), arguments.seed),
    }
    (arguments.out / "limits.json").write_text(json.dumps(describe_limits(signals, limits), indent=1), encoding="utf-8")
    (arguments.out / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    return report


def summarise_trips(tripinfo: Path) -> dict[str, Any]:
    """Count vehicles and compute the mean delay from trip information."""
    delay_s, arrived, undeparted, count = 0.0, 0, 0, 0
    for _, trip in ET.iterparse(tripinfo):
        if trip.tag != "tripinfo":
            continue
        count += 1
        delay_s += float(trip.get("timeLoss", 0)) + float(trip.get("departDelay", 0))
        arrived += float(trip.get("arrival", -1)) >= 0
        undeparted += float(trip.get("depart", -1)) < 0
        trip.clear()
    return {
        "mean_delay_s": round(delay_s / max(1, count), 3),
        "vehicles": count,
        "arrived": arrived,
        "unfinished": count - arrived - undeparted,
        "undeparted": undeparted,
    }


def describe_limits(signals: tuple[SumoSignal, ...], limits: SumoLimits) -> dict[str, Any]:
    """Every limit that the states must keep, per signal and link index, for an independent check."""
    return {
        "permissive": PERMISSIVE,
        "signals": {
            s.id: {
                "all_red_s": limits.all_red_s,
                "yellow_s": [g.clearing_s for g in s.intersection.groups],
                "min_green_s": [g.min_green_s for g in s.intersection.groups],
                "max_green_s": [g.max_green_s for g in s.intersection.groups],
                "max_red_s": [g.max_red_s for g in s.intersection.groups],
                "conflicts": [[int(i), int(j)] for i, j in zip(*s.intersection.conflicts.nonzero(), strict=True) if i < j],
                "yields": [[int(i), int(j)] for i, j in zip(*s.intersection.yields.nonzero(), strict=True)],
                "stages": list(s.program_states),
            }
            for s in signals
        },
    }


def _controller(signal: SumoSignal, name: str) -> Controller:
    x = signal.intersection
    tables = Guard(x, 0, 0).tables
    strategies: dict[str, Strategy | None] = {
        "fixed": None,
        "actuated": Actuated(x, tables, plan=signal.plan),
        "greedy": Greedy(x),
        "adaptive": MaxPressure(x, tables),
    }
    return Controller(x, signal.plan, Mode.FIXED if name == "fixed" else Mode.ACTIVE, strategies[name], start_all_red_s=0)


def _scenario_files(folder: Path) -> tuple[Path, Path]:
    """Return the configuration and the network of a scenario folder."""
    configs = sorted(folder.glob("*.sumocfg"))
    if len(configs) != 1:
        raise InvalidInput(f"{folder} holds {len(configs)} .sumocfg files; a scenario has exactly one", field="scenario")
    try:
        net = ET.parse(configs[0]).find("input/net-file")
    except ET.ParseError as error:
        raise InvalidInput(f"{configs[0]} is not XML: {error}", field="scenario") from error
    if net is None or not net.get("value"):
        raise InvalidInput(f"{configs[0]} names no net-file", field="scenario")
    return configs[0], folder / str(net.get("value"))


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtest signals", description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", type=Path, required=True, help="folder with .sumocfg, network and routes")
    parser.add_argument("--controller", choices=CONTROLLERS, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--detection", type=_share, default=1.0, help="share of vehicles that are detected, (0, 1]")
    parser.add_argument("--all-red-s", type=_seconds, default=0)
    parser.add_argument("--min-green-s", type=_seconds, default=5)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args(argv)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in (0, 1]")
    return value


def _seconds(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 60:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, 60]")
    return value

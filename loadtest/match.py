"""``python -m loadtest match``: map matching of simulated drives, with everything that is needed to score it again.

Per setting (seed, interval, error) one Parquet file holds a row per drive: the arcs really travelled and how much of each, the
positions given, and the answer. Recall is the share of the metres travelled whose arc (with its direction) is in the answer;
precision the share of the answer's arcs, by length, that were travelled.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import polars as pl

from loadtest import report
from loadtest.match_traces import Drive, simulate
from routing.errors import RoutingError
from routing.model.modes import StreetMode
from routing.street.api import StreetEngine
from routing.street.matching import Matched, MatchOptions, PointStatus, TraceMatcher
from routing.street.snapping import SnapGrid
from services.city.errors import CityError
from services.city.osm_reader import read_street_graph

MAIN = (10.0, 8.0)
OTHERS = ((10.0, 4.0), (10.0, 15.0), (30.0, 8.0))


def main(argv: list[str]) -> int:
    """Run the benchmark; exit status 2 for unusable input."""
    parser = argparse.ArgumentParser(prog="python -m loadtest match", description=__doc__)
    parser.add_argument("--osm", type=Path, required=True, help="OSM extract (pbf)")
    parser.add_argument("--drives", type=int, default=100, help="drives of each setting")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--spread", type=float, default=0.15, help="how much drivers err about speeds (log-normal)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the answers")
    arguments = parser.parse_args(argv)
    try:
        engine = StreetEngine(read_street_graph(arguments.osm))
        matcher = TraceMatcher(SnapGrid(engine.graph), engine.metric(StreetMode.CAR))
    except (CityError, RoutingError, OSError) as error:
        print(f"match: {error}")
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = [(seed, *MAIN) for seed in arguments.seeds] + [(arguments.seeds[0], *other) for other in OTHERS]
    found = []
    for seed, interval_s, sigma_m in settings:
        drives = simulate(engine, arguments.drives, seed, interval_s, sigma_m, arguments.spread)
        name = f"seed{seed}_{interval_s:g}s_{sigma_m:g}m.parquet"
        found.append(
            {"seed": seed, "interval_s": interval_s, "sigma_m": sigma_m} | _run(matcher, drives, sigma_m, arguments.out / name)
        )
        print(json.dumps(found[-1]), flush=True)
    about = report.machine(("numpy", "numba"))
    (arguments.out / "match.json").write_text(json.dumps({"settings": found, "about": about}, indent=1), encoding="utf-8")
    header = ("seed", "interval_s", "sigma_m", "points", "recall", "worst drive", "precision", "µs a point", "breaks")
    keys = ("seed", "interval_s", "sigma_m", "points", "recall", "recall_worst", "precision", "cpu_us_a_point", "breaks")
    report.show("match", header, [[_cell(key, row[key]) for key in keys] for row in found], about)
    return 0


def _cell(key: str, value: float) -> object:
    return f"{value:.5f}" if key in {"recall", "precision"} else value


def _run(matcher: TraceMatcher, drives: list[Drive], sigma_m: float, out: Path) -> dict[str, float]:
    """Match the drives, store them with the answer, and say how good and how quick it was."""
    first = np.concatenate([[0], np.cumsum([len(drive.lat_deg) for drive in drives])])
    columns = [np.concatenate([getattr(drive, name) for drive in drives]) for name in ("lat_deg", "lon_deg", "time_s")]
    options = MatchOptions(sigma_m=sigma_m)
    matcher.match(columns[0][:8], columns[1][:8], columns[2][:8], options=options)  # kernels are compiled before the clock runs
    began, cpu = time.perf_counter(), time.thread_time()
    answer = matcher.match(columns[0], columns[1], columns[2], first, options)
    wall_s, cpu_s = time.perf_counter() - began, time.thread_time() - cpu
    _store(drives, answer, out)
    lengths = matcher.graph.arc_length_m
    travelled = recovered = answered = right = 0.0
    worst = 1.0
    for trace, drive in enumerate(drives):
        arcs = answer.arcs_of(trace)
        hit = float(drive.travelled_m[np.isin(drive.arcs, arcs)].sum())
        travelled, recovered = travelled + float(drive.travelled_m.sum()), recovered + hit
        worst = min(worst, hit / float(drive.travelled_m.sum()))
        answered += float(lengths[arcs].sum())
        right += float(lengths[arcs][np.isin(arcs, drive.arcs)].sum())
    return {
        "points": int(first[-1]), "travelled_m": travelled, "recall": recovered / travelled, "recall_worst": worst,
        "precision": right / answered, "wall_us_a_point": wall_s / first[-1] * 1e6, "cpu_us_a_point": cpu_s / first[-1] * 1e6,
        "breaks": sum(len(answer.list_breaks(trace)) for trace in range(len(drives))),
        "outliers": int((answer.status == PointStatus.OUTLIER).sum()),
    }  # fmt: skip


def _store(drives: list[Drive], answer: Matched, path: Path) -> None:
    rows = [slice(int(low), int(high)) for low, high in zip(answer.first_point[:-1], answer.first_point[1:], strict=True)]
    columns: dict[str, list[np.ndarray]] = {
        "arcs": [drive.arcs for drive in drives],
        "travelled_m": [drive.travelled_m for drive in drives],
        "lat_deg": [drive.lat_deg for drive in drives],
        "lon_deg": [drive.lon_deg for drive in drives],
        "time_s": [drive.time_s for drive in drives],
        "point_arc": [drive.point_arc for drive in drives],
        "matched_arcs": [answer.arcs_of(trace) for trace in range(len(drives))],
        "matched_point_arc": [answer.arc[row] for row in rows],
        "status": [answer.status[row] for row in rows],
        "confidence": [answer.confidence[row] for row in rows],
    }
    pl.DataFrame({name: [part.tolist() for part in parts] for name, parts in columns.items()}).write_parquet(path)

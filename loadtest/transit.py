"""``python -m loadtest transit``: depart-at and range queries on a GTFS timetable, answers written out for checking.

One thread. Loading (timetable, footpaths, kernels, laying out the days asked for) is timed apart from the queries. The answer
of a query is one line: ``from to t dep,arr,transfers …`` in unix seconds, journeys sorted.
"""

import argparse
import gzip
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtest.report import machine, show
from routing.model.timetable import Timetable, index_of
from routing.transit.api import TransitEngine, TransitJourney, TransitRequest
from routing.transit.footpaths import with_footpaths
from routing.transit.warm import warm
from services.city.gtfs_reader import GtfsSource, WalkOptions, read_timetable

FEED = "g"
PACKAGES = ("numpy", "numba", "polars")


@dataclass(frozen=True, slots=True)
class Query:
    """One line of the query file."""

    from_stop: str
    to_stop: str
    time_s: int


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; see ``--help``."""
    options = _parser().parse_args(argv)
    began = time.perf_counter()
    engine = load(options.gtfs, options.footpaths)
    queries = read_queries(options.queries)
    warm()
    for moment in {query.time_s // 86_400 * 86_400: query.time_s for query in queries}.values():
        engine.prepare(moment)
    loaded = time.perf_counter() - began
    requests = [make_request(engine.timetable, query, options) for query in queries]
    took: list[float] = []
    answers: list[list[TransitJourney]] = []
    cpu = time.thread_time()
    for request in requests:
        start = time.perf_counter()
        answers.append(engine.plan(request))
        took.append(1e3 * (time.perf_counter() - start))
    cpu = 1e3 * (time.thread_time() - cpu) / max(len(requests), 1)
    lines = [answer_line(query, journeys) for query, journeys in zip(queries, answers, strict=True)]
    options.out.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    rows = [[options.mode, len(queries), loaded, sum(took) / 1e3, *summary(took), cpu]]
    header = ("mode", "queries", "loading s", "queries s", "mean ms", "p50 ms", "p95 ms", "max ms", "cpu ms")
    about = {**machine(PACKAGES), "threads": 1, "window_s": options.window_s, "max_transfers": options.max_transfers}
    show("transit", header, rows, about)
    return 0


def load(gtfs: Path, footpaths: Path) -> TransitEngine:
    """Engine on one feed with exactly the footpaths of a file (`from_stop_id,to_stop_id,duration_s`)."""
    timetable = read_timetable([GtfsSource(FEED, gtfs)], walk=WalkOptions(radius_m=0))
    stops = index_of(timetable).stops
    rows = [line.strip().rsplit(",", 2) for line in _lines(footpaths)][1:]
    origins, destinations = ([stops[f"{FEED}:{row[i]}"] for row in rows] for i in (0, 1))
    return TransitEngine(with_footpaths(timetable, origins, destinations, [int(row[2]) for row in rows]))


def read_queries(path: Path) -> list[Query]:
    """Lines ``from_stop_id to_stop_id departure_unix``."""
    return [Query(parts[0], parts[1], int(parts[2])) for parts in (line.split() for line in _lines(path)) if parts]


def make_request(timetable: Timetable, query: Query, options: argparse.Namespace) -> TransitRequest:
    """Request between two stops: a journey may begin and end with one footpath."""
    stops = index_of(timetable).stops
    access = _reachable(timetable, stops[f"{FEED}:{query.from_stop}"], backwards=False)
    egress = _reachable(timetable, stops[f"{FEED}:{query.to_stop}"], backwards=True)
    return TransitRequest(
        query.time_s,
        *access,
        *egress,
        window_s=options.window_s if options.mode == "range" else 0,
        max_transfers=options.max_transfers,
        min_change_s=options.min_change_s,
    )


def answer_line(query: Query, journeys: Iterable[TransitJourney]) -> str:
    """One line of the answer file."""
    found = sorted((journey.departure_s, journey.arrival_s, journey.transfers) for journey in journeys)
    return " ".join([query.from_stop, query.to_stop, str(query.time_s), *(f"{a},{b},{c}" for a, b, c in found)])


def summary(took_ms: list[float]) -> tuple[float, float, float, float]:
    """Mean, median, 95th percentile and maximum."""
    p50, p95, worst = (float(value) for value in np.percentile(took_ms, (50, 95, 100)))
    return float(np.mean(took_ms)), p50, p95, worst


def _reachable(timetable: Timetable, stop: int, backwards: bool) -> tuple[np.ndarray, np.ndarray]:
    """Stops one footpath away (the stop itself included), and the seconds."""
    source = np.repeat(np.arange(timetable.stop_count, dtype=np.int32), np.diff(timetable.first_footpath))
    here, there = (timetable.footpath_to, source) if backwards else (source, timetable.footpath_to)
    near = here == stop
    return (
        np.concatenate(([stop], there[near])).astype(np.int32),
        np.concatenate(([0], timetable.footpath_s[near])).astype(np.int32),
    )


def _lines(path: Path) -> list[str]:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8").splitlines()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest transit", description=__doc__)
    parser.add_argument("--gtfs", type=Path, required=True, help="GTFS zip")
    parser.add_argument(
        "--footpaths", type=Path, required=True, help="closed footpaths csv(.gz): from_stop_id,to_stop_id,duration_s"
    )
    parser.add_argument("--queries", type=Path, required=True, help="lines: from_stop_id to_stop_id unix_s")
    parser.add_argument("--mode", choices=("depart", "range"), required=True)
    parser.add_argument("--window-s", type=int, default=3600, help="range: length of the window of departures")
    parser.add_argument("--max-transfers", type=int, default=7)
    parser.add_argument("--min-change-s", type=int, default=120, help="minimum change time at one stop")
    parser.add_argument("--out", type=Path, required=True, help="answers, one line a query")
    return parser

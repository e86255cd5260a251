"""``python -m loadtest.street_time_dependent --osm P --out DIR``: time-dependent routes and delivery matrices on a city.

Profiles: ``urban`` (the city's own forecast) and stronger ones drawn from seeds: ``radial:S`` (rush hours whose strength falls
with the distance to the centre, towards it in the morning and away from it in the evening), ``independent:S`` (every arc
draws one of 64 rush hours by itself, up to four times slower than free flow: harsher than any city). Trips begin and end at
random positions and leave between 6 and 20 h. Raw answers (departure, arrivals by A*, exact and nearly so; microseconds) go to
``DIR/<profile>.npz``; with ``--check K`` the first K are compared with Dijkstra's algorithm.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from loadtest import report
from routing.forecast.traffic import TrafficProfile
from routing.kernels.td_functions import arrival
from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.street.api import StreetEngine
from routing.street.customization import FAR
from routing.street.metric import weigh
from routing.street.pair_functions import longest_of, pair_functions
from routing.street.time_dependent import TimeDependentRouter, TimedWay
from routing.street.timed_anchors import TimedAnchors, timed_anchors
from routing.street.traffic_functions import traffic_functions
from routing.street.travel_time_functions import TravelTimeFunctions, travel_time_functions
from services.city.osm_reader import read_street_graph

MONDAY_S = 1_772_409_600
"""2 March 2026, midnight in Lisbon."""
SLOTS = 192
KEPT = 400


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.street_time_dependent", description=__doc__)
    parser.add_argument("--osm", type=Path, required=True, help="OSM extract (pbf)")
    parser.add_argument("--profiles", nargs="+", default=["urban", "radial:1", "radial:2", "independent:1"])
    parser.add_argument("--count", type=int, default=10_000, help="queries per profile")
    parser.add_argument("--check", type=int, default=100, help="queries compared with Dijkstra's algorithm")
    parser.add_argument("--stops", type=int, default=0, help="also arrival functions between so many stops, a whole day")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    engine = StreetEngine(read_street_graph(arguments.osm))
    engine.hierarchy(StreetMode.CAR)
    figures: dict[str, dict[str, float]] = {}
    for profile in arguments.profiles:
        functions = functions_of(engine, profile)
        figures[profile] = (
            stops(engine, functions, arguments.stops, arguments.threads, arguments.seed) if arguments.stops else {}
        )
        figures[profile] |= trips(engine, functions, arguments.count, arguments.check, arguments.seed, arguments.out, profile)
        about = report.machine(("numpy", "numba"), arguments.seed)
        report.show(f"street, time-dependent · {profile}", ("measure", "value"), figures[profile].items(), about)
    (arguments.out / "time_dependent.json").write_text(json.dumps(figures, indent=1, default=float) + "\n", encoding="utf-8")
    return 0


def functions_of(engine: StreetEngine, profile: str) -> TravelTimeFunctions:
    """Travel-time functions of two days by a profile's name."""
    metric, (kind, _, seed) = engine.metric(StreetMode.CAR), profile.partition(":")
    if kind == "urban":
        factor = TrafficProfile.urban("Europe/Lisbon", float(seed or 1)).slots(MONDAY_S, SLOTS)
        return traffic_functions(engine.graph, metric, MONDAY_S, factor)
    rng = np.random.default_rng(int(seed))
    pace = np.stack([_rush_hours(rng, *strength) for strength in _strengths(kind, rng)], axis=1)
    number = _radial(engine.graph) if kind == "radial" else rng.integers(0, pace.shape[1], engine.graph.arc_count)
    work = np.where(metric.arc_time_ms >= 2**31, 2**31 - 1, metric.arc_time_ms.astype(np.int64))
    return travel_time_functions(metric.network, MONDAY_S, pace, work, number, metric.turn_ms)


def _strengths(kind: str, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Share of speed lost in the morning and in the evening, of every profile."""
    if kind == "independent":
        return [(float(a), float(b)) for a, b in np.minimum(0.8 * rng.beta(2, 2, (64, 2)), 0.85)]
    if kind != "radial":
        raise ValueError(f"{kind}: profiles are urban, radial:SEED and independent:SEED")
    near = np.linspace(0.65, 0.1, 16)
    return [(float(n), float(0.6 * n)) for n in near] + [(float(0.6 * n), float(n)) for n in near]


def _rush_hours(rng: np.random.Generator, morning: float, evening: float) -> np.ndarray:
    hours = np.arange(SLOTS) / 4.0
    loss = 0.04 * rng.random(SLOTS)
    for peak, depth in ((8.25, morning), (17.75, evening), (32.25, morning), (41.75, evening)):
        bump = depth * np.exp(-(((hours - peak - rng.normal(0, 0.3)) / rng.uniform(0.6, 1.3)) ** 2))
        loss = np.maximum(loss, bump)
    pace: np.ndarray = 1.0 / (1.0 - loss)
    return pace


def _radial(graph: StreetGraph) -> np.ndarray:
    """Profile of every arc: ring around the middle of the city, towards it or away."""
    lat, lon = graph.node_lat_e7 * 1e-7, graph.node_lon_e7 * 1e-7
    far = np.hypot(lat - np.median(lat), (lon - np.median(lon)) * np.cos(np.radians(np.median(lat))))
    middle = (far[graph.arc_tail] + far[graph.arc_head]) / 2
    ring = np.minimum(np.argsort(np.argsort(middle)) * 16 // len(middle), 15)
    away: np.ndarray = ring + 16 * (far[graph.arc_head] > far[graph.arc_tail])
    return away


def _positions(engine: StreetEngine, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    graph = engine.graph
    nodes = np.random.default_rng(seed).integers(0, graph.node_count, count)
    return graph.node_lat_e7[nodes] * 1e-7, graph.node_lon_e7[nodes] * 1e-7


def trips(
    engine: StreetEngine, functions: TravelTimeFunctions, count: int, check: int, seed: int, out: Path, name: str
) -> dict[str, float]:
    """Answer random trips in all modes."""
    router = TimeDependentRouter(functions, engine.hierarchy(StreetMode.CAR), kept=KEPT)
    places = [engine.snap(*_positions(engine, count, seed + side), StreetMode.CAR) for side in (0, 1)]
    rows = [timed_anchors(engine.graph, functions, places[side], leaving=side == 0) for side in (0, 1)]
    pairs = [(rows[0].of(i), rows[1].of(i)) for i in range(count)]
    departs = np.random.default_rng(seed + 2).integers(6 * 3_600_000, 20 * 3_600_000, count)
    modes = {"exact": router.earliest_arrival, "near": router.near_arrival}
    arrivals, spent = {}, {}
    figures: dict[str, float] = {"queries": count, "profiles": functions.profile_count}
    for mode, search in modes.items():
        arrivals[mode], spent[mode] = _timed(search, pairs, departs)
        for share in (50, 95, 99):
            figures[f"{mode}_p{share}_ms"] = float(np.percentile(spent[mode], share)) / 1000
    lasting, found = arrivals["exact"] - departs, arrivals["exact"] < FAR
    figures |= {"unreachable": int((~found).sum()), "trip_p50_min": float(np.median(lasting[found])) / 60_000}
    error = (arrivals["near"] - arrivals["exact"])[found] / np.maximum(lasting[found], 1)
    figures["near_error_max_percent"] = 100 * float(error.max(initial=0))
    figures["near_error_above_0.3_percent"] = int((error > 0.003).sum())
    figures["near_not_exact"] = int((error > 0).sum())
    checked = range(min(check, count))
    figures["checked"] = len(checked)
    figures["wrong"] = sum(
        _at(functions, pairs[i][1], router.all_arrivals(pairs[i][0], int(departs[i]))) != arrivals["exact"][i] for i in checked
    )
    answers: dict[str, Any] = {"depart_ms": departs, **arrivals, **{f"{mode}_us": times for mode, times in spent.items()}}
    np.savez(out / f"{name.replace(':', '_')}.npz", **answers)
    return figures


def _timed(
    search: Callable[[TimedAnchors, TimedAnchors, int], TimedWay | None],
    pairs: list[tuple[TimedAnchors, TimedAnchors]],
    departs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Arrivals (`FAR` = none) and processor time in microseconds; weights and machine code are made before the clock runs."""
    for hour in range(6, 20):
        for quarter in range(4):
            search(*pairs[0], (hour * 4 + quarter) * 900_000)
    for i in range(0, len(pairs), max(1, len(pairs) // 2000)):
        search(*pairs[i], int(departs[i]))
    arrivals, spent = np.empty(len(pairs), np.int64), np.empty(len(pairs))
    for i, (source, target) in enumerate(pairs):
        began = time.thread_time_ns()
        way = search(source, target, int(departs[i]))
        spent[i] = (time.thread_time_ns() - began) / 1000
        arrivals[i] = FAR if way is None else way.arrive_ms
    return arrivals, spent


def stops(engine: StreetEngine, functions: TravelTimeFunctions, count: int, threads: int, seed: int) -> dict[str, float]:
    """Arrival functions between stops from midnight to midnight, and their error against Dijkstra's algorithm."""
    graph, hierarchy = engine.graph, engine.hierarchy(StreetMode.CAR)
    places = engine.snap(*_positions(engine, count, seed + 9), StreetMode.CAR)

    def matrix_of(row: np.ndarray) -> np.ndarray:
        arcs = functions.arrays.arc_work_ms * row[functions.arrays.arc_profile].astype(np.float64)
        times = np.where(functions.arrays.arc_work_ms >= 2**31 - 1, 2**32 - 1, np.rint(arcs)).astype(np.uint32)
        return engine.many_to_many(weigh(functions.network, times, hierarchy), places, places)

    matrix_of(functions.arrays.pace[0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    longest = longest_of(matrix_of(functions.arrays.pace[:96].max(axis=0)))
    found = pair_functions(np.arange(96) * 900.0, lambda k: matrix_of(functions.arrays.pace[k]), longest, threads)
    figures: dict[str, float] = {"stops": count, "functions_s": time.perf_counter() - began}
    figures |= {"functions_cpu_s": time.process_time() - cpu, "functions_mb": found.duration_s.nbytes / 1e6}
    figures["functions_peak_growth_mb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    router = TimeDependentRouter(functions, hierarchy)
    sources = timed_anchors(graph, functions, places, leaving=True)
    targets = timed_anchors(graph, functions, places, leaving=False)
    rng, errors = np.random.default_rng(seed + 10), []
    for depart_s in rng.uniform(6 * 3600, 20 * 3600, 60).round(3):
        i = int(rng.integers(count))
        times = router.all_arrivals(sources.of(i), int(depart_s * 1000))
        for j in rng.integers(0, count, 50):
            best = _at(functions, targets.of(int(j)), times)
            same_street = places.arc[j] in (places.arc[i], graph.arc_reverse[places.arc[i]])
            if best < FAR and not same_street:
                took = best / 1000 - depart_s
                errors.append((found.arrival_s(i, int(j), depart_s) - depart_s - took, took))
    error, took = np.array(errors).T
    relative = np.abs(error) / took
    figures |= {f"functions_error_p{p}_percent": 100 * float(np.percentile(relative[took > 60], p)) for p in (50, 95, 100)}
    return figures | {"functions_error_max_s": float(np.abs(error).max()), "functions_error_mean_s": float(error.mean())}


def _at(functions: TravelTimeFunctions, target: TimedAnchors, times: np.ndarray) -> int:
    best = FAR
    for s, profile, work, cost in zip(target.state, target.profile, target.work_ms, target.cost_ms, strict=True):
        if times[s] < FAR and work < 2**31 - 1:
            best = min(best, int(arrival(int(times[s]), int(work), int(profile), functions.arrays.pace)) + int(cost))
    return best


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m loadtest street``: times, matrices and paths on a street network, with what is needed to check them.

Trips start on any arc out of the source node and end on any arc into the target node, without turn cost at the ends; unknown
ids are unreachable. With ``--osm``, a row of ``arcs.parquet`` is a *state* of the search: where a turn depends on more than the
last arc (via-way restrictions, no-through zones) an arc has several rows; ``turns.parquet`` names every allowed pair of rows
with its cost. Whoever runs Dijkstra's algorithm on these two files gets the same times. With ``--graph`` all turns are free.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np

from loadtest import report
from loadtest.street_hierarchy import measure_hierarchy
from loadtest.street_networks import Network, from_arrays, from_osm
from loadtest.street_output import write_network, write_paths
from loadtest.street_peer import compare_routingkit
from routing.errors import RoutingError
from routing.model.modes import UNREACHABLE_MS, StreetMode
from services.city.errors import CityError


def main(argv: list[str]) -> int:
    """Run the benchmark; exit status 2 for unusable input."""
    arguments = _parser().parse_args(argv)
    try:
        sources, targets = _queries(arguments.queries)
        started = time.perf_counter()
        if arguments.osm:
            mode = StreetMode[arguments.profile.upper()]
            network = from_osm(arguments.osm, mode, np.union1d(sources, targets), arguments.dijkstra)
        else:
            network = from_arrays(arguments.graph, arguments.dijkstra)
    except (CityError, RoutingError, OSError, ValueError, KeyError) as error:
        print(f"street: {error}")
        return 2
    timings: dict[str, object] = {"load_s": time.perf_counter() - started, **network.timings}
    arguments.out.mkdir(parents=True, exist_ok=True)
    _answer(network, sources, targets, arguments.matrix, arguments.out, timings)
    if network.metric.weights is not None:
        timings.update(measure_hierarchy(network))
        if arguments.peer:
            timings.update(compare_routingkit(network, arguments.matrix, arguments.out))
    timings["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write_network(network, arguments.out)
    timings["machine"] = report.machine(("numpy", "numba", "osmium"))
    (arguments.out / "timings.json").write_text(json.dumps(timings, indent=1, default=str) + "\n", encoding="utf-8")
    rows = [(name, value) for name, value in timings.items() if isinstance(value, int | float)]
    report.show(f"street · {network.title}", ("measure", "value"), rows, report.machine(("numpy", "numba", "osmium")))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest street", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--osm", type=Path, help="OSM extract (pbf)")
    source.add_argument("--graph", type=Path, help="npz with tail, head, weight_ms")
    parser.add_argument("--queries", type=Path, required=True, help="npz with source, target (int64 OSM ids or node numbers)")
    profiles = [mode.name.lower() for mode in StreetMode]
    parser.add_argument("--profile", choices=profiles, default="car", help="who travels (with --osm)")
    parser.add_argument("--matrix", type=int, default=0, metavar="K", help="also the first K distinct sources × targets")
    parser.add_argument("--dijkstra", action="store_true", help="search without a hierarchy")
    parser.add_argument("--peer", action="store_true", help="also ask RoutingKit (extra `peers`): same order, one thread")
    parser.add_argument("--out", type=Path, required=True, help="folder for the answers")
    return parser


def _queries(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as archive:
        missing = {"source", "target"} - set(archive.files)
        if missing:
            raise ValueError(f"{path}: has no array {' and no '.join(sorted(missing))}; needs source and target")
        sources, targets = archive["source"].astype(np.int64), archive["target"].astype(np.int64)
    if sources.shape != targets.shape or sources.ndim != 1:
        raise ValueError(f"{path}: source {sources.shape} and target {targets.shape} must be two equally long columns")
    return sources, targets


def _answer(
    network: Network, sources: np.ndarray, targets: np.ndarray, matrix: int, out: Path, timings: dict[str, object]
) -> None:
    """Answer all pairs (and the matrix), store the answers and how long they took."""
    starts, ends = network.nodes(sources), network.nodes(targets)
    if len(starts):
        network.trips.trip(int(starts[0]), int(ends[0]))  # kernels are compiled or loaded before the clock runs
        network.trips.matrix(starts[:1], ends[:1])
    times, paths, spent = np.full(len(starts), UNREACHABLE_MS, np.uint32), [], np.zeros(len(starts))
    cpu = time.thread_time()
    for i in range(len(starts)):
        began = time.perf_counter()
        times[i], path = network.trips.trip(int(starts[i]), int(ends[i]))
        spent[i] = (time.perf_counter() - began) * 1000
        paths.append(path)
        if i % 1000 == 999:
            print(f"{i + 1} of {len(starts)} pairs", flush=True)
    np.save(out / "time_ms.npy", times)
    write_paths(paths, sources, targets, times, out)
    timings.update(pairs=len(times), unreachable=int((times == UNREACHABLE_MS).sum()))
    if len(spent):
        timings["query_cpu_mean_ms"] = (time.thread_time() - cpu) * 1000 / len(spent)
        timings.update(zip(("query_p50_ms", "query_p95_ms", "query_p99_ms"), np.percentile(spent, [50, 95, 99]), strict=True))
    if matrix:
        began, cpu = time.perf_counter(), time.thread_time()
        table = network.trips.matrix(_distinct(starts, sources, matrix), _distinct(ends, targets, matrix))
        timings.update(
            matrix_rows=table.shape[0], matrix_columns=table.shape[1], matrix_ms=(time.perf_counter() - began) * 1000
        )
        timings["matrix_cpu_ms"] = (time.thread_time() - cpu) * 1000
        np.save(out / "matrix.npy", table)


def _distinct(nodes: np.ndarray, ids: np.ndarray, count: int) -> np.ndarray:
    """Nodes of the first `count` distinct ids, in their order."""
    _, first = np.unique(ids, return_index=True)
    rows: np.ndarray = nodes[np.sort(first)[:count]]
    return rows

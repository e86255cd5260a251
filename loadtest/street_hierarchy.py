"""What a hierarchy costs and gives: customisation, live ticks, routes between positions with their line."""

import time
from collections.abc import Callable

import numpy as np

from loadtest.street_networks import Network
from routing.model.modes import StreetMode
from routing.street.api import StreetEngine, StreetMetric
from routing.street.customization import customise

ROUTES = 2000
REPEATS = 7
CLOSURES = 50
SEED = 1


def measure_hierarchy(network: Network) -> dict[str, float]:
    """Measure the hierarchy of a network: wall time, and processor time (`cpu`) of the thread, the best of some repeats."""
    weights = network.metric.weights
    assert weights is not None
    hierarchy = weights.hierarchy
    found: dict[str, float] = {"up_arcs": hierarchy.arc_count, "tree_depth": hierarchy.row_length}
    found["customise_ms"], found["customise_cpu_ms"] = _best(lambda: customise(hierarchy, weights.edge_ms))
    found["customise_2_threads_ms"], _ = _best(lambda: customise(hierarchy, weights.edge_ms, threads=2))
    if network.engine is not None:
        found.update(_positions(network.engine, network.metric))
    return found


def _positions(engine: StreetEngine, metric: StreetMetric) -> dict[str, float]:
    """Routes between drawn positions, from coordinates to the line, and a live tick up to the next answer."""
    graph, mode, rng = engine.graph, metric.mode, np.random.default_rng(SEED)
    arcs = np.flatnonzero(graph.arc_routable & graph.arc_access & mode.bit)
    nodes = graph.arc_tail[rng.choice(arcs, 2 * ROUTES)]
    lat = graph.node_lat_e7[nodes] * 1e-7 + rng.normal(0, 2e-4, 2 * ROUTES)
    lon = graph.node_lon_e7[nodes] * 1e-7 + rng.normal(0, 2e-4, 2 * ROUTES)

    def route(i: int, with_metric: StreetMetric) -> object:
        ends = engine.snap(lat[2 * i : 2 * i + 2], lon[2 * i : 2 * i + 2], mode)
        return engine.find_route(with_metric, ends, 0, ends, 1)

    route(0, metric)
    spent, cpu = np.empty(ROUTES), time.thread_time()
    for i in range(ROUTES):
        began = time.perf_counter()
        route(i, metric)
        spent[i] = (time.perf_counter() - began) * 1e6
    cpu_us = (time.thread_time() - cpu) * 1e6 / ROUTES
    found = {"route_cpu_mean_us": cpu_us}
    found.update(
        zip(("route_p50_us", "route_p95_us", "route_p99_us"), np.percentile(spent, [50, 95, 99]).tolist(), strict=True)
    )
    if mode in (StreetMode.CAR, StreetMode.VAN, StreetMode.TRUCK):
        speed = (graph.arc_speed_kmh * rng.uniform(0.3, 1.0, graph.arc_count)).astype(np.float32)
        found["live_tick_ms"], found["live_tick_cpu_ms"] = _best(lambda: route(1, engine.metric(mode, speed)))
        before = engine.metric(mode, speed)
        before.customise()
        closed = rng.choice(arcs, (CLOSURES, 1))
        ticks = [_once(lambda arc=arc: route(1, engine.metric(mode, speed, arc))) for arc in closed]  # type: ignore[misc]
        found["closure_tick_cpu_p50_ms"], found["closure_tick_cpu_p95_ms"] = np.percentile(ticks, [50, 95]).tolist()
    return found


def _once(work: Callable[[], object]) -> float:
    """Processor time, ms."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000


def _best(work: Callable[[], object]) -> tuple[float, float]:
    """Least wall and processor time of some repeats, ms."""
    wall, cpu = np.inf, np.inf
    for _ in range(REPEATS):
        began, cpu_began = time.perf_counter(), time.thread_time()
        work()
        wall, cpu = min(wall, time.perf_counter() - began), min(cpu, time.thread_time() - cpu_began)
    return wall * 1000, cpu * 1000

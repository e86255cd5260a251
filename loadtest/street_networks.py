"""The networks the street benchmark runs on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from routing.model.modes import StreetMode
from routing.street.api import StreetEngine, StreetMetric, build_hierarchy
from routing.street.nodes import NodeTrips, plain_metric, plain_network
from services.city.osm_reader import read_street_graph_and_report


@dataclass(frozen=True)
class Network:
    """A network ready for queries.

    Attributes
    ----------
    title : str
    trips : NodeTrips
    nodes : callable
        Ids of the query file → nodes (-1 = unknown).
    arcs : dict of arrays
        Columns of ``arcs.parquet``; a row is a state (OSM) or an arc (plain graph).
    turns : dict of arrays
        Columns of ``turns.parquet``.
    timings : dict
    metric : StreetMetric
        What is searched; with a hierarchy unless `dijkstra` was asked for.
    engine : StreetEngine, optional
        For routes between positions; plain graphs have none.
    """

    title: str
    trips: NodeTrips
    nodes: Callable[[np.ndarray], np.ndarray]
    arcs: dict[str, np.ndarray]
    turns: dict[str, np.ndarray]
    timings: dict[str, float]
    metric: StreetMetric
    engine: StreetEngine | None = None


def from_osm(pbf: Path, mode: StreetMode, keep: np.ndarray, dijkstra: bool) -> Network:
    """Network of a mode in an OSM extract; the OSM nodes `keep` become nodes of the graph even in the middle of streets."""
    clock = [time.perf_counter()]
    graph, _ = read_street_graph_and_report(pbf, keep_nodes=set(keep.tolist()))
    clock.append(time.perf_counter())
    # other classes that share the network would add what this one may not use
    only = replace(graph, arc_access=graph.arc_access & np.uint16(mode.bit))
    engine = StreetEngine(only)
    net = engine.network(mode)
    clock.append(time.perf_counter())
    hierarchy = None if dijkstra else engine.hierarchy(mode)
    clock.append(time.perf_counter())
    metric = engine.metric(mode)
    clock.append(time.perf_counter())
    read_s, build_s, hierarchy_s, metric_s = np.diff(clock)
    arc, ids = net.state_arc, graph.node_osm_id
    if not net.edge_based:
        arc = net.edge_arc
    arcs: dict[str, np.ndarray] = {
        "from_osm": ids[graph.arc_tail[arc]],
        "to_osm": ids[graph.arc_head[arc]],
        "way_id": graph.arc_way_osm_id[arc],
        "ms": metric.arc_time_ms[arc],
    }
    if net.edge_based:
        turns = {
            "from_arc": np.repeat(np.arange(net.state_count), np.diff(net.first_edge)),
            "to_arc": net.edge_to.astype(np.int64),
            "ms": metric.turn_ms.astype(np.int64),
        }
    else:
        turns = free_turns(graph.arc_tail[arc], graph.arc_head[arc], (graph.node_blocked & mode.bit) != 0)
    order = np.argsort(ids, kind="stable")

    def nodes(wanted: np.ndarray) -> np.ndarray:
        place = np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)
        return np.where(ids[order[place]] == wanted, order[place], -1)

    title = f"{pbf.name}, {mode.name.lower()}: {len(arc)} arcs, {len(turns['ms'])} turns"
    timings = {"read_s": float(read_s), "network_s": float(build_s), "hierarchy_s": float(hierarchy_s)}
    timings["metric_ms"] = float(metric_s) * 1000
    trips = NodeTrips(metric, graph.arc_tail, graph.arc_head, hierarchy)
    return Network(title, trips, nodes, arcs, turns, timings, metric, engine)


def from_arrays(path: Path, dijkstra: bool) -> Network:
    """Network of ``tail``, ``head``, ``weight_ms`` (npz); all turns are free, turning round included."""
    with np.load(path) as archive:
        missing = {"tail", "head", "weight_ms"} - set(archive.files)
        if missing:
            raise ValueError(f"{path}: has no array {' and no '.join(sorted(missing))}; needs tail, head and weight_ms")
        tail, head, weight = (archive[name].astype(np.int64) for name in ("tail", "head", "weight_ms"))
    began = time.perf_counter()
    net = plain_network(tail, head)
    hierarchy_from = time.perf_counter()
    hierarchy = None if dijkstra else build_hierarchy(net)
    built = time.perf_counter()
    metric = plain_metric(net, weight, hierarchy)
    timings = {
        "network_s": hierarchy_from - began,
        "hierarchy_s": built - hierarchy_from,
        "metric_ms": (time.perf_counter() - built) * 1000,
    }
    nowhere: np.ndarray = np.full(len(tail), -1, np.int64)
    arcs: dict[str, np.ndarray] = {"from_osm": tail, "to_osm": head, "way_id": nowhere, "ms": metric.arc_time_ms}
    turns = free_turns(tail, head, np.zeros(net.state_count, bool))
    ends = tail.astype(np.int32), head.astype(np.int32)

    def nodes(wanted: np.ndarray) -> np.ndarray:
        return np.where((wanted >= 0) & (wanted < net.state_count), wanted, -1)

    title = f"{path.name}: {net.state_count} nodes, {len(tail)} arcs"
    return Network(title, NodeTrips(metric, *ends, hierarchy), nodes, arcs, turns, timings, metric)


def free_turns(tail: np.ndarray, head: np.ndarray, blocked: np.ndarray) -> dict[str, np.ndarray]:
    """Every pair of consecutive arcs, at no cost, but none through a blocked node."""
    order = np.argsort(tail, kind="stable")
    n = len(blocked)
    first = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=n))])
    degree = np.where(blocked[head], 0, first[head + 1] - first[head])
    inside = np.arange(degree.sum()) - np.repeat(np.cumsum(degree) - degree, degree)
    to = order[np.repeat(first[head], degree) + inside]
    return {"from_arc": np.repeat(np.arange(len(tail)), degree), "to_arc": to, "ms": np.zeros(len(to), np.int64)}

"""RoutingKit's customizable contraction hierarchy on the same network, order and weights, one thread, in the same run."""

import importlib
import time
from pathlib import Path

import numpy as np

from loadtest.street_networks import Network
from routing.model.modes import UNREACHABLE_MS
from routing.street.anchors import Anchors
from routing.street.customization import FAR, customise
from routing.street.hierarchy_search import HierarchySearcher

RK_INFINITE = 2_147_483_647
REPEATS = 5
PAIRS = 2000


def compare_routingkit(network: Network, matrix: int, out: Path) -> dict[str, object]:
    """Time both on states of the network and check that they agree; raw answers go to ``peer.npz``.

    The network handed over is the one that is searched (with turns: its states and turns), so both do the same work. Processor
    time of one thread, milliseconds or microseconds; weights are handed over as a list, whose conversion is taken off.
    """
    try:
        rk = importlib.import_module("routingkit_cch")
    except ImportError:
        return {"routingkit": "not installed: pip install routingkit-cch (extra `peers`)"}
    weights = network.metric.weights
    assert weights is not None
    hierarchy, net = weights.hierarchy, network.metric.network
    tail = np.repeat(np.arange(net.state_count), np.diff(net.first_edge))
    order = np.empty(net.state_count, np.int64)
    order[hierarchy.rank] = np.arange(net.state_count)
    began = time.perf_counter()
    peer = rk.CCH(order.tolist(), tail.tolist(), net.edge_to.tolist(), False)
    found: dict[str, object] = {"routingkit_build_s": time.perf_counter() - began}
    heavy = np.where(weights.edge_ms < FAR, weights.edge_ms, RK_INFINITE).tolist()
    peer_metric = rk.CCHMetric(peer, heavy)
    searcher = HierarchySearcher(hierarchy)
    ours, theirs = _cpu(lambda: customise(hierarchy, weights.edge_ms)), _cpu(lambda: peer_metric.reset(heavy))
    found.update(peer_customise_cpu_ms=ours, routingkit_customise_cpu_ms=theirs, customise_ratio=ours / theirs)
    pairs = np.random.default_rng(1).integers(0, net.state_count, (PAIRS, 2))
    query = rk.CCHQuery(peer_metric)
    mine = [(_one(int(s)), _one(int(t))) for s, t in pairs]
    plain = [(int(s), int(t)) for s, t in pairs]
    ours = _cpu(lambda: [searcher.pair(weights, s, t) for s, t in mine]) * 1000 / PAIRS
    theirs = _cpu(lambda: [query.run(s, t).distance for s, t in plain]) * 1000 / PAIRS
    found.update(peer_query_cpu_us=ours, routingkit_query_cpu_us=theirs, query_ratio=ours / theirs)
    times = np.array([searcher.pair(weights, s, t)[0] for s, t in mine])
    expected = np.array([query.run(s, t).distance for s, t in plain], object)
    found["query_differences"] = _differences(times, expected)
    if matrix:
        found.update(_matrices(rk, peer_metric, searcher, weights, matrix, net.state_count))
    np.savez(out / "peer.npz", pairs=pairs, time_ms=times, routingkit_ms=_numbers(expected))
    return found


def _matrices(rk, peer_metric, searcher, weights, size, states) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """`size` × `size` times between drawn states."""
    rng = np.random.default_rng(2)
    rows, columns = rng.integers(0, states, (2, size))
    starts, ends = _many(rows), _many(columns)

    def ours() -> np.ndarray:
        labels = searcher.labels(weights, starts, backward=False)
        table: np.ndarray = searcher.matrix(labels, searcher.labels(weights, ends, backward=True))
        return table

    def theirs() -> list[list[int]]:
        star = rk.CCHOneToMany(peer_metric, columns.tolist())
        return [star.distances_from(int(row)) for row in rows]

    mine, peer = _cpu(ours, 3), _cpu(theirs, 2)
    return {
        "peer_matrix_cpu_ms": mine,
        "routingkit_matrix_cpu_ms": peer,
        "matrix_ratio": mine / peer,
        "matrix_differences": _differences(ours().ravel(), np.array(theirs(), object).ravel()),
    }


def _numbers(values: np.ndarray) -> np.ndarray:
    return np.array([UNREACHABLE_MS if v is None or v >= FAR else v for v in values], np.int64)


def _differences(times: np.ndarray, expected: np.ndarray) -> int:
    return int((np.where(times < FAR, times.astype(np.int64), UNREACHABLE_MS) != _numbers(expected)).sum())


def _one(state: int) -> Anchors:
    return _many(np.array([state]))


def _many(states: np.ndarray) -> Anchors:
    nothing = np.zeros(len(states), np.int32)
    return Anchors(np.arange(len(states) + 1, dtype=np.int32), states.astype(np.int32), nothing, nothing)


def _cpu(work, repeats: int = REPEATS) -> float:  # type: ignore[no-untyped-def]
    """Least processor time of some repeats, ms."""
    best = np.inf
    for _ in range(repeats + 1):  # the first one loads kernels
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
    return float(best * 1000)

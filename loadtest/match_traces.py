"""Simulated drives for the matching benchmark: the quickest way as a driver believes it, in the traffic of the moment."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode
from routing.street.api import Snaps, StreetEngine
from routing.street.metric import StreetMetric

METRES_PER_DEGREE = 111_319.49


@dataclass(frozen=True)
class Drive:
    """A drive and what a receiver on board would have said.

    Attributes
    ----------
    arcs : int32[a]
        Travelled, in order.
    travelled_m : float64[a]
        Of each arc (the first and the last are driven in part).
    lat_deg, lon_deg, time_s : float64[k]
        Positions with errors.
    point_arc : int32[k]
        Where the vehicle really was.
    """

    arcs: npt.NDArray[np.int32]
    travelled_m: npt.NDArray[np.float64]
    lat_deg: npt.NDArray[np.float64]
    lon_deg: npt.NDArray[np.float64]
    time_s: npt.NDArray[np.float64]
    point_arc: npt.NDArray[np.int32]


def simulate(
    engine: StreetEngine, count: int, seed: int, interval_s: float, sigma_m: float, spread: float = 0.15
) -> list[Drive]:
    """Drive `count` times between streets drawn at random, at least 1 km apart.

    The way is the quickest for speeds that differ from the map's by a factor per arc (log-normal, `spread`); the vehicle then
    needs 1 to 2 times as long as the map says, differing arc by arc (log-normal, 0.25), and waits at turns. Errors are normal,
    with `sigma_m` in each direction.
    """
    rng = np.random.default_rng(seed)
    graph, metric = engine.graph, engine.metric(StreetMode.CAR)
    arcs = np.flatnonzero(graph.arc_access & graph.arc_routable & StreetMode.CAR.bit).astype(np.int32)
    drives: list[Drive] = []
    while len(drives) < count:
        ends = rng.choice(arcs, 2)
        places = Snaps(ends, rng.uniform(0, 1, 2).astype(np.float32), np.zeros(2, np.float32), np.zeros(2), np.zeros(2))
        believed = engine.metric(StreetMode.CAR, graph.arc_speed_kmh * rng.lognormal(0.0, spread, graph.arc_count))
        path = engine.find_route(believed, places, 0, places, 1)
        if path is None or path.length_m < 1000.0:
            continue
        shares = np.ones(len(path.arcs))
        shares[0], shares[-1] = 1.0 - path.start_fraction, path.end_fraction
        if len(shares) == 1:
            shares[0] = path.end_fraction - path.start_fraction
        drives.append(_drive(rng, graph_lines(engine, path.arcs), path.arcs, shares, metric, (interval_s, sigma_m)))
    return drives


def graph_lines(engine: StreetEngine, arcs: npt.NDArray[np.int32]) -> list[npt.NDArray[np.float64]]:
    """Shape of every arc: degrees [p, 2]."""
    graph = engine.graph
    rows = [slice(int(graph.first_shape[a]), int(graph.first_shape[a + 1])) for a in arcs]
    return [np.stack([graph.shape_lat_e7[row], graph.shape_lon_e7[row]], axis=1).astype(np.float64) * 1e-7 for row in rows]


def _drive(
    rng: np.random.Generator, lines: list[npt.NDArray[np.float64]], arcs: npt.NDArray[np.int32],
    shares: npt.NDArray[np.float64], metric: StreetMetric, receiver: tuple[float, float],
) -> Drive:  # fmt: skip
    interval_s, sigma_m = receiver
    slower = rng.uniform(1.0, 2.0) * rng.lognormal(0.0, 0.25, len(arcs))
    spent = metric.arc_time_ms[arcs] * 0.001 * np.maximum(slower, 0.9)
    wait = np.append(_turns_s(metric, arcs) * rng.uniform(0.0, 2.0, len(arcs) - 1), 0.0)
    begin_share = np.zeros(len(arcs))
    begin_share[0] = 1.0 - shares[0]
    # Clock at the start of every arc, and when its end is reached (then it waits).
    leave = np.cumsum(spent * shares + wait)
    enter = np.concatenate([[0.0], leave[:-1]])
    times = np.append(np.arange(0.0, leave[-1], interval_s), leave[-1])
    times = times if len(times) < 2 or times[-1] - times[-2] > 1.0 else times[:-1]
    at = np.minimum(np.searchsorted(leave, times, side="left"), len(arcs) - 1)
    share = begin_share[at] + np.clip((times - enter[at]) / np.maximum(spent[at], 1e-6), 0.0, shares[at])
    points = np.array([_along(lines[a], s) for a, s in zip(at.tolist(), share.tolist(), strict=True)])
    error = rng.normal(0.0, sigma_m, points.shape) / METRES_PER_DEGREE
    error[:, 1] /= np.cos(np.radians(points[:, 0]))
    noisy = points + error
    lengths = metric_lengths(lines) * shares
    return Drive(arcs, lengths, noisy[:, 0], noisy[:, 1], times, arcs[at])


def metric_lengths(lines: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Length of every line in metres."""
    return np.array([_steps(line).sum() for line in lines])


def _steps(line: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lat, lon = np.diff(line[:, 0]), np.diff(line[:, 1]) * np.cos(np.radians(line[0, 0]))
    return np.asarray(np.hypot(lat, lon) * METRES_PER_DEGREE, np.float64)


def _along(line: npt.NDArray[np.float64], share: float) -> tuple[float, float]:
    along = np.concatenate([[0.0], np.cumsum(_steps(line))])
    at = share * along[-1]
    return float(np.interp(at, along, line[:, 0])), float(np.interp(at, along, line[:, 1]))


def _turns_s(metric: StreetMetric, arcs: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Cost of the turn after every arc but the last."""
    net = metric.network
    costs = np.zeros(len(arcs) - 1)
    for k in range(len(arcs) - 1):
        state = net.arc_states[net.arc_first_state[arcs[k]]]
        edges = slice(int(net.first_edge[state]), int(net.first_edge[state + 1]))
        into = np.flatnonzero(net.state_arc[net.edge_to[edges]] == arcs[k + 1])
        costs[k] = 0.001 * net.edge_cost_ms[edges][into[0]] if len(into) else 0.0
    return costs

"""Map matching: the way a vehicle most likely took, from its positions."""

import threading
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import street_match as kernels
from routing.kernels.street_reach import Reach, Ways
from routing.kernels.street_search import INFINITE
from routing.model.street_graph import StreetGraph
from routing.street.candidates import Candidates, list_candidates
from routing.street.match_points import OFF_STREET, USED, Points, in_order
from routing.street.metric import StreetMetric
from routing.street.network import StreetNetwork, frozen
from routing.street.snapping import SnapGrid, usable_for_snapping

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_CHUNK = 20_000
"""Positions matched at a time: bounds the memory of the transition costs."""


class PointStatus(IntEnum):
    """What became of a position; the first five are on a street."""

    START = kernels.START
    CONTINUED = kernels.CONTINUED
    GAP_IN_TIME = kernels.GAP_IN_TIME
    GAP_IN_SPACE = kernels.GAP_IN_SPACE
    NO_WAY = kernels.NO_WAY
    OUTLIER = kernels.OUTLIER
    OFF_STREET = 6
    DUPLICATE = 7
    INVALID = 8


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """How positions err, and how vehicles move.

    Attributes
    ----------
    sigma_m : float
        Standard deviation of a position in each direction.
    radius_m : float, optional
        Streets further away are no candidates; default: 5.5 sigma, at least 45 m.
    candidates : int
        Greatest number of candidates of a position (directions count).
    beta_m, beta_share : float
        Scale of the difference between the way and the straight line: a constant, and a share of the straight line.
    detour_s : float
        A way that takes this much longer than another is 2.7 times less likely, whatever the positions say.
    gap_s, gap_m : float
        Positions further apart begin a new part.
    max_mps : float
        Nothing moves faster; a position that is reached and left faster, while its neighbours fit each other, is an outlier.
    """

    sigma_m: float = 8.0
    radius_m: float | None = None
    candidates: int = 20
    beta_m: float | None = None
    beta_share: float = 0.08
    detour_s: float = 6.0
    gap_s: float = 300.0
    gap_m: float = 3000.0
    max_mps: float = 70.0

    def __post_init__(self) -> None:
        bounds = (
            ("sigma_m", 0.5, 200.0), ("radius_m", 1.0, 2000.0), ("candidates", 1, 64), ("beta_m", 0.1, 1000.0),
            ("beta_share", 0.0, 10.0), ("detour_s", 0.1, 1e9), ("gap_s", 1.0, 86_400.0), ("gap_m", 10.0, 100_000.0),
            ("max_mps", 1.0, 1000.0),
        )  # fmt: skip
        for name, low, high in bounds:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InvalidInput(f"{name} = {value} is not between {low:g} and {high:g}", name)

    @property
    def reach_m(self) -> float:
        """Radius of the search for candidates."""
        return max(5.5 * self.sigma_m, 45.0) if self.radius_m is None else self.radius_m


DEFAULT_MATCHING = MatchOptions()


@dataclass(frozen=True, slots=True)
class Matched:
    """Traces on the network: t traces, k positions in the order they were given, a arcs.

    Attributes
    ----------
    first_point : int64[t + 1]
        Positions of a trace.
    status : int8[k]
        `PointStatus`.
    arc : int32[k]
        -1 for positions on no street.
    fraction, distance_m : float32[k]
        Where on the arc, and how far from the position (NaN without arc).
    confidence : float32[k]
        Probability of this arc among the candidates, given the whole trace (0 without arc).
    place : int64[k]
        Where the position's arc stands in `arcs` (-1 without arc).
    first_arc : int64[t + 1]
        Arcs of a trace.
    arcs : int32[a]
        Travelled, in order; parts follow each other without a way between.
    """

    first_point: npt.NDArray[np.int64]
    status: npt.NDArray[np.int8]
    arc: npt.NDArray[np.int32]
    fraction: npt.NDArray[np.float32]
    distance_m: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    place: npt.NDArray[np.int64]
    first_arc: npt.NDArray[np.int64]
    arcs: npt.NDArray[np.int32]

    def arcs_of(self, trace: int) -> npt.NDArray[np.int32]:
        """Arcs a trace travelled, in order."""
        return self.arcs[self.first_arc[trace] : self.first_arc[trace + 1]]

    def list_breaks(self, trace: int) -> list[tuple[int, PointStatus]]:
        """Positions (numbers in the trace) where a trace has a break before, and why."""
        low, high = int(self.first_point[trace]), int(self.first_point[trace + 1])
        reasons = {int(PointStatus.GAP_IN_TIME), int(PointStatus.GAP_IN_SPACE), int(PointStatus.NO_WAY)}
        status = self.status[low:high].tolist()
        return [(k, PointStatus(value)) for k, value in enumerate(status) if value in reasons]


class _Scratch(threading.local):
    """Working arrays of one thread, made on first use."""

    def __init__(self, network: StreetNetwork) -> None:
        s = network.state_count
        self._most_states = max(int(np.diff(network.arc_first_state).max(initial=1)), 1)
        self._columns: list[Any] = [
            np.full(s, INFINITE, np.int32), np.empty(s, np.float32), np.empty(s, np.float32), np.empty(s, np.int32),
            np.empty(s, np.int32), np.empty(s, np.int32), np.empty(len(network.edge_to) + 1024, np.int64),
            np.full(s, -1, np.int32),
        ]  # fmt: skip

    def for_goals(self, most: int) -> Reach:
        """Scratch for searches to at most `most` arcs."""
        return Reach(*self._columns, *(np.empty(most * self._most_states, np.int32) for _ in range(3)))


class TraceMatcher:
    """Matches traces on one metric; thread-safe (scratch memory is per thread), kernels release the GIL.

    Ways between positions are the quickest under the metric (turn costs and restrictions apply, but those by more than one
    turn are forgotten at each position); their length is compared with the straight line, their time with the time that passed.

    Parameters
    ----------
    grid : SnapGrid
    metric : StreetMetric
        Its closed arcs are no candidates.
    """

    def __init__(self, grid: SnapGrid, metric: StreetMetric) -> None:
        self._grid, self.graph, self._network = grid, grid.graph, metric.network
        usable = usable_for_snapping(self.graph, metric.mode) & (metric.arc_time_ms < INFINITE)
        self.usable = frozen(usable)
        self._ways = _ways(self.graph, metric)
        self._scratch = _Scratch(self._network)

    def match(
        self,
        lat_deg: npt.ArrayLike,
        lon_deg: npt.ArrayLike,
        time_s: npt.ArrayLike | None = None,
        first_point: npt.ArrayLike | None = None,
        options: MatchOptions = DEFAULT_MATCHING,
    ) -> Matched:
        """Match one trace or many.

        Positions are put in order of time; one that is not finite is `INVALID`, one with the time of another a `DUPLICATE`, one
        with no street near `OFF_STREET`, one the vehicle cannot have been at an `OUTLIER`. None of them stops the rest.

        Parameters
        ----------
        lat_deg, lon_deg : float[k]
        time_s : float[k], optional
            Any epoch. Without it positions are in order as given, and nothing is said about speed.
        first_point : int[t + 1], optional
            Where traces begin among the positions, and k; default: one trace.
        options : MatchOptions

        Raises
        ------
        InvalidInput
            For columns of different lengths, or traces that do not cover the positions.
        """
        points = in_order(lat_deg, lon_deg, time_s, first_point, options.max_mps)
        k = len(points.lat_deg)
        sorted_columns = _Columns(k)
        parts, arc_counts, written = [np.empty(0, np.int32)], [np.zeros(1, np.int64)], 0
        for begin, end in points.chunks(_CHUNK):
            arcs, ends = self._chunk(points, begin, end, options, sorted_columns, written)
            parts.append(arcs)
            arc_counts.append(written + ends)
            written += len(arcs)
        columns = _Columns(k)
        for name in _Columns.NAMES:
            getattr(columns, name)[points.order] = getattr(sorted_columns, name)
        return Matched(
            points.first, columns.status, columns.arc, columns.fraction, columns.distance_m, columns.confidence, columns.place,
            np.concatenate(arc_counts), np.concatenate(parts),
        )  # fmt: skip

    def _chunk(
        self, points: Points, begin: int, end: int, options: MatchOptions, columns: "_Columns", written: int
    ) -> tuple[Int32, Int64]:
        """Match the traces ``begin … end - 1``; return their arcs and where those of each trace end."""
        low, high = int(points.first[begin]), int(points.first[end])
        rows = low + np.flatnonzero(points.status[low:high] == USED)
        columns.status[low:high] = points.status[low:high]
        found = list_candidates(
            self._grid, points.lat_deg[rows], points.lon_deg[rows], self.usable, options.reach_m, options.candidates,
            both_directions=True,
        )  # fmt: skip
        columns.status[rows[found.count == 0]] = OFF_STREET
        rows, found = rows[found.count > 0], found.take(found.count > 0)
        emission = distance_cost(found.distance_m, options.sigma_m)
        layers = build_layers(found, emission, points.lat_deg[rows], points.lon_deg[rows], points.time_s[rows], None)
        first = np.searchsorted(rows, points.first[begin : end + 1]).astype(np.int64)
        arcs, place, ends = self.run(layers, first, hidden_markov_model(options))
        chosen = layers.chosen
        on = chosen >= 0
        columns.status[rows] = layers.link
        rows, at, chosen = rows[on], np.flatnonzero(on), chosen[on]
        columns.arc[rows], columns.fraction[rows] = found.arc[at, chosen], found.fraction[at, chosen]
        columns.distance_m[rows], columns.confidence[rows] = found.distance_m[at, chosen], layers.confidence[at]
        columns.place[rows] = place[at] + written
        return arcs, ends

    def run(self, layers: kernels.Layers, first: Int64, model: kernels.Model) -> tuple[Int32, Int64, Int64]:
        """Match layers in place; return arcs, the place of every layer among them, and where those of each trace end."""
        reach = self._scratch.for_goals(layers.arc.shape[1])
        kernels.match_all(self._ways, reach, model, layers, first)
        place, ends = np.empty(len(layers.counts), np.int64), np.empty(len(first) - 1, np.int64)
        room = 8 * len(layers.counts) + 256
        while True:
            arcs = np.empty(room, np.int32)
            written = kernels.travelled_all(self._ways, reach, layers, first, arcs, place, ends)
            if written >= 0:
                return arcs[:written], place, ends
            room *= 2


class _Columns:
    """Columns of a result for k positions, filled for positions on no street."""

    NAMES = ("status", "arc", "fraction", "distance_m", "confidence", "place")

    def __init__(self, k: int) -> None:
        self.status = np.zeros(k, np.int8)
        self.arc = np.full(k, -1, np.int32)
        self.fraction, self.distance_m = np.full(k, np.nan, np.float32), np.full(k, np.nan, np.float32)
        self.confidence = np.zeros(k, np.float32)
        self.place = np.full(k, -1, np.int64)


def distance_cost(distance_m: npt.NDArray[np.float32], sigma_m: float) -> npt.NDArray[np.float32]:
    """Cost (float32, as `distance_m`) of a position's distance from the street: of a normal error, beyond 3 sigma linear."""
    z = distance_m / np.float32(sigma_m)
    return np.where(z <= 3.0, 0.5 * z * z, 3.0 * z - 4.5).astype(np.float32)


def build_layers(
    found: Candidates,
    emission: npt.NDArray[np.float32],
    lat_deg: Float64,
    lon_deg: Float64,
    time_s: Float64,
    along_m: Float64 | None,
) -> kernels.Layers:
    """Layers of n positions with their candidates, ready to be matched."""
    n, c = found.arc.shape
    return kernels.Layers(
        frozen(lat_deg), frozen(lon_deg), frozen(time_s), frozen(np.zeros(n) if along_m is None else along_m), found.count,
        found.arc, found.fraction, frozen(emission), np.zeros((n, c)), np.zeros((n, c), np.int32), np.zeros((n, c)),
        np.empty((n, c, c), np.float32), np.zeros(n, np.int8), np.full(n, -1, np.int32), np.zeros(n, np.float32),
    )  # fmt: skip


def hidden_markov_model(options: MatchOptions) -> kernels.Model:
    """Parameters of the model as the kernels take them."""
    beta_m = 1.2 * options.sigma_m if options.beta_m is None else options.beta_m
    return kernels.Model(
        beta_m=float(beta_m), beta_share=float(options.beta_share), slow_s=2.0, hurry=0.8, hurry_s=3.0,
        detour_s=float(options.detour_s), most_mps=float(options.max_mps), slip_m=4.0 * options.sigma_m, beam=25.0,
        suspect=20.0, skip_cost=15.0, break_cost=60.0, gap_s=float(options.gap_s), gap_m=float(options.gap_m), given_m=False,
    )  # fmt: skip


def _ways(graph: StreetGraph, metric: StreetMetric) -> Ways:
    net = metric.network
    weight = np.minimum(metric.arc_time_ms, INFINITE).astype(np.int32)
    turn = np.where(metric.edge_ms == INFINITE, 0, metric.edge_ms - weight[net.edge_arc]).astype(np.int32)
    columns: list[Any] = [
        net.first_edge, net.edge_to, net.edge_arc, metric.edge_ms, weight, weight.astype(np.float32), graph.arc_length_m, turn,
        net.arc_first_state, net.arc_states, graph.arc_tail, graph.arc_head, net.blocked,
    ]  # fmt: skip
    return Ways(net.edge_based, *(frozen(column) for column in columns))

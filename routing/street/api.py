"""The street engine: what services call."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput, Unreachable
from routing.kernels.street_anchors import node_times
from routing.kernels.street_search import INFINITE
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.model.street_graph import StreetGraph
from routing.street.alternatives import USUAL_LIMITS, Alternative, AlternativeLimits, AlternativeSearcher
from routing.street.avoidance import Avoidance, avoided_arcs
from routing.street.cch import Hierarchy, build_hierarchy
from routing.street.costs import QUICKEST, CostedPath, CostMetric, CostWeights, build_cost_metric, measure
from routing.street.hints import SnapHints, snap_with_hints
from routing.street.lengths import LengthMatrix
from routing.street.matching import TraceMatcher
from routing.street.metric import StreetMetric, build_metric
from routing.street.names import StreetNames
from routing.street.network import StreetNetwork, build_shared_network, frozen_graph
from routing.street.passing import Passing, passing
from routing.street.path import StreetPath, StreetStep, build_path
from routing.street.profiles import (
    DEFAULT_SPEEDS,
    DEFAULT_TURN_COSTS,
    NO_TURN_COSTS,
    SpeedOptions,
    TurnCosts,
    VehicleLimits,
    classes_of,
)
from routing.street.search import Searcher, limit_in_ms
from routing.street.sites import SiteMatcher
from routing.street.snapping import SnapGrid, Snaps, usable_for_snapping
from routing.street.time_dependent import KEPT
from routing.street.timed_streets import During, TimedPath, TimedStreets
from routing.street.travel_time_functions import TravelTimeFunctions
from routing.street.via_points import ViaWay, find_way

Times = npt.NDArray[np.uint32]


class StreetEngine:
    """Quickest ways on a street graph, exact, with turn costs, turn restrictions, live speeds and closures.

    Thread-safe; kernels release the GIL. The states of the search are arcs (wheels) or nodes (walking); a mode with a hierarchy
    answers by it, others and short limits by Dijkstra's algorithm: the answers are the same.
    Times are uint32 milliseconds, `UNREACHABLE_MS` where no way leads. Both ends lie part-way along an arc and may be left or
    reached in either direction of a two-way street: turning round at either end is free.

    Parameters
    ----------
    graph : StreetGraph
    turn_costs : Mapping, optional
        By mode; modes left out turn freely. Default: `DEFAULT_TURN_COSTS`.
    hierarchies : Mapping, optional
        By mode, from `hierarchy`; one serves all modes that share its network (`NETWORK_CLASSES`). A mode without one is
        searched by Dijkstra's algorithm.
    """

    def __init__(
        self,
        graph: StreetGraph,
        turn_costs: Mapping[StreetMode, TurnCosts] = DEFAULT_TURN_COSTS,
        hierarchies: Mapping[StreetMode, Hierarchy] = MappingProxyType({}),
    ) -> None:
        self.graph = frozen_graph(graph)
        self._hierarchies = {classes_of(mode)[0]: hierarchy for mode, hierarchy in hierarchies.items()}
        self._turn_costs = turn_costs
        self._grid = SnapGrid(self.graph)
        self._names: StreetNames | None = None
        self._usable: dict[StreetMode, npt.NDArray[np.bool_]] = {}
        self._searchers: dict[StreetMode, Searcher] = {}
        self._alternatives: dict[StreetMode, AlternativeSearcher] = {}
        self._lock = threading.Lock()

    def snap(
        self,
        lat_deg: npt.ArrayLike,
        lon_deg: npt.ArrayLike,
        mode: StreetMode,
        max_distance_m: float = 500.0,
        hints: SnapHints | None = None,
    ) -> Snaps:
        """Nearest street of the mode for one or many positions (never one on an island the mode cannot leave or reach).

        With `hints` (names, bearings, the side of the kerb) the street meant, which may be another than the nearest.

        Raises
        ------
        InvalidInput
            For coordinates that are not on Earth.
        """
        if mode not in self._usable:
            self._usable[mode] = usable_for_snapping(self.graph, mode)
        if hints is None:
            return self._grid.snap(lat_deg, lon_deg, self._usable[mode], max_distance_m)
        if self._names is None:
            self._names = StreetNames(self.graph.names)
        return snap_with_hints(self._grid, self._names, self._usable[mode], (lat_deg, lon_deg), hints, max_distance_m)

    def matcher(self, metric: StreetMetric) -> TraceMatcher:
        """Map matching of GPS traces under a metric; keep it for as long as the metric, its making copies arrays."""
        return TraceMatcher(self._grid, metric)

    def site_matcher(self) -> SiteMatcher:
        """Matching of measurement sites, segments and location references to streets for cars, closed or not; keep it."""
        if self._names is None:
            self._names = StreetNames(self.graph.names)
        return SiteMatcher(self._grid, self.matcher(self.metric(StreetMode.CAR)), self._names)

    def network(self, mode: StreetMode) -> StreetNetwork:
        """State graph of a mode, built on first use; shared by the modes of its class."""
        return self.searcher(mode).network

    def searcher(self, mode: StreetMode) -> Searcher:
        """Searches of a mode on its network; made on first use."""
        classes = classes_of(mode)
        if (made := self._searchers.get(classes[0])) is not None:
            return made
        with self._lock:
            if classes[0] not in self._searchers:
                network = build_shared_network(self.graph, classes, self._turn_costs)
                hierarchy = self._hierarchies.get(classes[0])
                if hierarchy is not None:
                    hierarchy.check_fits(network)
                self._searchers[classes[0]] = Searcher(self.graph, network, hierarchy)
            return self._searchers[classes[0]]

    def hierarchy(self, mode: StreetMode) -> Hierarchy:
        """Hierarchy of a mode, built now (seconds for a city) if the engine was not given one."""
        first = classes_of(mode)[0]
        if first not in self._hierarchies:
            hierarchy = build_hierarchy(self.network(mode))
            with self._lock:
                self._hierarchies[first] = hierarchy
                self._searchers.pop(first, None)  # another thread may have built the same meanwhile
        return self._hierarchies[first]

    def metric(
        self,
        mode: StreetMode,
        arc_speed_kmh: npt.ArrayLike | None = None,
        closed_arcs: npt.ArrayLike | None = None,
        options: SpeedOptions = DEFAULT_SPEEDS,
        rules_holding: npt.NDArray[np.bool_] | None = None,
        *,
        perfect: bool = False,
    ) -> StreetMetric:
        """Weigh the streets for a mode.

        Parameters
        ----------
        mode : StreetMode
        arc_speed_kmh : float[m], optional
            Live or predicted speeds of motor traffic; NaN, zero or negative = unknown (free flow). Clamped to 2…200 km/h and
            to the mode's own cap. Cyclists and walkers are not slowed by them.
        closed_arcs : int[…] or bool[m], optional
            Arcs nobody may travel now. Positions on them are unreachable.
        options : SpeedOptions
        rules_holding : bool[k], optional
            Time rules of the graph that hold (`routing.model.time_rules.rules_holding`); none if left out.
        perfect : bool
            Take about three times as long to customise, for quicker searches (`routing.street.customization.customise`): pays
            for a metric that answers tens of thousands of questions.
        """
        searcher = self.searcher(mode)
        return build_metric(
            self.graph, searcher.network, options, arc_speed_kmh, closed_arcs, searcher.hierarchy, rules_holding, mode, perfect
        )

    def timed(
        self, free_flow: StreetMetric, functions: TravelTimeFunctions, kept: int = KEPT, during: During | None = None
    ) -> TimedStreets:
        """Ways by the predicted traffic of `functions` (`routing.street.traffic_functions`), made from `free_flow`."""
        return TimedStreets(self.graph, free_flow, functions, self.hierarchy(free_flow.mode), kept, during)

    def one_to_many(self, metric: StreetMetric, sources: Snaps, i: int, targets: Snaps, limit_s: float | None = None) -> Times:
        """Times (uint32 ms [k]) from source `i` to every target; what takes longer than `limit_s` counts as unreachable."""
        return self._star(metric, sources.take(i), targets, limit_s, backward=False)

    def many_to_one(self, metric: StreetMetric, sources: Snaps, targets: Snaps, j: int, limit_s: float | None = None) -> Times:
        """Times (uint32 ms [k]) from every source to target `j`."""
        return self._star(metric, targets.take(j), sources, limit_s, backward=True)

    def many_to_many(self, metric: StreetMetric, sources: Snaps, targets: Snaps, limit_s: float | None = None) -> Times:
        """Times (uint32 ms [s, t]); without a hierarchy one search per source or per target, whichever are fewer."""
        searcher, limit_ms = self.searcher(metric.mode), limit_in_ms(limit_s)
        if (table := searcher.matrix(metric, sources, targets, limit_ms)) is not None:
            return table
        backward = len(targets) < len(sources)
        ones, many = (targets, sources) if backward else (sources, targets)
        anchors = searcher.sources(metric, many) if backward else searcher.targets(metric, many)
        out = np.empty((len(ones), len(many)), np.uint32)
        for i in range(len(ones)):
            searcher.times(metric, ones.take(i), many, anchors, limit_ms, backward, out[i])
        return np.ascontiguousarray(out.T) if backward else out

    def some_to_some(
        self, metric: StreetMetric, sources: Snaps, targets: Snaps, wanted: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.uint32]:
        """Times (uint32 ms [s, t]) of the pairs that are `wanted` (bool[s, t]); of others nothing is said."""
        table = self.searcher(metric.mode).matrix(metric, sources, targets, INFINITE - 1, wanted=wanted)
        if table is not None:
            return table
        out = np.full(wanted.shape, UNREACHABLE_MS, np.uint32)
        for i in np.flatnonzero(wanted.any(axis=1)).tolist():
            out[i] = self.one_to_many(metric, sources, i, targets)
        return out

    def passing(self, metric: StreetMetric, positions: Snaps, arcs: npt.NDArray[np.int32]) -> Passing:
        """What ways between the positions that travel one of some arcs take at least; see `routing.street.passing`."""
        return passing(self.searcher(metric.mode), metric, positions, arcs)

    def lengths(self, metric: StreetMetric, targets: Snaps) -> LengthMatrix:
        """Times to the targets with the lengths of the quickest ways, for blocks of sources; needs a hierarchy."""
        return LengthMatrix(self.graph, self.searcher(metric.mode), metric, targets)

    def many_to_many_blocks(self, metric: StreetMetric, sources: Snaps, targets: Snaps, rows: int) -> Iterator[Times]:
        """Yield the rows of `many_to_many` in order, some at a time (uint32 ms [<= rows, t]): stop when nobody wants more."""
        searcher = self.searcher(metric.mode)
        ends = searcher.target_labels(metric, targets)
        for begin in range(0, len(sources), rows):
            part = sources.take(np.arange(begin, min(begin + rows, len(sources))))
            table = None if ends is None else searcher.matrix(metric, part, targets, INFINITE - 1, ends)
            yield self.many_to_many(metric, part, targets) if table is None else table

    def _star(self, metric: StreetMetric, one: Snaps, many: Snaps, limit_s: float | None, *, backward: bool) -> Times:
        searcher = self.searcher(metric.mode)
        anchors = searcher.sources(metric, many) if backward else searcher.targets(metric, many)
        out = np.empty(len(many), np.uint32)
        searcher.times(metric, one, many, anchors, limit_in_ms(limit_s), backward, out)
        return out

    def route(self, metric: StreetMetric, sources: Snaps, i: int, targets: Snaps, j: int) -> StreetPath:
        """Quickest way from source `i` to target `j`.

        Raises
        ------
        Unreachable
            If no way leads there, or one of them is not on the network.
        """
        path = self.find_route(metric, sources, i, targets, j)
        if path is None:
            raise Unreachable(f"no way for {metric.mode.name} from source {i} to target {j}; check both ends and closures")
        return path

    def find_route(self, metric: StreetMetric, sources: Snaps, i: int, targets: Snaps, j: int) -> StreetPath | None:
        """`route`, or None where it raises `Unreachable`."""
        found = self.searcher(metric.mode).find_way(metric, sources, i, targets, j)
        if found is None:
            return None
        time_ms, arcs = found
        return build_path(self.graph, metric, time_ms, arcs, sources.fraction_on(arcs[0], i), targets.fraction_on(arcs[-1], j))

    def alternatives(
        self, metric: StreetMetric, sources: Snaps, i: int, targets: Snaps, j: int, limits: AlternativeLimits = USUAL_LIMITS
    ) -> list[Alternative]:
        """Quickest way from source `i` to target `j` and sensible others (`routing.street.alternatives`); none if none leads.

        Raises
        ------
        InvalidInput
            If the metric has no hierarchy: `hierarchy` builds it, metrics made afterwards have it.
        """
        searcher = self.searcher(metric.mode)
        if searcher.hierarchy is None or metric.weights is None:
            raise InvalidInput(
                f"alternatives need a hierarchy of {metric.mode.name}: call hierarchy(mode), then make the metric again",
                "metric",
            )
        with self._lock:
            if metric.mode not in self._alternatives:
                self._alternatives[metric.mode] = AlternativeSearcher(self.graph, searcher, searcher.hierarchy)
        return self._alternatives[metric.mode].find(metric, sources.take(i), targets.take(j), limits)

    def cost_metric(
        self, times: StreetMetric, weights: CostWeights = QUICKEST, avoidance: Avoidance | None = None
    ) -> CostMetric:
        """Price the streets by something else than time; streets to avoid are used only where nothing else leads on.

        Search with its `search` by any method, then ask `measure` what the ways take; or `find_cheapest` does both.
        """
        searcher = self.searcher(times.mode)
        avoided = None if avoidance is None else avoided_arcs(self.graph, avoidance)
        return build_cost_metric(self.graph, times, weights, avoided, searcher.hierarchy)

    def measure(self, cost: CostMetric, path: StreetPath) -> CostedPath:
        """Time, length, CO2, tolls and price of a way, by whatever it was chosen."""
        return measure(self.graph, cost, path)

    def find_cheapest(self, cost: CostMetric, sources: Snaps, i: int, targets: Snaps, j: int) -> CostedPath | None:
        """Cheapest way from source `i` to target `j` with all it takes; None if none leads there."""
        path = self.find_route(cost.search, sources, i, targets, j) or self.find_route(cost.times, sources, i, targets, j)
        return None if path is None else measure(self.graph, cost, path)

    def find_way(self, metric: StreetMetric, positions: Snaps, stops: Sequence[bool] | None = None) -> ViaWay | None:
        """Quickest way over positions in their order, see `routing.street.via_points`; None if there is none."""
        return find_way(self.graph, self.searcher(metric.mode), metric, positions, stops)

    def reach(
        self, metric: StreetMetric, sources: Snaps, i: int, limit_s: float | None = None, *, backward: bool = False
    ) -> Times:
        """Earliest time (uint32 ms [n]) at every node of the graph from source `i`, for isochrones.

        `backward`: from every node to position `i` instead (nodes as starting points, first turn free).
        """
        searcher, limit_ms = self.searcher(metric.mode), limit_in_ms(limit_s)
        one = sources.take(i)
        seeds = searcher.targets(metric, one) if backward else searcher.sources(metric, one)
        out = np.full(self.graph.node_count, INFINITE, np.int64)
        if one.arc[0] >= 0:
            time = searcher.spread(metric, seeds, limit_ms, None, backward)
            net, graph = searcher.network, self.graph
            if backward and net.edge_based:
                reached = time != INFINITE
                np.minimum.at(out, graph.arc_tail[net.state_arc[reached]], time[reached])
            else:
                node_times(time, net.edge_based, net.state_arc, graph.arc_head, metric.arc_time_ms, out)
            self._own_street(metric, one, out, backward=backward)
        out[out > limit_ms] = UNREACHABLE_MS
        return out.astype(np.uint32)

    def _own_street(self, metric: StreetMetric, one: Snaps, out: npt.NDArray[np.int64], *, backward: bool) -> None:
        """Lower `out` at the ends of the street position `one` stands on."""
        graph, arc, fraction = self.graph, int(one.arc[0]), float(one.fraction[0])
        for way, part in ((arc, fraction), (int(graph.arc_reverse[arc]), 1.0 - fraction)):
            if way >= 0 and metric.arc_time_ms[way] < INFINITE and (way == arc or not one.directed[0]):
                node = graph.arc_tail[way] if backward else graph.arc_head[way]
                share = part if backward else 1.0 - part
                out[node] = min(out[node], int(np.floor(share * metric.arc_time_ms[way] + 0.5)))


__all__ = [
    "DEFAULT_SPEEDS",
    "DEFAULT_TURN_COSTS",
    "NO_TURN_COSTS",
    "USUAL_LIMITS",
    "Alternative",
    "AlternativeLimits",
    "Avoidance",
    "CostMetric",
    "CostWeights",
    "CostedPath",
    "Hierarchy",
    "Passing",
    "SnapHints",
    "Snaps",
    "SpeedOptions",
    "StreetEngine",
    "StreetMetric",
    "StreetNetwork",
    "StreetPath",
    "StreetStep",
    "TimedPath",
    "TimedStreets",
    "TraceMatcher",
    "TurnCosts",
    "VehicleLimits",
    "build_hierarchy",
]

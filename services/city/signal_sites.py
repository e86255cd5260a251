"""Traffic signals of the map grouped into the intersections they guard.

OSM maps a signal either on the junction node or on each approach, before the stop line. Each signal is walked forward, the
way cars go, to the junction it guards (at most `REACH_M`); junctions closer than `JOIN_M` along the street are one site (dual
carriageways cross in four nodes). A signal that guards no junction is a crossing of its own.
"""

import math
from collections import defaultdict

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode
from routing.model.signal_sites import SignalSiteKind, SignalSites
from routing.model.street_graph import NODE_TRAFFIC_SIGNALS, ROAD_CLASSES, StreetGraph
from routing.model.strings import StringTable

REACH_M = 45.0
"""How far before its junction a signal may stand."""

JOIN_M = 35.0
"""Length of street between junctions of one site."""

SPAN_M = 120.0
"""A site does not grow wider than this: chains of close junctions along an avenue stay apart."""


class _Cars:
    """The graph as a car sees it: arcs and neighbours."""

    def __init__(self, graph: StreetGraph) -> None:
        self.graph = graph
        self.arcs = np.flatnonzero(graph.arc_access & StreetMode.CAR.bit)
        self.tail, self.head, self.length = graph.arc_tail.tolist(), graph.arc_head.tolist(), graph.arc_length_m.tolist()
        self.out: dict[int, list[int]] = defaultdict(list)
        self.into: dict[int, list[int]] = defaultdict(list)
        for arc in self.arcs.tolist():
            self.out[self.tail[arc]].append(arc)
            self.into[self.head[arc]].append(arc)

    def is_junction(self, node: int) -> bool:
        """Tell whether three or more streets meet."""
        return len({self.head[arc] for arc in self.out[node]} | {self.tail[arc] for arc in self.into[node]}) >= 3


def build_signal_sites(graph: StreetGraph) -> SignalSites:
    """Group the signals of a street graph into sites, ordered by id; linear in the graph."""
    cars = _Cars(graph)
    signals = np.flatnonzero(graph.node_flags & NODE_TRAFFIC_SIGNALS).tolist()
    guarded: dict[int, list[list[int]]] = {}
    for signal in signals:
        if cars.out[signal] or cars.into[signal]:
            guarded[signal] = [[signal]] if cars.is_junction(signal) else _walk_to_junctions(cars, signal)
    groups = _group(cars, guarded)
    sites = [_Site(cars, nodes, [node for node in nodes if node in guarded]) for nodes in groups]
    sites = [site for site in sites if site.in_arcs]
    sites.sort(key=lambda site: site.osm_id)
    return _arrays(sites)


def _walk_to_junctions(cars: _Cars, signal: int) -> list[list[int]]:
    """Paths (nodes, the signal first) to the nearest junction ahead, of all directions of travel."""
    found: list[tuple[float, list[int]]] = []
    for first in cars.out[signal]:
        path, length, arc = [signal], 0.0, first
        while True:
            length += cars.length[arc]
            node = cars.head[arc]
            if length > REACH_M or node in path:
                break
            path.append(node)
            if cars.is_junction(node):
                found.append((length, path))
                break
            onward = [out for out in cars.out[node] if cars.head[out] != cars.tail[arc]]
            if len(onward) != 1:
                break
            arc = onward[0]
    if not found:
        return []
    # On a two-way street one direction leads away from the junction: the nearer end is the one that is guarded.
    nearest = min(length for length, _ in found)
    return [path for length, path in found if length <= nearest + 1.0]


def _group(cars: _Cars, guarded: dict[int, list[list[int]]]) -> list[list[int]]:
    """Join signals by their junctions, and junctions that are close along the street; each group is a sorted list of nodes."""
    lat, lon = cars.graph.node_lat_e7, cars.graph.node_lon_e7
    parent: dict[int, int] = {}
    box: dict[int, tuple[int, int, int, int]] = {}

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def add(node: int) -> None:
        if node not in parent:
            parent[node] = node
            box[node] = (int(lat[node]), int(lon[node]), int(lat[node]), int(lon[node]))

    def join(a: int, b: int, limited: bool) -> None:
        a, b = sorted((root(a), root(b)))
        if a == b:
            return
        low = [min(x, y) for x, y in zip(box[a][:2], box[b][:2], strict=True)]
        high = [max(x, y) for x, y in zip(box[a][2:], box[b][2:], strict=True)]
        east = (high[1] - low[1]) * math.cos(math.radians(low[0] * 1e-7))
        if limited and math.hypot(high[0] - low[0], east) * 1e-7 * 111_195.0 > SPAN_M:
            return
        parent[b] = a
        box[a] = (low[0], low[1], high[0], high[1])

    junctions: set[int] = set()
    for signal, paths in sorted(guarded.items()):
        add(signal)
        for path in paths:
            junctions.add(path[-1])
            for node in path:
                add(node)
                join(signal, node, limited=False)
    close = sorted(
        (cars.length[arc], arc)
        for node in junctions
        for arc in cars.out[node]
        if cars.head[arc] in junctions and cars.length[arc] <= JOIN_M
    )
    for _, arc in close:
        join(cars.tail[arc], cars.head[arc], limited=True)
    groups: dict[int, list[int]] = defaultdict(list)
    for node in sorted(parent):
        groups[root(node)].append(node)
    return list(groups.values())


class _Site:
    """One site with its arcs."""

    def __init__(self, cars: _Cars, nodes: list[int], signals: list[int]) -> None:
        graph, inside = cars.graph, set(nodes)
        junctions = [node for node in nodes if cars.is_junction(node)]
        self.nodes, self.signals = nodes, signals
        self.kind = SignalSiteKind.JUNCTION if junctions else SignalSiteKind.CROSSING
        self.osm_id = min(int(graph.node_osm_id[node]) for node in signals)
        centre = junctions or nodes
        self.lat_e7 = round(float(graph.node_lat_e7[centre].mean()))
        self.lon_e7 = round(float(graph.node_lon_e7[centre].mean()))
        into = [arc for node in nodes for arc in cars.into[node] if cars.tail[arc] not in inside]
        out = [arc for node in nodes for arc in cars.out[node] if cars.head[arc] not in inside]
        self.in_arcs = sorted(into, key=lambda arc: (self._bearing(graph, cars.tail[arc]), arc))
        self.out_arcs = sorted(out, key=lambda arc: (self._bearing(graph, cars.head[arc]), arc))
        self.inner_arcs = sorted(arc for node in nodes for arc in cars.out[node] if cars.head[arc] in inside)
        self.name = _site_name(graph, self.in_arcs + self.out_arcs)

    def _bearing(self, graph: StreetGraph, node: int) -> float:
        north = int(graph.node_lat_e7[node]) - self.lat_e7
        east = (int(graph.node_lon_e7[node]) - self.lon_e7) * math.cos(math.radians(self.lat_e7 * 1e-7))
        return math.degrees(math.atan2(east, north)) % 360.0


def _site_name(graph: StreetGraph, arcs: list[int]) -> str:
    """Name the streets that meet, the more important first, at most three."""
    rank: dict[str, tuple[int, int]] = {}
    for arc in arcs:
        name = graph.names[int(graph.arc_name[arc])]
        if name:
            road_class = ROAD_CLASSES.index(ROAD_CLASSES[graph.arc_road_class[arc]].removesuffix("_link"))
            best, count = rank.get(name, (99, 0))
            rank[name] = (min(best, road_class), count - 1)
    return " × ".join(sorted(rank, key=lambda name: (*rank[name], name))[:3])


def _arrays(sites: list[_Site]) -> SignalSites:

    first_signal, signals = _rows([site.signals for site in sites])
    first_node, nodes = _rows([site.nodes for site in sites])
    first_in, in_arcs = _rows([site.in_arcs for site in sites])
    first_out, out_arcs = _rows([site.out_arcs for site in sites])
    first_inner, inner_arcs = _rows([site.inner_arcs for site in sites])
    return SignalSites(
        ids=StringTable.build(f"osm-{site.osm_id}" for site in sites),
        names=StringTable.build(site.name or f"Signals {site.osm_id}" for site in sites),
        kind=np.array([site.kind for site in sites], np.uint8),
        lat_e7=np.array([site.lat_e7 for site in sites], np.int32),
        lon_e7=np.array([site.lon_e7 for site in sites], np.int32),
        first_signal_node=first_signal,
        signal_nodes=signals,
        first_node=first_node,
        nodes=nodes,
        first_in_arc=first_in,
        in_arcs=in_arcs,
        first_out_arc=first_out,
        out_arcs=out_arcs,
        first_inner_arc=first_inner,
        inner_arcs=inner_arcs,
    )


def _rows(rows: list[list[int]]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    first = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=first[1:])
    return first, np.array([item for row in rows for item in row], np.int32)

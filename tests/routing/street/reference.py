"""Naive street routing: every rule checked on the whole recent past, searched by networkx. Slow and plain on purpose."""

from collections import deque
from typing import Any

import networkx as nx
import numpy as np

from routing.model.modes import UNREACHABLE_MS
from routing.model.street_graph import StreetGraph
from routing.street.api import NO_TURN_COSTS, Snaps, StreetMetric, TurnCosts
from routing.street.profiles import NODE_BASED_MODES

State = tuple[tuple[int, ...], bool]
"""(arcs travelled lately, last = the one being entered; whether a no-through zone was entered from outside)."""


class Reference:
    """All movements of one mode on a small graph."""

    def __init__(
        self, graph: StreetGraph, metric: StreetMetric, costs: TurnCosts, holding: frozenset[int] = frozenset()
    ) -> None:
        self.graph, self.metric, self.bit = graph, metric, metric.mode.bit
        self.costs = costs
        self.walking = metric.mode in NODE_BASED_MODES
        if self.walking:
            self.costs = NO_TURN_COSTS
        self.usable = {a for a in range(graph.arc_count) if graph.arc_access[a] & self.bit}
        self.banned = {
            tuple(graph.restriction_arcs[graph.first_restriction[r] : graph.first_restriction[r + 1]].tolist())
            for r in range(len(graph.restriction_modes))
            if graph.restriction_modes[r] & self.bit and not self.walking and graph.restriction_rule[r] in {-1, *holding}
        }
        self.banned = {sequence for sequence in self.banned if set(sequence) <= self.usable}
        self.prefixes = {sequence[:k] for sequence in self.banned for k in range(1, len(sequence))}
        self.meeting: dict[int, list[int]] = {}
        for a in sorted(self.usable):
            for node in {int(graph.arc_tail[a]), int(graph.arc_head[a])}:
                self.meeting.setdefault(node, []).append(a)
        self.net = self._expand()

    def turn_ms(self, a: int, b: int) -> int:
        """Cost of a turn, by its documented rule."""
        graph = self.graph
        node = int(graph.arc_head[a])
        if graph.arc_reverse[a] == b:
            return round(self.costs.u_turn_s * 1000)
        cost = 0
        short = graph.arc_length_m[a] < 40.0 and graph.node_flags[graph.arc_tail[a]] & 1
        if graph.node_flags[node] & 1 and not short:
            cost += round(self.costs.signal_s * 1000)
        pieces: dict[int, int] = {}
        for x in self.meeting[node]:
            piece = min(x, int(graph.arc_reverse[x])) if graph.arc_reverse[x] in self.usable else x
            pieces[piece] = 2 if graph.arc_tail[x] == graph.arc_head[x] else 1
        if sum(pieces.values()) <= 2:
            return cost
        angle = (self.bearing(b, 0) - self.bearing(a, -2) + 540) % 360 - 180
        side = round((self.costs.right_s if angle >= 0 else self.costs.left_s) * 1000)
        share = 0.0 if abs(angle) < 30 else 0.5 if abs(angle) < 60 else 1.0 if abs(angle) < 120 else 1.5
        return cost + int(side * share)

    def bearing(self, arc: int, i: int) -> float:
        """Compass bearing of the first (0) or last (-2) piece of an arc's line."""
        graph = self.graph
        rows = range(int(graph.first_shape[arc]), int(graph.first_shape[arc + 1]))
        p, q = rows[i], rows[i] + 1
        north = int(graph.shape_lat_e7[q]) - int(graph.shape_lat_e7[p])
        east = (int(graph.shape_lon_e7[q]) - int(graph.shape_lon_e7[p])) * np.cos(np.radians(graph.shape_lat_e7[p] * 1e-7))
        return float(np.degrees(np.arctan2(east, north)))

    def after(self, state: State, b: int) -> State | None:
        """State after turning into arc `b`, None if that is forbidden."""
        history, entered = state
        a = history[-1]
        zone = [bool(self.graph.arc_no_through[x] & self.bit) and not self.walking for x in (a, b)]
        path = (*history, b)
        if any(path[-len(sequence) :] == sequence for sequence in self.banned):
            return None
        if entered and not zone[1]:
            return None
        entered = entered or (zone[1] and not zone[0])
        while len(path) > 1 and path not in self.prefixes:
            path = path[1:]
        return path, entered

    def turns(self, state: State) -> list[tuple[State, int]]:
        """Every allowed next state with its turn cost."""
        graph, a = self.graph, state[0][-1]
        node, back = int(graph.arc_head[a]), int(graph.arc_reverse[a])
        out = [b for b in range(graph.first_out[node], graph.first_out[node + 1]) if b in self.usable]
        if graph.node_blocked[node] & self.bit:
            out = [b for b in out if b == back]
        elif not self.walking and any(b != back for b in out):
            out = [b for b in out if b != back]
        following = ((self.after(state, b), b) for b in out)
        return [(after, self.turn_ms(a, b)) for after, b in following if after is not None]

    def _expand(self) -> Any:
        """The graph of states; an edge is the travel along the state's arc and the turn after it."""
        net = nx.DiGraph()
        queue: deque[State] = deque(((a,), False) for a in sorted(self.usable))
        net.add_nodes_from(queue)
        while queue:
            state = queue.popleft()
            time = int(self.metric.arc_time_ms[state[0][-1]])
            if time == UNREACHABLE_MS:
                continue
            for after, cost in self.turns(state):
                if after not in net:
                    queue.append(after)
                    net.add_node(after)
                net.add_edge(state, after, ms=time + cost)
        return net

    def times(self, source: tuple[int, float], targets: Snaps) -> list[int]:
        """Times from a position (arc, fraction) to targets."""
        net = self.net
        for arc, fraction in self._both(*source):
            rest = self._part(arc, 1.0 - fraction)
            for after, cost in self.turns(((arc,), False)):
                ms = min(rest + cost, net.edges["source", after]["ms"] if net.has_edge("source", after) else 1 << 60)
                net.add_edge("source", after, ms=ms)
        reached: dict[Any, int] = nx.single_source_dijkstra_path_length(net, "source", weight="ms") if "source" in net else {}
        if "source" in net:
            net.remove_node("source")
        best: dict[int, int] = {}
        for state, ms in reached.items():
            if state != "source":
                best[state[0][-1]] = min(ms, best.get(state[0][-1], 1 << 60))
        return [self._arrival(source, (int(a), float(f)), best) for a, f in zip(targets.arc, targets.fraction, strict=True)]

    def _arrival(self, source: tuple[int, float], target: tuple[int, float], entered: dict[int, int]) -> int:
        found = [entered[arc] + self._part(arc, fraction) for arc, fraction in self._both(*target) if arc in entered]
        for arc, start in self._both(*source):
            found += [self._part(arc, end - start) for other, end in self._both(*target) if other == arc and end >= start]
        return min(found, default=UNREACHABLE_MS)

    def _both(self, arc: int, fraction: float) -> list[tuple[int, float]]:
        """The position on its arc and on the reverse, where the mode may travel now."""
        if arc < 0:
            return []
        places = [(arc, float(fraction)), (int(self.graph.arc_reverse[arc]), 1.0 - float(fraction))]
        return [(a, f) for a, f in places if a in self.usable and self.metric.arc_time_ms[a] != UNREACHABLE_MS]

    def _part(self, arc: int, fraction: float) -> int:
        return int(np.floor(fraction * float(self.metric.arc_time_ms[arc]) + 0.5))

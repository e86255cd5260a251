"""One mode's state graph: what the searches run on. Built once per mode, shared by every metric and thread."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.kernels import street_turns as kernels
from routing.model.modes import StreetMode
from routing.model.street_graph import NODE_TRAFFIC_SIGNALS, StreetGraph
from routing.street.memory import Edges, Sequences, with_memory
from routing.street.profiles import NODE_BASED_MODES, TurnCosts

Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class StreetNetwork:
    """States and edges of one mode, forward and reversed (CSR).

    Edge-based (wheels): a state is an arc being entered, an edge drives that arc and turns into the next. An arc has further
    states where the past matters (inside a via-way restriction, inside a no-through zone entered from outside). Node-based
    (walking): a state is a node, an edge walks an arc.

    Attributes
    ----------
    mode : StreetMode
    edge_based : bool
    first_edge : int32[s + 1]
    edge_to, edge_arc, edge_cost_ms : int32[e]
        State reached, arc travelled, time lost turning.
    state_arc : int32[s]
        Arc of a state (-1 in node-based networks).
    back_first, back_to, back_edge : int32
        The reversed edges; `back_edge` is their number in the forward arrays.
    arc_first_state, arc_states : int32
        States of arc `a` are ``arc_states[arc_first_state[a]:arc_first_state[a + 1]]``, the plain one first.
    blocked : bool[n]
        Nodes the mode cannot pass.
    timed_edge, timed_edge_rule : int32[q]
        Edges that are forbidden while a rule of the graph's `rules` holds (turn restrictions of certain hours).
    """

    mode: StreetMode
    edge_based: bool
    first_edge: Int32
    edge_to: Int32
    edge_arc: Int32
    edge_cost_ms: Int32
    state_arc: Int32
    back_first: Int32
    back_to: Int32
    back_edge: Int32
    arc_first_state: Int32
    arc_states: Int32
    blocked: npt.NDArray[np.bool_]
    timed_edge: Int32 = field(default_factory=lambda: np.empty(0, np.int32))
    timed_edge_rule: Int32 = field(default_factory=lambda: np.empty(0, np.int32))

    @property
    def state_count(self) -> int:
        """Number of states."""
        return len(self.first_edge) - 1


def build_network(graph: StreetGraph, mode: StreetMode, costs: TurnCosts) -> StreetNetwork:
    """Build the state graph of `mode`; O(arcs + turns)."""
    return _node_network(graph, mode) if mode in NODE_BASED_MODES else _turn_network(graph, mode, costs)


def _node_network(graph: StreetGraph, mode: StreetMode) -> StreetNetwork:
    blocked = (graph.node_blocked & mode.bit) != 0
    arcs = np.flatnonzero(((graph.arc_access & mode.bit) != 0) & ~blocked[graph.arc_tail]).astype(np.int32)
    first = np.zeros(graph.node_count + 1, np.int32)
    np.cumsum(np.bincount(graph.arc_tail[arcs], minlength=graph.node_count), out=first[1:])
    edges = Edges(first, graph.arc_head[arcs].astype(np.int32), arcs, np.zeros(len(arcs), np.int32))
    nobody = np.full(graph.node_count, -1, np.int32)
    return _finish(mode, False, edges, nobody, graph.arc_count, blocked)


def _turn_network(graph: StreetGraph, mode: StreetMode, costs: TurnCosts) -> StreetNetwork:
    usable = (graph.arc_access & mode.bit) != 0
    blocked = (graph.node_blocked & mode.bit) != 0
    short, long = _restrictions(graph, mode, usable)
    always = np.array(sorted(key for key, rule in short if rule < 0), np.int64)
    plain = _plain_turns(graph, usable, blocked, always, costs)
    zone = usable & ((graph.arc_no_through & mode.bit) != 0)
    edges, state_arc, timed = with_memory(plain, np.flatnonzero(usable).astype(np.int32), zone, long)
    timed += _timed_turns(graph, edges, state_arc, [(key, rule) for key, rule in short if rule >= 0])
    network = _finish(mode, True, edges, state_arc, graph.arc_count, blocked)
    edge, rule = np.array(sorted(set(timed)), np.int32).reshape(-1, 2).T
    return replace(network, timed_edge=frozen(edge), timed_edge_rule=frozen(rule))


def _restrictions(
    graph: StreetGraph, mode: StreetMode, usable: npt.NDArray[np.bool_]
) -> tuple[list[tuple[int, int]], Sequences]:
    """Split the restrictions binding `mode` into (two-arc key, rule) and longer sequences; rule -1 = always."""
    short: set[tuple[int, int]] = set()
    long: set[tuple[tuple[int, ...], int]] = set()
    for r in np.flatnonzero((graph.restriction_modes & mode.bit) != 0):
        arcs = graph.restriction_arcs[graph.first_restriction[r] : graph.first_restriction[r + 1]]
        if not usable[arcs].all():
            continue
        rule = int(graph.restriction_rule[r])
        if len(arcs) == 2:
            short.add((int(arcs[0]) * graph.arc_count + int(arcs[1]), rule))
        else:
            long.add((tuple(int(arc) for arc in arcs), rule))
    return sorted(short), sorted(long)


def _timed_turns(graph: StreetGraph, edges: Edges, state_arc: Int32, short: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Edges between two arcs that are forbidden by a rule."""
    if not short:
        return []
    key = edges.arc.astype(np.int64) * graph.arc_count + state_arc[edges.to]
    found = np.flatnonzero(np.isin(key, np.array([turn for turn, _ in short], np.int64)))
    rules: dict[int, list[int]] = {}
    for turn, rule in short:
        rules.setdefault(turn, []).append(rule)
    return [(edge, rule) for edge in found.tolist() for rule in rules[int(key[edge])]]


def _plain_turns(
    graph: StreetGraph,
    usable: npt.NDArray[np.bool_],
    blocked: npt.NDArray[np.bool_],
    banned: npt.NDArray[np.int64],
    costs: TurnCosts,
) -> Edges:
    """All allowed turns between arcs, as if no restriction had a memory; `edge_to` holds arcs."""
    degree = np.zeros(graph.node_count, np.int32)
    kernels.junction_degree(graph.arc_tail, graph.arc_head, graph.arc_reverse, usable, degree)
    tail_deg, head_deg = np.empty(graph.arc_count, np.float32), np.empty(graph.arc_count, np.float32)
    kernels.bearings(graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7, tail_deg, head_deg)
    signal = (graph.node_flags & NODE_TRAFFIC_SIGNALS) != 0
    costs_ms: Any = (round(1000 * cost) for cost in (costs.right_s, costs.left_s, costs.u_turn_s, costs.signal_s))
    right_ms, left_ms, u_turn_ms, signal_ms = costs_ms
    first = np.zeros(graph.arc_count + 1, np.int64)
    to = cost_ms = np.empty(0, np.int32)
    for write in (False, True):
        count = kernels.turns(
            graph.first_out, graph.arc_tail, graph.arc_head, graph.arc_reverse, graph.arc_length_m, usable, blocked, signal,
            degree, tail_deg, head_deg, banned, right_ms, left_ms, u_turn_ms, signal_ms, first, to, cost_ms, write,
        )  # fmt: skip
        if not write:
            to, cost_ms = np.empty(count, np.int32), np.empty(count, np.int32)
    travelled = np.repeat(np.arange(graph.arc_count, dtype=np.int32), np.diff(first))
    return Edges(first.astype(np.int32), to, travelled, cost_ms)


def _finish(
    mode: StreetMode, edge_based: bool, edges: Edges, state_arc: Int32, arc_count: int, blocked: npt.NDArray[np.bool_]
) -> StreetNetwork:
    states, count = len(edges.first) - 1, len(edges.to)
    back_first = np.zeros(states + 1, np.int32)
    back_to, back_edge = np.empty(count, np.int32), np.empty(count, np.int32)
    kernels.reversed_edges(edges.first, edges.to, back_first, back_to, back_edge)
    arc_first_state = np.zeros(arc_count + 1, np.int32)
    arc_states = np.empty(0, np.int32)
    if edge_based:
        np.cumsum(np.bincount(state_arc, minlength=arc_count), out=arc_first_state[1:])
        arc_states = np.argsort(state_arc, kind="stable").astype(np.int32)
    arrays = [
        edges.first,
        edges.to,
        edges.arc,
        edges.cost_ms,
        state_arc,
        back_first,
        back_to,
        back_edge,
        arc_first_state,
        arc_states,
    ]
    columns: list[Any] = [frozen(array) for array in (*arrays, blocked)]
    return StreetNetwork(mode, edge_based, *columns)


def frozen_graph(graph: StreetGraph) -> StreetGraph:
    """Return `graph` with all arrays `frozen`."""
    tables = ("names", "rules")
    arrays: dict[str, Any] = {f.name: frozen(getattr(graph, f.name)) for f in fields(graph) if f.name not in tables}
    return replace(graph, **arrays)


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a plain, contiguous, read-only view.

    Kernels are compiled per array type and read-only is part of it: everything that lives long is given to them like this.
    """
    view = np.ascontiguousarray(array).view(np.ndarray)
    view.flags.writeable = False
    return view

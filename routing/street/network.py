"""One mode's state graph: what the searches run on. Built once per mode, shared by every metric and thread."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import street_turns as kernels
from routing.kernels.street_search import INFINITE
from routing.model.modes import StreetMode
from routing.model.street_graph import NODE_TRAFFIC_SIGNALS, StreetGraph
from routing.street.memory import Edges, Sequences, Timed, with_memory
from routing.street.profiles import NO_TURN_COSTS, NODE_BASED_MODES, TurnCosts

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StreetNetwork:
    """States and edges of one mode, or of several that share them, forward and reversed (CSR).

    Edge-based (wheels): a state is an arc being entered, an edge drives that arc and turns into the next. An arc has further
    states where the past matters (inside a via-way restriction, inside a no-through zone entered from outside). Node-based
    (walking): a state is a node, an edge walks an arc.

    Attributes
    ----------
    mode : StreetMode
        The first of `modes`.
    edge_based : bool
    first_edge : int32[s + 1]
    edge_to, edge_arc, edge_cost_ms : int32[e]
        State reached, arc travelled, time `mode` loses turning.
    state_arc : int32[s]
        Arc of a state (-1 in node-based networks).
    back_first, back_to, back_edge : int32
        The reversed edges; `back_edge` is their number in the forward arrays.
    arc_first_state, arc_states : int32
        States of arc `a` are ``arc_states[arc_first_state[a]:arc_first_state[a + 1]]``, the plain one first.
    blocked : bool[n]
        Nodes the mode cannot pass.
    modes : tuple of StreetMode
        Modes served; empty = `mode` only.
    class_cost_ms : int32[k, e]
        Time each of `modes` loses turning; `INFINITE` where it may not turn so.
    timed_edge, timed_edge_rule, timed_edge_modes : int32[q]
        Edges that are forbidden to some modes while a rule of the graph's `rules` holds (turn restrictions of certain hours).
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
    modes: tuple[StreetMode, ...] = ()
    class_cost_ms: Int32 = field(default_factory=lambda: np.empty((0, 0), np.int32))
    timed_edge: Int32 = field(default_factory=lambda: np.empty(0, np.int32))
    timed_edge_rule: Int32 = field(default_factory=lambda: np.empty(0, np.int32))
    timed_edge_modes: Int32 = field(default_factory=lambda: np.empty(0, np.int32))

    @property
    def state_count(self) -> int:
        """Number of states."""
        return len(self.first_edge) - 1

    def turn_cost_ms(self, mode: StreetMode) -> Int32:
        """Time (int32[e]) a mode loses turning at the end of every edge, `INFINITE` where it may not.

        Raises
        ------
        InvalidInput
            If the network does not serve the mode.
        """
        if mode not in (self.modes or (self.mode,)):
            raise InvalidInput(
                f"the network of {self.mode.name} does not serve {mode.name}: ask the engine for its own", "mode"
            )
        return self.class_cost_ms[self.modes.index(mode)] if self.modes else self.edge_cost_ms


def build_network(graph: StreetGraph, mode: StreetMode, costs: TurnCosts) -> StreetNetwork:
    """Build the state graph of `mode`; O(arcs + turns)."""
    return build_shared_network(graph, (mode,), {mode: costs})


def _node_network(graph: StreetGraph, mode: StreetMode) -> StreetNetwork:
    blocked = (graph.node_blocked & mode.bit) != 0
    arcs = np.flatnonzero(((graph.arc_access & mode.bit) != 0) & ~blocked[graph.arc_tail]).astype(np.int32)
    first = np.zeros(graph.node_count + 1, np.int32)
    np.cumsum(np.bincount(graph.arc_tail[arcs], minlength=graph.node_count), out=first[1:])
    edges = Edges(first, graph.arc_head[arcs].astype(np.int32), arcs, arcs, np.full(len(arcs), mode.bit, np.uint16))
    nobody = np.full(graph.node_count, -1, np.int32)
    return _finish(mode, False, edges, np.zeros(len(arcs), np.int32), nobody, graph.arc_count, blocked)


def build_shared_network(
    graph: StreetGraph, modes: tuple[StreetMode, ...], costs: Mapping[StreetMode, TurnCosts]
) -> StreetNetwork:
    """Build one state graph for several classes of vehicle; O(classes × (arcs + turns)).

    Its states and edges are the union of theirs; `StreetNetwork.turn_cost_ms` says what a class may do. The answers for each
    are those of a network of its own.

    Parameters
    ----------
    graph : StreetGraph
    modes : tuple of StreetMode
        None of `NODE_BASED_MODES`, unless it is the only one.
    costs : Mapping
        Turn costs by mode; modes left out turn freely.
    """
    if modes[0] in NODE_BASED_MODES:
        return _node_network(graph, modes[0])
    usable = {mode: (graph.arc_access & mode.bit) != 0 for mode in modes}
    short, long = _restrictions(graph, modes, usable)
    turns = [
        _plain_turns(
            graph, usable[mode], (graph.node_blocked & mode.bit) != 0,
            np.array([key for key, rule, bound in short if rule < 0 and bound & mode.bit], np.int64),
            costs.get(mode, NO_TURN_COSTS),
        )
        for mode in modes
    ]  # fmt: skip
    plain, cost_ms = _united(graph.arc_count, modes, turns)
    zone = graph.arc_no_through & np.bitwise_or.reduce([usable[mode] * np.uint16(mode.bit) for mode in modes])
    arcs = np.flatnonzero(np.logical_or.reduce(list(usable.values()))).astype(np.int32)
    edges, state_arc, timed = with_memory(plain, arcs, zone, long)
    timed += _timed_turns(graph, edges, state_arc, [turn for turn in short if turn[1] >= 0])
    bits = np.array([mode.bit for mode in modes], np.uint16)[:, None]
    class_cost_ms = np.where(edges.modes & bits, cost_ms[:, edges.turn], np.int32(INFINITE))
    blocked = np.logical_and.reduce([(graph.node_blocked & mode.bit) != 0 for mode in modes])
    network = _finish(modes[0], True, edges, class_cost_ms[0], state_arc, graph.arc_count, blocked)
    columns = [frozen(column) for column in np.array(sorted(set(timed)), np.int32).reshape(-1, 3).T]
    return replace(
        network, modes=modes, class_cost_ms=frozen(class_cost_ms),
        timed_edge=columns[0], timed_edge_rule=columns[1], timed_edge_modes=columns[2],
    )  # fmt: skip


def _united(
    arc_count: int, modes: tuple[StreetMode, ...], turns: list[tuple[Int64, Int32]]
) -> tuple[Edges, npt.NDArray[np.int32]]:
    """Edges between arcs that any class may take, with their costs by class (int32[k, e], `INFINITE` = not allowed)."""
    keys = turns[0][0] if len(turns) == 1 else np.unique(np.concatenate([key for key, _ in turns]))
    cost_ms = np.full((len(modes), len(keys)), INFINITE, np.int32)
    allowed = np.zeros(len(keys), np.uint16)
    for row, (mode, (key, cost)) in enumerate(zip(modes, turns, strict=True)):
        place = np.searchsorted(keys, key)
        cost_ms[row, place] = cost
        allowed[place] |= np.uint16(mode.bit)
    arc, to = (part.astype(np.int32) for part in np.divmod(keys, max(arc_count, 1)))
    first = np.zeros(arc_count + 1, np.int32)
    np.cumsum(np.bincount(arc, minlength=arc_count), out=first[1:])
    return Edges(first, to, arc, np.arange(len(keys), dtype=np.int32), allowed), cost_ms


def _restrictions(
    graph: StreetGraph, modes: tuple[StreetMode, ...], usable: Mapping[StreetMode, npt.NDArray[np.bool_]]
) -> tuple[list[tuple[int, int, int]], Sequences]:
    """Split the restrictions of some modes into (two-arc key, rule, modes) and longer sequences; rule -1 = always."""
    short: dict[tuple[int, int], int] = {}
    long: dict[tuple[tuple[int, ...], int], int] = {}
    for r in np.flatnonzero(graph.restriction_modes & sum(mode.bit for mode in modes)):
        arcs = graph.restriction_arcs[graph.first_restriction[r] : graph.first_restriction[r + 1]]
        bound = sum(mode.bit for mode in modes if graph.restriction_modes[r] & mode.bit and usable[mode][arcs].all())
        rule = int(graph.restriction_rule[r])
        if bound and len(arcs) == 2:
            turn = int(arcs[0]) * graph.arc_count + int(arcs[1]), rule
            short[turn] = short.get(turn, 0) | bound
        elif bound:
            sequence = tuple(int(arc) for arc in arcs), rule
            long[sequence] = long.get(sequence, 0) | bound
    return (
        sorted((key, rule, bound) for (key, rule), bound in short.items()),
        sorted((arcs, rule, bound) for (arcs, rule), bound in long.items()),
    )


def _timed_turns(graph: StreetGraph, edges: Edges, state_arc: Int32, short: list[tuple[int, int, int]]) -> Timed:
    """Edges between two arcs that are forbidden by a rule."""
    if not short:
        return []
    key = edges.arc.astype(np.int64) * graph.arc_count + state_arc[edges.to]
    found = np.flatnonzero(np.isin(key, np.array([turn for turn, _, _ in short], np.int64)))
    rules: dict[int, list[tuple[int, int]]] = {}
    for turn, rule, bound in short:
        rules.setdefault(turn, []).append((rule, bound))
    return [(edge, rule, bound) for edge in found.tolist() for rule, bound in rules[int(key[edge])]]


def _plain_turns(
    graph: StreetGraph,
    usable: npt.NDArray[np.bool_],
    blocked: npt.NDArray[np.bool_],
    banned: Int64,
    costs: TurnCosts,
) -> tuple[Int64, Int32]:
    """All turns a class may take as if no restriction had a memory: keys ``from · m + to``, ascending, and their costs."""
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
    travelled = np.repeat(np.arange(graph.arc_count, dtype=np.int64), np.diff(first))
    return travelled * graph.arc_count + to, cost_ms


def _finish(
    mode: StreetMode,
    edge_based: bool,
    edges: Edges,
    cost_ms: Int32,
    state_arc: Int32,
    arc_count: int,
    blocked: npt.NDArray[np.bool_],
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
        cost_ms,
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
    tables = ("names", "rules", "heights")
    arrays: dict[str, Any] = {f.name: frozen(getattr(graph, f.name)) for f in fields(graph) if f.name not in tables}
    return replace(graph, **arrays)


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a plain, contiguous, read-only view.

    Kernels are compiled per array type and read-only is part of it: everything that lives long is given to them like this.
    """
    view = np.ascontiguousarray(array).view(np.ndarray)
    view.flags.writeable = False
    return view

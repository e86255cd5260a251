"""Islands: which arcs belong to the part of a mode's network that hangs together."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from routing.kernels import street_components as kernels
from routing.model.modes import StreetMode
from routing.model.street_graph import OPEN_ONLY_WHILE, StreetGraph
from routing.street.metric import closed_to_vehicle
from routing.street.network import StreetNetwork, build_network, frozen_graph
from routing.street.profiles import DEFAULT_LIMITS, NO_TURN_COSTS


def routable_arcs(graph: StreetGraph) -> npt.NDArray[np.uint16]:
    """Modes (uint16[m], `StreetMode` bits) for which an arc is reached from, and reaches, the largest connected part.

    Connected means strongly, with turn restrictions, barriers and no-through zones; O(modes × turns). Streets that are open at
    certain hours only count as closed, and so do those too narrow, low or weak for the usual vehicle of a mode.
    """
    access = always_open(graph)
    for mode, vehicle in DEFAULT_LIMITS.items():
        access[closed_to_vehicle(graph, vehicle)] &= ~np.uint16(mode.bit)
    graph = frozen_graph(replace(graph, arc_access=access))
    mask = np.zeros(graph.arc_count, np.uint16)
    for mode in StreetMode:
        if ((graph.arc_access & mode.bit) != 0).any():
            mask[_routable(graph, build_network(graph, mode, NO_TURN_COSTS))] |= mode.bit
    return mask


def always_open(graph: StreetGraph) -> npt.NDArray[np.uint16]:
    """Modes (uint16[m]) that may travel an arc at any hour, but for hours when it is closed by exception."""
    access = graph.arc_access.copy()
    only = graph.condition_effect == OPEN_ONLY_WHILE
    np.bitwise_and.at(access, graph.condition_arc[only], ~graph.condition_modes[only])
    return access


def _routable(graph: StreetGraph, network: StreetNetwork) -> npt.NDArray[np.bool_]:
    states = network.state_count
    label = np.empty(states, np.int32)
    kernels.strong_components(network.first_edge, network.edge_to, label)
    seed = int(np.flatnonzero(label == np.bincount(label).argmax())[0])
    reached, reaching = np.zeros(states, np.bool_), np.zeros(states, np.bool_)
    kernels.reach(network.first_edge, network.edge_to, seed, reached)
    kernels.reach(network.back_first, network.back_to, seed, reaching)
    routable: npt.NDArray[np.bool_] = (graph.arc_access & network.mode.bit) != 0
    if network.edge_based:
        for states_found in (reached, reaching):
            arcs = np.zeros(graph.arc_count, np.bool_)
            arcs[network.state_arc[states_found]] = True
            routable &= arcs
    else:
        routable &= _beside(graph, reached & reaching, network.blocked)
    return routable


def _beside(graph: StreetGraph, nodes: npt.NDArray[np.bool_], blocked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Arcs with an end at one of `nodes` that is not blocked: what is walked from there, up to a barrier."""
    open_nodes = nodes & ~blocked
    beside: npt.NDArray[np.bool_] = open_nodes[graph.arc_tail] | open_nodes[graph.arc_head]
    return beside

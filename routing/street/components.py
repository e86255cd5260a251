"""Islands: which arcs belong to the part of a mode's network that hangs together."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.street.network import StreetNetwork, build_network
from routing.street.profiles import NO_TURN_COSTS


def routable_arcs(graph: StreetGraph) -> npt.NDArray[np.uint16]:
    """Modes (uint16[m] of `StreetMode` bits) for which an arc is reached from, and reaches, the largest strongly connected part.

    Turn restrictions, barriers and no-through zones count; O(modes × turns).
    """
    mask = np.zeros(graph.arc_count, np.uint16)
    for mode in StreetMode:
        if ((graph.arc_access & mode.bit) != 0).any():
            mask[_routable(graph, build_network(graph, mode, NO_TURN_COSTS))] |= mode.bit
    return mask


def _routable(graph: StreetGraph, network: StreetNetwork) -> npt.NDArray[np.bool_]:
    states = network.state_count
    ones = np.ones(len(network.edge_to), np.int8)
    forward = csr_array((ones, network.edge_to, network.first_edge), shape=(states, states))
    backward = csr_array((ones, network.back_to, network.back_first), shape=(states, states))
    _, label = connected_components(forward, directed=True, connection="strong")
    seed = int(np.flatnonzero(label == np.bincount(label).argmax())[0])
    reached, reaching = np.zeros(states, bool), np.zeros(states, bool)
    reached[breadth_first_order(forward, seed, return_predecessors=False)] = True
    reaching[breadth_first_order(backward, seed, return_predecessors=False)] = True
    usable = (graph.arc_access & network.mode.bit) != 0
    if not network.edge_based:
        return usable & (reached & reaching)[graph.arc_tail] & (reached & reaching)[graph.arc_head]
    entered, leaves = np.zeros(graph.arc_count, bool), np.zeros(graph.arc_count, bool)
    entered[network.state_arc[reached]] = True
    leaves[network.state_arc[reaching]] = True
    return usable & entered & leaves

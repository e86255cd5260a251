"""A customizable contraction hierarchy: the part that depends on the network, not on its weights."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import cch_build as kernels
from routing.street.network import StreetNetwork, frozen
from routing.street.node_order import nested_dissection, undirected

Int32 = npt.NDArray[np.int32]
UInt32 = npt.NDArray[np.uint32]

DEEPEST = 65_000
"""Greatest depth of an elimination tree that fits the arrays; road networks of whole countries stay below 3 000."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Contraction hierarchy of a graph; n nodes, a up arcs, e input edges.

    Nodes are called by their rank (0 = contracted first). Ranks are in post-order of the elimination forest: a subtree is a
    range of ranks.

    Attributes
    ----------
    rank : int32[n]
        Of the graph's nodes.
    parent, depth : int32[n]
        Elimination forest (-1 above roots), and the depth in it.
    up_first : uint32[n + 1]
        Up arcs of node `x` are ``up_first[x]:up_first[x + 1]``, sorted by head.
    up_head, up_tail : int32[a]
    head_depth : uint16[a]
        Depth of the heads.
    down_first, down_arc, down_end : uint32
        Arcs into every node (CSR, ascending), and where the up arcs of their tails end.
    slot : int32[e]
        Place of every input edge among the weights: ``2 · arc`` upward, ``2 · arc + 1`` downward, -1 for loops.
    slot_first, slot_edge : int32[2a + 1], int32[…]
        Input edges of every slot (CSR).
    memo : dict
        What others have worked out from it, to be kept with it.

    References
    ----------
    Dibbelt, Strasser, Wagner: Customizable Contraction Hierarchies. ACM JEA 21 (2016), doi:10.1145/2886843.
    """

    rank: Int32
    parent: Int32
    depth: Int32
    up_first: UInt32
    up_head: Int32
    up_tail: Int32
    head_depth: npt.NDArray[np.uint16]
    down_first: UInt32
    down_arc: UInt32
    down_end: UInt32
    slot: Int32
    slot_first: Int32
    slot_edge: Int32
    memo: dict[str, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    @property
    def node_count(self) -> int:
        """Number of nodes."""
        return len(self.rank)

    @property
    def arc_count(self) -> int:
        """Number of up arcs."""
        return len(self.up_head)

    def check_fits(self, network: StreetNetwork) -> None:
        """Check that this is the hierarchy of `network`.

        Raises
        ------
        InvalidInput
            If it was built for another one.
        """
        if self.node_count != network.state_count or len(self.slot) != len(network.edge_to):
            raise InvalidInput(
                f"the hierarchy is for {self.node_count} states and {len(self.slot)} edges, the network of {network.mode.name} "
                f"has {network.state_count} and {len(network.edge_to)}: build it again",
                "hierarchy",
            )

    @property
    def row_length(self) -> int:
        """Greatest depth + 1: what a row over all ancestors of a node needs."""
        return int(self.depth.max(initial=0)) + 1


def build_hierarchy(network: StreetNetwork) -> Hierarchy:
    """Build the hierarchy of a network's states; seconds for a city."""
    tail = np.repeat(np.arange(network.state_count, dtype=np.int32), np.diff(network.first_edge))
    return hierarchy_of(tail, network.edge_to, network.state_count)


def hierarchy_of(tail: Int32, head: Int32, node_count: int, order: npt.ArrayLike | None = None) -> Hierarchy:
    """Build the hierarchy of a directed graph given by its edges.

    Parameters
    ----------
    tail, head : int32[e]
    node_count : int
    order : int32[n], optional
        Nodes in the order to contract them; default: nested dissection.

    Raises
    ------
    InvalidInput
        For an order that is no permutation of the nodes, or a hierarchy deeper than `DEEPEST`.
    """
    first, neighbour = undirected(tail, head, node_count)
    contract = nested_dissection(first, neighbour) if order is None else np.asarray(order, np.int32)
    rank = np.full(node_count, -1, np.int32)
    if contract.shape != (node_count,) or (node_count and (contract.min() < 0 or contract.max() >= node_count)):
        raise InvalidInput(f"order: {contract.shape} is no permutation of {node_count} nodes", "order")
    rank[contract] = np.arange(node_count, dtype=np.int32)
    if (rank < 0).any():
        raise InvalidInput(f"order: node {int(np.flatnonzero(rank < 0)[0])} is missing, another one comes twice", "order")
    _, _, parent = kernels.eliminate(first, neighbour, rank, contract)
    rank = kernels.postorder(parent)[rank]
    contract = np.empty_like(contract)
    contract[rank] = np.arange(node_count, dtype=np.int32)
    up_first, up_head, parent = kernels.eliminate(first, neighbour, rank, contract)
    return _finish(rank, up_first.astype(np.uint32), up_head, parent, rank[tail], rank[head])


def _finish(rank: Int32, up_first: UInt32, up_head: Int32, parent: Int32, edge_tail: Int32, edge_head: Int32) -> Hierarchy:
    arcs = len(up_head)
    depth = kernels.depths(parent)
    if depth.max(initial=0) > DEEPEST:
        raise InvalidInput(f"the hierarchy is {depth.max()} levels deep, more than {DEEPEST}: this is no road network", "order")
    up_tail, head_depth = np.empty(arcs, np.int32), np.empty(arcs, np.uint16)
    down_first, down_arc = np.zeros(len(rank) + 1, np.uint32), np.empty(arcs, np.uint32)
    kernels.arc_columns(up_first, up_head, depth, up_tail, head_depth, down_first, down_arc)
    slot = np.empty(len(edge_tail), np.int32)
    kernels.input_slots(edge_tail, edge_head, up_first, up_head, slot)
    edges = np.argsort(slot, kind="stable").astype(np.int32)
    edges = edges[slot[edges] >= 0]
    slot_first = np.zeros(2 * arcs + 1, np.int32)
    np.cumsum(np.bincount(slot[edges], minlength=2 * arcs), out=slot_first[1:])
    down_end = up_first[up_tail[down_arc] + 1]
    nodes = (rank, parent, depth, up_first, up_head, up_tail, head_depth)
    return Hierarchy(*(frozen(column) for column in (*nodes, down_first, down_arc, down_end, slot, slot_first, edges)))

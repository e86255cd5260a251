"""Building a customizable contraction hierarchy: fill-in and elimination tree of a given node order.

Nodes are called by their rank, 0 = contracted first. An *up arc* leads from a node to one of higher rank; ``up_head`` of a node
is sorted, so its first entry is the node's parent in the elimination tree, and all its entries are ancestors.

References
----------
Dibbelt, Strasser, Wagner: Customizable Contraction Hierarchies. ACM JEA 21 (2016), doi:10.1145/2886843.
"""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_types import Int32, Int64, UInt16, UInt32

NOBODY = -1
"""Parent of a root of the elimination forest."""


@kernel
def eliminate(first: Int64, neighbour: Int32, rank: Int32, order: Int32) -> tuple[Int64, Int32, Int32]:
    """Contract the nodes of an undirected graph in order; O(up arcs · log of a node's up arcs).

    Parameters
    ----------
    first : int64[n + 1]
    neighbour : int32[…]
        Adjacency, both directions, by node number.
    rank, order : int32[n]
        Place of each node, and the node of each place.

    Returns
    -------
    up_first : int64[n + 1]
    up_head : int32[a]
    parent : int32[n]
        `NOBODY` for roots.
    """
    n = len(rank)
    up_first = np.zeros(n + 1, np.int64)
    up_head = np.empty(max(16, 4 * len(neighbour)), np.int32)
    parent = np.full(n, NOBODY, np.int32)
    child, sibling, mark = np.full(n, -1, np.int32), np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    count = 0
    for x in range(n):
        begin = count
        mark[x] = x
        if count + n > len(up_head):
            needed = np.int64(first[order[x] + 1] - first[order[x]])
            c = child[x]
            while c >= 0:
                needed += up_first[c + 1] - up_first[c]
                c = sibling[c]
            if count + needed > len(up_head):
                larger = np.empty(2 * len(up_head) + needed, np.int32)
                larger[:count] = up_head[:count]
                up_head = larger
        for e in range(first[order[x]], first[order[x] + 1]):
            y = rank[neighbour[e]]
            if y > x and mark[y] != x:
                mark[y] = x
                up_head[count] = y
                count += 1
        c = child[x]
        while c >= 0:
            for a in range(up_first[c], up_first[c + 1]):
                y = up_head[a]
                if mark[y] != x:
                    mark[y] = x
                    up_head[count] = y
                    count += 1
            c = sibling[c]
        up_head[begin:count].sort()
        up_first[x + 1] = count
        if count > begin:
            up = up_head[begin]
            parent[x] = up
            sibling[x] = child[up]
            child[up] = x
    return up_first, up_head[:count].copy(), parent


@kernel
def postorder(parent: Int32) -> Int32:
    """Places (int32[n]) that visit the elimination forest in post-order: subtrees become ranges, fill-in stays the same."""
    n = len(parent)
    size = np.ones(n, np.int32)
    for x in range(n):
        if parent[x] >= 0:
            size[parent[x]] += size[x]
    place, room = np.empty(n, np.int32), np.empty(n, np.int32)
    top = n
    for x in range(n - 1, -1, -1):
        up = parent[x]
        if up < 0:
            place[x] = top - 1
            top -= size[x]
        else:
            place[x] = room[up] - 1
            room[up] -= size[x]
        room[x] = place[x]
    return place


@kernel
def depths(parent: Int32) -> Int32:
    """Depth (int32[n]) of every node in the elimination forest, 0 at the roots."""
    depth = np.zeros(len(parent), np.int32)
    for x in range(len(parent) - 1, -1, -1):
        if parent[x] >= 0:
            depth[x] = depth[parent[x]] + 1
    return depth


@kernel
def arc_columns(
    up_first: UInt32, up_head: Int32, depth: Int32, up_tail: Int32, head_depth: UInt16, down_first: UInt32, down_arc: UInt32
) -> None:
    """Fill tails, depths of heads, and the arcs into every node (CSR, ascending) of a hierarchy."""
    n = len(depth)
    for x in range(n):
        for a in range(up_first[x], up_first[x + 1]):
            up_tail[a] = x
            head_depth[a] = depth[up_head[a]]
            down_first[up_head[a] + 1] += 1
    for x in range(n):
        down_first[x + 1] += down_first[x]
    place = down_first[:-1].copy()
    for a in range(len(up_head)):
        y = up_head[a]
        down_arc[place[y]] = a
        place[y] += 1


@kernel
def input_slots(edge_tail: Int32, edge_head: Int32, up_first: UInt32, up_head: Int32, slot: Int32) -> None:
    """Find for every input edge (ends as ranks) its slot: ``2 · arc`` upward, ``2 · arc + 1`` downward, -1 for loops."""
    for e in range(len(edge_tail)):
        low, high = min(edge_tail[e], edge_head[e]), max(edge_tail[e], edge_head[e])
        slot[e] = -1
        if low == high:
            continue
        left, right = np.int64(up_first[low]), np.int64(up_first[low + 1])
        while left < right:
            middle = (left + right) >> 1
            if up_head[middle] < high:
                left = middle + 1
            else:
                right = middle
        slot[e] = 2 * left + (1 if edge_tail[e] > edge_head[e] else 0)

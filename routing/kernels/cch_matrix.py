"""Many-to-many by meeting on the elimination tree.

The climb from a position visits the ancestors of its anchors, so a position is described by one time per ancestor: a *label*,
ordered by depth. The quickest way between two positions meets at one of their common ancestors, which are the first entries of
both labels: a time of the matrix is the minimum over the sum of two short arrays. Two positions of a city share few ancestors
(their separators), so this reads far less than a sweep over the targets' search spaces.

A position with several anchors (both directions of a street) has their common ancestors as label; the few nodes below, where
its anchors' ways are still apart, are its *branches*, and only pairs whose ways meet that low look at them.

References
----------
Dibbelt, Strasser, Wagner: Customizable Contraction Hierarchies, doi:10.1145/2886843 (elimination tree).
Ouyang et al.: When Hierarchy Meets 2-Hop-Labeling. SIGMOD 2018, doi:10.1145/3183713.3196913 (labels along a tree).
"""

from collections.abc import Callable

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.cch_query import climb
from routing.kernels.jit import kernel
from routing.kernels.street_types import Bools, Int32, Int64, Number, UInt32


@kernel
def label(
    up_first: UInt32,
    up_head: Int32,
    parent: Int32,
    weight_ms: Int32,
    side: int,
    first: Int32,
    node: Int32,
    node_ms: Int32,
    time_ms: Int32,
    via: Int32,
    path: Int32,
    common: Int32,
    label_node: Int32,
    label_ms: Int32,
    branch_first: Int64,
    branch_node: Int32,
    branch_ms: Int32,
) -> int:
    """Climb from every position and write down its label.

    Parameters
    ----------
    first, node, node_ms : int32
        Anchors of k positions (CSR, ranks).
    time_ms, via, path : int32[n]
        Scratch; `time_ms` all `FAR` before and after.
    common : int32[k]
        Out: length of the label: number of ancestors that all anchors share.
    label_node, label_ms : int32[k, greatest depth + 1]
        Out: the shared ancestors from the root down, and the time there.
    branch_first : int64[k + 1]
    branch_node, branch_ms : int32[…]
        Out: nodes below the shared ancestors (CSR).

    Returns
    -------
    int
        Length of the branches in all; where it exceeds ``len(branch_node)`` the call must be repeated with more room.
    """
    branches = 0
    branch_first[0] = 0
    for i in range(len(first) - 1):
        rows = slice(first[i], first[i + 1])
        visited, merged = climb(up_first, up_head, parent, weight_ms, side, node[rows], node_ms[rows], time_ms, via, path)
        common[i] = visited - merged
        for j in range(visited):
            v = path[j]
            if j >= merged:
                label_node[i, visited - 1 - j] = v
                label_ms[i, visited - 1 - j] = time_ms[v]
            else:
                if branches < len(branch_node):
                    branch_node[branches] = v
                    branch_ms[branches] = time_ms[v]
                branches += 1
            time_ms[v] = FAR
        branch_first[i + 1] = branches
    return branches


@kernel
def shared_with_next(order: Int64, common: Int32, label_node: Int32, shared: Int32) -> None:
    """Number of ancestors each position shares with the next one in `order` (0 for the last): ``shared`` int32[k]."""
    for j in range(len(order)):
        shared[j] = 0
        if j + 1 < len(order):
            a, b = order[j], order[j + 1]
            limit = min(common[a], common[b])
            d = 0
            while d < limit and label_node[a, d] == label_node[b, d]:
                d += 1
            shared[j] = d


def _make_join(some: bool) -> Callable[..., None]:
    """Make the join of all pairs, or of `some`: known when compiled, so that the other's code is not in it."""

    @kernel
    def join(
        begin: int,
        end: int,
        common: Int32,
        label_node: Int32,
        label_ms: Int32,
        branch_first: Int64,
        branch_node: Int32,
        branch_ms: Int32,
        depth: Int32,
        to_order: Int64,
        to_shared: Int32,
        to_common: Int32,
        to_node: Int32,
        to_ms: Int32,
        to_branch_first: Int64,
        to_branch_node: Int32,
        to_branch_ms: Int32,
        wanted: Bools,
        out_ms: Int32,
    ) -> None:
        """Fill the rows ``begin … end - 1`` of the matrix from the labels of sources and targets.

        Parameters
        ----------
        to_order : int64[t]
            Targets sorted by the last node of their label.
        to_shared : int32[t]
            From `shared_with_next`.
        wanted : bool[s, t]
            Pairs to fill, where not all are.
        out_ms : int32[s, t]
            Out: `FAR` where there is no way.
        """
        count = len(to_order)
        for i in range(begin, end):
            if common[i] == 0:
                for j in range(count):
                    if some and not wanted[i, to_order[j]]:
                        continue
                    out_ms[i, to_order[j]] = _low(
                        i, to_order[j], FAR, common, label_node, label_ms, branch_first, branch_node, branch_ms, depth,
                        to_common, to_node, to_ms, to_branch_first, to_branch_node, to_branch_ms,
                    )  # fmt: skip
                continue
            place = _place(label_node[i, common[i] - 1], to_order, to_common, to_node)
            for direction in range(2):
                j = place if direction == 0 else place - 1
                shared = np.int64(common[i])
                fresh = True
                while 0 <= j < count:
                    t = to_order[j]
                    if fresh:
                        shared = _shared(i, t, common, label_node, to_common, to_node)
                        fresh = False
                    if not some or wanted[i, t]:
                        best: Number = np.int32(2 * FAR)
                        mine, other = label_ms[i, :shared], to_ms[t, :shared]
                        for d in range(shared):
                            best = min(best, np.int32(mine[d] + other[d]))
                        low = (shared == common[i] and branch_first[i] < branch_first[i + 1]) or (
                            shared == to_common[t] and to_branch_first[t] < to_branch_first[t + 1]
                        )
                        if low:
                            best = _low(
                                i, t, best, common, label_node, label_ms, branch_first, branch_node, branch_ms, depth,
                                to_common, to_node, to_ms, to_branch_first, to_branch_node, to_branch_ms,
                            )  # fmt: skip
                        out_ms[i, t] = min(best, np.int32(FAR))
                    if direction == 0:
                        shared = min(shared, np.int64(to_shared[j]))
                        j += 1
                    else:
                        j -= 1
                        if j >= 0:
                            shared = min(shared, np.int64(to_shared[j]))

    return join


@kernel
def _place(node: Number, to_order: Int64, to_common: Int32, to_node: Int32) -> int:
    """First place in the sorted targets whose label ends at `node` or higher (targets without label come first)."""
    low, high = 0, len(to_order)
    while low < high:
        middle = (low + high) >> 1
        t = to_order[middle]
        last = to_node[t, to_common[t] - 1] if to_common[t] > 0 else -1
        if last < node:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _shared(i: Number, t: Number, common: Int32, label_node: Int32, to_common: Int32, to_node: Int32) -> Number:
    limit = np.int64(min(common[i], to_common[t]))
    d = np.int64(0)
    while d < limit and label_node[i, d] == to_node[t, d]:
        d += 1
    return d


@kernel
def _low(
    i: Number,
    t: Number,
    best: Number,
    common: Int32,
    label_node: Int32,
    label_ms: Int32,
    branch_first: Int64,
    branch_node: Int32,
    branch_ms: Int32,
    depth: Int32,
    to_common: Int32,
    to_node: Int32,
    to_ms: Int32,
    to_branch_first: Int64,
    to_branch_node: Int32,
    to_branch_ms: Int32,
) -> Number:
    """Improve `best` by meetings in the branches of either side."""
    best = np.int32(best)
    for k in range(branch_first[i], branch_first[i + 1]):
        v, now = branch_node[k], branch_ms[k]
        d = depth[v]
        if d < to_common[t] and to_node[t, d] == v:
            best = min(best, np.int32(now + to_ms[t, d]))
        for b in range(to_branch_first[t], to_branch_first[t + 1]):
            if to_branch_node[b] == v:
                best = min(best, np.int32(now + to_branch_ms[b]))
    for b in range(to_branch_first[t], to_branch_first[t + 1]):
        v = to_branch_node[b]
        d = depth[v]
        if d < common[i] and label_node[i, d] == v:
            best = min(best, np.int32(to_branch_ms[b] + label_ms[i, d]))
    return best


join = _make_join(False)
join_some = _make_join(True)

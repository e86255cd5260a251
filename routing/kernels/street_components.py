"""Strongly connected components (Tarjan 1972, doi:10.1137/0201010, without recursion) and reachability on a CSR graph."""

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.street_types import Bools, Int32


@kernel
def strong_components(first_edge: Int32, edge_to: Int32, label: Int32) -> int:
    """Fill ``label`` (int32[s]) with component numbers; return how many there are. O(s + e)."""
    states = len(first_edge) - 1
    label[:] = -1
    order = np.full(states, -1, np.int32)
    low = np.empty(states, np.int32)
    next_edge = first_edge[:-1].copy()
    caller = np.full(states, -1, np.int32)
    stack = np.empty(states, np.int32)
    height = visited = found = 0
    for root in range(states):
        s = root if order[root] < 0 else -1
        while s >= 0:
            if order[s] < 0:
                order[s] = low[s] = visited
                visited += 1
                stack[height] = s
                height += 1
            below = -1
            while next_edge[s] < first_edge[s + 1]:
                to = edge_to[next_edge[s]]
                next_edge[s] += 1
                if order[to] < 0:
                    caller[to] = s
                    below = to
                    break
                if label[to] < 0:
                    low[s] = min(low[s], order[to])
            if below >= 0:
                s = below
                continue
            if low[s] == order[s]:
                while True:
                    height -= 1
                    label[stack[height]] = found
                    if stack[height] == s:
                        break
                found += 1
            above = caller[s]
            if above >= 0:
                low[above] = min(low[above], low[s])
            s = above
    return found


@kernel
def reach(first_edge: Int32, edge_to: Int32, start: int, reached: Bools) -> int:
    """Set ``reached`` (bool[s], all false before) for every state reached from `start`; return how many."""
    queue = np.empty(len(reached), np.int32)
    queue[0] = start
    reached[start] = True
    done, size = 0, 1
    while done < size:
        s = queue[done]
        done += 1
        for e in range(first_edge[s], first_edge[s + 1]):
            to = edge_to[e]
            if not reached[to]:
                reached[to] = True
                queue[size] = to
                size += 1
    return size

"""Lengths along quickest ways on a customised hierarchy, for matrices.

Times and lengths are compared in this order, so a length is that of the shortest of all quickest ways. Every arc of the
hierarchy gets the length of what it stands for by the same pass over lower triangles that gave it its weight; labels and
meetings carry lengths as second entries (`routing.kernels.cch_matrix`).
"""

import numpy as np

from routing.kernels.cch_customise import FAR
from routing.kernels.cch_query import climb
from routing.kernels.jit import kernel
from routing.kernels.street_types import Float32, Int32, Int64, UInt16, UInt32


@kernel
def arc_lengths(
    up_first: UInt32, head_depth: UInt16, down_first: UInt32, down_arc: UInt32, down_end: UInt32, slot_first: Int32,
    slot_edge: Int32, edge_ms: Int32, edge_m: Float32, weight_ms: Int32, row_ms: Int32, row_m: Float32, length_m: Float32,
) -> None:  # fmt: skip
    """Length of every arc in both directions.

    Parameters
    ----------
    edge_ms, edge_m : int32[e], float32[e]
        Weights and lengths of the input edges.
    weight_ms : int32[a, 2]
        Customised weights.
    row_ms, row_m : int32[greatest depth + 1, 2], float32[greatest depth + 1, 2]
        Scratch.
    length_m : float32[a, 2]
        Out: infinite where there is no way.
    """
    for y in range(len(up_first) - 1):
        for a in range(np.int64(up_first[y]), np.int64(up_first[y + 1])):
            d = head_depth[a]
            for side in range(2):
                row_ms[d, side] = weight_ms[a, side]
                row_m[d, side] = np.inf
                for k in range(slot_first[2 * a + side], slot_first[2 * a + side + 1]):
                    if edge_ms[slot_edge[k]] == weight_ms[a, side]:
                        row_m[d, side] = min(row_m[d, side], edge_m[slot_edge[k]])
        for k in range(np.int64(down_first[y]), np.int64(down_first[y + 1])):
            a = int(down_arc[k])
            for b in range(a + 1, np.int64(down_end[k])):
                d = head_depth[b]
                for side in range(2):
                    if weight_ms[a, 1 - side] + weight_ms[b, side] == row_ms[d, side]:
                        row_m[d, side] = min(row_m[d, side], length_m[a, 1 - side] + length_m[b, side])
        for a in range(np.int64(up_first[y]), np.int64(up_first[y + 1])):
            for side in range(2):
                length_m[a, side] = row_m[head_depth[a], side]


@kernel
def label(
    up_first: UInt32, up_head: Int32, parent: Int32, weight_ms: Int32, length_m: Float32, side: int, node: Int32,
    node_ms: Int32, node_m: Float32, time_ms: Int32, far_m: Float32, via: Int32, path: Int32, out_node: Int32, out_ms: Int32,
    out_m: Float32,
) -> int:  # fmt: skip
    """Climb from one position: ancestors of its anchors ascending, with the time and the length there.

    Parameters
    ----------
    node, node_ms, node_m : [k]
        Anchors (ranks), times and lengths.
    time_ms, far_m, via, path : [n]
        Scratch; `time_ms` all `FAR` before and after.
    out_node, out_ms, out_m : int32[…], int32[…], float32[…]

    Returns
    -------
    int
        Ancestors written.
    """
    visited, _ = climb(up_first, up_head, parent, weight_ms, side, node, node_ms, time_ms, via, path)
    for j in range(visited):
        far_m[path[j]] = np.inf
    for i in range(len(node)):
        if node_ms[i] == time_ms[node[i]]:
            far_m[node[i]] = min(far_m[node[i]], node_m[i])
    for j in range(visited):
        v = path[j]
        if time_ms[v] >= FAR:
            continue
        for a in range(np.int64(up_first[v]), np.int64(up_first[v + 1])):
            up = up_head[a]
            if time_ms[v] + weight_ms[a, side] == time_ms[up]:
                far_m[up] = min(far_m[up], far_m[v] + length_m[a, side])
    written = 0
    for j in range(visited):
        v = path[j]
        if time_ms[v] < FAR:
            out_node[written], out_ms[written], out_m[written] = v, time_ms[v], far_m[v]
            written += 1
    for j in range(visited):
        time_ms[path[j]] = FAR
    return written


@kernel
def meet(
    first: Int64, node: Int32, ms: Int32, m: Float32, to_node: Int32, to_ms: Int32, to_m: Float32, mark_ms: Int32,
    mark_m: Float32, out_ms: Int32, out_m: Float32,
) -> None:  # fmt: skip
    """Times and lengths from all sources to one target, whose label is spread over all nodes.

    Parameters
    ----------
    first, node, ms, m : int64[s + 1], int32[…], int32[…], float32[…]
        Labels of the sources (CSR).
    to_node, to_ms, to_m
        Label of the target.
    mark_ms, mark_m : int32[n], float32[n]
        Scratch; `mark_ms` all `FAR` before and after.
    out_ms, out_m : int32[s], float32[s]
        Out: `FAR` and infinite where there is no way.
    """
    for k in range(len(to_node)):
        mark_ms[to_node[k]], mark_m[to_node[k]] = to_ms[k], to_m[k]
    for i in range(len(first) - 1):
        best, length = np.int64(FAR), np.float32(np.inf)
        for k in range(first[i], first[i + 1]):
            time = np.int64(ms[k]) + np.int64(mark_ms[node[k]])
            if time <= best and time < FAR:
                meters = m[k] + mark_m[node[k]]
                if time < best or meters < length:
                    length = np.float32(meters)
                best = time
        out_ms[i], out_m[i] = best, length
    for k in range(len(to_node)):
        mark_ms[to_node[k]] = FAR

"""Node orders for hierarchies: nested dissection."""

import numpy as np
import numpy.typing as npt

SEPARATORS = 5
"""Separators METIS tries at each level. More take longer and flatten the hierarchy (1 to 5: a quarter fewer arcs a search)."""


def undirected(tail: npt.ArrayLike, head: npt.ArrayLike, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Undirected adjacency (CSR: int64[n + 1], int32[…]) of a directed graph of `count` nodes, without loops and doubles."""
    tails, heads = np.asarray(tail, np.int64), np.asarray(head, np.int64)
    proper = tails != heads
    tails, heads = tails[proper], heads[proper]
    keys = np.unique(np.concatenate([tails * count + heads, heads * count + tails]))
    first = np.searchsorted(keys, np.arange(count + 1) * count)
    return first.astype(np.int64), (keys % max(count, 1)).astype(np.int32)


def nested_dissection(first: npt.NDArray[np.int64], neighbour: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Order in which to contract the nodes (int32[n], first one first): separators last, by METIS; deterministic.

    References
    ----------
    Karypis, Kumar: A fast and high quality multilevel scheme for partitioning irregular graphs. SIAM J. Sci. Comput. 20 (1998),
    doi:10.1137/S1064827595287997.
    """
    if len(first) < 3 or not len(neighbour):
        return np.arange(len(first) - 1, dtype=np.int32)
    import pymetis  # noqa: PLC0415 - needed to build a city, not to serve one

    adjacency = pymetis.CSRAdjacency(first, neighbour)
    order, _ = pymetis.nested_dissection(adjacency=adjacency, options=pymetis.Options(seed=1, nseps=SEPARATORS))
    return np.asarray(order, np.int32)

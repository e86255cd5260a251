"""Keys of arcs that survive a rebuild of the graph.

The number of an arc changes whenever the map changes anywhere. Its key is made of what it is: the OSM way, the OSM nodes it
leads from and to (so also the direction), and a count where a way runs between the same two nodes more than once. It stays as
long as that piece of the way does; a way that gets a new junction in its middle gets new keys there.
"""

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.model.street_graph import StreetGraph

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]

_ODD = np.uint64(0x9E3779B97F4A7C15)


def arc_keys(graph: StreetGraph) -> Int64:
    """Key (int64[m], positive) of every arc; O(m log m).

    The mixing is that of SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2714064.2660195). That two of a million arcs share a
    key has a probability below 10⁻⁷; `ArcLookup` refuses such a graph.
    """
    way, tail, head = graph.arc_way_osm_id, graph.node_osm_id[graph.arc_tail], graph.node_osm_id[graph.arc_head]
    order = np.lexsort((head, tail, way))
    ordered = np.stack((way, tail, head))[:, order]
    same = np.zeros(len(order), np.bool_)
    same[1:] = (ordered[:, 1:] == ordered[:, :-1]).all(axis=0)
    begin = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    repeat = np.empty(len(order), np.int64)
    repeat[order] = np.arange(len(order)) - begin
    key = np.zeros(len(order), np.uint64)
    for column in (way, tail, head, repeat):
        key = _mixed(key ^ column.astype(np.uint64))
    return (key >> np.uint64(1)).astype(np.int64)


def _mixed(value: UInt64) -> UInt64:
    """Spread every bit over all 64."""
    value = value + _ODD
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


class ArcLookup:
    """From keys to arcs of one graph, and back.

    Attributes
    ----------
    keys : int64[m]
        By arc.

    Raises
    ------
    InvalidInput
        If two arcs share a key.
    """

    def __init__(self, graph: StreetGraph) -> None:
        self.keys = arc_keys(graph)
        self._arc = np.argsort(self.keys, kind="stable").astype(np.int32)
        self._key = self.keys[self._arc]
        doubled = np.flatnonzero(self._key[1:] == self._key[:-1])
        if len(doubled):
            one, other = self._arc[doubled[0]], self._arc[doubled[0] + 1]
            raise InvalidInput(f"street graph: arcs {one} and {other} have the same key {self._key[doubled[0]]}", "arc_key")

    def find_arcs(self, keys: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Arcs (int32[…]) of the given keys, -1 where the graph has none; O(k log m)."""
        wanted = np.asarray(keys, np.int64)
        if not len(self._key):
            return np.full(wanted.shape, -1, np.int32)
        place = np.minimum(np.searchsorted(self._key, wanted), len(self._key) - 1)
        return np.where(self._key[place] == wanted, self._arc[place], -1).astype(np.int32)

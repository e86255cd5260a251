"""Public identifiers of arcs: ``way/key``, the OpenStreetMap way and the arc's key in 16 hexadecimal digits.

The key is made of what the arc is (`routing.street.arc_keys`): it survives every rebuild of the city in which that piece of the
way does, and tells the two directions of a street apart. A piece that gets a new junction in its middle is gone, and so is its
identifier: it never comes to mean another piece.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from routing.model.street_graph import StreetGraph
from routing.street.arc_keys import ArcLookup

KEY_DIGITS = 16


class LinkIds:
    """Identifiers of the arcs of one graph, both ways."""

    def __init__(self, graph: StreetGraph) -> None:
        self._way = np.asarray(graph.arc_way_osm_id)
        self._lookup = ArcLookup(graph)

    def id_of(self, arc: int) -> str:
        """Identifier of an arc."""
        return f"{self._way[arc]}/{int(self._lookup.keys[arc]):0{KEY_DIGITS}x}"

    def list_ids(self, arcs: Iterable[int]) -> list[str]:
        """Identifiers of several arcs."""
        return [self.id_of(int(arc)) for arc in arcs]

    def list_keys(self, arcs: npt.NDArray[np.int32]) -> tuple[int, ...]:
        """Keys of several arcs."""
        return tuple(self._lookup.keys[arcs].tolist())

    def find_keys(self, keys: Sequence[int]) -> npt.NDArray[np.int32]:
        """Arcs of keys, -1 where there is none."""
        return self._lookup.find_arcs(np.array(keys, np.int64))

    def find_arc(self, link_id: str) -> int | None:
        """Arc of an identifier, None where there is none."""
        arc = int(self.find_arcs([link_id])[0])
        return None if arc < 0 else arc

    def find_arcs(self, link_ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Arcs of identifiers, -1 where there is none."""
        keys = np.array([_key(link_id) for link_id in link_ids], np.int64)
        found = self._lookup.find_arcs(keys)
        ways = self._way[found].tolist() if len(self._way) else [None] * len(found)
        same = [link_id.partition("/")[0] == str(way) for link_id, way in zip(link_ids, ways, strict=True)]
        return np.where(same, found, -1).astype(np.int32)


def _key(link_id: str) -> int:
    """Key of an identifier, -1 (which no arc has) if it is written otherwise."""
    text = link_id.partition("/")[2]
    if len(text) != KEY_DIGITS or not set(text) <= set("0123456789abcdef"):
        return -1
    return min(int(text, 16), 2**63 - 1)

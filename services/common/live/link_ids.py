"""Public identifiers of arcs: ``way/piece/direction``.

`piece` counts the pieces a way is cut into at junctions (in the order of the graph's arcs), `direction` is ``f`` for the arc of
a piece that comes first in the graph and ``b`` for its reverse. Stable as long as the map of the way does not change.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from routing.model.street_graph import StreetGraph


class LinkIds:
    """Identifiers of the arcs of one graph, both ways."""

    def __init__(self, graph: StreetGraph) -> None:
        m = graph.arc_count
        arcs = np.arange(m, dtype=np.int64)
        reverse = np.asarray(graph.arc_reverse, np.int64)
        first = np.where(reverse >= 0, np.minimum(arcs, reverse), arcs)
        self._way = np.asarray(graph.arc_way_osm_id)
        self._backward = arcs != first
        order = np.lexsort((self._backward, first, self._way))
        way, piece = self._way[order], first[order]
        new_way = np.concatenate([[True], way[1:] != way[:-1]]) if m else np.empty(0, np.bool_)
        new_piece = np.concatenate([[True], piece[1:] != piece[:-1]]) | new_way if m else new_way
        count = np.cumsum(new_piece) - 1
        start = np.maximum.accumulate(np.where(new_way, count, 0)) if m else count
        self._piece = np.empty(m, np.int64)
        self._piece[order] = count - start
        self._order, self._sorted_way = order, way

    def id_of(self, arc: int) -> str:
        """Identifier of an arc."""
        return f"{self._way[arc]}/{self._piece[arc]}/{'b' if self._backward[arc] else 'f'}"

    def list_ids(self, arcs: Iterable[int]) -> list[str]:
        """Identifiers of several arcs."""
        return [self.id_of(int(arc)) for arc in arcs]

    def find_arc(self, link_id: str) -> int | None:
        """Arc of an identifier, None where there is none."""
        way, _, rest = link_id.partition("/")
        piece, _, direction = rest.partition("/")
        if not way.isascii() or not way.isdigit() or not piece.isdigit() or direction not in {"f", "b"} or len(way) > 18:
            return None
        low, high = np.searchsorted(self._sorted_way, [int(way), int(way) + 1])
        for arc in self._order[low:high].tolist():
            if self._piece[arc] == int(piece) and self._backward[arc] == (direction == "b"):
                return int(arc)
        return None

    def find_arcs(self, link_ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Arcs of identifiers, -1 where there is none."""
        found = (self.find_arc(link_id) for link_id in link_ids)
        return np.array([-1 if arc is None else arc for arc in found], np.int32)

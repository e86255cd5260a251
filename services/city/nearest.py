"""Nearest street nodes by air line, for naming and placing things while a city is built."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree  # type: ignore[import-untyped]

from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph


class NearestNodes:
    """Nodes of the arcs a mode may use, findable by position and by OSM id."""

    def __init__(self, graph: StreetGraph, mode: StreetMode) -> None:
        self.graph = graph
        usable = (graph.arc_access & mode.bit) != 0
        named = graph.arc_name != 0
        self._nodes = np.unique(graph.arc_tail[usable])
        self._id_to_node = {int(osm): int(node) for osm, node in zip(graph.node_osm_id[self._nodes], self._nodes, strict=True)}
        middle = graph.first_shape[:-1] + (graph.first_shape[1:] - graph.first_shape[:-1]) // 2
        self._named_arcs = np.flatnonzero(named)
        shape = middle[self._named_arcs]
        lat = graph.shape_lat_e7[shape] * 1e-7
        lon = graph.shape_lon_e7[shape] * 1e-7
        self._scale = math.cos(math.radians(float(lat.mean()))) if len(lat) else 1.0
        self._tree = cKDTree(np.column_stack([lat, lon * self._scale])) if len(lat) else None

    def find_of(self, node_ids: Sequence[int]) -> tuple[float, float] | None:
        """Position of the first of these OSM nodes that is a street node."""
        for osm in node_ids:
            node = self._id_to_node.get(osm)
            if node is not None:
                return float(self.graph.node_lat_e7[node]) * 1e-7, float(self.graph.node_lon_e7[node]) * 1e-7
        return None

    def find_street_name(self, lat_deg: float, lon_deg: float, within_m: float = 600.0) -> str:
        """Name of the nearest named street, by the middles of its pieces; empty if there is none near."""
        if self._tree is None:
            return ""
        distance, row = self._tree.query([lat_deg, lon_deg * self._scale], distance_upper_bound=within_m / 111_195.0)
        if not math.isfinite(distance):
            return ""
        return self.graph.names[int(self.graph.arc_name[self._named_arcs[row]])]

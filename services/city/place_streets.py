"""Streets as places: one entry per street, made of pieces of one name that lie together."""

import math
from collections import defaultdict

import numpy as np
import numpy.typing as npt

from routing.model.places import PlaceKind
from routing.model.street_graph import ROAD_CLASSES, StreetGraph
from routing.places.folding import fold_words
from services.city.place_types import Localities, Place

GAP_M = 800.0
"""Pieces of one name farther apart than this are different streets."""

Degrees = npt.NDArray[np.float64]

_CLASS_IMPORTANCE = {
    "motorway": 110, "trunk": 110, "primary": 110, "secondary": 100, "tertiary": 90, "unclassified": 60, "residential": 60,
    "living_street": 60, "pedestrian": 90, "service": 30, "footway": 30, "cycleway": 30, "path": 20, "steps": 30, "track": 15,
}  # fmt: skip


def street_places(graph: StreetGraph, languages: tuple[str, ...], localities: Localities) -> list[Place]:
    """One place for every named street, at the middle piece of it."""
    middle = graph.first_shape[:-1] + (graph.first_shape[1:] - graph.first_shape[:-1]) // 2
    lat: Degrees = np.asarray(graph.shape_lat_e7[middle], np.float64) * 1e-7
    lon: Degrees = np.asarray(graph.shape_lon_e7[middle], np.float64) * 1e-7
    # Both directions of a piece count once.
    once = (graph.arc_name != 0) & ((graph.arc_reverse < 0) | (graph.arc_reverse > np.arange(graph.arc_count)))
    by_name: dict[int, list[int]] = defaultdict(list)
    for arc in np.flatnonzero(once).tolist():
        by_name[int(graph.arc_name[arc])].append(arc)
    places = []
    for name, arcs in sorted(by_name.items()):
        text = graph.names[name]
        if not fold_words(text, languages):
            continue
        places += [_street(graph, text, localities, cluster, lat, lon) for cluster in _clusters(arcs, lat, lon)]
    return places


def _street(graph: StreetGraph, name: str, localities: Localities, arcs: list[int], lat: Degrees, lon: Degrees) -> Place:
    centre = _middle(arcs, lat, lon)
    road_class = ROAD_CLASSES[min(int(graph.arc_road_class[arc]) for arc in arcs)].removesuffix("_link")
    length_m = float(graph.arc_length_m[arcs].sum())
    importance = _CLASS_IMPORTANCE.get(road_class, 30) + min(60, round(20 * math.log10(1 + length_m / 100)))
    reference = f"osm:way/{min(int(graph.arc_way_osm_id[arc]) for arc in arcs)}"
    position = float(lat[centre]), float(lon[centre])
    return Place(PlaceKind.STREET, name, *position, importance, f"street:{road_class}", reference, localities.find(*position))


def _middle(arcs: list[int], lat: Degrees, lon: Degrees) -> int:
    """Arc nearest to the mean of all, so that the place lies on the street."""
    rows = np.array(arcs)
    scale = math.cos(math.radians(float(lat[rows[0]])))
    off = (lat[rows] - lat[rows].mean()) ** 2 + ((lon[rows] - lon[rows].mean()) * scale) ** 2
    return int(rows[np.argmin(off)])


def _clusters(arcs: list[int], lat: Degrees, lon: Degrees) -> list[list[int]]:
    """Single-linkage clusters with gaps of at most `GAP_M`."""
    rows = np.array(arcs)
    scale = math.cos(math.radians(float(lat[rows[0]])))
    y, x = lat[rows] * 111_195.0, lon[rows] * 111_195.0 * scale
    free, clusters = np.ones(len(rows), bool), []
    for seed in range(len(rows)):
        if not free[seed]:
            continue
        free[seed] = False
        cluster, queue = [seed], [seed]
        while queue:
            i = queue.pop()
            near = np.flatnonzero(free & (np.hypot(y - y[i], x - x[i]) <= GAP_M)).tolist()
            free[near] = False
            cluster += near
            queue += near
        clusters.append([arcs[i] for i in sorted(cluster)])
    return clusters

"""What a traveller wants to keep away from: areas, streets, kinds of streets."""

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import street_areas as kernels
from routing.model.street_graph import ARC_FERRY, ARC_TOLL, ROAD_CLASSES, SMOOTHNESS, StreetGraph

Ring = tuple[tuple[float, float], ...]
"""(lat, lon) in degrees, three points or more; closed by itself."""

_STEP_M = 5.0
_MOST_POINTS = 10_000
_ROUGH = SMOOTHNESS.index("bad")
_SMOOTH_WAYS = SMOOTHNESS.index("intermediate")
_EARTHEN = [ROAD_CLASSES.index("track"), ROAD_CLASSES.index("path")]


@dataclass(frozen=True, slots=True)
class Avoidance:
    """Streets to avoid: all that any of the fields names.

    Attributes
    ----------
    polygons : tuple of rings
        Arcs with any point inside.
    circles : tuple of (lat, lon, radius_m)
    arcs : tuple of int
    street_names : tuple of str
        Whole names; capitals and accents do not matter.
    road_classes : tuple of str
        From `ROAD_CLASSES`; a class stands for its slip roads (``motorway`` for ``motorway_link``) too.
    tolls, ferries, unpaved : bool
        Unpaved: a surface that is said to be bad or worse, tracks and paths of which nothing better is said.
    """

    polygons: tuple[Ring, ...] = ()
    circles: tuple[tuple[float, float, float], ...] = ()
    arcs: tuple[int, ...] = ()
    street_names: tuple[str, ...] = ()
    road_classes: tuple[str, ...] = ()
    tolls: bool = False
    ferries: bool = False
    unpaved: bool = False

    def __post_init__(self) -> None:
        for k, (lat, lon, radius_m) in enumerate(self.circles):
            if not (abs(lat) <= 90.0 and abs(lon) <= 180.0 and 0.0 < radius_m <= 100_000.0):
                raise InvalidInput(
                    f"circles[{k}] = ({lat}, {lon}, {radius_m}): a position and a radius up to 100 km are needed",
                    f"circles[{k}]",
                )
        for k, name in enumerate(self.road_classes):
            if name not in ROAD_CLASSES:
                raise InvalidInput(f"road_classes[{k}] = {name!r} is none of {', '.join(ROAD_CLASSES)}", f"road_classes[{k}]")


def avoided_arcs(graph: StreetGraph, avoidance: Avoidance) -> npt.NDArray[np.bool_]:
    """Arcs (bool[m]) an `Avoidance` names; O(points of the lines × points of the polygons near them).

    Raises
    ------
    InvalidInput
        For rings that enclose nothing, arcs the graph has not, or a street name nothing is called by.
    """
    avoided = np.zeros(graph.arc_count, np.bool_)
    for k, ring in enumerate(avoidance.polygons):
        lat, lon = ring_arrays(ring, f"polygons[{k}]")
        kernels.touch_ring(graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7, lat, lon, _STEP_M, avoided)
    for lat_deg, lon_deg, radius_m in avoidance.circles:
        place = float(lat_deg), float(lon_deg), float(radius_m)
        kernels.touch_circle(graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7, *place, avoided)
    for k, arc in enumerate(avoidance.arcs):
        if not 0 <= arc < graph.arc_count:
            raise InvalidInput(f"arcs[{k}] = {arc}; arcs are 0 to {graph.arc_count - 1}", f"arcs[{k}]")
        avoided[arc] = True
    if avoidance.street_names:
        avoided |= np.isin(graph.arc_name, _names(graph, avoidance.street_names))
    classes = [ROAD_CLASSES.index(name) for name in ROAD_CLASSES if name.removesuffix("_link") in avoidance.road_classes] + [
        ROAD_CLASSES.index(name) for name in avoidance.road_classes
    ]
    avoided |= np.isin(graph.arc_road_class, classes)
    flags = (ARC_TOLL if avoidance.tolls else 0) | (ARC_FERRY if avoidance.ferries else 0)
    avoided |= (graph.arc_flags & flags) != 0
    if avoidance.unpaved:
        better = (graph.arc_smoothness > 0) & (graph.arc_smoothness <= _SMOOTH_WAYS)
        avoided |= (graph.arc_smoothness >= _ROUGH) | (np.isin(graph.arc_road_class, _EARTHEN) & ~better)
    return avoided


def arcs_within(graph: StreetGraph, ring: Ring) -> npt.NDArray[np.int32]:
    """Arcs whose middle lies inside a ring, ascending: those of a zone, without the streets that only touch it."""
    lat, lon = ring_arrays(ring, "ring")
    found = np.zeros(graph.arc_count, np.bool_)
    kernels.middle_in_ring(graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7, lat, lon, found)
    return np.flatnonzero(found).astype(np.int32)


def ring_arrays(ring: Ring, field: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Latitudes and longitudes of a ring, its first point repeated at the end.

    Raises
    ------
    InvalidInput
        For less than three points, too many, or points that are not on Earth.
    """
    points = np.array(ring, np.float64).reshape(-1, 2)
    if not 3 <= len(points) <= _MOST_POINTS:
        raise InvalidInput(f"{field} has {len(points)} points; between 3 and {_MOST_POINTS} are needed", field)
    wrong = np.flatnonzero(~((np.abs(points[:, 0]) <= 90.0) & (np.abs(points[:, 1]) <= 180.0)))
    if len(wrong):
        raise InvalidInput(f"{field}[{wrong[0]}] = {tuple(points[wrong[0]].tolist())} is not on Earth", f"{field}[{wrong[0]}]")
    closed = np.concatenate([points, points[:1]])
    return np.ascontiguousarray(closed[:, 0]), np.ascontiguousarray(closed[:, 1])


def _names(graph: StreetGraph, wanted: tuple[str, ...]) -> list[int]:
    """Rows of the graph's names that are called like this."""
    folded = {_fold(name): k for k, name in enumerate(wanted)}
    rows = [(row, _fold(name)) for row, name in enumerate(graph.names) if name]
    found = [row for row, name in rows if name in folded]
    known = {name for _, name in rows}
    for name, k in folded.items():
        if name not in known:
            raise InvalidInput(f"street_names[{k}] = {wanted[k]!r}: no street is called so", f"street_names[{k}]")
    return found


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))

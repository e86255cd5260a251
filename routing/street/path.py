"""A way through the streets: arcs, line and steps."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from routing.kernels import street_lines as kernels
from routing.model.heights import find_climb_m
from routing.model.street_graph import ARC_FERRY, ARC_ROUNDABOUT, ROAD_CLASSES, StreetGraph
from routing.street.metric import StreetMetric

Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StreetStep:
    """A stretch on one street.

    Attributes
    ----------
    name : str
        Empty where the street has none.
    road_class : str
        One of `ROAD_CLASSES`.
    manoeuvre : str
        How it begins: depart, straight, slight_right, right, sharp_right, slight_left, left, sharp_left,
        u_turn, roundabout, ferry.
    length_m : float
    time_ms : int
        Driving or walking along; the turns' cost is in the path's time only.
    first_point : int
        Index of its first point in the path's line.
    """

    name: str
    road_class: str
    manoeuvre: str
    length_m: float
    time_ms: int
    first_point: int


@dataclass(frozen=True)
class StreetPath:
    """The quickest way between two positions; a arcs, p points.

    Attributes
    ----------
    time_ms : int
        With turn costs.
    length_m : float
    arcs : int32[a]
        In order of travel.
    start_fraction, end_fraction : float
        Where the way begins on the first arc and ends on the last.
    lat_deg, lon_deg : float64[p]
        The line travelled.
    arc_point : int32[a]
        Index of the first point of every arc in the line.
    arc_length_m, arc_time_ms : float64[a]
        Of the parts travelled, without turns.
    graph : StreetGraph
    """

    time_ms: int
    length_m: float
    arcs: Int32
    start_fraction: float
    end_fraction: float
    lat_deg: Float64
    lon_deg: Float64
    arc_point: Int32
    arc_length_m: Float64
    arc_time_ms: Float64
    graph: StreetGraph = field(repr=False)

    @property
    def climb_m(self) -> tuple[float, float] | None:
        """Metres up and metres down; None where the height of any part of the way is not known."""
        return self.find_climb_m(0, len(self.arcs))

    def find_climb_m(self, begin: int, end: int) -> tuple[float, float] | None:
        """`climb_m` of the arcs ``begin … end - 1`` of the way."""
        if self.graph.heights is None:
            return None
        arcs = self.arcs[begin:end]
        shares = self.arc_length_m[begin:end] / np.maximum(self.graph.arc_length_m[arcs], 1e-9)
        return find_climb_m(self.graph.heights, arcs, shares)

    @cached_property
    def steps(self) -> tuple[StreetStep, ...]:
        """The way street by street, made when first asked for."""
        return _steps(self)


def build_path(graph: StreetGraph, metric: StreetMetric, time_ms: int, arcs: Int32, start: float, end: float) -> StreetPath:
    """Give a sequence of arcs (int32[a], a ≥ 1) its line and length; `start` and `end` are fractions of first and last."""
    room, count = kernels.point_count(graph.first_shape, arcs), len(arcs)
    lat_deg, lon_deg, arc_point = np.empty(room), np.empty(room), np.empty(count, np.int32)
    arc_length_m, arc_time_ms = np.empty(count), np.empty(count)
    points, length_m = kernels.draw(
        graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7, graph.arc_length_m, metric.arc_time_ms, arcs, start, end,
        lat_deg, lon_deg, arc_point, arc_length_m, arc_time_ms,
    )  # fmt: skip
    return StreetPath(
        time_ms, length_m, arcs, start, end, lat_deg[:points], lon_deg[:points], arc_point, arc_length_m, arc_time_ms, graph
    )


def arc_line(graph: StreetGraph, arc: int, start: float = 0.0, end: float = 1.0) -> tuple[Float64, Float64]:
    """Latitudes and longitudes of an arc's line between two fractions of its length (at least two points)."""
    room = int(graph.first_shape[arc + 1] - graph.first_shape[arc])
    lat_deg, lon_deg = np.empty(room), np.empty(room)
    points = kernels.arc_line(graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7, arc, start, end, lat_deg, lon_deg)
    return lat_deg[:points], lon_deg[:points]


def _steps(path: StreetPath) -> tuple[StreetStep, ...]:
    graph, arcs = path.graph, path.arcs
    classes, names = graph.arc_road_class[arcs], graph.arc_name[arcs]
    flags = graph.arc_flags[arcs] & (ARC_FERRY | ARC_ROUNDABOUT)
    same = (names[1:] == names[:-1]) & (flags[1:] == flags[:-1]) & ((names[1:] != 0) | (classes[1:] == classes[:-1]))
    begins = np.concatenate([[0], np.flatnonzero(~same) + 1])
    lengths, times = np.add.reduceat(path.arc_length_m, begins), np.add.reduceat(path.arc_time_ms, begins)
    manoeuvres = ["depart", *(_manoeuvre(graph, path, k) for k in begins[1:].tolist())]
    return tuple(
        StreetStep(
            graph.names[int(names[k])],
            ROAD_CLASSES[classes[k]],
            manoeuvre,
            float(length_m),
            round(float(time_ms)),
            int(path.arc_point[k]),
        )
        for k, manoeuvre, length_m, time_ms in zip(begins, manoeuvres, lengths, times, strict=True)
    )


_TURNS = ((30.0, "straight"), (60.0, "slight_{}"), (120.0, "{}"), (170.0, "sharp_{}"))


def _manoeuvre(graph: StreetGraph, path: StreetPath, k: int) -> str:
    before, after = int(path.arcs[k - 1]), int(path.arcs[k])
    if graph.arc_flags[after] & ARC_FERRY:
        return "ferry"
    if graph.arc_flags[after] & ARC_ROUNDABOUT:
        return "roundabout"
    if graph.arc_reverse[before] == after:
        return "u_turn"
    angle = turn_angle_deg(graph, before, after)
    for bound, text in _TURNS:
        if abs(angle) < bound:
            return text.format("right" if angle >= 0 else "left")
    return "u_turn"


def turn_angle_deg(graph: StreetGraph, before: int, after: int) -> float:
    """Angle from the end of one arc to the start of the next, clockwise positive, -180…180."""
    angle = np.empty(1)
    ends = np.array([before], np.int32), np.array([after], np.int32)
    kernels.turn_angles(graph.first_shape, graph.shape_lat_e7, graph.shape_lon_e7, *ends, angle)
    return float(angle[0])

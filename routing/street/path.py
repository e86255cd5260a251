"""A way through the streets: arcs, line and steps."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.model.street_graph import ARC_FERRY, ARC_ROUNDABOUT, ROAD_CLASSES, StreetGraph
from routing.street.metric import StreetMetric


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


@dataclass(frozen=True, slots=True)
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
    steps : tuple of StreetStep
    """

    time_ms: int
    length_m: float
    arcs: npt.NDArray[np.int32]
    start_fraction: float
    end_fraction: float
    lat_deg: npt.NDArray[np.float64]
    lon_deg: npt.NDArray[np.float64]
    steps: tuple[StreetStep, ...]


def build_path(graph: StreetGraph, metric: StreetMetric, time_ms: int, arcs: list[int], start: float, end: float) -> StreetPath:
    """Give a sequence of arcs its line, length and steps; `start` and `end` are fractions of the first and the last arc."""
    lat_parts, lon_parts, points = [], [], [0]
    shares = np.ones(len(arcs))
    for k, arc in enumerate(arcs):
        low, high = (start if k == 0 else 0.0), (end if k == len(arcs) - 1 else 1.0)
        lat, lon = arc_line(graph, arc, low, high)
        shares[k] = high - low
        lat_parts.append(lat[1:] if k else lat)
        lon_parts.append(lon[1:] if k else lon)
        points.append(points[-1] + len(lat) - 1)
    lengths = graph.arc_length_m[arcs] * shares
    times = metric.arc_time_ms[arcs] * shares
    steps = _steps(graph, arcs, lengths, times, points)
    return StreetPath(
        time_ms,
        float(lengths.sum()),
        np.array(arcs, np.int32),
        start,
        end,
        np.concatenate(lat_parts),
        np.concatenate(lon_parts),
        steps,
    )


def arc_line(
    graph: StreetGraph, arc: int, start: float = 0.0, end: float = 1.0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Latitudes and longitudes of an arc's line between two fractions of its length (at least two points)."""
    rows = slice(int(graph.first_shape[arc]), int(graph.first_shape[arc + 1]))
    lat = graph.shape_lat_e7[rows].astype(np.float64) * 1e-7
    lon = graph.shape_lon_e7[rows].astype(np.float64) * 1e-7
    if start <= 0.0 and end >= 1.0:
        return lat, lon
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(lat), np.diff(lon) * np.cos(np.radians(lat[0]))))])
    low, high = start * along[-1], end * along[-1]
    inside = (along > low) & (along < high)
    at = np.concatenate([[low], along[inside], [high]])
    return np.asarray(np.interp(at, along, lat), np.float64), np.asarray(np.interp(at, along, lon), np.float64)


def _steps(
    graph: StreetGraph, arcs: list[int], lengths: npt.NDArray[np.float64], times: npt.NDArray[np.float64], points: list[int]
) -> tuple[StreetStep, ...]:
    if not arcs:
        return ()
    classes = graph.arc_road_class[arcs]
    names = graph.arc_name[arcs]
    flags = graph.arc_flags[arcs] & (ARC_FERRY | ARC_ROUNDABOUT)
    same = (names[1:] == names[:-1]) & (flags[1:] == flags[:-1]) & ((names[1:] != 0) | (classes[1:] == classes[:-1]))
    begins = np.concatenate([[0], np.flatnonzero(~same) + 1])
    ends = np.append(begins[1:], len(arcs))
    steps = []
    for low, high in zip(begins.tolist(), ends.tolist(), strict=True):
        manoeuvre = "depart" if low == 0 else _manoeuvre(graph, arcs[low - 1], arcs[low])
        steps.append(
            StreetStep(
                graph.names[int(names[low])],
                ROAD_CLASSES[classes[low]],
                manoeuvre,
                float(lengths[low:high].sum()),
                round(float(times[low:high].sum())),
                points[low],
            )
        )
    return tuple(steps)


_TURNS = ((30.0, "straight"), (60.0, "slight_{}"), (120.0, "{}"), (170.0, "sharp_{}"))


def _manoeuvre(graph: StreetGraph, before: int, after: int) -> str:
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
    degrees = []
    for arc, low, high in ((before, -2, -1), (after, 0, 1)):
        lat, lon = arc_line(graph, arc)
        east = (lon[high] - lon[low]) * np.cos(np.radians(lat[low]))
        degrees.append(float(np.degrees(np.arctan2(east, lat[high] - lat[low]))))
    return (degrees[1] - degrees[0] + 540.0) % 360.0 - 180.0

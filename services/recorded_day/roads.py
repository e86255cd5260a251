"""Simulated roads: measurement sites on main streets, loop detectors before signals, and one blocked street."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.model.modes import StreetMode
from routing.model.street_graph import NODE_TRAFFIC_SIGNALS, ROAD_CLASSES, StreetGraph
from services.recorded_day.demand import congestion, smooth_noise, stream

SITE_COUNT, DETECTOR_COUNT = 240, 64
SITE_LENGTH_M, SITE_SPACING_M = 450.0, 260.0
DETECTOR_LENGTH_M = 60.0
CLOSURE_LENGTH_M = 320.0
QUEUE_RADIUS_M = 700.0
_CLASSES = tuple(ROAD_CLASSES.index(name) for name in ("motorway", "trunk", "primary", "secondary", "tertiary"))
_METRES = 111_195.0

Point = tuple[float, float]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RoadSite:
    """A stretch of street that is measured."""

    site_id: str
    name: str
    arcs: tuple[int, ...]
    path: tuple[Point, ...]
    free_flow_kmh: float
    lanes: int
    road_class: int

    @property
    def middle(self) -> Point:
        """Point half-way along the list of points."""
        return self.path[len(self.path) // 2]


@dataclass(frozen=True, slots=True)
class Closure:
    """A street blocked in both directions from a moment on."""

    event_id: str
    name: str
    path: tuple[Point, ...]
    begins_at: int
    ends_at: int

    @property
    def middle(self) -> Point:
        """Point half-way along the list of points."""
        return self.path[len(self.path) // 2]


def metres(a: Point, b: Point) -> float:
    """Distance of two points near each other."""
    dy = (a[0] - b[0]) * _METRES
    dx = (a[1] - b[1]) * _METRES * math.cos(math.radians(a[0]))
    return math.hypot(dx, dy)


def choose_sites(graph: StreetGraph, centre: Point, radius_m: float) -> list[RoadSite]:
    """Stretches of main streets within `radius_m`, the bigger classes and the longer ones first, spread out."""
    chains = [chain for chain in _chains(graph) if metres(_point(graph, chain[0]), centre) <= radius_m]
    ranked = sorted(chains, key=lambda arcs: (int(graph.arc_road_class[arcs[0]]), -round(_length(graph, arcs)), arcs[0]))
    taken: list[RoadSite] = []
    near: dict[tuple[int, int], list[Point]] = {}
    for arcs in ranked:
        path = path_of(graph, arcs)
        middle = path[len(path) // 2]
        cell = (int(middle[0] * 250), int(middle[1] * 200))
        around = [p for i in (-1, 0, 1) for j in (-1, 0, 1) for p in near.get((cell[0] + i, cell[1] + j), ())]
        if any(metres(middle, p) < SITE_SPACING_M for p in around):
            continue
        near.setdefault(cell, []).append(middle)
        taken.append(_site(graph, f"SIM-T{len(taken) + 1:04d}", arcs, path))
        if len(taken) == SITE_COUNT:
            break
    return taken


def choose_detectors(graph: StreetGraph, centre: Point) -> list[RoadSite]:
    """Loops on arcs that lead to signals, those nearest to `centre`."""
    car = StreetMode.CAR.bit
    signal = (graph.node_flags[graph.arc_head] & NODE_TRAFFIC_SIGNALS) > 0
    wanted = signal & ((graph.arc_access & car) > 0) & np.isin(graph.arc_road_class, _CLASSES)
    arcs = sorted(np.flatnonzero(wanted).tolist(), key=lambda a: (round(metres(_point(graph, a), centre)), a))
    sites: list[RoadSite] = []
    for arc in arcs[:DETECTOR_COUNT]:
        sites.append(_site(graph, f"SIM-D{len(sites) + 1:04d}", [arc], _tail_of(path_of(graph, [arc]), DETECTOR_LENGTH_M)))
    return sites


def choose_closure(graph: StreetGraph, name: str, near: Point, begins_at: int, ends_at: int) -> Closure | None:
    """A stretch of the street called `name` nearest to a point, or of the nearest main street where there is none."""
    index = next((i for i, text in enumerate(graph.names) if text == name), -1)
    chains = [c for c in _chains(graph, CLOSURE_LENGTH_M) if index < 0 or graph.arc_name[c[0]] == index]
    if not chains:
        return None
    arcs = min(chains, key=lambda c: (round(metres(_point(graph, c[0]), near)), c[0]))
    street = graph.names[int(graph.arc_name[arcs[0]])]
    return Closure("SIM-SIT-1", street, path_of(graph, arcs), begins_at, ends_at)


def speed_kmh(site: RoadSite, local_s: float, unix_s: int, closure: Closure | None) -> int | None:
    """Measured speed, whole km/h; None on the blocked street."""
    weight = 0.25 + 0.40 * stream(site.site_id, "weight").random()
    slow = weight * congestion(local_s) * (1 + 0.25 * smooth_noise(site.site_id, unix_s, 600))
    value = site.free_flow_kmh * (1 - min(slow, 0.85))
    if closure is not None and closure.begins_at <= unix_s < closure.ends_at:
        distance = metres(site.middle, closure.middle)
        if distance < 40:
            return None
        if distance < QUEUE_RADIUS_M:
            value *= 0.45 + 0.55 * distance / QUEUE_RADIUS_M
    return max(3, round(value))


def flow_vph(site: RoadSite, local_s: float, unix_s: int, closure: Closure | None, period_s: int) -> int:
    """Measured flow, a multiple of one vehicle per period."""
    base = (250 + 450 * stream(site.site_id, "flow").random()) * site.lanes
    share = 0.08 + 0.92 * congestion(local_s)
    value = base * share * (1 + 0.3 * smooth_noise(f"{site.site_id}:flow", unix_s, 180))
    if closure is not None and closure.begins_at <= unix_s < closure.ends_at and metres(site.middle, closure.middle) < 40:
        value = 0
    unit = 3600 // period_s
    return round(value / unit) * unit


def occupancy_percent(site: RoadSite, flow: int, speed: int | None) -> int:
    """Share of time a loop is covered: flow × (vehicle + loop length 6.5 m) / speed, per lane."""
    if flow == 0:
        return 0
    return min(95, round(flow / site.lanes * 6.5 / (max(speed or 5, 5) * 1000) * 100))


def path_of(graph: StreetGraph, arcs: Sequence[int]) -> tuple[Point, ...]:
    """Points of a chain of arcs, degrees to six decimals."""
    points: list[Point] = []
    for arc in arcs:
        for i in range(int(graph.first_shape[arc]), int(graph.first_shape[arc + 1])):
            point = (round(int(graph.shape_lat_e7[i]) * 1e-7, 6), round(int(graph.shape_lon_e7[i]) * 1e-7, 6))
            if not points or points[-1] != point:
                points.append(point)
    return tuple(points)


def _site(graph: StreetGraph, site_id: str, arcs: Sequence[int], path: tuple[Point, ...]) -> RoadSite:
    first = arcs[0]
    name = graph.names[int(graph.arc_name[first])] or ROAD_CLASSES[int(graph.arc_road_class[first])]
    return RoadSite(
        site_id, name, tuple(arcs), path, float(graph.arc_speed_kmh[first]), int(graph.arc_lanes[first]),
        int(graph.arc_road_class[first]),
    )  # fmt: skip


def _chains(graph: StreetGraph, length_m: float = SITE_LENGTH_M) -> list[list[int]]:
    """Follow each main street forwards until `length_m`; every arc is in at most one chain."""
    car = StreetMode.CAR.bit
    main = ((graph.arc_access & car) > 0) & np.isin(graph.arc_road_class, _CLASSES)
    used = np.zeros(graph.arc_count, np.bool_)
    chains = []
    for arc in np.flatnonzero(main).tolist():
        if used[arc]:
            continue
        chain, length = [arc], float(graph.arc_length_m[arc])
        used[arc] = True
        while length < length_m:
            follower = _next(graph, chain[-1], main, used)
            if follower < 0:
                break
            used[follower] = True
            chain.append(follower)
            length += float(graph.arc_length_m[follower])
        if length >= length_m / 2:
            chains.append(chain)
    return chains


def _next(graph: StreetGraph, arc: int, main: Flags, used: Flags) -> int:
    head = int(graph.arc_head[arc])
    for out in range(int(graph.first_out[head]), int(graph.first_out[head + 1])):
        same = graph.arc_name[out] == graph.arc_name[arc] and graph.arc_road_class[out] == graph.arc_road_class[arc]
        if main[out] and not used[out] and same and out != graph.arc_reverse[arc] and _straight(graph, arc, out):
            return out
    return -1


def _straight(graph: StreetGraph, arc: int, out: int) -> bool:
    before, after = path_of(graph, [arc]), path_of(graph, [out])
    if len(before) < 2 or len(after) < 2:
        return False
    (a, b), (c, d) = before[-2:], after[:2]
    stretch = math.cos(math.radians(a[0]))
    ux, uy, vx, vy = (b[1] - a[1]) * stretch, b[0] - a[0], (d[1] - c[1]) * stretch, d[0] - c[0]
    return ux * vx + uy * vy > 0.6 * math.hypot(ux, uy) * math.hypot(vx, vy)


def _length(graph: StreetGraph, arcs: Sequence[int]) -> float:
    return float(sum(graph.arc_length_m[arc] for arc in arcs))


def _point(graph: StreetGraph, arc: int) -> Point:
    tail = int(graph.arc_tail[arc])
    return int(graph.node_lat_e7[tail]) * 1e-7, int(graph.node_lon_e7[tail]) * 1e-7


def _tail_of(path: tuple[Point, ...], length_m: float) -> tuple[Point, ...]:
    """The last `length_m` of a path."""
    kept: list[Point] = [path[-1]]
    left = length_m
    for before, after in zip(reversed(path[:-1]), reversed(path), strict=False):
        step = metres(before, after)
        if step >= left:
            share = left / step
            kept.append(
                (round(after[0] + (before[0] - after[0]) * share, 6), round(after[1] + (before[1] - after[1]) * share, 6))
            )
            break
        kept.append(before)
        left -= step
    return tuple(reversed(kept))

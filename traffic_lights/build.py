"""Make an `Intersection` from the geometry of a junction.

What a map does not say is assumed, on the safe side where safety is concerned, and documented here:

* one vehicle group an approach, turning left permissively against the opposite direction; an approach of three or more
  lanes has a left group of its own and the junction a protected stage for such groups;
* a pedestrian group on every arm (if the geometry wants crossings), parallel traffic turning over it gives way;
* opposite approaches share a stage; all transitions are allowed;
* yellow by speed, intergreens by the formula of `intergreen`, limits from `BuildLimits`.

Such an intersection is good for simulation and planning. A real one is controlled with the authority's own documents.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from traffic_lights.errors import InvalidIntersectionError, UnsafeIntersectionError
from traffic_lights.guard_tables import build_tables
from traffic_lights.intergreen import (
    WALKING_MPS,
    compute_pedestrian_clearance_s,
    compute_vehicle_intergreen_s,
    compute_yellow_s,
)  # fmt: skip
from traffic_lights.model.geometry import IntersectionGeometry
from traffic_lights.model.groups import GroupKind, SignalGroup, Stage
from traffic_lights.model.intersection import BoolMatrix, Intersection, IntMatrix, Movement, Turn
from traffic_lights.paths import (
    LANE_WIDTH_M,
    OPPOSITE_DEG,
    SAME_ARM_DEG,
    MovementPath,
    angle_deg,
    build_path,
    find_conflict_point,
    gives_way,
)  # fmt: skip
from traffic_lights.saturation_flow import compute_saturation_flow_vph

CROSSING_SETBACK_M = 3.0
LEFT_GROUP_LANES = 3
TURN_SHARE = {Turn.THROUGH: 0.7, Turn.RIGHT: 0.15, Turn.LEFT: 0.15, Turn.U_TURN: 0.02}
"""Assumed shares of turns where nothing was counted; normalised over the movements of an approach."""


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """Limits given to every group; `max_red_s` is raised in steps of 30 s up to 300 where a junction needs it."""

    min_green_s: int = 6
    max_green_s: int = 90
    max_red_s: int = 120
    all_red_s: int = 1


@dataclass(frozen=True, slots=True)
class _Group:
    """A group being built: the paths it controls, or the arm (bearing, width in m) it crosses."""

    signal: SignalGroup
    paths: tuple[MovementPath, ...] = ()
    arm: tuple[float, float] | None = None


def build_intersection(geometry: IntersectionGeometry, limits: BuildLimits | None = None) -> Intersection:
    """Derive movements, groups, conflicts, intergreens and stages.

    Raises
    ------
    InvalidIntersectionError
        If no movement is possible.
    UnsafeIntersectionError
        If the junction has so many stages that no maximum red up to 300 s can be kept.
    """
    limits = limits or BuildLimits()
    paths = _list_paths(geometry)
    groups = _vehicle_groups(geometry, paths, limits) + (_crossings(geometry, limits) if geometry.pedestrian_crossings else [])
    conflicts, yields, intergreen = _relate(groups, limits)
    stages, rescue = _stages(groups, conflicts, yields)
    always = {i for i in range(len(groups)) if all(i in stage.groups for stage in stages)}
    for max_red_s in range(limits.max_red_s, 331, 30):
        signals = tuple(
            replace(g.signal, max_red_s=max_red_s, max_green_s=None if i in always else g.signal.max_green_s)
            for i, g in enumerate(groups)
        )
        x = Intersection(
            geometry.id, signals, conflicts, yields, intergreen, stages, ~np.eye(len(stages), dtype=np.bool_), rescue,
            _movements(groups), geometry.name, geometry.lat_deg, geometry.lon_deg,
        )  # fmt: skip
        try:
            build_tables(x)
        except UnsafeIntersectionError:
            if max_red_s >= 300:
                raise
            continue
        return x
    raise UnsafeIntersectionError(f"junction {geometry.id!r} cannot keep a maximum red of 300 s", "approaches")


def _list_paths(geometry: IntersectionGeometry) -> list[MovementPath]:
    lanes = max([a.lanes for a in geometry.approaches] + [e.lanes for e in geometry.exits])
    radius_m = 6.0 + LANE_WIDTH_M * lanes
    allowed = [
        build_path(approach, leaving, radius_m)
        for approach in geometry.approaches
        for leaving in geometry.exits
        if (approach.arc, leaving.arc) not in geometry.banned_turns
    ]
    paths = []
    for approach in geometry.approaches:
        mine = [p for p in allowed if p.approach.arc == approach.arc]
        paths += [p for p in mine if p.turn is not Turn.U_TURN] or mine
    if not paths:
        raise InvalidIntersectionError(f"junction {geometry.id!r} has no movement that is allowed", "banned_turns")
    return paths


def _vehicle_groups(geometry: IntersectionGeometry, paths: list[MovementPath], limits: BuildLimits) -> list[_Group]:
    groups = []
    for approach in geometry.approaches:
        mine = tuple(p for p in paths if p.approach.arc == approach.arc)
        lefts = tuple(p for p in mine if p.turn is Turn.LEFT)
        others = tuple(p for p in mine if p.turn is not Turn.LEFT)
        signal = SignalGroup(
            f"v{approach.arc}", GroupKind.VEHICLE, compute_yellow_s(approach.speed_kmh),
            limits.min_green_s, limits.max_green_s, limits.max_red_s,
        )  # fmt: skip
        if approach.lanes >= LEFT_GROUP_LANES and lefts and others:
            groups += [_Group(signal, others), _Group(replace(signal, id=f"v{approach.arc}-left"), lefts)]
        elif mine:
            groups.append(_Group(signal, mine))
    return groups


def _crossings(geometry: IntersectionGeometry, limits: BuildLimits) -> list[_Group]:
    """One pedestrian group an arm; arcs within `SAME_ARM_DEG` are one arm."""
    arms: list[list[tuple[float, int]]] = []
    pairs = [(a.bearing_deg % 360.0, a.lanes) for a in geometry.approaches]
    arcs = sorted(pairs + [(e.bearing_deg % 360.0, e.lanes) for e in geometry.exits])
    for bearing, lanes in arcs:
        if arms and abs(angle_deg(arms[-1][0][0], bearing)) <= SAME_ARM_DEG:
            arms[-1].append((bearing, lanes))
        elif arms and abs(angle_deg(arms[0][0][0], bearing)) <= SAME_ARM_DEG:
            arms[0].append((bearing, lanes))
        else:
            arms.append([(bearing, lanes)])
    groups = []
    for k, arm in enumerate(arms):
        width_m = LANE_WIDTH_M * sum(lanes for _, lanes in arm)
        signal = SignalGroup(
            f"p{k}", GroupKind.PEDESTRIAN, compute_pedestrian_clearance_s(width_m),
            max(5, math.ceil(width_m / 2 / WALKING_MPS)), limits.max_green_s, limits.max_red_s,
        )  # fmt: skip
        groups.append(_Group(signal, arm=(arm[0][0], width_m)))
    return groups


def _relate(groups: list[_Group], limits: BuildLimits) -> tuple[BoolMatrix, BoolMatrix, IntMatrix]:
    n = len(groups)
    conflicts, yields = np.zeros((n, n), np.bool_), np.zeros((n, n), np.bool_)
    intergreen = np.zeros((n, n), np.int32)
    for i, a in enumerate(groups):
        for j, b in enumerate(groups):
            if i == j or (a.arm and b.arm):
                continue
            found = _meet(a, b)
            for gives, needs_s in found:
                intergreen[i, j] = max(intergreen[i, j], needs_s, a.signal.clearing_s + (0 if a.arm else limits.all_red_s))
                if gives == 0:
                    conflicts[i, j] = conflicts[j, i] = True
                elif gives > 0:
                    yields[i, j] = True
                else:
                    yields[j, i] = True
    yields &= ~conflicts
    return conflicts, yields, intergreen


def _meet(a: _Group, b: _Group) -> list[tuple[int, int]]:
    """Every meeting of two groups: 1 if `a` gives way, -1 if `b`, 0 if neither may; and the intergreen from `a` to `b`."""
    if a.arm:
        return [(-gives, a.signal.clearing_s) for gives, _ in _over_crossing(b, a.arm)]
    if b.arm:
        return _over_crossing(a, b.arm)
    met = []
    for p in a.paths:
        for q in b.paths:
            point = find_conflict_point(p, q)
            if point is not None:
                needs_s = compute_vehicle_intergreen_s(p.turn, math.dist(p.start, point), math.dist(q.start, point))
                met.append((int(gives_way(p, q)) - int(gives_way(q, p)), needs_s))
    return met


def _over_crossing(vehicles: _Group, arm: tuple[float, float]) -> list[tuple[int, int]]:
    """Meetings of a vehicle group with the crossing of an arm, and the intergreen from vehicles to pedestrians."""
    met = []
    for p in vehicles.paths:
        if abs(angle_deg(p.approach.bearing_deg, arm[0])) <= SAME_ARM_DEG:
            met.append((0, compute_vehicle_intergreen_s(p.turn, CROSSING_SETBACK_M, 0.0)))
        elif abs(angle_deg(p.exit.bearing_deg, arm[0])) <= SAME_ARM_DEG:
            needs_s = compute_vehicle_intergreen_s(p.turn, p.length_m + CROSSING_SETBACK_M, 0.0)
            met.append((0 if p.turn is Turn.THROUGH else 1, needs_s))
    return met


def _stages(groups: list[_Group], conflicts: BoolMatrix, yields: BoolMatrix) -> tuple[tuple[Stage, ...], tuple[int, ...]]:
    """Opposite approaches together, then whoever is left; every stage is filled with all that fits."""
    sets: list[frozenset[int]] = []
    left_only: list[frozenset[int]] = []
    vehicles = [i for i, g in enumerate(groups) if g.paths]
    is_left = {i for i in vehicles if all(p.turn is Turn.LEFT for p in groups[i].paths)}
    todo = [i for i in vehicles if not (i in is_left and groups[i].signal.id.endswith("-left"))]
    while todo:
        first = todo.pop(0)
        bearing = groups[first].paths[0].approach.bearing_deg
        partner = next(
            (j for j in todo if not conflicts[first, j]
             and abs(angle_deg(bearing, groups[j].paths[0].approach.bearing_deg)) >= OPPOSITE_DEG), None,
        )  # fmt: skip
        stage = {first} if partner is None else {first, partner}
        if partner is not None:
            todo.remove(partner)
        arcs = {groups[i].paths[0].approach.arc for i in stage}
        lefts = {i for i in vehicles if i not in stage and groups[i].paths[0].approach.arc in arcs}
        sets.append(_fill(stage | {i for i in lefts if not conflicts[i, list(stage)].any()}, groups, conflicts))
        protected = _fill(lefts, groups, conflicts | yields | yields.T) if lefts else frozenset()
        if lefts and not conflicts[np.ix_(list(lefts), list(lefts))].any() and protected not in sets:
            left_only.append(protected)
    served = set().union(*sets)
    for i in range(len(groups)):
        if i not in served:
            sets.append(_fill({i}, groups, conflicts))
            served |= sets[-1]
    stages = tuple(Stage(f"s{k + 1}", members) for k, members in enumerate([*sets, *left_only]))
    return stages, tuple(range(len(sets)))


def _fill(stage: set[int], groups: list[_Group], conflicts: BoolMatrix) -> frozenset[int]:
    """Add every group that conflicts with none of the stage: pedestrians, and vehicles nobody meets."""
    filled = set(stage)
    for i, group in enumerate(groups):
        free = not conflicts[i].any()
        if i not in filled and (group.arm or free) and not conflicts[i, list(filled)].any():
            filled.add(i)
    return frozenset(filled)


def _movements(groups: list[_Group]) -> tuple[Movement, ...]:
    movements = []
    by_approach: dict[int, float] = {}
    for group in groups:
        for p in group.paths:
            by_approach[p.approach.arc] = by_approach.get(p.approach.arc, 0.0) + TURN_SHARE[p.turn]
    for i, group in enumerate(groups):
        for p in group.paths:
            lanes = p.approach.lanes * TURN_SHARE[p.turn] / by_approach[p.approach.arc]
            flow = compute_saturation_flow_vph(lanes, p.turn)
            movements.append(Movement(p.approach.arc, p.exit.arc, p.turn, i, lanes, flow))
    return tuple(movements)

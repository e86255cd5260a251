"""Protos of signals ↔ intersections, plans and decisions of the engine."""

from collections.abc import Callable, Iterable

import numpy as np
from traboule.signals.v1 import control_pb2, intersection_pb2, performance_pb2

from services.common.errors import InvalidInput
from traffic_lights.api import Mode, Source
from traffic_lights.model.groups import Aspect, GroupKind, SignalGroup, Stage
from traffic_lights.model.intersection import BoolMatrix, Intersection, IntMatrix, Movement, Turn
from traffic_lights.model.plan import SignalPlan
from traffic_lights.saturation_flow import BASE_VPH

MODE_TO_PROTO = {
    Mode.FIXED: control_pb2.CONTROL_MODE_FIXED,
    Mode.SHADOW: control_pb2.CONTROL_MODE_SHADOW,
    Mode.ADVISORY: control_pb2.CONTROL_MODE_ADVISORY,
    Mode.ACTIVE: control_pb2.CONTROL_MODE_ACTIVE,
}
MODE_FROM_PROTO = {value: key for key, value in MODE_TO_PROTO.items()}
SOURCE_TO_PROTO = {
    Source.PLAN: control_pb2.SignalCommand.SOURCE_FIXED_PLAN,
    Source.ADAPTIVE: control_pb2.SignalCommand.SOURCE_ADAPTIVE,
    Source.PRIORITY: control_pb2.SignalCommand.SOURCE_PRIORITY,
    Source.OPERATOR: control_pb2.SignalCommand.SOURCE_OPERATOR,
    Source.FALLBACK: control_pb2.SignalCommand.SOURCE_FALLBACK,
    Source.RESCUE: control_pb2.SignalCommand.SOURCE_RESCUE,
}
ASPECT_TO_PROTO = {
    Aspect.RED: intersection_pb2.ASPECT_RED,
    Aspect.YELLOW: intersection_pb2.ASPECT_YELLOW,
    Aspect.GREEN: intersection_pb2.ASPECT_GREEN,
    Aspect.GREEN_YIELD: intersection_pb2.ASPECT_GREEN_YIELD,
    Aspect.PEDESTRIAN_CLEARANCE: intersection_pb2.ASPECT_PEDESTRIAN_CLEARANCE,
}
ASPECT_FROM_PROTO = {value: key for key, value in ASPECT_TO_PROTO.items()}
SHORTEST_YELLOW_S = 3
_TURN_TO_PROTO = {
    Turn.THROUGH: intersection_pb2.Movement.TURN_THROUGH,
    Turn.LEFT: intersection_pb2.Movement.TURN_LEFT,
    Turn.RIGHT: intersection_pb2.Movement.TURN_RIGHT,
    Turn.U_TURN: intersection_pb2.Movement.TURN_U_TURN,
}
_TURN_FROM_PROTO = {value: key for key, value in _TURN_TO_PROTO.items()}


def read_intersection(message: intersection_pb2.Intersection, path: str = "intersection") -> Intersection:
    """Engine model of an intersection; link ids become numbers in order of appearance.

    Raises
    ------
    InvalidInput
        With the path of the field that names an unknown group or stage.
    InvalidIntersectionError
        If the limits contradict each other.
    """
    groups = {g.signal_group_id: i for i, g in enumerate(message.signal_groups)}
    stages = {s.stage_id: i for i, s in enumerate(message.stages)}
    if len(groups) < len(message.signal_groups) or len(stages) < len(message.stages):
        raise InvalidInput("signal group and stage ids must be unique", field=path)

    def group(name: str, where: str) -> int:
        if name not in groups:
            raise InvalidInput(f"there is no signal group {name!r}", field=f"{path}.{where}")
        return groups[name]

    def stage(name: str, where: str) -> int:
        if name not in stages:
            raise InvalidInput(f"there is no stage {name!r}", field=f"{path}.{where}")
        return stages[name]

    conflicts, yields, intergreen = _read_relations(message, group, path)
    transitions = np.full((len(stages), len(stages)), not message.transitions)
    for c, change in enumerate(message.transitions):
        a_stage = stage(change.from_stage_id, f"transitions[{c}].from_stage_id")
        transitions[a_stage, stage(change.to_stage_id, f"transitions[{c}].to_stage_id")] = True
    links: dict[str, int] = {}
    return Intersection(
        message.intersection_id,
        tuple(_read_group(g, f"{path}.signal_groups[{i}]") for i, g in enumerate(message.signal_groups)),
        conflicts,
        yields,
        intergreen,
        tuple(
            Stage(s.stage_id, frozenset(group(g, f"stages[{i}].signal_group_ids") for g in s.signal_group_ids))
            for i, s in enumerate(message.stages)
        ),
        transitions,
        tuple(stage(name, "rescue_stage_ids") for name in message.rescue_stage_ids) or tuple(range(len(stages))),
        tuple(
            Movement(
                _number(m.approach_link_id or f"in {i}", links),
                _number(m.exit_link_id or f"out {i}", links),
                _TURN_FROM_PROTO.get(m.turn, Turn.THROUGH),
                group(m.signal_group_id, f"movements[{i}].signal_group_id"),
                m.lanes,
                m.saturation_flow_vph or BASE_VPH * m.lanes,
            )
            for i, m in enumerate(message.movements)
        ),
        message.name,
        message.location.lat_deg,
        message.location.lon_deg,
    )


def write_intersection(x: Intersection, *, derived: bool) -> intersection_pb2.Intersection:
    """Proto of an intersection, with one area detector for every vehicle group of one derived from a map."""
    names = [g.id for g in x.groups]
    related = x.conflicts | x.yields | x.yields.T
    message = intersection_pb2.Intersection(intersection_id=x.id, name=x.name, derived_from_map=derived)
    message.location.lat_deg, message.location.lon_deg = x.lat_deg, x.lon_deg
    for g in x.groups:
        out = message.signal_groups.add(
            signal_group_id=g.id,
            kind=intersection_pb2.SIGNAL_GROUP_KIND_PEDESTRIAN
            if g.kind is GroupKind.PEDESTRIAN
            else intersection_pb2.SIGNAL_GROUP_KIND_VEHICLE,
            clearing_s=g.clearing_s,
            min_green_s=g.min_green_s,
            max_red_s=g.max_red_s,
        )
        if g.max_green_s is not None:
            out.max_green_s = g.max_green_s
    for i, j in np.argwhere(related):
        message.intergreens.add(
            from_signal_group_id=names[i], to_signal_group_id=names[j], intergreen_s=int(x.intergreen_s[i, j])
        )
        if x.conflicts[i, j] and i < j:
            message.conflicts.add(signal_group_id=names[i], other_signal_group_id=names[j])
        if x.yields[i, j]:
            message.yields.add(signal_group_id=names[i], to_signal_group_id=names[j])
    for s in x.stages:
        message.stages.add(stage_id=s.id, signal_group_ids=[names[g] for g in sorted(s.groups)])
    for a, b in np.argwhere(x.transitions):
        message.transitions.add(from_stage_id=x.stages[a].id, to_stage_id=x.stages[b].id)
    for m in x.movements:
        message.movements.add(
            approach_link_id=str(m.approach), exit_link_id=str(m.exit), turn=_TURN_TO_PROTO[m.turn],
            signal_group_id=names[m.group], lanes=m.lanes, saturation_flow_vph=m.saturation_flow_vph,
        )  # fmt: skip
    message.rescue_stage_ids.extend(x.stages[k].id for k in x.rescue_cycle)
    if derived:
        for g in x.groups:
            if g.kind is GroupKind.VEHICLE:
                message.detectors.add(
                    detector_id=f"area-{g.id}", kind=intersection_pb2.Detector.KIND_AREA, signal_group_ids=[g.id]
                )
    return message


def read_plan(message: intersection_pb2.SignalPlan, x: Intersection, path: str = "plan") -> SignalPlan:
    """Engine model of a plan; raises `InvalidInput` for unknown stages, `InvalidPlanError` for impossible times."""
    stages = []
    for i, entry in enumerate(message.entries):
        index = x.stage_index(entry.stage_id)
        if index is None:
            raise InvalidInput(f"there is no stage {entry.stage_id!r}", field=f"{path}.entries[{i}].stage_id")
        stages.append(index)
    starts = tuple(entry.start_s for entry in message.entries)
    return SignalPlan(tuple(stages), starts, message.cycle_s, message.offset_s, message.plan_id)


def write_plan(plan: SignalPlan, x: Intersection) -> intersection_pb2.SignalPlan:
    """Proto of a plan."""
    return intersection_pb2.SignalPlan(
        plan_id=plan.id,
        intersection_id=x.id,
        entries=[
            intersection_pb2.PlanEntry(stage_id=x.stages[k].id, start_s=s)
            for k, s in zip(plan.stages, plan.starts_s, strict=True)
        ],
        cycle_s=plan.cycle_s,
        offset_s=plan.offset_s,
    )


def write_aspects(x: Intersection, aspects: bytes) -> list[control_pb2.GroupAspect]:
    """What each group shows."""
    return [
        control_pb2.GroupAspect(signal_group_id=g.id, aspect=ASPECT_TO_PROTO[Aspect(a)])
        for g, a in zip(x.groups, aspects, strict=True)
    ]


def read_aspects(x: Intersection, aspects: Iterable[control_pb2.GroupAspect]) -> bytes:
    """What each group is said to show, one `Aspect` per group.

    Raises
    ------
    InvalidInput
        If a group is unknown, named twice or missing, or shows nothing that is known.
    """
    numbers, shown = {g.id: i for i, g in enumerate(x.groups)}, [-1] * len(x.groups)
    for said in aspects:
        i = numbers.get(said.signal_group_id)
        if i is None or shown[i] >= 0 or said.aspect not in ASPECT_FROM_PROTO:
            raise InvalidInput(
                f"signal group {said.signal_group_id!r} is unknown, named twice or shows no known aspect", field="aspects"
            )
        shown[i] = ASPECT_FROM_PROTO[said.aspect]
    if -1 in shown:
        raise InvalidInput(f"nothing is said of signal group {x.groups[shown.index(-1)].id!r}", field="aspects")
    return bytes(shown)


def write_finding(code: str, message: str, field: str = "", *, forbidding: bool = True) -> performance_pb2.PlanFinding:
    """One finding."""
    return performance_pb2.PlanFinding(code=code, forbidding=forbidding, field_path=field, message=message)


def find_group(x: Intersection, name: str) -> int:
    """Position of a signal group; raises `InvalidInput`."""
    for i, g in enumerate(x.groups):
        if g.id == name:
            return i
    raise InvalidInput(f"intersection {x.id!r} has no signal group {name!r}", field="signal_group_id")


def unique(names: Iterable[str]) -> list[str]:
    """Names without repetition, in order."""
    return list(dict.fromkeys(names))


def _read_relations(
    message: intersection_pb2.Intersection, group: Callable[[str, str], int], path: str
) -> tuple[BoolMatrix, BoolMatrix, IntMatrix]:
    """Conflicts, yields and intergreens."""
    n = len(message.signal_groups)
    conflicts, yields = np.zeros((n, n), np.bool_), np.zeros((n, n), np.bool_)
    intergreen, given = np.zeros((n, n), np.int32), np.zeros((n, n), np.bool_)
    for c, conflict in enumerate(message.conflicts):
        i = group(conflict.signal_group_id, f"conflicts[{c}].signal_group_id")
        j = group(conflict.other_signal_group_id, f"conflicts[{c}].other_signal_group_id")
        conflicts[i, j] = conflicts[j, i] = True
    for c, gives in enumerate(message.yields):
        i = group(gives.signal_group_id, f"yields[{c}].signal_group_id")
        yields[i, group(gives.to_signal_group_id, f"yields[{c}].to_signal_group_id")] = True
    for c, gap in enumerate(message.intergreens):
        i = group(gap.from_signal_group_id, f"intergreens[{c}].from_signal_group_id")
        j = group(gap.to_signal_group_id, f"intergreens[{c}].to_signal_group_id")
        intergreen[i, j], given[i, j] = gap.intergreen_s, True
    missing = conflicts & ~given
    if missing.any():
        i, j = (int(v) for v in np.argwhere(missing)[0])
        a, b = message.signal_groups[i].signal_group_id, message.signal_groups[j].signal_group_id
        raise InvalidInput(f"the conflict of {a!r} and {b!r} has no intergreen from the former", field=f"{path}.intergreens")
    clearing = np.array([g.clearing_s for g in message.signal_groups], np.int32)
    # Where only giving way is known, yellow or clearance is the least that separates the two.
    intergreen = np.where((yields | yields.T) & ~given, clearing[:, None], intergreen)
    return conflicts, yields, intergreen.astype(np.int32)


def _read_group(g: intersection_pb2.SignalGroup, path: str) -> SignalGroup:
    kind = (
        GroupKind.PEDESTRIAN if g.kind == intersection_pb2.SIGNAL_GROUP_KIND_PEDESTRIAN else GroupKind.VEHICLE
    )  # bicycles and trams clear with a yellow of their own, as vehicles
    of_cars = g.kind in (intersection_pb2.SIGNAL_GROUP_KIND_VEHICLE, intersection_pb2.SIGNAL_GROUP_KIND_UNSPECIFIED)
    if of_cars and g.clearing_s < SHORTEST_YELLOW_S:
        raise InvalidInput(f"the yellow of vehicles is at least {SHORTEST_YELLOW_S} s", field=f"{path}.clearing_s")
    if g.HasField("max_green_s") and g.max_green_s < g.min_green_s:
        raise InvalidInput("max_green_s is shorter than min_green_s", field=f"{path}.max_green_s")
    return SignalGroup(
        g.signal_group_id, kind, g.clearing_s, g.min_green_s, g.max_green_s if g.HasField("max_green_s") else None, g.max_red_s
    )


def _number(link: str, numbers: dict[str, int]) -> int:
    return numbers.setdefault(link, len(numbers))

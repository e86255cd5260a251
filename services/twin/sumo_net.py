"""Read signalised intersections out of a SUMO network.

A signal group is one link index of a traffic light. Conflicts are SUMO's own foes; two foes that the program of the map
shows green together are permissive: the one shown `g` gives way. Stages are the green phases of the program, every
transition is allowed, the rescue cycle is the order of the program.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.common.errors import InvalidInput, Unimplemented
from traffic_lights.model.groups import GroupKind, SignalGroup, Stage
from traffic_lights.model.intersection import BoolMatrix, Intersection, Movement, Turn
from traffic_lights.model.plan import SignalPlan

_TURNS = {"s": Turn.THROUGH, "l": Turn.LEFT, "L": Turn.LEFT, "r": Turn.RIGHT, "R": Turn.RIGHT, "t": Turn.U_TURN}
LANE_SATURATION_VPH = 1800.0
VEHICLE_SPACE_M = 7.5
UPSTREAM_M = 120.0
DOWNSTREAM_M = 80.0


@dataclass(frozen=True, slots=True)
class SumoLimits:
    """Limits that a SUMO network does not carry.

    Attributes
    ----------
    all_red_s : int
        Added to the yellow of the map in every intergreen.
    min_green_s, max_green_s, max_red_s : int
    """

    all_red_s: int = 0
    min_green_s: int = 5
    max_green_s: int = 90
    max_red_s: int = 180


@dataclass(frozen=True, slots=True)
class WatchedLane:
    """A lane that detection reaches.

    Attributes
    ----------
    id : str
    length_m : float
    reach_m : float
        How far of it is seen, from its end upstream of the signal, from its begin downstream.
    weight : float
        Share of its vehicles that count for the movement.
    offset_m : float
        From its end to the stop line (upstream) or from the exit to its begin (downstream).
    speed_mps : float
        Speed limit.
    """

    id: str
    length_m: float
    reach_m: float
    weight: float
    offset_m: float = 0.0
    speed_mps: float = 13.9


@dataclass(frozen=True, slots=True, eq=False)
class SumoSignal:
    """A traffic light of a SUMO network as an intersection; m movements = signal groups = link indices.

    Attributes
    ----------
    id : str
    intersection : Intersection
    plan : SignalPlan
        The program of the map.
    upstream, downstream : tuple[tuple[WatchedLane, ...], ...]
        Per movement the lanes before the stop line and after the junction, nearest first.
    program_states : tuple[str, ...]
        State of the program in each stage.
    """

    id: str
    intersection: Intersection
    plan: SignalPlan
    upstream: tuple[tuple[WatchedLane, ...], ...]
    downstream: tuple[tuple[WatchedLane, ...], ...]
    program_states: tuple[str, ...]


def read_signals(net_file: Path, limits: SumoLimits) -> tuple[SumoSignal, ...]:
    """All traffic lights of the network, by id.

    Raises
    ------
    Unimplemented
        If `sumolib` is not installed (extra `sumo`).
    InvalidInput
        If the network cannot be read or a program has no green phase.
    """
    try:
        sumolib: Any = importlib.import_module("sumolib")
    except ImportError as error:
        raise Unimplemented("the SUMO adapter needs the extra: pip install 'traboule[sumo]'") from error
    if not net_file.is_file():
        raise InvalidInput(f"no SUMO network at {net_file}", field="net_file")
    net = sumolib.net.readNet(str(net_file), withPrograms=True, withInternal=True)
    return tuple(_signal(tls, limits) for tls in sorted(net.getTrafficLights(), key=lambda t: str(t.getID())))


def _signal(tls: Any, limits: SumoLimits) -> SumoSignal:
    tls_id = str(tls.getID())
    program = next(iter(tls.getPrograms().values()))
    phases = [(str(p.state), int(p.duration)) for p in program.getPhases()]
    links = _links(tls)
    size = len(phases[0][0])
    if sorted(links) != list(range(size)):
        raise InvalidInput(f"traffic light {tls_id!r}: links {sorted(links)} do not match the {size} letters of its program")
    stages, plan = _stages(tls_id, phases, int(program.getOffset() or 0))
    conflicts, yields = _relations(links, stages)
    clearing = _yellow_s(phases, size)
    always = [all(state[i] in "gG" for state in stages) for i in range(size)]
    groups = tuple(
        SignalGroup(
            f"{tls_id}:{i}", GroupKind.VEHICLE, clearing[i], limits.min_green_s,
            None if always[i] else limits.max_green_s, limits.max_red_s,
        )
        for i in range(size)
    )  # fmt: skip
    intergreen = np.repeat((np.array(clearing, np.int32) + limits.all_red_s)[:, None], size, axis=1)
    intersection = Intersection(
        tls_id, groups, conflicts, yields, intergreen,
        tuple(Stage(str(k), frozenset(i for i, c in enumerate(s) if c in "gG")) for k, s in enumerate(stages)),
        ~np.eye(len(stages), dtype=np.bool_), tuple(range(len(stages))), _movements(links),
    )  # fmt: skip
    return SumoSignal(
        tls_id,
        intersection,
        plan,
        tuple(_reach(links[i][0], UPSTREAM_M, upstream=True) for i in range(size)),
        tuple(_reach(links[i][1], DOWNSTREAM_M, upstream=False) for i in range(size)),
        tuple(stages),
    )


def _reach(start: Any, range_m: float, *, upstream: bool) -> tuple[WatchedLane, ...]:
    """Lanes within `range_m` of the stop line or the exit, not passing another signal.

    A lane that leads to several lanes counts for each of them with an equal share.
    """
    found: dict[str, WatchedLane] = {}
    todo = [(start, range_m, 1.0)]
    while todo:
        lane, left, weight = todo.pop(0)
        lane_id, length = str(lane.getID()), float(lane.getLength())
        if lane_id in found:
            continue
        found[lane_id] = WatchedLane(lane_id, length, min(length, left), weight, range_m - left, float(lane.getSpeed()))
        if left <= length:
            continue
        if upstream:
            for before in lane.getIncoming():
                links = before.getOutgoing()
                if all(c.getTLSID() == "" for c in links if c.getToLane() is lane):
                    todo.append((before, left - length, weight / len({c.getToLane().getID() for c in links})))
        else:
            links = [c for c in lane.getOutgoing() if c.getTLSID() == ""]
            todo += [(c.getToLane(), left - length, weight / len(links)) for c in links]
    return tuple(found.values())


def _links(tls: Any) -> dict[int, tuple[Any, Any, Any]]:
    """Per link index: incoming lane, outgoing lane, connection (the first where several share the index)."""
    links: dict[int, tuple[Any, Any, Any]] = {}
    for lane_in, lane_out, index in tls.getConnections():
        connection = next(c for c in lane_in.getOutgoing() if c.getToLane() is lane_out)
        links.setdefault(int(index), (lane_in, lane_out, connection))
    return links


def _stages(tls_id: str, phases: list[tuple[str, int]], offset_s: int) -> tuple[list[str], SignalPlan]:
    """Green phases, and the plan that asks for each where its transition begins in the program."""
    stages: list[str] = []
    order: list[int] = []
    starts: list[int] = []
    clock, clearing_since = 0, None
    for state, duration in phases:
        if any(c in "gG" for c in state) and "y" not in state and "Y" not in state:
            if state not in stages:
                stages.append(state)
            order.append(stages.index(state))
            starts.append(clock if clearing_since is None else clearing_since)
            clearing_since = None
        elif clearing_since is None:
            clearing_since = clock
        clock += duration
    if not stages or starts[0] != 0:
        raise InvalidInput(f"traffic light {tls_id!r}: its program does not begin with a green phase")
    return stages, SignalPlan(tuple(order), tuple(starts), clock, offset_s % clock, f"{tls_id} program")


def _relations(links: dict[int, tuple[Any, Any, Any]], stages: list[str]) -> tuple[BoolMatrix, BoolMatrix]:
    """Conflicts and yields from the foes of the network and the letters of the program."""
    size = len(links)
    conflicts, yields = np.zeros((size, size), np.bool_), np.zeros((size, size), np.bool_)
    for i in range(size):
        for j in range(i + 1, size):
            a, b = links[i][2], links[j][2]
            node = links[i][0].getEdge().getToNode()
            if node is not links[j][0].getEdge().getToNode() or not node.areFoes(node.getLinkIndex(a), node.getLinkIndex(b)):
                continue
            pairs = {(s[i], s[j]) for s in stages if s[i] in "gG" and s[j] in "gG"}
            if not pairs:
                conflicts[i, j] = conflicts[j, i] = True
            elif ("g", "G") in pairs:
                yields[i, j] = True
            elif ("G", "g") in pairs:
                yields[j, i] = True
            else:  # both shown the same: the later link gives way
                yields[j, i] = True
    return conflicts, yields


def _yellow_s(phases: list[tuple[str, int]], size: int) -> list[int]:
    """Longest yellow of each link in the program, 3 s where it has none."""
    longest = [0] * size
    running = [0] * size
    for state, duration in phases + phases:
        for i, letter in enumerate(state):
            running[i] = running[i] + duration if letter in "yY" else 0
            longest[i] = max(longest[i], running[i])
    return [y or 3 for y in longest]


def _movements(links: dict[int, tuple[Any, Any, Any]]) -> tuple[Movement, ...]:
    ids = {
        edge: k for k, edge in enumerate(sorted({str(lane.getEdge().getID()) for a, b, _ in links.values() for lane in (a, b)}))
    }
    sharing: dict[str, int] = {}
    for a, _, _ in links.values():
        sharing[str(a.getID())] = sharing.get(str(a.getID()), 0) + 1
    return tuple(
        Movement(
            ids[str(links[i][0].getEdge().getID())], ids[str(links[i][1].getEdge().getID())],
            _TURNS.get(str(links[i][2].getDirection()), Turn.THROUGH), i, 1.0 / sharing[str(links[i][0].getID())],
            LANE_SATURATION_VPH / sharing[str(links[i][0].getID())],
        )
        for i in range(len(links))
    )  # fmt: skip

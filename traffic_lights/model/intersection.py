"""A signalised intersection with everything the guard needs to keep it safe."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from traffic_lights.errors import InvalidIntersectionError
from traffic_lights.model.groups import SignalGroup, Stage

BoolMatrix = npt.NDArray[np.bool_]
IntMatrix = npt.NDArray[np.int32]


class Turn(IntEnum):
    """Direction of a movement."""

    THROUGH = 0
    LEFT = 1
    RIGHT = 2
    U_TURN = 3


@dataclass(frozen=True, slots=True)
class Movement:
    """Vehicles going from one approach to one exit under one signal group.

    Attributes
    ----------
    approach, exit : int
        Identifiers of the incoming and the outgoing arc (any integers, the caller's own).
    turn : Turn
    group : int
        Position in `Intersection.groups`.
    lanes : float
        Lanes it discharges from; a share where a lane serves several movements.
    saturation_flow_vph : float
        Vehicles per hour of green over all those lanes.
    """

    approach: int
    exit: int
    turn: Turn
    group: int
    lanes: float
    saturation_flow_vph: float


@dataclass(frozen=True, slots=True, eq=False)
class Intersection:
    """Signal groups, conflicts, intergreens, stages and transitions; g groups, s stages.

    Attributes
    ----------
    id, name : str
    groups : tuple[SignalGroup, ...]
    conflicts : bool[g, g]
        Symmetric; True = never green together.
    yields : bool[g, g]
        ``yields[i, j]``: `i` may be green with `j` but then gives way and shows `GREEN_YIELD`.
    intergreen_s : int32[g, g]
        From the end of green of row to the begin of green of column; read only where the pair conflicts or yields.
    stages : tuple[Stage, ...]
    transitions : bool[s, s]
        Allowed changes from row to column; the diagonal is ignored.
    rescue_cycle : tuple[int, ...]
        Order of stages the guard falls back to; serves every group.
    movements : tuple[Movement, ...]
    lat_deg, lon_deg : float
    """

    id: str
    groups: tuple[SignalGroup, ...]
    conflicts: BoolMatrix
    yields: BoolMatrix
    intergreen_s: IntMatrix
    stages: tuple[Stage, ...]
    transitions: BoolMatrix
    rescue_cycle: tuple[int, ...]
    movements: tuple[Movement, ...] = ()
    name: str = ""
    lat_deg: float = 0.0
    lon_deg: float = 0.0
    green: BoolMatrix = field(init=False)
    """bool[s, g]: which groups are green in which stage (derived)."""

    def __post_init__(self) -> None:
        g, s = len(self.groups), len(self.stages)
        if not g or not s:
            raise InvalidIntersectionError(f"intersection {self.id!r} needs at least one group and one stage", "stages")
        shapes = (("conflicts", (g, g)), ("yields", (g, g)), ("intergreen_s", (g, g)), ("transitions", (s, s)))
        for name, shape in shapes:
            if getattr(self, name).shape != shape:
                raise InvalidIntersectionError(
                    f"intersection {self.id!r}: {name} has shape {getattr(self, name).shape}, expected {shape}", name
                )
        green = np.zeros((s, g), np.bool_)
        for i, stage in enumerate(self.stages):
            if not stage.groups <= set(range(g)):
                raise InvalidIntersectionError(f"stage {stage.id!r} of {self.id!r} names unknown groups", "stages")
            green[i, list(stage.groups)] = True
        object.__setattr__(self, "green", green)
        for name in ("conflicts", "yields", "intergreen_s", "transitions", "green"):  # nobody changes limits behind the guard
            frozen = getattr(self, name).copy()
            frozen.setflags(write=False)
            object.__setattr__(self, name, frozen)
        _check_matrices(self)
        _check_stages(self)

    def stage_index(self, stage_id: str) -> int | None:
        """Position of the stage called `stage_id`, None if there is none."""
        return next((i for i, stage in enumerate(self.stages) if stage.id == stage_id), None)


def _check_matrices(x: Intersection) -> None:
    if not np.array_equal(x.conflicts, x.conflicts.T) or x.conflicts.diagonal().any():
        raise InvalidIntersectionError(
            f"intersection {x.id!r}: conflicts must be symmetric with an empty diagonal", "conflicts"
        )
    if (x.conflicts & x.yields).any():
        raise InvalidIntersectionError(f"intersection {x.id!r}: a pair both conflicts and yields", "yields")
    if (x.intergreen_s < 0).any():
        raise InvalidIntersectionError(f"intersection {x.id!r}: intergreens must be ≥ 0", "intergreen_s")
    related = x.conflicts | x.yields | x.yields.T
    clearing = np.array([group.clearing_s for group in x.groups])
    if (related & (x.intergreen_s < clearing[:, None])).any():
        i, j = np.argwhere(related & (x.intergreen_s < clearing[:, None]))[0]
        raise InvalidIntersectionError(
            f"intersection {x.id!r}: intergreen from {x.groups[i].id!r} to {x.groups[j].id!r} is "
            f"{x.intergreen_s[i, j]} s, shorter than the {clearing[i]} s yellow or clearance of the former",
            "intergreen_s",
        )


def _check_stages(x: Intersection) -> None:
    for k, stage in enumerate(x.stages):
        together = x.conflicts & np.outer(x.green[k], x.green[k])
        if together.any():
            i, j = np.argwhere(together)[0]
            raise InvalidIntersectionError(
                f"stage {stage.id!r} of {x.id!r} shows green to {x.groups[i].id!r} and {x.groups[j].id!r}, which conflict",
                "stages",
            )
    cycle = x.rescue_cycle
    if not cycle or any(not 0 <= k < len(x.stages) for k in cycle) or len(set(cycle)) != len(cycle):
        raise InvalidIntersectionError(
            f"intersection {x.id!r}: rescue_cycle must name different existing stages", "rescue_cycle"
        )
    unserved = ~x.green[list(cycle)].any(axis=0)
    if unserved.any():
        raise InvalidIntersectionError(
            f"intersection {x.id!r}: the rescue cycle never serves group {x.groups[int(np.argmax(unserved))].id!r}",
            "rescue_cycle",
        )
    for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True):
        if a != b and not x.transitions[a, b]:
            raise InvalidIntersectionError(
                f"intersection {x.id!r}: the rescue cycle goes from {x.stages[a].id!r} to {x.stages[b].id!r}, "
                "which is not an allowed transition",
                "rescue_cycle",
            )
    for movement in x.movements:
        if not 0 <= movement.group < len(x.groups):
            raise InvalidIntersectionError(
                f"intersection {x.id!r}: a movement names unknown group {movement.group}", "movements"
            )

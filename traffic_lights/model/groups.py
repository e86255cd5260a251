"""Signal groups, what they show, and the stages they form."""

from dataclasses import dataclass
from enum import IntEnum

from traffic_lights.errors import InvalidIntersectionError


class Aspect(IntEnum):
    """What a signal group shows."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    GREEN_YIELD = 3
    """Green while giving way to other green groups (permissive turn)."""
    PEDESTRIAN_CLEARANCE = 4
    """Pedestrians finish crossing, nobody starts (flashing)."""


class GroupKind(IntEnum):
    """Who a signal group speaks to."""

    VEHICLE = 0
    PEDESTRIAN = 1


@dataclass(frozen=True, slots=True)
class SignalGroup:
    """Lamps that always show the same.

    Attributes
    ----------
    id : str
    kind : GroupKind
    clearing_s : int
        Yellow of a vehicle group, clearance of a pedestrian group; follows every green.
    min_green_s : int
        Shortest green, at least 1.
    max_green_s : int or None
        Longest green; None = no limit, only sensible for groups green in every stage.
    max_red_s : int
        Longest time from the end of a green to the begin of the next.
    """

    id: str
    kind: GroupKind = GroupKind.VEHICLE
    clearing_s: int = 3
    min_green_s: int = 5
    max_green_s: int | None = 60
    max_red_s: int = 120

    def __post_init__(self) -> None:
        if self.clearing_s < 0 or self.min_green_s < 1:
            raise InvalidIntersectionError(
                f"signal group {self.id!r}: clearing_s must be ≥ 0 and min_green_s ≥ 1, "
                f"got {self.clearing_s} and {self.min_green_s}",
                "groups",
            )
        if self.max_green_s is not None and self.max_green_s < self.min_green_s:
            raise InvalidIntersectionError(
                f"signal group {self.id!r}: max_green_s {self.max_green_s} is below min_green_s {self.min_green_s}", "groups"
            )
        if self.max_red_s < 1:
            raise InvalidIntersectionError(f"signal group {self.id!r}: max_red_s must be ≥ 1, got {self.max_red_s}", "groups")


@dataclass(frozen=True, slots=True)
class Stage:
    """A set of signal groups green together.

    Attributes
    ----------
    id : str
    groups : frozenset[int]
        Positions in `Intersection.groups`.
    """

    id: str
    groups: frozenset[int]

"""Priority for single vehicles, first form: extend the green, or bring it early; always through the guard.

Not supported: stages inserted for one vehicle, compensation of the streets that wait, conditional priority by delay.
"""

from dataclasses import dataclass
from enum import IntEnum

from traffic_lights.errors import InvalidRequestError
from traffic_lights.guard_tables import GuardTables
from traffic_lights.model.intersection import Intersection


class PriorityClass(IntEnum):
    """Who asks; higher goes first."""

    BUS = 1
    TRAM = 2
    EMERGENCY = 3


@dataclass(frozen=True, slots=True)
class PriorityRequest:
    """A vehicle that wants a group green when it arrives.

    Attributes
    ----------
    id : str
    group : int
        Position in `Intersection.groups`.
    arrival_s : int
        Expected at the stop line, city clock.
    vehicle_class : PriorityClass
    expires_s : int
        Forgotten after this time; by default 30 s (emergency: 60 s) after the arrival.
    """

    id: str
    group: int
    arrival_s: int
    vehicle_class: PriorityClass = PriorityClass.BUS
    expires_s: int = -1

    def __post_init__(self) -> None:
        if self.expires_s < 0:
            longer = 60 if self.vehicle_class is PriorityClass.EMERGENCY else 30
            object.__setattr__(self, "expires_s", self.arrival_s + longer)
        if self.expires_s < self.arrival_s:
            raise InvalidRequestError(f"priority {self.id!r} expires before the vehicle arrives", "expires_s")


MAX_EXTENSION_S = {PriorityClass.BUS: 15, PriorityClass.TRAM: 20, PriorityClass.EMERGENCY: 60}
"""How long before its arrival a vehicle may hold a green."""


def choose_priority_stage(
    intersection: Intersection, tables: GuardTables, requests: tuple[PriorityRequest, ...], stage: int, time_s: int
) -> tuple[int, PriorityRequest] | None:
    """Stage that serves the most important request now, and that request; None when nobody needs anything yet.

    A request is due when the vehicle could be kept waiting by a change begun later: the present green is held from
    `MAX_EXTENSION_S` before its arrival; a red one is ended so early that the transition and a shortest stage fit.
    """
    ranked = sorted(requests, key=lambda r: (-r.vehicle_class, r.arrival_s, r.id))
    for request in ranked:
        if request.expires_s < time_s:
            continue
        left = request.arrival_s - time_s
        green = intersection.green[:, request.group]
        if green[stage]:
            if left <= MAX_EXTENSION_S[request.vehicle_class]:
                return stage, request
            continue
        reachable = [k for k in range(len(green)) if green[k] and intersection.transitions[stage, k]]
        # No allowed transition leads straight there: the rescue order will.
        best = min(
            reachable, key=lambda k: (int(tables.transition_s[stage, k]), -int(intersection.green[k].sum())), default=None
        )
        if best is not None and left <= int(tables.transition_s[stage, best]) + int(tables.stage_min_s[stage]):
            return best, request
    return None

"""What a map knows of a signalised junction, before signal groups and stages are derived from it."""

import math
from dataclasses import dataclass, field

from traffic_lights.errors import InvalidIntersectionError


@dataclass(frozen=True, slots=True)
class ApproachGeometry:
    """An arc that enters the junction.

    Attributes
    ----------
    arc : int
        The caller's number of the arc.
    bearing_deg : float
        Where it comes from, seen from the centre; clockwise from north.
    lanes : int
    speed_kmh : float
    name : str
    """

    arc: int
    bearing_deg: float
    lanes: int = 1
    speed_kmh: float = 50.0
    name: str = ""

    def __post_init__(self) -> None:
        _check_arc(self.arc, self.bearing_deg, self.lanes, self.speed_kmh)


@dataclass(frozen=True, slots=True)
class ExitGeometry:
    """An arc that leaves the junction; `bearing_deg` is where it leads, seen from the centre."""

    arc: int
    bearing_deg: float
    lanes: int = 1
    speed_kmh: float = 50.0
    name: str = ""

    def __post_init__(self) -> None:
        _check_arc(self.arc, self.bearing_deg, self.lanes, self.speed_kmh)


@dataclass(frozen=True, slots=True)
class IntersectionGeometry:
    """Approaches and exits of one junction; traffic drives on the right.

    Attributes
    ----------
    id, name : str
    approaches : tuple[ApproachGeometry, ...]
    exits : tuple[ExitGeometry, ...]
    banned_turns : frozenset[tuple[int, int]]
        Pairs (approach arc, exit arc) that may not be driven.
    pedestrian_crossings : bool
        Whether every arm gets a signalised crossing.
    lat_deg, lon_deg : float
    """

    id: str
    approaches: tuple[ApproachGeometry, ...]
    exits: tuple[ExitGeometry, ...]
    name: str = ""
    banned_turns: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    pedestrian_crossings: bool = True
    lat_deg: float = 0.0
    lon_deg: float = 0.0

    def __post_init__(self) -> None:
        if not self.approaches or not self.exits:
            raise InvalidIntersectionError(f"junction {self.id!r} needs at least one approach and one exit", "approaches")
        for name in ("approaches", "exits"):
            arcs = [item.arc for item in getattr(self, name)]
            if len(set(arcs)) != len(arcs):
                raise InvalidIntersectionError(f"junction {self.id!r}: an arc appears twice among its {name}", name)


def _check_arc(arc: int, bearing_deg: float, lanes: int, speed_kmh: float) -> None:
    if not math.isfinite(bearing_deg) or lanes < 1 or not 0 < speed_kmh <= 200:
        raise InvalidIntersectionError(
            f"arc {arc}: needs a finite bearing, at least one lane and a speed in (0, 200] km/h, "
            f"got {bearing_deg}°, {lanes}, {speed_kmh} km/h",
            "approaches",
        )

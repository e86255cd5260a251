"""Paths of movements through a junction, and where they cross.

A junction is a disc: a movement enters at the stop line of its approach, on the right-hand side of its arm, and leaves on
the right-hand side of another; its path is the straight line between. Two paths of different approaches conflict if they
cross or end in the same exit. This is coarse but errs to the safe side, except that vehicles turning left from opposite
sides pass before one another, as is usual.
"""

import math
from dataclasses import dataclass

from traffic_lights.model.geometry import ApproachGeometry, ExitGeometry
from traffic_lights.model.intersection import Turn

LANE_WIDTH_M = 3.25
STRAIGHT_DEG = 40.0
OPPOSITE_DEG = 130.0
SAME_ARM_DEG = 20.0
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class MovementPath:
    """One movement as a line in metres from the centre (east, north)."""

    approach: ApproachGeometry
    exit: ExitGeometry
    turn: Turn
    start: Point
    end: Point

    @property
    def length_m(self) -> float:
        """From stop line to exit."""
        return math.dist(self.start, self.end)


def angle_deg(a: float, b: float) -> float:
    """Turn from bearing `a` to bearing `b`, in (-180, 180], clockwise positive."""
    return -((a - b + 180.0) % 360.0 - 180.0) if (a - b + 180.0) % 360.0 else 180.0


def classify_turn(approach: ApproachGeometry, leaving: ExitGeometry) -> Turn:
    """Direction of the movement from `approach` to `leaving`."""
    turn = angle_deg(approach.bearing_deg + 180.0, leaving.bearing_deg)
    if abs(turn) > 180.0 - SAME_ARM_DEG:
        return Turn.U_TURN
    if abs(turn) <= STRAIGHT_DEG:
        return Turn.THROUGH
    return Turn.RIGHT if turn > 0 else Turn.LEFT


def build_path(approach: ApproachGeometry, leaving: ExitGeometry, radius_m: float) -> MovementPath:
    """Path of one movement through a junction of the given radius."""
    return MovementPath(
        approach,
        leaving,
        classify_turn(approach, leaving),
        _beside(approach.bearing_deg, -90.0, approach.lanes, radius_m),
        _beside(leaving.bearing_deg, 90.0, leaving.lanes, radius_m),
    )


def find_conflict_point(a: MovementPath, b: MovementPath) -> Point | None:
    """Where two paths of different approaches meet; None if they do not."""
    if a.approach.arc == b.approach.arc:
        return None
    if a.exit.arc == b.exit.arc:
        return a.end
    (ax, ay), (bx, by) = a.start, b.start
    ux, uy = a.end[0] - ax, a.end[1] - ay
    vx, vy = b.end[0] - bx, b.end[1] - by
    cross = ux * vy - uy * vx
    if abs(cross) < 1e-9:
        return None
    s = ((bx - ax) * vy - (by - ay) * vx) / cross
    t = ((bx - ax) * uy - (by - ay) * ux) / cross
    return (ax + s * ux, ay + s * uy) if 0 <= s <= 1 and 0 <= t <= 1 else None


def gives_way(a: MovementPath, b: MovementPath) -> bool:
    """Whether `a` may be green with `b` while giving way: a left turn against the opposite straight or right movement."""
    opposite = abs(angle_deg(a.approach.bearing_deg, b.approach.bearing_deg)) >= OPPOSITE_DEG
    return opposite and a.turn in (Turn.LEFT, Turn.U_TURN) and b.turn in (Turn.THROUGH, Turn.RIGHT)


def _beside(bearing_deg: float, side_deg: float, lanes: int, radius_m: float) -> Point:
    """Middle of the lanes of an arc at the rim of the junction, on the given side of its arm."""
    along, aside = math.radians(bearing_deg), math.radians(bearing_deg + side_deg)
    offset = lanes * LANE_WIDTH_M / 2
    return (
        radius_m * math.sin(along) + offset * math.sin(aside),
        radius_m * math.cos(along) + offset * math.cos(aside),
    )

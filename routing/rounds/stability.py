"""What it costs to change a plan that people rely on."""

import math
from dataclasses import dataclass

from routing.rounds.errors import InvalidProblemError
from routing.rounds.plan import Plan
from routing.rounds.problem import Problem


@dataclass(frozen=True, slots=True)
class Stability:
    """Cost of changes, in the units of the objective; 0 = nothing.

    Attributes
    ----------
    move_cost : float
        For every order that goes to another vehicle.
    shift_cost_per_s : float
        For every second that the arrival at an order moves.
    """

    move_cost: float = 0.0
    shift_cost_per_s: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("move_cost", self.move_cost), ("shift_cost_per_s", self.shift_cost_per_s)):
            if not (math.isfinite(value) and value >= 0):
                raise InvalidProblemError.of(name, f"must be a finite cost of at least 0, not {value}")

    def cost(self, problem: Problem, before: Plan, after: Plan) -> float:
        """Cost of going from one plan to another; orders served in both count."""
        was, now = arrivals(problem, before), arrivals(problem, after)
        both = was.keys() & now.keys()
        moved = sum(was[s][0] != now[s][0] for s in both)
        return self.move_cost * moved + self.shift_cost_per_s * sum(abs(was[s][1] - now[s][1]) for s in both)


NO_STABILITY = Stability()


def arrivals(problem: Problem, plan: Plan) -> dict[int, tuple[int, float]]:
    """Shipment → (vehicle, arrival at its last visit)."""
    return {problem.visits[stop.visit_idx][0]: (one.vehicle_idx, stop.arrival_s) for one in plan.rounds for stop in one.stops}

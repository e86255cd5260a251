"""What a reader answers, and the fleet that benchmark files mean."""

from dataclasses import dataclass
from typing import Any

from routing.rounds.errors import InvalidProblemError
from routing.rounds.problem import Problem, TimeWindow, Vehicle
from routing.rounds.travel_times import TravelTimes

VEHICLES_FIRST = 1e6
"""Fixed cost of a vehicle under the objective `vehicles-distance`: no distance saved is worth one."""

OBJECTIVES = {
    "duration": {"cost_per_s": 1.0, "cost_per_m": 0.0, "fixed_cost": 0.0},
    "distance": {"cost_per_s": 0.0, "cost_per_m": 1.0, "fixed_cost": 0.0},
    "vehicles-distance": {"cost_per_s": 0.0, "cost_per_m": 1.0, "fixed_cost": VEHICLES_FIRST},
}
MOST_CUSTOMERS = 10_000
"""A file with more is refused before its matrices fill the memory."""


@dataclass(frozen=True)
class Instance:
    """A problem as a file says it.

    Attributes
    ----------
    name : str
    problem : Problem
    travel_times : TravelTimes or None
        None: the file gives places only, travel times come from streets.
    customer : tuple of int
        Visit → number of its customer in the file.
    points : tuple of (lat, lon) or None
        Location index → degrees, where the file has them.
    profiles : tuple of str
        Profile → its name in the file.
    notes : tuple of str
        What is read differently than the format's own solver means it.
    """

    name: str
    problem: Problem
    travel_times: TravelTimes | None
    customer: tuple[int, ...]
    points: tuple[tuple[float, float], ...] | None = None
    profiles: tuple[str, ...] = ("car",)
    notes: tuple[str, ...] = ()

    @property
    def times(self) -> TravelTimes:
        """The travel times.

        Raises
        ------
        InvalidProblemError
            The file gives none.
        """
        if self.travel_times is None:
            raise InvalidProblemError.of("matrices", "the file gives no travel times, only places")
        return self.travel_times


def build_fleet(count: int, capacity: int, window: TimeWindow, objective: str) -> tuple[Vehicle, ...]:
    """`count` equal vehicles of one depot, with the costs of an objective of `OBJECTIVES`."""
    costs: dict[str, Any] = OBJECTIVES[objective]
    return tuple(Vehicle(f"v{k}", 0, 0, (capacity,), window, **costs) for k in range(count))

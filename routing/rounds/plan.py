"""What the engine answers: delivery rounds with exact times, and what could not be served."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannedBreak:
    """A rest of the driver at a stop; `by_rule` because of the time driven, not one of the vehicle's breaks."""

    start_s: float
    end_s: float
    by_rule: bool = False


@dataclass(frozen=True, slots=True)
class RoadRest:
    """A rest on the way to a stop, because of the time driven: after so many seconds at the wheel since the stop before."""

    after_s: float
    start_s: float
    end_s: float


def resting_s(rests: Iterable[PlannedBreak | RoadRest]) -> float:
    """Sum of the lengths of rests."""
    return sum(one.end_s - one.start_s for one in rests)


@dataclass(frozen=True, slots=True)
class PlannedStop:
    """A visit with its times; `load_after` is on board when leaving.

    Breaks and rests are taken before or after the service, `road_rests` on the way here.
    """

    visit_idx: int
    arrival_s: float
    start_s: float
    departure_s: float
    load_after: tuple[int, ...]
    breaks_before: tuple[PlannedBreak, ...] = ()
    breaks_after: tuple[PlannedBreak, ...] = ()
    road_rests: tuple[RoadRest, ...] = ()

    def driven_s(self, left_s: float) -> float:
        """Time driven to the stop since leaving the one before at `left_s`."""
        return self.arrival_s - left_s - resting_s(self.road_rests)


@dataclass(frozen=True, slots=True)
class DeliveryRound:
    """The day of one vehicle: leaves at `departure_s`, is back (or done, open end) at `end_s`.

    `road_rests` are those on the way to the end.
    """

    vehicle_idx: int
    departure_s: float
    end_s: float
    load_start: tuple[int, ...]
    stops: tuple[PlannedStop, ...]
    driving_s: float
    length_m: float
    cost: float
    co2_g: float = 0.0
    road_rests: tuple[RoadRest, ...] = ()

    @property
    def duration_s(self) -> float:
        """From departure to end."""
        return self.end_s - self.departure_s


@dataclass(frozen=True, slots=True)
class Unserved:
    """A shipment no round serves and why: codes as in `explain.REASONS`, and one sentence."""

    shipment_idx: int
    reasons: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds (only vehicles that drive), unserved shipments, total cost with penalties, and how it was found.

    `warnings` says what was mended in the input.
    """

    rounds: tuple[DeliveryRound, ...]
    unserved: tuple[Unserved, ...]
    cost: float
    iterations: int = 0
    first_cost: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Sum of the rounds' durations."""
        return sum(one.duration_s for one in self.rounds)

    @property
    def length_m(self) -> float:
        """Sum of the rounds' lengths."""
        return sum(one.length_m for one in self.rounds)

    @property
    def co2_kg(self) -> float:
        """Carbon dioxide of the rounds, by their lengths and vehicles."""
        return sum(one.co2_g for one in self.rounds) / 1000.0

    def routes(self) -> list[list[int]]:
        """Visit indices of each round."""
        return [[stop.visit_idx for stop in one.stops] for one in self.rounds]

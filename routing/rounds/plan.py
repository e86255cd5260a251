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
class PlannedReload:
    """A visit to a depot in the middle of a round: the trip so far is unloaded, `load_after` is on board for the next one.

    `visit_idx` is its number in routes (`Problem.reloads`, counted on after the visits).
    """

    visit_idx: int
    location_idx: int
    arrival_s: float
    start_s: float
    departure_s: float
    load_after: tuple[int, ...]
    breaks_before: tuple[PlannedBreak, ...] = ()
    breaks_after: tuple[PlannedBreak, ...] = ()
    road_rests: tuple[RoadRest, ...] = ()

    def driven_s(self, left_s: float) -> float:
        """Time driven to the depot since leaving the stop before at `left_s`."""
        return self.arrival_s - left_s - resting_s(self.road_rests)

    @property
    def left_s(self) -> float:
        """When it is left, rests taken."""
        return self.breaks_after[-1].end_s if self.breaks_after else self.departure_s


@dataclass(frozen=True, slots=True)
class PlannedStop:
    """A visit with its times; `load_after` is on board when leaving.

    Breaks and rests are taken before or after the service, `road_rests` on the way here. Before it the vehicle may
    `reload`; the way here then begins there. After all of it the vehicle is held for `held_s` where driving later is quicker.
    """

    visit_idx: int
    arrival_s: float
    start_s: float
    departure_s: float
    load_after: tuple[int, ...]
    breaks_before: tuple[PlannedBreak, ...] = ()
    breaks_after: tuple[PlannedBreak, ...] = ()
    road_rests: tuple[RoadRest, ...] = ()
    reload: PlannedReload | None = None
    held_s: float = 0.0

    def driven_s(self, left_s: float) -> float:
        """Time driven to the stop since leaving the one before (a reload is one) at `left_s`."""
        return self.arrival_s - left_s - resting_s(self.road_rests)

    @property
    def left_s(self) -> float:
        """When it is left, rests taken and held."""
        return (self.breaks_after[-1].end_s if self.breaks_after else self.departure_s) + self.held_s


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
    def halts(self) -> tuple[PlannedStop | PlannedReload, ...]:
        """Stops and reloads in the order of the day."""
        return tuple(halt for stop in self.stops for halt in (stop.reload, stop) if halt is not None)

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

    `warnings` says what was mended in the input. `hub_of` says over which micro-hub each order goes (-1 = directly);
    empty = there are none.
    """

    rounds: tuple[DeliveryRound, ...]
    unserved: tuple[Unserved, ...]
    cost: float
    iterations: int = 0
    first_cost: float = 0.0
    warnings: tuple[str, ...] = ()
    hub_of: tuple[int, ...] = ()

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
        """Visit indices of each round, reloads among them."""
        return [[halt.visit_idx for halt in one.halts] for one in self.rounds]

    def routes_by_vehicle(self, vehicles: int) -> list[list[int]]:
        """As `routes`, but a list for each of so many vehicles, empty where one does not drive."""
        answer: list[list[int]] = [[] for _ in range(vehicles)]
        for one, route in zip(self.rounds, self.routes(), strict=True):
            answer[one.vehicle_idx] = route
        return answer

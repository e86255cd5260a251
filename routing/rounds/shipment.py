"""Orders and the visits they ask for."""

from dataclasses import dataclass

from routing.rounds.checks import TimeWindow, check_cost, check_time
from routing.rounds.errors import InvalidProblemError
from routing.rounds.vehicle import Vehicle

MANDATORY_PENALTY = 1e7
"""Cost of leaving a mandatory shipment out, per priority step: above any real cost, so that all that can be served is."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One stop of a vehicle: service of `service_s` starts in one of `windows` (none = any time); early vehicles wait.

    Attributes
    ----------
    setup_s : float
        Comes on top of the service, whatever the vehicle.
    service_by_class : tuple of (class, seconds)
        Service time instead of `service_s` for vehicles of a `service_class`.
    due_s, late_cost_per_s : float
        Every second that the service starts after `due_s` costs that much; the windows still bind.
    """

    location_idx: int
    service_s: float = 0.0
    windows: tuple[TimeWindow, ...] = ()
    setup_s: float = 0.0
    service_by_class: tuple[tuple[str, float], ...] = ()
    due_s: float | None = None
    late_cost_per_s: float = 0.0

    def __post_init__(self) -> None:
        check_time("service_s", self.service_s, 0.0)
        check_time("setup_s", self.setup_s, 0.0)
        for k, (_, seconds) in enumerate(self.service_by_class):
            check_time(f"service_by_class[{k}]", seconds, 0.0)
        if len({name for name, _ in self.service_by_class}) < len(self.service_by_class):
            raise InvalidProblemError.of("service_by_class", "a class of vehicles is given twice: give one time for each")
        check_cost("late_cost_per_s", self.late_cost_per_s)
        if self.due_s is not None:
            check_time("due_s", self.due_s)
        elif self.late_cost_per_s:
            raise InvalidProblemError.of("due_s", "a cost of being late needs the moment after which it counts")
        for k, (one, two) in enumerate(zip(self.windows, self.windows[1:], strict=False)):
            if two.start_s <= one.end_s:
                raise InvalidProblemError.of(f"windows[{k + 1}]", "windows must be in order and may not overlap")

    def stays_s(self, vehicle: Vehicle) -> float:
        """Time `vehicle` stands here: setup and service, breaks and waiting left out."""
        service = next((seconds for name, seconds in self.service_by_class if name == vehicle.service_class), self.service_s)
        return self.setup_s + service * vehicle.service_factor

    def late_cost(self, start_s: float) -> float:
        """Cost of a service that starts at `start_s`."""
        return 0.0 if self.due_s is None else self.late_cost_per_s * max(0.0, start_s - self.due_s)


@dataclass(frozen=True, slots=True)
class Shipment:
    """An order: a delivery from the depot, a pickup for the depot, or (both given) goods taken from one stop to another.

    `vehicle_ids` non-empty locks it to those vehicles. `prize` None = mandatory; otherwise the cost of leaving it out.
    When not all mandatory shipments fit, those of higher `priority` are kept.

    Attributes
    ----------
    together : str
        Shipments of the same name ride in one vehicle, those of them that are served; empty = free.
    apart : str
        No two shipments of the same name ride in one vehicle; empty = free.
    preferred_vehicle_ids, other_vehicle_cost
        Riding with any vehicle but these costs that much.
    max_ride_s : float, optional
        Longest time from the end of the pickup's service to the start of the delivery's.
    direct_only : bool
        Whether it may not go over a micro-hub.
    """

    id: str
    load: tuple[int, ...] = ()
    pickup: Visit | None = None
    delivery: Visit | None = None
    skills: frozenset[str] = frozenset()
    vehicle_ids: frozenset[str] = frozenset()
    prize: float | None = None
    priority: int = 0
    together: str = ""
    apart: str = ""
    preferred_vehicle_ids: frozenset[str] = frozenset()
    other_vehicle_cost: float = 0.0
    max_ride_s: float | None = None
    direct_only: bool = False

    def __post_init__(self) -> None:
        if self.pickup is None and self.delivery is None:
            raise InvalidProblemError.of("delivery", "a shipment needs a pickup, a delivery or both")
        for k, amount in enumerate(self.load):
            if amount < 0:
                raise InvalidProblemError.of(f"load[{k}]", f"must be at least 0, not {amount}")
        if self.prize is not None:
            check_cost("prize", self.prize)
        if not 0 <= self.priority <= 100:
            raise InvalidProblemError.of("priority", f"must be from 0 to 100, not {self.priority}")
        check_cost("other_vehicle_cost", self.other_vehicle_cost)
        if self.other_vehicle_cost and not self.preferred_vehicle_ids:
            raise InvalidProblemError.of("preferred_vehicle_ids", "a cost of riding with others needs the preferred vehicles")
        if self.max_ride_s is not None:
            check_time("max_ride_s", self.max_ride_s, 0.0)
            if self.pickup is None or self.delivery is None:
                raise InvalidProblemError.of("max_ride_s", "a longest ride needs both a pickup and a delivery")

    @property
    def penalty(self) -> float:
        """Cost of leaving the shipment out."""
        return MANDATORY_PENALTY * (1 + self.priority) if self.prize is None else self.prize

"""The delivery problem: fleet, shipments and what a good plan is.

Times are seconds from the start of the planning day (integers from the service; benchmark instances may use fractions).
Locations are indices into the travel-time matrices. Not supported yet: reload trips, two echelons.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from routing.rounds.errors import FieldFinding, InvalidProblemError

MANDATORY_PENALTY = 1e7
"""Cost of leaving a mandatory shipment out, per priority step: above any real cost, so that all that can be served is."""


def _check_time(name: str, value: float, low: float = -math.inf) -> None:
    if math.isnan(value) or math.isinf(value):
        raise InvalidProblemError.of(name, f"must be a finite number of seconds, not {value}")
    if value < low:
        raise InvalidProblemError.of(name, f"must be at least {low:g}, not {value:g}")


def _check_cost(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise InvalidProblemError.of(name, f"must be a finite cost of at least 0, not {value}")


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Service (or presence at a depot) starts within [start_s, end_s]."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        _check_time("start_s", self.start_s)
        _check_time("end_s", self.end_s)
        if self.end_s < self.start_s:
            raise InvalidProblemError.of(
                "end_s", f"the window closes at {self.end_s:g} s, before it opens at {self.start_s:g} s: swap or widen them"
            )


@dataclass(frozen=True, slots=True)
class Depot:
    """Where rounds start or end; vehicles leave and return within `window`."""

    id: str
    location_idx: int
    window: TimeWindow


@dataclass(frozen=True, slots=True)
class Break:
    """A rest of `duration_s` that starts within [earliest_s, latest_s], at a stop or outside the round, never while driving."""

    earliest_s: float
    latest_s: float
    duration_s: float

    def __post_init__(self) -> None:
        _check_time("earliest_s", self.earliest_s)
        _check_time("latest_s", self.latest_s)
        _check_time("duration_s", self.duration_s, 0.0)
        if self.latest_s < self.earliest_s:
            raise InvalidProblemError.of("latest_s", "the break's latest start is before its earliest start")


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle with its driver for one day; `profile` selects its travel times (van, cargo bike, …).

    `end_depot_idx` None is an open end: the round is over after the last visit. Capacities are whole numbers, one per
    load dimension. Costs: once when used, per second between departure and return, and per metre. Its service takes
    `service_factor` times as long as a visit says, after what the visit says for its `service_class`. Every second of a round
    beyond `overtime_after_s` costs `overtime_cost_per_s` on top: that also spreads work over drivers.
    """

    id: str
    start_depot_idx: int
    end_depot_idx: int | None
    capacity: tuple[int, ...]
    shift: TimeWindow
    max_duration_s: float | None = None
    max_length_m: float | None = None
    max_stops: int | None = None
    profile: int = 0
    skills: frozenset[str] = frozenset()
    breaks: tuple[Break, ...] = ()
    fixed_cost: float = 0.0
    cost_per_s: float = 1.0
    cost_per_m: float = 0.0
    service_factor: float = 1.0
    service_class: str = ""
    co2_g_per_m: float = 0.0
    overtime_after_s: float | None = None
    overtime_cost_per_s: float = 0.0

    def __post_init__(self) -> None:
        for k, amount in enumerate(self.capacity):
            if amount < 0:
                raise InvalidProblemError.of(f"capacity[{k}]", f"must be at least 0, not {amount}")
        if self.max_duration_s is not None:
            _check_time("max_duration_s", self.max_duration_s, 0.0)
        if self.max_length_m is not None and not self.max_length_m >= 0:
            raise InvalidProblemError.of("max_length_m", f"must be at least 0, not {self.max_length_m}")
        if self.max_stops is not None and self.max_stops < 0:
            raise InvalidProblemError.of("max_stops", f"must be at least 0, not {self.max_stops}")
        _check_cost("fixed_cost", self.fixed_cost)
        _check_cost("cost_per_s", self.cost_per_s)
        _check_cost("cost_per_m", self.cost_per_m)
        _check_cost("co2_g_per_m", self.co2_g_per_m)
        _check_cost("overtime_cost_per_s", self.overtime_cost_per_s)
        if self.overtime_after_s is not None:
            _check_time("overtime_after_s", self.overtime_after_s, 0.0)
        elif self.overtime_cost_per_s:
            raise InvalidProblemError.of("overtime_after_s", "a cost of overtime needs the duration after which it begins")
        if not (math.isfinite(self.service_factor) and self.service_factor >= 0):
            raise InvalidProblemError.of("service_factor", f"must be a finite number of at least 0, not {self.service_factor}")
        for k, (one, two) in enumerate(zip(self.breaks, self.breaks[1:], strict=False)):
            if two.earliest_s < one.earliest_s or two.latest_s < one.latest_s:
                raise InvalidProblemError.of(f"breaks[{k + 1}]", "breaks must be listed in the order of the day")


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
        _check_time("service_s", self.service_s, 0.0)
        _check_time("setup_s", self.setup_s, 0.0)
        for k, (_, seconds) in enumerate(self.service_by_class):
            _check_time(f"service_by_class[{k}]", seconds, 0.0)
        if len({name for name, _ in self.service_by_class}) < len(self.service_by_class):
            raise InvalidProblemError.of("service_by_class", "a class of vehicles is given twice: give one time for each")
        _check_cost("late_cost_per_s", self.late_cost_per_s)
        if self.due_s is not None:
            _check_time("due_s", self.due_s)
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

    def __post_init__(self) -> None:
        if self.pickup is None and self.delivery is None:
            raise InvalidProblemError.of("delivery", "a shipment needs a pickup, a delivery or both")
        for k, amount in enumerate(self.load):
            if amount < 0:
                raise InvalidProblemError.of(f"load[{k}]", f"must be at least 0, not {amount}")
        if self.prize is not None:
            _check_cost("prize", self.prize)
        if not 0 <= self.priority <= 100:
            raise InvalidProblemError.of("priority", f"must be from 0 to 100, not {self.priority}")
        _check_cost("other_vehicle_cost", self.other_vehicle_cost)
        if self.other_vehicle_cost and not self.preferred_vehicle_ids:
            raise InvalidProblemError.of("preferred_vehicle_ids", "a cost of riding with others needs the preferred vehicles")
        if self.max_ride_s is not None:
            _check_time("max_ride_s", self.max_ride_s, 0.0)
            if self.pickup is None or self.delivery is None:
                raise InvalidProblemError.of("max_ride_s", "a longest ride needs both a pickup and a delivery")

    @property
    def penalty(self) -> float:
        """Cost of leaving the shipment out."""
        return MANDATORY_PENALTY * (1 + self.priority) if self.prize is None else self.prize


@dataclass(frozen=True, slots=True)
class Problem:
    """A whole planning problem over `location_count` locations; ids are unique.

    Raises
    ------
    InvalidProblemError
        With one finding for every wrong field.
    """

    location_count: int
    depots: tuple[Depot, ...]
    vehicles: tuple[Vehicle, ...]
    shipments: tuple[Shipment, ...]
    visits: tuple[tuple[int, bool], ...] = field(init=False)
    """(shipment index, is the delivery) of every visit, in the order of the shipments, pickups first."""
    dimensions: int = field(init=False)
    """Number of load dimensions, at least 1."""

    def __post_init__(self) -> None:
        findings = [
            *_duplicates("depots", (depot.id for depot in self.depots)),
            *_duplicates("vehicles", (vehicle.id for vehicle in self.vehicles)),
            *_duplicates("shipments", (shipment.id for shipment in self.shipments)),
            *self._check_depots(),
            *self._check_vehicles(),
            *self._check_shipments(),
        ]
        if findings:
            raise InvalidProblemError(findings)
        visits = [
            (k, is_delivery)
            for k, shipment in enumerate(self.shipments)
            for is_delivery, visit in ((False, shipment.pickup), (True, shipment.delivery))
            if visit is not None
        ]
        object.__setattr__(self, "visits", tuple(visits))
        object.__setattr__(self, "dimensions", max([1, *(len(vehicle.capacity) for vehicle in self.vehicles)]))

    def driver_cost(self, vehicle_idx: int, duration_s: float) -> float:
        """Cost of a vehicle's time, overtime included."""
        vehicle = self.vehicles[vehicle_idx]
        over = 0.0 if vehicle.overtime_after_s is None else max(0.0, duration_s - vehicle.overtime_after_s)
        return vehicle.cost_per_s * duration_s + vehicle.overtime_cost_per_s * over

    def first_visit(self, shipment_idx: int) -> int:
        """Position in `visits` of the shipment's first visit. O(log m)."""
        return bisect_left(self.visits, (shipment_idx, False))

    def visit(self, visit_idx: int) -> Visit:
        """Return visit `visit_idx` (position in `visits`)."""
        shipment_idx, is_delivery = self.visits[visit_idx]
        shipment = self.shipments[shipment_idx]
        found = shipment.delivery if is_delivery else shipment.pickup
        assert found is not None
        return found

    def with_shipment(self, shipment: Shipment, location_count: int) -> "Problem":
        """Return the problem with one more shipment, over `location_count` locations; what is there is not checked again.

        Raises
        ------
        InvalidProblemError
            With one finding for every wrong field of the shipment (`shipments[0]`); the caller sees to it that its id is new.
        """
        one = self.only_with(shipment, location_count)
        answer = object.__new__(Problem)
        own: dict[str, object] = {"location_count": location_count, "shipments": (*self.shipments, shipment)}
        own["visits"] = (*self.visits, *((len(self.shipments), is_delivery) for _, is_delivery in one.visits))
        for name in (known.name for known in fields(Problem)):
            object.__setattr__(answer, name, own[name] if name in own else getattr(self, name))
        return answer

    def only_with(self, shipment: Shipment, location_count: int) -> "Problem":
        """Return a problem with this shipment alone, of the first vehicle and those the shipment names."""
        named = shipment.vehicle_ids | shipment.preferred_vehicle_ids
        vehicles = tuple(one for k, one in enumerate(self.vehicles) if k == 0 or one.id in named)
        return Problem(location_count, self.depots, vehicles, (shipment,))

    def may_carry(self, vehicle_idx: int, shipment_idx: int) -> bool:
        """Whether skills and locks let the vehicle serve the shipment."""
        vehicle, shipment = self.vehicles[vehicle_idx], self.shipments[shipment_idx]
        return shipment.skills <= vehicle.skills and (not shipment.vehicle_ids or vehicle.id in shipment.vehicle_ids)

    def dislike(self, vehicle_idx: int, shipment_idx: int) -> float:
        """Cost of the shipment riding with this vehicle rather than with one it prefers."""
        shipment = self.shipments[shipment_idx]
        liked = not shipment.preferred_vehicle_ids or self.vehicles[vehicle_idx].id in shipment.preferred_vehicle_ids
        return 0.0 if liked else shipment.other_vehicle_cost

    def _check_depots(self) -> Iterable[FieldFinding]:
        for k, depot in enumerate(self.depots):
            yield from self._location(f"depots[{k}].location_idx", depot.location_idx)

    def _check_vehicles(self) -> Iterable[FieldFinding]:
        dimensions = {len(vehicle.capacity) for vehicle in self.vehicles}
        if len(dimensions) > 1:
            yield FieldFinding("vehicles", f"all vehicles need the same number of load dimensions, not {sorted(dimensions)}")
        for k, vehicle in enumerate(self.vehicles):
            for name, depot in (("start_depot_idx", vehicle.start_depot_idx), ("end_depot_idx", vehicle.end_depot_idx)):
                if depot is not None and not 0 <= depot < len(self.depots):
                    yield FieldFinding(f"vehicles[{k}].{name}", f"there is no depot {depot}: {len(self.depots)} are given")

    def _check_shipments(self) -> Iterable[FieldFinding]:
        known = {vehicle.id for vehicle in self.vehicles}
        for k, shipment in enumerate(self.shipments):
            for name, visit in (("pickup", shipment.pickup), ("delivery", shipment.delivery)):
                if visit is not None:
                    yield from self._location(f"shipments[{k}].{name}.location_idx", visit.location_idx)
            if self.vehicles and len(shipment.load) > len(self.vehicles[0].capacity):
                yield FieldFinding(
                    f"shipments[{k}].load",
                    f"order {shipment.id!r} has {len(shipment.load)} load dimensions, "
                    f"the vehicles {len(self.vehicles[0].capacity)}",
                )
            for unknown in sorted(shipment.vehicle_ids - known):
                yield FieldFinding(
                    f"shipments[{k}].vehicle_ids", f"order {shipment.id!r} is locked to unknown vehicle {unknown!r}"
                )
            for unknown in sorted(shipment.preferred_vehicle_ids - known):
                yield FieldFinding(
                    f"shipments[{k}].preferred_vehicle_ids", f"order {shipment.id!r} prefers unknown vehicle {unknown!r}"
                )

    def _location(self, name: str, location_idx: int) -> Iterable[FieldFinding]:
        if not 0 <= location_idx < self.location_count:
            yield FieldFinding(name, f"there is no location {location_idx}: {self.location_count} are given")


def _duplicates(name: str, ids: Iterable[str]) -> Iterable[FieldFinding]:
    first: dict[str, int] = {}
    for k, identifier in enumerate(ids):
        if identifier in first:
            yield FieldFinding(f"{name}[{k}].id", f"{identifier!r} is already the id of {name}[{first[identifier]}]")
        first.setdefault(identifier, k)

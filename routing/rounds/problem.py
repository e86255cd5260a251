"""The delivery problem: fleet, shipments and what a good plan is.

Times are seconds from the start of the planning day (integers from the service; benchmark instances may use fractions).
Locations are indices into the travel-time matrices. With micro-hubs it is planned by `hub_search.solve_over_hubs`.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from routing.rounds.checks import TimeWindow
from routing.rounds.errors import FieldFinding, InvalidProblemError
from routing.rounds.hub import Hub, check_hubs
from routing.rounds.plan import PlannedReload, PlannedStop
from routing.rounds.shipment import MANDATORY_PENALTY, Shipment, Visit
from routing.rounds.vehicle import Break, Depot, DrivingRules, Vehicle

__all__ = [
    "MANDATORY_PENALTY", "Break", "Depot", "DrivingRules", "Hub", "Problem", "Shipment", "TimeWindow", "Vehicle", "Visit",
]  # fmt: skip


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
    hubs: tuple[Hub, ...] = ()
    visits: tuple[tuple[int, bool], ...] = field(init=False)
    """(shipment index, is the delivery) of every visit, in the order of the shipments, pickups first."""
    dimensions: int = field(init=False)
    """Number of load dimensions, at least 1."""
    reloads: tuple[tuple[int, int], ...] = field(init=False)
    """(vehicle index, depot index) of every reload that may be made; in routes they are visits numbered after `visits`."""

    def __post_init__(self) -> None:
        findings = [
            *_duplicates("depots", (depot.id for depot in self.depots)),
            *_duplicates("vehicles", (vehicle.id for vehicle in self.vehicles)),
            *_duplicates("shipments", (shipment.id for shipment in self.shipments)),
            *self._check_depots(),
            *self._check_vehicles(),
            *self._check_shipments(),
            *_duplicates("hubs", (hub.id for hub in self.hubs)),
            *check_hubs(self.hubs, self.depots, self.vehicles, self.shipments),
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
        reloads = (
            (r, depot)
            for r, vehicle in enumerate(self.vehicles)
            for depot in vehicle.reload_depots
            for _ in range(vehicle.max_reloads)
        )
        object.__setattr__(self, "reloads", tuple(reloads))
        object.__setattr__(self, "dimensions", max([1, *(len(vehicle.capacity) for vehicle in self.vehicles)]))

    def driver_cost(self, vehicle_idx: int, duration_s: float) -> float:
        """Cost of a vehicle's time, overtime and balance included."""
        vehicle = self.vehicles[vehicle_idx]
        over = 0.0 if vehicle.overtime_after_s is None else max(0.0, duration_s - vehicle.overtime_after_s)
        balance = vehicle.balance_cost_per_s2 * duration_s * duration_s
        return vehicle.cost_per_s * duration_s + vehicle.overtime_cost_per_s * over + balance

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

    def location_of(self, halt: PlannedStop | PlannedReload) -> int:
        """Location of a stop or a reload of a plan."""
        if isinstance(halt, PlannedReload):
            return halt.location_idx
        return self.visit(halt.visit_idx).location_idx

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
            reloads = ((f"reload_depot_idxs[{n}]", depot) for n, depot in enumerate(vehicle.reload_depot_idxs))
            ends = (("start_depot_idx", vehicle.start_depot_idx), ("end_depot_idx", vehicle.end_depot_idx))
            for name, depot in (*ends, *reloads):
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
                    f"shipments[{k}].vehicle_ids",
                    f"order {shipment.id!r} may only ride with {unknown!r}, which is no vehicle",
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

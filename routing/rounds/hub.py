"""Micro-hubs: where vans leave goods that vehicles of the hub, such as cargo bikes, deliver.

A hub is a depot of the problem; the vehicles that start there are those of the hub, all others are vans here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from routing.rounds.checks import check_cost, check_time
from routing.rounds.errors import FieldFinding, InvalidProblemError
from routing.rounds.shipment import Shipment
from routing.rounds.vehicle import Depot, Vehicle


@dataclass(frozen=True, slots=True)
class Hub:
    """A micro-hub at a depot, within whose window goods are handed over and its vehicles leave and return.

    Attributes
    ----------
    handling_s : float
        Time to hand over one order, of the van that brings it.
    capacity : tuple of int, optional
        What may lie there at once, one number per load dimension: from the start of the handover until the vehicle that
        fetches it leaves. None = without limit.
    fixed_cost : float
        Cost of using the hub at all.
    """

    id: str
    depot_idx: int
    handling_s: float = 0.0
    capacity: tuple[int, ...] | None = None
    fixed_cost: float = 0.0

    def __post_init__(self) -> None:
        check_time("handling_s", self.handling_s, 0.0)
        check_cost("fixed_cost", self.fixed_cost)
        for k, amount in enumerate(self.capacity or ()):
            if amount < 0:
                raise InvalidProblemError.of(f"capacity[{k}]", f"must be at least 0, not {amount}")


def vehicles_of(hubs: Sequence[Hub], vehicles: Sequence[Vehicle]) -> tuple[int, ...]:
    """Hub each vehicle belongs to; -1 = none, it is a van."""
    at = {hub.depot_idx: h for h, hub in enumerate(hubs)}
    return tuple(at.get(vehicle.start_depot_idx, -1) for vehicle in vehicles)


def check_hubs(
    hubs: Sequence[Hub], depots: Sequence[Depot], vehicles: Sequence[Vehicle], shipments: Sequence[Shipment]
) -> Iterable[FieldFinding]:
    """What is wrong with hubs, or cannot be combined with them."""
    if not hubs:
        return
    taken: dict[int, int] = {}
    for h, hub in enumerate(hubs):
        if not 0 <= hub.depot_idx < len(depots):
            yield FieldFinding(f"hubs[{h}].depot_idx", f"there is no depot {hub.depot_idx}: {len(depots)} are given")
        if hub.depot_idx in taken:
            yield FieldFinding(f"hubs[{h}].depot_idx", f"is the depot of hubs[{taken[hub.depot_idx]}] already")
        taken.setdefault(hub.depot_idx, h)
        if hub.capacity is not None and vehicles and len(hub.capacity) != len(vehicles[0].capacity):
            yield FieldFinding(
                f"hubs[{h}].capacity", f"has {len(hub.capacity)} load dimensions, the vehicles {len(vehicles[0].capacity)}"
            )
    belongs = vehicles_of(hubs, vehicles)
    if -1 not in belongs:
        yield FieldFinding("vehicles", "all start at hubs: give one that starts elsewhere and brings the goods")
    for k, vehicle in enumerate(vehicles):
        if vehicle.max_reloads:
            yield FieldFinding(f"vehicles[{k}].max_reloads", "reloads cannot be combined with hubs yet; leave them out")
    vans = {vehicle.id for vehicle, hub in zip(vehicles, belongs, strict=True) if hub < 0}
    for k, shipment in enumerate(shipments):
        paired = shipment.pickup is not None and shipment.delivery is not None
        if shipment.vehicle_ids and not paired and not shipment.vehicle_ids & vans:
            yield FieldFinding(
                f"shipments[{k}].vehicle_ids",
                f"order {shipment.id!r} is locked to vehicles of hubs; name one that can deliver it directly, too",
            )

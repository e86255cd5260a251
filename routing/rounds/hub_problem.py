"""A problem with micro-hubs as one without them, once it is decided which order goes over which hub.

Order s keeps its number; where it goes over a hub only vehicles of the hub may deliver it, and one more shipment, numbered
after all orders, is its way to the hub. All that goes over a hub is there at the hub's handover, before which none of its
vehicles leaves: so the rounds of vans and of hubs fit together whatever they are, and no round has to know of another.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from routing.rounds.errors import InvalidProblemError
from routing.rounds.hub import vehicles_of
from routing.rounds.problem import Problem, Shipment, TimeWindow, Vehicle, Visit

DIRECT = -1
"""Hub of an order that goes over none."""


@dataclass(frozen=True)
class HubOptions:
    """Which vehicles belong where, and over which hubs each order may go."""

    problem: Problem

    @cached_property
    def belongs(self) -> tuple[int, ...]:
        """Hub of each vehicle; -1 = a van."""
        return vehicles_of(self.problem.hubs, self.problem.vehicles)

    @cached_property
    def names(self) -> dict[int, frozenset[str]]:
        """Ids of the vehicles of each hub, and of the vans at -1."""
        known: dict[int, set[str]] = {hub: set() for hub in range(DIRECT, len(self.problem.hubs))}
        for vehicle, hub in zip(self.problem.vehicles, self.belongs, strict=True):
            known[hub].add(vehicle.id)
        return {hub: frozenset(ids) for hub, ids in known.items()}

    @cached_property
    def of_orders(self) -> tuple[tuple[int, ...], ...]:
        """Hubs each order may go over: one has a vehicle that may carry and hold it, and so has some van."""
        return tuple(tuple(self._hubs_of(s)) for s in range(len(self.problem.shipments)))

    def _hubs_of(self, s: int) -> list[int]:
        shipment, vehicles = self.problem.shipments[s], self.problem.vehicles
        bound = shipment.direct_only or shipment.together or shipment.apart
        if shipment.pickup is not None or bound:
            return []
        holding = [
            r
            for r, vehicle in enumerate(vehicles)
            if shipment.skills <= vehicle.skills
            and all(amount <= vehicle.capacity[d] for d, amount in enumerate(shipment.load))
        ]
        if not any(self.belongs[r] == DIRECT for r in holding):
            return []
        found = {self.belongs[r] for r in holding if self.problem.may_carry(r, s)} - {DIRECT}
        return sorted(hub for hub in found if self._takes(hub, shipment))

    def _takes(self, h: int, shipment: Shipment) -> bool:
        """Whether a hub is open for as long as a handover lasts, and large enough for the order."""
        hub = self.problem.hubs[h]
        window = self.problem.depots[hub.depot_idx].window
        fits = hub.capacity is None or all(amount <= hub.capacity[d] for d, amount in enumerate(shipment.load))
        return fits and window.start_s + hub.handling_s <= window.end_s

    def check(self, hub_of: Sequence[int]) -> None:
        """Refuse an assignment of orders to hubs that is not of this problem.

        Raises
        ------
        InvalidProblemError
            Naming the order.
        """
        if len(hub_of) != len(self.problem.shipments):
            raise InvalidProblemError.of("hub_of", f"is of {len(hub_of)} orders, {len(self.problem.shipments)} are given")
        for s, hub in enumerate(hub_of):
            if hub != DIRECT and hub not in self.of_orders[s]:
                raise InvalidProblemError.of(
                    f"hub_of[{s}]", f"order {self.problem.shipments[s].id!r} may not go over hub {hub}"
                )


def assigned(options: HubOptions, hub_of: Sequence[int], handover_s: Sequence[float] | None = None) -> Problem:
    """The problem whose orders go over the hubs `hub_of` (-1 = directly), without hubs.

    With `handover_s` (by hub) goods are there by then, and no vehicle of a hub that is used leaves earlier; without it only the
    hours of the hubs bind.

    Raises
    ------
    InvalidProblemError
        An order may not go over its hub.
    """
    options.check(hub_of)
    problem = options.problem
    taken = {shipment.id for shipment in problem.shipments}
    last = [_last_leg(options, shipment, hub) for shipment, hub in zip(problem.shipments, hub_of, strict=True)]
    bring = []
    for s, hub in enumerate(hub_of):
        if hub != DIRECT:
            bring.append(_bring_leg(options, s, hub, None if handover_s is None else handover_s[hub], taken))
    vehicles = list(problem.vehicles)
    for r, hub in enumerate(options.belongs):
        if handover_s is not None and hub != DIRECT and hub in hub_of:
            vehicles[r] = _from(vehicles[r], handover_s[hub])
    return Problem(problem.location_count, problem.depots, tuple(vehicles), (*last, *bring))


def either(options: HubOptions, handover_s: Sequence[float], hubs: Collection[int]) -> Problem:
    """The problem in which vehicles of `hubs` deliver what may go over theirs as if it were there at the handover.

    The way of an order to the hub costs its handling: whoever brings other goods goes there anyway. Store and the vans' ways to
    hubs are left out, so that a plan of it is no plan of the whole; it says which side costs less for which order.
    """
    problem, handling_s = options.problem, max(problem_hub.handling_s for problem_hub in options.problem.hubs)
    dear = handling_s * max(problem.vehicles[r].cost_per_s for r, hub in enumerate(options.belongs) if hub == DIRECT)
    vehicles = tuple(
        vehicle if hub == DIRECT else _from(vehicle, handover_s[hub])
        for vehicle, hub in zip(problem.vehicles, options.belongs, strict=True)
    )
    shipments = []
    for shipment, may in zip(problem.shipments, options.of_orders, strict=True):
        if shipment.pickup is not None and shipment.delivery is not None:
            shipments.append(shipment)
            continue
        own = options.names[DIRECT].union(*(options.names[hub] for hub in may if hub in hubs))
        own = own & shipment.vehicle_ids if shipment.vehicle_ids else own
        liked, cost = shipment.preferred_vehicle_ids, shipment.other_vehicle_cost
        if not liked:
            liked, cost = options.names[DIRECT], dear
        shipments.append(replace(shipment, vehicle_ids=own, preferred_vehicle_ids=liked, other_vehicle_cost=cost))
    return Problem(problem.location_count, problem.depots, vehicles, tuple(shipments))


def _from(vehicle: Vehicle, start_s: float) -> Vehicle:
    """The vehicle, leaving no earlier; one whose shift is over then stays."""
    shift = vehicle.shift
    if start_s > shift.end_s:
        return replace(vehicle, max_stops=0)
    return replace(vehicle, shift=TimeWindow(max(shift.start_s, start_s), shift.end_s))


def _last_leg(options: HubOptions, shipment: Shipment, hub: int) -> Shipment:
    """The order as those deliver it who may: vehicles of its hub, or vans. Pairs ride in any vehicle, they lie in no hub."""
    if shipment.pickup is not None and shipment.delivery is not None:
        return shipment
    own = options.names[hub]
    return replace(shipment, vehicle_ids=own & shipment.vehicle_ids if shipment.vehicle_ids else own)


def _bring_leg(options: HubOptions, s: int, hub_idx: int, by_s: float | None, taken: set[str]) -> Shipment:
    """The way of an order to its hub."""
    problem = options.problem
    shipment, hub = problem.shipments[s], problem.hubs[hub_idx]
    depot = problem.depots[hub.depot_idx]
    name = f"{shipment.id} to {hub.id}"
    while name in taken:
        name += "'"
    taken.add(name)
    end = (depot.window.end_s if by_s is None else min(depot.window.end_s, by_s)) - hub.handling_s
    if end < depot.window.start_s:
        raise InvalidProblemError.of("handover_s", f"is {by_s}: hub {hub.id!r} opens at {depot.window.start_s:g} s")
    visit = Visit(depot.location_idx, windows=(TimeWindow(depot.window.start_s, end),), setup_s=hub.handling_s)
    return Shipment(
        name, shipment.load, delivery=visit, skills=shipment.skills, vehicle_ids=options.names[DIRECT], prize=shipment.prize,
        priority=shipment.priority,
    )  # fmt: skip

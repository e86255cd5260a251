"""The part of the validator that looks at loads, trip by trip. Shares no code with the kernels that made the plan."""

from collections.abc import Iterator

from routing.rounds.plan import DeliveryRound, PlannedReload
from routing.rounds.problem import Problem

TOLERANCE_S = 1e-5


def check_loads(problem: Problem, one: DeliveryRound) -> Iterator[str]:
    """Who may ride, pairs in order, and loads within the capacity, as the plan says them."""
    vehicle = problem.vehicles[one.vehicle_idx]
    served = [problem.visits[stop.visit_idx] for stop in one.stops]
    picked: set[int] = set()
    for shipment_idx, is_delivery in served:
        shipment = problem.shipments[shipment_idx]
        if not problem.may_carry(one.vehicle_idx, shipment_idx):
            yield f"may not carry order {shipment.id!r} (skills or locked to another vehicle)"
        if not is_delivery:
            picked.add(shipment_idx)
            if shipment.delivery is not None and (shipment_idx, True) not in served:
                yield f"picks order {shipment.id!r} up but does not deliver it"
        elif shipment.pickup is not None and shipment_idx not in picked:
            yield f"delivers order {shipment.id!r} before it is picked up"
    loads = _loads(problem, one)
    for load in loads:
        for d, amount in enumerate(load[: len(vehicle.capacity)]):
            if amount > vehicle.capacity[d]:
                yield f"carries {amount} in load dimension {d}, more than its {vehicle.capacity[d]}"
                return
    if [one.load_start, *(halt.load_after for halt in one.halts)] != loads:
        yield "says other loads than it carries"
    reloads = [halt.visit_idx for halt in one.halts if isinstance(halt, PlannedReload)]
    if len(reloads) > vehicle.max_reloads or len(set(reloads)) < len(reloads):
        yield f"reloads {len(reloads)} times, more than {vehicle.max_reloads}"


def _loads(problem: Problem, one: DeliveryRound) -> list[tuple[int, ...]]:
    """Load on leaving the start and every halt: at a depot all for depots goes, and the deliveries of the next trip come."""
    trips: list[list[tuple[int, bool]]] = [[]]
    for halt in one.halts:
        if isinstance(halt, PlannedReload):
            trips.append([])
        else:
            trips[-1].append(problem.visits[halt.visit_idx])
    riding, loads = [0] * problem.dimensions, []
    for trip in trips:
        on_board = list(riding)
        for shipment_idx, is_delivery in trip:
            shipment = problem.shipments[shipment_idx]
            if is_delivery and shipment.pickup is None:
                on_board = _added(on_board, shipment.load, 1)
        loads.append(tuple(on_board))
        for shipment_idx, is_delivery in trip:
            shipment, sign = problem.shipments[shipment_idx], -1 if is_delivery else 1
            on_board = _added(on_board, shipment.load, sign)
            loads.append(tuple(on_board))
            if shipment.pickup is not None and shipment.delivery is not None:
                riding = _added(riding, shipment.load, sign)
    return loads


def _added(on_board: list[int], load: tuple[int, ...], sign: int) -> list[int]:
    return [amount + sign * (load[d] if d < len(load) else 0) for d, amount in enumerate(on_board)]


def check_reload(problem: Problem, vehicle_idx: int, halt: PlannedReload, reached_s: float) -> Iterator[str]:
    """A reload is one of the vehicle's own, within the opening hours of the depot, and takes as long as it does."""
    vehicle, number = problem.vehicles[vehicle_idx], halt.visit_idx - len(problem.visits)
    if not 0 <= number < len(problem.reloads) or problem.reloads[number][0] != vehicle_idx:
        yield f"visit {halt.visit_idx} is no reload of this vehicle"
        return
    depot = problem.depots[problem.reloads[number][1]]
    if depot.location_idx != halt.location_idx:
        yield f"is at location {halt.location_idx}, the depot at {depot.location_idx}"
    if not abs(reached_s - halt.arrival_s) <= TOLERANCE_S:
        yield f"says it is reached at {halt.arrival_s:g} but is reached at {reached_s:g}"
    ready = halt.breaks_before[-1].end_s if halt.breaks_before else halt.arrival_s
    if halt.start_s < ready - TOLERANCE_S:
        yield f"begins at {halt.start_s:g}, before the vehicle is ready at {ready:g}"
    if not depot.window.start_s - TOLERANCE_S <= halt.start_s <= depot.window.end_s + TOLERANCE_S:
        yield f"begins at {halt.start_s:g}, while the depot is shut"
    if not abs(halt.departure_s - halt.start_s - vehicle.reload_s) <= TOLERANCE_S:
        yield f"lasts {halt.departure_s - halt.start_s:g} s instead of {vehicle.reload_s:g} s"

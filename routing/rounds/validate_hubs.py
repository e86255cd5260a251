"""Exact check of a plan over micro-hubs against its problem.

Plain Python over what the problem says itself; shares no code with what made the plan. Rounds are checked by `validate`.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from routing.rounds.errors import InfeasiblePlanError
from routing.rounds.hub_plan import HubPlan
from routing.rounds.plan import DeliveryRound, PlannedStop
from routing.rounds.problem import Problem
from routing.rounds.travel_times import TravelTimes
from routing.rounds.validate import TOLERANCE_S, list_violations


def list_hub_violations(problem: Problem, travel_times: TravelTimes, found: HubPlan) -> list[str]:
    """Return every constraint a plan over hubs breaks, each as a sentence; empty = feasible, and its costs are right."""
    shape = list(_check_shape(problem, found))
    if shape:
        return shape
    return [
        *list_violations(found.problem, travel_times, found.plan),
        *_check_ways(problem, found),
        *_check_transfers(problem, found),
        *_check_stores(problem, found),
        *_check_cost(problem, found),
    ]


def check_hub_plan(problem: Problem, travel_times: TravelTimes, found: HubPlan) -> HubPlan:
    """Return the plan if it is feasible.

    Raises
    ------
    InfeasiblePlanError
        With every violation in words.
    """
    violations = list_hub_violations(problem, travel_times, found)
    if violations:
        raise InfeasiblePlanError(violations)
    return found


def _check_shape(problem: Problem, found: HubPlan) -> Iterator[str]:
    """The rounds are those of the same vehicles for the same orders, and each way to a hub is that of an order."""
    n, rounds = len(problem.shipments), found.problem
    if len(found.plan.hub_of) != n:
        yield f"says the hubs of {len(found.plan.hub_of)} orders, there are {n}"
        return
    if (rounds.vehicles, rounds.depots) != (problem.vehicles, problem.depots):
        yield "has other vehicles or depots"
    for one, own in zip(problem.shipments, rounds.shipments, strict=False):
        if replace(own, vehicle_ids=one.vehicle_ids) != one:
            yield f"order {one.id!r} was changed"
    over = [s for s, hub in enumerate(found.plan.hub_of) if hub >= 0]
    if len(rounds.shipments) != n + len(over):
        yield f"{len(over)} orders go over hubs, but there are {len(rounds.shipments) - n} ways to hubs"
        return
    for s, way in zip(over, rounds.shipments[n:], strict=True):
        one, hub = problem.shipments[s], problem.hubs[found.plan.hub_of[s]]
        depot = problem.depots[hub.depot_idx]
        if way.delivery is None or way.pickup is not None or (way.load, way.skills) != (one.load, one.skills):
            yield f"order {one.id!r}: the way to its hub is not that of its goods"
        elif way.delivery.location_idx != depot.location_idx:
            yield f"order {one.id!r} is brought to another place than its hub"
        if one.direct_only or one.pickup is not None or one.together or one.apart:
            yield f"order {one.id!r} goes over a hub but may not"


def _check_ways(problem: Problem, found: HubPlan) -> Iterator[str]:
    """Who delivers what: vans directly, vehicles of the hub what goes over it; an order is served wholly or not at all."""
    homes = {hub.depot_idx: h for h, hub in enumerate(problem.hubs)}
    n = len(problem.shipments)
    for one in found.plan.rounds:
        vehicle = problem.vehicles[one.vehicle_idx]
        home = homes.get(vehicle.start_depot_idx, -1)
        for stop in one.stops:
            s = found.problem.visits[stop.visit_idx][0]
            if s >= n:
                if home >= 0:
                    yield f"vehicle {vehicle.id!r} starts at a hub but brings goods to one"
                continue
            shipment = problem.shipments[s]
            paired = shipment.pickup is not None and shipment.delivery is not None
            if not paired and home != found.plan.hub_of[s]:
                yield f"order {shipment.id!r} is served by vehicle {vehicle.id!r}, where its goods are not"
            if not problem.may_carry(one.vehicle_idx, s):
                yield f"vehicle {vehicle.id!r} may not carry order {shipment.id!r}"
    for absent in found.plan.unserved:
        if absent.shipment_idx >= n or found.plan.hub_of[absent.shipment_idx] >= 0:
            yield f"shipment {found.problem.shipments[absent.shipment_idx].id!r} goes over a hub but not all its way"


def _check_transfers(problem: Problem, found: HubPlan) -> Iterator[str]:
    """Every order over a hub is said to be handed over as its rounds do, within the hours, before its vehicle leaves."""
    n = len(problem.shipments)
    over = [s for s, hub in enumerate(found.plan.hub_of) if hub >= 0]
    brings: dict[int, tuple[DeliveryRound, PlannedStop]] = {}
    leaves: dict[int, tuple[DeliveryRound, PlannedStop]] = {}
    for one in found.plan.rounds:
        for stop in one.stops:
            s = found.problem.visits[stop.visit_idx][0]
            (brings if s >= n else leaves)[over[s - n] if s >= n else s] = (one, stop)
    if sorted(one.shipment_idx for one in found.transfers) != over:
        yield "the transfers it lists are not those of the orders over hubs"
        return
    for said in found.transfers:
        name, hub = problem.shipments[said.shipment_idx].id, problem.hubs[found.plan.hub_of[said.shipment_idx]]
        if said.shipment_idx not in brings or said.shipment_idx not in leaves:
            yield f"order {name!r} is listed as a transfer but not served"
            continue
        (van, stop), (bike, _) = brings[said.shipment_idx], leaves[said.shipment_idx]
        said_so = (said.brought_by, said.brought_s, said.ready_s, said.fetched_by, said.fetched_s)
        if said_so != (van.vehicle_idx, stop.start_s, stop.departure_s, bike.vehicle_idx, bike.departure_s):
            yield f"order {name!r}: its transfer is not said as it is driven"
        if abs(stop.departure_s - stop.start_s - hub.handling_s) > TOLERANCE_S:
            yield f"order {name!r}: the handover lasts {stop.departure_s - stop.start_s:g} s instead of {hub.handling_s:g} s"
        if bike.departure_s < stop.departure_s - TOLERANCE_S:
            yield f"order {name!r} is fetched at {bike.departure_s:g}, before it is there at {stop.departure_s:g}"
        hours = problem.depots[hub.depot_idx].window
        if stop.start_s < hours.start_s - TOLERANCE_S or stop.departure_s > hours.end_s + TOLERANCE_S:
            yield f"order {name!r} is handed over at {stop.start_s:g}, outside the hub's hours"


def _check_stores(problem: Problem, found: HubPlan) -> Iterator[str]:
    """What lies in each hub at every moment is within its capacity; what comes when something leaves comes first."""
    moments: dict[int, list[tuple[float, int, int]]] = defaultdict(list)
    for one in found.transfers:
        moments[one.hub_idx] += [(one.brought_s, 0, one.shipment_idx), (one.fetched_s, 1, one.shipment_idx)]
    for h, changes in moments.items():
        capacity = problem.hubs[h].capacity
        lying = [0] * problem.dimensions
        for time_s, leaves, s in sorted(changes):
            for d, amount in enumerate(problem.shipments[s].load):
                lying[d] += -amount if leaves else amount
            if capacity is not None and any(lying[d] > most for d, most in enumerate(capacity)):
                yield f"hub {problem.hubs[h].id!r} holds {lying} at {time_s:g}, more than {list(capacity)}"
                break


def _check_cost(problem: Problem, found: HubPlan) -> Iterator[str]:
    used = {one.hub_idx for one in found.transfers}
    cost = found.plan.cost + sum(problem.hubs[h].fixed_cost for h in used)
    if abs(cost - found.cost) > 1e-6 * max(1.0, abs(cost)):
        yield f"the plan says it costs {found.cost}, its rounds and hubs cost {cost}"

"""Validation of a plan under change: every changed round whole, and orders counted."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from routing.rounds.errors import InfeasiblePlanError
from routing.rounds.plan import DeliveryRound, Plan, PlannedStop
from routing.rounds.problem import Problem, Shipment
from routing.rounds.standing import Standing, metres_of, standing_vehicle
from routing.rounds.travel_times import TravelTimes
from routing.rounds.validate import list_violations


def check_round(
    problem: Problem, travel_times: TravelTimes, here: Standing, one: DeliveryRound, on_board: AbstractSet[int]
) -> None:
    """Check the free part of a round with the validator, as the only round of a problem of its own.

    `on_board` are the shipments a vehicle that has left carries: it can load nothing more at its start.

    Raises
    ------
    InfeasiblePlanError
        With every violation in words.
    """
    r = one.vehicle_idx
    vehicle, start = standing_vehicle(problem, r, here, 0, metres_of(problem, r, here.done, travel_times.length_m))
    end = None if vehicle.end_depot_idx is None else replace(problem.depots[vehicle.end_depot_idx], id="end")
    done = {stop.visit_idx for stop in here.done}
    shipments: list[Shipment] = []
    index: dict[int, int] = {}
    first = 0
    for s in dict.fromkeys(problem.visits[stop.visit_idx][0] for stop in one.stops):
        shipment = problem.shipments[s]
        if not problem.may_carry(r, s) or (here.away and shipment.pickup is None and s not in on_board):
            raise InfeasiblePlanError([f"vehicle {vehicle.id!r} may not carry order {shipment.id!r}"])
        visit = problem.first_visit(s)
        if shipment.pickup is not None and shipment.delivery is not None and visit in done:
            shipment, visit = replace(shipment, pickup=None), visit + 1
        shipments.append(replace(shipment, vehicle_ids=frozenset()) if shipment.vehicle_ids else shipment)
        for _ in range((shipment.pickup is not None) + (shipment.delivery is not None)):
            index[visit] = first
            visit, first = visit + 1, first + 1
    depots = (start,) if end is None else (start, end)
    own = replace(vehicle, start_depot_idx=0, end_depot_idx=None if end is None else 1)
    part = Problem(problem.location_count, depots, (own,), tuple(shipments))
    stops = tuple(
        PlannedStop(
            index[stop.visit_idx], stop.arrival_s, stop.start_s, stop.departure_s, stop.load_after, stop.breaks_before,
            stop.breaks_after,
        )
        for stop in one.stops
    )  # fmt: skip
    violations = list_violations(part, travel_times, Plan((replace(one, vehicle_idx=0, stops=stops),), (), one.cost))
    if violations:
        raise InfeasiblePlanError(violations)


def count_orders(
    problem: Problem,
    before: Mapping[int, DeliveryRound],
    after: Mapping[int, DeliveryRound],
    unserved: Iterable[int],
    added: Sequence[int] = (),
) -> None:
    """Check that what changed rounds visited (and what was added) is visited once now, or unserved, and nothing else.

    Raises
    ------
    InfeasiblePlanError
        Naming the orders.
    """
    was = sorted(stop.visit_idx for one in before.values() for stop in one.stops)
    now = [stop.visit_idx for one in after.values() for stop in one.stops]
    left = set(unserved)
    wanted = {v for v in was if problem.visits[v][0] not in left}
    for s in added:
        if s not in left:
            first, shipment = problem.first_visit(s), problem.shipments[s]
            wanted |= set(range(first, first + (shipment.pickup is not None) + (shipment.delivery is not None)))
    twice = {v for v in now if now.count(v) > 1} if len(set(now)) < len(now) else set()
    missing, new = wanted - set(now), set(now) - wanted - set(was)
    texts = [f"order {problem.shipments[problem.visits[v][0]].id!r} is {what}" for what, found in (
        ("visited twice", twice), ("lost", missing), ("visited unasked", new)) for v in sorted(found)]  # fmt: skip
    if texts:
        raise InfeasiblePlanError(texts)

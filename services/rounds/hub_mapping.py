"""Micro-hubs of requests and plans. Pure."""

from collections.abc import Callable

from traboule.common.v1 import time_pb2
from traboule.rounds.v1 import plan_pb2
from traboule.rounds.v1 import problem_pb2 as pb

from routing.rounds.api import Plan, Problem, TimeWindow
from routing.rounds.errors import InvalidProblemError
from routing.rounds.hub import Hub
from routing.rounds.hub_plan import hubs_cost, transfers_of
from routing.rounds.hub_problem import HubOptions, assigned
from services.common.errors import InvalidInput, Unimplemented

WHAT = "changed while they are driven, explained, priced, or planned for windows kept with a probability"


def hubs_from_proto(
    message: pb.Problem, depot: Callable[..., int], window: Callable[[time_pb2.TimeRange], TimeWindow], always: TimeWindow,
    dimensions: int,
) -> tuple[Hub, ...]:  # fmt: skip
    """Hubs of a request; each is a depot, numbered by `depot` (location, field path, window).

    Raises
    ------
    Unimplemented
        A hub has several spans of opening hours.
    InvalidProblemError
        Naming the field that is wrong.
    """
    answer = []
    for h, hub in enumerate(message.hubs):
        path = f"hubs[{h}]"
        if len(hub.windows) > 1:
            raise Unimplemented(f"{path}.windows: several spans are not supported yet; give one", field=f"{path}.windows")
        if len(hub.capacities) not in (0, dimensions):
            raise InvalidInput(f"{path}.capacities: give {dimensions} numbers, or none", field=f"{path}.capacities")
        try:
            hours = window(hub.windows[0]) if hub.windows else always
            at = depot(hub.location, f"{path}.location", hours)
            answer.append(Hub(hub.hub_id, at, float(hub.transfer_s), tuple(hub.capacities) or None, hub.cost))
        except InvalidProblemError as error:
            raise error.within(path) from None
    _check_homes(message)
    return tuple(answer)


def home_of(message: pb.Vehicle, path: str, hubs: tuple[Hub, ...]) -> int | None:
    """Depot of the hub a vehicle belongs to; None = none.

    Raises
    ------
    InvalidInput
        There is no such hub.
    """
    if not message.hub_id:
        return None
    for hub in hubs:
        if hub.id == message.hub_id:
            return hub.depot_idx
    raise InvalidInput(f"{path}.hub_id: there is no hub {message.hub_id!r}", field=f"{path}.hub_id")


def _check_homes(message: pb.Problem) -> None:
    """A vehicle of a hub starts there, and who starts at a hub's place says so."""
    places = {hub.hub_id: hub.location for hub in message.hubs}
    for k, vehicle in enumerate(message.vehicles):
        if vehicle.hub_id in places and vehicle.start != places[vehicle.hub_id]:
            words = f"is not the location of hub {vehicle.hub_id!r}"
            raise InvalidInput(f"vehicles[{k}].start: {words}", field=f"vehicles[{k}].start")
        if not vehicle.hub_id and vehicle.start in places.values():
            raise InvalidInput(f"vehicles[{k}].hub_id: it starts at a hub; name that", field=f"vehicles[{k}].hub_id")


def refuse_hubs(problem: pb.Problem, field: str = "hubs") -> None:
    """Refuse what cannot be done with rounds over hubs yet.

    Raises
    ------
    Unimplemented
        The problem has hubs.
    """
    if problem.hubs:
        raise Unimplemented(f"{field}: rounds over micro-hubs are only planned yet, not {WHAT}", field=field)


def rounds_problem(problem: Problem, plan: Plan) -> Problem:
    """The problem whose visits a plan numbers: with hubs the ways to them come after the orders."""
    return assigned(HubOptions(problem), plan.hub_of) if plan.hub_of else problem


def add_transfers(message: plan_pb2.Plan, problem: Problem, plan: Plan, zero_s: int) -> None:
    """Tell of the hubs in the message of a plan: transfers, stops where goods are handed over, cost."""
    if not plan.hub_of:
        return
    transfers = transfers_of(HubOptions(problem), plan.hub_of, plan)
    for one in transfers:
        message.transfers.add(
            shipment_id=problem.shipments[one.shipment_idx].id,
            hub_id=problem.hubs[one.hub_idx].id,
            brought_by_vehicle_id=problem.vehicles[one.brought_by].id,
            ready_unix_s=zero_s + round(one.ready_s),
            fetched_by_vehicle_id=problem.vehicles[one.fetched_by].id,
            fetched_unix_s=zero_s + round(one.fetched_s),
        )
    ways = rounds_problem(problem, plan).shipments[len(problem.shipments) :]
    told = {way.id: one for way, one in zip(ways, transfers, strict=True)}
    for row in message.rounds:
        for stop in row.stops:
            if stop.shipment_id in told:
                one = told[stop.shipment_id]
                stop.kind = plan_pb2.RoundStop.KIND_TRANSFER
                stop.shipment_id, stop.hub_id = problem.shipments[one.shipment_idx].id, problem.hubs[one.hub_idx].id
    message.cost += hubs_cost(problem, plan.hub_of)

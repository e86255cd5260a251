"""What is told of the road, taken into a plan in memory, or into what is left of one that is planned anew."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.kernels.rounds_times import TimesArrays
from routing.rounds.api import Plan
from routing.rounds.change import Change
from routing.rounds.live import LivePlan
from routing.rounds.replan import leaves_at
from routing.rounds.stability import Stability
from routing.rounds.told import done_at
from services.common.errors import NotFound, Unimplemented
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.incidents import RoadIncident, with_incident, without_incident
from services.rounds.mapping import MappedProblem
from services.rounds.new_times import lay_slots, new_slots
from services.rounds.plan_mapping import done_key
from services.rounds.store import Reported

AT_STOP_S = 90.0
"""A vehicle this near the stop it is to serve now is there."""
NOT_IN_PLACE = (
    "not taken in where rounds hold reloads, dues, longest rides, bonds, preferred vehicles, service by vehicle, overtime, "
    "balance, driving rules or times to park"
)
LATE_NEWS = frozenset({"completion", "incident", "traffic_change"})
"""Events that may tell of the past without the plan's clock being set back."""
SHOW_DRIVING = frozenset({"position", "completion"})
"""Events that show that a plan is being driven."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds that an event is about: ids and indices, their times, and what was reported before."""

    mapped: MappedProblem
    built: BuiltTimes
    reported: Reported
    vehicles: Mapping[str, int]
    shipments: Mapping[str, int]

    def vehicle(self, vehicle_id: str, field: str) -> int:
        """Index of a vehicle; raises NotFound."""
        if vehicle_id not in self.vehicles:
            raise NotFound(f"{field}: these rounds have no vehicle {vehicle_id!r}", field=field)
        return self.vehicles[vehicle_id]

    def shipment(self, shipment_id: str, field: str) -> int:
        """Index of a shipment; raises NotFound."""
        if shipment_id not in self.shipments:
            raise NotFound(f"{field}: these rounds have no shipment {shipment_id!r}", field=field)
        return self.shipments[shipment_id]

    def visit(self, completion: pb.Completion) -> int:
        """Index of the visit that was done; raises NotFound."""
        s = self.shipment(completion.shipment_id, "completion.shipment_id")
        shipment, first = self.mapped.problem.shipments[s], self.mapped.problem.first_visit(s)
        wanted = shipment.pickup if completion.pickup else shipment.delivery
        if wanted is None:
            kind = "pickup" if completion.pickup else "delivery"
            raise NotFound(f"completion: order {completion.shipment_id!r} has no {kind}", field="completion.pickup")
        return first + (not completion.pickup and shipment.pickup is not None)


@dataclass(frozen=True, slots=True)
class Taken:
    """An event as it was taken in: what it is in words, what is reported and what travel times hold from then on."""

    cause: str
    reported: Reported
    built: BuiltTimes


def take_in(
    live: LivePlan, rounds: Rounds, city: RoundsCity, request: pb.ReportEventRequest, now_s: float
) -> tuple[Change, Taken]:
    """Take an event into a plan in memory."""
    stability, reported, mapped = Stability(request.stability.move_cost), rounds.reported, rounds.mapped
    match request.WhichOneof("event"):
        case "delay":
            name, by = request.delay.vehicle_id, request.delay.delay_s
            change = live.delay(rounds.vehicle(name, "delay.vehicle_id"), float(by), stability)
            held = {mapped.problem.vehicles[k].id: math.ceil(at) + mapped.zero_s for k, at in live.held.items()}
            reported, cause = msgspec.structs.replace(reported, held_until_s=held), f"{name} is {by / 60:.0f} min late"
        case "breakdown":
            name = request.breakdown.vehicle_id
            change = live.break_down(rounds.vehicle(name, "breakdown.vehicle_id"), stability)
            reported = msgspec.structs.replace(reported, broken=_with(reported.broken, name))
            cause = f"{name} has broken down"
        case "refusal":
            name = request.refusal.shipment_id
            change = live.remove(rounds.shipment(name, "refusal.shipment_id"))
            reported = msgspec.structs.replace(reported, refused=_with(reported.refused, name))
            cause = f"order {name} is no longer wanted"
        case "position":
            change, cause = _position(live, rounds, city, request.position, now_s, stability)
        case "completion":
            change = live.complete(rounds.visit(request.completion), now_s, stability)
            reported, cause = _completed(reported, request.completion, mapped.zero_s + round(min(now_s, live.now_s)))
        case _:
            taken = roads(rounds, city, request, live.now_s)
            new = new_slots(city, mapped, rounds.built, taken.reported.incidents, taken.built.traffic, live.now_s)
            built = lay_slots(new, rounds.built, live.times.times)
            return live.times_changed(stability), replace(taken, built=built)
    return change, Taken(cause, reported, rounds.built)


def roads(rounds: Rounds, city: RoundsCity, request: pb.ReportEventRequest, now_s: float) -> Taken:
    """An incident, or other traffic, with travel times that do not hold it yet (`built.traffic` says of which traffic)."""
    known, at_s = rounds.reported.incidents, rounds.mapped.zero_s + math.floor(now_s)
    if request.WhichOneof("event") == "traffic_change":
        return Taken("the city's live traffic", rounds.reported, replace(rounds.built, traffic=city.traffic))
    message, held = request.incident, tuple[RoadIncident, ...]()
    if message.lifted:
        held, words = without_incident(known, message.incident_id)
        cause = f"{words}: over"
    else:
        new = city.incidents.resolve(message, request.observed_unix_s or city.now())
        held, cause = with_incident(known, new, at_s), new.words
    return Taken(cause, msgspec.structs.replace(rounds.reported, incidents=held), rounds.built)


def note(rounds: Rounds, city: RoundsCity, request: pb.ReportEventRequest, plan: Plan, now_s: float) -> tuple[Plan, Taken]:
    """Take in an event of rounds that are planned anew: the plan as it was driven, and what is reported of it."""
    mapped, before, taken = rounds.mapped, rounds.reported, rounds.built
    match request.WhichOneof("event"):
        case "delay":
            name, by = request.delay.vehicle_id, request.delay.delay_s
            r = rounds.vehicle(name, "delay.vehicle_id")
            ready_s = max(leaves_at(plan, r, now_s), mapped.problem.vehicles[r].shift.start_s) + by
            held = before.held_until_s | {name: math.ceil(ready_s) + mapped.zero_s}
            reported, cause = msgspec.structs.replace(before, held_until_s=held), f"{name} is {by / 60:.0f} min late"
        case "breakdown":
            name = request.breakdown.vehicle_id
            rounds.vehicle(name, "breakdown.vehicle_id")
            reported, cause = msgspec.structs.replace(before, broken=_with(before.broken, name)), f"{name} has broken down"
        case "refusal":
            name = request.refusal.shipment_id
            rounds.shipment(name, "refusal.shipment_id")
            reported = msgspec.structs.replace(before, refused=_with(before.refused, name))
            cause = f"order {name} is no longer wanted"
        case "completion":
            plan = _done(rounds, plan, rounds.visit(request.completion), now_s)
            reported, cause = _completed(before, request.completion, mapped.zero_s + round(now_s))
        case "incident" | "traffic_change":
            road = roads(rounds, city, request, now_s)
            if mapped.kerbs.at:
                return plan, replace(road, built=city.build_times_under(road.built.traffic, mapped, road.reported.incidents))
            copied = replace(taken.travel_times, arrays=_copied(taken))
            new = new_slots(city, mapped, taken, road.reported.incidents, road.built.traffic, now_s)
            return plan, replace(road, built=lay_slots(new, taken, copied))
        case event:
            raise Unimplemented(f"{event}: {NOT_IN_PLACE}; send delay, refusal, breakdown or completion", field=str(event))
    return plan, Taken(cause, reported, taken)


def _position(
    live: LivePlan, rounds: Rounds, city: RoundsCity, position: pb.VehiclePosition, now_s: float, stability: Stability
) -> tuple[Change, str]:
    """Time the way of a vehicle from where it is to the stop it is driving to."""
    name, mapped = position.vehicle_id, rounds.mapped
    r = rounds.vehicle(name, "position.vehicle_id")
    here = live.standing[r]
    if not here.done or here.done[-1].departure_s <= now_s or here.broken:
        return Change(), f"{name} is on its way"
    last, profile = here.done[-1], live.problem.vehicles[r].profile
    point = city.resolve(geo_pb2.Location(point=position.location), "position.location")
    drives_s = city.drive_s(mapped, rounds.built, profile, point, mapped.points[here.location_idx], now_s)
    if last.arrival_s <= now_s and drives_s < AT_STOP_S:
        return Change(), f"{name} is where it should be"
    late = now_s + drives_s - last.arrival_s
    words = f"{name} is {abs(late) / 60:.0f} min {'behind' if late > 0 else 'ahead of'} its plan by its position"
    return live.reach(r, now_s + drives_s, stability), words


def _done(rounds: Rounds, plan: Plan, visit_idx: int, now_s: float) -> Plan:
    """The plan with a stop left at `now_s`; raises NotFound if no round holds it."""
    problem = rounds.mapped.problem
    for k, one in enumerate(plan.rounds):
        for at, stop in enumerate(one.stops):
            if stop.visit_idx == visit_idx:
                told = done_at(problem, rounds.built.travel_times, one, at, now_s, now_s)
                return replace(plan, rounds=(*plan.rounds[:k], told, *plan.rounds[k + 1 :]))
    name = problem.shipments[problem.visits[visit_idx][0]].id
    raise NotFound(f"completion.shipment_id: order {name!r} is in no round", field="completion.shipment_id")


def _completed(reported: Reported, completion: pb.Completion, at_s: int) -> tuple[Reported, str]:
    done = reported.done | {done_key(completion.shipment_id, pickup=completion.pickup): at_s}
    what = "picked up" if completion.pickup else "delivered"
    return msgspec.structs.replace(reported, done=done), f"order {completion.shipment_id} was {what}"


def _copied(built: BuiltTimes) -> TimesArrays:
    arrays = built.travel_times.arrays
    return arrays._replace(slot_s=arrays.slot_s.copy(), matrix_s=arrays.matrix_s.copy())


def _with(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return names if name in names else (*names, name)

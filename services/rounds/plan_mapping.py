"""Plans of the engine → the contract. Pure but for the street engine that draws the legs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import plan_pb2 as pb
from traboule.rounds.v1 import problem_pb2

from routing.model.emissions import mean_co2_g_per_m
from routing.rounds.api import DeliveryRound, Plan, PlannedBreak, PlannedReload, PlannedStop, RoadRest, Unserved
from routing.rounds.plan import resting_s
from routing.rounds.ranges import Uncertainty, round_ranges
from routing.rounds.remedy_words import Clock
from routing.rounds.standing import frozen_stops, leaves_stop_s
from services.common.polyline import decode, encode
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.clocks import city_clock, windows_in_words
from services.rounds.hub_mapping import add_transfers, rounds_problem
from services.rounds.incidents import in_force
from services.rounds.kerb import Standing, standing_at
from services.rounds.mapping import MappedProblem

FREE_FLOW = problem_pb2.TRAVEL_TIMES_FREE_FLOW
REASONS = {
    "unreachable": pb.UNSERVED_REASON_UNREACHABLE,
    "capacity": pb.UNSERVED_REASON_CAPACITY,
    "time_window": pb.UNSERVED_REASON_TIME_WINDOW,
    "skills": pb.UNSERVED_REASON_SKILLS,
    "no_vehicles": pb.UNSERVED_REASON_SKILLS,
    "fleet_too_small": pb.UNSERVED_REASON_FLEET_TOO_SMALL,
    "not_worth_it": pb.UNSERVED_REASON_NOT_WORTH_IT,
    "locked": pb.UNSERVED_REASON_LOCKED_VEHICLE,
    "duration": pb.UNSERVED_REASON_DURATION,
    "ride": pb.UNSERVED_REASON_DURATION,
    "bond": pb.UNSERVED_REASON_BOND,
    "departed": pb.UNSERVED_REASON_FLEET_TOO_SMALL,
}


ZONE_REASONS = {"unreachable", "time_window", "duration", "fleet_too_small"}
"""Reasons that a zone may be behind."""


def done_key(shipment_id: str, *, pickup: bool) -> str:
    """Name of a stop among those that were reported as done."""
    return f"{'pickup' if pickup else 'delivery'}:{shipment_id}"


@dataclass(frozen=True, slots=True)
class LegSource:
    """Where legs are drawn: the city and the travel times of the plan."""

    city: RoundsCity
    built: BuiltTimes
    geometry: bool


def plan_to_proto(
    plan: Plan, mapped: MappedProblem, legs: LegSource | None = None, version: int = 0, done: Collection[str] = ()
) -> pb.Plan:
    """Map a plan; with `legs` every stop has the way to it, its length and free-flow time. `done` are keys of stops."""
    given = mapped.problem
    mapped = replace(mapped, problem=rounds_problem(given, plan))
    rounds = [_round(one, mapped, legs, done) for one in plan.rounds]
    told = (legs.built, city_clock(legs.city, mapped)) if legs else (None, None)
    message = pb.Plan(
        rounds=rounds,
        unserved=[unserved_to_proto(one, mapped, *told) for one in plan.unserved],
        cost=sum(one.cost for one in plan.rounds),
        duration_s=sum(one.duration_s for one in rounds),
        drive_s=sum(one.drive_s for one in rounds),
        wait_s=sum(one.wait_s for one in rounds),
        distance_m=sum(one.distance_m for one in rounds),
        co2_g=sum(one.co2_g for one in rounds),
        served_count=len(given.shipments) - len(plan.unserved),
        version=version,
        warnings=plan.warnings,
    )
    add_transfers(message, given, plan, mapped.zero_s)
    return message


def unserved_to_proto(
    one: Unserved, mapped: MappedProblem, built: BuiltTimes | None = None, clock: Clock | None = None
) -> pb.UnservedShipment:
    """Map an unserved shipment; with `built` zones that may be why are named, with `clock` its windows."""
    reason = REASONS.get(one.reasons[0], pb.UNSERVED_REASON_UNSPECIFIED) if one.reasons else pb.UNSERVED_REASON_UNSPECIFIED
    shipment = mapped.problem.shipments[one.shipment_idx]
    explanation = one.message
    if clock is not None and one.reasons and one.reasons[0] == "time_window":
        windows = windows_in_words(shipment, clock)
        explanation += f": {windows}" if windows else ""
    if built is not None and one.reasons and one.reasons[0] in ZONE_REASONS:
        visits = [visit for visit in (shipment.pickup, shipment.delivery) if visit is not None]
        notes = dict.fromkeys(built.zone_notes.get(visit.location_idx, "") for visit in visits)
        explanation += "".join(f"; it lies in {note}" for note in notes if note)
    return pb.UnservedShipment(shipment_id=shipment.id, reason=reason, explanation=explanation)


def _round(one: DeliveryRound, mapped: MappedProblem, legs: LegSource | None, done: Collection[str]) -> pb.DeliveryRound:
    problem, vehicle = mapped.problem, mapped.problem.vehicles[one.vehicle_idx]
    start = problem.depots[vehicle.start_depot_idx].location_idx
    unix = _Unix(mapped.zero_s)
    stops = [
        pb.RoundStop(
            kind=pb.RoundStop.KIND_START, location=_place(mapped, start), arrival_unix_s=unix(one.departure_s),
            start_unix_s=unix(one.departure_s), departure_unix_s=unix(one.departure_s), loads=one.load_start,
        )
    ]  # fmt: skip
    at, left, service, rest, metres = start, one.departure_s, 0.0, 0.0, 0.0
    parked, slots = (None, None) if legs is None else (legs.built.parked, legs.built.slots_s)
    stands = Standing(start)
    ranges = {} if legs is None else _ranges(one, mapped, float(legs.city.now() - mapped.zero_s))
    for halt in one.halts:
        to = problem.location_of(halt)
        drives, rested = halt.driven_s(left), resting_s(halt.breaks_before)
        held_s = halt.held_s if isinstance(halt, PlannedStop) else 0.0
        stood, stands = stands, standing_at(mapped, parked, slots, vehicle.profile, stands, at, to, left)
        leg = _leg(mapped, legs, vehicle.profile, stood.road_idx, stands.road_idx, left, halt.arrival_s, drives)
        stops += _road_rests(halt.road_rests, mapped, (at, to), drives, leg, stops[-1].loads)
        stops += _breaks(halt.breaks_before, mapped, to, halt.load_after)
        stops.append(
            pb.RoundStop(
                location=_place(mapped, to), arrival_unix_s=unix(halt.arrival_s), start_unix_s=unix(halt.start_s),
                departure_unix_s=unix(halt.departure_s + held_s), held_s=round(held_s),
                wait_s=max(0, round(halt.start_s - halt.arrival_s - rested)),
                loads=halt.load_after, leg=leg, parking_s=stands.search_s, **_bay(mapped, stands),
                **_task(mapped, halt, done), **ranges.get(halt.visit_idx, {}),
            )
        )  # fmt: skip
        stops += _breaks(halt.breaks_after, mapped, to, halt.load_after)
        rest += rested + resting_s(halt.breaks_after) + resting_s(halt.road_rests)
        service, metres = service + halt.departure_s - halt.start_s, metres + leg.distance_m
        at, left = to, halt.left_s
    if vehicle.end_depot_idx is not None:
        end = problem.depots[vehicle.end_depot_idx].location_idx
        drives = one.end_s - left - resting_s(one.road_rests)
        leg = _leg(mapped, legs, vehicle.profile, stands.road_idx, end, left, one.end_s, drives)
        rest += resting_s(one.road_rests)
        stops += _road_rests(one.road_rests, mapped, (at, end), drives, leg, stops[-1].loads)
        metres += leg.distance_m
        stops.append(
            pb.RoundStop(
                kind=pb.RoundStop.KIND_END, location=_place(mapped, end), arrival_unix_s=unix(one.end_s),
                start_unix_s=unix(one.end_s), departure_unix_s=unix(one.end_s), loads=one.stops[-1].load_after, leg=leg,
            )
        )  # fmt: skip
    metres = metres if legs else one.length_m
    return pb.DeliveryRound(
        vehicle_id=vehicle.id, stops=stops, departure_unix_s=unix(one.departure_s), arrival_unix_s=unix(one.end_s),
        duration_s=round(one.duration_s), drive_s=round(one.driving_s), service_s=round(service), break_s=round(rest),
        wait_s=max(0, round(one.duration_s - one.driving_s - service - rest)), distance_m=metres,
        co2_g=metres * mean_co2_g_per_m(mapped.modes[vehicle.profile]), cost=one.cost,
        done_count=sum(stop.done for stop in stops),
    )  # fmt: skip


def _bay(mapped: MappedProblem, stands: Standing) -> dict[str, Any]:
    """The bay a vehicle has stopped in, as fields of the contract."""
    if stands.bay_idx is None:
        return {}
    lat, lon = mapped.kerbs.points[stands.bay_idx]
    where = geo_pb2.LatLng(lat_deg=lat, lon_deg=lon)
    return {"bay_id": mapped.kerbs.names[stands.bay_idx], "bay_location": where, "walk_s": stands.walk_s}


def _task(mapped: MappedProblem, halt: PlannedStop | PlannedReload, done: Collection[str]) -> dict[str, Any]:
    """What is done at a halt, for whom, whether it has been, and what its lateness costs, as fields of the contract."""
    if isinstance(halt, PlannedReload):
        return {"kind": pb.RoundStop.KIND_RELOAD}
    problem = mapped.problem
    shipment_idx, is_delivery = problem.visits[halt.visit_idx]
    return {
        "kind": pb.RoundStop.KIND_DELIVERY if is_delivery else pb.RoundStop.KIND_PICKUP,
        "shipment_id": problem.shipments[shipment_idx].id,
        "late_cost": problem.visit(halt.visit_idx).late_cost(halt.start_s),
        "done": done_key(problem.shipments[shipment_idx].id, pickup=not is_delivery) in done,
    }


def _ranges(one: DeliveryRound, mapped: MappedProblem, now_s: float) -> dict[int, dict[str, Any]]:
    """Ranges of the arrivals that are still to come, by visit, as fields of the contract."""
    frozen, unix = frozen_stops(one, now_s), _Unix(mapped.zero_s)
    rest = replace(one, departure_s=leaves_stop_s(frozen[-1]) if frozen else one.departure_s, stops=one.stops[len(frozen) :])
    if not rest.stops:
        return {}
    found = round_ranges(mapped.problem, rest, Uncertainty(), (0.1, 0.9))
    return {
        stop.visit_idx: {
            "arrival_q10_unix_s": unix(found.arrival_s[0, k]),
            "arrival_q90_unix_s": unix(found.arrival_s[1, k]),
            "window_probability": float(found.in_window[k]),
        }
        for k, stop in enumerate(rest.stops)
    }


@dataclass(frozen=True, slots=True)
class _Unix:
    zero_s: int

    def __call__(self, time_s: float) -> int:
        return self.zero_s + round(time_s)


def _breaks(rests: Sequence[PlannedBreak], mapped: MappedProblem, at: int, loads: tuple[int, ...]) -> list[pb.RoundStop]:
    unix = _Unix(mapped.zero_s)
    return [
        pb.RoundStop(
            kind=pb.RoundStop.KIND_BREAK, location=_place(mapped, at), arrival_unix_s=unix(rest.start_s),
            start_unix_s=unix(rest.start_s), departure_unix_s=unix(rest.end_s), loads=loads, by_driving_rules=rest.by_rule,
        )
        for rest in rests
    ]  # fmt: skip


def _road_rests(
    rests: Sequence[RoadRest], mapped: MappedProblem, ends: tuple[int, int], driven_s: float, leg: pb.RoundLeg,
    loads: Sequence[int],
) -> list[pb.RoundStop]:  # fmt: skip
    """Rests on the way between two locations, placed in proportion to the time driven."""
    if not rests:
        return []
    unix, answer = _Unix(mapped.zero_s), []
    line = decode(leg.polyline.encoded) or [mapped.points[location] for location in ends]
    along = np.hypot(*np.diff(np.array(line) * (1.0, np.cos(np.radians(line[0][0]))), axis=0).T).cumsum()
    for rest in rests:
        at = along[-1] * rest.after_s / max(driven_s, 1.0)
        lat, lon = (float(np.interp(at, [0.0, *along], side)) for side in zip(*line, strict=True))
        answer.append(
            pb.RoundStop(
                kind=pb.RoundStop.KIND_BREAK, location=geo_pb2.LatLng(lat_deg=lat, lon_deg=lon),
                arrival_unix_s=unix(rest.start_s), start_unix_s=unix(rest.start_s), departure_unix_s=unix(rest.end_s),
                loads=loads, by_driving_rules=True, after_driving_s=round(rest.after_s),
            )
        )  # fmt: skip
    return answer


def _place(mapped: MappedProblem, location: int) -> geo_pb2.LatLng:
    lat, lon = mapped.points[location]
    return geo_pb2.LatLng(lat_deg=lat, lon_deg=lon)


def _leg(
    mapped: MappedProblem, legs: LegSource | None, profile: int, tail: int, head: int, left_s: float, arrived_s: float,
    driven_s: float,
) -> pb.RoundLeg:  # fmt: skip
    """Way between two stops as driven at that time."""
    leg = pb.RoundLeg(duration_s=round(driven_s))
    if legs is None:
        return leg
    if tail == head:
        return leg
    city, mode, parked = legs.city, mapped.modes[profile], legs.built.parked
    snaps = (legs.built.snaps if parked is None else parked.snaps)[profile]
    slots, path = legs.built.slots_s, None
    for moment_s in (left_s, arrived_s):  # one that waited for a zone to open sets off later than it leaves the stop
        k = max(0, int(np.searchsorted(slots, moment_s, "right")) - 1)
        rows = city.zones.in_slot(mapped, slots, profile, k)
        slow = in_force(legs.built.incidents, mapped.zero_s, slots, k)
        metric = city.leg_metric(mode, mapped.zero_s + float(slots[k]), mapped.kind, legs.built.traffic, rows, slow)
        path = path or city.street.find_route(metric, snaps, tail, snaps, head)
        if path is not None:
            break
    if path is None:
        return leg
    free = city.street.one_to_many(city.leg_metric(mode, 0, FREE_FLOW, None), snaps, tail, snaps.take(head))
    leg.distance_m = float(path.length_m)
    leg.free_flow_duration_s = round(float(free[0]) / 1000.0)
    if legs.geometry:
        leg.polyline.encoded = encode(zip(path.lat_deg.tolist(), path.lon_deg.tolist(), strict=True))
    return leg

"""Requests → problems of the engine. Pure.

Engine times are seconds since `zero_s`, the beginning of the earliest shift. What a field asks for and the engine cannot do
yet is refused with the field's name, never silently dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from traboule.common.v1 import geo_pb2, time_pb2
from traboule.rounds.v1 import problem_pb2 as pb

from routing.model.emissions import mean_co2_g_per_m
from routing.model.modes import StreetMode
from routing.rounds.api import Break, Depot, Problem, Shipment, TimeWindow, Vehicle, Visit
from routing.rounds.errors import InvalidProblemError
from routing.street.access_rules import EmissionClass
from services.common.errors import InvalidInput, Unimplemented
from services.common.status import InvalidRequest

Point = tuple[float, float]
Resolve = Callable[[geo_pb2.Location, str], Point]
"""Location of a request and its field path → (latitude, longitude) in degrees; raises for what is unknown."""

MODES = {
    pb.VEHICLE_KIND_UNSPECIFIED: StreetMode.VAN,
    pb.VEHICLE_KIND_VAN: StreetMode.VAN,
    pb.VEHICLE_KIND_TRUCK: StreetMode.TRUCK,
    pb.VEHICLE_KIND_CARGO_BIKE: StreetMode.BICYCLE,
    pb.VEHICLE_KIND_CAR: StreetMode.CAR,
    pb.VEHICLE_KIND_WALKER: StreetMode.FOOT,
}
MOTOR_MODES = frozenset({StreetMode.CAR, StreetMode.VAN, StreetMode.TRUCK})
UNLIMITED = 1 << 40
VEHICLES_FIRST = 1e6
LONGEST_SPAN_S = 7 * 86400


@dataclass(frozen=True, slots=True)
class MappedProblem:
    """A problem with what its travel times are built from.

    Attributes
    ----------
    problem : Problem
    points : list of (lat, lon)
        Location index → where.
    fields : list of str
        Location index → the request's field it was first named by.
    modes : list of StreetMode
        Profile → mode.
    emissions : list of EmissionClass
        Profile → emission class; one that is not given, and that of who has no engine, is the cleanest.
    zero_s : int
        Unix second of the engine's zero.
    span_s : (float, float)
        Engine times between which vehicles drive.
    kind : pb.TravelTimes
    needs_lengths : bool
        Whether distances count.
    """

    problem: Problem
    points: list[Point]
    fields: list[str]
    modes: list[StreetMode]
    emissions: list[EmissionClass]
    zero_s: int
    span_s: tuple[float, float]
    kind: "pb.TravelTimes.ValueType"
    needs_lengths: bool


@dataclass(slots=True)
class _Places:
    """Locations met so far; the same coordinates are one location."""

    resolve: Resolve
    points: list[Point] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    index: dict[Point, int] = field(default_factory=dict)

    def add(self, location: geo_pb2.Location, path: str) -> int:
        point = self.resolve(location, path)
        key = (round(point[0], 6), round(point[1], 6))
        if key not in self.index:
            self.index[key] = len(self.points)
            self.points.append(key)
            self.fields.append(path)
        return self.index[key]


def problem_from_proto(message: pb.Problem, resolve: Resolve) -> MappedProblem:
    """Map a problem.

    Raises
    ------
    InvalidRequest
        With every wrong field.
    Unimplemented
        For parts of the contract the engine cannot do yet.
    """
    _refuse_unsupported(message)
    if not message.vehicles:
        raise InvalidInput("vehicles: give at least one vehicle", field="vehicles")
    for k, vehicle in enumerate(message.vehicles):
        if not (vehicle.shift.start_unix_s and vehicle.shift.end_unix_s):
            raise InvalidInput(f"vehicles[{k}].shift: give both start and end", field=f"vehicles[{k}].shift")
    zero_s = min(vehicle.shift.start_unix_s for vehicle in message.vehicles)
    span_s = max(vehicle.shift.end_unix_s for vehicle in message.vehicles) - zero_s
    if span_s > LONGEST_SPAN_S:
        raise InvalidInput("vehicles: the shifts span more than a week; plan them in parts", field="vehicles")
    places, profiles = _Places(resolve), list(dict.fromkeys(_profile(vehicle) for vehicle in message.vehicles))
    always = TimeWindow(0, span_s + 1)
    depots: dict[int, int] = {}

    def depot(location: geo_pb2.Location, path: str) -> int:
        return depots.setdefault(places.add(location, path), len(depots))

    dimensions = max((len(vehicle.capacities) for vehicle in message.vehicles), default=0)
    dimensions = max([dimensions, *(len(shipment.loads) for shipment in message.shipments)])
    try:
        vehicles = tuple(
            _vehicle(vehicle, k, depot, profiles, zero_s, dimensions, message.objective)
            for k, vehicle in enumerate(message.vehicles)
        )
        shipments = tuple(
            shipment_from_proto(shipment, f"shipments[{k}]", places.add, zero_s, dimensions)
            for k, shipment in enumerate(message.shipments)
        )
        listed = tuple(Depot(f"depot {k}", location, always) for location, k in depots.items())
        problem = Problem(len(places.points), listed, vehicles, shipments)
    except InvalidProblemError as error:
        raise InvalidRequest([(one.field, one.message) for one in error.findings]) from None
    lengths = any(v.cost_per_m or v.max_length_m is not None for v in vehicles)
    return MappedProblem(
        problem, places.points, places.fields, [mode for mode, _ in profiles], [emission for _, emission in profiles],
        zero_s, (0.0, float(span_s)), message.travel_times, lengths,
    )  # fmt: skip


def _profile(message: pb.Vehicle) -> tuple[StreetMode, EmissionClass]:
    """What travel times depend on."""
    mode = MODES[message.kind]
    if mode not in MOTOR_MODES or not message.emission_class:
        return mode, EmissionClass.ELECTRIC
    return mode, EmissionClass(message.emission_class - 1)


def shipment_from_proto(
    message: pb.Shipment, path: str, place: Callable[[geo_pb2.Location, str], int], zero_s: int, dimensions: int
) -> Shipment:
    """Map one shipment; `place` answers the location index of a location."""
    if message.max_ride_s:
        raise Unimplemented(f"{path}.max_ride_s: longest rides are not supported yet", field=f"{path}.max_ride_s")
    ids = frozenset(message.allowed_vehicle_ids)
    if message.locked_vehicle_id:
        if ids and message.locked_vehicle_id not in ids:
            raise InvalidInput(
                f"{path}.locked_vehicle_id: {message.locked_vehicle_id!r} is not among allowed_vehicle_ids",
                field=f"{path}.locked_vehicle_id",
            )
        ids = frozenset({message.locked_vehicle_id})

    def task(name: str) -> Visit | None:
        if not message.HasField(name):  # type: ignore[arg-type]
            return None
        own: pb.Task = getattr(message, name)
        here = f"{path}.{name}"
        try:
            windows = tuple(_window(window, zero_s) for window in own.windows)
            windows = _merged(tuple(sorted(windows, key=lambda window: window.start_s)))
            return Visit(place(own.location, f"{here}.location"), own.service_s + own.setup_s, windows)
        except InvalidProblemError as error:
            raise error.within(here) from None

    pickup, delivery = task("pickup"), task("delivery")
    load = (*message.loads, *([0] * (dimensions - len(message.loads))))
    prize = message.prize if message.HasField("prize") else None
    try:
        return Shipment(message.shipment_id, load, pickup, delivery, frozenset(message.skills), ids, prize, message.priority)
    except InvalidProblemError as error:
        raise error.within(path) from None


def _vehicle(
    message: pb.Vehicle, k: int, depot: Callable[[geo_pb2.Location, str], int],
    profiles: list[tuple[StreetMode, EmissionClass]], zero_s: int, dimensions: int, objective: pb.Objective,
) -> Vehicle:  # fmt: skip
    path, mode = f"vehicles[{k}]", MODES[message.kind]
    start = depot(message.start, f"{path}.start")
    end = depot(message.end, f"{path}.end") if message.HasField("end") else start
    capacity = (*message.capacities, *([UNLIMITED] * (dimensions - len(message.capacities))))
    try:
        rests = tuple(
            Break(window.start_s, window.end_s, rest.duration_s)
            for rest in sorted(message.breaks, key=lambda rest: rest.start_window.start_unix_s)
            for window in (_window(rest.start_window, zero_s),)
        )
        return Vehicle(
            message.vehicle_id, start, None if message.open_end else end, capacity, _window(message.shift, zero_s),
            float(message.max_duration_s) or None, message.max_distance_m or None, message.max_stops or None,
            profiles.index(_profile(message)), frozenset(message.skills), rests, **_costs(message.cost, mode, objective),
        )  # fmt: skip
    except InvalidProblemError as error:
        raise error.within(path) from None


def _costs(cost: pb.VehicleCost, mode: StreetMode, objective: pb.Objective) -> dict[str, float]:
    """Costs of a vehicle under the objective."""
    co2 = objective.co2_cost_per_kg * mean_co2_g_per_m(mode) / 1000.0
    match objective.kind:
        case pb.Objective.KIND_DURATION:
            return {"fixed_cost": 0.0, "cost_per_s": 1.0, "cost_per_m": co2}
        case pb.Objective.KIND_DISTANCE:
            return {"fixed_cost": 0.0, "cost_per_s": 0.0, "cost_per_m": 1.0 + co2}
        case pb.Objective.KIND_VEHICLES_THEN_DISTANCE:
            return {"fixed_cost": VEHICLES_FIRST, "cost_per_s": 0.0, "cost_per_m": 1.0 + co2}
    if not (cost.fixed or cost.per_km or cost.per_hour):
        return {"fixed_cost": 0.0, "cost_per_s": 1.0, "cost_per_m": co2}
    return {"fixed_cost": cost.fixed, "cost_per_s": cost.per_hour / 3600.0, "cost_per_m": cost.per_km / 1000.0 + co2}


def _window(message: time_pb2.TimeRange, zero_s: int) -> TimeWindow:
    """Start included, end excluded; 0 = open."""
    start = message.start_unix_s - zero_s if message.start_unix_s else -LONGEST_SPAN_S
    end = message.end_unix_s - 1 - zero_s if message.end_unix_s else 2 * LONGEST_SPAN_S
    return TimeWindow(start, end)


def _merged(windows: tuple[TimeWindow, ...]) -> tuple[TimeWindow, ...]:
    """Windows that touch become one: any of them is good."""
    if all(one.end_s < two.start_s for one, two in pairwise(windows)):
        return windows
    answer = [windows[0]]
    for window in windows[1:]:
        if window.start_s <= answer[-1].end_s:
            answer[-1] = TimeWindow(answer[-1].start_s, max(answer[-1].end_s, window.end_s))
        else:
            answer.append(window)
    return tuple(answer)


def _refuse_unsupported(message: pb.Problem) -> None:
    """Refuse parts of the contract that the engine cannot do yet."""
    asked = [("hubs", bool(message.hubs)), ("restricted_zones", bool(message.restricted_zones))]
    asked.append(("objective.kind", message.objective.kind == pb.Objective.KIND_MAKESPAN))
    for k, vehicle in enumerate(message.vehicles):
        asked.append((f"vehicles[{k}].may_reload", vehicle.may_reload))
        asked.append((f"vehicles[{k}].cost.overtime_per_hour", vehicle.cost.overtime_per_hour > 0))
    for path, wanted in asked:
        if wanted:
            raise Unimplemented(f"{path}: not supported yet; leave it out", field=path)

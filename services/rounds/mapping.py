"""Requests → problems of the engine. Pure.

Engine times are seconds since `zero_s`, the beginning of the earliest shift. What a field asks for and the engine cannot do
yet is refused with the field's name, never silently dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

from traboule.common.v1 import geo_pb2, time_pb2
from traboule.rounds.v1 import problem_pb2 as pb

from routing.model.emissions import mean_co2_g_per_m
from routing.model.modes import StreetMode
from routing.rounds.api import Break, Depot, Problem, Shipment, TimeWindow, Vehicle, Visit
from routing.rounds.errors import InvalidProblemError
from routing.rounds.hub import Hub
from routing.street.access_rules import EmissionClass
from services.common.errors import InvalidInput, Unimplemented
from services.common.status import InvalidRequest
from services.rounds.contract_names import in_contract, load_dimensions
from services.rounds.driver_mapping import driving_rules, reloads
from services.rounds.hub_mapping import home_of, hubs_from_proto
from services.rounds.kerb_mapping import Kerbs, kerbs_from, tasks_of

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
IN_CONTRACT_OF_VEHICLES = {"overtime_after_s": "cost.overtime_after_s", "overtime_cost_per_s": "cost.overtime_per_hour"}
IN_CONTRACT = {"due_s": "due_unix_s", "service_by_class": "service_by_kind"}
"""Fields of the engine's vehicles and visits that have another name in the contract."""
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
    parking_s : list of int
        Location index → seconds a motor vehicle looks for a place to stop.
    kerbs : Kerbs
        Places where that changes with the time, or where there are bays.
    earliest : bool
        Whether the latest return is made small, before the costs of the vehicles.
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
    parking_s: list[int] = field(default_factory=list)
    kerbs: Kerbs = field(default_factory=Kerbs)
    earliest: bool = False

    @property
    def parks(self) -> bool:
        """Whether stopping takes time anywhere."""
        return any(self.parking_s) or bool(self.kerbs.at)

    def parking_of(self, profile: int, at: int, to: int) -> int:
        """Seconds a vehicle from location `at` looks for a place to stop at `to`."""
        parks = at != to and self.modes[profile] in MOTOR_MODES and self.parking_s
        return self.parking_s[to] if parks else 0


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
    depots: dict[tuple[int, TimeWindow], int] = {}

    def depot(location: geo_pb2.Location, path: str, window: TimeWindow = always) -> int:
        return depots.setdefault((places.add(location, path), window), len(depots))

    dimensions = load_dimensions(message)
    try:
        hubs = hubs_from_proto(message, depot, lambda window: _window(window, zero_s), always, dimensions)
        vehicles = tuple(
            _vehicle(vehicle, k, depot, profiles, zero_s, dimensions, message.objective, hubs)
            for k, vehicle in enumerate(message.vehicles)
        )
        shipments = tuple(
            shipment_from_proto(shipment, f"shipments[{k}]", places.add, zero_s, dimensions)
            for k, shipment in enumerate(message.shipments)
        )
        listed = tuple(Depot(f"depot {k}", location, window) for (location, window), k in depots.items())
        problem = Problem(len(places.points), listed, vehicles, shipments, hubs)
    except InvalidProblemError as error:
        raise InvalidRequest(in_contract(error.findings, message.shipments)) from None
    lengths = any(v.cost_per_m or v.max_length_m is not None for v in vehicles)
    tasks = [one for k, own in enumerate(message.shipments) for one in _placed(shipments[k], own, f"shipments[{k}]")]
    starts = {one.location_idx for one in listed}
    kerbs = kerbs_from(tasks, resolve, partial(_window, zero_s=zero_s), message.travel_times, starts)
    return MappedProblem(
        problem, places.points, places.fields, [mode for mode, _ in profiles], [emission for _, emission in profiles],
        zero_s, (0.0, float(span_s)), message.travel_times, lengths, _parking(message, problem),
        kerbs, message.objective.kind == pb.Objective.KIND_MAKESPAN,
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
            return Visit(
                place(own.location, f"{here}.location"), own.service_s, windows, own.setup_s,
                tuple((problem_kind(one.kind), float(one.service_s)) for one in own.service_by_kind),
                float(own.due_unix_s - zero_s) if own.due_unix_s else None, own.late_cost_per_hour / 3600.0,
            )  # fmt: skip
        except InvalidProblemError as error:
            named = (replace(one, field=IN_CONTRACT.get(one.field, one.field)) for one in error.findings)
            raise InvalidProblemError(named).within(here) from None

    pickup, delivery = task("pickup"), task("delivery")
    load = (*message.loads, *([0] * (dimensions - len(message.loads))))
    prize = message.prize if message.HasField("prize") else None
    try:
        return Shipment(
            message.shipment_id, load, pickup, delivery, frozenset(message.skills), ids, prize, message.priority,
            message.together, message.apart, frozenset(message.preferred_vehicle_ids), message.other_vehicle_cost,
            float(message.max_ride_s) or None, message.direct_only,
        )  # fmt: skip
    except InvalidProblemError as error:
        raise error.within(path) from None


def _vehicle(
    message: pb.Vehicle, k: int, depot: Callable[..., int],
    profiles: list[tuple[StreetMode, EmissionClass]], zero_s: int, dimensions: int, objective: pb.Objective,
    hubs: tuple[Hub, ...],
) -> Vehicle:  # fmt: skip
    path, mode = f"vehicles[{k}]", MODES[message.kind]
    home = home_of(message, path, hubs)
    start = depot(message.start, f"{path}.start") if home is None else home
    end = depot(message.end, f"{path}.end") if message.HasField("end") else start
    capacity = (*message.capacities, *([UNLIMITED] * (dimensions - len(message.capacities))))
    reloading = reloads(message, path)
    try:
        others = tuple(
            depot(
                place.location, f"{path}.reload_places[{n}].location",
                *((_window(place.window, zero_s),) if place.HasField("window") else ()),
            )
            for n, place in enumerate(message.reload_places)
        )  # fmt: skip
        rests = tuple(
            Break(window.start_s, window.end_s, rest.duration_s)
            for rest in sorted(message.breaks, key=lambda rest: rest.start_window.start_unix_s)
            for window in (_window(rest.start_window, zero_s),)
        )
        return Vehicle(
            message.vehicle_id, start, None if message.open_end else end, capacity, _window(message.shift, zero_s),
            float(message.max_duration_s) or None, message.max_distance_m or None, message.max_stops or None,
            profiles.index(_profile(message)), frozenset(message.skills), rests, **_costs(message.cost, mode, objective),
            service_factor=message.service_factor if message.HasField("service_factor") else 1.0,
            service_class=problem_kind(message.kind), co2_g_per_m=mean_co2_g_per_m(mode), driving_rules=driving_rules(message),
            max_reloads=reloading, reload_depot_idxs=others, reload_s=float(message.reload_s),
            balance_cost_per_s2=objective.balance_per_squared_hour / 3600.0**2,
        )  # fmt: skip
    except InvalidProblemError as error:
        named = (replace(one, field=IN_CONTRACT_OF_VEHICLES.get(one.field, one.field)) for one in error.findings)
        raise InvalidProblemError(named).within(path) from None


def _costs(cost: pb.VehicleCost, mode: StreetMode, objective: pb.Objective) -> dict[str, Any]:
    """Costs of a vehicle under the objective; only COST looks at the vehicle's own."""
    co2 = objective.co2_cost_per_kg * mean_co2_g_per_m(mode) / 1000.0
    match objective.kind:
        case pb.Objective.KIND_DURATION | pb.Objective.KIND_MAKESPAN:
            return {"fixed_cost": 0.0, "cost_per_s": 1.0, "cost_per_m": co2}
        case pb.Objective.KIND_DISTANCE:
            return {"fixed_cost": 0.0, "cost_per_s": 0.0, "cost_per_m": 1.0 + co2}
        case pb.Objective.KIND_VEHICLES_THEN_DISTANCE:
            return {"fixed_cost": VEHICLES_FIRST, "cost_per_s": 0.0, "cost_per_m": 1.0 + co2}
        case pb.Objective.KIND_VEHICLES_THEN_DURATION:
            return {"fixed_cost": VEHICLES_FIRST, "cost_per_s": 1.0, "cost_per_m": co2}
        case pb.Objective.KIND_WEIGHTED:
            per_s, per_m = objective.weight_per_hour / 3600.0, objective.weight_per_km / 1000.0
            return {"fixed_cost": objective.weight_per_vehicle, "cost_per_s": per_s, "cost_per_m": per_m + co2}
    own: dict[str, Any] = {
        "fixed_cost": cost.fixed, "cost_per_s": cost.per_hour / 3600.0, "cost_per_m": cost.per_km / 1000.0 + co2,
        "cost_per_driving_s": cost.per_driving_hour / 3600.0,
    }  # fmt: skip
    if not (cost.fixed or cost.per_km or cost.per_hour or cost.per_driving_hour):
        own = {"fixed_cost": 0.0, "cost_per_s": 1.0, "cost_per_m": co2}
    if cost.overtime_per_hour:
        own["overtime_after_s"] = float(cost.overtime_after_s) or None
        own["overtime_cost_per_s"] = cost.overtime_per_hour / 3600.0
    return own


def _check_weights(objective: pb.Objective) -> None:
    """Weights belong to WEIGHTED, which needs one."""
    weights = {
        f"objective.{name}": getattr(objective, name) for name in ("weight_per_hour", "weight_per_km", "weight_per_vehicle")
    }
    weighted = objective.kind == pb.Objective.KIND_WEIGHTED
    if weighted and not any(weights.values()) and not objective.co2_cost_per_kg:
        raise InvalidInput("objective: WEIGHTED needs a weight above 0", field="objective.weight_per_hour")
    for path, weight in weights.items():
        if weight and not weighted:
            raise InvalidInput(f"{path}: only counts with kind WEIGHTED; ask for it or leave the weight out", field=path)


def problem_kind(kind: "pb.VehicleKind.ValueType") -> str:
    """Class of service of a kind of vehicles."""
    return MODES[kind].name.lower()


def _parking(message: pb.Problem, problem: Problem) -> list[int]:
    """Time to find a place by location: the most any task there says, none where vehicles start or end."""
    parking = [0] * problem.location_count
    for shipment, own in zip(problem.shipments, message.shipments, strict=True):
        _park(parking, shipment, own)
    for depot in problem.depots:
        parking[depot.location_idx] = 0
    return parking


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
    asked = [("restricted_zones", bool(message.restricted_zones))]
    if message.hubs and message.objective.kind == pb.Objective.KIND_MAKESPAN:
        raise Unimplemented("objective.kind: MAKESPAN cannot be combined with hubs yet", field="objective.kind")
    _check_weights(message.objective)
    for path, wanted in asked:
        if wanted:
            raise Unimplemented(f"{path}: not supported yet; leave it out", field=path)


def joined(mapped: MappedProblem, message: pb.Shipment, resolve: Resolve) -> tuple[Shipment, MappedProblem]:
    """Map one more shipment of a problem: it, and the problem's mapping with its locations (but without the shipment).

    Raises
    ------
    InvalidRequest
        With every wrong field.
    """
    index = {point: k for k, point in enumerate(mapped.points)}
    places = _Places(resolve, list(mapped.points), list(mapped.fields), index)
    try:
        shipment = shipment_from_proto(message, "shipment", places.add, mapped.zero_s, mapped.problem.dimensions)
    except InvalidProblemError as error:
        raise InvalidRequest(in_contract(error.findings, [message])) from None
    parking = [*mapped.parking_s, *([0] * (len(places.points) - len(mapped.parking_s)))]
    _park(parking, shipment, message)
    for depot in mapped.problem.depots:
        parking[depot.location_idx] = 0
    tasks, starts = _placed(shipment, message, "shipment"), {one.location_idx for one in mapped.problem.depots}
    new = kerbs_from(tasks, resolve, partial(_window, zero_s=mapped.zero_s), mapped.kind, starts)
    kerbs = (
        mapped.kerbs if mapped.kerbs.at else new
    )  # with any, all is mapped anew with the shipment: it does not change in place
    return shipment, replace(mapped, points=places.points, fields=places.fields, parking_s=parking, kerbs=kerbs)


def _placed(shipment: Shipment, message: pb.Shipment, path: str) -> list[tuple[int, pb.Task, str]]:
    """Location, task and field of what is done for a shipment."""
    visits = [visit for visit in (shipment.pickup, shipment.delivery) if visit is not None]
    return [(visit.location_idx, *one) for visit, one in zip(visits, tasks_of(message, path), strict=True)]


def _park(parking_s: list[int], shipment: Shipment, message: pb.Shipment) -> None:
    """Raise the times to find a place to stop, by location, to what a shipment's tasks say."""
    for visit, task in ((shipment.pickup, message.pickup), (shipment.delivery, message.delivery)):
        if visit is not None:
            parking_s[visit.location_idx] = max(parking_s[visit.location_idx], task.parking_s)

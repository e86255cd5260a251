"""What the contract asks of rounds reaches the engine: service by vehicle, bonds, wishes, dues, rides, parking, weights."""

from typing import Any, cast

import numpy as np
import pytest
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import plan_pb2, problem_pb2

from routing.model.emissions import mean_co2_g_per_m
from routing.model.modes import StreetMode
from routing.rounds.api import DrivingRules, Plan, TimeWindow, TravelTimes, build_plan, solve
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.errors import InvalidInput, Unimplemented
from services.common.status import InvalidRequest
from services.rounds.city import RoundsCity
from services.rounds.mapping import MappedProblem, problem_from_proto
from services.rounds.plan_mapping import plan_to_proto
from services.rounds.rebuilt import rest_of
from tests.builders.journeys import at
from tests.builders.zoned_town import build_zoned_town, middle

MORNING = 1_785_222_000


def _resolve(location: geo_pb2.Location, _path: str) -> tuple[float, float]:
    return location.point.lat_deg, location.point.lon_deg


def _place(lat: float) -> dict[str, Any]:
    return {"point": {"lat_deg": lat, "lon_deg": 2.0}}


def _problem(shipments: list[dict[str, Any]], *vehicles: dict[str, Any], **more: Any) -> problem_pb2.Problem:
    """Vehicles that start at latitude 0; each shipment is a delivery of a minute unless it says otherwise."""
    shift = {"start_unix_s": MORNING, "end_unix_s": MORNING + 8 * 3600}
    usual: dict[str, Any] = {"kind": 1, "start": _place(0.0), "shift": shift}
    fleet = [problem_pb2.Vehicle(**usual | {"vehicle_id": f"v{k}"} | one) for k, one in enumerate(vehicles or ({},))]
    orders = []
    for k, one in enumerate(shipments):
        order: dict[str, Any] = {"shipment_id": f"o{k}", "delivery": {"location": _place(k + 1.0), "service_s": 60}} | one
        orders.append(problem_pb2.Shipment(**order))
    return problem_pb2.Problem(vehicles=fleet, shipments=orders, **more)


def _mapped(*shipments: dict[str, Any], vehicles: tuple[dict[str, Any], ...] = ({},), **more: Any) -> MappedProblem:
    return problem_from_proto(_problem(list(shipments), *vehicles, **more), _resolve)


def test_service_by_kind_and_factor() -> None:
    """A kind's own time, scaled by the vehicle's factor; the setup comes on top unscaled; no factor is one."""
    by_kind = [{"kind": 3, "service_s": 100}]
    task = {"location": _place(1.0), "service_s": 60, "setup_s": 20, "service_by_kind": by_kind}
    problem = _mapped({"delivery": task}, vehicles=({"service_factor": 1.5}, {"kind": 3}, {"kind": 0})).problem
    assert [problem.visit(0).stays_s(vehicle) for vehicle in problem.vehicles] == [110.0, 120.0, 80.0]


def test_bonds_wishes_rides_and_dues() -> None:
    """Names of bonds, preferred vehicles with their cost, the longest ride and a due with its cost by the hour."""
    pair = {"pickup": {"location": _place(1.0)}, "max_ride_s": 900, "together": "t", "apart": "a"}
    wish = {"preferred_vehicle_ids": ["v1"], "other_vehicle_cost": 7.5}
    due = {"delivery": {"location": _place(2.0), "due_unix_s": MORNING + 600, "late_cost_per_hour": 36.0}}
    one, two = _mapped(pair | wish, due, vehicles=({}, {})).problem.shipments
    assert (one.together, one.apart, one.max_ride_s, one.other_vehicle_cost) == ("t", "a", 900.0, 7.5)
    assert one.preferred_vehicle_ids == {"v1"}
    assert two.delivery is not None
    assert two.delivery.late_cost(700.0) == pytest.approx(1.0)
    assert two.max_ride_s is None


def test_parking_belongs_to_a_place() -> None:
    """The most that any task at a place says; nothing where vehicles start."""
    here = {"delivery": {"location": _place(1.0), "parking_s": 120}}
    again = {"delivery": {"location": _place(1.0), "parking_s": 300}}
    home = {"delivery": {"location": _place(0.0), "parking_s": 60}}
    mapped = _mapped(here, again, home, vehicles=({}, {"kind": 3}))
    assert mapped.parking_s == [0, 300]
    assert [mapped.parking_of(p, 0, 1) for p in range(2)] == [300, 0]
    assert mapped.parking_of(0, 1, 1) == 0


def test_driving_rules_are_those_of_the_regulation_unless_it_says_otherwise() -> None:
    """An empty message is the regulation; zero parts and zero hours a day switch off; a part that is too long is named."""
    own = {"max_driving_s": 7200, "rest_first_s": 0, "max_daily_driving_s": 0, "waiting_is_rest": True, "driven_today_s": 60}
    fleet = ({"driving_rules": {}}, {"driving_rules": own}, {})
    usual, other, none = (one.driving_rules for one in _mapped({}, vehicles=fleet).problem.vehicles)
    assert usual == DrivingRules()
    assert other == DrivingRules(7200.0, 2700.0, None, None, waiting_rests=True, driven_today_s=60.0)
    assert none is None
    with pytest.raises(InvalidRequest) as caught:
        _mapped({}, vehicles=({"driving_rules": {"rest_second_s": 3000}},))
    assert "vehicles[0].driving_rules.rest_second_s" in str(caught.value)


def test_rests_are_told() -> None:
    """One on the road with its place in proportion, one at a stop; the times of driving leave them out."""
    day = {"start_unix_s": MORNING, "end_unix_s": MORNING + 20 * 3600}
    mapped = _mapped({}, vehicles=({"driving_rules": {"max_daily_driving_s": 0}, "open_end": True, "shift": day},))
    times = TravelTimes.static([[0.0, 6 * 3600.0], [6 * 3600.0, 0.0]])
    told = plan_to_proto(build_plan(mapped.problem, times, [[0]]), mapped).rounds[0]
    rest = next(stop for stop in told.stops if stop.kind == plan_pb2.RoundStop.KIND_BREAK)
    assert (rest.by_driving_rules, rest.after_driving_s, rest.departure_unix_s - rest.start_unix_s) == (True, 16200, 2700)
    assert rest.location.lat_deg == pytest.approx(0.75)
    assert (told.drive_s, told.break_s, told.stops[-1].leg.duration_s) == (21600, 2700, 21600)


def test_reloads_reach_the_engine_and_the_plan() -> None:
    """Five times at the start unless it says otherwise; places with hours are depots of their own; the plan tells them."""
    hub = {"location": _place(3.0), "window": {"start_unix_s": MORNING, "end_unix_s": MORNING + 3601}}
    fleet = (
        {"may_reload": True, "reload_s": 600, "capacities": [1]},
        {"may_reload": True, "max_reloads": 2, "reload_places": [hub]},
    )
    one, two = _mapped({}, vehicles=fleet).problem.vehicles
    assert (one.max_reloads, one.reload_depots, one.reload_s, two.max_reloads) == (5, (0,), 600.0, 2)
    assert _mapped({}, vehicles=fleet).problem.depots[two.reload_depots[0]].window == TimeWindow(0, 3600)
    mapped = _mapped({"loads": [1]}, {"loads": [1]}, vehicles=fleet[:1])
    times = TravelTimes.static(np.full((3, 3), 60.0) - 60.0 * np.eye(3))
    told = plan_to_proto(build_plan(mapped.problem, times, [[0, 2, 1]]), mapped).rounds[0]
    kinds = [plan_pb2.RoundStop.Kind.Name(stop.kind) for stop in told.stops]
    assert kinds == ["KIND_START", "KIND_DELIVERY", "KIND_RELOAD", "KIND_DELIVERY", "KIND_END"]
    assert [list(stop.loads) for stop in told.stops] == [[1], [0], [1], [0], [0]]
    assert told.stops[2].departure_unix_s - told.stops[2].start_unix_s == 600
    with pytest.raises(InvalidInput, match="may_reload"):
        _mapped({}, vehicles=({"reload_s": 60},))


def test_balance_joins_every_objective() -> None:
    """Cost of a squared hour."""
    for kind in (1, 2, 7):
        weights = {"weight_per_km": 1.0} if kind == 7 else {}
        objective = {"kind": kind, "balance_per_squared_hour": 3600.0, **weights}
        assert _mapped({}, objective=objective).problem.vehicles[0].balance_cost_per_s2 == pytest.approx(1 / 3600)


@pytest.mark.parametrize(
    ("objective", "costs"),
    [
        ({"kind": 2}, (0.0, 1.0, 0.0)),
        ({"kind": 4}, (1e6, 0.0, 1.0)),
        ({"kind": 6}, (1e6, 1.0, 0.0)),
        ({"kind": 7, "weight_per_hour": 36.0, "weight_per_km": 2.0, "weight_per_vehicle": 5.0}, (5.0, 0.01, 0.002)),
    ],
)
def test_objectives_weigh_time_distance_vehicles_and_co2(objective: dict[str, Any], costs: tuple[float, float, float]) -> None:
    """Fixed, by second and by metre; CO2 joins the metres of who burns something."""
    vehicle = _mapped({}, objective=objective).problem.vehicles[0]
    assert (vehicle.fixed_cost, vehicle.cost_per_s, vehicle.cost_per_m) == pytest.approx(costs)
    priced = _mapped({}, objective=objective | {"co2_cost_per_kg": 10.0}, vehicles=({}, {"kind": 3})).problem.vehicles
    grams = mean_co2_g_per_m(StreetMode.VAN)
    assert priced[0].cost_per_m - costs[2] == pytest.approx(grams / 100.0)
    assert priced[1].cost_per_m == pytest.approx(costs[2])


def test_overtime_is_paid_by_the_hour() -> None:
    """Beyond the regular duration every hour costs more; without that duration the request is refused by field."""
    paid = {"cost": {"per_hour": 20.0, "overtime_per_hour": 36.0, "overtime_after_s": 7200}}
    problem = _mapped({}, vehicles=(paid,)).problem
    assert problem.driver_cost(0, 7300.0) - problem.driver_cost(0, 7200.0) == pytest.approx(100 * (20 + 36) / 3600)
    with pytest.raises(InvalidRequest) as caught:
        _mapped({}, vehicles=({"cost": {"overtime_per_hour": 36.0}},))
    assert "vehicles[0].cost.overtime_after_s" in str(caught.value)


def test_dear_driving_holds_a_vehicle_and_the_plan_says_for_how_long() -> None:
    """An hour at the wheel on top of all time; the departure from a stop is after the hold."""
    task = {"location": _place(1.0), "service_s": 60, "windows": [{"start_unix_s": MORNING + 480, "end_unix_s": MORNING + 500}]}
    cost = {"per_hour": 36.0, "per_driving_hour": 3600.0}
    mapped = _mapped({"delivery": task}, vehicles=({"cost": cost},))
    (vehicle,) = mapped.problem.vehicles
    assert (vehicle.cost_per_s, vehicle.cost_per_driving_s) == (0.01, 1.0)
    quick = np.array([[0, 100], [100, 0]])
    times = TravelTimes.slots([0, 500, 510, 1200, 1210], np.stack([quick, quick, 9 * quick, 9 * quick, quick]))
    (row,) = plan_to_proto(solve(mapped.problem, times, iterations=10), mapped).rounds
    stop = row.stops[1]
    assert stop.held_s > 600
    assert stop.departure_unix_s == pytest.approx(stop.start_unix_s + 60 + stop.held_s, abs=1)
    assert row.drive_s == pytest.approx(200, abs=2)
    assert row.wait_s == pytest.approx(stop.held_s + stop.wait_s, abs=2)


@pytest.mark.parametrize("objective", [{"kind": 7}, {"kind": 2, "weight_per_km": 1.0}])
def test_weights_that_mean_nothing_are_refused(objective: dict[str, Any]) -> None:
    """WEIGHTED without a weight, a weight without WEIGHTED."""
    with pytest.raises(InvalidInput, match="WEIGHTED"):
        _mapped({}, objective=objective)


@pytest.mark.parametrize(
    ("shipment", "field"),
    [
        ({"max_ride_s": 5}, "shipments[0].max_ride_s"),
        ({"other_vehicle_cost": 5.0}, "shipments[0].preferred_vehicle_ids"),
        ({"delivery": {"location": _place(1.0), "late_cost_per_hour": 5.0}}, "shipments[0].delivery.due_unix_s"),
    ],
)
def test_wishes_without_their_other_half_name_the_field(shipment: dict[str, Any], field: str) -> None:
    """A ride without a pickup, a cost without preferred vehicles, a cost of being late without a due."""
    with pytest.raises(InvalidRequest) as caught:
        _mapped(shipment)
    assert field in str(caught.value)


def test_answers_say_lateness_parking_co2_and_warnings() -> None:
    """What a plan's stops and the plan itself tell of the new parts."""
    late = {"location": _place(1.0), "parking_s": 100, "due_unix_s": MORNING + 1, "late_cost_per_hour": 3600.0}
    mapped = _mapped({"delivery": late}, objective={"kind": 3, "co2_cost_per_kg": 1.0})
    metres = np.array([[0.0, 1000.0], [1000.0, 0.0]])
    slots = [[[0, 500], [400, 0]], [[0, 200], [400, 0]]]  # who leaves later would overtake
    plan = solve(mapped.problem, TravelTimes.slots([0, 60], slots, metres), iterations=20)
    answer = plan_to_proto(plan, mapped)
    stop = answer.rounds[0].stops[1]
    assert stop.parking_s == 100
    assert stop.late_cost == pytest.approx(stop.start_unix_s - MORNING - 1)
    assert answer.co2_g == pytest.approx(plan.co2_kg * 1000.0) == pytest.approx(2000.0 * mean_co2_g_per_m(StreetMode.VAN))
    assert len(answer.warnings) == 1


def test_unserved_bonds_have_their_reason() -> None:
    """Two orders that must ride apart and one vehicle: one is left, for its bond."""
    mapped = _mapped({"apart": "a"}, {"apart": "a"})
    times = TravelTimes.static(np.full((3, 3), 10.0) - np.diag([10.0] * 3))
    answer = plan_to_proto(solve(mapped.problem, times, iterations=20), mapped)
    assert [one.reason for one in answer.unserved] == [plan_pb2.UNSERVED_REASON_BOND]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> CitySnapshot:
    """A small town."""
    return build_zoned_town(tmp_path_factory.mktemp("parking"))


def test_travel_times_hold_the_time_to_park(town: CitySnapshot) -> None:
    """A van looks for a place at each new stop, a cargo bike does not; times extended by a new order hold the same."""

    def place(street: str) -> dict[str, Any]:
        lat, lon = middle(street)
        return {"point": {"lat_deg": lat, "lon_deg": lon}}

    def message(parking_s: int, more_parking_s: int, count: int) -> problem_pb2.Problem:
        shift = {"start_unix_s": at("06:00"), "end_unix_s": at("08:00")}
        fleet = [
            problem_pb2.Vehicle(vehicle_id=f"v{kind}", kind=kind, start=place("AB"), shift=shift)  # type: ignore[arg-type]
            for kind in (1, 3)
        ]
        orders = [
            problem_pb2.Shipment(shipment_id=street, delivery={"location": place(street), "parking_s": seconds})  # type: ignore[arg-type]
            for street, seconds in (("CD", parking_s), ("BC", more_parking_s))
        ]
        return problem_pb2.Problem(vehicles=fleet, shipments=orders[:count])

    city = RoundsCity(town, CityClock.starting_at(at("05:00")))
    without, parked = (
        city.build_times(problem_from_proto(message(seconds, seconds and 40, 2), city.resolve)) for seconds in (0, 90)
    )
    more = parked.travel_times.arrays.slot_s - without.travel_times.arrays.slot_s
    assert (more[0] == np.array([[0, 90, 40], [0, 0, 40], [0, 90, 0]])).all()
    assert not more[1].any()
    first = problem_from_proto(message(50, 0, 1), city.resolve)
    both = problem_from_proto(message(90, 40, 2), city.resolve)
    extended = city.extend_times(city.build_times(first), len(first.points), both)
    assert (extended.travel_times.arrays.slot_s[0, 0] == parked.travel_times.arrays.slot_s[0, 0]).all()
    assert extended.parking_s == parked.parking_s


def test_changes_of_rounds_with_reloads_are_refused_by_name() -> None:
    """What is on board cannot be told from what is loaded later: the contract's field is named."""
    mapped = _mapped({}, vehicles=({}, {"may_reload": True}))
    with pytest.raises(Unimplemented, match=r"vehicles\[1\]\.may_reload"):
        rest_of(mapped, cast(Any, None), Plan((), (), 0.0), cast(Any, None), 0.0)

"""Service by vehicle, orders together and apart, preferred vehicles, dues and longest rides: the cost of exhaustive search."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.rounds.api import Break, Plan, Problem, Shipment, TimeWindow, TravelTimes, Visit, list_violations, solve
from routing.rounds.arrays import build_arrays
from routing.rounds.errors import InvalidProblemError
from routing.rounds.schedule import build_round
from tests.builders.rounds import delivery, line_times, problem, random_times, van
from tests.routing.rounds.reference_lp import least_cost, round_cost

DAY = TimeWindow(0, 3000)
LINE = line_times([0, 100, 200, 300, -100])


def _solve(asked: Problem, times: TravelTimes, iterations: int = 300) -> Plan:
    plan = solve(asked, times, iterations=iterations)
    assert list_violations(asked, times, plan) == []
    return plan


def _served(plan: Plan, asked: Problem) -> dict[str, list[str]]:
    return {
        asked.vehicles[one.vehicle_idx].id: [asked.shipments[asked.visits[stop.visit_idx][0]].id for stop in one.stops]
        for one in plan.rounds
    }


def _reasons(plan: Plan, asked: Problem) -> dict[str, str]:
    return {asked.shipments[one.shipment_idx].id: one.reasons[0] for one in plan.unserved}


def _square(rng: np.random.Generator, n: int) -> TravelTimes:
    at = rng.uniform(0, 400, (n, 2))
    metres = np.rint(np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1]))
    metres = np.minimum(metres, (metres[:, :, None] + metres[None, :, :]).min(axis=1))
    return TravelTimes.static(metres, metres)


def _random_visit(rng: np.random.Generator, location: int, due: bool) -> Visit:
    start = int(rng.integers(0, 1200))
    windows = (TimeWindow(start, start + int(rng.integers(300, 1500))),) if rng.random() < 0.6 else ()
    by_class = (("slow", float(rng.integers(50, 200))),) if rng.random() < 0.5 else ()
    visit = Visit(location, int(rng.integers(0, 60)), windows, int(rng.integers(0, 20)), by_class)
    if due and rng.random() < 0.7:
        visit = replace(visit, due_s=float(rng.integers(100, 1200)), late_cost_per_s=float(rng.choice([0.2, 0.7, 3.0])))
    return visit


def _random(
    rng: np.random.Generator, *, due: bool = False, rides: bool = False, bonds: bool = False, overtime: bool = False
) -> Problem:
    shipments = []
    for k in range(3 if rides else 5):
        more: dict[str, Any] = {}
        if bonds:
            more["together"] = str(rng.choice(["", "a", "b"]))
            more["apart"] = str(rng.choice(["", "", "c"]))
            if rng.random() < 0.5:
                more |= {"preferred_vehicle_ids": frozenset({f"v{rng.integers(2)}"}), "other_vehicle_cost": 60.0}
        if rides:
            pickup, drop = _random_visit(rng, 2 * k + 1, due), _random_visit(rng, 2 * k + 2, due)
            longest = float(rng.integers(200, 900)) if rng.random() < 0.8 else None
            shipments.append(Shipment(f"o{k}", (1,), pickup, drop, max_ride_s=longest, **more))
        else:
            shipments.append(Shipment(f"o{k}", (int(rng.integers(1, 4)),), None, _random_visit(rng, k + 1, due), **more))
    fleet = [
        van("v0", 6, DAY, fixed_cost=50.0, cost_per_m=0.3, max_duration_s=2000.0 if rng.random() < 0.3 else None),
        van("v1", 6, DAY, fixed_cost=20.0, cost_per_s=0.5, service_class="slow", service_factor=1.5),
    ]
    if overtime:
        after = float(rng.integers(300, 1000))
        fleet = [replace(one, overtime_after_s=after, overtime_cost_per_s=2.0) for one in fleet]
    return problem(7, fleet, shipments, DAY)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"bonds": True},
        {"due": True},
        {"rides": True},
        {"overtime": True},
        {"due": True, "rides": True, "bonds": True, "overtime": True},
    ],
)
def test_optimal_on_tiny_random_problems(kind: dict[str, bool], seed: int) -> None:
    """Each kind alone and all of them at once cost what enumeration with linear programming says."""
    rng = np.random.default_rng(seed)
    asked, times = _random(rng, **kind), _square(rng, 7)
    assert _solve(asked, times).cost == pytest.approx(least_cost(asked, times), abs=1e-4)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), rides=st.booleans(), overtime=st.booleans())
def test_the_schedule_of_an_order_of_visits_is_the_cheapest(seed: int, rides: bool, overtime: bool) -> None:
    """Departure and waits minimise duration and lateness within longest rides, durations and windows."""
    rng = np.random.default_rng(seed)
    asked, times = _random(rng, due=True, rides=rides, overtime=overtime), _square(rng, 7)
    visits = rng.permutation(len(asked.visits))
    if rides:  # pickups before deliveries
        visits = np.concatenate([rng.permutation(visits[visits % 2 == 0]), rng.permutation(visits[visits % 2 == 1])])
    route, r = tuple(int(v) for v in visits), int(rng.integers(2))
    found, cost = build_round(build_arrays(asked, times), times.arrays, r, route), round_cost(asked, times, r, route)
    longest = asked.vehicles[r].max_duration_s or math.inf
    if found is None or found.duration_s > longest + 1e-5:
        assert cost == math.inf
    else:
        assert found.cost == pytest.approx(cost, abs=1e-3)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_with_traffic_no_departure_of_a_grid_is_cheaper(seed: int) -> None:
    """Dues under time-dependent times: the departure found costs no more than any other, and all of it is driven."""
    rng = np.random.default_rng(seed)
    asked, times = _random(rng, due=True), random_times(rng, 7)
    asked = replace(asked, vehicles=tuple(replace(one, max_duration_s=None) for one in asked.vehicles))
    route = tuple(int(v) for v in rng.permutation(5)[:3])
    arrays = build_arrays(asked, times)
    found = build_round(arrays, times.arrays, 0, route)
    grid = [build_round(arrays, times.arrays, 0, route, float(start)) for start in range(0, 3000, 20)]
    costs = [one.cost for one in grid if one is not None]
    assert (found is None) == (not costs)
    assert found is None or found.cost <= min(costs) + 1e-6


def test_orders_go_to_the_vehicle_that_serves_them_fast() -> None:
    """A class of its own makes the service short with one vehicle; a factor scales it, the setup not."""
    visit = Visit(1, 400, (), 10, (("lift", 20.0),))
    asked = problem(2, [van("hand"), van("lift", service_class="lift", service_factor=2.0)], [Shipment("a", (1,), None, visit)])
    plan = _solve(asked, LINE, 50)
    assert _served(plan, asked) == {"lift": ["a"]}
    assert plan.rounds[0].stops[0].departure_s - plan.rounds[0].stops[0].start_s == 50


def test_together_holds_for_those_that_are_served() -> None:
    """Three orders of a group, room for two: two ride in one vehicle, the third stays and says why."""
    orders = [delivery(name, k + 1, together="kitchen") for k, name in enumerate("abc")]
    asked = problem(4, [van("v", 2), van("w", 2)], orders)
    plan = _solve(asked, LINE)
    assert [len(names) for names in _served(plan, asked).values()] == [2]
    assert list(_reasons(plan, asked).values()) == ["bond"]
    assert "kitchen" in plan.unserved[0].message


def test_apart_takes_as_many_vehicles() -> None:
    """Two that may not meet ride apart; a third finds no vehicle, and its bond is the reason."""
    orders = [delivery(name, k + 1, apart="rivals") for k, name in enumerate("abc")]
    asked = problem(4, [van("v"), van("w")], orders)
    plan = _solve(asked, LINE)
    assert [len(names) for names in _served(plan, asked).values()] == [1, 1]
    assert list(_reasons(plan, asked).values()) == ["bond"]


def test_a_group_moves_to_another_vehicle_as_a_whole() -> None:
    """A pinned partner does not keep a group where it was first put: four bonded orders end in the cheap vehicle."""
    orders = [delivery(f"g{k}", k + 1, together="g", preferred_vehicle_ids=frozenset({"w"} if k else {"v"}),
                       other_vehicle_cost=500.0) for k in range(4)]  # fmt: skip
    asked = problem(5, [van("v"), van("w")], orders)
    assert set(_served(_solve(asked, LINE), asked)) == {"w"}


def test_overtime_spreads_the_work() -> None:
    """Three long orders: one driver alone where overtime costs nothing, three where it costs much."""
    orders = [delivery(name, 1, None, 1000) for name in "abc"]
    fleet = [van(name, fixed_cost=10.0) for name in "uvw"]
    assert len(_served(_solve(problem(2, fleet, orders), LINE), problem(2, fleet, orders))) == 1
    tired = problem(2, [replace(one, overtime_after_s=1200.0, overtime_cost_per_s=1.0) for one in fleet], orders)
    assert [len(names) for names in _served(_solve(tired, LINE), tired).values()] == [1, 1, 1]


def test_a_late_service_costs_what_it_says() -> None:
    """Ten seconds late at three a second, on top of the drive."""
    late = Shipment("a", (1,), None, Visit(1, 0, (), due_s=90.0, late_cost_per_s=3.0))
    asked = problem(2, [van()], [late])
    plan = _solve(asked, LINE, 20)
    assert plan.cost == pytest.approx(200.0 + 30.0)
    assert plan.rounds[0].departure_s == 0.0


def test_the_wait_moves_before_the_pickup() -> None:
    """The delivery opens late: the vehicle fetches the passenger late enough; a ride shorter than the drive cannot be."""

    def asked(longest: float) -> Problem:
        ride = Shipment("a", (1,), Visit(1), Visit(3, 0, (TimeWindow(1000, 1100),)), max_ride_s=longest)
        return problem(4, [van()], [ride])

    plan = _solve(asked(220), LINE, 20)
    pickup, drop = plan.rounds[0].stops
    assert drop.start_s - pickup.departure_s <= 220 + 1e-6
    plan = _solve(asked(150), LINE, 20)
    assert _reasons(plan, asked(150)) == {"a": "ride"}
    assert "150 s" in plan.unserved[0].message


@pytest.mark.parametrize("seed", range(4))
def test_breaks_dues_and_rides_together_break_nothing(seed: int) -> None:
    """Drivers with breaks, traffic, dues and longest rides: all plans pass the validator and serve what alone can be served."""
    rng = np.random.default_rng(seed)
    asked, times = _random(rng, due=True, rides=True), random_times(rng, 7)
    rested = tuple(replace(one, breaks=(Break(600, 1500, 120),)) for one in asked.vehicles)
    asked = Problem(asked.location_count, asked.depots, rested, asked.shipments)
    plan = _solve(asked, times)
    assert all(one.reasons[0] in {"ride", "time_window", "duration", "fleet_too_small", "unreachable"} for one in plan.unserved)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Visit(0, setup_s=-1), "setup_s"),
        (lambda: Visit(0, service_by_class=(("a", -1.0),)), "service_by_class[0]"),
        (lambda: Visit(0, service_by_class=(("a", 1.0), ("a", 2.0))), "service_by_class"),
        (lambda: Visit(0, late_cost_per_s=1.0), "due_s"),
        (lambda: Visit(0, due_s=math.nan, late_cost_per_s=1.0), "due_s"),
        (lambda: Visit(0, due_s=1.0, late_cost_per_s=-1.0), "late_cost_per_s"),
        (lambda: delivery("a", 1, max_ride_s=5.0), "max_ride_s"),
        (lambda: Shipment("a", (), Visit(0), Visit(1), max_ride_s=-1.0), "max_ride_s"),
        (lambda: delivery("a", 1, other_vehicle_cost=5.0), "preferred_vehicle_ids"),
        (lambda: delivery("a", 1, other_vehicle_cost=math.inf), "other_vehicle_cost"),
        (lambda: van(service_factor=math.nan), "service_factor"),
        (lambda: van(co2_g_per_m=-1.0), "co2_g_per_m"),
        (lambda: van(overtime_cost_per_s=1.0), "overtime_after_s"),
        (lambda: van(overtime_after_s=math.nan), "overtime_after_s"),
        (
            lambda: problem(2, [van()], [delivery("a", 1, preferred_vehicle_ids=frozenset({"x"}), other_vehicle_cost=1.0)]),
            "shipments[0].preferred_vehicle_ids",
        ),
    ],
)
def test_bad_wishes_name_the_field(make: Any, field: str) -> None:
    """Every wrong field is named."""
    with pytest.raises(InvalidProblemError) as caught:
        make()
    assert field in [one.field for one in caught.value.findings]

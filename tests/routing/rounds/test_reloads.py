"""Several trips in one round: the cost of exhaustive search, loads by trip, the validator, and refusals."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from routing.rounds.api import (
    Depot,
    DrivingRules,
    Plan,
    Problem,
    Shipment,
    TimeWindow,
    TravelTimes,
    Vehicle,
    Visit,
    build_plan,
    list_violations,
    solve,
)
from routing.rounds.errors import InfeasiblePlanError, InvalidProblemError
from routing.rounds.plan import PlannedReload
from routing.rounds.ranges import Uncertainty, round_ranges
from routing.rounds.replan import residual
from tests.builders.rounds import DAY, delivery, line_times, problem, random_times, van

LINE = line_times([0, 100, 200, 300])


def _square(rng: np.random.Generator, n: int) -> TravelTimes:
    at = rng.uniform(0, 400, (n, 2))
    metres = np.rint(np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1]))
    return TravelTimes.static(metres, metres)


def _random(rng: np.random.Generator, n: int, *, pairs: bool = False, pickups: bool = False) -> Problem:
    """Two depots, one or two vehicles that reload at the first or at both; loads that need several trips."""
    orders = []
    for k in range(n):
        start = int(rng.integers(0, 2500))
        window = (TimeWindow(start, start + int(rng.integers(600, 3000))),) if rng.random() < 0.4 else ()
        visit, load = Visit(k + 2, int(rng.integers(0, 30)), window), (int(rng.integers(1, 4)),)
        if pairs and k == 0:
            orders.append(Shipment("pair", load, Visit(n + 2, 10), visit))
        elif pickups and rng.random() < 0.4:
            orders.append(Shipment(f"o{k}", load, pickup=visit))
        else:
            orders.append(Shipment(f"o{k}", load, delivery=visit))
    depots = (Depot("home", 0, TimeWindow(0, 9000)), Depot("hub", 1, TimeWindow(int(rng.integers(0, 1500)), 6000)))
    fleet = [
        Vehicle(
            f"v{r}", 0, 0, (int(rng.integers(3, 6)),), TimeWindow(0, 9000), fixed_cost=float(rng.integers(0, 300)),
            cost_per_s=0.0, cost_per_m=1.0, max_reloads=int(rng.integers(1, 3)),
            reload_depot_idxs=(0, 1) if rng.random() < 0.5 else (),
            reload_s=float(rng.integers(0, 60)),
        )
        for r in range(int(rng.integers(1, 3)))
    ]  # fmt: skip
    return Problem(n + 3, depots, tuple(fleet), tuple(orders))


def _least_cost(asked: Problem, times: TravelTimes) -> float:
    """Every assignment of orders to vehicles or to none, every order of visits and every choice of reloads."""
    n = len(asked.shipments)
    own = [
        {mask: _cheapest(asked, times, r, [s for s in range(n) if mask >> s & 1]) for mask in range(1 << n)}
        for r in range(len(asked.vehicles))
    ]
    best = math.inf
    for assigned in itertools.product(range(-1, len(asked.vehicles)), repeat=n):
        cost = sum(asked.shipments[s].penalty for s, r in enumerate(assigned) if r < 0)
        cost += sum(own[r][sum(1 << s for s, one in enumerate(assigned) if one == r)] for r in range(len(own)))
        best = min(best, cost)
    return best


def _cheapest(asked: Problem, times: TravelTimes, r: int, orders: list[int]) -> float:
    if not orders:
        return 0.0
    vehicle, best = asked.vehicles[r], math.inf
    visits = [v for v, (s, _) in enumerate(asked.visits) if s in orders]
    for order in itertools.permutations(visits):
        if any(
            asked.visits[v][1] and v - 1 in order[k:] and asked.visits[v - 1][0] == asked.visits[v][0]
            for k, v in enumerate(order)
        ):
            continue
        gaps = range(1, len(order))
        for count in range(vehicle.max_reloads + 1):
            for where in itertools.combinations(gaps, count):
                for depots in itertools.product(vehicle.reload_depots, repeat=count):
                    best = min(best, _simulated(asked, times, r, order, dict(zip(where, depots, strict=True))))
    return best


def _simulated(asked: Problem, times: TravelTimes, r: int, order: tuple[int, ...], reloads: dict[int, int]) -> float:
    """Cost of a round that leaves as early as possible; inf = it breaks something."""
    vehicle, now, at = asked.vehicles[r], 0.0, 0
    metres, riding, back = 0.0, 0, 0  # pairs on board, and goods for a depot

    def ahead(k: int) -> int:
        total = 0
        for m in range(k, len(order)):
            if m > k and m in reloads:
                break
            s, is_delivery = asked.visits[order[m]]
            total += asked.shipments[s].load[0] if is_delivery and asked.shipments[s].pickup is None else 0
        return total

    out, most = ahead(0), ahead(0)
    for k, v in enumerate(order):
        if k in reloads:
            depot = asked.depots[reloads[k]]
            now = max(times.arrival_s(0, at, depot.location_idx, now), depot.window.start_s)
            metres += times.length_m(0, at, depot.location_idx)
            if now > depot.window.end_s:
                return math.inf
            now, at, back, out = now + vehicle.reload_s, depot.location_idx, 0, ahead(k)
            most = max(most, out + riding)
        s, is_delivery = asked.visits[v]
        visit, load = asked.visit(v), asked.shipments[s].load[0]
        now, metres = times.arrival_s(0, at, visit.location_idx, now), metres + times.length_m(0, at, visit.location_idx)
        for window in visit.windows:
            now = max(now, window.start_s) if now <= window.end_s else math.inf
        now, at = now + visit.service_s, visit.location_idx
        paired = asked.shipments[s].pickup is not None and asked.shipments[s].delivery is not None
        riding += (-load if is_delivery else load) if paired else 0
        out -= load if is_delivery and not paired else 0
        back += load if not is_delivery and not paired else 0
        most = max(most, riding + out + back)
    now, metres = times.arrival_s(0, at, 0, now), metres + times.length_m(0, at, 0)
    return vehicle.fixed_cost + metres if now <= vehicle.shift.end_s and most <= vehicle.capacity[0] else math.inf


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", [{}, {"pairs": True}, {"pickups": True}])
def test_optimal_on_tiny_random_problems(kind: dict[str, bool], seed: int) -> None:
    """The better of two searches costs what trying everything costs (one in sixty ends in a local optimum); all are valid."""
    rng = np.random.default_rng(seed)
    asked = _random(rng, 4 if kind else 5, **kind)
    times = _square(rng, asked.location_count)
    plans = [solve(asked, times, iterations=2000, seed=k) for k in range(2)]
    assert not any(list_violations(asked, times, plan) for plan in plans)
    assert min(plan.cost for plan in plans) == pytest.approx(_least_cost(asked, times))


@pytest.mark.parametrize("seed", range(4))
def test_plans_under_traffic_with_rests_pass(seed: int) -> None:
    """Time-dependent times, costs of time, rests by the time driven: whatever the search makes is feasible."""
    rng = np.random.default_rng(seed)
    asked, times = _random(rng, 6, pickups=True), random_times(rng, 9)
    rules = DrivingRules(900.0, 45.0, (15.0, 30.0), None)
    fleet = tuple(replace(one, cost_per_s=1.0, driving_rules=rules) for one in asked.vehicles)
    asked = replace(asked, vehicles=fleet)
    plan = solve(asked, times, iterations=30)
    assert list_violations(asked, times, plan) == []
    assert plan.rounds


def test_one_van_in_three_trips() -> None:
    """Three loads for one van that takes one: it comes back twice, in twenty seconds each; without reloads two stay."""
    orders = [delivery(f"o{k}", k + 1, None, 5, load=(4,)) for k in range(3)]
    asked = problem(4, [van("v", 4, max_reloads=2, reload_s=20.0)], orders)
    plan = solve(asked, LINE, iterations=50)
    one = plan.rounds[0]
    assert [isinstance(halt, PlannedReload) for halt in one.halts] == [False, True, False, True, False]
    assert one.duration_s == pytest.approx(2 * (100 + 200 + 300) + 3 * 5 + 2 * 20)
    assert [halt.load_after for halt in one.halts] == [(0,), (4,), (0,), (4,), (0,)]
    assert one.load_start == (4,)
    assert len(solve(problem(4, [van("v", 4)], orders), LINE, iterations=10).unserved) == 2
    ranges = round_ranges(asked, one, Uncertainty(0.0, 0.0))
    assert ranges.arrival_s[0].tolist() == pytest.approx([stop.arrival_s for stop in one.stops])


def test_a_pair_stays_on_board_at_the_depot() -> None:
    """A pair may ride across a reload, and counts then on both trips."""
    asked = problem(
        4, [van("v", 4, max_reloads=1)], [Shipment("p", (2,), Visit(1), Visit(3)), delivery("d", 2, None, 0, load=(3,))]
    )
    first = len(asked.visits)
    with pytest.raises(InfeasiblePlanError, match="load dimension 0"):
        build_plan(asked, LINE, [[0, first, 2, 1]])
    light = replace(asked, vehicles=(replace(asked.vehicles[0], capacity=(5,)),))
    plan = build_plan(light, LINE, [[0, first, 2, 1]])
    assert [halt.load_after for halt in plan.rounds[0].halts] == [(2,), (5,), (2,), (0,)]


ASKED = problem(
    4, [van("v", 4, max_reloads=2, reload_s=20.0)], [delivery(f"o{k}", k + 1, None, 5, load=(4,)) for k in range(2)]
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """One van comes back to load once."""
    return build_plan(ASKED, LINE, [[0, 2, 1]])


def test_routes_hold_the_reloads(plan: Plan) -> None:
    """What is planned again, or checked again, comes back to load where it did."""
    assert plan.routes() == plan.routes_by_vehicle(len(ASKED.vehicles)) == [[0, 2, 1]]
    assert build_plan(ASKED, LINE, plan.routes()) == plan


def _changed(plan: Plan, **values: Any) -> Plan:
    one = plan.rounds[0]
    reload = one.stops[1].reload
    assert reload is not None
    stop = replace(one.stops[1], reload=replace(reload, **values) if values else None)
    return replace(plan, rounds=(replace(one, stops=(one.stops[0], stop)),))


def test_the_validator_finds_every_breach(plan: Plan) -> None:
    """Reloads left out, too short, too often, elsewhere, of another vehicle, at another time, with other loads."""
    assert list_violations(ASKED, LINE, plan) == []
    once = replace(ASKED, vehicles=(replace(ASKED.vehicles[0], max_reloads=0, reload_s=0.0),))
    shut = replace(ASKED, depots=(replace(ASKED.depots[0], window=TimeWindow(0, 150)),))
    for asked, told, message in (
        (ASKED, _changed(plan), "load dimension 0"),
        (ASKED, _changed(plan, departure_s=209.0), "reload: lasts"),
        (ASKED, _changed(plan, arrival_s=1.0), "reload: says it is reached"),
        (ASKED, _changed(plan, start_s=1.0), "before the vehicle is ready"),
        (ASKED, _changed(plan, location_idx=3), "the depot at"),
        (ASKED, _changed(plan, visit_idx=9), "no reload of this vehicle"),
        (ASKED, _changed(plan, load_after=(9,)), "other loads"),
        (shut, plan, "shut"),
        (once, plan, "reload"),
    ):
        found = list_violations(asked, LINE, told)
        assert any(message in text for text in found), (message, found)


def test_changes_while_driven_are_refused_by_name(plan: Plan) -> None:
    """What is on board cannot be told from what is loaded later."""
    with pytest.raises(InvalidProblemError) as caught:
        residual(ASKED, plan, 50.0)
    assert caught.value.findings[0].field == "vehicles[0].max_reloads"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"max_reloads": -1}, "max_reloads"),
        ({"reload_s": 5.0}, "max_reloads"),
        ({"max_reloads": 1, "reload_s": math.nan}, "reload_s"),
    ],
)
def test_bad_reloads_are_named(values: dict[str, Any], field: str) -> None:
    """Every wrong number is refused by its field."""
    with pytest.raises(InvalidProblemError) as caught:
        van(**values)
    assert caught.value.findings[0].field == field


def test_an_unknown_depot_is_named() -> None:
    """Depots are looked up."""
    with pytest.raises(InvalidProblemError) as caught:
        problem(2, [van(max_reloads=1, reload_depot_idxs=(7,))], [delivery("a", 1)], DAY)
    assert caught.value.findings[0].field == "vehicles[0].reload_depot_idxs[0]"

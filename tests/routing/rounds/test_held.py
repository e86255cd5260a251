"""Vehicles whose time at the wheel costs more than their time: they hold where driving later is quicker."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.kernels.rounds_refresh import refresh
from routing.rounds.api import Break, Plan, Problem, TimeWindow, TravelTimes, build_plan, solve
from routing.rounds.arrays import build_arrays
from routing.rounds.replan import merge, repair, residual
from routing.rounds.search import Search
from routing.rounds.validate import list_violations
from tests.builders.rounds import delivery, line_times, problem, random_problem, random_times, van

STEP_S = 10
SHIFT = TimeWindow(0, 3000)


def rush_hour(n: int = 3) -> TravelTimes:
    """Places 100 s apart; between 600 and 1200 s every way takes four times as long."""
    quick = np.full((n, n), 100) - 100 * np.eye(n, dtype=int)
    return TravelTimes.slots([0, 590, 600, 1190, 1200], np.stack([quick, quick, 4 * quick, 4 * quick, quick]))


def least_cost(one: Problem, times: TravelTimes, route: Sequence[int]) -> float:
    """Cost of the time of a round, every departure at a multiple of `STEP_S`: by trying all of them, from the end backwards."""
    vehicle, clock = one.vehicles[0], range(0, int(SHIFT.end_s) + 1, STEP_S)
    wait, drive = vehicle.cost_per_s, vehicle.cost_per_s + vehicle.cost_per_driving_s
    places = [0, *(one.visit(v).location_idx for v in route), 0]
    rest = dict.fromkeys(clock, 0.0)
    for k in range(len(route), -1, -1):
        now: dict[int, float] = {}
        for t in reversed(clock):
            arrived = times.arrival_s(0, places[k], places[k + 1], t)
            done = arrived
            if k < len(route):
                visit = one.visit(route[k])
                window = visit.windows[0] if visit.windows else SHIFT
                done = max(arrived, window.start_s) + visit.service_s if arrived <= window.end_s else np.inf
            leaves = np.ceil(done / STEP_S - 1e-9) * STEP_S if np.isfinite(done) else np.inf
            at_once = (
                drive * (arrived - t) + wait * (leaves - arrived) + rest.get(int(leaves), np.inf) if leaves < np.inf else np.inf
            )
            if k == len(route):
                at_once = drive * (arrived - t) if arrived <= SHIFT.end_s else np.inf
            now[t] = min(at_once, now.get(t + STEP_S, np.inf) + wait * STEP_S)
        rest = now
    return min(rest.values())


def drawn(seed: int, n: int, waiting: float) -> tuple[Problem, TravelTimes]:
    """One roomy vehicle that pays for driving and a share of it for all time."""
    rng = np.random.default_rng(seed)
    one = random_problem(rng, n, 1)
    roomy = replace(
        one.vehicles[0], capacity=(100,), fixed_cost=0.0, cost_per_m=0.0, cost_per_s=waiting, cost_per_driving_s=1.0
    )
    return replace(one, vehicles=(roomy,)), random_times(rng, n + 1)


def time_cost(plan: Plan, one: Problem) -> float:
    """What the time of a plan costs."""
    vehicle = one.vehicles[0]
    return vehicle.cost_per_s * plan.duration_s + vehicle.cost_per_driving_s * sum(r.driving_s for r in plan.rounds)


def test_a_van_holds_until_the_rush_hour_is_over() -> None:
    """Served at 500 with the way home in the rush hour: it stands until 1200. Where standing is dear it drives at once."""
    one = problem(2, [van(shift=SHIFT, cost_per_s=0.05, cost_per_driving_s=1.0)], [delivery("a", 1, (300, 500), service=150)])
    late = replace(one, shipments=(delivery("a", 1, (480, 500), service=150),))
    plan = build_plan(late, rush_hour(2), [[0]])
    (stop,) = plan.rounds[0].stops
    assert stop.left_s == pytest.approx(1200, abs=1.0)
    assert stop.held_s == pytest.approx(1200 - stop.departure_s, abs=1.0)
    assert plan.rounds[0].driving_s == pytest.approx(200, abs=1.0)
    dear = replace(late, vehicles=(replace(late.vehicles[0], cost_per_s=3.0),))
    assert build_plan(dear, rush_hour(2), [[0]]).rounds[0].stops[0].held_s == 0.0
    assert build_plan(one, rush_hour(2), [[0]]).rounds[0].stops[0].held_s == 0.0  # served before the rush hour begins


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), waiting=st.sampled_from([0.0, 0.05, 0.3, 1.0]))
def test_schedules_are_as_cheap_as_trying_all_departures(seed: int, waiting: float) -> None:
    """Orders of stops drawn at random: about as cheap as the best departures every ten seconds, and valid."""
    one, times = drawn(seed, 4, waiting)
    for route in list(permutations(range(4)))[:: max(1, seed % 7)]:
        least = least_cost(one, times, route)
        if not np.isfinite(least):
            continue
        plan = build_plan(one, times, [list(route)])
        assert list_violations(one, times, plan) == []
        assert time_cost(plan, one) <= least * 1.01 + 2.0


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), waiting=st.sampled_from([0.0, 0.1, 0.5]))
def test_search_finds_the_cheapest_order(seed: int, waiting: float) -> None:
    """As cheap as the cheapest of all orders of five stops, each with its best departures."""
    one, times = drawn(seed, 5, waiting)
    costs = [least_cost(one, times, route) for route in permutations(range(5))]
    if not np.isfinite(min(costs)):
        return
    plan = solve(one, times, iterations=400, seed=1)
    assert not plan.unserved
    assert time_cost(plan, one) <= min(costs) * 1.02 + 4.0


@given(seed=st.integers(0, 2**31))
def test_costs_by_time_are_kept_up_to_date(seed: int) -> None:
    """After many changes what is kept of every round is what would be computed from nothing."""
    rng = np.random.default_rng(seed)
    one = random_problem(rng, 8, 3)
    one = replace(one, vehicles=tuple(replace(v, cost_per_driving_s=1.0, cost_per_s=0.1) for v in one.vehicles))
    times = random_times(rng, 9)
    search = Search(build_arrays(one, times), times.arrays, seed % 1000)
    search.insert_all(range(8))
    for _ in search.improve(60, lambda: 0.0):
        pass
    for r in range(3):
        if refresh(search.problem, times.arrays, search.state, r):
            kept = [search.state.held_before.copy(), search.state.held_after.copy(), search.state.held_start[r].copy()]
            cost = float(search.state.rounds[r].cost)
            search.state.held_marks[:] = 0
            refresh(search.problem, times.arrays, search.state, r)
            there = search.state.routes[r, : search.state.rounds[r].length]
            np.testing.assert_array_equal(kept[0][there], search.state.held_before[there])
            np.testing.assert_array_equal(kept[1][there], search.state.held_after[there])
            np.testing.assert_array_equal(kept[2], search.state.held_start[r])
            assert cost == float(search.state.rounds[r].cost)


def test_windows_narrower_than_the_grid_are_kept() -> None:
    """Twelve hours of shift, stops that follow each other by the second: all are served, in rounds that time nothing else."""
    quick = np.abs(np.subtract.outer(np.arange(4), np.arange(4))) * 50
    times = TravelTimes.slots([0, 20_000, 20_010, 30_000, 30_010], np.stack([quick, quick, 3 * quick, 3 * quick, quick]))
    day = TimeWindow(0, 43_200)
    stops = [delivery(f"o{k}", k, (500 + 60 * k, 501 + 60 * k), service=10) for k in (1, 2, 3)]
    one = problem(4, [van(shift=day, cost_per_s=0.05, cost_per_driving_s=1.0)], stops, day)
    plan = solve(one, times, iterations=50)
    assert not plan.unserved
    assert plan.rounds[0].driving_s == pytest.approx(300)


def test_nobody_holds_without_traffic_or_under_other_rules() -> None:
    """Times that do not change: driving is priced, nothing is held. With breaks too, and the plan still says its true cost."""
    one = problem(3, [van(cost_per_s=0.0, cost_per_driving_s=2.0)], [delivery("a", 1), delivery("b", 2)])
    plan = solve(one, line_times([0, 100, 250]), iterations=20)
    assert plan.cost == pytest.approx(1000)
    rested = van(shift=SHIFT, cost_per_s=0.05, cost_per_driving_s=1.0, breaks=(Break(0, 2000, 60),))
    two = problem(2, [rested], [delivery("a", 1, (480, 500), service=150)])
    held = solve(two, rush_hour(2), iterations=20)
    assert held.rounds[0].stops[0].held_s == 0.0
    assert held.cost == pytest.approx(0.05 * held.duration_s + held.rounds[0].driving_s)


@pytest.mark.parametrize("now_s", [640.0, 900.0])
def test_a_plan_that_is_cut_while_a_van_holds_says_what_it_does(now_s: float) -> None:
    """At a new order the van still waits for the end of the rush hour; the joined plan passes the validator, cost and all."""
    vehicle = van(shift=SHIFT, cost_per_s=0.05, cost_per_driving_s=1.0)
    orders = [delivery("a", 1, (480, 500), service=120), delivery("b", 2, (0, 2900))]
    asked = replace(problem(3, [vehicle], orders), shipments=tuple(orders))
    plan = build_plan(asked, rush_hour(3), [[0, 1]])
    assert plan.rounds[0].stops[0].left_s == pytest.approx(1200, abs=1.0)
    rest = residual(asked, plan, now_s)
    after, moved = repair(rest, rush_hour(3))
    whole = merge(asked, rush_hour(3), plan, rest, after)
    assert not moved
    assert list_violations(asked, rush_hour(3), whole) == []
    assert whole.cost <= plan.cost + 1.0


def test_a_hold_that_is_none_is_found_out() -> None:
    """The validator times every way by when the stop is really left."""
    one = problem(2, [van(shift=SHIFT, cost_per_s=0.05, cost_per_driving_s=1.0)], [delivery("a", 1, (480, 500), service=150)])
    plan = build_plan(one, rush_hour(2), [[0]])
    (stop,) = plan.rounds[0].stops
    forged = replace(plan, rounds=(replace(plan.rounds[0], stops=(replace(stop, held_s=0.0),)),))
    assert any("ends at" in text for text in list_violations(one, rush_hour(2), forged))
    assert any("is held for -1" in t for t in list_violations(
        one, rush_hour(2), replace(plan, rounds=(replace(plan.rounds[0], stops=(replace(stop, held_s=-1.0),)),))
    ))  # fmt: skip

"""The lean kernels of fixed travel times: what they keep of a round is what timing it anew says, and plans are as good."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.kernels.rounds_fixed import Fixed, Links, empty_links, link
from routing.kernels.rounds_fixed_cross import cross
from routing.kernels.rounds_fixed_places import any_place, put_at
from routing.rounds.api import Break, Problem, Shipment, TimeWindow, TravelTimes, Visit, build_plan, list_violations, solve
from routing.rounds.arrays import build_arrays
from routing.rounds.errors import InfeasiblePlanError
from routing.rounds.fixed import FixedAnnealing, build_fixed
from routing.rounds.search import Annealing, Search, anneal, random_state
from tests.builders.rounds import delivery, line_times, problem, random_problem, van
from tests.routing.rounds.reference import optimal_cost

SEEDS = st.integers(0, 2**31)
LINE = line_times([0, 100, 200])


def _drawn(rng: np.random.Generator, n: int, vehicles: int, mixed: bool = False) -> tuple[Problem, TravelTimes]:
    """Vehicles with and without an end, with and without limits, paid by the hour or by the metre; one-way streets.

    If `mixed`, a third are deliveries, a third pickups, and a third pairs; else all are deliveries.
    """
    asked = random_problem(rng, n, vehicles)
    fleet = []
    for one in asked.vehicles:
        more = [
            {"cost_per_s": 0.0, "cost_per_m": 1.0},
            {"max_duration_s": 1500.0},
            {"max_length_m": 1200.0, "max_stops": 3},
            {"overtime_after_s": 600.0, "overtime_cost_per_s": 2.0, "balance_cost_per_s2": 0.001},
        ][int(rng.integers(4))]
        fleet.append(replace(one, end_depot_idx=0 if rng.random() < 0.7 else None, fixed_cost=100.0, **more))  # type: ignore[arg-type]
    shipments = [replace(s, prize=float(rng.integers(50, 900))) if rng.random() < 0.3 else s for s in asked.shipments]
    for k in range(n if mixed else 0):
        there, back = shipments[k].delivery, shipments[(k + 1) % n].delivery
        if kind := int(rng.integers(3)):
            shipments[k] = replace(shipments[k], pickup=there, delivery=back if kind == 2 else None)
    at = rng.uniform(0, 400, (n + 1, 2))
    metres = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    seconds = metres * rng.uniform(0.8, 1.6, metres.shape)
    return Problem(n + 1, asked.depots, tuple(fleet), tuple(shipments)), TravelTimes.static(seconds, metres)


def _fixed(asked: Problem, times: TravelTimes) -> Fixed:
    fixed = build_fixed(build_arrays(asked, times), times.arrays)
    assert fixed is not None
    return fixed


def _routes(fixed: Fixed, links: Links) -> list[list[int]]:
    m, routes = len(fixed.penalty), []
    for r in range(len(fixed.vehicles)):
        route, v = [], int(links.after[m + r])
        while v < m:
            route.append(v)
            v = int(links.after[v])
        routes.append(route)
    return routes


@pytest.mark.parametrize("mixed", [False, True])
@given(seed=SEEDS)
def test_what_is_passed_on_is_what_timing_anew_says(mixed: bool, seed: int) -> None:
    """Orders are put in one by one where it costs least; the estimate is the change of cost, the rest as timed anew."""
    rng = np.random.default_rng(seed)
    asked, times = _drawn(rng, 12, 3, mixed)
    fixed = _fixed(asked, times)
    links, anew = empty_links(fixed), empty_links(fixed)
    for v in rng.permutation(np.flatnonzero(fixed.leads)):
        cost, r, i, then = any_place(fixed, links, int(v))
        if r < 0:
            continue
        before = links.cost.sum()
        put_at(fixed, links, r, int(v), i, then)
        assert links.cost.sum() - before == pytest.approx(cost, abs=1e-6)
        for q, route in enumerate(_routes(fixed, links)):
            assert link(fixed, anew, q, np.array(route, np.int32))
        for name, one in links._asdict().items():
            if fixed.timed or name not in ("head_s", "last_s", "tail_s", "first_s"):
                np.testing.assert_allclose(one, getattr(anew, name), atol=1e-6, err_msg=name)


@pytest.mark.parametrize("mixed", [False, True])
@given(seed=SEEDS)
def test_the_cheapest_place_of_all_is_found(mixed: bool, seed: int) -> None:
    """Against every place linked anew: the same least cost, or none where all are infeasible."""
    rng = np.random.default_rng(seed)
    asked, times = _drawn(rng, 7, 1, mixed)
    fixed = _fixed(asked, times)
    links, anew = empty_links(fixed), empty_links(fixed)
    for lead in rng.permutation(np.flatnonzero(fixed.leads)):
        v, w = int(lead), int(fixed.mate[lead])
        route = _routes(fixed, links)[0]
        singles = [[*route[:k], v, *route[k:]] for k in range(len(route) + 1)]
        longer = (
            singles if w < 0 else [[*one[:k], w, *one[k:]] for one in singles for k in range(one.index(v) + 1, len(one) + 1)]
        )
        costs = [float(anew.cost[0]) for one in longer if link(fixed, anew, 0, np.array(one, np.int32))]
        cost, r, i, then = any_place(fixed, links, v)
        least = min((one for one in costs if one < np.inf), default=np.inf)
        if r >= 0:
            assert links.cost[0] + cost == pytest.approx(least, abs=1e-6)
            put_at(fixed, links, r, v, i, then)
        else:
            assert least == np.inf


@pytest.mark.parametrize("mixed", [False, True])
@given(seed=SEEDS)
def test_rounds_cost_and_hold_what_exact_plans_say(mixed: bool, seed: int) -> None:
    """Any order of visits: feasible here exactly where the validator lets the plan out, at the same cost."""
    rng = np.random.default_rng(seed)
    asked, times = _drawn(rng, 4, 1, mixed)
    fixed = _fixed(asked, times)
    m = len(fixed.penalty)
    links, taken = empty_links(fixed), rng.permutation(np.flatnonzero(fixed.leads))[: rng.integers(1, 5)]
    route = [int(v) for v in rng.permutation(m) if v in taken or fixed.mate[v] in taken]
    for v in taken:
        w = int(fixed.mate[v])
        if w >= 0 and route.index(w) < route.index(int(v)):
            i, j = route.index(w), route.index(int(v))
            route[i], route[j] = route[j], route[i]
    fits = link(fixed, links, 0, np.array(route, np.int32))
    try:
        plan = build_plan(asked, times, [route])
    except InfeasiblePlanError:
        assert not fits
        return
    assert fits
    absent = sum(float(fixed.penalty[v]) for v in range(m) if v not in route)
    assert links.cost[0] == pytest.approx(plan.cost - absent, abs=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_optimal_on_tiny_problems(seed: int) -> None:
    """The cost of exhaustive search, by metres, with an order that need not be served."""
    rng = np.random.default_rng(seed)
    asked = random_problem(rng, 5, 2)
    vehicles = tuple(replace(one, cost_per_s=0.0, cost_per_m=1.0) for one in asked.vehicles)
    shipments = (replace(asked.shipments[0], prize=300.0), *asked.shipments[1:])
    asked = Problem(asked.location_count, asked.depots, vehicles, shipments)
    at = rng.uniform(0, 400, (6, 2))
    metres = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    times = TravelTimes.static(metres, metres)
    assert solve(asked, times, iterations=1000).cost == pytest.approx(optimal_cost(asked, times))


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_plans_are_valid_repeatable_and_as_good_as_those_of_the_general_kernels(seed: int, mixed: bool) -> None:
    """The same 40 orders by both: the cost told is that of the plan, which is no more than 3 % dearer."""
    rng = np.random.default_rng(seed)
    asked, times = _drawn(rng, 40, 12, mixed)
    arrays = build_arrays(asked, times)
    costs = []
    for lean in (True, True, False):
        search = Search(arrays, times.arrays, seed)
        search.insert_all(search.absent())
        annealing = anneal(search, arrays) if lean else Annealing(search, arrays)
        assert isinstance(annealing, FixedAnnealing) == lean
        for k in range(40):
            annealing.run(150, annealing.scale * 0.8**k, 1.0)
        plan = build_plan(asked, times, annealing.routes())
        assert list_violations(asked, times, plan) == []
        assert plan.cost == pytest.approx(annealing.cost)
        present = {asked.visits[v][0] for route in annealing.present() for v in route}
        assert sorted(annealing.absent()) == sorted(set(range(40)) - present)
        costs.append(plan.cost)
    assert costs[0] == costs[1]
    assert costs[0] <= 1.03 * costs[2]


def test_problems_it_does_not_know_are_left_to_the_general_kernels() -> None:
    """One for each kind of thing that the lean kernels do not look at."""
    plain = problem(3, [van()], [delivery("a", 1), delivery("b", 2)])
    assert build_fixed(build_arrays(plain, LINE), LINE.arrays) is not None
    open_twice = Visit(1, 0, (TimeWindow(0, 100), TimeWindow(200, 300)))
    others = [
        replace(plain, vehicles=(van(breaks=(Break(0, 500, 10),)),)),
        replace(plain, vehicles=(van(max_reloads=1, reload_depot_idxs=(0,)),)),
        replace(plain, shipments=(Shipment("a", (1,), delivery=open_twice),)),
        replace(plain, shipments=(Shipment("a", (1,), Visit(1), Visit(2), max_ride_s=500),)),
        replace(plain, shipments=(Shipment("a", (1,), delivery=Visit(1, due_s=5, late_cost_per_s=1.0)),)),
        replace(plain, shipments=(replace(delivery("a", 1), apart="x"), replace(delivery("b", 2), apart="x"))),
    ]
    for one in others:
        assert build_fixed(build_arrays(one, LINE), LINE.arrays) is None
    times = TravelTimes.slots([0, 500], [np.full((3, 3), 5), np.full((3, 3), 9)])
    assert build_fixed(build_arrays(plain, times), times.arrays) is None
    for pickups, mixed in (([], False), ([Shipment("b", (1,), Visit(2))], False), ([delivery("b", 2)], True)):
        fixed = build_fixed(
            build_arrays(replace(plain, shipments=(Shipment("a", (1,), Visit(1)), *pickups)), LINE), LINE.arrays
        )
        assert fixed is not None
        assert fixed.mixed == mixed


def test_a_dissolved_round_comes_back_in_others() -> None:
    """Its visits are left out, then served by the other vehicle."""
    asked = problem(3, [van("v"), van("w")], [delivery("a", 1), delivery("b", 2)])
    arrays = build_arrays(asked, LINE)
    search = Search(arrays, LINE.arrays, 0)
    search.load([[0], [1]])
    annealing = anneal(search, arrays)
    annealing.dissolve(1)
    assert annealing.absent() == [1]
    annealing.run(50, 1.0, 1.0)
    assert annealing.absent() == []
    assert sorted(len(route) for route in annealing.routes()) == [0, 2]


def _tails_swapped(routes: list[list[int]]) -> list[list[list[int]]]:
    """All plans in which the tails of two rounds have changed places."""
    answer = []
    for r, q in itertools.combinations(range(len(routes)), 2):
        for i, j in itertools.product(range(len(routes[r]) + 1), range(len(routes[q]) + 1)):
            plan = list(routes)
            plan[r], plan[q] = routes[r][:i] + routes[q][j:], routes[q][:j] + routes[r][i:]
            answer.append(plan)
    return answer


@pytest.mark.parametrize("timed", [False, True])
@given(seed=SEEDS)
def test_tails_change_places_until_no_swap_of_two_saves_anything(timed: bool, seed: int) -> None:
    """Against all swaps, each linked anew; on the way nothing is lost, rounds stay feasible and costs fall."""
    rng = np.random.default_rng(seed)
    asked, times = _drawn(rng, 12, 1)
    more = {"max_duration_s": 1500.0, "balance_cost_per_s2": 0.001} if timed else {"cost_per_s": 0.0, "cost_per_m": 1.0}
    more |= {"max_length_m": None, "max_stops": None}
    fleet = tuple(replace(asked.vehicles[0], id=f"v{k}", **more) for k in range(4))  # type: ignore[arg-type]
    asked = Problem(asked.location_count, asked.depots, fleet, asked.shipments)
    fixed = _fixed(asked, times)
    links, backup, anew = empty_links(fixed), empty_links(fixed), empty_links(fixed)
    for v in range(12):
        _, r, i, then = any_place(fixed, links, v)
        if r >= 0:
            put_at(fixed, links, r, v, i, then)
    near = np.array([[w for w in range(12) if w != v] for v in range(12)], np.int32)
    served, drawn, touched = sorted(itertools.chain(*_routes(fixed, links))), random_state(seed), np.zeros(4, np.bool_)
    idle = 0
    while idle < 200:
        before = links.cost.sum()
        idle = 0 if cross(fixed, links, backup, near, 11, 1e-9, drawn, touched) else idle + 1
        assert links.cost.sum() <= before + 1e-6
    routes = _routes(fixed, links)
    assert sorted(itertools.chain(*routes)) == served
    for plan in [routes, *_tails_swapped(routes)]:
        feasible = sum(link(fixed, anew, r, np.array(route, np.int32)) for r, route in enumerate(plan)) == 4
        assert not feasible or anew.cost.sum() >= links.cost.sum() - 1e-4
    np.testing.assert_array_equal(links.route_of >= 0, np.isin(np.arange(12), served))

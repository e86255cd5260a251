"""Plans improved for a moment while they are driven: never worse, never against what is frozen, moves at their price."""

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from routing.rounds.api import Plan, Problem, TravelTimes, build_plan
from routing.rounds.live import LivePlan
from routing.rounds.polish import polish, visits_of, whole_routes
from routing.rounds.replan import Residual, residual
from routing.rounds.stability import Stability
from tests.builders.rounds import delivery, line_times, problem, random_problem, random_times, van

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def _badly_planned(seed: int) -> tuple[Problem, TravelTimes, Plan]:
    """A drawn problem whose orders are served as they come, as far as that is feasible."""
    rng = np.random.default_rng(seed)
    times, whole = random_times(rng, 11), random_problem(rng, 10, 3)
    plan = build_plan(whole, times, [[] for _ in whole.vehicles])
    for s in rng.permutation(len(whole.shipments)).tolist():
        v = whole.first_visit(s)
        for r in rng.permutation(len(whole.vehicles)).tolist():
            routes = [[stop.visit_idx for one in plan.rounds if one.vehicle_idx == k for stop in one.stops] for k in range(3)]
            routes[r].append(v)
            try:
                plan = build_plan(whole, times, routes)
                break
            except Exception:
                continue
    return whole, times, plan


def _better(
    whole: Problem, times: TravelTimes, plan: Plan, cut_s: float, stability: Stability, iterations: int = 300
) -> tuple[Residual, dict[int, list[int]], float]:
    rest = residual(whole, plan, cut_s, length_m=times.length_m)
    found = polish(rest, times, stability=stability, iterations=iterations)
    visits = visits_of(rest, whole.visits)
    was, now = whole_routes(rest, rest.routes, visits), whole_routes(rest, found.routes, visits)
    return rest, {r: route for r, route in enumerate(now) if route != was[r]}, found.saved


@settings(max_examples=12, deadline=None, phases=PHASES)
@given(seed=st.integers(0, 10_000), move_cost=st.sampled_from([0.0, 50.0, 1e6]))
def test_a_polished_plan_costs_less_and_keeps_what_is_frozen(seed: int, move_cost: float) -> None:
    """What is taken over passes every check, costs less with its moves, and leaves the frozen stops and their times alone."""
    whole, times, plan = _badly_planned(seed)
    rng, stability = np.random.default_rng(seed), Stability(move_cost)
    now_s = float(rng.integers(-100, 800))
    rest, routes, saved = _better(whole, times, plan, now_s + 50.0, stability)
    live = LivePlan(whole, times, plan, now_s)
    frozen = {r: here.done for r, here in enumerate(live.standing)}
    before = live.plan
    live.advance(now_s + 20.0)
    change = live.adopt(routes, stability) if routes else None
    live.check()
    assert (saved > 0.0) == bool(routes)
    if change is None:
        assert live.plan == before
        return
    gain = before.cost - live.plan.cost
    assert gain == -change.cost_delta
    assert gain > stability.cost(whole, before, live.plan)
    if move_cost == 1e6:
        assert not change.moved or all(s in {one.shipment_idx for one in before.unserved} for s in change.moved)
    for r, done in enumerate(rest.done):
        assert live.rounds[r].stops[: len(done)] == done if done else True
    for r, stops in frozen.items():
        assert live.rounds[r].stops[: len(stops)] == stops if stops else True


def test_better_rounds_are_found_and_taken_over() -> None:
    """Two vans that cross the town for each other's orders exchange them; the same seed finds the same."""
    orders = [delivery(f"o{k}", k, None, 10) for k in range(1, 5)]
    whole = problem(5, [van("one", 4), van("two", 4)], orders)
    times = line_times([0, 100, 200, -100, -200])
    plan = build_plan(whole, times, [[0, 2], [1, 3]])
    _, routes, saved = _better(whole, times, plan, -10.0, Stability())
    assert (routes, saved) == _better(whole, times, plan, -10.0, Stability())[1:]
    assert saved > 0.0
    live = LivePlan(whole, times, plan, -10.0)
    change = live.adopt(routes)
    assert change is not None
    assert live.plan.cost < plan.cost
    assert change.moved
    live.check()
    assert live.adopt(routes) is None, "it saves nothing any more"


def test_a_vehicle_that_set_off_otherwise_refuses_better_rounds() -> None:
    """Once a van drives to its planned stop, rounds that begin with another one are too late."""
    orders = [delivery(f"o{k}", k, None, 10) for k in range(1, 4)]
    whole, times = problem(4, [van("one", 4)], orders), line_times([0, 100, 200, 300])
    plan = build_plan(whole, times, [[1, 0, 2]])
    better = {0: [0, 1, 2]}
    assert build_plan(whole, times, [better[0]]).cost < plan.cost
    assert LivePlan(whole, times, plan, -10.0).adopt(better) is not None
    live = LivePlan(whole, times, plan, plan.rounds[0].departure_s + 5.0)
    before = live.plan
    assert live.adopt(better) is None
    assert live.plan == before
    live.check()


def test_an_order_left_out_is_taken_in_where_there_is_room() -> None:
    """An order that nobody served is served by the improved plan, and no longer listed."""
    whole = problem(3, [van("one", 4)], [delivery("a", 1, None, 10), delivery("b", 2, None, 10)])
    times = line_times([0, 100, 200])
    plan = build_plan(whole, times, [[0]])
    _, routes, _ = _better(whole, times, plan, -10.0, Stability())
    live = LivePlan(whole, times, plan, -10.0)
    change = live.adopt(routes)
    assert change is not None
    assert change.moved == (1,)
    assert live.plan.unserved == ()
    live.check()

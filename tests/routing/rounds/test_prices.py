"""What constraints cost: as much as the cheapest plans with and without them differ."""

import numpy as np
import pytest

from routing.rounds.again import plan_again
from routing.rounds.api import Break, Problem, TimeWindow, list_violations, solve
from routing.rounds.errors import InvalidProblemError
from routing.rounds.prices import CONSTRAINTS, Prices, count_constraints, price_constraints, price_in_words, without
from routing.rounds.replan import residual
from tests.builders.rounds import delivery, line_times, problem, random_problem, random_times, van

LINE = line_times([0, 100, 200, 300, -100])
DAY = TimeWindow(0, 5000)


def _last(asked: Problem, *names: str, iterations: int = 300) -> Prices:
    routes = solve(asked, LINE, iterations=50).routes_by_vehicle(len(asked.vehicles))
    return list(price_constraints(asked, LINE, routes, names, iterations=iterations))[-1]


def test_a_window_costs_the_way_that_it_makes_longer() -> None:
    """Far, near, far again because of windows: 20 minutes, where 10 are enough without."""
    orders = [delivery("a", 3, (0, 300)), delivery("b", 1, (500, 900)), delivery("c", 3, (900, 2000))]
    asked = problem(4, [van(shift=DAY)], orders)
    [price] = _last(asked, "windows").prices
    assert price.count == 3
    assert price.cost == pytest.approx(1200 - 600)
    assert price.duration_s == pytest.approx(600)
    assert price_in_words(price) == "without windows (3): 10 min, cost 600 saved"


def test_locks_cost_vehicles_and_capacities_cost_orders() -> None:
    """Dearest first: orders that are not served count before costs."""
    orders = [delivery("a", 1, vehicle_ids=frozenset({"v"})), delivery("b", 1, vehicle_ids=frozenset({"w"})), delivery("c", 2)]
    asked = problem(3, [van("v", 1, DAY, fixed_cost=50.0), van("w", 1, DAY, fixed_cost=50.0)], orders)
    found = _last(asked)
    assert [(one.constraint, one.served, one.vehicles) for one in found.prices] == [
        ("capacities", 1, 0), ("vehicles", 0, 0), ("shifts", 0, 0)]  # fmt: skip
    roomy = problem(3, [van(name, 5, DAY, fixed_cost=50.0) for name in "vw"], orders[:2])
    prices = {one.constraint: one for one in _last(roomy).prices}
    assert prices["vehicles"].vehicles == 1
    assert prices["vehicles"].cost == pytest.approx(250)
    assert prices["capacities"].cost == 0
    assert price_in_words(prices["capacities"]) == "without capacities (2): nothing is saved"


@pytest.mark.parametrize("seed", range(3))
def test_without_a_constraint_nothing_costs_more(seed: int) -> None:
    """No price is negative, every kind that is there is priced once, and the plan with all constraints stays feasible."""
    rng = np.random.default_rng(seed)
    asked, times = random_problem(rng, 10, 3, breaks=True), random_times(rng, 11)
    plan = solve(asked, times, iterations=20)
    steps = list(price_constraints(asked, times, plan.routes_by_vehicle(len(asked.vehicles)), iterations=60))
    assert {one.constraint for one in steps[-1].prices} == set(count_constraints(asked)) == {
        "windows", "breaks", "shifts", "capacities"}  # fmt: skip
    assert all(one.served > 0 or one.cost >= -1e-6 for one in steps[-1].prices)
    assert steps[0].doing == "with all constraints"
    assert steps[-1].doing == ""
    again = plan_again(asked, times, plan.routes_by_vehicle(len(asked.vehicles)), iterations=30)
    assert list_violations(asked, times, again) == []
    assert again.cost <= plan.cost + 1e-6


def test_every_kind_is_taken_out() -> None:
    """What is counted is gone in the problem without it."""
    asked = problem(
        2,
        [van(breaks=(Break(0, 10, 5),), max_stops=3)],
        [delivery("a", 1, (0, 10), skills=frozenset({"x"}), together="t", apart="p", vehicle_ids=frozenset({"van"}))],
    )
    counts = count_constraints(asked)
    assert set(counts) == set(CONSTRAINTS) - {"dues", "rides", "preferences"}
    for name in counts:
        if name != "shifts":
            assert name not in count_constraints(without(asked, name))


def test_unknown_kinds_are_named() -> None:
    """With the kinds there are."""
    with pytest.raises(InvalidProblemError, match=r"constraints\[1\].*windows"):
        list(price_constraints(problem(1, [van()], []), LINE, [[]], ("windows", "weather")))


def test_time_is_shared_between_the_plans() -> None:
    """With a clock that ticks at every look, all plans come to an end."""
    ticks = iter(range(10**9))
    asked = problem(3, [van(shift=DAY)], [delivery("a", 1, (0, 900)), delivery("b", 2)])
    found = list(price_constraints(asked, LINE, [[0, 1]], time_limit_s=100.0, elapsed_s=lambda: float(next(ticks))))
    assert {one.constraint for one in found[-1].prices} == {"windows", "shifts", "capacities"}


def test_what_has_been_driven_is_no_price() -> None:
    """On the way only the windows to come can be saved on; with nothing left nothing can."""
    times = line_times([0, 100, 200, 300, 100])
    windows = [(0, 110), (1000, 1010), (2000, 2010), (3000, 3010)]
    asked = problem(5, [van()], [delivery(f"o{k}", k + 1, window) for k, window in enumerate(windows)])
    plan = solve(asked, times, iterations=30)
    assert plan.duration_s == pytest.approx(3090)

    def price(now_s: float | None) -> float:
        def cut(one: Problem) -> tuple[Problem, list[list[int]]]:
            rest = residual(one, plan, now_s or 0.0)
            return rest.problem, rest.routes

        steps = price_constraints(
            asked, times, plan.routes_by_vehicle(1), ("windows",), cut=None if now_s is None else cut, iterations=60
        )  # fmt: skip
        [found] = list(steps)[-1].prices
        return found.cost

    assert price(None) == pytest.approx(3090 - 600)
    assert price(1500.0) == pytest.approx(3100 - 2300)
    assert price(3200.0) == 0.0

"""Places for a visit: what may be inserted is exact; what it costs is exact without traffic, not much too little with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.kernels.rounds_places import single_cost
from routing.kernels.rounds_refresh import refresh
from routing.kernels.rounds_route import best_departure
from routing.kernels.rounds_state import set_route
from routing.kernels.rounds_times import arrival, latest_departure
from routing.rounds.api import Break, Problem, TravelTimes, list_violations, solve
from routing.rounds.arrays import build_arrays
from routing.rounds.errors import InvalidProblemError
from routing.rounds.search import Search
from tests.builders.rounds import delivery, line_times, problem, random_problem, random_times, van

SEEDS = st.integers(0, 2**31)


def _speeds(rng: np.random.Generator, n: int) -> TravelTimes:
    at = rng.uniform(0, 400, (n, 2))
    work = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    starts = np.cumsum(rng.uniform(100, 600, 5))
    return TravelTimes.speeds(work, rng.integers(0, 3, (n, n)), starts, rng.uniform(0.3, 3.0, (3, 5)))


def _times(kind: str, rng: np.random.Generator, n: int) -> TravelTimes:
    if kind == "speeds":
        return _speeds(rng, n)
    if kind == "static":
        return TravelTimes.static(_speeds(rng, n).arrays.work)
    return random_times(rng, n)


def _search(asked: Problem, times: TravelTimes) -> Search:
    """All that fits into the first vehicle, one after the other."""
    search = Search(build_arrays(asked, times), times.arrays)
    for s in range(len(asked.shipments) - 2):
        search.insert(s)
    return search


@pytest.mark.parametrize("kind", ["static", "slots", "speeds"])
@given(seed=SEEDS)
def test_inserted_where_it_fits_at_a_cost_that_is_close(kind: str, seed: int) -> None:
    """Against whole rounds timed exactly: feasible in the same places, as dear without traffic where no detour saves time."""
    rng = np.random.default_rng(seed)
    asked, times = random_problem(rng, 8, 1), _times(kind, rng, 9)
    search = _search(asked, times)
    arrays, state = search.problem, search.state
    size = int(state.rounds[0].length)
    route = state.routes[0, :size].copy()
    start, end = best_departure(arrays, times.arrays, 0, route, 1) if size else (0.0, 0.0)
    for v in search.absent():
        for k in range(size + 1):
            longer = np.insert(route, k, v).astype(np.int32)
            leaves, ends = best_departure(arrays, times.arrays, 0, longer, 1)
            cost = single_cost(arrays, times.arrays, state, 0, v, k, np.inf)
            assert np.isfinite(cost) == np.isfinite(ends)
            if np.isfinite(ends):
                exact = (ends - leaves) - (end - start) + (0 if size else arrays.vehicles[0].fixed_cost)
                assert cost >= exact - 0.5 * (ends - leaves)
                if kind == "static" and size:
                    assert cost == pytest.approx(exact, abs=1e-6)


@given(seed=SEEDS)
def test_a_round_is_timed_as_the_search_says(seed: int) -> None:
    """The round the search keeps has the duration of a schedule that exists, close to the shortest."""
    rng = np.random.default_rng(seed)
    asked, times = random_problem(rng, 7, 1), _speeds(rng, 8)
    search = _search(asked, times)
    size = int(search.state.rounds[0].length)
    if size:
        route = search.state.routes[0, :size].copy()
        start, end = best_departure(search.problem, times.arrays, 0, route, 1)
        row = search.state.rounds[0]
        assert end - start - 1e-6 <= row.plain_end_s - row.start_s <= 1.5 * (end - start) + 1.0
        set_route(search.state, 0, route)
        assert refresh(search.problem, times.arrays, search.state, 0)


@given(seed=SEEDS, t=st.floats(-500, 5000))
def test_speeds_by_category_and_period(seed: int, t: float) -> None:
    """Arrivals equal driving period by period, are undone by the latest departure, and nobody overtakes."""
    times = _speeds(np.random.default_rng(seed), 4)
    for i in range(4):
        for j in range(4):
            reached = arrival(times.arrays, 0, i, j, t)
            assert reached == pytest.approx(times.arrival_s(0, i, j, t), abs=1e-6)
            assert latest_departure(times.arrays, 0, i, j, reached) == pytest.approx(t, abs=1e-6)
            assert arrival(times.arrays, 0, i, j, t + 1.0) >= reached
            assert times.mean_s(0, 2000)[0, i, j] <= times.worst_s(0, 2000)[0, i, j] + 1e-9


@pytest.mark.parametrize(
    ("category", "starts", "speed", "field"),
    [
        ([[0, 0], [0, 0]], [0, 10], [[1.0, 0.0]], "speed"),
        ([[0, 0], [0, 0]], [10, 10], [[1.0, 1.0]], "period_start_s"),
        ([[0, 1], [0, 0]], [0, 10], [[1.0, 1.0]], "category"),
        ([[0, 0]], [0, 10], [[1.0, 1.0]], "category"),
        ([[0, 0], [0, 0]], [0], [[1.0, 1.0]], "speed"),
    ],
)
def test_bad_speeds_are_named(category: list[list[int]], starts: list[float], speed: list[list[float]], field: str) -> None:
    """Each wrong input names its field."""
    with pytest.raises(InvalidProblemError) as caught:
        TravelTimes.speeds([[0.0, 5.0], [5.0, 0.0]], category, starts, speed)
    assert caught.value.findings[0].field == field


def test_vehicles_alike_are_of_one_kind() -> None:
    """Vehicles that differ in capacity or in who may ride are different kinds; their names do not matter."""
    times = random_times(np.random.default_rng(1), 2)
    arrays = build_arrays(problem(2, [van("a"), van("b"), van("c", 3)], []), times)
    assert arrays.vehicles.kind.tolist() == [0, 0, 1]


@given(seed=SEEDS)
def test_rounds_stay_drivable_where_stops_lie_on_short_cuts(seed: int) -> None:
    """Leaving a stop out may make a round too late; no plan has such a round, and its cost is that of its rounds."""
    rng = np.random.default_rng(seed)
    asked, times = random_problem(rng, 12, 6), _speeds(rng, 13)
    plan = solve(asked, times, iterations=60, seed=1)
    assert list_violations(asked, times, plan) == []
    left_out = sum(asked.shipments[one.shipment_idx].penalty for one in plan.unserved)
    assert plan.cost == pytest.approx(sum(one.cost for one in plan.rounds) + left_out)
    assert plan.cost <= plan.first_cost + 1e-6


def test_what_rides_unliked_does_not_make_others_cheaper() -> None:
    """In a round timed whole (a break) an order joins one that would rather ride elsewhere: the cost told is the change."""
    fleet = [van("a", breaks=(Break(300, 900, 60),)), van("b")]
    wish = {"preferred_vehicle_ids": frozenset({"b"}), "other_vehicle_cost": 5000.0, "vehicle_ids": frozenset({"a"})}
    orders = [delivery("wished", 1, **wish), delivery("other", 2, vehicle_ids=frozenset({"a"}))]
    asked, times = problem(3, fleet, orders), line_times([0, 100, 250])
    search = Search(build_arrays(asked, times), times.arrays)
    for s, before in ((0, 0.0), (1, None)):
        was = float(search.state.rounds.cost.sum()) if before is None else before
        told = search.insert(s)
        assert told is not None
        assert told[0] == pytest.approx(float(search.state.rounds.cost.sum()) - was)

"""What prediction is worth: views of the day, plans driven in their order through the true times."""

from functools import partial

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.rounds.api import Break, Plan, Problem, TimeWindow, TravelTimes, build_plan, solve
from routing.rounds.prediction_value import MEAN, PREDICTED, arrive, build_views, compare_views, drive_plan, hold
from tests.builders.rounds import delivery, line_times, problem, random_problem, random_times, van

DAY_S = 8 * 3600.0


def rush_hour() -> TravelTimes:
    """Three places; between the depot and 1 it takes 100 s, from the second hour on 1000 s; to and from 2 always 300 s."""
    early = np.array([[0, 100, 300], [100, 0, 300], [300, 300, 0]])
    late = np.array([[0, 1000, 300], [1000, 0, 300], [300, 300, 0]])
    durations = np.stack([early, early, late, late])
    return TravelTimes.slots([0, 3600, 7200, 28800], durations, np.ones((3, 3)))


def planner(one: Problem, times: TravelTimes) -> Plan:
    """The engine, repeatable."""
    return solve(one, times, iterations=40)


def test_views_are_what_they_say() -> None:
    """Free flow is the least of the day, snapshots hold one moment, the mean lies between, the last is the truth."""
    true, (one, *_) = rush_hour(), [problem(3, [van()], [delivery("a", 1)])]
    views = {view.name: view.travel_times for view in build_views(one, true, 0.0, DAY_S)}
    assert views["free flow"].arrival_s(0, 0, 1, 20_000) == 20_100
    assert views["snapshot at opening"].arrival_s(0, 0, 1, 20_000) == 20_100
    assert views["snapshot +2 h"].arrival_s(0, 0, 1, 0.0) == 1000
    assert 100 < views[MEAN].arrival_s(0, 0, 1, 0.0) < 1000
    assert views[PREDICTED] is true
    assert all(times.has_lengths for times in views.values())


def test_a_plan_made_with_its_own_times_is_driven_as_planned() -> None:
    """Driving, duration and length are the plan's, nothing is late: under the plan's departures and under the best ones."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        one, true = random_problem(rng, 8, 4), random_times(rng, 9)
        plan = planner(one, true)
        for day in (drive_plan(one, true, plan), drive_plan(one, true, plan, choose_departure=True)):
            assert (day.late_stops, day.late_returns, day.vehicles) == (0, 0, len(plan.rounds))
            assert day.duration_s <= plan.duration_s + 1e-6
        day = drive_plan(one, true, plan)
        assert day.driving_s == pytest.approx(sum(r.driving_s for r in plan.rounds))
        assert day.duration_s == pytest.approx(plan.duration_s)
        assert day.length_m == pytest.approx(plan.length_m)


def test_late_stops_are_counted_and_served() -> None:
    """A plan made for quick streets is late on slow ones: by how much is said, and the next stop is still served."""
    shipments = [delivery("a", 1, (0, 150), service=10), delivery("b", 2, (0, 5000), service=10)]
    one = problem(3, [van(shift=TimeWindow(0, 450))], shipments)
    quick, slow = line_times([0, 100, 200]), line_times([0, 100, 200], speed=0.5)
    plan = build_plan(one, quick, [[0, 1]])
    leaves = plan.rounds[0].departure_s
    day = drive_plan(one, slow, plan)
    assert (day.late_stops, day.late_returns) == (1, 1)
    assert day.late_s == day.worst_late_s == pytest.approx(leaves + 200 - 150)
    assert day.driving_s == 800
    assert day.duration_s == 820
    assert drive_plan(one, slow, plan, choose_departure=True).late_s == pytest.approx(50)


def test_early_vehicles_wait_and_may_leave_later() -> None:
    """Leaving when the plan says, they wait; at the best moment they do not."""
    one = problem(2, [van()], [delivery("a", 1, (1000, 9000))])
    plan = build_plan(one, line_times([0, 900]), [[0]])
    assert plan.rounds[0].departure_s >= 100
    swift = line_times([0, 100])
    day, best = drive_plan(one, swift, plan), drive_plan(one, swift, plan, choose_departure=True)
    assert day.waiting_s == pytest.approx(max(0.0, 900 - plan.rounds[0].departure_s))
    assert (best.waiting_s, best.duration_s) == (0, 200)


def test_prediction_avoids_the_rush_hour() -> None:
    """Seen through the free flow both orders cost the same; driven, the predicted plan takes less time."""
    one = problem(3, [van(shift=TimeWindow(6000, 30_000))], [delivery("a", 1), delivery("b", 2)], TimeWindow(0, 30_000))
    results = {result.name: result for result in compare_views(one, rush_hour(), planner)}
    assert list(results)[-1] == PREDICTED
    best = results[PREDICTED].as_planned
    assert all(best.driving_s <= result.as_planned.driving_s + 1e-6 for result in results.values())
    assert best.late_stops == 0


def test_plans_may_be_made_for_driving() -> None:
    """Waiting costs nothing then: the plan's cost is the time driven."""
    one = problem(2, [van()], [delivery("a", 1, (1000, 9000))])
    results = compare_views(one, line_times([0, 400]), planner, waiting=0.0)
    assert all(result.plan.cost == pytest.approx(800) for result in results)
    assert all(result.as_planned.driving_s == pytest.approx(800) for result in results)
    with pytest.raises(InvalidInput, match="between 0"):
        compare_views(one, line_times([0, 400]), planner, waiting=1.5)


def test_only_the_prediction_holds_a_van_until_roads_are_quicker() -> None:
    """In the slow hours a van stands where waiting is cheap; plans that do not know of them drive through."""
    quick = np.array([[0, 300], [300, 0]])
    true = TravelTimes.slots([0, 3000, 3300, 9000, 9300], np.stack([quick, quick, 4 * quick, 4 * quick, quick]))
    one = problem(2, [van(shift=TimeWindow(0, 28_800))], [delivery("a", 1, (3000, 3400), 200)], TimeWindow(0, 28_800))
    results = {result.name: result for result in compare_views(one, true, planner, waiting=0.05)}
    assert results[PREDICTED].plan.rounds[0].stops[0].held_s > 4000
    assert results[PREDICTED].as_planned.driving_s == pytest.approx(600, abs=5)
    assert results["free flow"].as_planned.driving_s > 1000
    assert results[PREDICTED].as_planned.driving_s == pytest.approx(results[PREDICTED].plan.rounds[0].driving_s)
    dear = compare_views(one, true, planner, waiting=1.0)
    assert all(stop.held_s == 0 for result in dear for stop in result.plan.rounds[0].stops)


def test_after_the_last_known_moment_the_last_times_hold() -> None:
    """Functions end somewhere; a late vehicle still gets home."""
    true = TravelTimes.functions(2, {(0, 1): ([0, 100], [10, 150]), (1, 0): ([0, 100], [10, 110])})
    assert arrive(true, 0, 0, 1, 1000.0) == 1050
    assert arrive(true, 0, 1, 0, -50.0) == -40
    assert hold(true, 2, 100.0).arrival_s(0, 0, 1, 0.0) == 50


def test_breaks_are_refused() -> None:
    """Not left out in silence."""
    one = problem(2, [van(breaks=(Break(0, 5000, 60),))], [delivery("a", 1)])
    with pytest.raises(InvalidInput, match="breaks"):
        compare_views(one, line_times([0, 10]), partial(solve, iterations=5))


@pytest.mark.parametrize("wish", [{"together": "a"}, {"apart": "a"}])
def test_what_cannot_be_driven_for_comparison_is_refused(wish: dict[str, str]) -> None:
    """Bonds and the like are not left out in silence either."""
    one = problem(2, [van()], [delivery("a", 1, **wish)])
    with pytest.raises(InvalidInput, match="cannot be driven"):
        compare_views(one, line_times([0, 10]), partial(solve, iterations=5))

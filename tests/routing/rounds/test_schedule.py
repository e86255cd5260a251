"""The exact schedule equals a plain simulation for every departure, and its best departure the best of a fine grid."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.rounds.api import Break, Problem, TimeWindow, TravelTimes, Visit, build_plan
from routing.rounds.arrays import build_arrays
from routing.rounds.schedule import build_round
from tests.builders.rounds import DAY, delivery, line_times, problem, random_problem, random_times, van
from tests.routing.rounds.reference import best_duration, end_of


def _same(found: object, expected: float) -> None:
    if expected == math.inf:
        assert found is None
    else:
        assert found is not None
        assert found.end_s == pytest.approx(expected, abs=1e-6)  # type: ignore[attr-defined]


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), start=st.integers(0, 1500), breaks=st.booleans())
def test_every_departure_equals_the_simulation(seed: int, start: int, breaks: bool) -> None:
    """Waiting, service, breaks and time-dependent driving for random routes of up to five visits."""
    rng = np.random.default_rng(seed)
    asked, times = random_problem(rng, 5, 1, breaks=breaks), random_times(rng, 6)
    route = tuple(int(v) for v in rng.permutation(5)[: rng.integers(1, 6)])
    found = build_round(build_arrays(asked, times), times.arrays, 0, route, float(start))
    _same(found, end_of(asked, times, asked.vehicles[0], route, float(start)))


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_best_departure_beats_a_fine_grid(seed: int) -> None:
    """Composition finds a duration no worse than any departure on a 5 s grid, and one that is really driven."""
    rng = np.random.default_rng(seed)
    asked, times = random_problem(rng, 4, 1), random_times(rng, 5)
    route = tuple(int(v) for v in rng.permutation(4))
    found = build_round(build_arrays(asked, times), times.arrays, 0, route)
    grid = best_duration(asked, times, asked.vehicles[0], route, 5.0)
    if found is None:
        assert grid == math.inf
        return
    assert found.duration_s <= grid + 1e-6
    driven = end_of(asked, times, asked.vehicles[0], route, found.departure_s)
    assert driven - found.departure_s == pytest.approx(found.duration_s, abs=1e-5)


def test_best_departure_spares_the_wait() -> None:
    """A window that opens late is not waited for on the road."""
    asked = problem(2, [van()], [delivery("a", 1, (500, 600), 10)])
    plan = build_plan(asked, line_times([0, 100]), [[0]])
    assert (plan.rounds[0].departure_s, plan.rounds[0].end_s) == (400, 610)


def test_rush_hour_is_avoided() -> None:
    """Between 1000 and 2000 the way takes ten times as long: the round leaves when it is over."""
    durations = [[[0, d], [d, 0]] for d in (100, 100, 1000, 1000, 100, 100)]
    times = TravelTimes.slots([0, 990, 1000, 1900, 2000, 9000], durations)
    asked = problem(2, [van()], [delivery("a", 1, (1500, 9000))])
    one = build_plan(asked, times, [[0]]).rounds[0]
    assert one.departure_s >= 2000
    assert one.duration_s == pytest.approx(200)


def test_second_window_is_used_when_the_first_is_missed() -> None:
    """Arriving between two windows means waiting for the second."""
    asked = problem(2, [van()], [])
    visit = Visit(1, 0, (TimeWindow(0, 50), TimeWindow(300, 400)))
    asked = Problem(2, asked.depots, asked.vehicles, (delivery("a", 1).__class__("a", (1,), delivery=visit),))
    stop = build_plan(asked, line_times([0, 100]), [[0]]).rounds[0].stops[0]
    assert stop.start_s == 300


def test_break_is_taken_at_a_stop() -> None:
    """Lunch from 12:00 to 13:00 (h = 100 s) falls before the service or after it, never on the road."""
    asked = problem(
        3, [van(breaks=(Break(150, 260, 50),))], [delivery("a", 1, (100, 120), 20), delivery("b", 2, (280, 400), 5)]
    )
    one = build_plan(asked, line_times([0, 100, 200]), [[0, 1]]).rounds[0]
    rests = [rest for stop in one.stops for rest in (*stop.breaks_before, *stop.breaks_after)]
    assert len(rests) == 1
    assert 150 <= rests[0].start_s <= 260


def test_arrival_functions_are_first_in_first_out() -> None:
    """Falling durations are lowered before, so that a later departure never arrives earlier; unreachable stays so."""
    no_way = 2_147_483_647
    times = TravelTimes.slots([0, 100], [[[0, 500], [no_way, 0]], [[0, 10], [no_way, 0]]])
    assert times.lowered == 1
    arrivals = [times.arrival_s(0, 0, 1, t) for t in range(0, 200, 7)]
    assert arrivals == sorted(arrivals)
    assert times.arrival_s(0, 1, 0, 50) == math.inf


@pytest.mark.parametrize(
    ("values", "message"),
    [([[0, math.nan], [1, 0]], "NaN"), ([[0, -1], [1, 0]], "negative"), ([[0, 1, 2]], "square")],
)
def test_bad_matrices_are_refused(values: list[list[float]], message: str) -> None:
    """NaN, negative and misshapen matrices are named."""
    from routing.rounds.errors import InvalidProblemError  # noqa: PLC0415

    with pytest.raises(InvalidProblemError, match=message):
        TravelTimes.static(values)


def test_open_end_stops_at_the_last_visit() -> None:
    """Without an end depot the round is over after the last service."""
    vehicle = van()
    asked = problem(2, [vehicle.__class__("v", 0, None, (5,), DAY)], [delivery("a", 1, None, 30)])
    assert build_plan(asked, line_times([0, 100]), [[0]]).rounds[0].duration_s == 130

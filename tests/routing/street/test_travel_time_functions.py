"""Travel-time functions: the speed model, its order, its inverse, its bounds, and tables that are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.forecast import traffic
from routing.kernels import td_functions as kernels
from routing.kernels.td_functions import CLOSED, SLOT_MS
from routing.street.nodes import plain_network
from routing.street.timed_warm import warm_time_dependent
from routing.street.travel_time_functions import SLOT_S, travel_time_functions
from tests.routing.street.timed_reference import arrival, tables


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Machine code of all kernels, made outside the time a test may take."""
    return warm_time_dependent()


MOMENTS = st.one_of(st.integers(0, 8 * SLOT_MS), st.sampled_from([SLOT_MS - 1, SLOT_MS, SLOT_MS + 1, 3 * SLOT_MS]))
WORKS = st.one_of(st.integers(0, 20), st.integers(0, 3_000_000))


@given(tables(), MOMENTS, WORKS)
@settings(max_examples=400, deadline=None)
def test_arrivals_equal_driving_slot_by_slot(pace, enter, work):
    """To the rounding of a millisecond."""
    for profile in range(pace.shape[1]):
        exact = arrival(enter, work, pace[:, profile])
        assert abs(kernels.arrival(enter, work, profile, pace) - exact) <= 0.5 + 1e-6


@given(tables(), MOMENTS, WORKS, st.integers(1, 2 * SLOT_MS))
@settings(max_examples=400, deadline=None)
def test_first_in_first_out(pace, enter, work, later):
    """Who enters later never leaves earlier, a millisecond apart or half an hour; more work never ends earlier."""
    for profile in range(pace.shape[1]):
        here = kernels.arrival(enter, work, profile, pace)
        assert enter <= here <= kernels.arrival(enter + 1, work, profile, pace)
        assert here <= kernels.arrival(enter + later, work, profile, pace)
        assert here <= kernels.arrival(enter, work + 1, profile, pace)


@given(tables(), MOMENTS, WORKS)
@settings(max_examples=400, deadline=None)
def test_departure_is_the_latest_that_arrives(pace, limit, work):
    """The inverse is exact to the millisecond."""
    for profile in range(pace.shape[1]):
        begun = kernels.departure(limit, work, profile, pace)
        if begun >= 0:
            assert kernels.arrival(begun, work, profile, pace) <= limit
        assert kernels.arrival(begun + 1, work, profile, pace) > limit


@given(tables(), st.integers(0, 5), st.integers(1, 4), st.integers(0, 2 * SLOT_MS), WORKS)
@settings(max_examples=300, deadline=None)
def test_least_pace_of_a_window_is_a_bound_inside_it(pace, first, length, offset, work):
    """For every trip over one arc that begins and ends inside the window."""
    first = min(first, len(pace) - 1)
    functions = travel_time_functions(plain_network([0], [1]), 0, pace, [work], [0])
    bound = int(functions.edge_ms(functions.pace_of(first, first + length), lower=True)[0])
    enter = first * SLOT_MS + offset
    there = functions.arrival_ms(0, enter)
    if there <= (first + length) * SLOT_MS or first + length >= len(pace):
        assert there - enter >= bound


def test_a_slot_is_that_of_the_forecast():
    """Kernels may not import the forecast, so the length is said twice."""
    assert traffic.SLOT_S == SLOT_S == SLOT_MS // 1000


@pytest.mark.parametrize("pace", [np.nan, np.inf, 0.0, -1.0, 1e9])
def test_paces_that_are_none_are_refused(pace):
    """Not a number, infinite, standing still, driving back, a thousand times slower."""
    with pytest.raises(InvalidInput, match=r"pace\[1, 0\]"):
        travel_time_functions(plain_network([0], [1]), 0, [[1.0], [pace]], [5], [0])


def test_tables_that_do_not_fit_are_refused():
    """Unknown profiles, negative work, too few arcs, no slot, too many slots."""
    network = plain_network([0, 1], [1, 0])
    for work, profile, slots in (([5, 5], [0, 1], 1), ([5, -5], [0, 0], 1), ([5], [0], 1), ([5, 5], [0, 0], 0)):
        with pytest.raises(InvalidInput):
            travel_time_functions(network, 0, np.ones((slots, 1)), work, profile)
    for turns in ([1], [1, -1]):
        with pytest.raises(InvalidInput, match="turn_ms"):
            travel_time_functions(network, 0, [[1.0]], [5, 5], [0, 0], np.array(turns, np.int32))
    with pytest.raises(InvalidInput, match="slots"):
        travel_time_functions(network, 0, np.ones((5000, 1)), [5, 5], [0, 0])


def test_moments_outside_are_refused():
    """Before the first slot, after the last, NaN; both ends are inside."""
    functions = travel_time_functions(plain_network([0], [1]), 7200, np.ones((4, 1)), [CLOSED], [0])
    assert functions.moment_ms(7200) == 0
    assert functions.moment_ms(7200 + 4 * SLOT_S) == 4 * SLOT_MS
    assert functions.arrival_ms(0, 0) == CLOSED
    for moment in (7199, 7201 + 4 * SLOT_S, float("nan"), float("inf")):
        with pytest.raises(InvalidInput, match="build travel times"):
            functions.moment_ms(moment)

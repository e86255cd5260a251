"""The best departure by a sweep over the pieces of the end: that of functions composed exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.kernels.rounds_refresh import sharpen
from routing.kernels.rounds_route import best_departure
from routing.rounds.api import TravelTimes
from routing.rounds.arrays import build_arrays
from routing.rounds.search import Search
from tests.builders.rounds import random_problem, random_times


def _stepped_times(rng: np.random.Generator, n: int) -> TravelTimes:
    """Times that are level, rise at once and fall as fast as nobody overtakes: arrival functions with vertical steps."""
    arcs = {}
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            xs, ys, lasts = [0.0], [float(rng.integers(20, 200))], 0.0
            lasts = ys[0]
            for x in range(240, 6000, 240):
                next_one = float(rng.integers(20, 200))
                falls = max(0.0, lasts - next_one)
                if falls:  # level arrival before the boundary, so that leaving later never arrives earlier
                    xs += [x - min(falls, 239.0), float(x)]
                    ys += [x - min(falls, 239.0) + lasts] * 2
                    next_one = ys[-1] - x
                else:
                    xs += [float(x), float(x)]
                    ys += [x + lasts, x + next_one]
                lasts = next_one
            arcs[i, j] = (xs, ys)
    return TravelTimes.functions(n, arcs)


@pytest.mark.parametrize("kind", ["slots", "functions"])
@given(seed=st.integers(0, 2**31))
def test_as_short_as_by_composition(kind: str, seed: int) -> None:
    """Rounds drawn at random: feasible as before, as short as the composed arrival functions say, and known to be so."""
    rng = np.random.default_rng(seed)
    asked = random_problem(rng, 7, 1)
    times = _stepped_times(rng, 8) if kind == "functions" else random_times(rng, 8)
    search = Search(build_arrays(asked, times), times.arrays)
    for s in range(len(asked.shipments)):
        search.insert(s)
    arrays, state = search.problem, search.state
    size = int(state.rounds[0].length)
    if size == 0:
        return
    before = float(state.rounds[0].plain_end_s - state.rounds[0].start_s)
    assert sharpen(arrays, times.arrays, state, 0)
    lasts = float(state.rounds[0].plain_end_s - state.rounds[0].start_s)
    start, end = best_departure(arrays, times.arrays, 0, state.routes[0, :size].copy(), 1)
    assert lasts <= before + 1e-9
    assert lasts == pytest.approx(end - start, abs=2e-3)
    assert state.rounds[0].sharp
    vehicle = asked.vehicles[0]
    exact = vehicle.fixed_cost + vehicle.cost_per_s * lasts + vehicle.cost_per_m * float(state.rounds[0].metres)
    assert float(state.rounds[0].cost) == pytest.approx(exact)

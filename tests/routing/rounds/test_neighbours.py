"""Neighbours of visits against their definition, pair by pair."""

import numpy as np
import pytest

from routing.rounds import neighbours
from routing.rounds.arrays import build_arrays
from tests.builders.rounds import random_problem, random_times


@pytest.mark.parametrize("rows", [7, 1 << 22])
def test_nearest_first_with_waiting_and_lateness(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All other visits of a small problem, in order, however many are looked at together."""
    monkeypatch.setattr(neighbours, "ROWS", rows)
    rng = np.random.default_rng(3)
    asked, times = random_problem(rng, 9, 2), random_times(rng, 10)
    arrays, matrix = build_arrays(asked, times), times.arrays.matrix_s[0]
    close, near, distance = neighbours.list_neighbours(arrays, times.arrays)
    assert distance.tolist() == matrix[0, 1:].tolist()

    def detour(a: int, b: int) -> float:
        drive = matrix[a + 1, b + 1]
        one, two = asked.visit(a), asked.visit(b)
        opens = [visit.windows[0].start_s if visit.windows else -np.inf for visit in (one, two)]
        closes = [visit.windows[-1].end_s if visit.windows else np.inf for visit in (one, two)]
        wait = opens[1] - drive - closes[0] - one.service_s
        late = opens[0] + one.service_s + drive - closes[1]
        return float(drive + 0.2 * max(0.0, wait) + max(0.0, late))

    for v in range(9):
        others = [u for u in range(9) if u != v]
        assert sorted(close[v].tolist()) == sorted(near[v].tolist()) == others
        apart = [min(matrix[v + 1, u + 1], matrix[u + 1, v + 1]) for u in close[v]]
        assert apart == sorted(apart)
        costs = [min(detour(v, u), detour(u, v)) for u in near[v].tolist()]
        assert costs == pytest.approx(sorted(costs))


def test_only_the_nearest_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same order as among all."""
    rng = np.random.default_rng(4)
    asked, times = random_problem(rng, 60, 2), random_times(rng, 61)
    arrays = build_arrays(asked, times)
    whole = neighbours.list_neighbours(arrays, times.arrays)[1]
    monkeypatch.setattr(neighbours, "NEIGHBOURS", 5)
    few = neighbours.list_neighbours(arrays, times.arrays)[1]
    assert few.shape == (60, 5)
    matrix = times.arrays.matrix_s[0]
    assert matrix.shape == (61, 61)
    assert np.mean(few == whole[:, :5]) > 0.95  # ties may come in another order

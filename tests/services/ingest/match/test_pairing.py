"""Cheapest pairs: as good as the best of all pairings, for any shape."""

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.match.pairing import pair_cheapest


@st.composite
def tables(draw: st.DrawFn) -> list[list[int]]:
    """Costs of up to five rows and columns, impossible pairs among them."""
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    cost = st.one_of(st.integers(-500, 4000), st.just(10**9))
    return draw(st.lists(st.lists(cost, min_size=columns, max_size=columns), min_size=rows, max_size=rows))


def cheapest(costs: np.ndarray) -> int:
    """Least sum over all pairings, tried one by one."""
    wide = costs if costs.shape[0] <= costs.shape[1] else costs.T
    rows, columns = wide.shape
    return int(min(sum(wide[i, c] for i, c in enumerate(order)) for order in permutations(range(columns), rows)))


@given(tables())
def test_no_other_pairing_is_cheaper(table: list[list[int]]) -> None:
    """Everybody of the fewer is paired, nobody twice, and the sum is the least there is."""
    costs = np.array(table, np.float64)
    pairs = pair_cheapest(costs)
    assert len(pairs) == min(costs.shape)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert sum(int(costs[row, column]) for row, column in pairs) == cheapest(costs)

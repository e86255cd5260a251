"""The order of visits is the best of all permutations."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.multimodal.visit_order import NEVER_S, OrderProblem, find_order

SLOT_S = 1800


@st.composite
def problems(draw: st.DrawFn) -> OrderProblem:
    """One to four visits, one or two slots, some pairs impossible."""
    visits, slots = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    n = visits + 2
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    travel = rng.integers(60, 2400, (slots, n, n)).astype(np.int32)
    travel[rng.random((slots, n, n)) < 0.05] = NEVER_S
    opens = rng.integers(0, 3000, n).astype(np.int64)
    closes = opens + rng.integers(1200, 9000, n)
    opens[[0, -1]], closes[[0, -1]] = 0, 10**6
    stay = rng.integers(0, 900, n).astype(np.int32)
    return OrderProblem(np.arange(slots, dtype=np.int64) * SLOT_S, travel, stay, opens, closes, 0)


def earliest_end(problem: OrderProblem) -> int | None:
    """Try every order and, at every node, leaving at once or at the start of any later slot."""
    n, best = len(problem.stay_s), None

    def go(order: tuple[int, ...], at: int, now: int) -> None:
        nonlocal best
        if at == len(order) - 1:
            best = now if best is None else min(best, now)
            return
        tail, head = order[at], order[at + 1]
        ready = now + int(problem.stay_s[tail])
        latest = int(problem.closes_s[tail]) + int(problem.stay_s[tail])
        for leave in {ready, *(int(s) for s in problem.slot_start_s if ready < s <= latest)}:
            slot = int(np.searchsorted(problem.slot_start_s, leave, side="right")) - 1
            travel = int(problem.travel_s[slot, tail, head])
            begin = max(leave + travel, int(problem.opens_s[head]))
            if travel != NEVER_S and begin <= problem.closes_s[head]:
                go(order, at + 1, begin)

    for middle in permutations(range(1, n - 1)):
        go((0, *middle, n - 1), 0, 0)
    return best


@settings(max_examples=40, deadline=None)
@given(problems())
def test_equals_exhaustive_search(problem: OrderProblem) -> None:
    """CP-SAT ends as early as the best of all permutations, and finds nothing exactly where nothing exists."""
    answer, best = find_order(problem), earliest_end(problem)
    if best is None:
        assert answer is None
        return
    assert answer is not None
    assert answer.optimal
    assert answer.begins_s[-1] == best
    assert sorted(answer.nodes) == list(range(len(problem.stay_s)))
    assert all(problem.opens_s[v] <= t <= problem.closes_s[v] for v, t in zip(answer.nodes, answer.begins_s, strict=True))


def test_too_many_visits_are_refused() -> None:
    """A tour of 15 visits names the field and the limit."""
    n = 17
    zero = np.zeros(n, np.int64)
    with pytest.raises(InvalidInput, match=r"1\.\.14 visits") as caught:
        OrderProblem(np.zeros(1, np.int64), np.ones((1, n, n), np.int32), np.zeros(n, np.int32), zero, zero + 1000, 0)
    assert caught.value.field == "visits"

"""The order of visits is the best of all permutations."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.multimodal.visit_order import MANDATORY, NEVER_S, OrderProblem, Windows, find_order

SLOT_S = 1800


@st.composite
def problems(draw: st.DrawFn) -> OrderProblem:
    """One to four visits, some optional, one or two windows each, one or two slots, some pairs impossible."""
    visits, slots = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    n = visits + 2
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    travel = rng.integers(60, 2400, (slots, n, n)).astype(np.int32)
    travel[rng.random((slots, n, n)) < 0.05] = NEVER_S
    opens = rng.integers(-2500, 3000, n)
    closes = opens + rng.integers(600, 5000, n)
    windows: list[Windows] = [((int(a), int(b)), (int(b) + 1000, int(b) + 1500)) for a, b in zip(opens, closes, strict=True)]
    windows[0] = windows[-1] = ((0, 10**6),)
    prize = np.where(rng.random(n) < 0.3, rng.integers(0, 2000, n), MANDATORY).astype(np.int32)
    stay = rng.integers(0, 900, n).astype(np.int32)
    slot_start_s = np.arange(slots, dtype=np.int64) * SLOT_S
    return OrderProblem(slot_start_s, travel, stay, tuple(windows), 0, prize, fixed_order=draw(st.booleans()))


def best_cost(problem: OrderProblem) -> int | None:
    """Try every subset, every order and, at every node, every moment at which waiting could pay."""
    n, costs = len(problem.stay_s), []
    middle = range(1, n - 1)
    optional = [v for v in middle if problem.prize_s[v] != MANDATORY]
    boundaries = [int(s) for s in problem.slot_start_s]

    def go(order: tuple[int, ...], at: int, begin: int, lost: int) -> None:
        if at == len(order) - 1:
            costs.append(begin + lost)
            return
        tail, head = order[at], order[at + 1]
        stay, spans = int(problem.stay_s[tail]), problem.windows[tail]
        later = {max(a, s - stay) for s in boundaries for a, b in spans if max(a, s - stay) <= b}
        for start in {begin, *(s for s in later if s > begin)}:
            leave = start + stay
            slot = int(np.searchsorted(problem.slot_start_s, leave, side="right")) - 1
            travel = int(problem.travel_s[slot, tail, head])
            opens = [max(a, leave + travel) for a, b in problem.windows[head] if b >= leave + travel]
            if travel != NEVER_S and opens:
                go(order, at + 1, min(opens), lost)

    for size in range(len(optional) + 1):
        for left_out in combinations(optional, size):
            inside = [v for v in middle if v not in left_out]
            lost = sum(int(problem.prize_s[v]) for v in left_out)
            for order in [tuple(inside)] if problem.fixed_order else permutations(inside):
                go((0, *order, n - 1), 0, 0, lost)
    return min(costs, default=None)


@settings(max_examples=60)
@given(problems())
def test_equals_exhaustive_search(problem: OrderProblem) -> None:
    """CP-SAT costs as little as the best of all orders and subsets, and finds nothing exactly where nothing exists."""
    answer, best = find_order(problem), best_cost(problem)
    if best is None:
        assert answer is None
        return
    assert answer is not None
    assert answer.optimal
    left_out = set(range(len(problem.stay_s))) - set(answer.nodes)
    assert answer.begins_s[-1] + sum(int(problem.prize_s[v]) for v in left_out) == best
    assert all(problem.prize_s[v] != MANDATORY for v in left_out)
    for node, begin in zip(answer.nodes, answer.begins_s, strict=True):
        assert any(a <= begin <= b for a, b in problem.windows[node])


def test_too_many_visits_are_refused() -> None:
    """A tour of 17 visits names the field and the limit."""
    n = 19
    with pytest.raises(InvalidInput, match=r"1\.\.16 visits") as caught:
        OrderProblem(
            np.zeros(1, np.int64),
            np.ones((1, n, n), np.int32),
            np.zeros(n, np.int32),
            ((((0, 1)),),) * n,
            0,
            np.full(n, MANDATORY, np.int32),
        )
    assert caught.value.field == "visits"

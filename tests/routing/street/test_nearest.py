"""The nearest few of many places: the head of the sorted times."""

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.model.modes import UNREACHABLE_MS, StreetMode
from routing.street.nearest import nearest_of
from tests.builders.streets import draw

GRID = (
    "A B C D\nE F G H\nI J K L\n---\nAB\nBC\nCD oneway=yes\nEF\nFG\nGH\nIJ\nJK\nKL\nAE\nEI\nBF\nFJ\nCG\nGK\nDH\nHL oneway=yes"
)
ARCS = ["AB", "BC", "CD", "EF", "FG", "GH", "IJ", "JK", "KL", "AE", "FJ", "HL"]


@pytest.mark.parametrize("mode", [StreetMode.CAR, StreetMode.FOOT])
@pytest.mark.parametrize("backward", [False, True])
def test_equals_the_full_sort(mode: StreetMode, backward: bool) -> None:
    """For every source, every number and with a limit."""
    drawn = draw(GRID)
    metric = drawn.engine.metric(mode)
    places, targets = drawn.at(*ARCS, fraction=0.3), drawn.at(*ARCS[::-1], fraction=0.8)
    table = (
        drawn.engine.many_to_many(metric, targets, places).T if backward else drawn.engine.many_to_many(metric, places, targets)
    )
    for i in range(len(places)):
        order = np.argsort(table[i], kind="stable")
        order = order[table[i][order] != UNREACHABLE_MS]
        for k in (1, 3, 50):
            found = nearest_of(drawn.engine, metric, places, i, targets, k, backward=backward)
            assert found.target.tolist() == order[:k].tolist()
            assert found.time_ms.tolist() == table[i][order[:k]].tolist()
        limit_s = float(np.median(table[i])) / 1000
        found = nearest_of(drawn.engine, metric, places, i, targets, 50, limit_s, backward=backward)
        assert found.target.tolist() == [j for j in order.tolist() if table[i][j] <= limit_s * 1000]


def test_places_off_the_network_are_never_near() -> None:
    """A target on no street is left out, a source on no street finds none."""
    drawn = draw(GRID)
    metric = drawn.engine.metric(StreetMode.CAR)
    targets = drawn.engine.snap([41.15, 20.0], [-8.61, 20.0], StreetMode.CAR)
    assert nearest_of(drawn.engine, metric, drawn.at("FG"), 0, targets, 2).target.tolist() == [0]
    assert nearest_of(drawn.engine, metric, targets, 1, drawn.at("FG"), 2).target.tolist() == []


def test_bad_questions_are_refused() -> None:
    """At least one place, within a time."""
    drawn = draw(GRID)
    metric = drawn.engine.metric(StreetMode.CAR)
    with pytest.raises(InvalidInput, match="k = 0"):
        nearest_of(drawn.engine, metric, drawn.at("FG"), 0, drawn.at("AB"), 0)
    with pytest.raises(InvalidInput, match="limit_s"):
        nearest_of(drawn.engine, metric, drawn.at("FG"), 0, drawn.at("AB"), 1, float("nan"))

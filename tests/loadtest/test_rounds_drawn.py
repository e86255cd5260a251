"""Drawn instances in Solomon's format."""

import numpy as np
import pytest

from loadtest.rounds_drawn import draw
from routing.rounds.formats.plain import read_plain


@pytest.mark.parametrize("kind", ["r1", "r2", "c1", "c2", "rc1", "rc2"])
def test_every_customer_can_be_served(kind: str) -> None:
    """As many as asked, the same text again, and each window can be kept by a vehicle of its own that is back in time."""
    text = draw(60, kind, 3, 0.75, 0.25)
    assert text == draw(60, kind, 3, 0.75, 0.25) != draw(60, kind, 4, 0.75, 0.25)
    instance = read_plain(text, kind, "distance", "dimacs")
    problem, seconds = instance.problem, instance.times.arrays.matrix_s[0]
    assert len(problem.shipments) == 60
    closes = problem.depots[0].window.end_s
    for shipment in problem.shipments:
        visit = shipment.delivery
        assert visit is not None
        window = visit.windows[0]
        served = max(window.start_s, seconds[0, visit.location_idx])
        assert served <= window.end_s
        assert served + visit.service_s + seconds[visit.location_idx, 0] <= closes


def test_windows_and_long_rounds() -> None:
    """The share of customers with windows is about what was asked; long rounds have four times the horizon."""
    short, long = (read_plain(draw(200, kind, 1, 0.5, 0.1), kind) for kind in ("r1", "r2"))
    horizon = short.problem.depots[0].window.end_s
    assert long.problem.depots[0].window.end_s == pytest.approx(4 * horizon, rel=0.01)
    tight = [one.delivery.windows[0] for one in short.problem.shipments if one.delivery]
    assert 0.35 < np.mean([one.end_s - one.start_s < 0.2 * horizon for one in tight]) < 0.65

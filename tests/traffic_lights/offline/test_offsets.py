"""Offsets give the widest bands: compared with trying all of them."""

import itertools

import pytest

from tests.builders.signals import junction
from traffic_lights.build import build_intersection
from traffic_lights.model.plan import SignalPlan
from traffic_lights.offline.offsets import GreenWindow, find_green_window, optimise_offsets


def _widest_band(cycle: int, windows: tuple[GreenWindow, ...], shift: list[int], offsets: tuple[int, ...]) -> int:
    """Longest run of departure seconds that find green everywhere (naive)."""
    free = [
        all((t + shift[i] - offsets[i] - w.start_s) % cycle < w.green_s for i, w in enumerate(windows)) for t in range(cycle)
    ]
    best = 0
    for start in range(cycle):
        best = max(best, next((n for n in range(cycle) if not free[(start + n) % cycle]), cycle))
    return best


@pytest.mark.parametrize("travel", [(4, 7), (9, 3), (12, 12)])
def test_equals_trying_all_offsets(travel: tuple[int, int]) -> None:
    """On a small cycle the sum of both bands equals that of the best of all offsets."""
    cycle = 24
    forward = (GreenWindow(0, 10), GreenWindow(3, 12), GreenWindow(0, 9))
    backward = (GreenWindow(2, 9), GreenWindow(1, 12), GreenWindow(5, 11))
    result = optimise_offsets(cycle, forward, backward, travel, travel)
    there, back = [0, travel[0], sum(travel)], [0, -travel[0], -sum(travel)]
    best = max(
        _widest_band(cycle, forward, there, (0, a, b)) + _widest_band(cycle, backward, back, (0, a, b))
        for a, b in itertools.product(range(cycle), repeat=2)
    )
    assert result.forward_band_s + result.backward_band_s == best
    assert _widest_band(cycle, forward, there, result.offsets_s) >= result.forward_band_s
    assert _widest_band(cycle, backward, back, result.offsets_s) >= result.backward_band_s


def test_green_window_is_what_the_guard_shows() -> None:
    """The window of a plan begins after the intergreen and ends when the next stage is asked for."""
    x = build_intersection(junction(0, 90, 180, 270, pedestrian_crossings=False))
    window = find_green_window(x, SignalPlan((0, 1), (0, 40), 80), x.movements[0].group)
    assert window.start_s + window.green_s == 40
    assert 0 < window.start_s <= 8

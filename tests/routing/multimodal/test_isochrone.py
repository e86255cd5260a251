"""Areas traced round reached cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from routing.multimodal.isochrone import ReachedPoints, reached_area
from routing.street.outline import assemble, signed_area, trace_rings


@given(arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_outlines_enclose_exactly_the_filled_cells(inner: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]") -> None:
    """Outer rings less holes cover as many cells as are filled; outers run counter-clockwise, every hole has an owner."""
    filled = np.pad(inner, 1)
    rings = trace_rings(filled)
    outers, holes = assemble(rings)
    assert sum(signed_area(ring) for ring in rings) == 2 * filled.sum()
    assert all(signed_area(ring) > 0 for ring in outers)
    assert len(rings) == len(outers) + sum(map(len, holes))
    for ring in rings:
        assert ring[0] == ring[-1]


def test_a_point_with_metres_left_fills_a_disc() -> None:
    """600 m left round one point give about a disc of that radius, around that point."""
    area = reached_area(ReachedPoints(np.array([41.15]), np.array([-8.61]), np.array([600.0])))
    assert area.area_m2 == pytest.approx(np.pi * 600**2, rel=0.15)
    (ring,) = area.outers
    assert np.mean([p[0] for p in ring]) == pytest.approx(41.15, abs=0.002)
    assert np.mean([p[1] for p in ring]) == pytest.approx(-8.61, abs=0.002)


def test_nothing_reached_is_an_empty_area() -> None:
    """No points, no rings."""
    nothing = np.empty(0)
    assert reached_area(ReachedPoints(nothing, nothing, nothing)).outers == ()

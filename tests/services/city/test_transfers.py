"""Changes on foot in the snapshot: the same as made from the streets at a start."""

from pathlib import Path

import numpy as np

from routing.multimodal.network import build_network
from routing.multimodal.transfers import build_transfers
from routing.street.api import StreetEngine
from routing.transit.api import TransitEngine
from services.city.build import build_snapshot
from services.city.config import read_city
from services.city.snapshot import open_snapshot
from tests.builders.cities import draw_city


def test_stored_changes_are_those_of_the_streets(tmp_path: Path) -> None:
    """Mapped arrays equal the ones made anew, and a network built with either changes alike."""
    build_snapshot(read_city(draw_city(tmp_path / "drawn")), tmp_path, warm=False)
    snapshot = open_snapshot(tmp_path, "drawn")
    street, stored = StreetEngine(snapshot.street), snapshot.transfers
    assert stored is not None
    made = build_transfers(street, snapshot.timetable)
    for one, other in ((stored.on_foot, made.on_foot), (stored.step_free, made.step_free)):
        assert len(one) > 0
        for name in ("from_stop", "to_stop", "duration_s"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    transit = TransitEngine(snapshot.timetable)
    with_stored = build_network(street, transit, snapshot.car_parks, transfers=stored)
    without = build_network(street, transit, snapshot.car_parks)
    for wheelchair in (False, True):
        walks, again = (network.rides(wheelchair=wheelchair)._walks for network in (with_stored, without))
        assert all(
            np.array_equal(a, b) for one, other in zip(walks, again, strict=True) for a, b in zip(one, other, strict=True)
        )

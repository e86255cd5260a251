"""The time-dependent street benchmark answers, checks itself and keeps what it answered."""

import json

import numpy as np
import pytest

from loadtest import street_time_dependent
from routing.street.timed_warm import warm_time_dependent
from tests.builders.osm_files import write_osm


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Machine code of all kernels, made outside the time a test may take."""
    return warm_time_dependent()


@pytest.mark.slow
def test_answers_are_kept_and_right(tmp_path):
    """On a grid: checked answers are Dijkstra's, nearly exact ones never earlier, those of stops mostly near driving."""
    side = 8
    nodes = {r * side + c + 1: (41.15 + r * 0.004, -8.62 + c * 0.005, {}) for r in range(side) for c in range(side)}
    ways = {}
    for k in range(side):
        kind = {"highway": "primary" if k % 3 == 0 else "residential", "maxspeed": "30"}
        ways[100 + k] = ([k * side + c + 1 for c in range(side)], kind)
        ways[200 + k] = ([r * side + k + 1 for r in range(side)], kind)
    pbf = write_osm(tmp_path / "grid.osm", nodes, ways)
    profiles = ["urban", "radial:1", "independent:1"]
    command = ["--osm", str(pbf), "--count", "60", "--check", "60", "--stops", "12", "--out", str(tmp_path / "out")]
    assert street_time_dependent.main([*command, "--profiles", *profiles]) == 0
    figures = json.loads((tmp_path / "out" / "time_dependent.json").read_text(encoding="utf-8"))
    for profile in profiles:
        assert figures[profile]["wrong"] == figures[profile]["unreachable"] == 0
        assert figures[profile]["checked"] == 60
        assert figures[profile]["functions_error_p50_percent"] < 1
        with np.load(tmp_path / "out" / f"{profile.replace(':', '_')}.npz") as kept:
            assert (kept["near"] >= kept["exact"]).all()
            assert (kept["exact"] >= kept["depart_ms"]).all()
    assert figures["urban"]["functions_error_max_s"] < 20

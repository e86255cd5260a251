"""What all tests share: where machine code is cached, how examples are drawn, and the city of Porto, built once."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
HOME = Path(os.environ.get("TRABOULE_HOME", ROOT / ".traboule"))

# Before anything imports Numba: its own choice would be next to the sources, or an unwritable home.
os.environ.setdefault("NUMBA_CACHE_DIR", str(HOME / "cache" / "numba"))

# The same examples on every run, however slow the machine is; `pytest --hypothesis-profile=search` draws new ones.
settings.register_profile("suite", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", settings.get_profile("suite"), derandomize=False, print_blob=True)
settings.load_profile("suite")

if TYPE_CHECKING:
    from services.city.snapshot import CitySnapshot


@pytest.fixture(scope="session")
def porto_snapshot() -> "CitySnapshot":
    """The snapshot of Porto, built and its kernels compiled if need be, else reused; its arrays are read-only."""
    from services.city.build import build_snapshot  # noqa: PLC0415 - the cache folder above must be set first
    from services.city.config import read_city  # noqa: PLC0415
    from services.city.errors import CityBuildBusyError  # noqa: PLC0415
    from services.city.snapshot import open_snapshot  # noqa: PLC0415

    deadline = time.monotonic() + 1800
    while True:
        try:
            build_snapshot(read_city(ROOT / "cities" / "porto"), HOME)
            return open_snapshot(HOME, "porto")
        except CityBuildBusyError:
            # Another test run is building it.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)

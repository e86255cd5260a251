"""What all tests share: where machine code is cached, how examples are drawn, and the real cities, built once."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.builders.shared_data import ROOT, shared

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


@pytest.fixture(scope="session")
def heidelberg_snapshot(tmp_path_factory: pytest.TempPathFactory) -> "CitySnapshot":
    """The snapshot of Heidelberg from its real extract, timetable and parking file; kernels are not compiled for it."""
    from services.city.build import build_snapshot  # noqa: PLC0415
    from services.city.config import read_city  # noqa: PLC0415
    from services.city.snapshot import open_snapshot  # noqa: PLC0415

    shared("heidelberg/parking/heidelberg.json")
    home = tmp_path_factory.mktemp("heidelberg")
    build_snapshot(read_city(ROOT / "cities" / "heidelberg"), home, warm=False)
    return open_snapshot(home, "heidelberg")

"""What all tests share: where machine code is cached, how examples are drawn, and the real cities, built once."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from services.common.compiling import compile_once
from tests.builders.shared_data import ROOT, shared

HOME = Path(os.environ.get("TRABOULE_HOME", ROOT / ".traboule"))

# Before anything imports Numba: its own choice would be next to the sources, or an unwritable home.
os.environ.setdefault("NUMBA_CACHE_DIR", str(HOME / "cache" / "numba"))

# The same examples on every run, however slow the machine is; `pytest --hypothesis-profile=search` draws new ones.
settings.register_profile("suite", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", settings.get_profile("suite"), derandomize=False, print_blob=True)
settings.load_profile("suite")

compile_once()

if TYPE_CHECKING:
    from services.city.snapshot import CitySnapshot

MOST_WORKERS = 4
SLOW_TO_COMPILE = "rounds"
"""In the path of tests whose kernels take minutes where nothing is cached."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process for a file or an expression, else one per core."""
    chosen = config.args_source is pytest.Config.ArgsSource.ARGS and all(".py" in name for name in config.args)
    if chosen or config.option.keyword or config.option.collectonly:
        return 0
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with a file that has Porto built; what needs it, or the kernels compiled beside it, comes last, file by file."""
    by_file: dict[Path, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path, []).append(item)
    on_porto = {
        path for path, tests in by_file.items() if any("porto_snapshot" in getattr(item, "fixturenames", ()) for item in tests)
    }
    first = next((path for path in by_file if path in on_porto), None)

    def turn(path: Path) -> int:
        return 0 if path == first else 3 if path in on_porto else 2 if SLOW_TO_COMPILE in str(path.relative_to(ROOT)) else 1

    items[:] = [item for path in sorted(by_file, key=turn) for item in by_file[path]]


@pytest.fixture(scope="session")
def porto_snapshot() -> "CitySnapshot":
    """The snapshot of Porto, built and its kernels compiled if need be, else reused; its arrays are read-only."""
    return _built("porto", HOME, warm=True)


@pytest.fixture(scope="session")
def compiled_kernels(porto_snapshot: "CitySnapshot") -> None:
    """For tests of services that are to be ready within a deadline: none of them has to compile."""


@pytest.fixture(scope="session")
def heidelberg_snapshot(tmp_path_factory: pytest.TempPathFactory) -> "CitySnapshot":
    """The snapshot of Heidelberg from its real extract, timetable and parking file; kernels are not compiled for it."""
    shared("heidelberg/parking/heidelberg.json")
    folder = tmp_path_factory.getbasetemp()
    home = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder  # that of all workers
    return _built("heidelberg", home, warm=False)


def _built(city: str, home: Path, warm: bool) -> "CitySnapshot":
    from services.city.build import build_snapshot  # noqa: PLC0415 - the cache folder above must be set first
    from services.city.config import read_city  # noqa: PLC0415
    from services.city.errors import CityBuildBusyError  # noqa: PLC0415
    from services.city.snapshot import open_snapshot  # noqa: PLC0415

    deadline = time.monotonic() + 1800
    while True:
        try:
            build_snapshot(read_city(ROOT / "cities" / city), home, warm=warm)
            return open_snapshot(home, city)
        except CityBuildBusyError:
            # Another process is building it.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)

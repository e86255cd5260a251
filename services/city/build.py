"""Building a city snapshot: from `city.toml` and its files to an immutable folder of arrays.

The snapshot is made in a temporary folder beside the old ones, renamed when it is complete, and then the pointer is swapped:
whatever happens before that, Ctrl-C and ``kill -9`` included, leaves the old snapshot working.
"""

import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from services.city.config import CITY_FILE, CityConfig, read_city
from services.city.layout import BUILDING, CityHome
from services.city.manifest import Manifest, list_files
from services.city.steps import STEPS, Building, Step
from services.city.warm import warm_kernels, warming_aside

Progress = Callable[[str, float], None]
"""Called with the title of the step and the share of it that is done (0 … 1)."""

KEPT_SNAPSHOTS = 3
TIMINGS = "timings.json"


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build did.

    Attributes
    ----------
    folder : Path
        Of the snapshot.
    epoch : int
        Of the pointer.
    is_new : bool
        False if a snapshot of the same inputs was there already.
    seconds : dict
        By step.
    """

    folder: Path
    epoch: int
    is_new: bool
    seconds: dict[str, float]
    manifest: Manifest


def build_city(city_dir: Path, home: Path, progress: Progress | None = None) -> Path:
    """Build the snapshot of a city, if its inputs changed, and make it the current one.

    Returns
    -------
    Path
        Folder of the snapshot.

    Raises
    ------
    CityConfigError, CityInputError
        If something is wrong with `city.toml` or a file it names.
    CityBuildBusyError
        If another process is building the same city.
    """
    return build_snapshot(read_city(city_dir), home, progress).folder


def build_snapshot(
    city: CityConfig, home: Path, progress: Progress | None = None, steps: Sequence[Step] = STEPS, warm: bool = True
) -> BuildResult:
    """Like `build_city`, and say what was done; `warm` compiles the kernels too, which only matters the first time."""
    say = progress or (lambda _step, _share: None)
    places = CityHome.of(home, city.name)
    seconds: dict[str, float] = {}
    with places.lock():
        places.clean()
        started = time.monotonic()
        say("inputs", 0.0)
        plan = Manifest.plan(city)
        seconds["inputs"] = time.monotonic() - started
        say("inputs", 1.0)
        folder = places.snapshots / plan.id
        is_new = not folder.exists()
        started = time.monotonic()
        with warming_aside(warm and is_new) as wait_for:
            manifest = _build(city, places, plan, steps, say, seconds) if is_new else Manifest.read(folder)
            started = time.monotonic()
            if warm:
                warm_kernels(folder, lambda share: say("kernels", share), wait_for)
                seconds["kernels"] = time.monotonic() - started
        epoch = places.swap(plan.id).epoch
        places.prune(KEPT_SNAPSHOTS)
    return BuildResult(folder, epoch, is_new, seconds, manifest)


def _build(
    city: CityConfig, places: CityHome, plan: Manifest, steps: Sequence[Step], say: Progress, seconds: dict[str, float]
) -> Manifest:
    folder = places.snapshots / f"{BUILDING}{os.getpid()}"
    folder.mkdir()
    try:
        building = Building(city, folder)
        for step in steps:
            started = time.monotonic()
            say(step.title, 0.0)
            step.run(building, lambda share, title=step.title: say(title, share))  # type: ignore[misc]
            say(step.title, 1.0)
            seconds[step.name] = time.monotonic() - started
        shutil.copyfile(city.folder / CITY_FILE, folder / CITY_FILE)
        manifest = replace(plan, counts=building.counts, warnings=tuple(building.warnings), files=list_files(folder))
        manifest.write(folder)
        # Not part of what is the same for the same inputs.
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        timings = {"seconds": {name: round(value, 3) for name, value in seconds.items()}, "peak_mb": peak_mb}
        (folder / TIMINGS).write_text(json.dumps(timings, indent=1) + "\n", encoding="utf-8")
        os.rename(folder, places.snapshots / plan.id)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return manifest

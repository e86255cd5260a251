"""Compiling the engines' kernels while a city is built, so that no first request waits for the compiler.

An engine offers a module with a function ``warm``. Its parameters say what it needs, by name: ``graph`` (`StreetGraph`),
``timetable`` (`Timetable`), ``car_parks``, ``signal_sites``, ``index`` (`PlaceIndex`), all mapped, as in service; ``engine``
is the `StreetEngine`. Modules that do not exist and functions that need a timetable in a city without one are passed over.
"""

import contextlib
import ctypes
import importlib
import importlib.util
import inspect
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import SpawnProcess
from pathlib import Path

from routing.model.car_parks import CarParks
from routing.model.places import PlaceIndex
from routing.model.signal_sites import SignalSites
from routing.model.street_graph import StreetGraph
from routing.model.timetable import Timetable
from services.city import arrays
from services.city.errors import CityError
from services.city.hierarchies import load_hierarchies
from services.common.compiling import compile_once

WARM_MODULES = (
    "routing.street.warm", "routing.places.search", "routing.transit.warm", "routing.multimodal.warm", "traffic_lights.warm",
    "routing.rounds.warm",
)  # fmt: skip
"""In this order: what is compiled aside comes late, the longest last, and journeys after the timetables they use."""

ASIDE = (("routing.rounds.warm",), ("routing.transit.warm", "traffic_lights.warm"))
"""What needs no snapshot, by the process that compiles it while a city is built."""

_PR_SET_PDEATHSIG = 1

_SECTIONS: dict[str, tuple[str, type[object]]] = {
    "graph": ("street", StreetGraph),
    "timetable": ("transit", Timetable),
    "car_parks": ("parking", CarParks),
    "signal_sites": ("signals", SignalSites),
    "index": ("places", PlaceIndex),
    "engine": ("street", StreetGraph),
}


def warm_kernels(
    folder: Path, say: Callable[[float], None] | None = None, wait_for: Callable[[str], object] | None = None
) -> list[str]:
    """Call every ``warm`` with the sections of a snapshot; quick when machine code is cached.

    Parameters
    ----------
    folder
        The snapshot.
    say
        Told the share that is done.
    wait_for
        Called with each module's name before its turn, see `warming_aside`.

    Returns
    -------
    list of str
        The modules that were warmed.

    Raises
    ------
    CityError
        If a ``warm`` asks for something unknown.
    """
    tell = say or (lambda _share: None)
    done = []
    for i, name in enumerate(WARM_MODULES):
        tell(i / len(WARM_MODULES))
        if not _exists(name):
            continue
        if wait_for is not None:
            wait_for(name)
        function = importlib.import_module(name).warm
        wanted = list(inspect.signature(function).parameters)
        unknown = [parameter for parameter in wanted if parameter not in _SECTIONS]
        if unknown:
            raise CityError(f"{name}.warm asks for {', '.join(unknown)}: it can have {', '.join(_SECTIONS)}")
        if all((folder / _SECTIONS[parameter][0]).exists() for parameter in wanted):
            function(**{parameter: _get_input(folder, parameter) for parameter in wanted})
            done.append(name)
    if (folder / "transit").exists():
        _first_journey(arrays.load(folder / "transit", Timetable))
    tell(1.0)
    return done


@contextlib.contextmanager
def warming_aside(enabled: bool = True) -> Iterator[Callable[[str], object]]:
    """Compile what needs no snapshot in other processes meanwhile; the machine code meets in the cache on disk.

    Gives a function that waits until a module (see `ASIDE`) has been compiled. Whatever went wrong there goes wrong again, and
    is said, in `warm_kernels`.
    """
    spawning = multiprocessing.get_context("spawn")
    children = [spawning.Process(target=_warm_aside, args=(os.getpid(), names), daemon=True) for names in ASIDE if enabled]
    of_module = {name: child for names, child in zip(ASIDE, children, strict=False) for name in names}
    started: list[SpawnProcess] = []
    if enabled:
        compile_once()
    try:
        for child in children:
            child.start()
            started.append(child)
        yield lambda name: of_module[name].join() if name in of_module else None
    finally:
        for child in started:
            child.terminate()
            child.join()


def _warm_aside(parent: int, names: Sequence[str]) -> None:
    # Ctrl-C reaches both processes: the parent decides. And a killed parent must leave nothing behind.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            return
    compile_once()
    for name in names:
        if _exists(name):
            importlib.import_module(name).warm()


def _get_input(folder: Path, parameter: str) -> object:
    from routing.street.api import StreetEngine  # noqa: PLC0415 - engines are not needed to make or open a snapshot

    section, cls = _SECTIONS[parameter]
    value = arrays.load(folder / section, cls)
    if parameter == "engine" and isinstance(value, StreetGraph):
        return StreetEngine(value, hierarchies=load_hierarchies(folder))
    return value


def _first_journey(timetable: Timetable) -> None:
    """Search once on mapped arrays: read-only arrays are another type to the compiler than those that `warm` draws."""
    from routing.transit.api import TransitEngine, stop_to_stop  # noqa: PLC0415

    if not timetable.trip_count:
        return
    first, second = int(timetable.pattern_stops[0]), int(timetable.pattern_stops[1])
    time_s = int(timetable.day_start_s[0, timetable.day_count // 2]) + 8 * 3600
    engine = TransitEngine(timetable)
    engine.plan(stop_to_stop([first], [second], time_s))
    engine.departures(first, time_s)


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False

"""Moving a running service to a new snapshot: opened beside the old one, checked, and swapped at once.

A request works with the values it took when it began, to its end; the old maps live as long as somebody refers to them. When
a new snapshot cannot be used the old one goes on, and the log says why.
"""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from services.city.errors import CityError
from services.city.snapshot import CitySnapshot, current_epoch, open_snapshot
from services.common.current import Current

LOOK_EVERY_S = 1.0
MOST_COLLECTIONS = 60
"""How often garbage is looked for after a swap, once every look, until the old city is gone."""

log = structlog.get_logger("city")


class City(Protocol):
    """What a service makes of one snapshot: engines, live state, and the work that keeps them up to date.

    Attributes
    ----------
    ready : asyncio.Event
        Set by `run` as soon as requests can be answered.
    """

    ready: asyncio.Event

    @property
    def snapshot(self) -> CitySnapshot:
        """What it was made of."""
        ...

    async def run(self) -> None:
        """Work for ever; cancelled when another city has taken its place."""
        ...

    async def adopt(self) -> None:
        """Let requests that come from now on see this city; called once, when it is ready."""
        ...


C = TypeVar("C", bound=City)


async def follow_snapshots(
    home: Path,
    name: str,
    current: Current[C],
    build_next: Callable[[CitySnapshot, C], Awaitable[C]],
    look_every_s: float = LOOK_EVERY_S,
) -> None:
    """Run the city a service started with, and in its place each newer one, for ever.

    Parameters
    ----------
    home, name : Path, str
        Where the pointer to the current snapshot is.
    current : Current of City
        The one a service started with, already adopted; replaced as soon as the next one is.
    build_next : callable
        Makes a city of a new snapshot, given the present one; long work in a thread.

    Raises
    ------
    Exception
        What the present city's work raises. Never what a new one does before it is adopted: it is logged.
    """
    running: asyncio.Future[None] = asyncio.ensure_future(current.take().run())
    seen = current.take().snapshot.epoch
    old = _Leaving()
    try:
        while True:
            await asyncio.wait([running], timeout=look_every_s)
            if running.done():
                running.result()
                return
            await old.collect()
            epoch = _epoch(home, name)
            if epoch in (0, seen):
                continue
            seen = epoch
            found = await _try_next(home, name, current.take(), build_next)
            if found is None:
                continue
            old = _Leaving(weakref.ref(current.take().snapshot))
            await found[0].adopt()
            current.swap(found[0])
            await _cancelled(running)
            running = found[1]
            log.info("city_swapped", city=name, snapshot=found[0].snapshot.id, epoch=found[0].snapshot.epoch)
            del found
            await old.collect()
    finally:
        await _cancelled(running)


class _Leaving:
    """An old city on its way out: engines refer to each other in circles, and their maps are too large to wait for chance."""

    def __init__(self, snapshot: "weakref.ref[CitySnapshot] | None" = None) -> None:
        self._snapshot, self._tries = snapshot, 0

    async def collect(self) -> None:
        """Look for garbage if the old city is still there; what requests use stays until a later call."""
        if self._snapshot is None:
            return
        await asyncio.to_thread(gc.collect)
        self._tries += 1
        used = self._snapshot()
        if used is None:
            self._snapshot = None
        elif self._tries == MOST_COLLECTIONS:
            log.warning("old_city_still_in_use", snapshot=used.id)
            self._snapshot = None


async def _try_next(
    home: Path, name: str, city: C, build_next: Callable[[CitySnapshot, C], Awaitable[C]]
) -> "tuple[C, asyncio.Future[None]] | None":
    """The new city and its work once it is ready; None, and a line in the log, if it cannot be used."""
    running: asyncio.Future[None] | None = None
    try:
        snapshot = await asyncio.to_thread(_open_checked, home, name)
        found = await build_next(snapshot, city)
        running = asyncio.ensure_future(found.run())
        ready = asyncio.ensure_future(found.ready.wait())
        try:
            await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if running.done():
            running.result()
            raise CityError("its work ended before it was ready")
    except asyncio.CancelledError:
        await _cancelled(running)
        raise
    except Exception as error:  # whatever is wrong with the new one, the old one must go on
        await _cancelled(running)
        log.error("new_city_not_usable", city=name, error=f"{type(error).__name__}: {error}", kept=city.snapshot.id)
        return None
    return found, running


def _open_checked(home: Path, name: str) -> CitySnapshot:
    snapshot = open_snapshot(home, name)
    snapshot.check()
    return snapshot


def _epoch(home: Path, name: str) -> int:
    """Epoch of the pointer, 0 while it cannot be read."""
    try:
        return current_epoch(home, name)
    except CityError as error:
        log.error("city_pointer_not_readable", city=name, error=str(error))
        return 0


async def _cancelled(running: "asyncio.Future[None] | None") -> None:
    if running is not None:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await running

"""Who commands the signals of a city: one service at a time, and every command says since when.

The lease is a document on the durable state server that its holder writes again every few seconds. Its version only grows;
the version at which the lease was taken is the *fence* that goes into the numbers of commands, so that a controller at the
street which refuses numbers lower than the last obeys no service that lost the lease and does not know it yet. Nobody
compares clocks of two machines: who stands by waits until the version has not changed for `LeaseTimes.ttl_s` of its own
monotonic clock; who holds it stops `margin_s` earlier.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from services.common.errors import Aborted, StateUnavailable
from services.common.state import State

COLLECTION, NAME = "signals/lease", "control"
_log = structlog.get_logger("signals")


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Times of the lease, seconds.

    Attributes
    ----------
    ttl_s : float
        A lease that is not written again for so long may be taken by another.
    margin_s : float
        Its holder stops this long before.
    every_s : float
        How often it is written, or looked at.
    """

    ttl_s: float = 10.0
    margin_s: float = 2.0
    every_s: float = 2.0


@dataclass(slots=True)
class Lease:
    """The right to command, as this service knows it.

    Attributes
    ----------
    state : State
    times : LeaseTimes
    holder : str
        Name of this service, different in every start.
    monotonic : Callable[[], float]
        Seconds of a clock that nobody sets.
    fence : int
        Version at which the lease was taken; 0 = it never was.
    """

    state: State
    times: LeaseTimes = field(default_factory=LeaseTimes)
    holder: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    monotonic: Callable[[], float] = time.monotonic
    fence: int = 0
    other: str = ""
    _version: int = 0
    _until_s: float = float("-inf")
    _watched: tuple[int, float] = (-1, 0.0)

    @property
    def held(self) -> bool:
        """Whether this service may command now."""
        return self.monotonic() < self._until_s

    async def attempt(self) -> bool:
        """Take the lease if it is free, renew it if it is ours; whether it is held then.

        Raises
        ------
        StateUnavailable
            If the durable state server does not answer; what is held runs out by itself.
        """
        started_s = self.monotonic()
        found = await self.state.settings.find(COLLECTION, NAME, str)
        version, holder = (found.version, found.value) if found else (0, "")
        if holder not in ("", self.holder):
            self.other = holder
            if version != self._watched[0]:
                self._watched = (version, started_s)
            if started_s - self._watched[1] < self.times.ttl_s:
                self._until_s = float("-inf")
                return False
        ours = holder == self.holder and version == self._version  # nobody else wrote since
        self._version = -1  # unless the answer arrives nobody knows what became of the writing
        try:
            written = await self.state.settings.put(COLLECTION, NAME, self.holder, expected_version=version)
        except Aborted:
            self._until_s = float("-inf")
            return False
        self._version = written
        self.fence = self.fence if ours else written
        self._until_s = started_s + self.times.ttl_s - self.times.margin_s
        return True

    async def release(self) -> None:
        """Give the lease back, so that the next service need not wait."""
        if self.held:
            self._until_s = float("-inf")
            try:
                await self.state.settings.put(COLLECTION, NAME, "", expected_version=self._version)
            except (Aborted, StateUnavailable) as error:
                _log.warning("lease_not_released", reason=str(error))

    async def keep(self) -> None:
        """Take and renew for ever; gives the lease back when cancelled."""
        try:
            while True:
                before = self.held
                try:
                    await self.attempt()
                except StateUnavailable as error:
                    _log.error("lease_not_renewed", reason=str(error))
                if self.held != before:
                    _log.info("lease", held=self.held, fence=self.fence, other="" if self.held else self.other)
                await asyncio.sleep(self.times.every_s)
        finally:
            await self.release()

"""Improving plans for a moment after each change, in solver processes, while other calls are served.

The rounds are not locked meanwhile: what is found is taken over only where the plan is still the one that was looked at. A
change that arrives first wins, and the plan is looked at again after it.
"""

import asyncio
import os

import structlog

from routing.errors import RoutingError
from services.common.deadline import Deadline, set_deadline
from services.common.errors import ServiceError
from services.rounds.codec import PolishOrder
from services.rounds.kept import Wish
from services.rounds.live import LiveRounds
from services.rounds.pool import SolverPool

QUIET_S = 0.25
"""Changes that follow each other within this are waited for."""

log = structlog.get_logger("rounds")


class Polisher:
    """Polishes plans, those of one job one after the other.

    Parameters
    ----------
    live : LiveRounds
        Whose plans; it says when one changed.
    pool : SolverPool
    seconds : float
        How long; 0 = never.
    """

    def __init__(self, live: LiveRounds, pool: SolverPool, seconds: float) -> None:
        self._live, self._pool, self._seconds = live, pool, seconds
        self._wishes: dict[str, Wish] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        if seconds > 0:
            live.on_change = self.soon

    def soon(self, rounds_id: str, wish: Wish) -> None:
        """Polish a plan that has just changed, after what is under way for the same rounds."""
        before = self._wishes.get(rounds_id)
        self._wishes[rounds_id] = wish if before is None else before.and_then(wish)
        if rounds_id not in self._tasks:
            self._tasks[rounds_id] = asyncio.get_running_loop().create_task(self._work(rounds_id), name="polish rounds")

    async def idle(self) -> None:
        """Wait until nothing is polished."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values())

    async def close(self) -> None:
        """End all work."""
        self._wishes.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, rounds_id: str) -> None:
        set_deadline(Deadline())  # not that of the call that changed the plan, nor its words in the log
        structlog.contextvars.clear_contextvars()
        try:
            while rounds_id in self._wishes:
                await asyncio.sleep(QUIET_S)
                wish = self._wishes.pop(rounds_id)
                taken_over = await self._polish(rounds_id, wish)
                if not taken_over and (later := self._wishes.get(rounds_id)) is not None:
                    self._wishes[rounds_id] = wish.and_then(later)
        except (ServiceError, RoutingError) as error:
            log.info("not_polished", job=rounds_id, error=str(error))
        except Exception as error:
            # The plan is as good as it was; what nobody foresaw here must not end anything else.
            log.error("polishing_broke", job=rounds_id, exc_info=error)
        finally:
            del self._tasks[rounds_id]
            if rounds_id in self._wishes:
                self.soon(rounds_id, self._wishes.pop(rounds_id))

    async def _polish(self, rounds_id: str, wish: Wish) -> bool:
        version, file = 0, -1

        async def order() -> PolishOrder | None:
            nonlocal version, file
            if rounds_id in self._wishes:  # changed again while all solvers were busy: it is polished after that
                return None
            looked = await self._live.look(rounds_id, wish, self._seconds)
            made, version, file = looked or (None, 0, -1)
            return made

        try:
            found = await self._pool.polish(order)
        finally:
            if file >= 0:
                os.close(file)
        if found is None or not found.routes or not await self._live.adopt(rounds_id, wish, version, found):
            return False
        log.info("polished", job=rounds_id, iterations=found.iterations, saved=round(found.saved, 1))
        return True

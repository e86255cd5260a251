"""One city snapshot in service: streets with live traffic, and the servicer that plans in them."""

import asyncio

from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.live.state import LiveState, Topic
from services.common.state import State
from services.rounds.city import RoundsCity
from services.rounds.pool import SolverPool
from services.rounds.servicer import RoundsServicer


class ServedCity:
    """What rounds are planned in, for as long as it is the newest; calls and jobs under way keep it to their end.

    Parameters
    ----------
    city : RoundsCity
    clock, state, pool
        What stays when the snapshot changes.
    before : LiveState, optional
        Live state of the city whose place this one takes.
    polish_s : float
        How long plans are improved after each change; 0 = not at all.
    follow_s : float
        City seconds between two looks at the traffic ahead of plans that follow it; 0 = never.
    """

    def __init__(
        self,
        city: RoundsCity,
        clock: CityClock,
        state: State,
        pool: SolverPool,
        before: LiveState | None = None,
        polish_s: float = 0.0,
        follow_s: float = 0.0,
    ) -> None:
        self.city, self.live = city, LiveState(state, clock, street=city.street, after=before)
        self.ready: asyncio.Event = self.live.ready
        self.servicer = RoundsServicer(city, pool, state, polish_s, follow_s)
        self.live.on_change(self._on_change)

    @property
    def snapshot(self) -> CitySnapshot:
        """What it was made of."""
        return self.city.snapshot

    async def adopt(self) -> None:
        """Nothing but the servicer depends on the city."""

    async def run(self) -> None:
        """Follow the traffic for ever, and let plans follow it."""
        plans = asyncio.create_task(self.servicer.follower.run(), name="plans follow traffic")
        try:
            await self.live.follow()
        finally:
            plans.cancel()
            await asyncio.gather(plans, return_exceptions=True)

    def _on_change(self, topic: Topic) -> None:
        if topic is Topic.TRAFFIC:
            self.city.traffic = self.live.traffic

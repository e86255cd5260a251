"""The view that requests take: follows live state, and moves to a new snapshot of the city without failing anybody."""

import asyncio
from collections.abc import Callable

from routing.multimodal.warm import list_warm_requests, warm_request
from routing.street.api import StreetEngine
from services.city.snapshot import CitySnapshot
from services.common.clock import CityClock
from services.common.live.state import LiveState, Topic
from services.journeys.car_metrics import METRIC_BYTES
from services.journeys.view import CityEngines, JourneyView

LiveOf = Callable[[CityEngines, LiveState | None], LiveState]
"""Makes the live state for a city; its epochs go on from those of the one before."""


class ViewKeeper:
    """Makes a new view whenever a live topic or the city itself changes; readers take `view` once per request.

    Parameters
    ----------
    snapshot : CitySnapshot
    clock : CityClock
    metric_bytes : int
        Bound of the memory for metrics of streets, for each city served.

    Attributes
    ----------
    engines : CityEngines
    view : JourneyView
    ready : asyncio.Event
        Set once the first view with real time (whatever there is of it) has been made.
    changed : asyncio.Condition
        Notified after each swap.
    """

    def __init__(self, snapshot: CitySnapshot, clock: CityClock, metric_bytes: int = METRIC_BYTES) -> None:
        self._clock, self._metric_bytes = clock, metric_bytes
        self.engines = CityEngines(snapshot, clock, metric_bytes)
        self.view = self.engines.first_view
        self.changed = asyncio.Condition()
        self.ready = asyncio.Event()

    @property
    def snapshot(self) -> CitySnapshot:
        """The snapshot of the present view."""
        return self.view.snapshot

    @property
    def street(self) -> StreetEngine:
        """Streets of the present view."""
        return self.engines.street

    def now(self) -> float:
        """City time, unix seconds."""
        return self._clock.now()

    async def follow(self, live: LiveState) -> None:
        """Follow `live` for ever with the present engines."""
        await FollowedCity(self, self.engines, live).follow()

    def first_city(self, live_of: LiveOf) -> "FollowedCity":
        """The snapshot that the keeper was made with, to be run."""
        return FollowedCity(self, self.engines, live_of(self.engines, None))

    async def next_city(self, snapshot: CitySnapshot, before: "FollowedCity", live_of: LiveOf) -> "FollowedCity":
        """Another snapshot beside the present one: to be run, and adopted when it is ready."""
        engines = await asyncio.to_thread(CityEngines, snapshot, self._clock, self._metric_bytes)
        return FollowedCity(self, engines, live_of(engines, before.live))

    async def show(self, engines: CityEngines, view: JourneyView) -> None:
        """Swap a view in, unless the keeper has gone on to other engines."""
        if engines is not self.engines:
            return
        self.view = view
        async with self.changed:
            self.changed.notify_all()

    async def adopt(self, engines: CityEngines, view: JourneyView) -> None:
        """Answer with other engines from now on."""
        self.engines = engines
        await self.show(engines, view)


class FollowedCity:
    """One snapshot with its live state; its views are shown while the keeper answers with its engines."""

    def __init__(self, keeper: ViewKeeper, engines: CityEngines, live: LiveState) -> None:
        self._keeper, self._engines, self.live = keeper, engines, live
        self._view = engines.first_view
        self._pending: set[Topic] = set(Topic)
        self._wake = asyncio.Event()
        self.ready = asyncio.Event()

    @property
    def snapshot(self) -> CitySnapshot:
        """What is followed."""
        return self._engines.snapshot

    async def run(self) -> None:
        """Follow the live state and make views of it, for ever."""
        tasks = [asyncio.ensure_future(work) for work in (self.live.follow(), self.follow())]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def adopt(self) -> None:
        """Let all requests that come from now on see this city."""
        await self._keeper.adopt(self._engines, self._view)

    async def follow(self) -> None:
        """Make a view after each change, for ever; in a thread, and swapped at once."""
        self.live.on_change(self._on_change)
        self._wake.set()
        if self._view.snapshot is not self._keeper.snapshot:
            await self.live.ready.wait()
        while True:
            await self._wake.wait()
            self._wake.clear()
            topics, self._pending = self._pending, set()
            self._view = await asyncio.to_thread(self._engines.next_view, self._view, self.live, topics)
            await self._keeper.show(self._engines, self._view)
            if not self.ready.is_set():
                await self._warm()

    async def _warm(self) -> None:
        """Ready after one plan; what the other questions need besides is loaded at once afterwards."""
        requests = await asyncio.to_thread(list_warm_requests, self._view.network, int(self._keeper.now()))
        for request in requests[:1]:
            await asyncio.to_thread(warm_request, self._view.network, request)
        self.ready.set()
        self._keeper.ready.set()
        for request in requests[1:]:
            await asyncio.to_thread(warm_request, self._view.network, request)
        await asyncio.to_thread(self._engines.begin_predicting, self._view)

    def _on_change(self, topic: Topic) -> None:
        self._pending.add(topic)
        self._wake.set()

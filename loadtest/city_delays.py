"""The way of a delay: published in a feed's file, until answers show it. Only delays are chosen that must show.

The expected answer is computed beside the service, with the engines, from the same snapshot and the same live records with the
delay laid over the trip. A delay is taken if that answer has other rides on the trip than the present one; it is seen once the
service's rides on the trip are no longer the old ones and are all as late as published.
"""

import asyncio
import copy
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from traboule.journeys.v1 import itinerary_pb2, journeys_service_pb2_grpc, plan_pb2

from routing.transit.api import TripChange
from services.common.clock import CityClock
from services.common.config import load_config
from services.common.live.state import LiveState, Topic
from services.common.state import State
from services.demo.running import RunningCity, wait_for
from services.journeys.keeper import ViewKeeper
from services.journeys.servicer import JourneysServicer

DELAY_S = 600
GIVE_UP_S = 10.0

Rides = frozenset[tuple[int, int, int]]
"""Rides on one trip: expected departure, expected arrival, lateness at arrival."""


@dataclass(frozen=True, slots=True)
class SeenDelay:
    """One published delay.

    Attributes
    ----------
    seconds : float or None
        From the publication until an answer showed it; None if none did in time.
    as_computed : bool
        Whether the answer's rides on the trip were in the end those computed beforehand (other news may have come between).
    """

    trip_id: str
    seconds: float | None
    as_computed: bool


class Expected:
    """Answers as they must be, computed in this process from what the city's state servers hold."""

    def __init__(self, clock: CityClock, live: LiveState, keeper: ViewKeeper) -> None:
        self._live, self._engines = live, keeper.engines
        self._servicer = JourneysServicer(keeper, clock)

    def answer(self, question: plan_pb2.PlanJourneysRequest, late: TripChange) -> plan_pb2.PlanJourneysResponse:
        """Answer with one more trip late, as the feed would say it."""
        live = copy.copy(self._live)
        key = (late.feed, late.trip_id, late.service_date)
        rows = live.trips.changes
        found = next((row for row in rows if (row.feed, row.trip_id, row.service_date) == key), None)
        if found is not None:
            calls = (replace(stop, arrival_time_s=None, departure_time_s=None) for stop in found.stops)
            stops = tuple(replace(stop, arrival_delay_s=late.delay_s, departure_delay_s=late.delay_s) for stop in calls)
            late = replace(found, delay_s=late.delay_s, stops=stops)
        live.trips = replace(live.trips, changes=(*(row for row in rows if row is not found), late))
        view = self._engines.next_view(self._engines.first_view, live, {Topic.TRIPS, Topic.TRAFFIC, Topic.CAR_PARKS})
        return self._servicer.plan(view, question)


@asynccontextmanager
async def computing(city: RunningCity) -> AsyncIterator[Expected]:
    """Engines beside the city's, following the same state."""
    assert city.supervisor.state is not None
    config = load_config({**os.environ, **city.supervisor.state.environment(), "TRABOULE_CITIES": city.config.city})
    keeper = await asyncio.to_thread(ViewKeeper, city.snapshot, city.clock)
    async with (
        State.connect(config) as state,
        LiveState(state, city.clock, street=keeper.street, car_parks=city.snapshot.car_parks) as live,
    ):
        await live.ready.wait()
        yield Expected(city.clock, live, keeper)


async def measure_delays(
    city: RunningCity,
    stub: journeys_service_pb2_grpc.JourneysServiceStub,
    questions: Iterable[plan_pb2.PlanJourneysRequest],
    count: int,
) -> list[dict[str, Any]]:
    """Publish delays one after the other and wait for each; at most one a question and a trip."""
    feeds = {feed.static_feed: feed.id for feed in city.snapshot.city.feeds if feed.kind == "gtfs-rt-trip-updates"}
    seen: dict[str, SeenDelay] = {}
    async with computing(city) as expected:
        for question in questions:
            if len(seen) == count:
                break
            answer = await stub.PlanJourneys(question)  # type: ignore[misc]
            for ride in (leg.transit for i in answer.itineraries for leg in i.legs if leg.HasField("transit") and leg.realtime):
                feed, _, trip_id = ride.trip_id.partition(":")
                if feed not in feeds or ride.trip_id in seen:
                    continue
                late = TripChange(feed=feed, trip_id=trip_id, service_date=ride.service_date, delay_s=DELAY_S)
                must = rides_on(await asyncio.to_thread(expected.answer, question, late), ride.trip_id)
                if must != rides_on(answer, ride.trip_id):
                    seen[ride.trip_id] = await _until_seen(city, stub, question, answer, ride, feeds[feed], must)
                    break
    return [asdict(row) for row in seen.values()]


async def _until_seen(
    city: RunningCity,
    stub: Any,
    question: plan_pb2.PlanJourneysRequest,
    answer: plan_pb2.PlanJourneysResponse,
    ride: itinerary_pb2.TransitRide,
    feed_id: str,
    must: Rides,
) -> SeenDelay:
    before = rides_on(answer, ride.trip_id)
    trip_id = ride.trip_id.partition(":")[2]
    body = {"feed": feed_id, "trip_id": trip_id, "start_date": ride.service_date, "delay_s": DELAY_S}
    await city.inject("delay", body)
    now = before

    async def shows() -> bool:
        nonlocal now
        now = rides_on(await stub.PlanJourneys(question), ride.trip_id)
        return now != before and all(lateness_s == DELAY_S for _, _, lateness_s in now)

    visible, took = await wait_for(shows, GIVE_UP_S)
    return SeenDelay(ride.trip_id, took if visible else None, now == must)


def rides_on(answer: plan_pb2.PlanJourneysResponse, trip_id: str) -> Rides:
    """Rides of all itineraries on one trip, each once."""
    legs = (leg for i in answer.itineraries for leg in i.legs if leg.HasField("transit") and leg.transit.trip_id == trip_id)
    return frozenset((_at(leg.departure), _at(leg.arrival), _at(leg.arrival) - leg.arrival.scheduled_unix_s) for leg in legs)


def _at(time: Any) -> int:
    """Expected moment of a departure or arrival."""
    return int(time.realtime_unix_s if time.HasField("realtime_unix_s") else time.scheduled_unix_s)

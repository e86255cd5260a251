"""WatchJourney follows one journey through real time: real state servers, real records, a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb
from traboule.journeys.v1 import plan_pb2

from services.city.snapshot import CitySnapshot
from services.common.live.state import LiveState, Topic
from services.common.records import Provenance, TripUpdate
from services.common.state import State
from services.journeys.keeper import ViewKeeper
from services.journeys.retime import retimed
from services.journeys.watch import judge
from tests.builders.journeys import at, journeys_stub, plan_request, standing_clock, starts_s
from tests.builders.servers import state_of, state_servers
from tests.builders.waiting import PATIENCE_S, soon, until

Event = plan_pb2.WatchJourneyResponse
PROVENANCE = Provenance("0" * 64, "http://feed/x", "gtfs-rt")


def update(leg: pb.Leg, delay_s: int | None, relationship: Any = "SCHEDULED") -> TripUpdate:
    """A trip update of the operator for the trip of a leg."""
    feed, _, trip_id = leg.transit.trip_id.partition(":")
    return TripUpdate(
        feed=f"{feed}-rt",
        entity=trip_id,
        observed_at=at("08:30"),
        received_at=at("08:30"),
        valid_until=at("12:00"),
        provenance=PROVENANCE,
        static_feed=feed,
        trip_id=trip_id,
        start_date=leg.transit.service_date,
        relationship=relationship,
        delay_s=delay_s,
    )


@asynccontextmanager
async def following(snapshot: CitySnapshot, home: Path) -> AsyncIterator[tuple[Any, State, ViewKeeper]]:
    """A server whose view follows a state; (stub, state, keeper)."""
    clock = standing_clock()
    with state_servers(home / "state") as servers:
        async with state_of(servers, "porto") as state:
            keeper = ViewKeeper(snapshot, clock)
            live = LiveState(state, clock, street=keeper.street, car_parks=snapshot.car_parks)
            async with live:
                task = asyncio.create_task(keeper.follow(live))
                try:
                    await soon(keeper.ready.wait())
                    async with journeys_stub(keeper, clock, home) as stub:
                        yield stub, state, keeper
                finally:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)


async def publish(state: State, *updates: TripUpdate) -> None:
    """Publish updates as ingest does."""
    for feed in {row.feed for row in updates}:
        rows = [row for row in updates if row.feed == feed]
        await state.publish_latest("trip_updates", feed, rows, received_at=at("08:30"))


@pytest.mark.slow
async def test_a_delay_and_a_cancellation_reach_the_traveller(porto_snapshot: CitySnapshot, tmp_path: Path) -> None:
    """Watch, delay the ride by four minutes, cancel it: three messages, each with what it says; then the stream ends."""
    async with following(porto_snapshot, tmp_path) as (stub, state, _):
        plan = plan_request(modes=[pb.MODE_TRANSIT])
        first = (await stub.PlanJourneys(plan)).itineraries[0]
        ride = next(leg for leg in first.legs if leg.HasField("transit"))
        messages = aiter(stub.WatchJourney(plan_pb2.WatchJourneyRequest(plan=plan, itinerary_id=first.itinerary_id)))
        started = await soon(anext(messages))
        assert started.event == Event.EVENT_STARTED
        assert started.itinerary.itinerary_id == first.itinerary_id

        await publish(state, update(ride, 240))
        moved = await soon(anext(messages))
        assert moved.event in (Event.EVENT_TIMES_CHANGED, Event.EVENT_BETTER_FOUND)
        late = next(leg for leg in moved.itinerary.legs if leg.HasField("transit"))
        assert late.transit.trip_id == ride.transit.trip_id
        assert late.departure.scheduled_unix_s == ride.departure.scheduled_unix_s, "the schedule stays readable"
        assert late.departure.realtime_unix_s == ride.departure.scheduled_unix_s + 240
        assert moved.stamp.realtime_epoch > started.stamp.realtime_epoch

        await publish(state, update(ride, None, "CANCELED"))
        async with asyncio.timeout(PATIENCE_S):
            async for broken in messages:
                if broken.event == Event.EVENT_BROKEN:
                    break
        assert broken.event == Event.EVENT_BROKEN
        rides = [leg.transit.trip_id for i in broken.alternatives for leg in i.legs if leg.HasField("transit")]
        assert rides, "an alternative is offered"
        assert ride.transit.trip_id not in rides


@pytest.mark.slow
async def test_planning_again_uses_the_delay_at_once(porto_snapshot: CitySnapshot, tmp_path: Path) -> None:
    """Answers change with the view; ignore_realtime still answers by the schedule."""
    async with following(porto_snapshot, tmp_path) as (stub, state, keeper):
        plan = plan_request(modes=[pb.MODE_TRANSIT])
        before = (await stub.PlanJourneys(plan)).itineraries
        ride = next(leg for leg in before[0].legs if leg.HasField("transit"))
        seen = keeper.view.epochs[Topic.TRIPS]
        await publish(state, update(ride, 1200))
        await until(lambda: keeper.view.epochs[Topic.TRIPS] > seen, "a view with the delay")
        after = await stub.PlanJourneys(plan)
        assert any(age.feed_id == f"{ride.transit.trip_id.partition(':')[0]}-rt" for age in after.stamp.feeds)
        late = [leg for i in after.itineraries for leg in i.legs if leg.transit.trip_id == ride.transit.trip_id]
        assert all(starts_s(leg) == leg.departure.scheduled_unix_s + 1200 for leg in late)
        plan.ignore_realtime = True
        scheduled = (await stub.PlanJourneys(plan)).itineraries
        assert [i.itinerary_id for i in scheduled] == [i.itinerary_id for i in before]


@pytest.mark.slow
async def test_a_beaten_journey_is_retimed_not_called_broken(porto_snapshot: CitySnapshot, tmp_path: Path) -> None:
    """Half an hour late, other journeys are better and the planner drops it; on board one still arrives."""
    async with following(porto_snapshot, tmp_path) as (stub, state, keeper):
        itinerary = next(
            i for i in (await stub.PlanJourneys(plan_request(modes=[pb.MODE_TRANSIT]))).itineraries if i.transfer_count == 0
        )
        ride = next(leg for leg in itinerary.legs if leg.HasField("transit"))
        unchanged = retimed(itinerary, keeper.view.network.transit, at("08:30"))
        assert unchanged == itinerary
        seen = keeper.view.epochs[Topic.TRIPS]
        await publish(state, update(ride, 1800))
        await until(lambda: keeper.view.epochs[Topic.TRIPS] > seen, "a view with the delay")
        moved = retimed(itinerary, keeper.view.network.transit, at("08:30"))
        assert moved is not None
        assert moved.arrival_unix_s == itinerary.arrival_unix_s + 1800
        assert moved.departure_unix_s == itinerary.departure_unix_s + 1800, "one leaves home later, too"
        assert moved.duration_s == itinerary.duration_s
        under_way = retimed(itinerary, keeper.view.network.transit, itinerary.departure_unix_s + 60)
        assert under_way is not None
        assert under_way.departure_unix_s == itinerary.departure_unix_s
        assert under_way.duration_s == itinerary.duration_s + 1800


def journey(name: str, leaves_s: int, arrives_s: int, alert: str = "") -> pb.Itinerary:
    """An itinerary as far as judging looks at it."""
    leg = pb.Leg(alerts=[pb.Alert(alert_id=alert)] if alert else [])
    return pb.Itinerary(itinerary_id=name, departure_unix_s=leaves_s, arrival_unix_s=arrives_s, legs=[leg])


def test_what_is_worth_a_message() -> None:
    """Broken, better by five minutes, moved by the least change, alerts changed; else silence."""
    before = journey("a", 1000, 3000)
    assert judge(before, None, [], 30)[0] == Event.EVENT_BROKEN
    assert judge(before, journey("a", 1000, 3029), [], 30)[0] == Event.EVENT_UNSPECIFIED
    event, words = judge(before, journey("a", 1000, 3090), [], 30)
    assert (event, words) == (Event.EVENT_TIMES_CHANGED, "Arrival is now 1 min 30 s later.")
    assert judge(before, journey("a", 1060, 3000), [], 30)[0] == Event.EVENT_TIMES_CHANGED
    late = journey("a", 1000, 3400)
    assert judge(before, late, [journey("b", 1100, 3100)], 30)[0] == Event.EVENT_BETTER_FOUND
    assert judge(before, late, [journey("b", 900, 3100)], 30)[0] == Event.EVENT_TIMES_CHANGED, "it left already"
    assert judge(before, journey("a", 1000, 3000, "strike"), [], 30)[0] == Event.EVENT_ALERTS_CHANGED

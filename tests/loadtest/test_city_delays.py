"""The benchmark of delays knows beforehand what an answer must become."""

import asyncio
from pathlib import Path

import pytest
from traboule.journeys.v1 import itinerary_pb2 as pb

from loadtest.city_delays import DELAY_S, Expected, rides_on
from routing.transit.api import TripChange
from services.city.snapshot import CitySnapshot
from services.common.live.state import LiveState
from services.common.records import Provenance, TripUpdate
from services.journeys.keeper import ViewKeeper
from services.journeys.servicer import JourneysServicer
from tests.builders.journeys import at, plan_request, standing_clock
from tests.builders.servers import state_of, state_servers


@pytest.mark.slow
async def test_the_computed_answer_is_the_one_after_publication(porto_snapshot: CitySnapshot, tmp_path: Path) -> None:
    """A ride's delay is laid over in thought, then published as ingest does: the rides on the trip are the same."""
    clock, question = standing_clock(), plan_request(modes=[pb.MODE_TRANSIT])
    keeper = ViewKeeper(porto_snapshot, clock)
    servicer = JourneysServicer(keeper, clock)
    with state_servers(tmp_path) as servers:
        async with state_of(servers, "porto") as state:
            live = LiveState(state, clock, street=keeper.street, car_parks=porto_snapshot.car_parks)
            async with live:
                await live.ready.wait()
                before = servicer.plan(keeper.view, question)
                ride = next(leg.transit for i in before.itineraries for leg in i.legs if leg.HasField("transit"))
                feed, _, trip_id = ride.trip_id.partition(":")
                late = TripChange(feed=feed, trip_id=trip_id, service_date=ride.service_date, delay_s=DELAY_S)
                must = rides_on(Expected(clock, live, keeper).answer(question, late), ride.trip_id)
                assert must != rides_on(before, ride.trip_id)
                update = TripUpdate(
                    feed=f"{feed}-rt", entity=trip_id, observed_at=at("08:30"), received_at=at("08:30"),
                    valid_until=at("12:00"), provenance=Provenance("0" * 64, "http://feed/x", "gtfs-rt"), static_feed=feed,
                    trip_id=trip_id, start_date=ride.service_date, delay_s=DELAY_S,
                )  # fmt: skip
                following = asyncio.create_task(keeper.follow(live))
                await state.publish_latest("trip_updates", update.feed, [update], received_at=at("08:30"))
                async with asyncio.timeout(60):
                    while rides_on(servicer.plan(keeper.view, question), ride.trip_id) != must:
                        await asyncio.sleep(0.05)
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

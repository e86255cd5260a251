"""Wiring of the journeys service."""

import sys

import grpc
from traboule.journeys.v1 import journeys_service_pb2_grpc

from services.city.snapshot import CitySnapshot, open_snapshot
from services.city.swap import follow_snapshots
from services.common.config import Config, load_section
from services.common.current import Current
from services.common.live.state import LiveState
from services.common.main import service_main
from services.common.server import serve
from services.common.state import State
from services.journeys.budget import MatrixBudget
from services.journeys.config import JourneysConfig
from services.journeys.keeper import FollowedCity, ViewKeeper
from services.journeys.servicer import JourneysServicer
from services.journeys.view import CityEngines

SERVICE = "traboule.journeys.v1.JourneysService"


async def run(config: Config) -> None:
    """Serve journeys of the configured city until stopped."""
    clock = config.city_clock()
    settings = load_section("journeys", JourneysConfig)
    budget = MatrixBudget(settings)
    keeper = ViewKeeper(open_snapshot(config.home, config.city), clock, settings.metric_memory_mb << 20)

    def register(server: grpc.aio.Server) -> list[str]:
        servicer = JourneysServicer(keeper, clock, budget)
        journeys_service_pb2_grpc.add_JourneysServiceServicer_to_server(servicer, server)
        return [SERVICE]

    async with State.connect(config) as state:

        def live_of(engines: CityEngines, before: LiveState | None) -> LiveState:
            city = engines.snapshot
            feeds = {feed.id: feed.static_feed for feed in city.city.feeds}
            return LiveState(state, clock, street=engines.street, car_parks=city.car_parks, static_feeds=feeds, after=before)

        async def ready() -> str | None:
            return None if keeper.ready.is_set() else "the first view of the city is being made"

        async def build_next(snapshot: CitySnapshot, before: FollowedCity) -> FollowedCity:
            return await keeper.next_city(snapshot, before, live_of)

        async def follow() -> None:
            await follow_snapshots(config.home, config.city, Current(keeper.first_city(live_of)), build_next)

        await serve(config, "journeys", register, readiness={"view": ready}, background=[follow])


if __name__ == "__main__":
    sys.exit(service_main("journeys", run))

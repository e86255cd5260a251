"""Wiring of the journeys service."""

import sys

import grpc
from traboule.journeys.v1 import journeys_service_pb2_grpc

from services.city.snapshot import open_snapshot
from services.common.config import Config
from services.common.live.state import LiveState
from services.common.main import service_main
from services.common.server import serve
from services.common.state import State
from services.journeys.servicer import JourneysServicer
from services.journeys.view import ViewKeeper

SERVICE = "traboule.journeys.v1.JourneysService"


async def run(config: Config) -> None:
    """Serve journeys of the configured city until stopped."""
    clock = config.city_clock()
    snapshot = open_snapshot(config.home, config.city)
    keeper = ViewKeeper(snapshot, clock)
    static_feeds = {feed.id: feed.static_feed for feed in snapshot.city.feeds}

    def register(server: grpc.aio.Server) -> list[str]:
        journeys_service_pb2_grpc.add_JourneysServiceServicer_to_server(JourneysServicer(keeper, clock), server)
        return [SERVICE]

    async with State.connect(config) as state:
        live = LiveState(state, clock, street=keeper.street, car_parks=snapshot.car_parks, static_feeds=static_feeds)

        async def ready() -> str | None:
            return None if keeper.ready.is_set() else "the first view of the city is being made"

        async def follow_view() -> None:
            await keeper.follow(live)

        await serve(config, "journeys", register, readiness={"view": ready}, background=[live.follow, follow_view])


if __name__ == "__main__":
    sys.exit(service_main("journeys", run))

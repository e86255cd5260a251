"""A running RoundsService on Porto's streets, with real state servers and one solver process."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from traboule.rounds.v1 import rounds_service_pb2_grpc

from routing.street.api import StreetEngine
from services.city.snapshot import CitySnapshot
from services.common.rules import Role
from services.common.state.embedded import EmbeddedState
from services.rounds.city import RoundsCity
from services.rounds.main import SERVICE
from services.rounds.pool import SolverPool
from services.rounds.runner import JobRunner
from services.rounds.servicer import RoundsServicer
from tests.builders.carriers import MORNING
from tests.builders.clocks import HandClock
from tests.builders.servers import channel_of, config_for, grpc_server, state_of, state_servers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedState]:
    """Both embedded state servers."""
    with state_servers(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def engine(porto_snapshot: CitySnapshot) -> StreetEngine:
    """Streets of Porto, shared by the tests."""
    return StreetEngine(porto_snapshot.street)


@pytest.fixture
def city_name() -> str:
    """Name of a city in the state server that no other test uses."""
    return f"rounds-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def polish_s() -> float:
    """Seconds for which the running service improves plans after changes."""
    return 0.0


@pytest.fixture
def starts_s() -> int:
    """What the city's clock shows first: an hour before the shifts begin."""
    return MORNING - 3600


@pytest.fixture
def clock(starts_s: int) -> HandClock:
    """The city's clock, until a test puts it forward."""
    return HandClock(starts_s)


@pytest.fixture
async def service(
    servers: EmbeddedState,
    porto_snapshot: CitySnapshot,
    engine: StreetEngine,
    city_name: str,
    polish_s: float,
    clock: HandClock,
) -> AsyncIterator[Any]:
    """(stub, pool, channel, config) of a running service with one solver."""
    config = config_for(servers.home)
    city = RoundsCity(porto_snapshot, clock, engine)  # type: ignore[arg-type]
    async with state_of(servers, city_name) as state, SolverPool(1) as pool:
        servicer = RoundsServicer(city, pool, state, polish_s)

        def register(server: grpc.aio.Server) -> list[str]:
            rounds_service_pb2_grpc.add_RoundsServiceServicer_to_server(servicer, server)
            return [SERVICE]

        async with grpc_server(config, register) as server, channel_of(server, config, Role.LOGISTICS) as channel:
            runner = asyncio.create_task(JobRunner(state, lambda: city, pool, on_done=servicer.prepare).work(), name="runner")
            yield rounds_service_pb2_grpc.RoundsServiceStub(channel), pool, channel, config  # type: ignore[call-overload]
            runner.cancel()
            await asyncio.gather(runner, return_exceptions=True)
            await servicer.close()

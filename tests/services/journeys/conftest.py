"""The journeys of Porto, made once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from traboule.journeys.v1.journeys_service_pb2_grpc import JourneysServiceStub

from services.city.snapshot import CitySnapshot
from services.journeys.keeper import ViewKeeper
from tests.builders.journeys import journeys_stub, standing_clock


@pytest.fixture(scope="session")
def keeper(porto_snapshot: CitySnapshot) -> ViewKeeper:
    """View of Porto by its schedule."""
    return ViewKeeper(porto_snapshot, standing_clock())


@pytest.fixture
async def stub(keeper: ViewKeeper, tmp_path: Path) -> AsyncIterator[JourneysServiceStub]:
    """A server of its own for each test, on the shared view; the city clock stands at 8:30."""
    async with journeys_stub(keeper, standing_clock(), tmp_path) as found:
        yield found

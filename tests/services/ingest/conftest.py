"""State servers shared by the tests of one module; each test uses a city of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from services.common.state import State
from services.common.state.embedded import EmbeddedState
from tests.builders.servers import state_of, state_servers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedState]:
    """Both embedded state servers."""
    with state_servers(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
async def state(servers: EmbeddedState) -> AsyncIterator[State]:
    """State of a city that no other test uses."""
    async with state_of(servers) as connected:
        yield connected

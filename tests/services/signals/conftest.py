"""State servers shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from services.common.state.embedded import EmbeddedState
from tests.builders.servers import state_servers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedState]:
    """Both embedded state servers."""
    with state_servers(tmp_path_factory.mktemp("home")) as running:
        yield running

"""Real servers for tests: the embedded state servers and a gRPC server, all on this machine, all stopped at the end."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from services.common.channel import development_tokens, open_channel
from services.common.config import Config, load_config
from services.common.rules import Role
from services.common.server import Register, RunningServer, running_server
from services.common.state import State
from services.common.state.embedded import EmbeddedState

_numbers = itertools.count(1)


def config_for(home: Path, **variables: str) -> Config:
    """Configuration of a test: its own home, any free port, quick drain; variables without the prefix ``TRABOULE_``."""
    defaults = {"HOME": str(home), "SERVER_GRACE_S": "2", "SERVER_STREAM_GRACE_S": "0.1"}
    return load_config({f"TRABOULE_{name}": value for name, value in (defaults | variables).items()})


@contextlib.contextmanager
def state_servers(home: Path) -> Iterator[EmbeddedState]:
    """Both embedded state servers with data under `home`."""
    with EmbeddedState(home).running() as servers:
        yield servers


@contextlib.asynccontextmanager
async def state_of(servers: EmbeddedState, city: str | None = None, **variables: str) -> AsyncIterator[State]:
    """State of a city that no other test uses (unless named), on running servers."""
    environment = {name.removeprefix("TRABOULE_"): value for name, value in servers.environment().items()}
    config = config_for(servers.home, **(environment | variables))
    async with State.connect(config, city or f"city{next(_numbers)}") as state:
        yield state


@contextlib.asynccontextmanager
async def grpc_server(config: Config, register: Register, name: str = "test") -> AsyncIterator[RunningServer]:
    """Run a real gRPC server with all interceptors on any free port."""
    async with running_server(config, name, register) as server:
        yield server


@contextlib.asynccontextmanager
async def channel_of(server: RunningServer, config: Config, role: Role | None = None) -> AsyncIterator[object]:
    """Channel to a test server with development tokens."""
    async with open_channel(server.address, development_tokens(config.home, role)) as channel:
        yield channel

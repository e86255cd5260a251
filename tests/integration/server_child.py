"""A service of its own for tests of starting and stopping: health and reflection only."""

import sys

from services.common.config import Config
from services.common.main import service_main
from services.common.server import serve


async def run(config: Config) -> None:
    """Serve no service of our own."""
    await serve(config, "journeys", lambda _server: [])


if __name__ == "__main__":
    sys.exit(service_main("journeys", run))

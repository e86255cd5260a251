"""How every service starts: settings, logs, event loop, and one clear sentence when something is wrong."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from services.common.config import Config, load_config
from services.common.errors import ServiceError
from services.common.log import configure_logging


def service_main(name: str, run: Callable[[Config], Awaitable[None]]) -> int:
    """Run a service until it is told to stop; returns its exit code.

    0 stopped as asked, 1 failed, 2 a setting is wrong, 3 a port is in use, 130 interrupted. Unforeseen errors are raised.
    """
    try:
        config = load_config()
        configure_logging(config.log, name)
        asyncio.run(_awaited(run, config))
    except ServiceError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


async def _awaited(run: Callable[[Config], Awaitable[None]], config: Config) -> None:
    await run(config)

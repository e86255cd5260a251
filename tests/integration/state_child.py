"""A program of its own for the state tests: holds embedded servers, or follows a feed and reports what it saw."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from services.common.config import load_config
from services.common.state import State
from services.common.state.embedded import EmbeddedState


def hold(home: Path) -> None:
    """Start the embedded servers, print their pids and URLs, and sleep until killed."""
    servers = EmbeddedState(home)
    servers.start()
    pids = [server.child.pid for server in servers.servers.values() if server.child]
    print(json.dumps({"pids": pids, "urls": servers.environment()}), flush=True)
    time.sleep(3600)


async def follow() -> None:
    """Print the epoch and the value that each change of a feed led to."""
    async with State.connect(load_config(os.environ)) as state:
        async for changes in state.watch_latest("speed"):
            for change in changes:
                latest = await state.latest(change.kind, change.feed)
                print(json.dumps([latest.epoch, latest.records[0].value]), flush=True)  # type: ignore[union-attr]


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(Path(sys.argv[2]))
    else:
        asyncio.run(follow())

"""A supervisor in a process of its own, to be killed: prints the ids of its children, then waits for ever."""

import asyncio
import sys
from pathlib import Path

from services.supervisor.supervisor import Supervisor
from tests.builders.parts import drawn_part
from tests.builders.servers import config_for


async def main(home: Path) -> None:
    """Run two parts and both state servers until killed."""
    async with Supervisor(config_for(home), [drawn_part("one"), drawn_part("two")]) as supervisor:
        assert supervisor.state is not None
        pids = [running.child.pid for running in supervisor.running.values()]
        pids += [server.child.pid for server in supervisor.state.servers.values() if server.child is not None]
        print("children", *pids, flush=True)
        await supervisor.watch()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

"""A service of a drawn city in a process of its own, and rebuilt cities for it to move to."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.city.build import build_snapshot
from services.city.config import read_city
from services.common import endpoints
from services.common.state.embedded import EmbeddedState
from services.supervisor.supervisor import is_serving
from tests.builders.cities import GTFS, write_gtfs
from tests.builders.journeys import standing_clock
from tests.builders.servers import state_servers
from tests.builders.shared_data import ROOT


@dataclass(frozen=True, slots=True)
class Service:
    """A running process."""

    address: str
    pid: int
    log_file: Path
    killed: list[bool] = field(default_factory=list)

    def kill(self) -> None:
        """End it at once (SIGKILL), with nothing put in order."""
        self.killed.append(True)
        os.kill(self.pid, signal.SIGKILL)

    def children(self) -> list[int]:
        """Processes it has started."""
        return [int(pid) for one in Path(f"/proc/{self.pid}/task").glob("*/children") for pid in one.read_text().split()]

    def log(self) -> str:
        """All it has logged."""
        return self.log_file.read_text()

    async def until_logged(self, text: str, count: int = 1) -> None:
        """Wait until a text has been logged so many times."""
        async with asyncio.timeout(60):
            while self.log().count(text) < count:
                await asyncio.sleep(0.05)

    async def until_unmapped(self, folder: Path) -> None:
        """Wait until no file of a folder is mapped any more."""
        async with asyncio.timeout(60):
            while str(folder) in self.maps():
                await asyncio.sleep(0.1)

    def maps(self) -> str:
        """Files mapped by the process, as the kernel says."""
        return Path(f"/proc/{self.pid}/maps").read_text()


@asynccontextmanager
async def served(home: Path, part: str) -> AsyncIterator[Service]:
    """Run a part of the city "drawn" at half past eight, with state servers of its own."""
    with state_servers(home) as servers:
        async with served_with(home, part, servers) as service:
            yield service


@asynccontextmanager
async def served_with(home: Path, part: str, servers: EmbeddedState, **settings: str) -> AsyncIterator[Service]:
    """Run a part of the city "drawn" on running state servers; settings without the prefix ``TRABOULE_``."""
    log_file = home / f"{part}.log"
    with log_file.open("wb") as log:
        environment = {
            **os.environ, **servers.environment(), "TRABOULE_HOME": str(home), "TRABOULE_CITIES": "drawn",
            "TRABOULE_CLOCK": standing_clock().setting(), "TRABOULE_LOG_FORMAT": "json",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto" / "gen")]),
        } | {f"TRABOULE_{name}": value for name, value in settings.items()}  # fmt: skip
        command = [sys.executable, "-m", "services.supervisor.launch", part]
        service: Service | None = None
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            async with asyncio.timeout(60):
                while not (part in endpoints.list_endpoints(home) and await is_serving(_address(home, part))):
                    assert process.returncode is None, log_file.read_text()
                    await asyncio.sleep(0.1)
            service = Service(_address(home, part), process.pid, log_file)
            yield service
        finally:
            if process.returncode is None:
                process.terminate()
            expected = -signal.SIGKILL if service is not None and service.killed else 0
            assert await asyncio.wait_for(process.wait(), 60) == expected


def _address(home: Path, part: str) -> str:
    return endpoints.list_endpoints(home)[part].address


def build(city: Path, home: Path, minute: int | None = None) -> Path:
    """Build the drawn city, with a third trip that leaves at 8:`minute` for a minute; answers the snapshot's folder."""
    if minute is not None:
        calls = f"t3,08:{minute}:00,08:{minute}:00,W1,1\nt3,08:{minute + 1}:00,08:{minute + 1}:00,E,2\n"
        trips = {"trips.txt": GTFS["trips.txt"] + "1,D,t3\n", "stop_times.txt": GTFS["stop_times.txt"] + calls}
        write_gtfs(city / "bus.zip", GTFS | trips)
    return build_snapshot(read_city(city), home, warm=False).folder

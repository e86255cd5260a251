"""The edge's process: announces itself, follows the city's endpoints, ends cleanly, and says so when Envoy dies."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from services.common import endpoints
from services.common.config import Config
from services.common.errors import Unavailable
from services.common.processes import is_alive
from services.edge.main import find_upstreams, run
from tests.builders.servers import config_for
from tests.builders.waiting import soon, until


async def wait_for_edge(config: Config) -> str:
    """Address the edge announced."""
    await until(lambda: "edge" in endpoints.list_endpoints(config.home), "the edge's announcement")
    return endpoints.list_endpoints(config.home)["edge"].address


def envoy_pid(home: Path) -> int:
    """Process that listens on the edge's admin socket: the one whose working folder is the edge's."""
    folder = home / "run" / "edge"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").resolve() == folder and "envoy" in (entry / "cmdline").read_text():
                    return int(entry.name)
            except OSError:
                continue
    raise AssertionError("no Envoy runs in " + str(folder))


async def test_the_edge_announces_itself_and_ends_cleanly(tmp_path: Path) -> None:
    """While it runs its address is known and answers; after the stop neither entry nor process is left."""
    config, stop = config_for(tmp_path), asyncio.Event()
    running = asyncio.create_task(run(config, stop))
    address = await wait_for_edge(config)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://{address}/openapi.json")).status_code == 200
    pid = envoy_pid(tmp_path)
    stop.set()
    await running
    assert "edge" not in endpoints.list_endpoints(tmp_path)
    assert not is_alive(pid)


async def test_the_end_of_envoy_is_told(tmp_path: Path) -> None:
    """If Envoy is killed the process ends with an error, so that its supervisor starts it again."""
    config = config_for(tmp_path)
    running = asyncio.create_task(run(config))
    await wait_for_edge(config)
    os.kill(envoy_pid(tmp_path), signal.SIGKILL)
    with pytest.raises(Unavailable, match="ended by itself"):
        await soon(running)
    assert "edge" not in endpoints.list_endpoints(tmp_path)


def test_addresses_come_from_the_city_unless_set(tmp_path: Path) -> None:
    """`server.peers` wins over what processes announced; others than the edge's services are left out."""
    config = config_for(tmp_path, SERVER_PEERS="rounds=127.0.0.1:7003")
    endpoints.announce(tmp_path, "journeys", "127.0.0.1:7001")
    endpoints.announce(tmp_path, "rounds", "127.0.0.1:1")
    endpoints.announce(tmp_path, "valkey", "127.0.0.1:2")
    assert find_upstreams(config) == {"journeys": "127.0.0.1:7001", "rounds": "127.0.0.1:7003"}

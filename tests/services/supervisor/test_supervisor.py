"""The supervisor starts parts, starts again what dies, and leaves nothing behind, however it ends."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.common import endpoints
from services.common.errors import FailedPrecondition, InvalidInput, Unavailable
from services.common.processes import is_alive
from services.common.state import embedded
from services.supervisor import supervisor as module
from services.supervisor.parts import PARTS, choose_parts
from services.supervisor.supervisor import Supervisor, is_serving
from tests.builders.parts import drawn_part
from tests.builders.servers import config_for
from tests.builders.shared_data import ROOT
from tests.builders.waiting import PATIENCE_S, soon, until, until_blocking

ENVIRONMENT = {"PYTHONPATH": str(ROOT), "TRABOULE_SERVER_GRACE_S": "0.2", "TRABOULE_SERVER_DRAIN_DELAY_S": "0"}


def children_of(supervisor: Supervisor) -> list[int]:
    """Ids of all processes it started."""
    assert supervisor.state is not None
    servers = [server.child.pid for server in supervisor.state.servers.values() if server.child is not None]
    return [running.child.pid for running in supervisor.running.values()] + servers


async def test_parts_start_in_order_and_leave_no_process(tmp_path: Path) -> None:
    """Both answer health checks at the announced addresses; at the end every process is gone and nothing is announced."""
    said: list[str] = []
    parts = [drawn_part("one"), drawn_part("two")]
    async with Supervisor(config_for(tmp_path), parts, ENVIRONMENT, said.append) as supervisor:
        pids = children_of(supervisor)
        assert len(pids) == 4
        known = endpoints.list_endpoints(tmp_path)
        assert [await is_serving(known[name].address, PATIENCE_S) for name in ("one", "two")] == [True, True]
        assert said[0].startswith("state servers ready")
        assert {line.split()[0] for line in said[1:]} == {"one", "two"}
    assert not any(is_alive(pid) for pid in pids)
    assert endpoints.list_endpoints(tmp_path) == {}


async def test_a_killed_part_is_started_again(tmp_path: Path) -> None:
    """Kill -9: another process answers under the same name, and the others were left alone."""
    said: list[str] = []
    async with Supervisor(config_for(tmp_path), [drawn_part("one"), drawn_part("two")], ENVIRONMENT, said.append) as supervisor:
        watching = asyncio.ensure_future(supervisor.watch())
        killed, other = supervisor.running["one"].child.pid, supervisor.running["two"].child.pid
        os.kill(killed, signal.SIGKILL)
        await until(lambda: supervisor.running["one"].child.pid != killed)
        running = supervisor.running["one"]
        async with asyncio.timeout(PATIENCE_S):
            while not await supervisor.is_ready(running):
                await asyncio.sleep(0.05)
        assert supervisor.running["two"].child.pid == other
        assert any(line.startswith("one ended with code -9; starting it again") for line in said)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert not is_alive(running.child.pid)


async def test_a_killed_state_server_is_started_again(tmp_path: Path) -> None:
    """On the same data folder, with the same password; people are told."""
    said: list[str] = []
    async with Supervisor(config_for(tmp_path), [], ENVIRONMENT, said.append) as supervisor:
        assert supervisor.state is not None
        watching = asyncio.ensure_future(supervisor.watch())
        server = supervisor.state.servers["durable"]
        assert server.child is not None
        killed, url = server.child.pid, server.url()
        os.kill(killed, signal.SIGKILL)
        await until(lambda: server.child is not None and server.child.pid != killed and server.child.running)
        assert server.url() == url
        assert said[-1] == "the durable state server ended with code -9; starting it again"
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_what_dies_too_often_stops_the_city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many deaths in a minute the supervisor gives up with a sentence."""
    monkeypatch.setattr(module, "MOST_RESTARTS", 1)
    monkeypatch.setattr(module, "RESTARTS_WITHIN_S", 3600.0)
    async with Supervisor(config_for(tmp_path), [drawn_part("one")], ENVIRONMENT) as supervisor:
        watching = asyncio.ensure_future(supervisor.watch())
        first = supervisor.running["one"].child.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.running["one"].child.pid != first)
        os.kill(supervisor.running["one"].child.pid, signal.SIGKILL)
        with pytest.raises(Unavailable, match="one died 1 times in a minute"):
            await soon(watching)


async def test_a_part_that_cannot_start_says_why_and_takes_the_rest_down(tmp_path: Path) -> None:
    """The sentence holds the end of its log; no process stays."""
    supervisor = Supervisor(config_for(tmp_path), [drawn_part("one"), drawn_part("broken")], ENVIRONMENT)
    with pytest.raises(Unavailable, match="broken ended with code 3 while starting") as caught:
        await supervisor.__aenter__()
    assert "the map is missing: build the city first" in str(caught.value)
    assert supervisor.running == {}
    assert processes_naming(tmp_path) == []


def processes_naming(folder: Path) -> list[int]:
    """Pids of running processes whose command line names a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


async def test_a_port_in_use_is_said_with_the_port(tmp_path: Path) -> None:
    """Another program listens where the part should."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = {**ENVIRONMENT, "TRABOULE_SERVER_PORT": str(port)}
        supervisor = Supervisor(config_for(tmp_path), [drawn_part("one")], environment)
        with pytest.raises(Unavailable, match=str(port)):
            await supervisor.__aenter__()


async def test_one_home_has_one_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is refused in words and does no harm to the first."""
    monkeypatch.setattr(embedded, "_LOCK_TIMEOUT_S", 0.2)
    async with Supervisor(config_for(tmp_path), [drawn_part("one")], ENVIRONMENT) as first:
        pids = children_of(first)
        with pytest.raises(FailedPrecondition, match=r"already|another|use"):
            await Supervisor(config_for(tmp_path), [drawn_part("two")], ENVIRONMENT).__aenter__()
        assert children_of(first) == pids
        assert all(is_alive(pid) for pid in pids)
        assert await is_serving(endpoints.list_endpoints(tmp_path)["one"].address, PATIENCE_S)


async def test_a_part_that_ignores_the_request_to_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ending never hangs."""
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 0.5)
    environment = {**ENVIRONMENT, "TRABOULE_SERVER_GRACE_S": "600", "TRABOULE_SERVER_DRAIN_DELAY_S": "600"}
    async with Supervisor(config_for(tmp_path), [drawn_part("one")], environment) as supervisor:
        pids = children_of(supervisor)
    assert not any(is_alive(pid) for pid in pids)


def test_kill_9_of_the_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its parts and its state servers end with it."""
    child = Path(__file__).with_name("supervisor_child.py")
    environment = {**os.environ, **ENVIRONMENT}
    with subprocess.Popen(
        [sys.executable, str(child), str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[0] == "children", words
        pids = [int(word) for word in words[1:]]
        assert len(pids) == 4
        assert all(is_alive(pid) for pid in pids)
        process.kill()
        process.wait()
    until_blocking(lambda: not any(is_alive(pid) for pid in pids), "the end of all its children")


def test_parts_are_chosen_by_name() -> None:
    """Nothing or `all` means every one; an unknown name is refused with the known ones; signals has its own state user."""
    assert [part.name for part in choose_parts(())] == list(PARTS) == ["ingest", "journeys", "rounds", "signals", "edge"]
    assert [part.name for part in choose_parts(("all",))] == list(PARTS)
    assert [part.name for part in choose_parts(("rounds", "ingest"))] == ["ingest", "rounds"]
    with pytest.raises(InvalidInput, match="'jurneys' is no service; choose among all, ingest, journeys"):
        choose_parts(("jurneys",))
    assert PARTS["signals"].state_role == "signals"
    assert {part.state_role for name, part in PARTS.items() if name != "signals"} == {"services"}

"""The embedded state servers: nothing survives their parent, homes are locked, two checkouts run side by side."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.common.errors import FailedPrecondition, ServiceError, StateUnavailable, Unavailable
from services.common.processes import is_alive, spawn, wait_until
from services.common.state import State, embedded
from services.common.state.audit import AuditEntry
from services.common.state.embedded import EmbeddedState
from tests.builders.drawn_records import speed
from tests.builders.servers import config_for, state_of, state_servers
from tests.builders.waiting import until_blocking

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("state_child.py")


def _start_child(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {})
    return subprocess.Popen([sys.executable, CHILD, *arguments], stdout=subprocess.PIPE, text=True, env=variables)


def test_nothing_survives_a_kill_of_the_parent_and_the_home_can_be_used_again(tmp_path: Path) -> None:
    """After kill -9 both servers are gone; a new start takes over locks, sockets and data left behind."""
    with _start_child("hold", str(tmp_path)) as parent:
        assert parent.stdout is not None
        pids = json.loads(parent.stdout.readline())["pids"]
        assert len(pids) == 2
        assert all(map(is_alive, pids))
        parent.kill()
        parent.wait()
    until_blocking(lambda: not any(map(is_alive, pids)), "the end of both servers")
    assert (tmp_path / "run" / "durable.sock").exists()
    with state_servers(tmp_path) as servers:
        assert all(server.child and server.child.running for server in servers.servers.values())
    assert not (tmp_path / "run" / "durable.sock").exists()


def test_a_parent_dead_before_the_child_is_ready_leaves_nothing(tmp_path: Path) -> None:
    """The launcher refuses to start a program whose parent is already gone."""
    launcher = ROOT / "services" / "common" / "parent_death.py"
    marker = tmp_path / "ran"
    dead_parent = subprocess.Popen(["/bin/true"])
    dead_parent.wait()
    command = [sys.executable, "-I", "-S", str(launcher), str(dead_parent.pid), "9", "/bin/touch", str(marker)]
    assert subprocess.run(command, check=False).returncode == 1
    assert not marker.exists()


def test_a_home_in_use_is_not_opened_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second start says which process has it, and does no harm to the first."""
    monkeypatch.setattr(embedded, "_LOCK_TIMEOUT_S", 0.2)
    with state_servers(tmp_path) as servers:
        with pytest.raises(FailedPrecondition, match=f"in use by process {os.getpid()}.*TRABOULE_HOME"):
            EmbeddedState(tmp_path).start()
        for server in servers.servers.values():
            assert server.child is not None
            assert server.child.running
            assert server.socket_path.exists(), "whoever connects from now on must find the first"
            assert (server.folder / "server.pid").exists()


async def test_two_homes_side_by_side_do_not_mix(tmp_path: Path) -> None:
    """Two checkouts run at once, each with its own data."""
    with state_servers(tmp_path / "a") as first, state_servers(tmp_path / "b") as second:
        async with state_of(first, "porto") as one, state_of(second, "porto") as two:
            await one.settings.put("c", "x", "one")
            assert await two.settings.find("c", "x") is None


async def test_long_home_paths_work(tmp_path: Path) -> None:
    """A socket path longer than the kernel allows moves to a private temporary folder."""
    home = tmp_path / ("deep" * 20) / ("er" * 20)
    with state_servers(home) as servers:
        socket_path = servers.servers["live"].socket_path
        assert len(str(socket_path)) < 108
        assert socket_path.parent.stat().st_mode & 0o077 == 0
        async with state_of(servers) as state:
            await state.append_event("x", 1)
    socket_path.parent.rmdir()


async def test_users_may_touch_their_own_families_only(tmp_path: Path) -> None:
    """The services' user can neither read nor write signal commands, nor strangers anything."""
    with state_servers(tmp_path) as servers:
        variables = {name.removeprefix("TRABOULE_"): value for name, value in servers.environment("signals").items()}
        async with State.connect(config_for(tmp_path, **variables), "porto") as signals:
            await signals.settings.put("signals/modes", "all", "SHADOW")
            await signals.audit.append("signals", [AuditEntry(1, "t", "s", "a")])
            with pytest.raises(ServiceError, match="refuses"):
                await signals.jobs.submit("rounds", b"x")
        async with state_of(servers, "porto") as services:
            with pytest.raises(StateUnavailable, match="refuses this program"):
                await services.settings.find("signals/modes", "all")
            with pytest.raises(StateUnavailable, match="refuses this program"):
                await services.audit.append("signals", [AuditEntry(1, "t", "s", "a")])
        url = servers.servers["live"].url().replace("services:", "services:wrong")
        with pytest.raises(StateUnavailable, match="refuses this program") as error:
            async with State.connect(config_for(tmp_path, **(variables | {"STATE_LIVE_URL": url}))):
                pass
        assert servers.servers["live"].passwords["services"] not in str(error.value)


async def test_a_log_cut_off_in_the_middle_is_recovered(tmp_path: Path) -> None:
    """After a crash that tore the last write the server starts with everything before it."""
    with state_servers(tmp_path) as servers:
        async with state_of(servers, "porto") as state:
            for number in range(50):
                await state.settings.put("c", f"{number:02}", number)
    [log] = (tmp_path / "state" / "durable" / "appendonlydir").glob("*.incr.aof")
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - 7)
    with state_servers(tmp_path) as servers:
        async with state_of(servers, "porto") as state:
            assert [document.value for document in await state.settings.list_all("c")] == list(range(49))


def test_a_server_that_cannot_start_says_why_and_keeps_its_data(tmp_path: Path) -> None:
    """A damaged log stops the start with the server's own words; the file is left as it is."""
    with state_servers(tmp_path):
        pass
    [log] = (tmp_path / "state" / "durable" / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"this is no log" * 10)
    servers = EmbeddedState(tmp_path)
    with pytest.raises(StateUnavailable, match=r"data are kept in(.|\n)*(?i:bad file format)"):
        servers.start()
    assert log.read_bytes().startswith(b"this is no log")
    assert all(server.child is None for server in servers.servers.values())


async def test_another_process_sees_each_publication(tmp_path: Path) -> None:
    """A reader in another process is told of every one, and then has its records (5 ms later when idle)."""
    with state_servers(tmp_path) as servers:
        environment = servers.environment() | {"TRABOULE_CITIES": "porto"}
        with _start_child("follow", environment=environment) as reader:
            assert reader.stdout is not None
            async with state_of(servers, "porto") as state:
                await state.publish_latest("speed", "loops", [speed("a", -1)], received_at=1)
                reader.stdout.readline()
                for number in range(20):
                    published = await state.publish_latest("speed", "loops", [speed("a", number)], received_at=1)
                    assert json.loads(reader.stdout.readline()) == [published.epoch, number]
            reader.kill()


def test_children_get_everything_they_need_and_end_with_their_group(tmp_path: Path) -> None:
    """A child that ignores SIGTERM and its own children are killed; its output is kept for messages."""
    log = tmp_path / "log"
    script = "trap '' TERM; sleep 100 & echo pid $!; while true; do sleep 0.1; done"
    child = spawn("stubborn", ["/bin/sh", "-c", script], log_file=log)
    wait_until(lambda: "pid" in child.last_output(), child)
    grandchild = int(child.last_output().split()[1])
    assert child.terminate(timeout_s=0.3) == -signal.SIGKILL
    until_blocking(lambda: not any(map(is_alive, [child.pid, grandchild])), "the end of the group")
    with pytest.raises(FailedPrecondition, match="no-such-program was not found"):
        spawn("x", ["no-such-program"])
    failing = spawn("failing", ["/bin/sh", "-c", "echo it is broken; exit 7"], log_file=tmp_path / "failing")
    with pytest.raises(Unavailable, match=r"code 7(.|\n)*it is broken"):
        wait_until(lambda: False, failing)

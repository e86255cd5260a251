"""A service as a process: clear sentences and exit codes, clean ends by signals, structured logs."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.common.endpoints import list_endpoints
from tests.builders.waiting import PATIENCE_S, until_blocking

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("server_child.py")


def _start(home: Path, **variables: str) -> "subprocess.Popen[str]":
    settings = {f"TRABOULE_{name}": value for name, value in ({"HOME": str(home), "LOG_FORMAT": "json"} | variables).items()}
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'proto' / 'gen'}"} | settings
    return subprocess.Popen([sys.executable, CHILD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_a_service_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """It withdraws its address and ends with 0; each log line is JSON and names the service."""
    with _start(tmp_path) as process:
        until_blocking(lambda: "journeys" in list_endpoints(tmp_path), "the announcement")
        host, _, port = list_endpoints(tmp_path)["journeys"].address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S):
            pass
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert list_endpoints(tmp_path) == {}
    events = [json.loads(line) for line in errors.splitlines()]
    assert [event["event"] for event in events] == ["serving", "draining"]
    assert {event["service"] for event in events} == {"journeys"}


def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 2, no traceback."""
    with _start(tmp_path, SERVER_PORT="70000") as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert errors.startswith("journeys: server.port (TRABOULE_SERVER_PORT): 70000 is not usable; expected a port")
    assert len(errors.splitlines()) == 1


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 3, no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with _start(tmp_path, SERVER_PORT=str(port)) as process:
            _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3
    assert errors.startswith(f"journeys: port {port} of 127.0.0.1 is in use")
    assert len(errors.splitlines()) == 1

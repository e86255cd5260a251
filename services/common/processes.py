"""Child processes that cannot outlive this one: state servers, the edge, workers, services.

Children are started through `services.common.parent_death`, in a session of their own, so that Ctrl-C on the terminal
reaches only the supervisor, which stops them in order. The kernel sends the parent-death signal when the *thread* that
started the child ends; therefore children may only be started from the main thread.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import FailedPrecondition, Unavailable

_LAUNCHER = Path(__file__).with_name("parent_death.py")


@dataclass(slots=True)
class Child:
    """A running child process.

    Parameters
    ----------
    name
        What messages call it.
    process
        Its handle; the pid is also the process group.
    log_file
        Where its output goes, None when inherited.
    """

    name: str
    process: subprocess.Popen[bytes]
    log_file: Path | None = None

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the child still runs."""
        return self.process.poll() is None

    def last_output(self, lines: int = 5) -> str:
        """Last lines of its log, for messages; empty when it has none."""
        if self.log_file is None or not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def terminate(self, timeout_s: float = 5.0) -> int:
        """Ask the child to end (SIGTERM), then kill its process group; returns its exit code."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(timeout_s)
        self.kill()
        return self.process.wait()

    def kill(self) -> None:
        """Kill the child and all of its process group at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def wait(self, poll_s: float = 0.05) -> int:
        """Exit code of the child, once it has ended; does not block the event loop."""
        while (code := self.process.poll()) is None:
            await asyncio.sleep(poll_s)
        return code


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    log_file: Path | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    inherited_files: Sequence[int] = (),
) -> Child:
    """Start a program that ends when this process does, however this process ends.

    Parameters
    ----------
    name
        What messages call it.
    command
        Program and arguments; the program is looked up in PATH unless it is a path.
    environment
        Its whole environment; this process's one when None.
    log_file
        Appended with its output and errors; inherited when None.
    death_signal
        What the kernel sends it when this process dies.
    inherited_files
        File descriptors it keeps open (a lock it shall hold).

    Raises
    ------
    FailedPrecondition
        If the program does not exist, or when called outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise FailedPrecondition(f"{name}: children must be started from the main thread, or they would die with this thread")
    program = shutil.which(str(command[0]))
    if program is None:
        raise FailedPrecondition(f"{name}: the program {command[0]} was not found; install it or correct its path")
    launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(death_signal)), os.path.abspath(program)]
    with contextlib.ExitStack() as files:
        output = None if log_file is None else files.enter_context(log_file.open("ab"))
        process = subprocess.Popen(
            launcher + [str(argument) for argument in command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
            pass_fds=tuple(inherited_files),
        )
    return Child(name, process, log_file)


def find_free_port(host: str = "127.0.0.1") -> int:
    """Find a TCP port that is free now. Prefer binding to port 0: another program may take this one meanwhile."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_port_free(host: str, port: int) -> bool:
    """Whether a server could listen on the address now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
    return True


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs (a zombie does not)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        return status.rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_until(check: Callable[[], bool], child: Child, timeout_s: float = 10.0, poll_s: float = 0.01) -> None:
    """Wait until `check` holds; stops at once when the child ends.

    Raises
    ------
    Unavailable
        If the child ended, or did not get ready within `timeout_s`; the message holds its last output.
    """
    deadline = time.monotonic() + timeout_s
    while not check():
        if not child.running:
            raise Unavailable(f"{child.name} ended with code {child.process.returncode} while starting.\n{child.last_output()}")
        if time.monotonic() > deadline:
            raise Unavailable(f"{child.name} was not ready after {timeout_s:g} s.\n{child.last_output()}")
        time.sleep(poll_s)


def accepts_connections(host: str, port: int) -> bool:
    """Whether something listens on the address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0

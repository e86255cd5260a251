"""Parts of large plans improved by Ray: processes of this machine, or of a cluster.

Ray is an extra (``pip install 'traboule[ray]'``) and imported nowhere else. A problem and its travel times are put into Ray's
object store once; what goes to and fro for a part is its routes. A worker that dies is replaced and its part begun anew by Ray;
where Ray itself fails, threads of this process go on, to the same plan.
"""

import contextlib
import ctypes
import importlib
import os
import secrets
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import structlog

from routing.kernels.rounds_route import ProblemArrays
from routing.kernels.rounds_times import TimesArrays
from routing.rounds.parts import PartDone, PartTask, ThreadWorkers, improve_part
from routing.rounds.search import Near
from services.common.errors import Unimplemented

MANY_VISITS = 1000
"""From so many visits on Ray is worth what it takes to start."""
LEAST_S = 60.0
"""Shorter plans are made without: on a busy machine Ray takes half a minute to start."""
POLL_S = 0.5
"""How often it is asked whether the work should stop."""
ROOM_BYTES = 1 << 28
"""Room in the object store beside what is shared."""
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns of a default that will change
}
LOCAL_SETTINGS = {
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # Ray keeps the first one that a process used
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # the one way to have `init` bind to the loopback address
    "RAY_AUTH_MODE": "token",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
}

log = structlog.get_logger("rounds")


def load_ray() -> ModuleType:
    """The module `ray`.

    Raises
    ------
    Unimplemented
        It is not installed.
    """
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise Unimplemented("planning on Ray needs the extra: pip install 'traboule[ray]'") from error


class RayWorkers:
    """Workers of Ray (see `routing.rounds.parts.PartWorkers`).

    Parameters
    ----------
    count : int
        Most parts at a time; a cluster may have fewer processors.
    address : str
        ``host:port`` of a running cluster on which this project is installed; empty = Ray is started on this machine, on the
        loopback address alone, for as long as this is open.
    time_limit_s : float, optional
        The whole budget, of which `progress` is a share; None where iterations are counted.
    """

    def __init__(self, count: int, address: str = "", time_limit_s: float | None = None) -> None:
        self._count, self._address, self._time_limit_s = count, address, time_limit_s
        self._threads: ThreadWorkers | None = None

    def open(self, problem: ProblemArrays, times: TimesArrays, near: Near) -> int:
        """See `PartWorkers`; raises `Unimplemented` where Ray is not installed."""
        self._arrays = (problem, times, near)
        own = {} if self._address else LOCAL_SETTINGS
        with _environment(SETTINGS | own):
            self._ray = load_ray()
            try:
                self._start(sum(array.nbytes for group in (problem, times[1:], near) for array in group))
                self._shared = self._ray.put(self._arrays)
                self._improve = self._ray.remote(num_cpus=1, max_retries=-1)(_improve)
            except Exception as error:
                # Ray raises bare ones when its processes do not start in time; no job is lost for that.
                self._instead(error)
        return self._count

    def run(self, tasks: Sequence[PartTask], until: float, progress: Callable[[], float]) -> list[PartDone]:
        """See `PartWorkers`."""
        if self._threads is None:
            left = max(0.0, until - progress())
            seconds = None if self._time_limit_s is None else left * self._time_limit_s
            try:
                return self._collect(tasks, [self._improve.remote(self._shared, task, seconds) for task in tasks], progress)
            except self._ray.exceptions.RayTaskError:
                raise
            except (self._ray.exceptions.RayError, ConnectionError) as error:
                self._instead(error)
        return self._fallback().run(tasks, until, progress)

    def close(self) -> None:
        """See `PartWorkers`."""
        if self._threads is not None:
            self._threads.close()
        self._shared = None
        self._ray.shutdown()

    def _start(self, shared_bytes: int) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if self._address:
            self._ray.init(address=self._address, namespace="traboule", **quiet)
            self._count = max(1, min(self._count, int(self._ray.cluster_resources().get("CPU", 1))))
        else:
            self._ray.init(
                address="local", num_cpus=self._count, num_gpus=0, include_dashboard=False,
                object_store_memory=shared_bytes + shared_bytes // 8 + ROOM_BYTES, **quiet,
            )  # fmt: skip

    def _collect(self, tasks: Sequence[PartTask], running: list[Any], progress: Callable[[], float]) -> list[PartDone]:
        """What the workers answer; of those that are not done when all should stop, the routes as they were."""
        waiting = running
        while waiting:
            _, waiting = self._ray.wait(waiting, num_returns=len(waiting), timeout=POLL_S)
            if waiting and not any(node["Alive"] for node in self._ray.nodes()):
                raise ConnectionError("Ray has no machine left")
            if waiting and self._time_limit_s is None and progress() >= 1.0:
                for one in waiting:
                    self._ray.cancel(one, force=True)
                break
        stopped = set(waiting)
        return [
            PartDone(task.routes, 0) if one in stopped else PartDone(*self._ray.get(one))
            for task, one in zip(tasks, running, strict=True)
        ]

    def _instead(self, error: Exception) -> None:
        """Threads from now on; this process must leave a cluster that has lost its daemon, or it would be ended with it."""
        log.warning("ray_failed", error=str(error)[:500], instead="threads of the solver process")
        self._shared = None
        self._ray.shutdown()
        self._fallback()

    def _fallback(self) -> ThreadWorkers:
        if self._threads is None:
            self._threads = ThreadWorkers(self._count)
            self._threads.open(*self._arrays)
        return self._threads


def _improve(shared: tuple[ProblemArrays, TimesArrays, Near], task: PartTask, seconds: float | None) -> PartDone:
    """Run by a worker: one part, for so many seconds or for its iterations."""
    began = time.monotonic()

    def used() -> float:
        return 1.0 if not seconds else (time.monotonic() - began) / seconds

    problem, times, near = shared
    close, few, distance = (writable(array) for array in near)
    own = problem._replace(**{name: writable(array) for name, array in problem._asdict().items()})
    slots = TimesArrays(times.kind, *(writable(array) for array in times[1:]))
    return improve_part(own, slots, (close, few, distance), task, used)


def writable(array: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The same memory as an array that says it may be written, as kernels are compiled for; none writes to what is shared.

    It is valid for as long as `array` is.
    """
    if array.flags.writeable or not array.nbytes:
        return array if array.flags.writeable else array.copy()
    memory: Any = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
    seen: np.ndarray[Any, Any] = np.ndarray(array.shape, array.dtype, memory).view(type(array))
    return seen


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Any:
    """Variables that Ray reads when it is imported or started."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

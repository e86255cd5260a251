"""Big problems on Ray: the plans of threads, processes that die, cancelled work, and nothing beyond this machine's loopback."""

import importlib.util
import os
import signal
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import numpy as np
import pytest
from traboule.rounds.v1.rounds_service_pb2 import SolveLimits

from routing.rounds.api import Plan, list_violations
from services.common.errors import ConfigError
from services.rounds import main
from services.rounds.codec import Improvement, SolveOrder, pack_times, parts_of
from services.rounds.main import RoundsConfig
from services.rounds.pool import Backend, SolverPool
from services.rounds.ray_workers import writable
from services.rounds.runner import ray_for
from tests.builders.rounds import random_problem, random_times
from tests.builders.waiting import until

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is an extra: pip install 'traboule[ray]' brings it"
)
RNG = np.random.default_rng(2)
PROBLEM, TIMES = random_problem(RNG, 520, 160), random_times(RNG, 521)
ITERATIONS = 3000


@pytest.fixture
async def pool() -> AsyncIterator[SolverPool]:
    """One solver."""
    async with SolverPool(1) as running:
        yield running


def _order(ray: str | None = "", seconds: float = 300.0, iterations: int | None = ITERATIONS) -> SolveOrder:
    return SolveOrder(parts_of(PROBLEM), pack_times(TIMES), seconds, iterations, 0, 2, ray_address=ray)


async def _plan(work: AsyncIterator[Improvement]) -> Plan:
    return [found async for found in work][-1].plan


def _session(leader: int) -> dict[int, str]:
    """Processes of the session that `leader` began, with what they call themselves."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "stat").read_text().rsplit(")", 1)[1].split()[3] == str(leader):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def _working(leader: int) -> list[int]:
    return [pid for pid, name in _session(leader).items() if name.startswith("ray::_improve")]


def _listening(pids: Iterable[int]) -> set[str]:
    """Addresses on which processes accept connections, as the kernel writes them."""
    sockets = set()
    for pid in pids:
        for file in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = os.readlink(file)
            except OSError:
                continue
            if target.startswith("socket:["):
                sockets.add(target[8:-1])
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1].rsplit(":", 1)[0] for row in rows if row[3] == "0A" and row[9] in sockets}


@needs_ray
@pytest.mark.slow
async def test_the_plan_of_threads_whatever_dies(pool: SolverPool) -> None:
    """Threads, Ray, Ray with a worker killed at work, and Ray without its daemon end with one plan, feasible."""
    plans = [await _plan(pool.solve(_order(None)))]
    assert list_violations(PROBLEM, TIMES, plans[0]) == []
    for victim in ("", "ray::_improve", "raylet"):
        work = pool.solve(_order())
        first = [await anext(work)]
        solver = pool.pids()[0]
        await until(lambda solver=solver: bool(_working(solver)), "parts at work on Ray")
        addresses = _listening(_session(solver))
        loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
        assert addresses
        assert addresses <= loopback
        if victim:
            pids = [pid for pid, name in _session(solver).items() if victim in name.split(" ")[0].rsplit("/")[-1]]
            os.kill(pids[0], signal.SIGKILL)
        plans.append([*first, *[one async for one in work]][-1].plan)
        await until(lambda solver=solver: len(_session(solver)) == 1, "the end of Ray's processes")
        assert pool.pids() == [solver], "the solver itself must live through it"
    assert plans[1:] == [plans[0]] * 3


@needs_ray
@pytest.mark.slow
async def test_cancelling_ends_all_of_it(pool: SolverPool) -> None:
    """Leaving the loop ends the solver, Ray's daemons and its workers."""
    work = pool.solve(_order(seconds=600, iterations=None))
    await anext(work)
    solver = pool.pids()[0]
    await until(lambda: bool(_working(solver)), "parts at work on Ray")
    await work.aclose()  # type: ignore[attr-defined]
    await until(lambda: not _session(solver), "the end of Ray's processes")


def test_what_is_shared_may_be_written_by_name_only() -> None:
    """Arrays of the object store are seen in place, as kernels want them; others are left as they are."""
    own, row = np.arange(6.0).reshape(2, 3), np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    assert writable(own) is own
    for array in (own, row, np.empty((0, 3))):
        locked = array.copy()
        locked.flags.writeable = False
        seen = writable(locked)
        assert seen.flags.writeable
        assert type(seen) is type(locked)
        assert seen.dtype == locked.dtype
        assert np.array_equal(seen, locked)
        assert np.shares_memory(seen, locked) or not array.size


def test_who_goes_to_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Big problems with a minute of time of a service that uses Ray, without windows of a probability."""
    assert ray_for(SolveLimits(), PROBLEM, "", 60.0) is None
    monkeypatch.setattr("services.rounds.ray_workers.MANY_VISITS", 520)
    assert ray_for(SolveLimits(), PROBLEM, "", 60.0) == ""
    assert ray_for(SolveLimits(), PROBLEM, None, 60.0) is None
    assert ray_for(SolveLimits(), PROBLEM, "", 59.0) is None
    assert ray_for(SolveLimits(window_probability=0.9), PROBLEM, "", 60.0) is None


def test_settings_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without Ray, and Ray without its package, are named; a cluster brings its own number of workers."""
    with pytest.raises(ConfigError, match="ray_address"):
        RoundsConfig(ray_address="10.0.0.1:6379")
    monkeypatch.setattr(main.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"traboule\[ray\]"):
        RoundsConfig(backend="ray")
    monkeypatch.setattr(main.importlib.util, "find_spec", lambda _: object())
    assert RoundsConfig(backend="ray", threads=1).solver_backend == Backend(1, "")
    assert RoundsConfig(threads=1).solver_backend == Backend(1, None)
    assert Backend(2, "10.0.0.1:6379").ray_workers > Backend(2, "").ray_workers == 2

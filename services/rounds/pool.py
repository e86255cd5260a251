"""Solver processes and who uses which: a crashed one is replaced, a cancelled one is killed and replaced."""

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from services.common.errors import ServiceError
from services.common.processes import Child, spawn
from services.rounds.codec import (
    Answer,
    Failure,
    Improvement,
    Message,
    Order,
    Polished,
    PolishOrder,
    Ready,
    SolveOrder,
    decode,
    encode,
)
from services.rounds.errors import EngineRefused, SolverCrashed
from services.rounds.worker import HEADER

log = structlog.get_logger("rounds")

STUCK_AFTER_S = 300.0
"""How long after its time limit a solver may still construct, validate and explain before it counts as stuck."""

MOST_WORKERS = 256
START_TIMEOUT_S = 240.0
"""Longest wait for a solver: it may have to compile its kernels first."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Who improves the parts of large problems.

    Attributes
    ----------
    threads : int
        Most threads of one solver process.
    ray_address : str or None
        Cluster of Ray for big problems, "" = one of the solver process's own; None = threads.
    """

    threads: int = 1
    ray_address: str | None = None

    @property
    def ray_workers(self) -> int:
        """Most workers of Ray: in a cluster all its processors."""
        return MOST_WORKERS if self.ray_address else self.threads


def backend_of(threads: int = 0, ray_address: str | None = None) -> Backend:
    """A back end of `threads`, 0 = as many as there are cores, and never more."""
    cores = os.cpu_count() or 1
    return Backend(min(threads or cores, cores), ray_address)


@dataclass(slots=True, eq=False)
class _Solver:
    """One solver process with the two ends of its socket."""

    child: Child
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ready: bool = False

    async def receive(self) -> Message:
        try:
            (length,) = HEADER.unpack(await self.reader.readexactly(HEADER.size))
            return decode(await self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await self.child.wait()
            raise SolverCrashed(
                f"the solver process ended unexpectedly (code {code}, for example out of memory); "
                "it has been replaced: try again, or with fewer stops",
                retry_after_s=2.0,
            ) from None

    def kill(self) -> None:
        self.child.kill()
        self.writer.close()


class SolverPool:
    """A fixed number of solver processes. Use as ``async with SolverPool(2) as pool`` from the main thread's event loop.

    Parameters
    ----------
    size : int
        Solvers; orders beyond that wait in turn.
    first_after_s : float
        Pause before the first solvers are started: they load their kernels for seconds, which a city's other services need
        while all start at once.
    backend : Backend, optional
        Who improves the parts of large problems; unsaid as many threads as there are cores.
    """

    def __init__(self, size: int, first_after_s: float = 0.0, backend: Backend | None = None) -> None:
        self._size, self._first_after_s, self.backend = size, first_after_s, backend or backend_of()
        self._idle: asyncio.Queue[_Solver] = asyncio.Queue()
        self._all: set[_Solver] = set()
        self._tasks: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> "SolverPool":
        for _ in range(self._size):
            self._later(self._start(self._first_after_s), "start solver")
        return self

    async def __aexit__(self, *_: object) -> None:
        starting = [task for task in self._tasks if task.get_name() == "start solver"]
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        for solver in list(self._all):
            self._drop(solver)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def idle_count(self) -> int:
        """Solvers without work."""
        return self._idle.qsize()

    def pids(self) -> list[int]:
        """Process ids of all solvers."""
        return sorted(solver.child.pid for solver in self._all)

    async def solve(self, order: SolveOrder) -> AsyncIterator[Improvement]:
        """Better and better plans, the last with `final`; see `work`."""
        async with contextlib.aclosing(self.work(order)) as answers:
            async for answer in answers:
                if isinstance(answer, Improvement):
                    yield answer

    async def work(self, order: Order) -> AsyncGenerator[Answer, None]:
        """What a solver answers to an order, the last with `final`. Closing the iterator early kills its work at once.

        Raises
        ------
        SolverCrashed
            The process ended, or said nothing long after its time was up; a new one is being started.
        EngineRefused
            The engine raised an error.
        """
        solver = await self._take()
        async with contextlib.aclosing(self._talk(solver, order, order.time_limit_s)) as messages:
            async for message in messages:
                yield message

    async def polish(self, make_order: Callable[[], Awaitable[PolishOrder | None]]) -> Polished | None:
        """Improve a plan under change; `make_order` is called once a solver is free, and may say that there is nothing to do.

        Raises as `solve`.
        """
        solver = await self._take()
        order: PolishOrder | None = None
        try:
            order = await make_order()
        finally:
            if order is None:
                self._idle.put_nowait(solver)
        if order is None:
            return None
        found: Polished | None = None
        async with contextlib.aclosing(self._talk(solver, order, order.time_limit_s)) as messages:
            async for message in messages:
                found = message if isinstance(message, Polished) else found
        return found

    async def _talk(self, solver: _Solver, order: Order, time_limit_s: float) -> AsyncGenerator[Answer, None]:
        """What a solver answers to an order, up to the last; it is killed and replaced if nobody waits for that."""
        finished = False
        try:
            patience = time.monotonic() + time_limit_s + STUCK_AFTER_S
            data = await asyncio.to_thread(encode, order)
            solver.writer.write(HEADER.pack(len(data)) + data)
            del data
            with contextlib.suppress(ConnectionError):
                await solver.writer.drain()
            while not finished:
                try:
                    async with asyncio.timeout(max(0.0, patience - time.monotonic())):
                        message = await solver.receive()
                except TimeoutError:
                    raise SolverCrashed("the solver process does not come to an end; it has been replaced: try again") from None
                if isinstance(message, Failure):
                    finished = True
                    raise EngineRefused(message.kind, message.message, message.field)
                if isinstance(message, Answer):
                    finished = isinstance(message, Polished) or message.final
                    yield message
        finally:
            if finished:
                self._idle.put_nowait(solver)
            else:
                self._drop(solver)
                self._start_soon()

    async def _take(self) -> _Solver:
        """Next idle solver that still runs."""
        while True:
            solver = await self._idle.get()
            if solver.child.running:
                return solver
            self._drop(solver)
            self._start_soon()

    def _drop(self, solver: _Solver) -> None:
        """Kill a solver and reap it in the background."""
        if solver in self._all:
            self._all.discard(solver)
            solver.kill()
            self._later(solver.child.wait())

    def _start_soon(self) -> None:
        self._later(self._start(), "start solver")

    def _later(self, work: Coroutine[Any, Any, object], name: str = "reap solver") -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, after_s: float = 0.0) -> None:
        delay_s = 0.5
        await asyncio.sleep(after_s)
        while True:
            solver: _Solver | None = None
            try:
                solver = await self._spawn()
                async with asyncio.timeout(START_TIMEOUT_S):
                    message = await solver.receive()
                if isinstance(message, Ready):
                    self._idle.put_nowait(solver)
                    return
            except (ServiceError, TimeoutError, OSError) as error:
                # Without another try the pool would be smaller for ever, and at last everybody would wait for nobody.
                log.warning("solver_did_not_start", error=str(error), again_in_s=delay_s)
            except asyncio.CancelledError:
                if solver is not None:
                    self._drop(solver)
                raise
            if solver is not None:
                self._drop(solver)
            await asyncio.sleep(delay_s)
            delay_s = min(30.0, 2 * delay_s)

    async def _spawn(self) -> _Solver:
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as unused:
            unused.enter_context(ours)
            with theirs:
                command = [sys.executable, "-m", "services.rounds.worker", str(theirs.fileno())]
                child = spawn("rounds solver", command, environment=_environment(), inherited_files=[theirs.fileno()])
            # A pool that is closed meanwhile does not know this process: nobody else would end it.
            unused.callback(child.process.wait)
            unused.callback(child.kill)
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=1 << 26)
            unused.pop_all()
        solver = _Solver(child, reader, writer)
        self._all.add(solver)
        return solver


def _environment() -> dict[str, str]:
    """Solvers use no threads but those they are told to, and find the packages where this process found them."""
    path = os.pathsep.join(part for part in sys.path if part)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

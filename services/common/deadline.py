"""How long the present call may take, and CPU work that keeps the event loop free.

Engines know nothing of calls: hand them ``current_deadline().should_stop``, a function without arguments that becomes true
when the caller is gone or its time is used up, and let them look at it now and then.
"""

import asyncio
import contextlib
import contextvars
import functools
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from services.common.errors import DeadlineExceeded

P = ParamSpec("P")
T = TypeVar("T")


class Deadline:
    """Moment at which work for a call is pointless. Safe to ask from any thread."""

    __slots__ = ("_cancelled", "_ends_at")

    def __init__(self, duration_s: float = math.inf) -> None:
        self._ends_at = time.monotonic() + duration_s
        self._cancelled = False

    @property
    def remaining_s(self) -> float:
        """Seconds left; infinite without a limit, 0 when the call is over."""
        return 0.0 if self._cancelled else max(0.0, self._ends_at - time.monotonic())

    def should_stop(self) -> bool:
        """Whether to stop working: the caller is gone or its time is used up."""
        return self._cancelled or time.monotonic() >= self._ends_at

    def cancel(self) -> None:
        """Say that the caller is gone."""
        self._cancelled = True

    def check(self) -> None:
        """Raise `DeadlineExceeded` when work should stop."""
        if self.should_stop():
            raise DeadlineExceeded("the time given for the call is used up; give more time or ask for less")


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


_executor: ContextVar[ThreadPoolExecutor | None] = ContextVar("threads for calls", default=None)


def current_deadline() -> Deadline:
    """Deadline of the call being served; one without limit outside of calls."""
    return _current.get() or Deadline()


def set_deadline(deadline: Deadline) -> None:
    """Make this the deadline of the present task and of what it starts."""
    _current.set(deadline)


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run CPU work of a call in a thread so that health checks and other calls are answered meanwhile.

    Right for kernels that release the GIL (numba ``nogil``). Work that holds it (OR-Tools routing) belongs in a process.
    When the call is cancelled the thread goes on until it looks at `Deadline.should_stop`; its result is dropped.
    """
    context = contextvars.copy_context()
    work = functools.partial(context.run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_executor.get(), work)


@contextlib.contextmanager
def threads_for_calls(count: int, name: str) -> Iterator[None]:
    """Give calls that many threads of their own within the block: what else runs in threads never waits for them."""
    with contextlib.ExitStack() as stack:
        executor = ThreadPoolExecutor(count, thread_name_prefix=f"{name}-call")
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        stack.callback(_executor.reset, _executor.set(executor))
        yield

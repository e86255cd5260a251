"""Processes that share a cache of machine code: what one compiles, the others wait for, then load.

Numba looks into its cache before it compiles a function and writes there afterwards. Processes that need the same function in
between would each compile it (minutes for the rounds engine) and may lose each other's entries of the cache's index.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

_held: set[Path] = set()
"""Files locked by this process; only touched under the compiler's lock."""


def compile_once() -> None:
    """From now on, compile no function that another such process compiles or has compiled for the same cache.

    While a function is compiled, those that it calls are: locks are taken along calls only, so that none waits in a circle.
    A lock ends with its process.
    """
    from numba.core.compiler_lock import global_compiler_lock  # noqa: PLC0415 - not needed to import what may compile
    from numba.core.dispatcher import Dispatcher  # noqa: PLC0415

    dispatcher: Any = Dispatcher
    compile_alone = dispatcher.compile
    if hasattr(compile_alone, "__wrapped__"):
        return

    @wraps(compile_alone)
    def compile_or_wait(self: Any, sig: Any) -> Any:
        with global_compiler_lock, _only_one(self):
            return compile_alone(self, sig)

    dispatcher.compile = compile_or_wait


@contextlib.contextmanager
def _only_one(dispatcher: Any) -> Iterator[None]:
    folder, function = dispatcher._cache.cache_path, dispatcher.py_func
    path = Path(folder or "", f"{function.__qualname__}-{function.__code__.co_firstlineno}.lock")
    if folder is None or path in _held:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _held.add(path)
        try:
            yield
        finally:
            _held.remove(path)

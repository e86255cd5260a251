"""The one place where compilation policy is decided.

Kernels run in nopython mode, release the GIL and are cached on disk. Compiled on first call per signature; `traboule city
build` warms every kernel so that no request waits. With ``NUMBA_DISABLE_JIT=1`` they run as plain Python (used for coverage).

Numba counts references to every array of a record of arrays whenever such a record is handed on, which costs more than what a
small function does with them (an order of magnitude, measured on delivery rounds). Functions that create no arrays do not
need the count: `lean` leaves it out, and `inlined` also puts the function into each of its callers. A compiled function brings
the code of all it calls along and is translated with it, again at every level of calls: `merged` is for what has one caller and
makes no level of its own.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F, **options: bool | str) -> F:
    policy: dict[str, Any] = {"nogil": True, "cache": True, **options}
    return cast(F, numba.njit(**policy)(function))


def kernel(function: F) -> F:
    """Compile `function`, which may create arrays."""
    return _compiled(function, _nrt=True)


def lean(function: F) -> F:
    """Compile `function`, which neither creates nor returns arrays nor computes with whole ones; it may call those that do."""
    return _compiled(function, _nrt=False)


def inlined(function: F) -> F:
    """As `lean`, into each of its callers: for small functions of many arrays."""
    return _compiled(function, _nrt=False, forceinline=True)


def merged(function: F) -> F:
    """Make `function` a part of its caller before that is compiled: for steps of one long kernel, never called from Python."""
    return _compiled(function, inline="always")

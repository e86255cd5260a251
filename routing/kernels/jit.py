"""The one place where compilation policy is decided."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` in nopython mode, releasing the GIL and caching machine code on disk.

    Compiled on first call per signature; `traboule city build` warms every kernel so that no request waits.
    With ``NUMBA_DISABLE_JIT=1`` the function runs as plain Python (used for coverage).
    """
    return cast(F, numba.njit(nogil=True, cache=True)(function))

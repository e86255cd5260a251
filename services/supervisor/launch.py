"""Start a part: ``python -m services.supervisor.launch journeys`` is ``python -m services.journeys.main``, but sooner.

While modules are loaded and a city is mapped nearly everything that is made stays: looking for garbage meanwhile costs a tenth
of the processor time of a start. `services.common.server.serve` switches the collector on.
"""

import gc
import runpy
import sys
from typing import Any, cast

from services.common.compiling import compile_once

WITH_KERNELS = frozenset({"ingest", "journeys", "rounds"})


def load_numba_without_blas() -> None:
    """Load numba's array functions without SciPy's BLAS, which they look for and which no kernel of ours calls.

    Finding it would import `scipy.linalg`: a fifth of a second of processor time in each process that runs a kernel. It is
    hidden only meanwhile, and not where somebody else has loaded it already.
    """
    name = "scipy.linalg.cython_blas"
    if name in sys.modules:
        return
    sys.modules[name] = cast(Any, None)
    try:
        import numba.np.arraymath  # noqa: PLC0415, F401
    finally:
        del sys.modules[name]


def main(arguments: list[str]) -> None:
    """Run the main module of the part named by the first argument; ends the process with the exit code of the part."""
    gc.disable()
    if arguments[0] in WITH_KERNELS:
        load_numba_without_blas()
        compile_once()
    runpy.run_module(f"services.{arguments[0]}.main", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])

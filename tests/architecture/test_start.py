"""What a start must not wait for: libraries that only some requests need."""

import os
import subprocess
import sys

import pytest

from services.supervisor.parts import PARTS

LATER = (
    "ortools.sat.python.cp_model", "ortools.constraint_solver.pywrapcp", "pandas", "polars", "scipy.linalg", "scipy.optimize",
    "scipy.spatial", "osmium", "networkx", "sklearn", "lightgbm", "protovalidate",
)  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_a_part_imports_nothing_that_can_wait(part: str) -> None:
    """Loading the main module of a part loads none of the heavy libraries."""
    code = f"import sys, services.{part}.main; print(*(name for name in {LATER!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_first_kernel_loads_no_blas() -> None:
    """Numba looks for SciPy's BLAS, which no kernel calls; looking must not load it."""
    code = (
        "import sys, numpy as np; from services.supervisor.launch import load_numba_without_blas; load_numba_without_blas()\n"
        "from routing.kernels.street_turns import bearings\n"
        "row = np.array([0, 2], np.int32); out = np.zeros(1, np.float32)\n"
        "bearings(row, row, row, out, out); print('scipy.linalg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_launcher_is_the_main_module_with_its_exit_code() -> None:
    """A wrong setting ends a launched part as it ends the part itself."""
    environment = {**os.environ, "TRABOULE_EDGE_PORT": "none"}
    command = [sys.executable, "-m", "services.supervisor.launch", "edge"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("edge: ")

"""Import direction: the contracts of pyproject.toml hold, and would be noticed if they did not."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KERNEL_IMPORTS = {"math", "typing", "collections", "numpy", "numba", "routing", "traffic_lights"}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with a configuration; its cache goes nowhere."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", "--no-logo", "--config", str(folder / "pyproject.toml")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
    )


@pytest.mark.slow
def test_contracts_hold() -> None:
    """Engines are pure, services do not import each other, Redis stays behind the state, layers hold."""
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("routing/street/bad.py", "import grpc", "Engines import no"),
        ("traffic_lights/bad.py", "import time", "Engines import no"),
        ("routing/model/bad.py", "import routing.street", "Layers inside routing"),
        ("services/ingest/bad.py", "import services.journeys", "Services do not import each other"),
        ("services/common/bad.py", "import services.city", "Services do not import each other"),
        ("services/journeys/bad.py", "import redis", "Redis is spoken"),
    ],
)
def test_a_wrong_import_is_noticed(tmp_path: Path, file: str, line: str, contract: str) -> None:
    """A copy of the package skeleton with one wrong line breaks exactly that contract."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    packages = ["routing", "traffic_lights", "services", "loadtest", "traffic_lights/kernels", "services/common/state"]
    packages += [
        f"routing/{name}" for name in ("multimodal", "forecast", "places", "rounds", "street", "transit", "model", "kernels")
    ]
    packages += [f"services/{name}" for name in ("common", "city", "ingest", "journeys", "edge")]
    for package in packages:
        (tmp_path / package).mkdir(parents=True, exist_ok=True)
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "routing" / "errors.py").touch()
    (tmp_path / "routing/kernels/jit.py").touch()
    (tmp_path / "traffic_lights/kernels/queue.py").write_text("import routing.kernels.jit\n")
    assert lint(tmp_path).returncode == 0, lint(tmp_path).stdout
    (tmp_path / file).write_text(line + "\n")
    broken = [row for row in lint(tmp_path).stdout.splitlines() if " BROKEN" in row]
    assert len(broken) == 1, broken
    assert broken[0].startswith(contract)


def imports_of(path: Path) -> Iterator[str]:
    """First words of all modules a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_kernels_see_arrays_and_scalars_only() -> None:
    """Kernels import numpy, numba and each other, nothing else."""
    kernels = [path for engine in ("routing", "traffic_lights") for path in (ROOT / engine / "kernels").glob("*.py")]
    assert kernels
    for path in kernels:
        assert set(imports_of(path)) <= KERNEL_IMPORTS, path

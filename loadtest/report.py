"""What every benchmark prints: a table, and the machine and versions it was measured with."""

import os
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata

from rich.console import Console
from rich.table import Table


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of the installed `packages`; absent ones are left out."""
    found: dict[str, str] = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine(packages: Iterable[str] = ("numpy", "numba", "ortools"), seed: int | None = None) -> dict[str, object]:
    """Machine, versions and seed, as every benchmark states them."""
    answer: dict[str, object] = {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **versions(packages),
    }
    if seed is not None:
        answer["seed"] = seed
    return answer


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[object]], about: dict[str, object] | None = None) -> None:
    """Print one table and, under it, the line of `about`."""
    table = Table(*header, title=title)
    for row in rows:
        table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    console = Console()
    console.print(table)
    if about:
        console.print(" · ".join(f"{key} {value}" for key, value in about.items()), style="dim")


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    except OSError:
        return platform.machine()

"""Public delivery instances in files, with the best-known costs that lie beside them."""

import gzip
import json
from pathlib import Path
from typing import Any

from routing.rounds.formats.instance import VEHICLES_FIRST, Instance
from routing.rounds.formats.mamut import read_mamut
from routing.rounds.formats.plain import read_plain

__all__ = ["VEHICLES_FIRST", "Instance", "best_known", "is_time_dependent", "read_instance"]


def is_time_dependent(path: Path) -> bool:
    """Whether the file is a MAMUT instance (told by its name)."""
    return path.name.endswith((".vrp.json", ".vrp.json.gz"))


def read_instance(path: Path, objective: str, rounding: str) -> Instance:
    """Read a MAMUT, Solomon/Homberger or Li & Lim file; see `loadtest.rounds` for objective and rounding.

    Raises
    ------
    InvalidProblemError
        The file is in none of these formats; the message names the line or field.
    """
    if is_time_dependent(path):
        return read_mamut(_read_json(path), lambda name: _read_json(path.parent / name), objective)
    return read_plain(path.read_text(encoding="ascii", errors="replace"), path.stem, objective, rounding)


def best_known(path: Path) -> dict[str, Any]:
    """Best-known ``cost`` and ``vehicles`` of an instance, as far as its folder says them."""
    if is_time_dependent(path):
        best = path.with_name(path.name.replace(".vrp.json", ".bks.Duration.json").removesuffix(".gz"))
        return {"cost": _read_json(best)["cost"]} if best.exists() else {}
    file = path.parent / "BKS.json"
    found = _named(json.loads(file.read_text()), path.stem) if file.exists() else {}
    return {"cost": found.get("best_known_cost"), "vehicles": found.get("solved_with_vehicles")} if found else {}


def _named(known: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """Entry of a name, however it is capitalised."""
    return next((row for key, row in known.items() if key.lower() == name.lower()), {})


def _read_json(path: Path) -> Any:
    if not path.exists():
        path = path.with_name(path.name + ".gz")
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)

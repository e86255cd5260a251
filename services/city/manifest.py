"""The manifest of a snapshot: what it was made of, and with what."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from services.city import arrays
from services.city.config import CITY_FILE, CityConfig
from services.city.elevation_files import list_tile_files
from services.city.errors import CityConfigError, SnapshotCorruptError, SnapshotMissingError

MANIFEST = "manifest.json"

_PACKAGES = ("numpy", "osmium", "polars", "pymetis", "scipy")
"""Packages whose version may change the bytes."""

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = (
    "services/city/osm_*.py", "services/city/gtfs_reader*.py", "services/city/car_park*.py", "services/city/place*.py",
    "services/city/signal_sites.py", "services/city/nearest.py", "services/city/steps.py", "services/city/config*.py",
    "services/city/low_emission_zones.py", "routing/street/avoidance.py", "routing/kernels/street_areas.py",
    "services/city/arrays.py", "routing/model/*.py", "routing/places/folding.py", "routing/street/components.py",
    "routing/transit/timetable_build.py", "routing/transit/footpaths.py", "routing/multimodal/transfers.py",
    "services/city/footpaths.py", "routing/street/profiles.py", "routing/street/metric.py", "services/city/hierarchies.py",
    "routing/street/network.py", "routing/street/memory.py", "routing/street/cch.py", "routing/street/node_order.py",
    "routing/kernels/cch_build.py", "routing/kernels/street_turns.py", "routing/kernels/street_components.py",
    "services/city/elevation*.py", "routing/street/inclines.py",
)  # fmt: skip
"""Code that decides the bytes."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file the snapshot was made of."""

    role: str
    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot was made of; the same manifest means the same bytes.

    Attributes
    ----------
    id : str
        First 16 digits of the sha256 of format, program, packages and inputs.
    counts : dict
        Nodes, arcs, stops, …
    warnings : tuple of str
        What was found wrong in the inputs and worked around.
    files : dict
        Size and sha256 of every file of the snapshot.
    """

    id: str
    city: str
    format: int
    program: str
    packages: dict[str, str]
    inputs: tuple[InputFile, ...]
    counts: dict[str, int]
    warnings: tuple[str, ...]
    files: dict[str, dict[str, Any]]

    @classmethod
    def plan(cls, city: CityConfig) -> "Manifest":
        """Hash the inputs of a city: the manifest before anything is built.

        Raises
        ------
        CityInputError
            If an input file is missing.
        CityConfigError
            If a file differs from the sha256 that `city.toml` gives.
        """
        inputs = [_input(city, "osm", city.osm.file, city.osm.sha256, "osm")]
        inputs += [_input(city, f"gtfs:{g.id}", g.file, g.sha256, f"gtfs[{i}]") for i, g in enumerate(city.gtfs)]
        inputs += [_input(city, "car_parks", f.file, "", f"car_park_files[{i}]") for i, f in enumerate(city.car_park_files)]
        zones = [(i, zone) for i, zone in enumerate(city.zones) if zone.file]
        inputs += [_input(city, f"zone:{zone.id}", zone.file, zone.sha256, f"zones[{i}]") for i, zone in zones]
        for i, entry in enumerate(city.elevation):
            inputs += [_input(city, "elevation", f, entry.sha256, f"elevation[{i}]") for f in list_tile_files(city, entry)]
        inputs.append(_input(city, "city", CITY_FILE, "", ""))
        packages = {name: metadata.version(name) for name in _PACKAGES}
        program = _program()
        identity = [arrays.FORMAT, program, packages, [asdict(item) for item in inputs]]
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return cls(digest[:16], city.name, arrays.FORMAT, program, packages, tuple(inputs), {}, (), {})

    def write(self, folder: Path) -> None:
        """Write it to a snapshot's folder."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read it from a snapshot's folder.

        Raises
        ------
        SnapshotMissingError
            If there is none.
        SnapshotCorruptError
            If it is damaged.
        """
        path = folder / MANIFEST
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            inputs = tuple(InputFile(**item) for item in table.pop("inputs"))
            return cls(inputs=inputs, warnings=tuple(table.pop("warnings")), **table)
        except FileNotFoundError:
            raise SnapshotMissingError(f"{path} is missing: build the city again (traboule city build)") from None
        except (ValueError, KeyError, TypeError) as error:
            raise SnapshotCorruptError(f"{path} is damaged ({error!r}): build the city again (traboule city build)") from error


def list_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and sha256 of every file below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in paths}


def sha256_of(path: Path) -> str:
    """Digest of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _input(city: CityConfig, role: str, file: str, expected: str, key: str) -> InputFile:
    path = city.get_path(file)
    digest = sha256_of(path)
    if expected and digest != expected:
        raise CityConfigError(
            str(city.folder / CITY_FILE), f"{key}.sha256", f"{path} has {digest}: fetch the right file, or write its sha256"
        )
    return InputFile(role, file, digest, path.stat().st_size)


def list_sources() -> list[str]:
    """List the files of code that decide a snapshot's bytes, by path from the project's root."""
    return [path.relative_to(_ROOT).as_posix() for pattern in _SOURCES for path in sorted(_ROOT.glob(pattern))]


def _program() -> str:
    """Digest of the code that decides the bytes, so that a changed reader never meets an old snapshot."""
    digest = hashlib.sha256()
    for name in list_sources():
        digest.update(Path(name).name.encode() + b"\0" + (_ROOT / name).read_bytes())
    return digest.hexdigest()[:16]

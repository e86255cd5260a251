"""Wheel and sdist contain importable `traboule.*`, our packages, and nothing from elsewhere; importing warns of nothing."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMPORT_ALL = """
import importlib, pathlib, sys
site = pathlib.Path(sys.argv[1])
names = [".".join(path.relative_to(site).with_suffix("").parts) for path in sorted(site.glob("traboule/**/*.py"))]
assert len(names) > 25, names
for name in names + ["services", "routing", "traffic_lights", "loadtest"]:
    module = importlib.import_module(name)
    assert str(site) in module.__file__, module.__file__
assert (site / "traboule" / "descriptors.binpb").stat().st_size > 100_000
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the built wheel and sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def import_all(site: Path) -> None:
    """Import everything from `site` in a fresh interpreter where warnings are errors."""
    command = [sys.executable, "-W", "error", "-P", "-c", IMPORT_ALL, str(site)]
    environment = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_the_wheel_is_importable(dist: Path, tmp_path: Path) -> None:
    """Unpacked, all generated modules and our packages are there."""
    wheel = next(dist.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        archive.extractall(tmp_path)
    version = wheel.name.split("-")[1]
    assert tops == {"services", "routing", "traffic_lights", "loadtest", "traboule", "buf", f"traboule-{version}.dist-info"}
    import_all(tmp_path)


def test_the_sdist_is_importable_and_can_be_built(dist: Path, tmp_path: Path) -> None:
    """It holds the generated code, the protos it comes from, and what builds it."""
    subprocess.run(["tar", "-xzf", next(dist.glob("*.tar.gz")), "-C", tmp_path], check=True, timeout=300)
    root = next(tmp_path.iterdir())
    for name in ("hatch_build.py", "pyproject.toml", "LICENSE", "proto/buf.yaml", "proto/traboule/common/v1/geo.proto"):
        assert (root / name).is_file(), name
    for package in ("traboule", "buf"):
        (root / "proto" / "gen" / package).rename(root / package)
    import_all(root)


def test_generation_is_skipped_when_up_to_date() -> None:
    """A second `make proto` changes nothing: tests and builds do not wait for protoc."""
    stamp = ROOT / "proto" / "gen" / "STAMP"
    before = stamp.stat().st_mtime_ns
    done = subprocess.run([sys.executable, "hatch_build.py"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    assert "up to date" in done.stdout
    assert stamp.stat().st_mtime_ns == before

"""Rules of the repository: size of files, no packages in proto/, no traces of a machine, pinned versions."""

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("services", "routing", "traffic_lights", "loadtest", "tests")
TOP_LEVEL = {"cities", "deploy", "docs", "loadtest", "proto", "routing", "services", "tests", "traffic_lights"}
TOP_FILES = {
    "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "hatch_build.py", "pyproject.toml",
}  # fmt: skip
MACHINE_PATH = re.compile(rb"(?<![\w.])/(?:root|home/\w+|work)/[\w.]+|/tmp/[\w.]+/")
REGISTRY = re.compile(rb"https?://[\w.-]*(?:pypi|pythonhosted|artifactory|nexus|registry\.npmjs)[\w.-]*/", re.IGNORECASE)


def committed_files() -> list[Path]:
    """Files under version control that exist; all source files where there is no git."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else []
    found = [ROOT / name for name in names if name] or [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    return [path for path in found if path.is_file()]


def text_files() -> list[Path]:
    """Committed files that are text."""
    binary = {".pbf", ".zip", ".npz", ".npy", ".png", ".gz", ".zst", ".parquet", ".ico", ".woff2", ".tar"}
    return [path for path in committed_files() if path.suffix not in binary]


def test_files_are_short() -> None:
    """No Python file has more than 400 lines."""
    long = {
        str(path): n for path in committed_files() if path.suffix == ".py" and (n := len(path.read_text().splitlines())) > 400
    }
    assert not long


def test_proto_folder_is_no_package() -> None:
    """An `__init__.py` in proto/ would hide the generated packages."""
    assert not list((ROOT / "proto").rglob("__init__.py"))


def test_top_level_is_fixed() -> None:
    """Nothing new at the top of the repository."""
    tops = {path.relative_to(ROOT).parts[0] for path in committed_files()}
    assert {name for name in tops if not name.startswith(".")} <= TOP_LEVEL | TOP_FILES


def test_no_traces_of_a_machine() -> None:
    """No absolute paths of somebody's machine and no registry addresses in what is committed."""
    for path in text_files():
        content = path.read_bytes()
        assert not MACHINE_PATH.search(content), f"{path}: {MACHINE_PATH.search(content)}"
        assert path.suffix in (".md", ".py") or not REGISTRY.search(content), f"{path}: {REGISTRY.search(content)}"


def test_generated_code_is_not_committed() -> None:
    """proto/gen is made by the build."""
    assert not [path for path in committed_files() if "proto/gen" in str(path)]


def locked(name: str) -> str:
    """Version of a package in the lock of developers."""
    found = re.search(rf"^{name}==([\w.]+)", (ROOT / "deploy/locks/dev.txt").read_text(), re.MULTILINE)
    assert found, f"{name} is not locked"
    return found[1]


@pytest.mark.parametrize(
    ("package", "series"),
    [("ortools", "9.15."), ("protobuf", "6.33."), ("grpcio-tools", "1.81.1"), ("grpcio-status", "1.81.1")],
)
def test_versions_that_fit_together(package: str, series: str) -> None:
    """Newer grpcio tools ask for a protobuf with which pip would silently take ortools back to 9.10."""
    assert version(package).startswith(series)
    assert locked(package).startswith(series)


@pytest.mark.parametrize("lock", ["dev.txt", "runtime.txt", "extras-x86_64-py311.txt"])
def test_locks_are_hashed_and_name_no_registry(lock: str) -> None:
    """Every requirement has hashes; there is no address and no option that names one."""
    text = (ROOT / "deploy/locks" / lock).read_text()
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(blocks) > 40
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)
    assert not re.search(r"https?://|--(?:extra-)?index-url|--find-links|^file:| @ ", text)


def test_the_core_is_part_of_what_developers_test() -> None:
    """What is deployed has the versions that are tested."""
    tested = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "deploy/locks/dev.txt").read_text(), re.MULTILINE))
    deployed = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "deploy/locks/runtime.txt").read_text(), re.MULTILINE))
    assert deployed.items() <= tested.items()

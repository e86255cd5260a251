"""The installation says in one line what a bare machine lacks, and does nothing when nothing changed."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON_WITHOUT_VENV = """#!/bin/sh
case "$2" in
*"not (3, 11) <="*) exit 0 ;;
*ensurepip*) exit 1 ;;
*"%d.%d"*) echo 3.11 ;;
*sys.prefix*) echo /usr ;;
esac
"""
TOO_OLD_PYTHON = """#!/bin/sh
[ "$1" = --version ] && echo "Python 3.9.2" || exit 1
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with just what the installation reads, and a folder of programs for its PATH."""
    project = tmp_path / "project"
    for name in ("deploy", "proto/traboule", "proto/third_party"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("pyproject.toml", "hatch_build.py"):
        shutil.copy(ROOT / name, project / name)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "cat", "cut", "dirname", "find", "sort", "xargs", "sha256sum", "mkdir", "rm", "grep", "tail"):
        (programs / name).symlink_to(str(shutil.which(name)))
    add_program(programs, "id", "#!/bin/sh\necho 1000\n")
    return project


def add_program(folder: Path, name: str, text: str) -> None:
    """Put a script on the PATH of the installation."""
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def install(project: Path) -> subprocess.CompletedProcess[str]:
    """Run the installation with nothing but the folder of programs on PATH."""
    environment = {"PATH": str(project.parent / "programs")}
    command = [str(shutil.which("sh")), "deploy/bootstrap.sh"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(
    ("python", "package"), [(PYTHON_WITHOUT_VENV, "python3.11-venv"), (TOO_OLD_PYTHON, "python3 python3-venv")]
)
def test_what_is_missing_is_said_in_one_line(project: Path, python: str, package: str) -> None:
    """Without root the one apt line is printed, and nothing is installed."""
    add_program(project.parent / "programs", "python3", python)
    add_program(project.parent / "programs", "apt-get", "#!/bin/sh\nexit 1\n")
    done = install(project)
    assert done.returncode == 1
    assert f"apt-get install -y --no-install-recommends {package}" in done.stderr
    assert not (project / ".venv").exists()


def test_systems_without_apt_are_told_what_to_install(project: Path) -> None:
    """No apt-get: the packages are named."""
    add_program(project.parent / "programs", "python3", PYTHON_WITHOUT_VENV)
    done = install(project)
    assert done.returncode == 1
    assert "python3.11-venv" in done.stderr
    assert "apt-get" not in done.stderr


def test_a_failing_apt_is_reported(project: Path) -> None:
    """As root: apt's last words and the line to run by hand."""
    programs = project.parent / "programs"
    add_program(programs, "python3", PYTHON_WITHOUT_VENV)
    add_program(programs, "apt-get", "#!/bin/sh\necho 'E: no network'\nexit 100\n")
    add_program(programs, "id", "#!/bin/sh\necho 0\n")
    done = install(project)
    assert done.returncode == 1
    assert "E: no network" in done.stderr
    assert "apt-get update && apt-get install" in done.stderr


def test_nothing_is_done_twice(project: Path) -> None:
    """With stamps of the same lock, protos and folder it ends at once; a changed proto or a moved folder counts."""
    script = (project / "deploy/bootstrap.sh").read_text()
    stamps = next(line for line in script.splitlines() if line.startswith("project_stamp="))
    shown = f'LOCK=deploy/locks/dev.txt\n{stamps}\nprintf "%s %s" "$project_stamp" "$(pwd -P)"'
    (project / ".venv/bin").mkdir(parents=True)
    add_program(project / ".venv/bin", "traboule", "")
    (project / "proto/gen").mkdir()
    (project / "proto/gen/STAMP").touch()
    environment = {"PATH": str(project.parent / "programs")}
    stamp = subprocess.run(["sh", "-c", shown], cwd=project, env=environment, capture_output=True, check=True).stdout
    (project / ".venv/.stamp-project").write_bytes(stamp)
    assert install(project).returncode == 0
    with (project / "proto/traboule/common/v1/geo.proto").open("a") as proto:
        proto.write("// changed\n")
    assert install(project).returncode == 1

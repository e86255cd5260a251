"""Commands are imported when they are called, not before."""

import importlib
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from services.cli.root import COMMANDS, root
from services.common.tokens import ensure_development_key

HEAVY = ("numba", "scipy", "numpy", "ortools", "polars", "redis", "routing.rounds", "services.demo", "services.city.build")
PROGRAM = """
import json, sys
from services.cli import root
try:
    root.root(sys.argv[1:], prog_name="traboule")
finally:
    print(json.dumps([name for name in sys.modules if name.startswith(("numba", "services", "routing")) or "." not in name]))
"""


@pytest.mark.parametrize("arguments", [["token"], ["--help"], ["--version"]])
def test_small_commands_import_no_engine(tmp_path: Path, arguments: list[str]) -> None:
    """A token, the help and the version need neither compiler nor arrays."""
    ensure_development_key(tmp_path)
    environment = {**os.environ, "TRABOULE_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    *said, modules = ran.stdout.splitlines()
    assert said
    assert not set(HEAVY) & set(json.loads(modules))


def test_an_address_imports_no_engine(tmp_path: Path) -> None:
    """Nor does asking where a service listens, also when none does."""
    environment = {**os.environ, "TRABOULE_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, "address"], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert ran.returncode == 1
    assert "edge does not run" in ran.stderr
    assert not set(HEAVY) & set(json.loads(ran.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_commands_say(name: str) -> None:
    """Each command is where the list looks for it, is called so, and its help begins as the list says."""
    place, sentence = COMMANDS[name]
    module, attribute = place.split(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    told = inspect.cleandoc(command.help or "").replace("\n", " ")
    assert told.startswith(sentence)
    assert sentence.endswith(".")


def test_help_names_every_command() -> None:
    """Sorted, each with its first sentence; a wrong name is refused as ever."""
    runner = CliRunner()
    lines = runner.invoke(root, ["--help"], terminal_width=110).output.splitlines()
    listed = [line.split()[0] for line in lines[lines.index("Commands:") + 1 :] if line.strip()]
    assert listed == sorted(COMMANDS)
    wrong = runner.invoke(root, ["jorney"])
    assert wrong.exit_code == 2
    assert "No such command 'jorney'" in wrong.output


def test_rounds_has_all_its_commands() -> None:
    """Those of other modules too."""
    told = CliRunner().invoke(root, ["rounds", "--help"]).output
    assert all(f"  {name} " in told for name in ("solve", "insert", "value", "explain", "price", "compare"))

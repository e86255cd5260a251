"""Machine code is compiled by one process, the others wait for it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.builders.shared_data import ROOT

KERNELS = """
from numba import njit

@njit(cache=True)
def inner(x):
    for i in range(10):
        x += i
    return x

@njit(cache=True)
def outer(x):
    return inner(x) + inner(x + 1)

@njit(cache=True)
def wrong(x):
    return x.missing
"""
CHILD = """
import sys
from numba.core import event
from services.common.compiling import compile_once

compile_once()
compile_once()
with event.install_recorder("numba:compile") as recorder:
    from kernels import outer, wrong
    print("ready", flush=True)
    for function in sys.stdin:
        try:
            print({"outer": outer, "wrong": wrong}[function.strip()](1), end=" ")
        except Exception as error:
            print(type(error).__name__, end=" ")
        print(sum(done.is_end for _, done in recorder.buffer), flush=True)
"""


@pytest.fixture
def children(tmp_path: Path) -> Iterator[list[Popen[str]]]:
    """Three processes with the same kernels and the same empty cache; each calls the functions that it reads."""
    (tmp_path / "kernels.py").write_text(KERNELS)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with ExitStack() as stack:
        started = [stack.enter_context(Popen([sys.executable, "-c", CHILD], **options)) for _ in range(3)]
        for child in started:
            stack.callback(child.kill)
        assert [child.stdout.readline() for child in started] == ["ready\n"] * 3  # type: ignore[union-attr]
        yield started


def _call(children: list[Popen[str]], function: str) -> list[list[str]]:
    """What each answers, and how many functions it has compiled by then; they are called at the same time."""
    for child in children:
        assert child.stdin
        child.stdin.write(f"{function}\n")
        child.stdin.flush()
    return [child.stdout.readline().split() for child in children]  # type: ignore[union-attr]


def test_every_function_is_compiled_by_one_process(children: list[Popen[str]]) -> None:
    """Called at the same time, all answer and each function has been compiled once."""
    answers = _call(children, "outer")
    assert [value for value, _ in answers] == ["93"] * 3
    assert sum(int(compiled) for _, compiled in answers) == 2


def test_whoever_fails_or_is_killed_holds_nobody_up(children: list[Popen[str]]) -> None:
    """A function that cannot be compiled is refused in every process; what a killed one held is free."""
    assert [value for value, _ in _call(children, "wrong")] == ["TypingError"] * 3
    for child in children[:2]:
        assert child.stdin
        child.stdin.write("outer\n")
        child.stdin.flush()
        child.kill()
    assert _call(children[2:], "outer")[0][0] == "93"

"""Progress of a build where nobody looks at a terminal."""

import io
import re

import pytest
from rich.console import Console

from services.cli.progress import StepBars
from tests.builders.waiting import until_blocking


def test_a_log_hears_of_a_long_step_now_and_then() -> None:
    """How far the step is and for how long it has run, line by line, until it is done."""
    log = io.StringIO()
    with StepBars(Console(file=log, force_terminal=False, width=200), every_s=0.01) as bars:
        bars("streets", 0.0)
        bars("streets", 1.0)
        bars("kernels", 0.0)
        bars("kernels", 1 / 3)
        until_blocking(lambda: log.getvalue().count("kernels: 33 %") >= 2)
        bars("kernels", 1.0)
    lines = log.getvalue().splitlines()
    assert lines[:2] == ["  streets …", "  kernels …"]
    assert re.fullmatch(r"  kernels: 33 %, \d+ s so far", next(line for line in lines if "33 %" in line))
    assert not [line for line in lines if line.startswith("  streets:")]


def test_a_terminal_has_bars_alone() -> None:
    """No line is said beside the bars, and a failing step ends them."""
    screen = io.StringIO()
    bars = StepBars(Console(file=screen, force_terminal=True, width=80), every_s=0.001)

    def fail() -> None:
        with bars:
            bars("kernels", 0.5)
            raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        fail()
    assert "kernels" in screen.getvalue()
    assert "so far" not in screen.getvalue()

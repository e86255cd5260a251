"""Progress of what takes minutes: bars in a terminal, a line now and then in a log."""

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.cli import output

LINE_EVERY_S = 15.0
"""Longest silence where no terminal shows bars (logs of a CI, pipes)."""


class StepBars:
    """Progress of a build or a download: one bar per step. Enter it, then call it with each step's share.

    Without a terminal, a line says that a step began, and every `every_s` seconds how far it is and how long it has taken.

    Parameters
    ----------
    console : Console, optional
        Where to print (default: that of the commands).
    every_s : float
        Seconds between the lines of a log.
    """

    def __init__(self, console: Console | None = None, every_s: float = LINE_EVERY_S) -> None:
        columns = (
            TextColumn("{task.description:<12}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
        )
        self._console, self._every_s = console or output.console, every_s
        self._progress = Progress(*columns, console=self._console)
        self._tasks: dict[str, TaskID] = {}
        self._current: tuple[str, float, float] | None = None
        self._ended = threading.Event()
        self._telling = threading.Thread(target=self._tell, name="progress", daemon=True)

    def __enter__(self) -> Self:
        """Show the bars, or start the lines of a log."""
        self._progress.start()
        if not self._console.is_terminal:
            self._telling.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End them."""
        self._ended.set()
        if self._telling.is_alive():
            self._telling.join()
        self._progress.stop()

    def __call__(self, step: str, fraction: float) -> None:
        """Note how far a step is (0 to 1)."""
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(step, total=1.0)
            if not self._console.is_terminal:
                self._console.print(f"  {step} …")
        current = self._current
        began = current[2] if current is not None and current[0] == step else time.monotonic()
        self._current = (step, fraction, began) if fraction < 1.0 else None
        self._progress.update(self._tasks[step], completed=fraction)

    def _tell(self) -> None:
        while not self._ended.wait(self._every_s):
            if self._current is not None:
                step, fraction, began = self._current
                self._console.print(f"  {step}: {100 * fraction:.0f} %, {time.monotonic() - began:.0f} s so far")

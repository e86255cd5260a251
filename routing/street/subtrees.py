"""The elimination tree of a hierarchy in parts that threads can do side by side."""

import heapq
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from routing.kernels.cch_customise import add_to_parents
from routing.street.cch import Hierarchy

Span = tuple[int, int]
"""Ranks from the first number up to, not including, the second."""

_SMALL = 10_000
"""Nodes below which a second thread is not worth its start."""


class Split(NamedTuple):
    """Parts of an elimination tree.

    Attributes
    ----------
    tasks : list of lists of Span
        Whole subtrees, which do not depend on each other; the greatest tasks first.
    top : list of Span
        What lies above all of them, ascending.
    """

    tasks: list[list[Span]]
    top: list[Span]


def split(hierarchy: Hierarchy, threads: int) -> Split:
    """Split a tree by the triangles below its nodes, so that little is left above and the tasks fill the threads evenly."""
    if threads < 2 or hierarchy.node_count < _SMALL:
        return Split([], [(0, hierarchy.node_count)])
    key = f"split {threads}"
    if key not in hierarchy.memo:
        hierarchy.memo[key] = _split(hierarchy, threads)
    made: Split = hierarchy.memo[key]
    return made


def run_tasks(tasks: list[list[Span]], threads: int, work: Callable[[int, int], None]) -> None:
    """Do `work` for all spans, on the calling thread and others; whoever is ready takes the next task.

    Raises
    ------
    BaseException
        Whatever `work` raised.
    """
    waiting, failed = deque(tasks), list[BaseException]()

    def take() -> None:
        while not failed:
            try:
                spans = waiting.popleft()
            except IndexError:
                return
            try:
                for span in spans:
                    work(*span)
            except BaseException as error:  # raised again on the calling thread
                failed.append(error)

    others = [threading.Thread(target=take) for _ in range(min(threads, len(tasks)) - 1)]
    for thread in others:
        thread.start()
    take()
    for thread in others:
        thread.join()
    if failed:
        raise failed[0]


def _split(hierarchy: Hierarchy, threads: int) -> Split:
    size = np.ones(hierarchy.node_count, np.int64)
    add_to_parents(hierarchy.parent, size)
    down, up = hierarchy.down_first.astype(np.int64), hierarchy.up_first.astype(np.int64)
    below, above = down[1:] - down[:-1], up[1:] - up[:-1]
    # additions for every lower arc, and what finding them costs
    beside = np.append(hierarchy.down_end.astype(np.int64) - hierarchy.down_arc, 0)
    triangles: npt.NDArray[np.int64] = np.where(below > 0, np.add.reduceat(beside, down[:-1]), 0)
    effort = triangles + 6 * below + 4 * above
    add_to_parents(hierarchy.parent, effort)
    roots = np.flatnonzero(hierarchy.parent < 0)
    most = int(effort[roots].sum()) // (8 * threads)
    heap = [(-int(effort[root]), int(root)) for root in roots]
    heapq.heapify(heap)
    top: list[Span] = []
    while heap and -heap[0][0] > most:
        root = heapq.heappop(heap)[1]
        top.append((root, root + 1))
        child = root - 1
        while child > root - size[root]:  # subtrees are ranges, one after the other
            heapq.heappush(heap, (-int(effort[child]), child))
            child -= int(size[child])
    tasks: list[list[Span]] = []
    done = most
    for weight, root in sorted(heap):
        if done >= most // 2:  # small ones are taken together
            tasks.append([])
            done = 0
        tasks[-1].append((root - int(size[root]) + 1, root + 1))
        done -= weight
    return Split([_joined(spans) for spans in tasks], _joined(top))


def _joined(spans: list[Span]) -> list[Span]:
    """Ascending, neighbours made one."""
    out: list[Span] = []
    for begin, end in sorted(spans):
        if out and out[-1][1] == begin:
            out[-1] = (out[-1][0], end)
        else:
            out.append((begin, end))
    return out

"""Arrival functions between many stops over a day, for delivery rounds: one matrix per slot, stitched across slots.

A matrix of a slot holds what trips would take if its speeds lasted; `routing.kernels.td_pairs` lets a trip go on at the next
slot's speed when its own ends. Every pair has its duration at the beginning of every slot; arrivals are linear in between.
How far that is from driving: docs/benchmarks.md. Memory is two bytes per pair and slot, and a matrix for every slot that the
longest trip reaches.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput
from routing.kernels import td_pairs
from routing.kernels.cch_customise import FAR
from routing.kernels.rounds_times import NO_WAY_S

NO_WAY = 65_535
"""Compact duration (uint16) where no way leads."""
LONGEST_S = NO_WAY - 1
TOO_LATE_S = 30 * 86_400
"""Duration where a way leads at other departures only, all of them before: longer than any plan."""

MatrixOf = Callable[[int], npt.NDArray[np.uint32]]
"""Times (uint32 ms [s, t], `UNREACHABLE_MS` = no way) at the speeds of a slot."""


@dataclass(frozen=True, slots=True, eq=False)
class PairFunctions:
    """Arrival functions of pairs, first in, first out.

    Attributes
    ----------
    slot_s : float64[slots]
        Beginnings of slots, any origin.
    duration_s : uint16[slots, s, t]
        Whole seconds, rounded up; 65535 = no way.
    """

    slot_s: npt.NDArray[np.float64]
    duration_s: npt.NDArray[np.uint16]

    def arrival_s(self, i: int, j: int, depart_s: float) -> float:
        """Arrival when leaving at `depart_s`, inf = no way; before the first and after the last slot durations stay."""
        durations = self.duration_s[:, i, j].astype(np.float64)
        if (durations > LONGEST_S).any():
            return float("inf")
        if depart_s <= self.slot_s[0]:
            return float(depart_s + durations[0])
        if depart_s >= self.slot_s[-1]:
            return float(depart_s + durations[-1])
        return float(np.interp(depart_s, self.slot_s, self.slot_s + durations))


def pair_functions(slot_s: npt.ArrayLike, matrix_of: MatrixOf, longest_ms: int, threads: int = 1) -> PairFunctions:
    """Arrival functions for all slots.

    Parameters
    ----------
    slot_s : float[slots]
        Beginnings of slots, ascending. The last one never ends.
    matrix_of : callable
        Called once per slot, by several threads at a time.
    longest_ms : int
        No trip takes longer in any slot (`longest_of`).
    threads : int

    Raises
    ------
    InvalidInput
        For slots out of order, or trips longer than `LONGEST_S`.
    """
    starts = np.asarray(slot_s, np.float64)
    if starts.ndim != 1 or not len(starts) or not np.isfinite(starts).all() or (np.diff(starts) <= 0).any():
        raise InvalidInput("slot_s: at least one beginning, finite and ascending", "slot_s")
    if longest_ms > LONGEST_S * 1000:
        raise InvalidInput(f"trips of {longest_ms / 3.6e6:.1f} h do not fit compact arrival functions (18.2 h)", "longest_ms")
    slots, slot_ms = len(starts), _lengths_ms(starts)
    later = int(longest_ms // slot_ms.min()) + 1 if slots > 1 else 0
    out: npt.NDArray[Any] = np.empty(0, np.uint16)
    ring: npt.NDArray[Any] = np.empty(0, np.uint32)
    with ThreadPoolExecutor(threads) as pool:
        # From the last slot back, so that a slot finds the later ones; a few are made ahead by other threads.
        waiting = {k: pool.submit(matrix_of, k) for k in range(slots - 1, max(slots - 1 - threads, -1), -1)}
        for k in range(slots - 1, -1, -1):
            table = waiting.pop(k).result()
            if k - threads >= 0:
                waiting[k - threads] = pool.submit(matrix_of, k - threads)
            if k == slots - 1:
                ring = np.empty((min(later + 1, slots), *table.shape), np.uint32)
                out = np.empty((slots, *table.shape), np.uint16)
            ring[k % len(ring)] = table
            td_pairs.stitch(ring, k, slots, slot_ms, 0, table.shape[0], 1000, NO_WAY, out[k])
    return PairFunctions(starts, out)


def stitch_in_place(slot_s: npt.ArrayLike, table_ms: npt.NDArray[np.int32]) -> None:
    """Turn times at the speeds of slots into durations of trips that begin with slots, as `pair_functions` makes them.

    Parameters
    ----------
    slot_s : float[slots]
    table_ms : int32[slots, s, t]
        In: milliseconds, `FAR` and more = no way. Out: whole seconds, rounded up; `NO_WAY_S` = no way.
    """
    starts = np.asarray(slot_s, np.float64)
    slot_ms = _lengths_ms(starts)
    for k in range(len(starts)):  # a slot needs itself and later ones only
        td_pairs.stitch(table_ms, k, len(starts), slot_ms, 0, table_ms.shape[1], 1000, NO_WAY_S, table_ms[k])


def wait_until_open(slot_s: npt.ArrayLike, table_s: npt.NDArray[np.int32]) -> None:
    """Let pairs that have a way at some departures only wait for the next one that has, or come `TOO_LATE_S` if there is none.

    Arrivals stay first in, first out. Between a slot with a way and one without the engine's line rises: who leaves after the
    slot's beginning counts as later than it would be, never as earlier.

    Parameters
    ----------
    slot_s : float64[slots]
    table_s : int32[slots, s, t]
        In: durations at the beginnings of slots, `NO_WAY_S` = none. Out: `NO_WAY_S` only where no slot has a way.
    """
    starts = np.asarray(slot_s, np.float64)
    closed = table_s == NO_WAY_S
    never = closed.all(axis=0)
    if not (closed & ~never).any():
        return
    following = np.full(table_s.shape[1:], TOO_LATE_S, np.int32)
    for k in range(len(starts) - 1, -1, -1):
        if k < len(starts) - 1:
            following += np.int32(np.ceil(starts[k + 1] - starts[k]))
        table_s[k] = np.where(closed[k] & ~never, following, table_s[k])
        following = np.where(never, TOO_LATE_S, table_s[k]).astype(np.int32)


def fill_slots(known: npt.NDArray[np.int64], table_ms: npt.NDArray[np.int32]) -> None:
    """Fill the slots between `known` ones (ascending numbers, the first and the last slot among them).

    Times (int32[slots, s, t] ms) are linear between known slots; where one of both has no way there is none between them.
    """
    for before, after in pairwise(known):
        one, two = table_ms[before].astype(np.int64), table_ms[after].astype(np.int64)
        closed = (one >= FAR) | (two >= FAR)
        for k in range(before + 1, after):
            between = one + (two - one) * (k - before) // (after - before)
            table_ms[k] = np.where(closed, FAR, between)


def longest_of(table_ms: npt.NDArray[np.uint32]) -> int:
    """Longest time of a matrix where ways lead: that of the slowest speeds is a bound for all slots."""
    return int(table_ms[table_ms < FAR].max(initial=0))


def _lengths_ms(starts: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    lengths: npt.NDArray[np.int64] = np.rint(np.append(np.diff(starts), 86_400.0) * 1000).astype(np.int64)
    return lengths


__all__ = [
    "FAR",
    "LONGEST_S",
    "NO_WAY",
    "TOO_LATE_S",
    "MatrixOf",
    "PairFunctions",
    "fill_slots",
    "longest_of",
    "pair_functions",
    "stitch_in_place",
    "wait_until_open",
]

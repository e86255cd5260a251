"""A row and a column of travel times by slots, put into their place."""

import numpy as np
import numpy.typing as npt

from routing.kernels.jit import kernel
from routing.kernels.rounds_times import F64, NO_WAY_S

Durations = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@kernel
def restore_rows(slot_start_s: F64, rows: Durations) -> None:
    """Lower durations int32[p, s, n] at slot starts until no later departure arrives earlier; no way in one slot is none."""
    slots, n = rows.shape[1], rows.shape[2]
    for p in range(len(rows)):
        for k in range(slots - 2, -1, -1):
            length = np.int64(np.floor(slot_start_s[k + 1] - slot_start_s[k]))
            for j in range(n):
                following = rows[p, k + 1, j]
                if following != NO_WAY_S and rows[p, k, j] != NO_WAY_S and rows[p, k, j] > following + length:
                    rows[p, k, j] = np.int32(following + length)
        for j in range(n):
            closed = False
            for k in range(slots):
                closed = closed or rows[p, k, j] == NO_WAY_S
            if closed:
                for k in range(slots):
                    rows[p, k, j] = NO_WAY_S


@kernel
def lay_location(rows: Durations, columns: Durations, slot_s: Durations, matrix_s: F64) -> None:
    """Write durations from and to the last of n locations (int32[p, s, n]) into its row and column of ``slot_s[p, s, …]``.

    The least of all slots goes into `matrix_s`, inf = no way.
    """
    slots, n = rows.shape[1], rows.shape[2]
    at = n - 1
    for p in range(len(rows)):
        matrix_s[p, at, :n] = np.inf
        matrix_s[p, :n, at] = np.inf
        for k in range(slots):
            for j in range(n):
                slot_s[p, k, at, j] = rows[p, k, j]
                slot_s[p, k, j, at] = columns[p, k, j]
        for k in range(slots):
            for j in range(n):
                if rows[p, k, j] != NO_WAY_S:
                    matrix_s[p, at, j] = min(matrix_s[p, at, j], float(rows[p, k, j]))
        for j in range(n):
            least = np.inf
            for k in range(slots):
                if columns[p, k, j] != NO_WAY_S:
                    least = min(least, float(columns[p, k, j]))
            matrix_s[p, j, at] = least


@kernel
def lay_pairs(
    slot_start_s: F64,
    first: int,
    source: I64,
    target: I64,
    more_s: I64,
    duration_s: Durations,
    same_s: int,
    too_late_s: int,
    slot_s: Durations,
    matrix_s: F64,
) -> None:
    """Write new durations of some pairs into ``slot_s[s, n, n]`` and what follows from them for all slots of these pairs.

    A pair without a way in some slots only waits for the next one that has a way, or comes `too_late_s` after the last; no
    later departure arrives earlier. The least of all slots goes into ``matrix_s[n, n]``, inf = no way.

    Parameters
    ----------
    first : int
        Slot of ``duration_s[0]``.
    source, target : int64[k]
    more_s : int64[k]
        Time to find a place to stop, added to what is new.
    duration_s : int32[w, k]
        `NO_WAY_S` = none, `same_s` = as before.
    """
    slots, end = len(slot_start_s), first + len(duration_s)
    closed = np.zeros(len(source), np.int64)
    for k in range(slots):  # slot by slot: the pairs of a slot lie one after the other in memory
        for c in range(len(source)):
            i, j = source[c], target[c]
            if first <= k < end and duration_s[k - first, c] != same_s:
                new = np.int64(duration_s[k - first, c])
                slot_s[k, i, j] = np.int32(new if new == NO_WAY_S else new + more_s[c])
            closed[c] += slot_s[k, i, j] == NO_WAY_S
    for c in range(len(source)):
        matrix_s[source[c], target[c]] = np.inf
        if 0 < closed[c] < slots:
            following = too_late_s + more_s[c]
            for k in range(slots - 1, -1, -1):
                if k < slots - 1:
                    following += np.int64(np.ceil(slot_start_s[k + 1] - slot_start_s[k]))
                if slot_s[k, source[c], target[c]] == NO_WAY_S:
                    slot_s[k, source[c], target[c]] = np.int32(following)
                following = np.int64(slot_s[k, source[c], target[c]])
    for k in range(slots - 1, -1, -1):
        length = np.int64(np.floor(slot_start_s[k + 1] - slot_start_s[k])) if k < slots - 1 else np.int64(0)
        for c in range(len(source)):
            i, j = source[c], target[c]
            if closed[c] == slots:
                continue
            own = np.int64(slot_s[k, i, j])
            if k < slots - 1 and own > slot_s[k + 1, i, j] + length:
                own = slot_s[k + 1, i, j] + length
                slot_s[k, i, j] = np.int32(own)
            matrix_s[i, j] = min(matrix_s[i, j], np.float64(own))

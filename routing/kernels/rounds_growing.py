"""A row and a column of travel times by slots, put into their place."""

import numpy as np
import numpy.typing as npt

from routing.kernels.jit import kernel
from routing.kernels.rounds_times import F64, NO_WAY_S

Durations = npt.NDArray[np.int32]


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

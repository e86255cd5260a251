"""Which visits lie close to each other: where to ruin and where to put back."""

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_route import ProblemArrays
from routing.kernels.rounds_times import I32, TimesArrays

F64 = npt.NDArray[np.float64]

CLOSE = 250
"""Visits considered when adjacent strings are removed."""
NEIGHBOURS = 40
"""Neighbours next to which a visit is tried (granular search)."""
WAITING = 0.2
"""Weight of unavoidable waiting; Vidal and others (2013), doi:10.1016/j.cor.2012.07.018."""
ROWS = 1 << 22
"""Pairs looked at together, which bounds the memory."""


def list_neighbours(problem: ProblemArrays, times: TimesArrays) -> tuple[I32, I32, F64]:
    """Neighbours of every visit (but reloads, which are the last ones), nearest first, and how far it is from the first start.

    Returns
    -------
    int32[m, c], int32[m, d]
        By the least travel time; by it with the wait and the lateness that no schedule avoids. Both in the better direction.
    float64[m]
        Seconds from the first vehicle's start.
    """
    m = int((~problem.visits.is_reload).sum())
    problem = problem._replace(visits=problem.visits[:m], service_s=problem.service_s[:, :m])
    at = problem.visits.location
    opens, closes = _outer_windows(problem)
    matrix = times.matrix_s[0]
    close, near = np.empty((m, min(CLOSE, max(m - 1, 0))), np.int32), np.empty((m, min(NEIGHBOURS, max(m - 1, 0))), np.int32)
    step = max(1, ROWS // max(m, 1))
    for begin in range(0, m, step):
        rows = np.arange(begin, min(begin + step, m))
        there, back = matrix[at[rows][:, None], at[None, :]], matrix[at[None, :], at[rows][:, None]]
        own = (np.arange(len(rows)), rows)
        close[rows] = _smallest(np.minimum(there, back), own, close.shape[1])
        service = problem.service_s[0]
        forth = _detour(there, opens[rows, None], closes[rows, None], service[rows, None], opens, closes)
        other = _detour(back, opens[None, :], closes[None, :], service[None, :], opens[rows, None], closes[rows, None])
        near[rows] = _smallest(np.minimum(forth, other), own, near.shape[1])
    start = problem.vehicles[0].start_location if len(problem.vehicles) else 0
    return close, near, np.nan_to_num(matrix[start, at], posinf=1e9)


def _outer_windows(problem: ProblemArrays) -> tuple[F64, F64]:
    opens, closes = np.full(len(problem.visits), -np.inf), np.full(len(problem.visits), np.inf)
    some = problem.visits.last_window > problem.visits.first_window
    opens[some] = problem.windows.opens_s[problem.visits.first_window[some]]
    closes[some] = problem.windows.closes_s[problem.visits.last_window[some] - 1]
    return opens, closes


def _detour(least: F64, opens_a: F64, closes_a: F64, service_a: F64, opens_b: F64, closes_b: F64) -> F64:
    """Travel time from a to b with the waiting and the lateness that cannot be avoided."""
    with np.errstate(invalid="ignore"):
        wait = np.nan_to_num(np.maximum(0.0, opens_b - least - (closes_a + service_a)), posinf=0.0, neginf=0.0)
        late = np.nan_to_num(np.maximum(0.0, opens_a + service_a + least - closes_b), posinf=0.0, neginf=0.0)
    return np.asarray(least + WAITING * wait + late, np.float64)


def _smallest(values: F64, own: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], count: int) -> I32:
    """Columns of the `count` smallest values of each row in order, without the row's own."""
    values[own] = np.inf
    if count < values.shape[1] // 4:
        some = np.sort(np.argpartition(values, count, axis=1)[:, :count], axis=1)
        order = np.argsort(np.take_along_axis(values, some, axis=1), axis=1, kind="stable")
        return np.take_along_axis(some, order, axis=1).astype(np.int32)
    values[own] = np.inf
    order = np.argsort(values, axis=1, kind="stable")
    return order[:, :count].astype(np.int32)

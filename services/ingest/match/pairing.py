"""The cheapest pairs of rows and columns, each used once.

References
----------
Goldberg, A. V., Kennedy, R. (1995): An efficient cost scaling algorithm for the assignment problem, Mathematical Programming 71
(here OR-Tools' `SimpleLinearSumAssignment`, which starts in a tenth of the time that SciPy's optimisers take to be imported).
"""

import numpy as np
import numpy.typing as npt
from ortools.graph.python.linear_sum_assignment import SimpleLinearSumAssignment  # type: ignore[import-untyped]

UNITS = 100.0
"""Costs are compared in hundredths."""


def pair_cheapest(costs: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair as many rows with columns as there are of the fewer, so that the sum of costs is least.

    Parameters
    ----------
    costs : float64[r, c]
        Of each pair; finite, at most 1e9 in size.

    Returns
    -------
    list of (row, column)
        Ordered by row.
    """
    rows, columns = costs.shape
    size = max(rows, columns)
    # The solver wants as many columns as rows: those added cost the same with anybody and stand for "none".
    padded = np.zeros((size, size), np.int64)
    padded[:rows, :columns] = np.rint(costs * UNITS)
    solver = SimpleLinearSumAssignment()
    left, right = np.indices((size, size), np.int32)
    solver.add_arcs_with_cost(left.ravel(), right.ravel(), padded.ravel())
    solved = solver.solve()
    assert solved == SimpleLinearSumAssignment.OPTIMAL, solved
    mates = ((row, int(solver.right_mate(row))) for row in range(rows))
    return [(row, column) for row, column in mates if column < columns]

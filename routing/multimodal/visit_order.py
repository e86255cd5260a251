"""The best order of a few visits under travel times that change over the day.

A time-dependent travelling salesman problem with time windows and optional visits, solved exactly with CP-SAT: one literal per
ordered pair and departure slot, a circuit constraint over them, times linked by enforcement (in the manner of Miller, Tucker
and Zemlin, 1960). CP-SAT releases the GIL while it searches.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from routing.errors import InvalidInput

MAX_VISITS = 16
NEVER_S = 2**31 - 1
"""Travel time of a pair that cannot be travelled in a slot."""

MANDATORY = -1
"""Prize of a visit that may not be left out."""

Windows = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class OrderProblem:
    """What is to be ordered; node 0 is the start, node n - 1 the end, the rest are visits.

    Attributes
    ----------
    slot_start_s : int64[k]
        Unix seconds at which each slot of travel times begins, increasing; the first is at or before `depart_s`.
    travel_s : int32[k, n, n]
        Travel time when leaving within the slot; `NEVER_S` = impossible.
    stay_s : int32[n]
        Seconds spent at each node.
    windows : n tuples of (from, to)
        The stay at the node begins within one of these spans, unix seconds, ends included.
    depart_s : int
        Earliest departure from the start.
    prize_s : int32[n]
        Seconds of travel an optional visit is worth, `MANDATORY` = must be made (start and end always are).
    fixed_order : bool
        Visits keep the order of their numbers.
    """

    slot_start_s: npt.NDArray[np.int64]
    travel_s: npt.NDArray[np.int32]
    stay_s: npt.NDArray[np.int32]
    windows: tuple[Windows, ...]
    depart_s: int
    prize_s: npt.NDArray[np.int32]
    fixed_order: bool = False

    def __post_init__(self) -> None:
        n, k = len(self.stay_s), len(self.slot_start_s)
        if not 3 <= n <= MAX_VISITS + 2:
            raise InvalidInput(f"a tour has 1..{MAX_VISITS} visits, {n - 2} given", field="visits")
        if self.travel_s.shape != (k, n, n):
            raise InvalidInput(f"travel_s has shape {self.travel_s.shape}, needs {(k, n, n)}", field="travel_s")
        if k == 0 or (np.diff(self.slot_start_s) <= 0).any() or self.slot_start_s[0] > self.depart_s:
            raise InvalidInput("slots must increase and begin at or before the departure", field="slot_start_s")
        for node, spans in enumerate(self.windows):
            if not spans or any(a > b for a, b in spans):
                raise InvalidInput(f"window of visit {node - 1} ends before it begins", field=f"visits[{node - 1}].windows")


@dataclass(frozen=True, slots=True)
class VisitOrder:
    """Answer: nodes from start to end, when each stay begins (unix seconds), and whether it is proven best."""

    nodes: tuple[int, ...]
    begins_s: tuple[int, ...]
    optimal: bool


def find_order(
    problem: OrderProblem, *, seconds: float = 5.0, seed: int = 0, should_stop: Callable[[], bool] | None = None
) -> VisitOrder | None:
    """Order with the earliest end, prizes of left-out visits added; None if no order keeps all windows.

    Deterministic for the same problem and seed as long as the search ends before `seconds` and nobody stops it.

    Raises
    ------
    Interrupted
        If `should_stop` became true before the search ended.
    """
    from routing.multimodal.visit_order_model import solve  # noqa: PLC0415 - CP-SAT brings pandas along; no start waits for it

    solved = solve(problem, seconds, seed, should_stop)
    if solved is None:
        return None
    nodes, planned, optimal = solved
    earliest = _earliest(problem, nodes)
    begins_s = earliest if earliest and earliest[-1] <= planned[-1] else planned
    return VisitOrder(tuple(nodes), begins_s, optimal)


def _earliest(problem: OrderProblem, nodes: list[int]) -> tuple[int, ...] | None:
    """Beginnings along a given order when nobody waits but for opening; None where that breaks a window.

    Step-wise travel times are not FIFO: waiting for the next slot may arrive earlier, then the solver's times hold.
    """
    now = _open(problem.windows[0], problem.depart_s)
    begins = [now]
    for tail, head in itertools.pairwise(nodes):
        if now is None:
            return None
        leaves = now + int(problem.stay_s[tail])
        slot = int(np.searchsorted(problem.slot_start_s, leaves, side="right")) - 1
        now = _open(problem.windows[head], leaves + int(problem.travel_s[slot, tail, head]))
        begins.append(now)
    return tuple(begin for begin in begins if begin is not None) if now is not None else None


def _open(spans: Windows, time_s: int) -> int | None:
    """First moment at or after `time_s` inside a span."""
    return min((max(a, time_s) for a, b in spans if b >= time_s), default=None)

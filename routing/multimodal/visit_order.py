"""The best order of a few visits under travel times that change over the day.

A time-dependent travelling salesman problem with time windows and optional visits, solved exactly with CP-SAT: one literal per
ordered pair and departure slot, a circuit constraint over them, times linked by enforcement (in the manner of Miller, Tucker
and Zemlin, 1960). CP-SAT releases the GIL while it searches.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from routing.errors import Interrupted, InvalidInput

MAX_VISITS = 16
NEVER_S = 2**31 - 1
"""Travel time of a pair that cannot be travelled in a slot."""

STOP_CHECK_S = 0.1
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
    builder = _Builder(problem)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.random_seed = seed
    solver.parameters.num_workers = 1
    with _stopping(solver, should_stop):
        status = solver.solve(builder.model)
    if should_stop is not None and should_stop():
        raise Interrupted("the search for the best order was stopped")
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    end = len(problem.stay_s) - 1
    successor = {tail: head for (tail, head, _), literal in builder.arcs.items() if solver.boolean_value(literal)}
    nodes = [0]
    while nodes[-1] != end:
        nodes.append(successor[nodes[-1]])
    planned = tuple(int(solver.value(builder.begins[node])) + problem.depart_s for node in nodes)
    earliest = _earliest(problem, nodes)
    begins_s = earliest if earliest and earliest[-1] <= planned[-1] else planned
    return VisitOrder(tuple(nodes), begins_s, status == cp_model.OPTIMAL)


@contextmanager
def _stopping(solver: cp_model.CpSolver, should_stop: Callable[[], bool] | None) -> Iterator[None]:
    """End the search within the block soon after `should_stop` becomes true; CP-SAT itself asks nobody."""
    if should_stop is None:
        yield
        return
    over = threading.Event()

    def watch() -> None:
        while not over.wait(STOP_CHECK_S):
            if should_stop():
                solver.stop_search()

    watcher = threading.Thread(target=watch, name="visit order", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


class _Builder:
    """The CP-SAT model of one problem; times are relative to the departure."""

    def __init__(self, problem: OrderProblem) -> None:
        self.problem, self.model = problem, cp_model.CpModel()
        n = len(problem.stay_s)
        latest = int(problem.slot_start_s[-1]) + 24 * 3600
        self.possible = [any(b >= problem.depart_s and a <= latest for a, b in problem.windows[node]) for node in range(n)]
        self.begins = [self._begin(problem.windows[node]) for node in range(n)]
        self.arcs: dict[tuple[int, int, int], cp_model.IntVar] = {}
        self.circuit: list[tuple[int, int, cp_model.LiteralT]] = [(n - 1, 0, self.model.new_constant(1))]
        for tail, head in itertools.product(range(n - 1), range(1, n)):
            in_order = not (problem.fixed_order and head < tail)
            if tail != head and in_order and self.possible[tail] and self.possible[head]:
                self._add_pair(tail, head)
        lost = []
        for node in range(1, n - 1):
            if problem.prize_s[node] == MANDATORY:
                self._require(node)
            else:
                skip = self.model.new_bool_var("")
                self.circuit.append((node, node, skip))
                lost.append(int(problem.prize_s[node]) * skip)
        self.model.add_circuit(self.circuit)
        self.model.minimize(self.begins[n - 1] + sum(lost))

    def _require(self, node: int) -> None:
        """A mandatory node that no arc leads to would drop out of the circuit unnoticed."""
        if not any(head == node for _, head, _ in self.arcs):
            self.model.add_bool_or([])

    def _begin(self, spans: Windows) -> cp_model.IntVar:
        base = self.problem.depart_s
        horizon = int(self.problem.slot_start_s[-1]) - base + 24 * 3600
        inside = [[max(0, a - base), min(horizon, b - base)] for a, b in spans if b >= base and a - base <= horizon]
        return self.model.new_int_var_from_domain(cp_model.Domain.from_intervals(inside or [[0, horizon]]), "")

    def _add_pair(self, tail: int, head: int) -> None:
        problem, base, slots = self.problem, self.problem.depart_s, self.problem.slot_start_s
        leaves = self.begins[tail] + int(problem.stay_s[tail])
        for slot in range(len(slots)):
            travel = int(problem.travel_s[slot, tail, head])
            if travel == NEVER_S:
                continue
            literal = self.model.new_bool_var("")
            self.arcs[tail, head, slot] = literal
            self.circuit.append((tail, head, literal))
            self.model.add(leaves >= int(slots[slot]) - base).only_enforce_if(literal)
            if slot + 1 < len(slots):
                self.model.add(leaves < int(slots[slot + 1]) - base).only_enforce_if(literal)
            self.model.add(self.begins[head] >= leaves + travel).only_enforce_if(literal)


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

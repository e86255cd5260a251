"""The order of visits as a CP-SAT model, in a module of its own: importing the solver takes a third of a second."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ortools.sat.python import cp_model

from routing.errors import Interrupted
from routing.multimodal.visit_order import MANDATORY, NEVER_S, OrderProblem, Windows

STOP_CHECK_S = 0.1


def solve(
    problem: OrderProblem, seconds: float, seed: int, should_stop: Callable[[], bool] | None = None
) -> tuple[list[int], tuple[int, ...], bool] | None:
    """Solve with one thread for at most `seconds`.

    Returns
    -------
    tuple or None
        Nodes from start to end, when each stay begins (unix seconds), and whether that is proven best; None without an order.

    Raises
    ------
    Interrupted
        If `should_stop` became true before the search ended.
    """
    built = Model(problem)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.random_seed = seed
    solver.parameters.num_workers = 1
    with _stopping(solver, should_stop):
        status = solver.solve(built.model)
    if should_stop is not None and should_stop():
        raise Interrupted("the search for the best order was stopped")
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    end = len(problem.stay_s) - 1
    successor = {tail: head for (tail, head, _), literal in built.arcs.items() if solver.boolean_value(literal)}
    nodes = [0]
    while nodes[-1] != end:
        nodes.append(successor[nodes[-1]])
    planned = tuple(int(solver.value(built.begins[node])) + problem.depart_s for node in nodes)
    return nodes, planned, status == cp_model.OPTIMAL


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


class Model:
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

"""The best order of a few visits under travel times that change over the day.

A time-dependent travelling salesman problem with time windows, solved exactly with CP-SAT: one literal per ordered pair and
departure slot, a circuit constraint over them, arrival times linked by enforcement (Miller, Tucker, Zemlin style time
variables). CP-SAT releases the GIL while it searches.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from routing.errors import InvalidInput

MAX_VISITS = 14
NEVER_S = 2**31 - 1
"""Travel time of a pair that cannot be travelled in a slot."""


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
    opens_s, closes_s : int64[n]
        The stay must begin within.
    depart_s : int
        Earliest departure from the start.
    """

    slot_start_s: npt.NDArray[np.int64]
    travel_s: npt.NDArray[np.int32]
    stay_s: npt.NDArray[np.int32]
    opens_s: npt.NDArray[np.int64]
    closes_s: npt.NDArray[np.int64]
    depart_s: int

    def __post_init__(self) -> None:
        n, k = len(self.stay_s), len(self.slot_start_s)
        if not 3 <= n <= MAX_VISITS + 2:
            raise InvalidInput(f"a tour has 1..{MAX_VISITS} visits, {n - 2} given", field="visits")
        if self.travel_s.shape != (k, n, n):
            raise InvalidInput(f"travel_s has shape {self.travel_s.shape}, needs {(k, n, n)}", field="travel_s")
        if k == 0 or (np.diff(self.slot_start_s) <= 0).any() or self.slot_start_s[0] > self.depart_s:
            raise InvalidInput("slots must increase and begin at or before the departure", field="slot_start_s")


@dataclass(frozen=True, slots=True)
class VisitOrder:
    """Answer: nodes from start to end, when each stay begins (unix seconds), and whether it is proven best."""

    nodes: tuple[int, ...]
    begins_s: tuple[int, ...]
    optimal: bool


def find_order(problem: OrderProblem, *, seconds: float = 5.0, seed: int = 0) -> VisitOrder | None:
    """Order with the earliest arrival at the end; None if no order keeps all windows.

    Deterministic for the same problem and seed as long as the search ends before `seconds`.
    """
    model = cp_model.CpModel()
    begins, arcs = _build(problem, model)
    end = len(problem.stay_s) - 1
    model.minimize(begins[end])
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.random_seed = seed
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    successor = {tail: head for (tail, head, _), literal in arcs.items() if solver.boolean_value(literal)}
    nodes = [0]
    while nodes[-1] != end:
        nodes.append(successor[nodes[-1]])
    planned = tuple(int(solver.value(begins[node])) + problem.depart_s for node in nodes)
    earliest = _earliest(problem, nodes)
    begins_s = earliest if earliest and earliest[-1] <= planned[-1] else planned
    return VisitOrder(tuple(nodes), begins_s, status == cp_model.OPTIMAL)


def _build(
    problem: OrderProblem, model: cp_model.CpModel
) -> tuple[list[cp_model.IntVar], dict[tuple[int, int, int], cp_model.IntVar]]:
    n = len(problem.stay_s)
    base = problem.depart_s
    horizon = int(problem.slot_start_s[-1] - base + 24 * 3600)
    begins = [
        model.new_int_var(max(0, int(problem.opens_s[i]) - base), max(0, min(horizon, int(problem.closes_s[i]) - base)), "")
        for i in range(n)
    ]
    arcs: dict[tuple[int, int, int], cp_model.IntVar] = {}
    circuit: list[tuple[int, int, cp_model.LiteralT]] = [(n - 1, 0, model.new_constant(1))]
    for tail in range(n - 1):
        for head in range(1, n):
            if head != tail and (n == 3 or (tail, head) != (0, n - 1)):
                _add_pair(problem, model, begins, arcs, circuit, (tail, head))
    model.add_circuit(circuit)
    return begins, arcs


def _add_pair(
    problem: OrderProblem,
    model: cp_model.CpModel,
    begins: list[cp_model.IntVar],
    arcs: dict[tuple[int, int, int], cp_model.IntVar],
    circuit: list[tuple[int, int, cp_model.LiteralT]],
    pair: tuple[int, int],
) -> None:
    tail, head = pair
    stay, base, slots = int(problem.stay_s[tail]), problem.depart_s, problem.slot_start_s
    for slot in range(len(slots)):
        travel = int(problem.travel_s[slot, tail, head])
        if travel == NEVER_S:
            continue
        literal = model.new_bool_var("")
        arcs[tail, head, slot] = literal
        circuit.append((tail, head, literal))
        leaves = begins[tail] + stay
        model.add(leaves >= int(slots[slot]) - base).only_enforce_if(literal)
        if slot + 1 < len(slots):
            model.add(leaves < int(slots[slot + 1]) - base).only_enforce_if(literal)
        model.add(begins[head] >= leaves + travel).only_enforce_if(literal)


def _earliest(problem: OrderProblem, nodes: list[int]) -> tuple[int, ...] | None:
    """Beginnings along a given order when nobody waits but for opening; None where that breaks a window.

    Step-wise travel times are not FIFO: waiting for the next slot may arrive earlier, then the solver's times hold.
    """
    now = max(problem.depart_s, int(problem.opens_s[0]))
    begins = [now]
    for tail, head in itertools.pairwise(nodes):
        leaves = now + int(problem.stay_s[tail])
        slot = int(np.searchsorted(problem.slot_start_s, leaves, side="right")) - 1
        now = max(leaves + int(problem.travel_s[slot, tail, head]), int(problem.opens_s[head]))
        if now > problem.closes_s[head]:
            return None
        begins.append(now)
    return tuple(begins)

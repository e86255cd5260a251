"""Rounds of two echelons: vans bring goods to micro-hubs, whose vehicles deliver them.

A layer above the search of rounds: which order goes over which hub, and until when goods are there (the hub's handover), is
a candidate; with that decided all rounds are one problem without hubs (`hub_problem.assigned`), improved from the present
rounds. Candidates come from large neighbourhoods (`hub_moves`), estimated by marginal costs of insertion. The first plan is
that of vans alone and only better ones follow. What leaves here has passed an independent validator (`validate_hubs`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from routing.rounds.again import plan_again
from routing.rounds.api import build_plan, solve
from routing.rounds.budget import time_share
from routing.rounds.hub_moves import Choice, Moves
from routing.rounds.hub_plan import HubPlan, hubs_cost, transfers_of
from routing.rounds.hub_problem import DIRECT, HubOptions, assigned, either
from routing.rounds.plan import Plan
from routing.rounds.problem import Problem
from routing.rounds.travel_times import TravelTimes
from routing.rounds.validate_hubs import check_hub_plan

FIRST_SHARE = 0.25
"""Share of the budget for the plan of vans alone."""
LAST_SHARE = 0.2
"""Share of it at the end for the rounds of the best assignment."""
OPENINGS, STARTS = 4, 4
"""Assignments to begin with, at most: as the search has them, from no rounds at all, and by rule."""
EITHER_SHARE = 0.3
"""Share of the candidates in which the search says anew which order goes over a hub."""
DOUBT_SHARE = 0.5
"""Share of it after which no hub is tried any more where vans alone are best so far: the rest is theirs."""
START_PART, CANDIDATE_PART = 0.03, 0.004
"""Iterations for a start and for a candidate, as a share of all; by time a start gets this share of it."""
CANDIDATE_ITERATIONS = 60
"""Iterations for a candidate, at least, and by time."""
TOLERANCE = 0.01
"""A candidate that is dearer by this share may be gone on from at first; in the end none."""


@dataclass(slots=True)
class _Budget:
    """Iterations, or time as a share: what is used of it."""

    iterations: int | None
    share: Callable[[], float]
    used: int = 0

    def progress(self) -> float:
        """Share used; the share by time or by what asks to stop where that is larger."""
        return max(self.share(), 0.0 if self.iterations is None else self.used / max(self.iterations, 1))

    def part(self, share: float) -> Callable[[], float]:
        """Progress of a stage that may take so much of what is left to 1."""
        began = self.progress()
        return lambda: (self.share() - began) / share if self.iterations is None else float(self.share() >= 1.0)

    def counted(self, share: float, least: int) -> int | None:
        """Iterations of such a stage; None = by time."""
        return None if self.iterations is None else max(least, int(share * self.iterations))


@dataclass(frozen=True, slots=True)
class Rounds:
    """Visits of every vehicle under an assignment of orders to hubs; ways to hubs may be missing."""

    hub_of: tuple[int, ...]
    routes: list[list[int]]

    @classmethod
    def of(cls, found: HubPlan) -> "Rounds":
        """Those of a plan."""
        return cls(found.plan.hub_of, found.plan.routes_by_vehicle(len(found.problem.vehicles)))


@dataclass(slots=True)
class _Work:
    problem: Problem
    times: TravelTimes
    seed: int
    budget: _Budget
    options: HubOptions = field(init=False)

    def __post_init__(self) -> None:
        self.options = HubOptions(self.problem)

    def judged(
        self, choice: Choice, now: Rounds, iterations: int | None, progress: Callable[[], float]
    ) -> tuple[HubPlan, Choice]:
        """Both echelons planned for a choice, from the rounds of `now`; orders without a whole way over a hub go directly."""
        hub_of, handover_s = choice
        while True:
            inner = assigned(self.options, hub_of, handover_s)
            routes = self._carried(now, hub_of)
            plan = plan_again(inner, self.times, routes, iterations=iterations, progress=progress, seed=self.seed)
            self.budget.used += max(plan.iterations, iterations or 0)  # a plan that is no better says 0
            self.seed += 1
            over = [s for s, hub in enumerate(hub_of) if hub != DIRECT]
            absent = {one.shipment_idx for one in plan.unserved}
            broken = {s for k, s in enumerate(over) if s in absent or len(hub_of) + k in absent}
            if not broken:
                return self.finished(plan, hub_of), (hub_of, handover_s)
            hub_of = tuple(DIRECT if s in broken else hub for s, hub in enumerate(hub_of))

    def finished(self, plan: Plan, hub_of: tuple[int, ...]) -> HubPlan:
        """A plan over hubs of rounds in which every order over one is brought and delivered, validated."""
        whole = replace(plan, hub_of=hub_of)
        cost = whole.cost + hubs_cost(self.problem, hub_of)
        found = HubPlan(assigned(self.options, hub_of), whole, transfers_of(self.options, hub_of, whole), cost)
        return check_hub_plan(self.problem, self.times, found)

    def explained(self, found: HubPlan, choice: Choice, first_cost: float) -> HubPlan:
        """The same rounds, with why orders are not served."""
        inner = assigned(self.options, *choice)
        routes = found.plan.routes_by_vehicle(len(inner.vehicles))
        plan = build_plan(
            inner, self.times, routes, iterations=self.budget.used, first_cost=first_cost, explained=True
        )  # fmt: skip
        return self.finished(plan, choice[0])

    def drawn(
        self,
        handover_s: tuple[float, ...],
        hubs: Sequence[int],
        now: Rounds,
        iterations: int | None,
        progress: Callable[[], float],
    ) -> tuple[Choice, Rounds]:
        """Which order goes over which of `hubs` as the search itself would have it, order by order, and in which rounds.

        From the rounds of `now` as far as they hold.
        """
        known = len(self.problem.visits)
        kept = [
            [v for v in route if v < known] if home == DIRECT or home in hubs else []
            for route, home in zip(now.routes, self.options.belongs, strict=True)
        ]
        inner = either(self.options, handover_s, hubs)
        plan = plan_again(inner, self.times, kept, iterations=iterations, progress=progress, seed=self.seed)
        self.budget.used += max(plan.iterations, iterations or 0)
        self.seed += 1
        hub_of = [DIRECT] * len(self.problem.shipments)
        for one in plan.rounds:
            for stop in one.stops:
                s = self.problem.visits[stop.visit_idx][0]
                if self.options.of_orders[s]:
                    hub_of[s] = self.options.belongs[one.vehicle_idx]
        routes = plan.routes_by_vehicle(len(self.problem.vehicles))
        return (tuple(hub_of), handover_s), Rounds(tuple(hub_of), routes)

    def _carried(self, now: Rounds, hub_of: Sequence[int]) -> list[list[int]]:
        """Routes of `now` less the orders that go another way, in the numbers of visits under `hub_of`."""
        known, own = len(self.problem.visits), [s for s, hub in enumerate(hub_of) if hub != DIRECT]
        rank = {s: known + k for k, s in enumerate(own)}
        was = [s for s, hub in enumerate(now.hub_of) if hub != DIRECT]

        def number(v: int) -> int | None:
            s = was[v - known] if v >= known else self.problem.visits[v][0]
            if now.hub_of[s] != hub_of[s]:
                return None
            return rank[s] if v >= known else v

        carried = ([number(v) for v in route] for route in now.routes)
        return [[v for v in route if v is not None] for route in carried]


def solve_over_hubs(
    problem: Problem,
    travel_times: TravelTimes,
    *,
    iterations: int | None = None,
    time_limit_s: float | None = None,
    elapsed_s: Callable[[], float] | None = None,
    seed: int = 0,
    threads: int = 1,
    on_improvement: Callable[[HubPlan], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> HubPlan:
    """Plan a problem with micro-hubs; parameters and errors as in `routing.rounds.api.solve`.

    The answer costs no more than the plan of vans alone that a quarter of the budget finds. `threads` are for that plan only.
    """
    share = time_share(iterations, time_limit_s, elapsed_s, should_stop)
    work = _Work(problem, travel_times, seed, _Budget(iterations, share))
    hub_of = (DIRECT,) * len(problem.shipments)
    plan = solve(
        assigned(work.options, hub_of), travel_times, iterations=work.budget.counted(FIRST_SHARE, 1),
        time_limit_s=None if time_limit_s is None else FIRST_SHARE * time_limit_s, elapsed_s=elapsed_s, seed=seed,
        threads=threads, should_stop=should_stop,
    )  # fmt: skip
    work.budget.used += plan.iterations
    first = work.finished(plan, hub_of)
    if on_improvement:
        on_improvement(first)
    moves = Moves(work.options, travel_times, np.random.default_rng(seed))
    best, choice = first, (hub_of, moves.handovers(0.25))
    if moves.any:
        best, choice = _searched(work, moves, best, choice, on_improvement)
    best, choice = _polished(work, best, choice)
    last = work.explained(best, choice, first.cost)
    if on_improvement and last.cost < first.cost - 1e-7:
        on_improvement(last)
    return last


def solve_hubs(
    problem: Problem, travel_times: TravelTimes, *, on_improvement: Callable[[Plan], None] | None = None, **limits: Any
) -> Plan:
    """`solve_over_hubs` for callers of `solve`: plans alone, which say by `hub_of` where goods change vehicles."""
    tell = on_improvement

    def each(found: HubPlan) -> None:
        if tell is not None:
            tell(found.plan)

    return solve_over_hubs(problem, travel_times, on_improvement=each, **limits).plan


def _searched(
    work: _Work, moves: Moves, first: HubPlan, choice: Choice, on_improvement: Callable[[HubPlan], None] | None
) -> tuple[HubPlan, Choice]:
    """Starts, then candidates near the present plan, until only the last share of the budget is left."""
    budget, until = work.budget, 1.0 - LAST_SHARE
    best = now = (first, choice)
    few = budget.counted(START_PART, CANDIDATE_ITERATIONS)
    for handover_s, hubs in moves.openings(OPENINGS):
        if budget.progress() >= until:
            break
        empty = Rounds(first.plan.hub_of, [[] for _ in work.problem.vehicles])
        drawn, rounds = work.drawn(handover_s, hubs, empty, few, budget.part(START_PART))
        start = moves.fitted(drawn[0]), drawn[1]
        found = work.judged(start, rounds, few, budget.part(START_PART))
        if found[0].cost < now[0].cost - 1e-7:
            best = now = found
            _tell(on_improvement, best[0])
    for start in moves.starts(STARTS):
        if budget.progress() >= (until if best[0].transfers else DOUBT_SHARE):
            break
        found = work.judged(start, Rounds.of(first), few, budget.part(START_PART))
        if found[0].cost < now[0].cost - 1e-7:
            best = now = found
            _tell(on_improvement, best[0])
    steps = budget.counted(CANDIDATE_PART, CANDIDATE_ITERATIONS) or CANDIDATE_ITERATIONS
    began = budget.progress()
    while (progress := budget.progress()) < (until if best[0].transfers else DOUBT_SHARE):
        rounds = Rounds.of(now[0])
        choice = moves.draw(now[0], now[1][1])
        if moves.coin(EITHER_SHARE):
            used = sorted({hub for hub in choice[0] if hub != DIRECT})
            drawn, rounds = work.drawn(choice[1], used, rounds, steps, budget.share)
            choice = moves.fitted(drawn[0]), drawn[1]
        found = work.judged(choice, rounds, steps, budget.share)
        warmth = TOLERANCE * max(0.0, 1.0 - (progress - began) / max(until - began, 1e-9))
        if found[0].cost < now[0].cost + warmth * sum(one.cost for one in now[0].plan.rounds):
            now = found
        if found[0].cost < best[0].cost - 1e-7:
            best = found
            _tell(on_improvement, best[0])
    return best


def _polished(work: _Work, best: HubPlan, choice: Choice) -> tuple[HubPlan, Choice]:
    """The rounds of the best assignment, improved with what is left of the budget."""
    budget = work.budget
    if budget.progress() >= 1.0:
        return best, choice
    left = None if budget.iterations is None else max(1, budget.iterations - budget.used)
    found = work.judged(choice, Rounds.of(best), left, budget.part(1.0 - budget.progress()))
    return found if found[0].cost < best.cost else (best, choice)


def _tell(on_improvement: Callable[[HubPlan], None] | None, found: HubPlan) -> None:
    if on_improvement:
        on_improvement(found)

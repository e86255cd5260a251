"""A plan improved from where it is, under a problem that may have changed."""

from collections.abc import Callable, Sequence

import numpy as np

from routing.rounds.api import build_plan
from routing.rounds.arrays import build_arrays
from routing.rounds.fleet import is_worth_it, shrink_fleet
from routing.rounds.plan import Plan
from routing.rounds.problem import Problem
from routing.rounds.search import Search
from routing.rounds.travel_times import TravelTimes

FLEET_SHARE = 0.3
"""Share of the budget at most for reducing the number of vehicles where these are dear."""


def plan_again(
    problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], *, iterations: int | None = None,
    progress: Callable[[], float] = lambda: 0.0, seed: int = 0, explained: bool = False,
) -> Plan:  # fmt: skip
    """Keep `routes` (one list per vehicle) as far as they are feasible, insert the rest, improve; never worse than without.

    Parameters
    ----------
    iterations : int, optional
        Rounds of improvement; None = until `progress` (share of the budget used) reaches 1.
    """
    search = Search(build_arrays(problem, travel_times), travel_times.arrays, seed)
    search.insert_all(search.load(routes))
    kept, best = search.routes(), float("inf")
    first = build_plan(problem, travel_times, kept, explained=explained)
    if not np.isfinite(search.problem.dislike).any():
        return first
    if is_worth_it(search):
        most = None if iterations is None else int(FLEET_SHARE * iterations)
        shrink_fleet(search, lambda: progress() < FLEET_SHARE and (most is None or search.iterations < most))
    for cost, found in search.improve(iterations, progress):
        if cost < best:
            best, kept = cost, found
    last = build_plan(problem, travel_times, kept, iterations=search.iterations, explained=explained)
    return last if last.cost < first.cost else first


def cost_of_served(problem: Problem, plan: Plan) -> float:
    """Cost of a plan, penalties of what is not served left out."""
    return plan.cost - sum(problem.shipments[one.shipment_idx].penalty for one in plan.unserved)

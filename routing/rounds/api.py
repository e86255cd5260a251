"""What callers of the rounds engine use.

`solve` builds a first plan (OR-Tools, repaired exactly), improves it by ruin and recreate under the true time-dependent
travel times, and lets nothing out that the independent validator has not passed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from routing.rounds.arrays import build_arrays
from routing.rounds.budget import time_share
from routing.rounds.errors import InfeasiblePlanError
from routing.rounds.explain import REASONS, explain
from routing.rounds.fleet import is_worth_it, shrink_fleet
from routing.rounds.parts import FEWEST_VISITS, PartWorkers, ThreadWorkers, improve_in_parts
from routing.rounds.plan import DeliveryRound, Plan, PlannedBreak, PlannedReload, PlannedStop, RoadRest, Unserved
from routing.rounds.problem import Break, Depot, DrivingRules, Problem, Shipment, TimeWindow, Vehicle, Visit
from routing.rounds.schedule import build_round
from routing.rounds.search import Search
from routing.rounds.travel_times import TravelTimes
from routing.rounds.validate import check_plan, list_violations

__all__ = [
    "REASONS", "Break", "DeliveryRound", "Depot", "DrivingRules", "Plan", "PlannedBreak", "PlannedReload", "PlannedStop",
    "Problem", "RoadRest", "Shipment", "TimeWindow", "TravelTimes", "Unserved", "Vehicle", "Visit", "build_plan",
    "list_violations", "solve",
]  # fmt: skip

FLEET_SHARE = 0.4
"""Share of the budget at most for reducing the number of vehicles where these are dear."""
TELLING = 20.0
"""Improvements are told of when this many times as long has passed as it took to time the last one whole."""
ORTOOLS_VISITS = 250
"""Above this OR-Tools' first solution takes longer than it is worth: the first plan is then built by exact insertion."""


def solve(
    problem: Problem,
    travel_times: TravelTimes,
    *,
    iterations: int | None = None,
    time_limit_s: float | None = None,
    elapsed_s: Callable[[], float] | None = None,
    seed: int = 0,
    threads: int = 1,
    workers: PartWorkers | None = None,
    on_improvement: Callable[[Plan], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Plan:
    """Plan the delivery rounds.

    Parameters
    ----------
    iterations : int, optional
        Rounds of improvement; the same seed and iterations give the same plan.
    time_limit_s, elapsed_s : optional
        Wall time instead, measured by `elapsed_s` (seconds since some fixed moment; the engine reads no clock itself).
    threads : int
        Cores to use for large problems.
    workers : PartWorkers, optional
        Who improves the parts of large problems instead of threads of this process.
    on_improvement : callable, optional
        Called with the first plan and with every better one, each validated.
    should_stop : callable, optional
        Read between chunks of iterations; the best plan so far is returned.

    Raises
    ------
    InvalidProblemError
        The problem and the travel times do not fit together.
    InfeasiblePlanError
        The validator found a defect (never seen; nothing infeasible is handed out).
    """
    progress = time_share(iterations, time_limit_s, elapsed_s, should_stop)
    arrays = build_arrays(problem, travel_times)
    search = Search(arrays, travel_times.arrays, seed)
    _construct(problem, travel_times, search, 30.0 if time_limit_s is None else time_limit_s / 2)

    plan = first = build_plan(problem, travel_times, search.routes())
    if on_improvement:
        on_improvement(plan)
    if is_worth_it(search):
        most = None if iterations is None else int(FLEET_SHARE * iterations)
        shrink_fleet(search, lambda: progress() < FLEET_SHARE and (most is None or search.iterations < most))
    routes, told = search.routes(), 0.0
    for cost, routes in _improvements(search, workers or _threads(threads), iterations, progress):
        if on_improvement and cost < plan.cost - 1e-7 and progress() >= told:
            since = progress()
            better = build_plan(problem, travel_times, routes, iterations=search.iterations, first_cost=first.cost)
            told = progress() + TELLING * (progress() - since)
            if better.cost < plan.cost - 1e-7:
                plan = better
                on_improvement(plan)
    last = build_plan(problem, travel_times, routes, iterations=search.iterations, first_cost=first.cost, explained=True)
    if on_improvement and last.cost < plan.cost - 1e-7:
        on_improvement(last)
    return (
        last
        if last.cost <= plan.cost
        else build_plan(
            problem,
            travel_times,
            plan.routes_by_vehicle(len(problem.vehicles)),
            iterations=search.iterations,
            first_cost=first.cost,
            explained=True,
        )
    )


def _threads(count: int) -> PartWorkers | None:
    return ThreadWorkers(count) if count > 1 else None


def _improvements(
    search: Search, workers: PartWorkers | None, iterations: int | None, progress: Callable[[], float]
) -> Iterator[tuple[float, list[list[int]]]]:
    if not np.isfinite(search.problem.dislike).any():
        return iter(())
    if workers is not None and len(search.problem.visits) >= 2 * FEWEST_VISITS:
        return improve_in_parts(search, workers, iterations, progress)
    return search.improve(iterations, progress)


def build_plan(
    problem: Problem,
    travel_times: TravelTimes,
    routes: Sequence[Sequence[int]],
    *,
    iterations: int = 0,
    first_cost: float = 0.0,
    explained: bool = False,
) -> Plan:
    """Time `routes` (visit indices, one list per vehicle) exactly and validate the plan.

    With `explained` every unserved shipment carries its reasons (costs some milliseconds each).

    Raises
    ------
    InfeasiblePlanError
        The routes break a constraint.
    """
    arrays = build_arrays(problem, travel_times)
    rounds: list[DeliveryRound] = []
    for r, route in enumerate(routes):
        if route:
            timed = build_round(arrays, travel_times.arrays, r, route)
            if timed is None:
                raise InfeasiblePlanError([f"vehicle {problem.vehicles[r].id!r} cannot drive its round in time"])
            rounds.append(replace(timed, co2_g=timed.length_m * problem.vehicles[r].co2_g_per_m))
    served = {problem.visits[stop.visit_idx][0] for one in rounds for stop in one.stops}
    absent = [s for s in range(len(problem.shipments)) if s not in served]
    if explained:
        kept = [list(route) for route in routes]
        unserved = tuple(explain(problem, arrays, travel_times.arrays, kept, s) for s in absent)
    else:
        unserved = tuple(Unserved(s, (), "") for s in absent)
    cost = sum(one.cost for one in rounds) + sum(problem.shipments[s].penalty for s in absent)
    plan = Plan(tuple(rounds), unserved, float(cost), iterations, first_cost or float(cost), travel_times.warnings)
    return check_plan(problem, travel_times, plan)


def _construct(problem: Problem, travel_times: TravelTimes, search: Search, limit_s: float) -> None:
    """First plan: OR-Tools on mean times where it is small enough, kept as far as it is feasible, the rest inserted exactly."""
    routes = None
    if len(problem.visits) <= ORTOOLS_VISITS:
        from routing.rounds.construction import first_routes  # noqa: PLC0415 - loads OR-Tools, which only solvers need

        routes = first_routes(problem, travel_times, limit_s)
    left = search.load(routes) if routes is not None else search.absent()
    search.insert_all(left)

"""Plans that are done as early as possible: the latest return of all rounds is made small, then the sum of their durations.

The search of rounds adds up costs, and a maximum is no sum. So it is asked under a deadline for all vehicles: may everything be
served by then? Deadlines are put earlier for as long as that succeeds, in steps that are halved where it does not. Of given
rounds the latest return is found exactly. As much is served as by the plan of the least duration from which this starts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from routing.kernels.rounds_route import ProblemArrays
from routing.rounds.again import plan_again
from routing.rounds.api import build_plan, solve
from routing.rounds.arrays import build_arrays
from routing.rounds.budget import part, time_share
from routing.rounds.plan import Plan
from routing.rounds.problem import Problem, TimeWindow, Vehicle
from routing.rounds.schedule import build_round
from routing.rounds.search import Search
from routing.rounds.travel_times import TravelTimes

FIRST_SHARE = 0.25
"""Share of the budget for the plan of the least duration."""
LAST_SHARE = 0.15
"""Share of it at the end for the durations under the best deadline."""
TRIAL_SHARE = 0.03
"""Share of it for one deadline."""
FIRST_STEP, LEAST_STEP_S = 0.2, 0.5
"""First step as a share of the time until the latest return, and the least one: then steps begin anew, with another seed."""
EXACT_S = 1e-4
"""How exactly the earliest end of a round is found; deadlines leave as much room."""

Routes = list[list[int]]


@dataclass(slots=True)
class _Work:
    problem: Problem
    times: TravelTimes
    arrays: ProblemArrays = field(init=False)

    def __post_init__(self) -> None:
        self.arrays = build_arrays(self.problem, self.times)

    def lost(self, routes: Routes) -> float:
        """What is not served costs."""
        served = {self.problem.visits[v][0] for route in routes for v in route if v < len(self.problem.visits)}
        return sum(one.penalty for s, one in enumerate(self.problem.shipments) if s not in served)

    def latest_return_s(self, routes: Routes) -> float:
        """End of the last round if all end as early as they can."""
        timed = [build_round(self.arrays, self.times.arrays, r, route) for r, route in enumerate(routes) if route]
        latest = -np.inf
        for one in sorted((one for one in timed if one is not None), key=lambda one: -one.end_s):
            r = one.vehicle_idx
            if one.end_s > latest and not self._ends_by(r, routes[r], latest):
                low, high = max(latest, float(self.arrays.vehicles[r].leave_from_s)), one.end_s
                while high - low > EXACT_S:
                    middle = (low + high) / 2
                    low, high = (low, middle) if self._ends_by(r, routes[r], middle) else (middle, high)
                latest = high
        return float(latest)

    def planned(self, routes: Routes, iterations: int, first_cost: float, *, explained: bool = False) -> Plan:
        """The plan of these rounds that ends as early as it can, otherwise as short as possible."""
        by_s = self.latest_return_s(routes)
        plan = build_plan(due_by(self.problem, by_s), self.times, routes, iterations=iterations, first_cost=first_cost)
        if not explained:
            return plan
        return replace(plan, unserved=build_plan(self.problem, self.times, routes, explained=True).unserved)

    def _ends_by(self, r: int, route: Sequence[int], by_s: float) -> bool:
        vehicles = self.arrays.vehicles.copy()
        vehicles.return_by_s[r] = min(by_s, vehicles.return_by_s[r])
        return build_round(self.arrays._replace(vehicles=vehicles), self.times.arrays, r, route) is not None


def solve_earliest(
    problem: Problem, travel_times: TravelTimes, *, iterations: int | None = None, time_limit_s: float | None = None,
    elapsed_s: Callable[[], float] | None = None, seed: int = 0, threads: int = 1,
    on_improvement: Callable[[Plan], None] | None = None, should_stop: Callable[[], bool] | None = None,
) -> Plan:  # fmt: skip
    """Plan so that the last round ends as early as possible; parameters and errors as in `routing.rounds.api.solve`.

    Costs of the vehicles decide among plans that end at the same time, and what is served. `threads` are for the first plan
    only.
    """
    share = time_share(iterations, time_limit_s, elapsed_s, should_stop)
    work = _Work(problem, travel_times)
    first = solve(
        problem, travel_times, iterations=None if iterations is None else max(1, int(FIRST_SHARE * iterations)),
        time_limit_s=None if time_limit_s is None else FIRST_SHARE * time_limit_s, elapsed_s=elapsed_s, seed=seed,
        threads=threads, should_stop=should_stop,
    )  # fmt: skip
    routes = first.routes_by_vehicle(len(problem.vehicles))
    used = first.iterations
    if on_improvement:
        on_improvement(work.planned(routes, used, first.cost))
    if not any(routes):
        return first
    least_lost, trials = work.lost(routes), 0
    by_s, opens_s = work.latest_return_s(routes), min(vehicle.shift.start_s for vehicle in problem.vehicles)
    step_s = FIRST_STEP * (by_s - opens_s)

    def progress() -> float:
        return max(share(), 0.0 if iterations is None else used / max(iterations, 1))

    while progress() < 1.0 - LAST_SHARE and by_s - opens_s > LEAST_STEP_S:
        trials += 1
        step_s = max(min(step_s, (by_s - opens_s) / 2), LEAST_STEP_S)
        search = Search(build_arrays(due_by(problem, by_s - step_s), travel_times), travel_times.arrays, seed + trials)
        found = _served_by(work, search, routes, least_lost, iterations, part(share, TRIAL_SHARE))
        used += max(search.iterations, 1)
        if found is None:
            step_s = step_s / 2 if step_s > LEAST_STEP_S else FIRST_STEP * (by_s - opens_s)
            continue
        routes, by_s = found, work.latest_return_s(found)
        if on_improvement:
            on_improvement(work.planned(routes, used, first.cost))
    left = None if iterations is None else max(1, iterations - used)
    rest = part(share, max(1.0 - share(), 1e-9))
    last = plan_again(due_by(problem, by_s), travel_times, routes, iterations=left, progress=rest, seed=seed)
    last_routes = last.routes_by_vehicle(len(problem.vehicles))
    if work.lost(last_routes) <= least_lost + 1e-9:
        routes = last_routes
    plan = work.planned(routes, used + last.iterations, first.cost, explained=True)
    if on_improvement:
        on_improvement(plan)
    return plan


def due_by(problem: Problem, by_s: float) -> Problem:
    """The problem whose vehicles are all back by then."""
    return replace(problem, vehicles=tuple(_back_by(vehicle, by_s + EXACT_S) for vehicle in problem.vehicles))


def _back_by(vehicle: Vehicle, by_s: float) -> Vehicle:
    if by_s <= vehicle.shift.start_s:
        return replace(vehicle, max_stops=0)
    return replace(vehicle, shift=TimeWindow(vehicle.shift.start_s, min(vehicle.shift.end_s, by_s)))


def _served_by(
    work: _Work, search: Search, routes: Routes, most_lost: float, iterations: int | None, progress: Callable[[], float]
) -> Routes | None:
    """Routes within the deadlines of `search` that lose no more than that; None if they were not found in time."""
    search.insert_all(search.load(routes))
    most = None if iterations is None else max(20, int(TRIAL_SHARE * iterations))
    if work.lost(search.routes()) <= most_lost + 1e-9:
        return search.routes()
    if not np.isfinite(search.problem.dislike).any():
        return None
    for _, found in search.improve(most, progress, chunk=None if most is None else 20):
        if work.lost(found) <= most_lost + 1e-9:
            return found
    return None

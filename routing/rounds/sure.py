"""Plans whose windows are kept with a wanted probability under the assumed spread of driving times (`ranges`).

A stop is sure enough when the wanted quantile of its arrivals lies before its window closes. How much later than planned that
quantile is, its *slack*, depends on what is driven and waited before, thus on the plan: the windows of the search are closed to
arrivals by the slack of the present plan, the plan is improved under them, its slacks are simulated anew, and so on. Times are
those of the forecast all along: costs stay true, and the departure is chosen so that the slack is there. Plans are validated
with the windows as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from routing.kernels.rounds_route import ProblemArrays
from routing.rounds.again import FLEET_SHARE
from routing.rounds.api import solve
from routing.rounds.arrays import build_arrays
from routing.rounds.budget import time_share
from routing.rounds.errors import InvalidProblemError
from routing.rounds.fleet import is_worth_it, shrink_fleet
from routing.rounds.plan import DeliveryRound, Plan, Unserved
from routing.rounds.problem import Problem
from routing.rounds.ranges import F64, Uncertainty, draw_factors, drive
from routing.rounds.schedule import build_round
from routing.rounds.search import Search
from routing.rounds.travel_times import TravelTimes
from routing.rounds.validate import check_plan

FIRST_SHARE = 0.4
"""Share of the budget for a plan without slack, from which the others start."""
STAGES = 10
"""How often slacks are simulated and the plan is improved under them; in the last third slacks only grow."""
DAYS = 1000
"""Days simulated."""
CAUTION = 0.85
"""Share of the allowed probability of being late that is used: days are drawn, and other days differ."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A plan with the probability and the slack of every visit that has windows and is served."""

    plan: Plan
    probability: dict[int, float]
    slack_s: dict[int, float]

    def rank(self, problem: Problem, wanted: float) -> tuple[float, int, float]:
        """What is served comes first, then how many windows are sure, then cost."""
        lost = sum(problem.shipments[one.shipment_idx].penalty for one in self.plan.unserved)
        return lost, sum(p < wanted for p in self.probability.values()), self.plan.cost


@dataclass(slots=True)
class _Work:
    """What stays the same while planning."""

    problem: Problem
    travel_times: TravelTimes
    wanted: float
    uncertainty: Uncertainty
    seed: int
    arrays: ProblemArrays = field(init=False)

    def __post_init__(self) -> None:
        self.arrays = build_arrays(self.problem, self.travel_times)

    def tight(self, slack_s: dict[int, float], *, waits: bool = False) -> ProblemArrays:
        """Arrays whose windows close to arrivals so much earlier; with `waits` (for timing only) also before they open."""
        windows = self.arrays.windows.copy()
        for v, slack in slack_s.items():
            visit = self.arrays.visits[v]
            windows.closes_s[visit.first_window : visit.last_window] -= slack
        if not waits:
            windows.closes_s[:] = np.maximum(windows.closes_s, windows.opens_s)
        return self.arrays._replace(windows=windows)

    def timed(self, slack_s: dict[int, float], routes: Sequence[Sequence[int]]) -> _Found | None:
        """Routes timed with the slack, validated under the problem, and simulated; None if they cannot be driven.

        Where a round cannot be so early that all slack is there, it is timed with slack within its windows only.
        """
        rounds: list[DeliveryRound] = []
        waiting, within = self.tight(slack_s, waits=True), self.tight(slack_s)
        for r, route in enumerate(routes):
            if route:
                timed = build_round(waiting, self.travel_times.arrays, r, route)
                if timed is None or not _keeps_limits(self.problem, timed):
                    timed = build_round(within, self.travel_times.arrays, r, route)
                if timed is None:
                    return None
                rounds.append(replace(timed, co2_g=timed.length_m * self.problem.vehicles[r].co2_g_per_m))
        served = {self.problem.visits[stop.visit_idx][0] for one in rounds for stop in one.stops}
        unserved = tuple(Unserved(s, (), "") for s in range(len(self.problem.shipments)) if s not in served)
        cost = sum(one.cost for one in rounds) + sum(self.problem.shipments[one.shipment_idx].penalty for one in unserved)
        plan = check_plan(self.problem, self.travel_times, Plan(tuple(rounds), unserved, float(cost)))
        return _of_plan(self, plan)

    def improved(
        self, slack_s: dict[int, float], routes: Sequence[Sequence[int]], iterations: int | None, progress: Callable[[], float]
    ) -> _Found | None:
        """The routes improved under windows closed by the slack; what finds no place so is put in without slack of its own."""
        arrays = self.tight(slack_s)
        search = Search(arrays, self.travel_times.arrays, self.seed)
        search.insert_all(search.load(routes))
        if is_worth_it(search):
            most = None if iterations is None else int(FLEET_SHARE * iterations)
            shrink_fleet(search, lambda: progress() < FLEET_SHARE and (most is None or search.iterations < most))
        kept = search.routes()
        for _, found in search.improve(iterations, progress):
            kept = found
        search = Search(arrays, self.travel_times.arrays, self.seed)
        left = search.load(kept)
        if left:
            slack_s = {v: one for v, one in slack_s.items() if self.problem.visits[v][0] not in left}
            search = Search(self.tight(slack_s), self.travel_times.arrays, self.seed)
            search.load(kept)
            search.insert_all(left)
        return self.timed(slack_s, search.routes())


def _keeps_limits(problem: Problem, one: DeliveryRound) -> bool:
    """Whether a round lasts no longer than its vehicle may."""
    longest = problem.vehicles[one.vehicle_idx].max_duration_s
    return longest is None or one.duration_s <= longest


def simulate(
    problem: Problem, one: DeliveryRound, uncertainty: Uncertainty, quantile: float, *, seed: int = 0, days: int = DAYS
) -> tuple[dict[int, float], dict[int, float]]:
    """Probability that each window of a round is kept, and how much later than planned the quantile of its arrival is.

    Arrival means ready to serve, breaks taken. By visit; only visits with windows.
    """
    moments = np.array([one.departure_s, *(stop.departure_s for stop in one.stops)])
    factors = draw_factors(np.random.default_rng([seed, one.vehicle_idx, 7]), days, moments, uncertainty)
    arrivals, starts, _ = drive(problem, one, factors)
    probability: dict[int, float] = {}
    slack_s: dict[int, float] = {}
    for k, stop in enumerate(one.stops):
        windows = problem.visit(stop.visit_idx).windows
        if windows:
            late: F64 = arrivals[:, k] - stop.arrival_s
            probability[stop.visit_idx] = float((starts[:, k] <= windows[-1].end_s).mean())
            slack_s[stop.visit_idx] = max(0.0, float(np.quantile(late, quantile)))
    return probability, slack_s


def solve_surely(
    problem: Problem, travel_times: TravelTimes, probability: float, *, uncertainty: Uncertainty | None = None,
    iterations: int | None = None, time_limit_s: float | None = None, elapsed_s: Callable[[], float] | None = None,
    seed: int = 0, threads: int = 1, on_improvement: Callable[[Plan], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Plan:  # fmt: skip
    """Plan so that every window is kept with a wanted probability; what cannot be is said in the plan's warnings.

    Nothing is left out for the sake of probability: what a plan without slack serves is served.

    Parameters
    ----------
    probability : float
        From 0.5 to 0.999.
    iterations, time_limit_s, elapsed_s, seed, threads, on_improvement, should_stop
        As for `routing.rounds.api.solve`; `on_improvement` is told of plans that are better by what is served, then by the
        number of sure windows, then by cost.

    Raises
    ------
    InvalidProblemError
        A probability out of range; and as `solve`.
    """
    if not 0.5 <= probability <= 0.999:
        raise InvalidProblemError.of("window_probability", f"must be from 0.5 to 0.999, not {probability}")
    share = time_share(iterations, time_limit_s, elapsed_s, should_stop)
    first = solve(
        problem, travel_times, iterations=None if iterations is None else int(FIRST_SHARE * iterations),
        time_limit_s=None if time_limit_s is None else FIRST_SHARE * time_limit_s, elapsed_s=elapsed_s, seed=seed,
        threads=threads, should_stop=should_stop,
    )  # fmt: skip
    work = _Work(problem, travel_times, probability, uncertainty or Uncertainty(), seed)
    best = _of_plan(work, first)
    if on_improvement:
        on_improvement(best.plan)
    present, slack_s = best, best.slack_s
    each = None if iterations is None else max(1, int((1.0 - FIRST_SHARE) * iterations / STAGES))
    for stage in range(STAGES):
        used = share()
        if used >= 1.0 or not best.probability:
            break
        routes = present.plan.routes_by_vehicle(len(problem.vehicles))
        found = work.improved(slack_s, routes, each, _stage(share, (1.0 - used) / (STAGES - stage)))
        if found is None:
            break
        grows = stage >= (2 * STAGES) // 3
        slack_s = {v: max(one, slack_s.get(v, 0.0)) if grows else one for v, one in found.slack_s.items()}
        present = found
        if found.rank(problem, probability) < best.rank(problem, probability):
            best = found
            if on_improvement:
                on_improvement(best.plan)
    return _told(work, first, best)


def _of_plan(work: _Work, plan: Plan) -> _Found:
    """A plan that is timed already."""
    probability: dict[int, float] = {}
    slack_s: dict[int, float] = {}
    for one in plan.rounds:
        own, late = simulate(work.problem, one, work.uncertainty, 1.0 - CAUTION * (1.0 - work.wanted), seed=work.seed)
        probability |= own
        slack_s |= late
    return _Found(plan, probability, slack_s)


def _stage(share: Callable[[], float], part: float) -> Callable[[], float]:
    """Progress of a stage that begins now and may take `part` of the budget."""
    began = share()
    return lambda: (share() - began) / part


def _told(work: _Work, first: Plan, best: _Found) -> Plan:
    """The best plan with the reasons of what is not served, and which windows are not sure."""
    problem = work.problem
    reasons = {one.shipment_idx: one for one in first.unserved}
    unserved = tuple(reasons.get(one.shipment_idx, one) for one in best.plan.unserved)
    unsure = sorted((p, v) for v, p in best.probability.items() if p < work.wanted)
    words = tuple(
        f"order {problem.shipments[problem.visits[v][0]].id!r}: its window is kept on {100 * p:.0f} % of days, "
        f"{100 * work.wanted:g} % were wanted"
        for p, v in unsure
    )
    warnings = (*first.warnings, *words)
    return replace(best.plan, unserved=unserved, warnings=warnings, iterations=first.iterations, first_cost=first.first_cost)

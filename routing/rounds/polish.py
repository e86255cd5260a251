"""Improving what is left of a plan for a moment, after a change: ruin and recreate from the rounds as they are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from routing.kernels.rounds_ruin import total_cost
from routing.rounds.arrays import build_arrays
from routing.rounds.replan import Residual
from routing.rounds.search import COLDEST, Search, anneal
from routing.rounds.stability import NO_STABILITY, Stability
from routing.rounds.travel_times import TravelTimes

WARMEST = 0.3
"""First temperature in typical costs of an edge: the plan is good already, and there is little time."""
ENOUGH = 1e-6
"""Improvements of cost below this are none."""


@dataclass(frozen=True, slots=True)
class Polished:
    """Better rounds of what is left of a plan.

    Attributes
    ----------
    routes : list of visit indices
        Per vehicle, in the residual problem's visits.
    saved : float
        Cost that is saved, moves to other vehicles at their price included.
    iterations : int
    """

    routes: list[list[int]]
    saved: float
    iterations: int


def polish(
    rest: Residual,
    travel_times: TravelTimes,
    *,
    stability: Stability = NO_STABILITY,
    iterations: int | None = None,
    progress: Callable[[], float] = lambda: 0.0,
    seed: int = 0,
) -> Polished:
    """Improve `rest.routes`; what cannot be improved is answered as it is.

    Parameters
    ----------
    stability : Stability
        Cost of an order that goes to another vehicle; shifts of arrivals are not weighed.
    iterations : int, optional
        How many; without, until `progress` (share of the time used) reaches 1.
    seed : int
        Same seed and iterations, same answer.
    """
    arrays = build_arrays(rest.problem, travel_times)
    for r, route in enumerate(rest.routes):
        own = np.unique(arrays.visits.shipment[np.array(route, np.int64)])
        others = np.arange(len(rest.routes)) != r
        arrays.dislike[np.ix_(own, others)] += np.float32(stability.move_cost)
    search = Search(arrays, travel_times.arrays, seed)
    search.load(rest.routes)
    nothing = Polished(rest.routes, 0.0, 0)
    planned = [v for route in rest.routes for v in route]
    if (search.state.route_of[planned] < 0).any() or not np.isfinite(arrays.dislike).any():
        return nothing  # what cannot stay as it is, a repair looks after
    before = float(total_cost(arrays, search.state))
    annealing, chunk = anneal(search, arrays), 20 if iterations is None else 100
    while (share := progress() if iterations is None else search.iterations / max(1, iterations)) < 1.0:
        step = chunk if iterations is None else min(chunk, iterations - search.iterations)
        annealing.run(step, annealing.scale * WARMEST * COLDEST**share, 1.0)
        if iterations is None:  # look at the clock about every fiftieth of the time
            taken = max(progress() - share, 1e-6)
            chunk = int(min(max(1.0, chunk * min(0.02 / taken, 4.0)), 20_000.0))
    saved = before - annealing.cost
    if not math.isfinite(saved) or saved < ENOUGH:
        return Polished(rest.routes, 0.0, search.iterations)
    return Polished(annealing.routes(), saved, search.iterations)


def whole_routes(rest: Residual, routes: Sequence[Sequence[int]], visit_of: Sequence[int]) -> list[list[int]]:
    """Routes of the residual problem in the visits of the whole one (`visit_of`), what is done first."""
    return [
        [*(stop.visit_idx for stop in done), *(visit_of[v] for v in route)]
        for done, route in zip(rest.done, routes, strict=True)
    ]


def visits_of(rest: Residual, visits: Sequence[tuple[int, bool]]) -> list[int]:
    """Visit of the whole problem (its `visits`) for every visit of the rest."""
    whole = {visit: v for v, visit in enumerate(visits)}
    return [whole[rest.shipment_of[s], is_delivery] for s, is_delivery in rest.problem.visits]

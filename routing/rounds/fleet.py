"""Fewer vehicles: rounds are dissolved one by one while the others can take their shipments over.

A shipment that stays out again and again gets dearer to leave out, until the rounds make room for it: the absences of
Christiaens and Vanden Berghe (2020), doi:10.1287/trsc.2019.0914, as prices.
"""

from collections.abc import Callable

import numpy as np

from routing.kernels.rounds_route import ProblemArrays
from routing.rounds.search import Search, anneal

WORTH_IT = 2.0
"""A vehicle is worth a search of its own if it costs this many times the rest of a usual round."""
CHUNK = 10
"""Iterations after which what is left out becomes dearer, by one usual edge."""
LEAST_PRICE = 10.0
"""Price of leaving a shipment out in the beginning, in usual edges."""
WARMTHS = (1.0, 2.0, 4.0)
"""Temperatures in usual edges, one after the other for `SPELL` chunks each."""
SPELL = 100
PATIENCE = 8000
"""Chunks without a smaller number left out after which a smaller fleet is given up, divided by that number."""


def is_worth_it(search: Search) -> bool:
    """Whether vehicles are so dear that their number comes first."""
    used = search.state.rounds.length > 0
    if not used.any() or search.absent():
        return False
    fixed = search.problem.vehicles.fixed_cost[used]
    running = search.state.rounds.cost[used] - fixed
    return bool(fixed.min() > WORTH_IT * max(float(running.mean()), 0.0))


def shrink_fleet(search: Search, goes_on: Callable[[], bool]) -> None:
    """Reduce the number of rounds as long as `goes_on`; nothing that was served stays out.

    The shortest round among those of the dearest vehicles goes first.
    """
    fewest = _fewest(search.problem)
    while goes_on() and int((search.state.rounds.length > 0).sum()) > fewest:
        if not _dissolve_one(search, goes_on):
            return


def _dissolve_one(search: Search, goes_on: Callable[[], bool]) -> bool:
    before, problem, scale = search.routes(), search.problem, search.edge_cost()
    used = search.state.rounds.length > 0
    dearest = used & (problem.vehicles.fixed_cost == problem.vehicles.fixed_cost[used].max())
    gone = int(min(np.flatnonzero(dearest), key=lambda r: int(search.state.rounds[r].length)))
    vehicles, shipments, dislike = problem.vehicles.copy(), problem.shipments.copy(), problem.dislike.copy()
    vehicles.fixed_cost, shipments.penalty = 0.0, np.where(problem.shipments.is_reload, 0.0, LEAST_PRICE * scale)
    dislike[:, ~used] = dislike[:, gone] = np.inf
    annealing = anneal(search, problem._replace(vehicles=vehicles, shipments=shipments, dislike=dislike))
    annealing.dissolve(gone)
    fewest_out, waited, chunks = len(shipments), 0, 0
    while waited * fewest_out < PATIENCE and goes_on():
        annealing.run(CHUNK, WARMTHS[chunks // SPELL % len(WARMTHS)] * scale, 1.0)
        out, chunks, waited = annealing.absent(), chunks + 1, waited + 1
        if not out:
            after = annealing.present()
            search.load([[] for _ in after])
            search.load(after)
            return True
        shipments.penalty[out] += scale
        if len(out) < fewest_out:
            fewest_out, waited = len(out), 0
    search.load([[] for _ in before])
    search.load(before)
    return False


def _fewest(problem: ProblemArrays) -> int:
    """Vehicles that the loads need at least."""
    if not len(problem.capacity) or not problem.visits.is_delivery.all() or (problem.visits.partner >= 0).any():
        return 1
    return max(1, int(np.ceil(problem.demand.sum(axis=0) / np.maximum(problem.capacity.max(axis=0), 1)).max()))

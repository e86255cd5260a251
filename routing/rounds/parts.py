"""Large plans on several cores: rounds that lie together are improved apart, each part by a thread, and joined again.

Parts are drawn anew for every slice of the budget, so that every border lies inside a part some time later. Kernels release
the interpreter's lock. The same seed, iterations and number of threads give the same plan.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_ruin import total_cost
from routing.rounds.search import COLDEST, HOTTEST, Search, anneal

SLICES = 16
"""Times the parts are drawn."""
FEWEST_VISITS = 250
"""Visits a part needs at least to be worth a thread."""


def improve_in_parts(
    search: Search, threads: int, iterations: int | None, progress: Callable[[], float]
) -> Iterator[tuple[float, list[list[int]]]]:
    """As `Search.improve`, on `threads` cores; iterations are those of all parts together."""
    began, scale, first = progress(), search.edge_cost(), search.iterations
    rng, threads = np.random.default_rng(search.seed), max(1, min(threads, len(search.problem.visits) // FEWEST_VISITS))
    best, cost = search.routes(), total_cost(search.problem, search.state)
    with ThreadPoolExecutor(threads) as pool:
        for k in range(SLICES):
            share = k / SLICES
            until = began + (1.0 - began) * (k + 1) / SLICES
            each = None if iterations is None else (iterations - first) // SLICES // threads
            parts = [_Part(search, group, rng) for group in _draw(search, threads, rng)]
            list(pool.map(lambda part, s=share, u=until, n=each: part.run(scale, s, u, n, progress), parts))
            routes: list[list[int]] = [[] for _ in search.state.rounds]
            for part in parts:
                for r in np.flatnonzero(part.vehicles):
                    routes[r] = part.routes[r]
            search.iterations += sum(part.search.iterations for part in parts)
            search.load([[] for _ in routes])
            search.load(routes)
            now = total_cost(search.problem, search.state)
            if now < cost - 1e-7:
                best, cost = routes, now
                yield cost, best
            if progress() >= 1.0:
                break
    search.load([[] for _ in best])
    search.load(best)
    yield cost, best


class _Part:
    """Some rounds with their visits; for its search nothing else exists."""

    def __init__(
        self, whole: Search, group: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]], rng: np.random.Generator
    ) -> None:
        self.vehicles, shipments_in = group
        problem = whole.problem
        shipments, dislike = problem.shipments.copy(), problem.dislike.copy()
        shipments.penalty[~shipments_in] = 0.0
        dislike[~shipments_in], dislike[:, ~self.vehicles] = np.inf, np.inf
        own = problem._replace(shipments=shipments, dislike=dislike)
        self.search = Search(own, whole.times, int(rng.integers(1 << 31)), near=whole.neighbours())
        self.search.load([route if self.vehicles[r] else [] for r, route in enumerate(whole.routes())])
        self.routes = self.search.routes()

    def run(self, scale: float, share: float, until: float, iterations: int | None, progress: Callable[[], float]) -> None:
        """Improve until a share of the budget is used, or some iterations; in the last slice the best plan counts."""
        annealing, chunk = anneal(self.search, self.search.problem), 50 if iterations is None else max(1, iterations // 8)
        while self.search.iterations < iterations if iterations is not None else progress() < until:
            before = progress()
            annealing.run(chunk, scale * HOTTEST * COLDEST**share, 1.0)
            if iterations is None:
                chunk = int(min(max(10.0, chunk * min(0.005 / max(progress() - before, 1e-6), 4.0)), 5_000.0))
        last = share >= 1.0 - 1.5 / SLICES
        self.routes = annealing.routes() if last else annealing.present()


def _draw(search: Search, count: int, rng: np.random.Generator) -> list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Vehicles and shipments of `count` parts of about as many visits: by the distance of rounds from a drawn visit."""
    problem, state = search.problem, search.state
    pivot = int(problem.visits.location[int(rng.integers(len(problem.visits)))])
    far = np.nan_to_num(search.times.matrix_s[0][pivot, problem.visits.location], posinf=1e9)
    used = [r for r in range(len(state.rounds)) if state.rounds[r].length]
    used.sort(key=lambda r: float(far[state.routes[r, : state.rounds[r].length]].mean()))
    part_of = rng.integers(0, count, len(state.rounds))  # unused vehicles
    total, so_far = sum(int(state.rounds[r].length) for r in used), 0
    for r in used:
        part_of[r] = min(count - 1, so_far * count // max(total, 1))
        so_far += int(state.rounds[r].length)
    route = state.route_of[problem.shipments.first_visit]
    shipment_part = np.where(route >= 0, part_of[route], rng.integers(0, count, len(route)))
    return [(part_of == k, shipment_part == k) for k in range(count)]

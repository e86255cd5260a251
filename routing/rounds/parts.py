"""Large plans on several cores: rounds that lie together are improved apart, each part by a worker, and joined again.

Parts are drawn anew for every slice of the budget, so that every border lies inside a part some time later. Workers are threads
(kernels release the interpreter's lock) or whatever a caller brings. The same seed, iterations and number of parts at a time
give the same plan, whoever the workers are.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_route import ProblemArrays
from routing.kernels.rounds_ruin import total_cost
from routing.kernels.rounds_times import TimesArrays
from routing.rounds.search import COLDEST, HOTTEST, Near, Search, anneal

SLICES = 16
"""Times the parts are drawn."""
FEWEST_VISITS = 250
"""Visits a part needs at least to be worth a worker."""


class PartTask(NamedTuple):
    """One part for one slice: what is sent to a worker that has the problem already.

    Attributes
    ----------
    vehicles, shipments : bool[r], bool[s]
        What belongs to the part.
    routes : list of list of int
        Visits of every vehicle, those of other parts empty.
    seed : int
    scale, share : float
        Typical cost of an edge, and share of the whole budget that is used: the temperature.
    iterations : int or None
        How many; None = until its time is over.
    """

    vehicles: npt.NDArray[np.bool_]
    shipments: npt.NDArray[np.bool_]
    routes: list[list[int]]
    seed: int
    scale: float
    share: float
    iterations: int | None


class PartDone(NamedTuple):
    """Routes of a part afterwards (those of other parts are empty), and the iterations it took."""

    routes: list[list[int]]
    iterations: int


class PartWorkers(Protocol):
    """Who improves parts by `improve_part`, several at a time."""

    def open(self, problem: ProblemArrays, times: TimesArrays, near: Near) -> int:
        """Take what all parts share; answer how many parts are improved at a time."""

    def run(self, tasks: Sequence[PartTask], until: float, progress: Callable[[], float]) -> list[PartDone]:
        """Improve parts until `progress` (share of the whole budget used) reaches `until`, or each for its iterations."""

    def close(self) -> None:
        """Let go of what was taken; also after an error in `open`."""


class ThreadWorkers:
    """Threads of this process.

    Parameters
    ----------
    count : int
        How many.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def open(self, problem: ProblemArrays, times: TimesArrays, near: Near) -> int:
        """See `PartWorkers`."""
        self._pool, self._shared = ThreadPoolExecutor(self._count), (problem, times, near)
        return self._count

    def run(self, tasks: Sequence[PartTask], until: float, progress: Callable[[], float]) -> list[PartDone]:
        """See `PartWorkers`."""
        began = progress()

        def used() -> float:
            return (progress() - began) / max(until - began, 1e-9)

        return list(self._pool.map(lambda task: improve_part(*self._shared, task, used), tasks))

    def close(self) -> None:
        """See `PartWorkers`."""
        self._pool.shutdown()


def improve_in_parts(
    search: Search, workers: PartWorkers, iterations: int | None, progress: Callable[[], float]
) -> Iterator[tuple[float, list[list[int]]]]:
    """As `Search.improve`, by several workers; iterations are those of all parts together."""
    began, scale, first = progress(), search.edge_cost(), search.iterations
    rng = np.random.default_rng(search.seed)
    best, cost, near = search.routes(), total_cost(search.problem, search.state), search.neighbours()
    try:
        count = workers.open(search.problem, search.times, near)
        count = max(1, min(count, len(search.problem.visits) // FEWEST_VISITS))
        each = None if iterations is None else (iterations - first) // SLICES // count
        for k in range(SLICES):
            until = began + (1.0 - began) * (k + 1) / SLICES
            groups, routes = _draw(search, count, rng), search.routes()
            tasks = [_task(group, routes, int(rng.integers(1 << 31)), scale, k / SLICES, each) for group in groups]
            done = workers.run(tasks, until, progress)
            for task, part in zip(tasks, done, strict=True):
                for r in np.flatnonzero(task.vehicles):
                    routes[r] = part.routes[r]
            search.iterations += sum(part.iterations for part in done)
            search.load([[] for _ in routes])
            search.load(routes)
            now = total_cost(search.problem, search.state)
            if now < cost - 1e-7:
                best, cost = routes, now
                yield cost, best
            if progress() >= 1.0:
                break
    finally:
        workers.close()
    search.load([[] for _ in best])
    search.load(best)
    yield cost, best


def improve_part(problem: ProblemArrays, times: TimesArrays, near: Near, task: PartTask, used: Callable[[], float]) -> PartDone:
    """Improve one part, for which nothing else exists, until `used` reaches 1 or for its iterations.

    In the last slice the best plan counts, before that the present one.
    """
    shipments, dislike = problem.shipments.copy(), problem.dislike.copy()
    shipments.penalty[~task.shipments] = 0.0
    dislike[~task.shipments], dislike[:, ~task.vehicles] = np.inf, np.inf
    search = Search(problem._replace(shipments=shipments, dislike=dislike), times, task.seed, near=near)
    search.load(task.routes)
    annealing, iterations = anneal(search, search.problem), task.iterations
    chunk = 50 if iterations is None else max(1, iterations // 8)
    while search.iterations < iterations if iterations is not None else used() < 1.0:
        before = used()
        annealing.run(chunk, task.scale * HOTTEST * COLDEST**task.share, 1.0)
        if iterations is None:
            chunk = int(min(max(10.0, chunk * min(0.08 / max(used() - before, 1e-6), 4.0)), 5_000.0))
    last = task.share >= 1.0 - 1.5 / SLICES
    return PartDone(annealing.routes() if last else annealing.present(), search.iterations)


def _task(
    group: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]], routes: list[list[int]], seed: int, scale: float, share: float,
    iterations: int | None,
) -> PartTask:  # fmt: skip
    vehicles, shipments = group
    own = [route if vehicles[r] else [] for r, route in enumerate(routes)]
    return PartTask(vehicles, shipments, own, seed, scale, share, iterations)


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

"""Search for a good plan: exact insertion, then ruin and recreate, in numba and in chunks so that it can be stopped."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from routing.kernels.rounds_insertion import apply_insertion, best_insertion
from routing.kernels.rounds_refresh import fits, refresh, sharpen
from routing.kernels.rounds_route import ProblemArrays
from routing.kernels.rounds_ruin import improve, total_cost
from routing.kernels.rounds_state import empty_state, set_route
from routing.kernels.rounds_times import FUNCTIONS, I32, SLOTS, SPEEDS, STATIC, TimesArrays
from routing.rounds.fixed import FixedAnnealing, build_fixed
from routing.rounds.neighbours import list_neighbours

BLINK = {STATIC: 0.01, SPEEDS: 0.01, SLOTS: 0.03, FUNCTIONS: 0.03}
"""How often a place is overlooked: the more, the less exactly places can be ranked."""
Near = tuple[I32, I32, npt.NDArray[np.float64]]
"""What `list_neighbours` answers."""
HOTTEST, COLDEST = 1.7, 0.005
"""First temperature in typical costs of an edge, and the last one in units of the first."""


GRID = 181
"""Times at which what a round costs is known where vehicles may hold: every four minutes of twelve hours."""


def held_grid(problem: ProblemArrays, times: TimesArrays) -> tuple[tuple[float, ...], int]:
    """First time, step and points of the grid for vehicles that may hold; ((), 0) where holding gains nothing."""
    cars = problem.vehicles
    if times.kind == STATIC or not (cars.cost_per_driving_s > 0.0).any():
        return (), 0
    low, high = float(cars.leave_from_s.min()), float(cars.return_by_s.max())
    return (low, max(high - low, 1.0) / (GRID - 1)), GRID


def random_state(seed: int) -> npt.NDArray[np.uint64]:
    """State of the kernels' generator for `seed`."""
    return np.array([(seed * 0x9E3779B97F4A7C15 + 0x2545F4914F6CDD1D) % 2**64 or 1], np.uint64)


class Search:
    """Rounds under improvement for one problem.

    Parameters
    ----------
    problem, times
        Arrays of the problem and its travel times.
    seed : int
        Same seed and same calls, same answer.
    near : Near, optional
        Neighbours, where they are known already.
    """

    def __init__(self, problem: ProblemArrays, times: TimesArrays, seed: int = 0, near: Near | None = None) -> None:
        self.problem, self.times = problem, times
        self.mixed = bool((problem.visits.partner >= 0).any() or (~problem.visits.is_delivery).any())
        vehicles, visits, dimensions = len(problem.vehicles), len(problem.visits), problem.capacity.shape[1]
        self.held = held_grid(problem, times)
        self.state = empty_state(vehicles, visits, dimensions, *self.held)
        self.seed = random_state(seed)
        self.iterations = 0
        self._near = near
        self.refresh()

    def refresh(self) -> None:
        """Compute anew what is cached about the rounds."""
        for r in range(len(self.state.rounds)):
            refresh(self.problem, self.times, self.state, r)

    def load(self, routes: Sequence[Sequence[int]]) -> list[int]:
        """Take over `routes` (visit indices, one per vehicle) as far as they are feasible; return the shipments left out.

        From a route that is infeasible shipments are taken out, those that were served last first, until it is feasible.
        """
        for r, route in enumerate(routes):
            kept = self._unbroken(r, route)
            while not self._try_route(r, kept):
                shipment = self.problem.visits[kept[self._first_late(r, kept)]].shipment
                kept = [v for v in kept if self.problem.visits[v].shipment != shipment]
        return self.absent()

    def absent(self) -> list[int]:
        """Shipments in no route."""
        out = (self.state.route_of[self.problem.shipments.first_visit] < 0) & ~self.problem.shipments.is_reload
        return [int(s) for s in np.flatnonzero(out)]

    def insert(self, shipment: int, vehicle: int | None = None) -> tuple[float, int] | None:
        """Insert `shipment` at the cheapest feasible place: (added cost by estimate, vehicle), or None if there is none.

        With `vehicle` only that one is tried.
        """
        problem = self.problem
        if vehicle is not None:
            only = np.full_like(problem.dislike, np.inf)
            only[:, vehicle] = problem.dislike[:, vehicle]
            problem = problem._replace(dislike=only)
        cost, r, k, m = best_insertion(problem, self.times, self.state, shipment, self.mixed, 0.0, self.seed)
        if r < 0 or not apply_insertion(self.problem, self.times, self.state, shipment, r, k, m):
            return None
        return float(cost), int(r)

    def insert_all(self, shipments: Sequence[int]) -> list[int]:
        """Insert each where it costs least, most valuable first; return those without a place worth its cost."""
        queue = sorted(shipments, key=lambda s: (-float(self.problem.shipments[s].penalty), s))
        left = []
        for s in queue:
            cost, r, k, m = best_insertion(self.problem, self.times, self.state, s, self.mixed, 0.0, self.seed)
            worthwhile = r >= 0 and cost <= self.problem.shipments[s].penalty
            if not worthwhile or not apply_insertion(self.problem, self.times, self.state, s, r, k, m):
                left.append(s)
        return left

    def improve(
        self, iterations: int | None, progress: Callable[[], float], chunk: int | None = None
    ) -> Iterator[tuple[float, list[list[int]]]]:
        """Ruin and recreate; yield (cost, routes) after every chunk that found a better plan, and when done.

        Parameters
        ----------
        iterations : int or None
            How many; None = until `progress` reaches 1.
        progress : callable
            Share of the budget used, read between chunks; ≥ 1 stops.
        """
        chunk = chunk or (4 if iterations is None else 100)
        annealing = anneal(self, self.problem)
        began, first = progress(), self.iterations
        while (used := progress()) < 1.0:
            step = chunk if iterations is None else min(chunk, iterations - self.iterations)
            if step <= 0:
                break
            if iterations is None:
                share = later = (used - began) / max(1.0 - began, 1e-9)
            else:
                whole = max(iterations - first, 1)
                share, later = (self.iterations - first) / whole, (self.iterations - first + step) / whole
            temperature = annealing.scale * HOTTEST * COLDEST**share
            found = annealing.run(step, temperature, (COLDEST ** (later - share)) ** (1.0 / step))
            if iterations is None:  # look at the clock about every hundredth of the budget
                taken = max(progress() - used, 1e-6)
                chunk = int(min(max(1.0, chunk * min(0.01 / taken, 4.0)), 20_000.0))
            if found:
                yield annealing.cost, annealing.routes()
        yield annealing.cost, annealing.routes()

    def routes(self) -> list[list[int]]:
        """Visit indices per vehicle."""
        rounds, routes = self.state.rounds, self.state.routes
        return [[int(v) for v in routes[r, : rounds[r].length]] for r in range(len(rounds))]

    def _try_route(self, r: int, route: list[int]) -> bool:
        """Make `route` the route of `r`; False if it breaks a constraint."""
        array = np.array(route, np.int32)
        set_route(self.state, r, array)
        allowed = all(np.isfinite(self.problem.dislike[self.problem.visits[v].shipment, r]) for v in route)
        return bool(refresh(self.problem, self.times, self.state, r) and allowed and fits(self.problem, r, array))

    def _unbroken(self, r: int, route: Sequence[int]) -> list[int]:
        """Visits of a route less those of shipments whose bonds to what is in another route, or to earlier ones, it breaks."""
        problem, riding = self.problem, self.state.route_of[self.problem.shipments.first_visit].copy()
        taken: dict[int, bool] = {}
        for v in route:
            s = int(problem.visits[v].shipment)
            if s not in taken:
                bonds = slice(int(problem.bond_first[s]), int(problem.bond_first[s + 1]))
                others = riding[problem.bond_other[bonds]]
                taken[s] = not ((others >= 0) & ((others == r) == problem.bond_apart[bonds])).any()
                riding[s] = r if taken[s] else riding[s]
        return [v for v in route if taken[int(problem.visits[v].shipment)]]

    def _first_late(self, r: int, route: list[int]) -> int:
        for k, v in enumerate(route):
            if not np.isfinite(self.problem.dislike[self.problem.visits[v].shipment, r]):
                return k
        return len(route) - 1

    def neighbours(self) -> Near:
        """Of every visit (see `list_neighbours`); found once."""
        if self._near is None:
            self._near = list_neighbours(self.problem, self.times)
        return self._near

    def edge_cost(self) -> float:
        """Typical cost of driving between neighbours: the scale of the temperature."""
        problem, state = self.problem, self.state
        served = max(1, int(state.rounds.length.sum()))
        running = sum(
            float(state.rounds[r].cost - problem.vehicles[r].fixed_cost)
            - float(problem.vehicles[r].cost_per_s) * self._standing(r)
            for r in range(len(state.rounds))
            if state.rounds[r].length
        )
        return max(running / served, 1e-3)

    def _standing(self, r: int) -> float:
        return float(self.problem.service_s[0, self.state.routes[r, : self.state.rounds[r].length]].sum())


class Annealing:
    """Ruin and recreate on the rounds of a search, with the best plan it met.

    Parameters
    ----------
    search : Search
        Its state is changed.
    problem : ProblemArrays
        That of the search, or the same one with other costs.
    """

    def __init__(self, search: Search, problem: ProblemArrays) -> None:
        self._search, self.problem, state = search, problem, search.state
        vehicles = len(state.rounds)
        for r in range(vehicles):
            if refresh(problem, search.times, state, r):
                sharpen(problem, search.times, state, r)
        self._backup = empty_state(vehicles, len(problem.visits), problem.capacity.shape[1], *search.held)
        self._best, self._changed = np.zeros((vehicles, state.routes.shape[1] + 1), np.int32), np.ones(vehicles, np.bool_)
        self._near, self.scale = search.neighbours(), search.edge_cost()
        cost = total_cost(problem, state)
        self._costs = np.array([cost, cost, 0.01 * cost])
        self.keep()

    @property
    def cost(self) -> float:
        """Cost of the best plan."""
        return float(self._costs[1])

    def keep(self) -> None:
        """Take the rounds as they are for the best plan."""
        rounds, routes = self._search.state.rounds, self._search.state.routes
        for r in np.flatnonzero(self._changed):
            size = int(rounds[r].length)
            self._best[r, 0], self._best[r, 1 : size + 1] = size, routes[r, :size]
        self._changed[:] = False
        self._costs[:2] = total_cost(self.problem, self._search.state)

    def dissolve(self, route: int) -> None:
        """Leave out all that a round serves and take that for the best plan."""
        search = self._search
        set_route(search.state, route, np.empty(0, np.int32))
        refresh(self.problem, search.times, search.state, route)
        self._changed[route] = True
        self.keep()

    def run(self, iterations: int, temperature: float, cooling: float) -> int:
        """Some iterations from a temperature that falls by a factor each; answer how often the best plan improved."""
        search, (close, near, distance) = self._search, self._near
        self._costs[0] = total_cost(self.problem, search.state)  # what rounding adds up is dropped
        search.iterations += iterations
        return improve(
            self.problem, search.times, search.state, self._backup, self._best, close, near, distance, search.mixed, iterations,
            temperature, cooling, self._costs, search.seed, self._changed, BLINK[int(search.times.kind)],
        )  # fmt: skip

    def routes(self) -> list[list[int]]:
        """Visit indices per vehicle, of the best plan."""
        return [[int(v) for v in row[1 : row[0] + 1]] for row in self._best]

    def present(self) -> list[list[int]]:
        """Visit indices per vehicle, of the plan the search is at."""
        return self._search.routes()

    def absent(self) -> list[int]:
        """Shipments in no route of the present plan."""
        return self._search.absent()


def anneal(search: Search, problem: ProblemArrays) -> Annealing | FixedAnnealing:
    """Ruin and recreate from the rounds of `search`, by the lean kernels where they know the problem.

    `problem` is that of the search, or the same one with other costs. The rounds of the search may change meanwhile, or not.
    """
    fixed = build_fixed(problem, search.times)
    return Annealing(search, problem) if fixed is None else FixedAnnealing(search, problem, fixed)

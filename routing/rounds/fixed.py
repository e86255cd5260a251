"""Search by the lean kernels of fixed travel times (`rounds_fixed`), for the problems that these know."""

from typing import TYPE_CHECKING

import numpy as np

from routing.kernels.rounds_fixed import Fixed, empty_links, link
from routing.kernels.rounds_fixed_search import cost_of_absent, improve_fixed, keep_best
from routing.kernels.rounds_records import ProblemArrays
from routing.kernels.rounds_times import STATIC, TimesArrays

if TYPE_CHECKING:
    from routing.rounds.search import Search


def build_fixed(problem: ProblemArrays, times: TimesArrays) -> Fixed | None:
    """The problem for the lean kernels; None if it has what they do not know.

    That is: travel times that change, several windows a visit, breaks and rests, dues, longest rides, bonds, reloads, and costs
    of driving together with lengths that cost or are limited.
    """
    visits, vehicles, m = problem.visits, problem.vehicles, len(problem.visits)
    plain = (
        times.kind == STATIC
        and not visits.is_reload.any()
        and bool((visits.last_window - visits.first_window <= 1).all())
        and not problem.special.any()
        and not len(problem.bond_other)
        and bool((vehicles.first_break == vehicles.last_break).all())
        and bool(np.isinf(vehicles.max_driving_s).all() and np.isinf(vehicles.max_daily_s).all())
    )
    driving = bool((vehicles.cost_per_driving_s > 0.0).any())
    by_length = bool((vehicles.cost_per_m > 0.0).any() or np.isfinite(vehicles.max_length_m).any())
    if not plain or (driving and by_length):
        return None
    at = np.concatenate([visits.location, vehicles.start_location, vehicles.end_location])
    known, location = np.unique(np.where(at < 0, np.iinfo(np.int64).max, at), return_inverse=True)
    places = known[known < np.iinfo(np.int64).max]
    nowhere = [(0, 0), (0, 1), (0, 1)]
    drive = np.pad(times.matrix_s[:, places[:, None], places], nowhere)
    metres = np.pad(times.length_m[:, places[:, None], places], nowhere) if times.length_m.size else np.zeros_like(drive)
    if driving:  # what is paid for a second at the wheel is paid by the way
        vehicles, metres = vehicles.copy(), drive
        vehicles.cost_per_m = vehicles.cost_per_driving_s
    opens, closes = np.full(m, -np.inf), np.full(m, np.inf)
    some = visits.last_window > visits.first_window
    opens[some], closes[some] = (
        problem.windows.opens_s[visits.first_window[some]],
        problem.windows.closes_s[visits.first_window[some]],
    )
    leads = (visits.partner < 0) | ~visits.is_delivery
    demand, dislike = problem.demand[visits.shipment], problem.dislike[visits.shipment]
    dislike[~leads[:, None] & np.isfinite(dislike)] = 0.0
    timed = (
        (vehicles.cost_per_s > 0.0)
        | np.isfinite(vehicles.max_duration_s)
        | np.isfinite(vehicles.overtime_after_s)
        | (vehicles.balance_per_s2 > 0.0)
    )
    return Fixed(
        location.astype(np.int32), drive, np.nan_to_num(metres, posinf=1e12),
        np.concatenate([opens, vehicles.leave_from_s, np.full(len(vehicles), -np.inf)]),
        np.concatenate([closes, vehicles.leave_by_s, vehicles.return_by_s]),
        problem.service_s, visits.partner.astype(np.int32), leads, demand,
        np.where(visits.is_delivery[:, None], -demand, demand), problem.capacity, dislike,
        np.where(leads, problem.shipments.penalty[visits.shipment], 0.0), vehicles, bool(timed.any()),
        bool(visits.is_delivery.any() and not (leads & visits.is_delivery).all()),
    )  # fmt: skip


class FixedAnnealing:
    """As `search.Annealing`, by the lean kernels, on rounds of its own.

    Parameters
    ----------
    search : Search
        Its rounds are where it begins; they stay as they are.
    problem : ProblemArrays
        That of the search, or the same one with other costs; penalties of shipments may change between runs.
    fixed : Fixed
        What `build_fixed` made of it.
    """

    def __init__(self, search: "Search", problem: ProblemArrays, fixed: Fixed) -> None:
        self._search, self._problem, self._fixed, self.scale = search, problem, fixed, search.edge_cost()
        self._links, self._backup = empty_links(fixed), empty_links(fixed)
        routes = search.routes()
        for r, route in enumerate(routes):
            link(fixed, self._links, r, np.array(route, np.int32))
        self._best, self._changed = np.zeros((len(routes), len(fixed.penalty) + 1), np.int32), np.ones(len(routes), np.bool_)
        self._costs = np.zeros(2)
        self._keep()

    @property
    def cost(self) -> float:
        """Cost of the best plan."""
        return float(self._costs[1])

    def dissolve(self, route: int) -> None:
        """Leave out all that a round serves and take that for the best plan."""
        link(self._fixed, self._links, route, np.empty(0, np.int32))
        self._changed[route] = True
        self._keep()

    def run(self, iterations: int, temperature: float, cooling: float) -> int:
        """Some iterations from a temperature that falls by a factor each; answer how often the best plan improved."""
        leads, shipment = self._fixed.leads, self._problem.visits.shipment
        self._fixed.penalty[leads] = self._problem.shipments.penalty[shipment[leads]]
        self._costs[0] = self._total()
        self._search.iterations += iterations
        close, near, far = self._search.neighbours()
        return improve_fixed(
            self._fixed, self._links, self._backup, self._best, close, near, far, iterations, temperature, cooling, self._costs,
            self._search.seed, self._changed,
        )  # fmt: skip

    def routes(self) -> list[list[int]]:
        """Visit indices per vehicle, of the best plan."""
        return [[int(v) for v in row[1 : row[0] + 1]] for row in self._best]

    def present(self) -> list[list[int]]:
        """Visit indices per vehicle, of the plan the search is at."""
        after, m, routes = self._links.after, len(self._fixed.penalty), []
        for r in range(len(self._best)):
            route, v = [], int(after[m + r])
            while v < m:
                route.append(v)
                v = int(after[v])
            routes.append(route)
        return routes

    def absent(self) -> list[int]:
        """Shipments in no route of the present plan."""
        return [int(self._problem.visits.shipment[v]) for v in np.flatnonzero((self._links.route_of < 0) & self._fixed.leads)]

    def _keep(self) -> None:
        keep_best(self._fixed, self._links, self._best, self._changed)
        self._costs[:] = self._total()

    def _total(self) -> float:
        return float(self._links.cost.sum() + cost_of_absent(self._fixed, self._links))

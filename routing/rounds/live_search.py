"""Routes of a live plan: single rounds put, kept as far as they are feasible, orders inserted."""

from collections.abc import Sequence

import numpy as np

from routing.kernels.rounds_insertion import apply_insertion, best_insertion
from routing.kernels.rounds_live import refresh_some
from routing.kernels.rounds_refresh import fits, refresh
from routing.kernels.rounds_state import remove_shipment, set_route
from routing.rounds.search import Search


class LiveSearch(Search):
    """`Search` over arrays that change in place."""

    def put(self, r: int, route: Sequence[int]) -> None:
        """Make `route` the route of vehicle `r` whatever it breaks; call `refresh_rounds` after."""
        set_route(self.state, r, np.array(route, np.int32))

    def refresh_rounds(self, wanted: np.ndarray) -> None:
        """Compute anew what is cached about the wanted rounds (bool[V])."""
        refresh_some(self.problem, self.times, self.state, wanted, np.zeros_like(wanted))

    def keep_feasible(self, r: int, route: Sequence[int]) -> list[int]:
        """Make `route` the route of `r`, without its last shipments as long as it is infeasible; those left out."""
        shipment = self.problem.visits.shipment
        kept, out = np.array(route, np.int32), []
        while True:
            set_route(self.state, r, kept)
            strange = np.flatnonzero(~np.isfinite(self.problem.dislike[shipment[kept], r]))
            if refresh(self.problem, self.times, self.state, r) and not len(strange) and fits(self.problem, r, kept):
                break
            last = int(shipment[kept[strange[0] if len(strange) else -1]])
            kept = kept[shipment[kept] != last]
            out.append(last)
        return out

    def place_of(self, shipment: int) -> tuple[float, int, int, int]:
        """Cheapest feasible insertion: (added cost by estimate, vehicle or -1, first and second position)."""
        return best_insertion(self.problem, self.times, self.state, shipment, self.mixed, 0.0, self.seed)

    def apply(self, shipment: int, vehicle: int, at: int, then: int) -> bool:
        """Insert a shipment there; False if exact timing refuses it."""
        return bool(apply_insertion(self.problem, self.times, self.state, shipment, vehicle, at, then))

    def take_out(self, shipment: int) -> None:
        """Take a shipment out of its round."""
        r = int(remove_shipment(self.problem, self.state, shipment))
        if r >= 0:
            refresh(self.problem, self.times, self.state, r)

    def route(self, r: int) -> list[int]:
        """Visits of one vehicle."""
        route: list[int] = self.state.routes[r, : self.state.rounds[r].length].tolist()
        return route

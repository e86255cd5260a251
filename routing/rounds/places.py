"""Every place of a round, timed exactly: for questions that must not be answered by an estimate."""

from collections.abc import Iterator

import numpy as np

from routing.kernels.rounds_refresh import fits, refresh
from routing.kernels.rounds_state import set_route
from routing.rounds.search import Search

MOST_PLACES = 2000
"""Places of a pair in longer rounds are left to the estimate."""


def insert_anywhere(search: Search, shipment_idx: int, vehicle_idx: int) -> bool:
    """Insert a shipment into the round of a vehicle, at the cheapest place or at any that is feasible.

    Durations under traffic, longest rides and breaks are estimated while places are ranked; where that finds none, and the
    round has such limits, all places are timed.
    """
    if search.insert(shipment_idx, vehicle_idx) is not None:
        return True
    problem, state, r = search.problem, search.state, vehicle_idx
    vehicle = problem.vehicles[r]
    plain = np.isinf(vehicle.max_duration_s) and vehicle.first_break == vehicle.last_break
    before = state.routes[r, : state.rounds[r].length].copy()
    members = np.append(problem.visits.shipment[before], shipment_idx)
    if not np.isfinite(problem.dislike[shipment_idx, r]) or _bound_elsewhere(search, shipment_idx, r):
        return False
    if plain and not problem.special[members].any():
        return False
    for route in _routes_with(search, before, shipment_idx):
        set_route(state, r, route)
        if refresh(problem, search.times, state, r) and fits(problem, r, route):
            return True
    set_route(state, r, before)
    refresh(problem, search.times, state, r)
    return False


def _routes_with(search: Search, route: np.ndarray, shipment_idx: int) -> Iterator[np.ndarray]:
    own = search.problem.shipments[shipment_idx]
    first, count = int(own.first_visit), int(own.last_visit - own.first_visit)
    for k in range(len(route) + 1):
        one = np.insert(route, k, first).astype(np.int32)
        if count == 1:
            yield one
        elif (len(route) + 1) ** 2 <= 2 * MOST_PLACES:
            for m in range(k + 1, len(one) + 1):
                yield np.insert(one, m, first + 1).astype(np.int32)


def _bound_elsewhere(search: Search, shipment_idx: int, vehicle_idx: int) -> bool:
    """Whether those it rides together with or apart from keep it off the vehicle."""
    problem = search.problem
    bonds = slice(int(problem.bond_first[shipment_idx]), int(problem.bond_first[shipment_idx + 1]))
    riding = search.state.route_of[problem.shipments.first_visit[problem.bond_other[bonds]]]
    return bool(((riding >= 0) & ((riding == vehicle_idx) == problem.bond_apart[bonds])).any())

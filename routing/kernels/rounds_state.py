"""A set of rounds under change: routes and what is cached about each, kept exact after every change."""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

from typing import NamedTuple

import numpy as np

from routing.kernels.jit import kernel
from routing.kernels.rounds_route import ProblemArrays, best_departure, end_of_round, forward, location_before
from routing.kernels.rounds_times import (
    F64,
    I64,
    Records,
    TimesArrays,
    arrival,
    latest_arrival,
    latest_departure,
    service_start,
)

ROUND = np.dtype(
    [("length", np.int64), ("cost", np.float64), ("start_s", np.float64), ("end_s", np.float64), ("metres", np.float64)]
)
"""A round at its best departure; `length` is the number of its visits."""
PLACE = np.dtype([("route", np.int64), ("position", np.int64)])
"""Where a visit is; route -1 = in none."""


SEARCH_STEPS = 6
"""Departures tried for rounds with breaks while searching; plans are timed more finely."""


class State(NamedTuple):
    """Routes of V vehicles over m visits.

    Attributes
    ----------
    routes : int64[V, m + 1]
    rounds : ROUND[V]
    earliest_s, base_s : float64[V, m + 2]
        Departures from start and visits when leaving as early as possible, and at the best departure; breaks left out.
    reach_s : float64[V, m + 2]
        Latest feasible arrival at each visit and (last) at the end; breaks left out.
    load : int64[V, D]
        Sum of the demands on board over the day.
    places : PLACE[m]
    """

    routes: I64
    rounds: Records
    earliest_s: F64
    base_s: F64
    reach_s: F64
    load: I64
    places: Records


def empty_state(vehicles: int, visits: int, dimensions: int) -> State:
    """Return a state without any visit; call `refresh` for every vehicle before use."""
    places = np.zeros(visits, PLACE).view(np.recarray)
    places.route = places.position = -1
    return State(
        np.zeros((vehicles, visits + 1), np.int64),
        np.zeros(vehicles, ROUND).view(np.recarray),
        np.zeros((vehicles, visits + 2)),
        np.zeros((vehicles, visits + 2)),
        np.zeros((vehicles, visits + 2)),
        np.zeros((vehicles, dimensions), np.int64),
        places,
    )


@kernel
def route_metres(problem: ProblemArrays, times: TimesArrays, r: int, route: I64) -> float:
    """Length of the round; 0 where lengths are unknown."""
    if times.length_m.shape[0] == 0 or len(route) == 0:
        return 0.0
    p, total, end = problem.vehicles[r].profile, 0.0, problem.vehicles[r].end_location
    for k in range(len(route)):
        total += times.length_m[p, location_before(problem, r, route, k), problem.visits[route[k]].location]
    if end >= 0:
        total += times.length_m[p, problem.visits[route[len(route) - 1]].location, end]
    return total


@kernel
def refresh(problem: ProblemArrays, times: TimesArrays, state: State, r: int) -> bool:
    """Recompute everything cached about route `r`; False = the route is infeasible in time, length or stops."""
    size = state.rounds[r].length
    route = state.routes[r, :size]
    state.load[r, :] = 0
    for k in range(size):
        v = route[k]
        state.places[v].route, state.places[v].position = r, k
        if problem.visits[v].partner < 0 or not problem.visits[v].is_delivery:
            state.load[r, :] += problem.demand[problem.visits[v].shipment]
    low = problem.vehicles[r].leave_from_s
    _fill_reach(problem, times, state, r)
    if size == 0:
        state.rounds[r].cost, state.rounds[r].start_s, state.rounds[r].end_s, state.rounds[r].metres = 0.0, low, low, 0.0
        state.earliest_s[r, 0], state.base_s[r, 0] = low, low
        return True
    if problem.vehicles[r].cost_per_s > 0.0 or problem.vehicles[r].max_duration_s < np.inf:
        start, end = best_departure(problem, times, r, route, SEARCH_STEPS)
    else:
        start, end = low, end_of_round(problem, times, r, route, low)
    forward(problem, times, r, route, low, state.earliest_s[r])
    forward(problem, times, r, route, start, state.base_s[r])
    state.rounds[r].start_s, state.rounds[r].end_s = start, end
    metres = route_metres(problem, times, r, route)
    state.rounds[r].metres = metres
    state.rounds[r].cost = (
        problem.vehicles[r].fixed_cost
        + problem.vehicles[r].cost_per_s * (end - start)
        + problem.vehicles[r].cost_per_m * metres
    )
    inside = end - start <= problem.vehicles[r].max_duration_s + 1e-6 and metres <= problem.vehicles[r].max_length_m + 1e-6
    return end < np.inf and inside and size <= problem.vehicles[r].max_stops


@kernel
def _fill_reach(problem: ProblemArrays, times: TimesArrays, state: State, r: int) -> None:
    size, p = state.rounds[r].length, problem.vehicles[r].profile
    by, head = problem.vehicles[r].return_by_s, problem.vehicles[r].end_location
    state.reach_s[r, size] = by
    for k in range(size - 1, -1, -1):
        v = state.routes[r, k]
        depart = by if head < 0 else latest_departure(times, p, problem.visits[v].location, head, by)
        by = latest_arrival(
            problem.windows,
            problem.visits[v].first_window,
            problem.visits[v].last_window,
            depart - problem.visits[v].service_s,
        )
        head = problem.visits[v].location
        state.reach_s[r, k] = by


@kernel
def leg_loads(problem: ProblemArrays, route: I64, dimension: int, loads: I64) -> None:
    """Fill ``loads[0..L]``: load on the way to position k (k = L: to the end)."""
    now = 0
    for v in route:
        if problem.visits[v].is_delivery and problem.visits[v].partner < 0:
            now += problem.demand[problem.visits[v].shipment, dimension]
    loads[0] = now
    for k in range(len(route)):
        amount = problem.demand[problem.visits[route[k]].shipment, dimension]
        now += -amount if problem.visits[route[k]].is_delivery else amount
        loads[k + 1] = now


@kernel
def fits(problem: ProblemArrays, r: int, route: I64) -> bool:
    """Whether the load stays within the vehicle's capacity all along the route."""
    loads = np.empty(len(route) + 1, np.int64)
    for d in range(problem.demand.shape[1]):
        leg_loads(problem, route, d, loads)
        for load in loads:
            if load > problem.capacity[r, d]:
                return False
    return True


@kernel
def start_of_service(problem: ProblemArrays, v: int, t: float) -> float:
    """Start of service at visit `v` for an arrival at `t`; inf = too late."""
    return service_start(problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, t)


@kernel
def delayed_end(
    problem: ProblemArrays, times: TimesArrays, r: int, route: I64, ready: F64, first: int, t: float, unchanged: float
) -> float:
    """End of the round when position `first` (L = the end) is reached at `t`; stops early once the delay is absorbed.

    ``ready`` is the undisturbed schedule, which ends at `unchanged`. No breaks. inf = some window or the end is missed.
    """
    p = problem.vehicles[r].profile
    for k in range(first, len(route)):
        v = route[k]
        t = start_of_service(problem, v, t) + problem.visits[v].service_s
        if t <= ready[k + 1]:
            return unchanged
        if t == np.inf:
            return t
        head = problem.vehicles[r].end_location if k + 1 == len(route) else problem.visits[route[k + 1]].location
        if head >= 0:
            t = arrival(times, p, problem.visits[v].location, head, t)
    return t if t <= problem.vehicles[r].return_by_s + 1e-9 else np.inf


@kernel
def advanced_start(problem: ProblemArrays, times: TimesArrays, r: int, route: I64, ready: F64, last: int, by: float) -> float:
    """Latest departure of the round that leaves position ``last - 1`` (0 = the start) by `by`; -inf if impossible.

    Stops early where the undisturbed schedule `ready` already leaves in time. No breaks.
    """
    p = problem.vehicles[r].profile
    for k in range(last, 0, -1):
        if ready[k] <= by:
            return ready[0]
        v = route[k - 1]
        by = latest_arrival(
            problem.windows, problem.visits[v].first_window, problem.visits[v].last_window, by - problem.visits[v].service_s
        )
        by = latest_departure(times, p, location_before(problem, r, route, k - 1), problem.visits[v].location, by)
    by = min(by, ready[0])
    return by if by >= problem.vehicles[r].leave_from_s else -np.inf


@kernel
def set_route(state: State, r: int, route: I64) -> None:
    """Replace route `r`; call `refresh` after."""
    for k in range(state.rounds[r].length):
        v = state.routes[r, k]
        if state.places[v].route == r:
            state.places[v].route, state.places[v].position = -1, -1
    state.routes[r, : len(route)] = route
    state.rounds[r].length = len(route)


@kernel
def insert_at(state: State, r: int, position: int, v: int) -> None:
    """Insert visit `v` before `position` of route `r`; call `refresh` after."""
    size = state.rounds[r].length
    for k in range(size, position, -1):
        state.routes[r, k] = state.routes[r, k - 1]
    state.routes[r, position] = v
    state.rounds[r].length = size + 1


@kernel
def remove_shipment(problem: ProblemArrays, state: State, s: int) -> int:
    """Take shipment `s` out of its route (returned; -1 = it was in none); call `refresh` after."""
    first = problem.shipments[s].first_visit
    r = state.places[first].route
    if r < 0:
        return -1
    size, kept = state.rounds[r].length, 0
    for k in range(size):
        v = state.routes[r, k]
        if problem.visits[v].shipment == s:
            state.places[v].route, state.places[v].position = -1, -1
        else:
            state.routes[r, kept] = v
            state.places[v].position = kept
            kept += 1
    state.rounds[r].length = kept
    return r

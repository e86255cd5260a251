"""What is cached about a round, computed anew after a change: loads, schedules, tails, heads and its cost."""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

import numpy as np

from routing.kernels.jit import inlined, kernel, lean, merged
from routing.kernels.rounds_held import drive_held, fill_held, holds
from routing.kernels.rounds_route import ProblemArrays, best_departure, end_of_round, location_before, rests, serve, time_cost
from routing.kernels.rounds_state import SEARCH_STEPS, State, is_timed, rest_is_due
from routing.kernels.rounds_sweep import sweep_departures
from routing.kernels.rounds_tails import best_start, fill_heads, fill_tails
from routing.kernels.rounds_times import EPS_S, I32, I64, TimesArrays, arrival
from routing.kernels.rounds_whole import best_whole

STARTS = 3
"""Starts of a round that are timed whole where travel times change often over the day."""


@lean
def refresh(problem: ProblemArrays, times: TimesArrays, state: State, r: int) -> bool:
    """Recompute everything cached about route `r`; False = the route is infeasible in time, length or stops."""
    size = state.rounds[r].length
    route = state.routes[r, :size]
    _fill_loads(problem, state, r)
    low = problem.vehicles[r].leave_from_s
    if size == 0:
        state.rounds[r].cost, state.rounds[r].start_s, state.rounds[r].end_s, state.rounds[r].metres = 0.0, low, low, 0.0
        state.rounds[r].driving_s = 0.0
        return True
    state.rounds[r].metres = route_metres(problem, times, r, route)
    t, p = low, problem.vehicles[r].profile
    for k in range(size):
        v = route[k]
        t = serve(problem, r, v, arrival(times, p, location_before(problem, r, route, k), problem.visits[v].location, t))
        state.earliest_s[v] = t
    end = problem.vehicles[r].end_location
    if end >= 0 and t < np.inf:
        t = arrival(times, p, problem.visits[route[size - 1]].location, end, t)
    if t > problem.vehicles[r].return_by_s + EPS_S:
        return False
    state.rounds[r].sharp = False
    held = holds(problem, state, r)
    timed = is_timed(problem, r) and not held
    latest, n = fill_tails(problem, times, state, r, t, timed, np.inf, 0.0)
    state.rounds[r].latest_s = latest = min(latest, problem.vehicles[r].leave_by_s)
    if held:
        fill_held(problem, times, state, r)
        if drive_held(problem, times, state, r):
            return _price(problem, times, state, r)
        return _leave_at(problem, times, state, r, latest)  # between the times of the grid
    if not timed:
        return _leave_at(problem, times, state, r, low)
    start = best_start(problem, state, r, n, t)
    if not often(times):
        fill_heads(problem, times, state, r, latest, np.inf, 0.0)
        return _leave_at(problem, times, state, r, start)
    start = _refined_start(problem, times, state, r, start, latest)
    plain = _leave_at(problem, times, state, r, start)
    _look_closely(problem, times, state, r, t)
    return plain


@lean
def sharpen(problem: ProblemArrays, times: TimesArrays, state: State, r: int) -> bool:
    """Find the surely best departure of a feasible round whose travel times change often; False = it became infeasible."""
    size = state.rounds[r].length
    nothing_to_do = state.rounds[r].sharp or size == 0 or not often(times) or not is_timed(problem, r)
    as_it_is = state.rounds[r].special > 0 or holds(problem, state, r)
    if nothing_to_do or as_it_is or (rests(problem, r) and rest_is_due(problem, state, r, 1.0)):
        return True
    state.rounds[r].sharp = True
    start, plain = state.rounds[r].start_s, state.rounds[r].plain_end_s
    better = sweep_departures(problem, times, state, r, state.rounds[r].latest_s, start, plain - start)
    if better == start:
        return True
    end = problem.vehicles[r].end_location
    last = state.routes[r, size - 1]
    soonest = state.earliest_s[last]
    if end >= 0:
        soonest = arrival(times, problem.vehicles[r].profile, problem.visits[last].location, end, soonest)
    feasible = _leave_at(problem, times, state, r, better)
    _look_closely(problem, times, state, r, soonest)
    return feasible


@inlined
def often(times: TimesArrays) -> bool:
    """Whether travel times change so often that some points of a tail do not say when to leave."""
    return times.kind in (1, 2)


@lean
def _leave_at(problem: ProblemArrays, times: TimesArrays, state: State, r: int, start: float) -> bool:
    """Time the round that leaves at `start` and price it; False = infeasible."""
    plain = _fill_base(problem, times, state, r, start)
    state.rounds[r].start_s, state.rounds[r].end_s, state.rounds[r].plain_end_s = start, plain, plain
    return plain < np.inf and _price(problem, times, state, r)


@lean
def _look_closely(problem: ProblemArrays, times: TimesArrays, state: State, r: int, soonest: float) -> None:
    """Tails and heads with their points about the round as it is timed: what a visit more changes lies there."""
    start, plain = state.rounds[r].start_s, state.rounds[r].plain_end_s
    step = (plain - start) / (state.rounds[r].length + 1.0)
    fill_tails(problem, times, state, r, soonest, True, plain, step)
    fill_heads(problem, times, state, r, state.rounds[r].latest_s, start, step)


@merged
def _refined_start(problem: ProblemArrays, times: TimesArrays, state: State, r: int, start: float, latest: float) -> float:
    """Start of a shorter round between the points of the tail, by timing some starts whole, then some near the best."""
    low, high = problem.vehicles[r].leave_from_s, min(latest, problem.vehicles[r].leave_by_s)
    best, shortest = start, _fill_base(problem, times, state, r, start) - start
    step = (high - low) / (STARTS + 1.0)
    for q in range(1, STARTS + 1):
        lasts = _fill_base(problem, times, state, r, low + q * step) - low - q * step
        if lasts < shortest - 1e-6:
            best, shortest = low + q * step, lasts
    for _ in range(2):
        step /= 3.0
        middle = best
        for q in range(-2, 3):
            x = middle + q * step
            if q != 0 and low <= x <= high:
                lasts = _fill_base(problem, times, state, r, x) - x
                if lasts < shortest - 1e-6:
                    best, shortest = x, lasts
    return best


@lean
def _price(problem: ProblemArrays, times: TimesArrays, state: State, r: int) -> bool:
    """Cost of the round as timed; rounds with breaks or rests are timed whole."""
    size = state.rounds[r].length
    route = state.routes[r, :size]
    start, end, late = state.rounds[r].start_s, state.rounds[r].end_s, 0.0
    if state.rounds[r].special > 0:
        start, end, late = best_whole(problem, times, r, route, SEARCH_STEPS if is_timed(problem, r) else 0)
        state.rounds[r].start_s, state.rounds[r].end_s = start, end
        if end == np.inf:
            return False
        _fill_base(problem, times, state, r, start)
    elif rests(problem, r) and rest_is_due(problem, state, r, 1.0):
        if is_timed(problem, r):
            start, end = best_departure(problem, times, r, route, SEARCH_STEPS)
        else:
            end = end_of_round(problem, times, r, route, start)
        state.rounds[r].start_s, state.rounds[r].end_s = start, end
        if end == np.inf:
            return False
        _fill_base(problem, times, state, r, start)
    metres, stops = state.rounds[r].metres, size
    for k in range(size if problem.vehicles[r].max_reloads else 0):
        stops -= problem.visits[route[k]].is_reload
    state.rounds[r].cost = (
        problem.vehicles[r].fixed_cost
        + time_cost(problem, r, end - start)
        + problem.vehicles[r].cost_per_m * metres
        + problem.vehicles[r].cost_per_driving_s * state.rounds[r].driving_s
        + unliked(problem, state, r)
        + late
    )
    inside = end - start <= problem.vehicles[r].max_duration_s + 1e-6 and metres <= problem.vehicles[r].max_length_m + 1e-6
    return inside and stops <= problem.vehicles[r].max_stops


@lean
def unliked(problem: ProblemArrays, state: State, r: int) -> float:
    """Cost of shipments that would rather ride with another vehicle."""
    total = 0.0
    for v in state.routes[r, : state.rounds[r].length]:
        s = problem.visits[v].shipment
        if problem.shipments[s].first_visit == v:
            total += problem.dislike[s, r]
    return total


@lean
def _fill_loads(problem: ProblemArrays, state: State, r: int) -> None:
    """Positions, and loads on the legs of the round; those before and after a visit are of its trip."""
    size, special = state.rounds[r].length, 0
    for k in range(size):
        v = state.routes[r, k]
        state.route_of[v], state.position[v] = r, k
        special += problem.special[problem.visits[v].shipment]
    state.rounds[r].special = special
    route = state.routes[r, :size]
    for d in range(state.load.shape[1]):
        now, kept, total = loaded(problem, route, 0, d), 0, 0
        top = peak = now
        for k in range(size):
            v = route[k]
            state.before[v, d] = top
            amount = problem.demand[problem.visits[v].shipment, d]
            if problem.visits[v].is_reload:
                now += loaded(problem, route, k + 1, d) - kept
                top, kept = now, 0
            else:
                if problem.visits[v].partner < 0 or not problem.visits[v].is_delivery:
                    total += amount
                if problem.visits[v].partner < 0 and not problem.visits[v].is_delivery:
                    kept += amount
                now += -amount if problem.visits[v].is_delivery else amount
                top = max(top, now)
            state.after[v, d] = now
            peak = max(peak, now)
        state.load[r, d], state.peak[r, d] = total, peak
        later = 0
        for k in range(size - 1, -1, -1):
            v = route[k]
            later = max(later, state.after[v, d])
            state.after[v, d] = later
            if problem.visits[v].is_reload:
                later = 0


@lean
def _fill_base(problem: ProblemArrays, times: TimesArrays, state: State, r: int, start: float) -> float:
    """Schedule of the round when it leaves at `start`, breaks left out; return its end."""
    t, p, head, drives = start, problem.vehicles[r].profile, problem.vehicles[r].start_location, 0.0
    for k in range(state.rounds[r].length):
        v = state.routes[r, k]
        at = problem.visits[v].location
        reached = arrival(times, p, head, at, t)
        drives += reached - t
        t = serve(problem, r, v, reached)
        state.base_s[v] = t
        head = at
    end = problem.vehicles[r].end_location
    if end >= 0 and t < np.inf:
        reached = arrival(times, p, head, end, t)
        drives, t = drives + reached - t, reached
    state.rounds[r].driving_s = drives
    return t


@lean
def route_metres(problem: ProblemArrays, times: TimesArrays, r: int, route: I32) -> float:
    """Length of the round; 0 where lengths are unknown."""
    if times.length_m.shape[0] == 0 or len(route) == 0:
        return 0.0
    p, total, end = problem.vehicles[r].profile, 0.0, problem.vehicles[r].end_location
    for k in range(len(route)):
        total += times.length_m[p, location_before(problem, r, route, k), problem.visits[route[k]].location]
    if end >= 0:
        total += times.length_m[p, problem.visits[route[len(route) - 1]].location, end]
    return total


@lean
def route_drives(problem: ProblemArrays, times: TimesArrays, r: int, route: I32) -> float:
    """Driving time of the round without traffic."""
    p, total, end = problem.vehicles[r].profile, 0.0, problem.vehicles[r].end_location
    for k in range(len(route)):
        total += times.matrix_s[p, location_before(problem, r, route, k), problem.visits[route[k]].location]
    if end >= 0 and len(route):
        total += times.matrix_s[p, problem.visits[route[len(route) - 1]].location, end]
    return total


@lean
def leg_loads(problem: ProblemArrays, route: I32, dimension: int, loads: I64) -> None:
    """Fill ``loads[0..L]``: load on the way to position k (k = L: to the end)."""
    now, kept = loaded(problem, route, 0, dimension), 0
    loads[0] = now
    for k in range(len(route)):
        v = route[k]
        if problem.visits[v].is_reload:
            now += loaded(problem, route, k + 1, dimension) - kept
            kept = 0
        else:
            amount = problem.demand[problem.visits[v].shipment, dimension]
            if problem.visits[v].partner < 0 and not problem.visits[v].is_delivery:
                kept += amount
            now += -amount if problem.visits[v].is_delivery else amount
        loads[k + 1] = now


@lean
def loaded(problem: ProblemArrays, route: I32, first: int, dimension: int) -> int:
    """What is loaded at the depot for the trip that begins before position `first` of the route."""
    total = 0
    for k in range(first, len(route)):
        v = route[k]
        if problem.visits[v].is_reload:
            break
        if problem.visits[v].is_delivery and problem.visits[v].partner < 0:
            total += problem.demand[problem.visits[v].shipment, dimension]
    return total


@kernel
def fits(problem: ProblemArrays, r: int, route: I32) -> bool:
    """Whether the load stays within the vehicle's capacity all along the route."""
    loads = np.empty(len(route) + 1, np.int64)
    for d in range(problem.demand.shape[1]):
        leg_loads(problem, route, d, loads)
        for load in loads:
            if load > problem.capacity[r, d]:
                return False
    return True

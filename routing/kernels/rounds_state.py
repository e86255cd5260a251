"""A set of rounds under change: routes and what is cached about each (kept exact by `rounds_refresh`)."""

# mypy: disable-error-code="no-any-return"
# Fields of record arrays have no static type.

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from routing.kernels.jit import inlined, lean
from routing.kernels.rounds_records import ProblemArrays, rests
from routing.kernels.rounds_times import F64, I32, I64, Records

ROUND = np.dtype(
    [
        ("length", np.int64),
        ("cost", np.float64),
        ("start_s", np.float64),
        ("end_s", np.float64),
        ("metres", np.float64),
        ("plain_end_s", np.float64),
        ("special", np.int64),
        ("latest_s", np.float64),
        ("sharp", np.bool_),
        ("driving_s", np.float64),
        ("held_cost", np.float64),
    ]
)
"""A round at its best departure; `length` is the number of its visits, `plain_end_s` its end with breaks and rests left out,
`special` the number of visits that ask for it to be timed whole, `latest_s` its latest departure, `sharp` whether the best
departure is surely the best and not only the best of those tried, `driving_s` the time driven, breaks and rests left
out, `held_cost` what its time costs by the grid (`rounds_held`)."""

SEARCH_STEPS = 6
"""Departures tried for rounds with breaks while searching; plans are timed more finely."""
NEAR_REST = 0.8
"""Share of the longest driving from which on places are timed whole."""
POINTS = 6
"""Most points of a tail or a head."""
SHORTLIST = 12
"""Places of a visit that are judged by heads and tails where that takes long: those of the shortest detours."""


class State(NamedTuple):
    """Routes of V vehicles over m visits.

    Attributes
    ----------
    routes : int32[V, m + 1]
    rounds : ROUND[V]
    route_of, position : int32[m]
        Where a visit is; route -1 = in none.
    earliest_s, base_s : float64[m]
        Departure after the visit when the round leaves as early as possible, and at its best departure; breaks left out.
    reach_s : float64[m]
        Latest feasible arrival; breaks left out.
    tail_x, tail_y : float64[m, POINTS]
        Arrival at the visit and end of the round, the first point being the latest arrival that still ends earliest.
    head_x, head_y : float64[m, POINTS]
        Departure after the visit and latest start of the round.
    points : int32[m, 2]
        Number of points of the tail and of the head.
    load : int64[V, D]
        Sum of the demands on board over the day.
    peak : int64[V, D]
        Largest load on any leg.
    before, after : int64[m, D]
        Largest load on the legs of the trip up to the visit, and from it on; a reload ends one trip and begins another.
    scratch : float64[4, POINTS]
    shortlist : float64[3, SHORTLIST]
        Detour, round and position of places.
    held_before, held_after : float32[m, G]
        Where time at the wheel costs (`rounds_held`): least cost so far, and to the end, by when the visit is left; G times of
        a grid, 0 elsewhere.
    held_start : float32[V, G]
        Least cost of the round by its departure.
    held_marks : int64[m, 4]
        What ``held_before`` was computed last and from what, and the same of ``held_after``.
    held_grid : float64[2] or [0]
        First time of the grid and its step.
    held_count : int64[1]
        Computations so far.
    """

    routes: I32
    rounds: Records
    route_of: I32
    position: I32
    earliest_s: F64
    base_s: F64
    reach_s: F64
    tail_x: F64
    tail_y: F64
    head_x: F64
    head_y: F64
    points: I32
    load: I64
    peak: I64
    before: I64
    after: I64
    scratch: F64
    shortlist: F64
    held_before: npt.NDArray[np.float32]
    held_after: npt.NDArray[np.float32]
    held_start: npt.NDArray[np.float32]
    held_marks: I64
    held_grid: F64
    held_count: I64


def empty_state(vehicles: int, visits: int, dimensions: int, grid: Sequence[float] = (), points: int = 0) -> State:
    """Return a state without any visit; call `refresh` for every vehicle before use.

    `grid` (first time and step) has so many points.
    """
    return State(
        np.zeros((vehicles, visits + 1), np.int32),
        np.zeros(vehicles, ROUND).view(np.recarray),
        np.full(visits, -1, np.int32),
        np.full(visits, -1, np.int32),
        np.zeros(visits),
        np.zeros(visits),
        np.zeros(visits),
        np.zeros((visits, POINTS)),
        np.zeros((visits, POINTS)),
        np.zeros((visits, POINTS)),
        np.zeros((visits, POINTS)),
        np.zeros((visits, 2), np.int32),
        np.zeros((vehicles, dimensions), np.int64),
        np.zeros((vehicles, dimensions), np.int64),
        np.zeros((visits, dimensions), np.int64),
        np.zeros((visits, dimensions), np.int64),
        np.zeros((4, POINTS)),
        np.zeros((3, SHORTLIST)),
        np.zeros((visits, points), np.float32),
        np.zeros((visits, points), np.float32),
        np.zeros((vehicles, points), np.float32),
        np.zeros((visits, 4), np.int64),
        np.array(grid, np.float64),
        np.zeros(1, np.int64),
    )


@inlined
def is_timed(problem: ProblemArrays, r: int) -> bool:
    """Whether the duration of the vehicle's round matters at all."""
    return (
        problem.vehicles[r].cost_per_s > 0.0
        or problem.vehicles[r].max_duration_s < np.inf
        or problem.vehicles[r].overtime_after_s < np.inf
        or problem.vehicles[r].balance_per_s2 > 0.0
    )


@inlined
def is_whole(problem: ProblemArrays, state: State, r: int, s: int, exact: bool) -> bool:
    """Whether round `r` with shipment `s` must be timed whole: heads and tails do not say all about it.

    Where the driver rests by the time driven, always if `exact`, else only in rounds that come near a rest.
    """
    if problem.special[s] or state.rounds[r].special > 0:
        return True
    return rests(problem, r) and (exact or state.rounds[r].length == 0 or rest_is_due(problem, state, r, NEAR_REST))


@inlined
def rest_is_due(problem: ProblemArrays, state: State, r: int, share: float) -> bool:
    """Whether the driver of round `r` has breaks, or drives for that share of what is allowed without a rest or in a day."""
    if problem.vehicles[r].last_break > problem.vehicles[r].first_break:
        return True
    drives = state.rounds[r].driving_s - 1e-6
    most, daily = problem.vehicles[r].max_driving_s, problem.vehicles[r].max_daily_s
    return problem.vehicles[r].driven_s + drives > share * most or problem.vehicles[r].driven_today_s + drives > share * daily


@lean
def set_route(state: State, r: int, route: I32) -> None:
    """Replace route `r`; call `refresh` after."""
    for k in range(state.rounds[r].length):
        v = state.routes[r, k]
        if state.route_of[v] == r:
            state.route_of[v] = -1
    for k in range(len(route)):
        state.routes[r, k] = route[k]
    state.rounds[r].length = len(route)


@inlined
def insert_at(state: State, r: int, position: int, v: int) -> None:
    """Insert visit `v` before `position` of route `r`; call `refresh` after."""
    size = state.rounds[r].length
    for k in range(size, position, -1):
        state.routes[r, k] = state.routes[r, k - 1]
    state.routes[r, position] = v
    state.rounds[r].length = size + 1


@lean
def remove_shipment(problem: ProblemArrays, state: State, s: int) -> int:
    """Take shipment `s` out of its route (returned; -1 = it was in none); call `refresh` after."""
    r = state.route_of[problem.shipments[s].first_visit]
    if r < 0:
        return -1
    kept = 0
    for k in range(state.rounds[r].length):
        v = state.routes[r, k]
        if problem.visits[v].shipment == s:
            state.route_of[v] = -1
        else:
            state.routes[r, kept] = v
            state.position[v] = kept
            kept += 1
    state.rounds[r].length = kept
    return r


@lean
def copy_round(source: State, target: State, r: int) -> None:
    """Copy round `r` with all that is cached about it and its visits, but not where visits are."""
    target.rounds[r] = source.rounds[r]
    for d in range(source.load.shape[1]):
        target.load[r, d], target.peak[r, d] = source.load[r, d], source.peak[r, d]
    for k in range(source.rounds[r].length):
        v = source.routes[r, k]
        target.routes[r, k] = v
        target.earliest_s[v], target.base_s[v], target.reach_s[v] = source.earliest_s[v], source.base_s[v], source.reach_s[v]
        target.points[v, 0], target.points[v, 1] = source.points[v, 0], source.points[v, 1]
        for q in range(source.points[v, 0]):
            target.tail_x[v, q], target.tail_y[v, q] = source.tail_x[v, q], source.tail_y[v, q]
        for q in range(source.points[v, 1]):
            target.head_x[v, q], target.head_y[v, q] = source.head_x[v, q], source.head_y[v, q]
        for d in range(source.before.shape[1]):
            target.before[v, d], target.after[v, d] = source.before[v, d], source.after[v, d]
        if len(source.held_grid):
            for q in range(4):
                target.held_marks[v, q] = source.held_marks[v, q]
            for g in range(source.held_before.shape[1]):
                target.held_before[v, g] = source.held_before[v, g]
                target.held_after[v, g] = source.held_after[v, g]
    if len(source.held_grid):
        for g in range(source.held_start.shape[1]):
            target.held_start[r, g] = source.held_start[r, g]

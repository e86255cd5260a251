"""What predicted travel times are worth: plans made with simpler times, driven through the true ones.

Every view of the travel times is planned with by the same solver for the same time; each plan is then driven: its stops in
its order, every one of them, however late. Two rules of departure: as the plan says, and at the moment that is best for the
order under the true times (fewest late stops, then the shortest round). A vehicle that is late serves on arrival; one that is
early waits for the window, and leaves a stop not before the plan does where the plan holds it. Breaks are not driven: problems
with breaks are refused.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from routing.errors import InvalidInput
from routing.kernels.rounds_times import FUNCTIONS
from routing.rounds.plain import is_plain
from routing.rounds.plan import Plan
from routing.rounds.problem import Problem, Vehicle
from routing.rounds.travel_times import TravelTimes

FREE_FLOW, MEAN, PREDICTED = "free flow", "day's mean", "full prediction"
SNAPSHOTS_H = (0.0, 2.0, 6.0)
DEPARTURE_STEP_S = 300.0
"""Departures tried for the best one of an order."""
LATE_S = 1.0
"""Later than this after its window closed, a stop is late (plans are exact to microseconds, services to a second)."""


@dataclass(frozen=True, slots=True)
class View:
    """Travel times as a planner sees them."""

    name: str
    travel_times: TravelTimes


@dataclass(frozen=True, slots=True)
class DrivenDay:
    """All rounds of a plan as they went under the true times.

    Attributes
    ----------
    driving_s, duration_s, waiting_s : float
        Sums over the vehicles; duration from departure to return.
    late_stops : int
        Stops served after their window had closed.
    late_s : float
        Sum of their delays.
    worst_late_s : float
    late_returns : int
        Vehicles back after their shift or the depot's hours.
    vehicles : int
        Vehicles that drove.
    length_m : float or None
        None where lengths are not known.
    unserved : int
        Shipments the planner left out.
    """

    driving_s: float
    duration_s: float
    waiting_s: float
    late_stops: int
    late_s: float
    worst_late_s: float
    late_returns: int
    vehicles: int
    length_m: float | None
    unserved: int


@dataclass(frozen=True, slots=True)
class ViewResult:
    """A view, the plan made with it, and how its days went under the two rules of departure."""

    name: str
    plan: Plan
    as_planned: DrivenDay
    best_departure: DrivenDay


def build_views(problem: Problem, true: TravelTimes, low_s: float, high_s: float) -> list[View]:
    """Views of the day that begins at `low_s` and ends at `high_s`, the full prediction last.

    Free flow is the least travel time of each pair over the whole day; snapshots are the times of departures 0, 2 and 6 hours
    after `low_s`; the mean is over departures spread evenly from `low_s` to `high_s`. All of them hold all day.
    """
    lengths = true.arrays.length_m if true.has_lengths else None
    views = [View(FREE_FLOW, TravelTimes.static(true.arrays.matrix_s, lengths))]
    for hours in SNAPSHOTS_H:
        name = "snapshot at opening" if not hours else f"snapshot +{hours:g} h"
        views.append(View(name, hold(true, problem.location_count, low_s + 3600 * hours)))
    views.append(View(MEAN, TravelTimes.static(true.mean_s(low_s, high_s), lengths)))
    return [*views, View(PREDICTED, true)]


def for_driving(problem: Problem, waiting: float) -> Problem:
    """Problem with which the solver makes driving time small; every second not driven costs the share `waiting` of one driven.

    Raises
    ------
    InvalidInput
        The share is not between 0 and 1.
    """
    if not 0.0 <= waiting <= 1.0:
        raise InvalidInput(f"must be between 0 (free) and 1 (as dear as driving), not {waiting}", "waiting")
    vehicles = tuple(
        replace(vehicle, fixed_cost=0.0, cost_per_s=waiting, cost_per_m=0.0, cost_per_driving_s=1.0 - waiting)
        for vehicle in problem.vehicles
    )
    return replace(problem, vehicles=vehicles)


def hold(true: TravelTimes, n: int, at_s: float) -> TravelTimes:
    """Times between the first `n` locations that are all day what they are for departures at `at_s`."""
    held = np.array(true.arrays.matrix_s[:, :n, :n])
    for p in range(true.profile_count):
        for i in range(n):
            for j in range(n):
                if i != j and math.isfinite(held[p, i, j]):
                    held[p, i, j] = arrive(true, p, i, j, at_s) - at_s
    return TravelTimes.static(held, true.arrays.length_m[:, :n, :n] if true.has_lengths else None)


def arrive(true: TravelTimes, p: int, i: int, j: int, t: float) -> float:
    """Arrival at `j`; after the last moment that is known, the last travel time holds."""
    if i == j:
        return t
    arrays = true.arrays
    if arrays.kind == FUNCTIONS:
        k = i * true.location_count + j
        first, last = arrays.first_point[k], arrays.first_point[k + 1] - 1
        if last >= first and t > arrays.point_x_s[last]:
            return float(t + arrays.point_y_s[last] - arrays.point_x_s[last])
        if last >= first and t < arrays.point_x_s[first]:
            return float(t + arrays.point_y_s[first] - arrays.point_x_s[first])
    return true.arrival_s(p, i, j, t)


def drive_plan(problem: Problem, true: TravelTimes, plan: Plan, *, choose_departure: bool = False) -> DrivenDay:
    """Drive a plan's rounds under the true times.

    Parameters
    ----------
    choose_departure : bool
        Each vehicle leaves at the best moment for its order instead of when the plan says.

    Raises
    ------
    InvalidInput
        A vehicle has breaks, or the problem asks for what `is_plain` excludes.
    """
    if any(vehicle.breaks for vehicle in problem.vehicles):
        raise InvalidInput("plans with breaks cannot be driven for comparison yet; leave the breaks out", "vehicles")
    unpriced = tuple(replace(vehicle, cost_per_driving_s=0.0) for vehicle in problem.vehicles)
    if not is_plain(replace(problem, vehicles=unpriced)):
        raise InvalidInput(
            "plans with reloads, dues, longest rides, bonds, preferred vehicles, service by vehicle, overtime, balance or "
            "driving rules cannot be driven for comparison yet; leave these out",
            "shipments",
        )
    rounds = []
    for one in plan.rounds:
        visits = [stop.visit_idx for stop in one.stops]
        leave_s = [stop.left_s if stop.held_s > 0.0 else -math.inf for stop in one.stops]
        driven = [_drive(problem, true, one.vehicle_idx, visits, one.departure_s, leave_s)]
        if choose_departure:
            at_once = [-math.inf] * len(visits)
            later = _departures(problem, one.vehicle_idx)
            driven += [_drive(problem, true, one.vehicle_idx, visits, departure, at_once) for departure in later]
        rounds.append(min(driven, key=partial(_rank, problem.vehicles[one.vehicle_idx])))
    lengths = [day.length_m for day in rounds if day.length_m is not None]
    return DrivenDay(
        sum(day.driving_s for day in rounds),
        sum(day.duration_s for day in rounds),
        sum(day.waiting_s for day in rounds),
        sum(day.late_stops for day in rounds),
        sum(day.late_s for day in rounds),
        max((day.worst_late_s for day in rounds), default=0.0),
        sum(day.late_returns for day in rounds),
        len(rounds),
        sum(lengths) if true.has_lengths else None,
        len(plan.unserved),
    )


def compare_views(
    problem: Problem,
    true: TravelTimes,
    plan_with: Callable[[Problem, TravelTimes], Plan],
    *,
    waiting: float | None = None,
    day: tuple[float, float] | None = None,
    on_view: Callable[[str], None] = lambda _: None,
) -> list[ViewResult]:
    """Plan with every view and drive each plan.

    Parameters
    ----------
    plan_with : callable
        The same solver with the same time for each view.
    waiting : float, optional
        Plans make driving time small (`for_driving`), not the problem's own cost.
    day : (float, float), optional
        Opening and end of the day; without it the first and the last moment a vehicle may drive.
    on_view : callable
        Told the name of each view before it is planned with.
    """
    low_s, high_s = day or (
        min(max(v.shift.start_s, problem.depots[v.start_depot_idx].window.start_s) for v in problem.vehicles),
        max(v.shift.end_s for v in problem.vehicles),
    )
    views = build_views(problem, true, low_s, high_s)
    asked = problem if waiting is None else for_driving(problem, waiting)
    results = []
    for view in views:
        on_view(view.name)
        plan = plan_with(asked, view.travel_times)
        driven = drive_plan(asked, true, plan), drive_plan(asked, true, plan, choose_departure=True)
        results.append(ViewResult(view.name, plan, *driven))
    return results


def _departures(problem: Problem, vehicle_idx: int) -> list[float]:
    vehicle = problem.vehicles[vehicle_idx]
    start = problem.depots[vehicle.start_depot_idx].window
    low, high = max(vehicle.shift.start_s, start.start_s), min(vehicle.shift.end_s, start.end_s)
    return [float(t) for t in np.arange(low, high + 1e-9, DEPARTURE_STEP_S)]


def _rank(vehicle: Vehicle, day: DrivenDay) -> tuple[float, ...]:
    """What driven rounds are compared by: lateness, then what their time costs."""
    cost = vehicle.cost_per_s * day.duration_s + vehicle.cost_per_driving_s * day.driving_s
    return (day.late_stops + day.late_returns, day.late_s, cost, day.duration_s)


def _drive(
    problem: Problem, true: TravelTimes, vehicle_idx: int, visits: list[int], departure_s: float, leave_s: list[float]
) -> DrivenDay:
    """One round, its stops in the order given, leaving at `departure_s` and no stop before ``leave_s``."""
    vehicle = problem.vehicles[vehicle_idx]
    profile, at, t = vehicle.profile, problem.depots[vehicle.start_depot_idx].location_idx, departure_s
    driving, waiting, metres, delays = 0.0, 0.0, 0.0, []
    for visit_idx, not_before in zip(visits, leave_s, strict=True):
        visit = problem.visit(visit_idx)
        arrived = arrive(true, profile, at, visit.location_idx, t)
        metres += true.length_m(profile, at, visit.location_idx)
        windows = [window for window in visit.windows if window.end_s >= arrived - LATE_S]
        start = max(arrived, windows[0].start_s) if windows else arrived
        if visit.windows and not windows:
            delays.append(arrived - visit.windows[-1].end_s)
        done = start + visit.service_s
        driving, waiting = driving + arrived - t, waiting + start - arrived + max(not_before - done, 0.0)
        at, t = visit.location_idx, max(done, not_before)
    late_return = t > vehicle.shift.end_s + LATE_S
    if vehicle.end_depot_idx is not None:
        depot = problem.depots[vehicle.end_depot_idx]
        back = arrive(true, profile, at, depot.location_idx, t)
        metres += true.length_m(profile, at, depot.location_idx)
        driving, t = driving + back - t, back
        late_return = back > min(vehicle.shift.end_s, depot.window.end_s) + LATE_S
    return DrivenDay(
        driving, t - departure_s, waiting, len(delays), sum(delays), max(delays, default=0.0), int(late_return), 1,
        metres if true.has_lengths else None, 0,
    )  # fmt: skip

"""Rests by the time driven by trying every way to place them: the earliest end of a round that leaves at a moment."""

import itertools
import math
from collections.abc import Iterator

from routing.rounds.api import DrivingRules, Problem, TravelTimes, Vehicle

Driver = tuple[float, float, float, bool, int]
"""Time, driven since the last rest, driven today, first part taken, breaks behind."""


def earliest_end(problem: Problem, times: TravelTimes, vehicle: Vehicle, route: tuple[int, ...], start: float) -> float:
    """Earliest end with all rests and breaks; inf = infeasible. Times do not change."""
    rules = vehicle.driving_rules or DrivingRules()
    home = problem.depots[vehicle.start_depot_idx].location_idx
    first = [0, *itertools.takewhile(lambda b: _rested(vehicle, b) <= start, range(1, len(vehicle.breaks) + 1))]
    drivers = [(start, rules.driven_s, rules.driven_today_s, rules.part_taken, b) for b in first]
    if rules.driven_s:
        drivers = [one for driver in drivers for one in _resting(vehicle, driver, 2, breaks=False)]
    for k, v in enumerate(route):
        visit = problem.visit(v)
        reached = [one for driver in drivers for one in _drive(times, vehicle, home, visit.location_idx, driver)]
        home, drivers = visit.location_idx, []
        for one in reached:
            for t, since, today, part, b in _resting(vehicle, one, 3, rules_too=rules.waiting_rests):
                opens = [max(t, w.start_s) for w in visit.windows if t <= w.end_s] if visit.windows else [t]
                if opens:
                    served = (min(opens) + visit.stays_s(vehicle), since, today, part, b)
                    last = k == len(route) - 1 and vehicle.end_depot_idx is None
                    drivers += [served] if last else list(_resting(vehicle, served, 3))
        drivers = list(dict.fromkeys(drivers))
    if vehicle.end_depot_idx is not None:
        end = problem.depots[vehicle.end_depot_idx].location_idx
        drivers = [one for driver in drivers for one in _drive(times, vehicle, home, end, driver)]
    return min((t for t, _, _, _, b in drivers if t <= vehicle.shift.end_s and _ends(vehicle, t, b)), default=math.inf)


def _rested(vehicle: Vehicle, count: int) -> float:
    clock = -math.inf
    for rest in vehicle.breaks[:count]:
        begin = max(clock, rest.earliest_s)
        clock = begin + rest.duration_s if begin <= rest.latest_s else math.inf
    return clock


def _ends(vehicle: Vehicle, t: float, behind: int) -> bool:
    for rest in vehicle.breaks[behind:]:
        begin = max(t, rest.earliest_s)
        if begin > rest.latest_s:
            return False
        t = begin + rest.duration_s
    return True


def _drive(times: TravelTimes, vehicle: Vehicle, at: int, to: int, driver: Driver) -> Iterator[Driver]:
    """Drive, resting on the road at the last moment where the drive alone is too long."""
    rules = vehicle.driving_rules or DrivingRules()
    t, since, today, part, b = driver
    lasts = times.arrival_s(vehicle.profile, at, to, 0.0)
    if today + lasts > (rules.max_daily_driving_s or math.inf):
        return
    rests = 0
    if since + lasts > rules.max_driving_s:
        if lasts <= rules.max_driving_s or since >= rules.max_driving_s:
            return
        rests = math.ceil((since + lasts) / rules.max_driving_s) - 1
        t += rules.split_s[1] if part and rules.split_s else rules.rest_s
        t += (rests - 1) * rules.rest_s
    yield t + lasts, since + lasts - rests * rules.max_driving_s, today + lasts, part and not rests, b


def _resting(vehicle: Vehicle, driver: Driver, depth: int, *, rules_too: bool = True, breaks: bool = True) -> Iterator[Driver]:
    """All ways to rest up to `depth` times where the vehicle stands."""
    yield driver
    if depth == 0:
        return
    rules = vehicle.driving_rules or DrivingRules()
    t, since, today, part, b = driver
    if breaks and b < len(vehicle.breaks):
        rest = vehicle.breaks[b]
        begin = max(t, rest.earliest_s)
        if begin <= rest.latest_s:
            driven, taken = rules.after_rest(rest.duration_s, since, part)
            yield from _resting(vehicle, (begin + rest.duration_s, driven, today, taken, b + 1), depth - 1, rules_too=rules_too)
    for lasts in {rules.rest_s, *(rules.split_s or ())} if rules_too else ():
        driven, taken = rules.after_rest(lasts, since, part)
        yield from _resting(vehicle, (t + lasts, driven, today, taken, b), depth - 1, breaks=breaks)

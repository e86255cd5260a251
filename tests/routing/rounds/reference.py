"""Slow, plain answers to compare the engine with: every order of visits, every departure on a fine grid."""

import itertools
import math
from collections.abc import Iterator

from routing.rounds.api import Problem, TravelTimes, Vehicle


def end_of(problem: Problem, times: TravelTimes, vehicle: Vehicle, route: tuple[int, ...], start: float) -> float:
    """End of a round that leaves at `start`, trying every way to place the breaks at stops; inf if infeasible."""
    home = problem.depots[vehicle.start_depot_idx]
    if not vehicle.shift.start_s <= start <= min(vehicle.shift.end_s, home.window.end_s):
        return math.inf

    def rest(t: float, taken: int, upto: int) -> float:
        for b in range(taken, upto):
            begin = max(t, vehicle.breaks[b].earliest_s)
            if begin > vehicle.breaks[b].latest_s:
                return math.inf
            t = begin + vehicle.breaks[b].duration_s
        return t

    def drive(k: int, at: int, t: float, taken: int) -> float:
        if t == math.inf:
            return t
        if k == len(route):
            if vehicle.end_depot_idx is not None:
                end = problem.depots[vehicle.end_depot_idx]
                t = times.arrival_s(vehicle.profile, at, end.location_idx, t)
                if t > end.window.end_s:
                    return math.inf
            return t if t <= vehicle.shift.end_s and rest(t, taken, len(vehicle.breaks)) < math.inf else math.inf
        visit = problem.visit(route[k])
        reached = times.arrival_s(vehicle.profile, at, visit.location_idx, t)
        best = math.inf
        for before in range(taken, len(vehicle.breaks) + 1):
            ready = rest(reached, taken, before)
            opens = [max(ready, w.start_s) for w in visit.windows if ready <= w.end_s] if visit.windows else [ready]
            if not opens or ready == math.inf:
                continue
            done = min(opens) + visit.service_s
            for after in range(before, len(vehicle.breaks) + 1):
                best = min(best, drive(k + 1, visit.location_idx, rest(done, before, after), after))
        return best

    answers = [
        drive(0, home.location_idx, start, taken)
        for taken in range(len(vehicle.breaks) + 1)
        if rest(-math.inf, 0, taken) <= start
    ]
    return min(answers)


def best_duration(problem: Problem, times: TravelTimes, vehicle: Vehicle, route: tuple[int, ...], step: float = 1.0) -> float:
    """Least duration over departures on a grid of `step` seconds."""
    start, best = vehicle.shift.start_s, math.inf
    while start <= vehicle.shift.end_s:
        best = min(best, end_of(problem, times, vehicle, route, start) - start)
        start += step
    return best


def feasible_routes(problem: Problem, times: TravelTimes, r: int, visits: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Orders of `visits` that vehicle `r` can drive, loads and pairs respected."""
    vehicle = problem.vehicles[r]
    for route in itertools.permutations(visits):
        if _loads_fit(problem, vehicle, route) and end_of(problem, times, vehicle, route, vehicle.shift.start_s) < math.inf:
            yield route


def _loads_fit(problem: Problem, vehicle: Vehicle, route: tuple[int, ...]) -> bool:
    on_board, picked = 0, set()
    for s, is_delivery in (problem.visits[v] for v in route):
        if is_delivery and problem.shipments[s].pickup is None:
            on_board += problem.shipments[s].load[0]
    loads = [on_board]
    for s, is_delivery in (problem.visits[v] for v in route):
        if not is_delivery:
            picked.add(s)
        elif problem.shipments[s].pickup is not None and s not in picked:
            return False
        on_board += -problem.shipments[s].load[0] if is_delivery else problem.shipments[s].load[0]
        loads.append(on_board)
    return max(loads) <= vehicle.capacity[0]


def optimal_cost(problem: Problem, times: TravelTimes) -> float:
    """Least cost by dynamic programming over subsets of shipments, each subset's best round by enumeration (distance costs)."""
    n = len(problem.shipments)
    penalty = [shipment.penalty for shipment in problem.shipments]
    best = [sum(penalty[s] for s in range(n) if not mask >> s & 1) for mask in range(1 << n)]
    cost = [math.inf] * (1 << n)
    cost[0] = 0.0
    for r in range(len(problem.vehicles)):
        own = [_round_cost(problem, times, r, mask) for mask in range(1 << n)]
        new = list(cost)
        for mask in range(1 << n):
            part = mask
            while part:
                if own[part] < math.inf and cost[mask ^ part] < math.inf:
                    new[mask] = min(new[mask], cost[mask ^ part] + own[part])
                part = (part - 1) & mask
        cost = new
    return min(cost[mask] + best[mask] for mask in range(1 << n))


def _round_cost(problem: Problem, times: TravelTimes, r: int, mask: int) -> float:
    if not mask:
        return 0.0
    shipments = [s for s in range(len(problem.shipments)) if mask >> s & 1]
    if not all(problem.may_carry(r, s) for s in shipments):
        return math.inf
    visits = tuple(v for v, (s, _) in enumerate(problem.visits) if s in shipments)
    vehicle, best = problem.vehicles[r], math.inf
    for route in feasible_routes(problem, times, r, visits):
        home = problem.depots[vehicle.start_depot_idx].location_idx
        stops = [home, *(problem.visit(v).location_idx for v in route)]
        if vehicle.end_depot_idx is not None:
            stops.append(problem.depots[vehicle.end_depot_idx].location_idx)
        metres = sum(times.length_m(vehicle.profile, a, b) for a, b in itertools.pairwise(stops))
        best = min(best, vehicle.fixed_cost + vehicle.cost_per_m * metres)
    return best

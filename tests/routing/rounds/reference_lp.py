"""The cheapest plan of small problems with static times by enumeration, each round's times by linear programming."""

import itertools
import math

import numpy as np
from scipy.optimize import linprog  # type: ignore[import-untyped]

from routing.rounds.api import Problem, TravelTimes


def round_cost(problem: Problem, times: TravelTimes, r: int, route: tuple[int, ...]) -> float:
    """Least cost of a round in this order (single windows, no breaks, closed rounds); inf = infeasible.

    Variables: departure, end, start of every service, how late it is, overtime. Vehicles may wait anywhere.
    """
    vehicle, n = problem.vehicles[r], len(route)
    home, visits = problem.depots[vehicle.start_depot_idx].location_idx, [problem.visit(v) for v in route]
    stays = [
        one.setup_s + dict(one.service_by_class).get(vehicle.service_class, one.service_s) * vehicle.service_factor
        for one in visits
    ]
    size = 3 + 2 * n
    rows, limits = [], []

    def at_most(limit: float, **terms: float) -> None:
        row = np.zeros(size)
        for name, factor in terms.items():
            row[int(name[1:])] = factor
        rows.append(row)
        limits.append(limit)

    stops = [home, *(one.location_idx for one in visits), home]
    for k in range(n + 1):  # leave k, reach k + 1
        before, after = (0 if k == 0 else 1 + k), (1 if k == n else 2 + k)
        drive = times.arrival_s(vehicle.profile, stops[k], stops[k + 1], 0.0) + (0.0 if k == 0 else stays[k - 1])
        at_most(-drive, **{f"x{before}": 1.0, f"x{after}": -1.0})
    if vehicle.max_duration_s is not None:
        at_most(vehicle.max_duration_s, x1=1.0, x0=-1.0)
    bounds: list[tuple[float, float | None]] = [(vehicle.shift.start_s, vehicle.shift.end_s)] * 2
    cost = np.zeros(size)
    cost[0], cost[1] = -vehicle.cost_per_s, vehicle.cost_per_s
    where = {v: k for k, v in enumerate(route)}
    for k, one in enumerate(visits):
        window = one.windows[0] if one.windows else vehicle.shift
        bounds.append((window.start_s, window.end_s))
        s, is_delivery = problem.visits[route[k]]
        longest = problem.shipments[s].max_ride_s
        if is_delivery and longest is not None:
            pickup = where[route[k] - 1]
            at_most(longest + stays[pickup], **{f"x{2 + k}": 1.0, f"x{2 + pickup}": -1.0})
        if one.due_s is not None:
            at_most(one.due_s, **{f"x{2 + k}": 1.0, f"x{2 + n + k}": -1.0})
            cost[2 + n + k] = one.late_cost_per_s
    bounds += [(0.0, None)] * n
    if vehicle.overtime_after_s is not None:
        at_most(vehicle.overtime_after_s, x1=1.0, x0=-1.0, **{f"x{size - 1}": -1.0})
    cost[size - 1] = vehicle.overtime_cost_per_s
    bounds.append((0.0, None))
    found = linprog(cost, np.array(rows), np.array(limits), bounds=bounds)
    if not found.success:
        return math.inf
    metres = sum(times.length_m(vehicle.profile, a, b) for a, b in itertools.pairwise(stops))
    others = sum(
        problem.shipments[s].other_vehicle_cost
        for s in {problem.visits[v][0] for v in route}
        if problem.shipments[s].preferred_vehicle_ids and vehicle.id not in problem.shipments[s].preferred_vehicle_ids
    )
    return float(found.fun) + vehicle.fixed_cost + vehicle.cost_per_m * metres + others


def least_cost(problem: Problem, times: TravelTimes) -> float:
    """Least cost over every assignment of orders to vehicles (or to none) and every order of visits."""
    known: dict[tuple[int, tuple[int, ...]], float] = {}

    def own(r: int, shipments: tuple[int, ...]) -> float:
        if (r, shipments) not in known:
            known[r, shipments] = _cheapest_order(problem, times, r, shipments)
        return known[r, shipments]

    best = math.inf
    for assigned in itertools.product(range(-1, len(problem.vehicles)), repeat=len(problem.shipments)):
        if not _bonds_hold(problem, assigned):
            continue
        cost = sum(problem.shipments[s].penalty for s, r in enumerate(assigned) if r < 0)
        for r in range(len(problem.vehicles)):
            if cost < best:
                cost += own(r, tuple(s for s, one in enumerate(assigned) if one == r))
        best = min(best, cost)
    return best


def _bonds_hold(problem: Problem, assigned: tuple[int, ...]) -> bool:
    for (a, one), (b, two) in itertools.combinations(enumerate(problem.shipments), 2):
        both = assigned[a] >= 0 and assigned[b] >= 0
        if both and one.together and one.together == two.together and assigned[a] != assigned[b]:
            return False
        if both and one.apart and one.apart == two.apart and assigned[a] == assigned[b]:
            return False
    return True


def _cheapest_order(problem: Problem, times: TravelTimes, r: int, shipments: tuple[int, ...]) -> float:
    if not shipments:
        return 0.0
    if not all(problem.may_carry(r, s) for s in shipments):
        return math.inf
    visits = [v for v, (s, _) in enumerate(problem.visits) if s in shipments]
    return min(
        (round_cost(problem, times, r, route) for route in itertools.permutations(visits) if _fits(problem, r, route)),
        default=math.inf,
    )


def _fits(problem: Problem, r: int, route: tuple[int, ...]) -> bool:
    on_board, picked = 0, set()
    tasks = [problem.visits[v] for v in route]
    for s, is_delivery in tasks:
        if is_delivery and problem.shipments[s].pickup is None:
            on_board += problem.shipments[s].load[0]
    most = on_board
    for s, is_delivery in tasks:
        if is_delivery and problem.shipments[s].pickup is not None and s not in picked:
            return False
        picked.add(s)
        on_board += -problem.shipments[s].load[0] if is_delivery else problem.shipments[s].load[0]
        most = max(most, on_board)
    return most <= problem.vehicles[r].capacity[0]

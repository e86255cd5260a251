"""Least cost over hubs by enumeration: every assignment, split over vehicles and order of stops (distance costs)."""

import itertools

from routing.rounds.api import Problem, TravelTimes


def optimal_hub_cost(problem: Problem, times: TravelTimes) -> float:
    """Least cost where no time binds: each hub's goods are one more stop of the vans that bring them, capacities hold."""
    homes = {hub.depot_idx: h for h, hub in enumerate(problem.hubs)}
    belongs = [homes.get(vehicle.start_depot_idx, -1) for vehicle in problem.vehicles]
    n = len(problem.shipments)
    options = [[-1] if one.direct_only else [-1, *range(len(problem.hubs))] for one in problem.shipments]
    known: dict[tuple[int, frozenset[tuple[str, int]]], float] = {}

    def split(side: int, tasks: frozenset[tuple[str, int]]) -> float:
        if (side, tasks) not in known:
            own = [r for r, home in enumerate(belongs) if home == side]
            ordered = sorted(tasks)
            best = float("inf")
            for who in itertools.product(own, repeat=len(ordered)):
                rounds = [[task for task, r in zip(ordered, who, strict=True) if r == one] for one in own]
                best = min(best, sum(_round_cost(problem, times, r, part) for r, part in zip(own, rounds, strict=True)))
            known[side, tasks] = best
        return known[side, tasks]

    best = float("inf")
    for hub_of in itertools.product(*options):
        used = sorted(set(hub_of) - {-1})
        stored = [sum(problem.shipments[s].load[0] for s in range(n) if hub_of[s] == h) for h in used]
        if any(amount > problem.hubs[h].capacity[0] for amount, h in zip(stored, used, strict=True)):  # type: ignore[index]
            continue
        cost = sum(problem.hubs[h].fixed_cost for h in used)
        brought = {("hub", h) for h in used}  # the vans of `hub_problem` hold all there is
        cost += split(-1, frozenset({("order", s) for s in range(n) if hub_of[s] < 0} | brought))
        for h in used:
            cost += split(h, frozenset(("order", s) for s in range(n) if hub_of[s] == h))
        best = min(best, cost)
    return best


def _round_cost(problem: Problem, times: TravelTimes, r: int, tasks: list[tuple[str, int]]) -> float:
    if not tasks:
        return 0.0
    vehicle = problem.vehicles[r]
    home = problem.depots[vehicle.start_depot_idx].location_idx
    if sum(problem.shipments[s].load[0] for kind, s in tasks if kind == "order") > vehicle.capacity[0]:
        return float("inf")
    places = [
        problem.shipments[k].delivery.location_idx
        if kind == "order"
        else problem.depots[problem.hubs[k].depot_idx].location_idx  # type: ignore[union-attr]
        for kind, k in tasks
    ]
    lengths = (
        sum(times.length_m(0, a, b) for a, b in itertools.pairwise((home, *order, home)))
        for order in itertools.permutations(places)
    )
    return vehicle.fixed_cost + vehicle.cost_per_m * min(lengths)

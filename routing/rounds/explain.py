"""Why a shipment is not served: the one constraint class whose relaxation would let it in, checked exactly.

Each class (skills and locks, longest ride, capacity, time windows, shift and duration, bonds) is relaxed alone, for the
shipment alone in an empty vehicle and in the plan; what then becomes feasible names the reason.
"""

from itertools import pairwise

import numpy as np

from routing.kernels.rounds_route import ProblemArrays
from routing.kernels.rounds_times import TimesArrays
from routing.rounds.arrays import never_drives
from routing.rounds.plan import Unserved
from routing.rounds.problem import Problem
from routing.rounds.search import Search

REASONS = {
    "unreachable": "no vehicle can get there and back by street",
    "locked": "the vehicle it is locked to cannot serve it",
    "skills": "no vehicle has the skills it asks for",
    "capacity": "it is larger than any allowed vehicle can carry",
    "time_window": "no allowed vehicle can be there within its time windows",
    "duration": "serving it alone already exceeds the shift, or the longest duration, distance or time driven of a round",
    "ride": "no allowed vehicle can bring it within its longest ride",
    "bond": "the orders it must ride with, or apart from, leave no vehicle for it",
    "fleet_too_small": "alone it could be served, but the vehicles are full or the shifts over",
    "not_worth_it": "serving it costs more than its prize",
    "no_vehicles": "there is no vehicle",
    "departed": "every vehicle that could still bring it has left the place where it lies, or its shift is over",
}
"""Codes and their meaning."""
NOBODY = frozenset({"(no vehicle is left)"})
"""Skills asked for what no vehicle can serve any more."""


def explain(
    problem: Problem, arrays: ProblemArrays, times: TimesArrays, routes: list[list[int]], shipment_idx: int
) -> Unserved:
    """Say why `shipment_idx` is in none of `routes`, with figures where they help."""
    shipment = problem.shipments[shipment_idx]
    if not problem.vehicles:
        return _answer(problem, shipment_idx, "no_vehicles")
    if not np.isfinite(arrays.dislike[shipment_idx]).any():
        return _answer(problem, shipment_idx, _nobody_allowed(problem, arrays, shipment_idx))
    if not _reachable(arrays, times, shipment_idx):
        return _answer(problem, shipment_idx, "unreachable")
    if _alone(arrays, times, shipment_idx):
        if shipment.prize is not None and _cost_in_plan(arrays, times, routes, shipment_idx) is not None:
            return _answer(problem, shipment_idx, "not_worth_it")
        bonded = shipment.together or shipment.apart
        if bonded and _cost_in_plan(_no_bonds(arrays), times, routes, shipment_idx) is not None:
            return _answer(problem, shipment_idx, "bond")
        return _answer(problem, shipment_idx, "fleet_too_small")
    relaxed = {
        "ride": _no_rides(arrays), "capacity": _no_capacity(arrays), "time_window": _no_windows(arrays),
        "duration": _no_shift(arrays),
    }  # fmt: skip
    helping = [reason for reason, changed in relaxed.items() if _alone(changed, times, shipment_idx)]
    if helping:
        reason = helping[0]
    else:
        reason = "time_window" if _alone(_no_windows(_no_shift(_no_capacity(arrays))), times, shipment_idx) else "duration"
    if shipment.vehicle_ids and _alone(arrays._replace(dislike=np.zeros_like(arrays.dislike)), times, shipment_idx):
        return _answer(problem, shipment_idx, "locked", reason)
    return _answer(problem, shipment_idx, reason)


def _answer(problem: Problem, shipment_idx: int, reason: str, *more: str) -> Unserved:
    shipment = problem.shipments[shipment_idx]
    sentence = f"order {shipment.id!r}: {REASONS[reason]}"
    if more:
        sentence += f" ({REASONS[more[0]]})"
    if reason == "skills":
        sentence += f": {', '.join(sorted(shipment.skills))}"
    if reason == "capacity":
        sentence += f": {_too_large(problem, shipment_idx)}"
    if reason == "ride":
        sentence += f" of {shipment.max_ride_s:g} s"
    if reason == "bond":
        sentence += f": {', '.join(name for name in (shipment.together, shipment.apart) if name)}"
    if reason == "not_worth_it":
        sentence += f" of {shipment.prize:g}"
    return Unserved(shipment_idx, (reason, *more), sentence)


def _too_large(problem: Problem, shipment_idx: int) -> str:
    """What it takes and what the largest allowed vehicle can carry, in the dimensions that bind (all, if none does alone)."""
    load = problem.shipments[shipment_idx].load
    allowed = [vehicle for r, vehicle in enumerate(problem.vehicles) if problem.may_carry(r, shipment_idx)]
    most = [max(vehicle.capacity[k] for vehicle in allowed) for k in range(len(load))]
    binding = [k for k in range(len(load)) if load[k] > most[k]] or list(range(len(load)))
    where = [f" in load dimension {k}" if len(load) > 1 else "" for k in binding]
    return ", ".join(f"it takes {load[k]}{at}, the largest {most[k]}" for k, at in zip(binding, where, strict=True))


def _nobody_allowed(problem: Problem, arrays: ProblemArrays, shipment_idx: int) -> str:
    shipment = problem.shipments[shipment_idx]
    if shipment.skills == NOBODY:
        return "departed"
    skilled = [vehicle for vehicle in problem.vehicles if shipment.skills <= vehicle.skills]
    if not skilled:
        return "skills"
    if shipment.vehicle_ids and not any(vehicle.id in shipment.vehicle_ids for vehicle in skilled):
        return "locked"
    over = never_drives(arrays.vehicles)
    allowed = [r for r in range(len(problem.vehicles)) if problem.may_carry(r, shipment_idx)]
    return "duration" if all(over[r] for r in allowed) else "departed"


def _reachable(arrays: ProblemArrays, times: TimesArrays, shipment_idx: int) -> bool:
    """Whether some allowed vehicle has a way start → visits → end, whenever."""
    first, last = arrays.shipments[shipment_idx].first_visit, arrays.shipments[shipment_idx].last_visit
    for r in np.flatnonzero(np.isfinite(arrays.dislike[shipment_idx])):
        stops = [int(arrays.vehicles[r].start_location), *(int(x) for x in arrays.visits[first:last].location)]
        if arrays.vehicles[r].end_location >= 0:
            stops.append(int(arrays.vehicles[r].end_location))
        legs = [times.matrix_s[arrays.vehicles[r].profile, a, b] for a, b in pairwise(stops)]
        if np.isfinite(legs).all():
            return True
    return False


def _alone(arrays: ProblemArrays, times: TimesArrays, shipment_idx: int) -> bool:
    return Search(arrays, times).insert(shipment_idx) is not None


def _cost_in_plan(arrays: ProblemArrays, times: TimesArrays, routes: list[list[int]], shipment_idx: int) -> float | None:
    search = Search(arrays, times)
    search.load(routes)
    found = search.insert(shipment_idx)
    return None if found is None else found[0]


def _no_rides(arrays: ProblemArrays) -> ProblemArrays:
    return arrays._replace(max_ride_s=np.full_like(arrays.max_ride_s, np.inf))


def _no_bonds(arrays: ProblemArrays) -> ProblemArrays:
    return arrays._replace(bond_first=np.zeros_like(arrays.bond_first))


def _no_capacity(arrays: ProblemArrays) -> ProblemArrays:
    return arrays._replace(capacity=np.full_like(arrays.capacity, np.iinfo(np.int64).max // 4))


def _no_windows(arrays: ProblemArrays) -> ProblemArrays:
    visits = arrays.visits.copy()
    visits.first_window = visits.last_window = 0
    return arrays._replace(visits=visits)


def _no_shift(arrays: ProblemArrays) -> ProblemArrays:
    vehicles = arrays.vehicles.copy()
    vehicles.return_by_s += 7 * 86_400.0
    vehicles.leave_by_s += 7 * 86_400.0
    vehicles.max_duration_s = vehicles.max_length_m = np.inf
    vehicles.max_stops = 2**31 - 1
    vehicles.first_break = vehicles.last_break = 0
    vehicles.max_driving_s = vehicles.max_daily_s = np.inf
    return arrays._replace(vehicles=vehicles)

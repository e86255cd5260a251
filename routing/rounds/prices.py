"""What the constraints of a plan cost: the plan improved without each kind of them, beside the plan improved with all.

Both start from the present plan and have the same budget, so that what is due to the search alone is not counted. Every plan
is validated under its own problem. A saving is a lower bound: a longer search may find more.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from routing.rounds.again import cost_of_served, plan_again
from routing.rounds.errors import InvalidProblemError
from routing.rounds.plan import Plan
from routing.rounds.problem import Depot, Problem, Shipment, TimeWindow, Vehicle, Visit
from routing.rounds.relax import MOST_TIME_S
from routing.rounds.travel_times import TravelTimes
from routing.rounds.validate import list_violations

WITHOUT_END = 1 << 40
"""Capacity that no load fills."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a kind of constraints costs: figures with all constraints less those without this kind.

    Attributes
    ----------
    constraint : str
        Key of `CONSTRAINTS`.
    count : int
        Orders or vehicles that have it.
    cost, duration_s, length_m : float
        Of what is served.
    vehicles, served : int
        Vehicles saved, orders served more.
    """

    constraint: str
    count: int
    cost: float
    duration_s: float
    length_m: float
    vehicles: int
    served: int


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices so far, dearest first, what is planned next (empty = nothing), and what the search alone saves."""

    prices: tuple[Price, ...]
    doing: str
    improvement: float = 0.0


def _free_visits(shipment: Shipment, change: Callable[[Visit], Visit]) -> Shipment:
    pickup, delivery = (None if one is None else change(one) for one in (shipment.pickup, shipment.delivery))
    return replace(shipment, pickup=pickup, delivery=delivery)


def _long(window: TimeWindow) -> TimeWindow:
    return TimeWindow(window.start_s - MOST_TIME_S, window.end_s + MOST_TIME_S)


T = TypeVar("T")
Cut = Callable[[Problem], tuple[Problem, Sequence[Sequence[int]]]]
Changed = tuple[Callable[[Shipment], Shipment], Callable[[Vehicle], Vehicle], Callable[[Depot], Depot]]


def _same(one: T) -> T:
    return one


CONSTRAINTS: dict[str, Changed] = {
    "windows": (lambda s: _free_visits(s, lambda v: replace(v, windows=())), _same, _same),
    "dues": (lambda s: _free_visits(s, lambda v: replace(v, due_s=None, late_cost_per_s=0.0)), _same, _same),
    "rides": (lambda s: replace(s, max_ride_s=None), _same, _same),
    "skills": (lambda s: replace(s, skills=frozenset()), _same, _same),
    "vehicles": (lambda s: replace(s, vehicle_ids=frozenset()), _same, _same),
    "preferences": (lambda s: replace(s, preferred_vehicle_ids=frozenset(), other_vehicle_cost=0.0), _same, _same),
    "together": (lambda s: replace(s, together=""), _same, _same),
    "apart": (lambda s: replace(s, apart=""), _same, _same),
    "breaks": (_same, lambda v: replace(v, breaks=()), _same),
    "shifts": (_same, lambda v: replace(v, shift=_long(v.shift)), lambda d: replace(d, window=_long(d.window))),
    "capacities": (_same, lambda v: replace(v, capacity=tuple(max(WITHOUT_END, one) for one in v.capacity)), _same),
    "durations": (_same, lambda v: replace(v, max_duration_s=None, max_length_m=None, max_stops=None), _same),
}
"""Kind of constraints → shipment, vehicle and depot without it."""


def without(problem: Problem, constraint: str) -> Problem:
    """The problem without a kind of constraints."""
    shipment, vehicle, depot = CONSTRAINTS[constraint]
    return Problem(
        problem.location_count, tuple(map(depot, problem.depots)), tuple(map(vehicle, problem.vehicles)),
        tuple(map(shipment, problem.shipments)),
    )  # fmt: skip


def count_constraints(problem: Problem) -> dict[str, int]:
    """Kinds of constraints that a problem has, and how many orders or vehicles have each."""
    counts = {}
    for name, (shipment, vehicle, _) in CONSTRAINTS.items():
        changed = sum(shipment(one) != one for one in problem.shipments) + sum(vehicle(one) != one for one in problem.vehicles)
        if changed:
            counts[name] = changed
    return counts


def price_constraints(
    problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], constraints: Sequence[str] = (), *,
    cut: Cut | None = None, iterations: int | None = None, time_limit_s: float = 0.0,
    elapsed_s: Callable[[], float] = lambda: 0.0, seed: int = 0,
) -> Iterator[Prices]:  # fmt: skip
    """Price kinds of constraints, one after the other; what was found so far is yielded before and after each.

    Parameters
    ----------
    routes : visit indices, one list per vehicle
        The present plan.
    constraints : keys of `CONSTRAINTS`
        Empty = all that the problem has.
    cut : callable, optional
        What is left of a problem once the day has begun, and of the rounds: what has been driven is the same with every kind of
        constraints and without it. Counts are those of the whole day.
    iterations, time_limit_s : optional
        Rounds of improvement for each plan, or seconds of `elapsed_s` for all of them together.

    Raises
    ------
    InvalidProblemError
        A kind that is not known.
    """
    counts = count_constraints(problem)
    for k, name in enumerate(constraints):
        if name not in CONSTRAINTS:
            known = ", ".join(CONSTRAINTS)
            raise InvalidProblemError.of(f"constraints[{k}]", f"{name!r} is no kind of constraints; these are: {known}")
    names = [name for name in (constraints or counts) if name in counts]
    share_s = time_limit_s / (len(names) + 1)

    def planned(one: Problem, kept: Sequence[Sequence[int]]) -> Plan:
        began = elapsed_s()
        progress = (lambda: (elapsed_s() - began) / max(share_s, 1e-3)) if iterations is None else (lambda: 0.0)
        return plan_again(one, travel_times, kept, iterations=iterations, progress=progress, seed=seed)

    yield Prices((), "with all constraints")
    left, kept = cut(problem) if cut else (problem, routes)
    before = plan_again(left, travel_times, kept, iterations=0)
    usual = planned(left, kept)
    saved = cost_of_served(left, before) - cost_of_served(left, usual)
    prices: list[Price] = []
    for name in names:
        yield Prices(tuple(prices), f"without {name}", saved)
        changed = without(problem, name)
        changed, kept = cut(changed) if cut else (changed, routes)
        found = [
            planned(changed, kept),
            plan_again(changed, travel_times, usual.routes_by_vehicle(len(problem.vehicles)), iterations=0),
        ]
        found += [] if list_violations(changed, travel_times, usual) else [usual]
        free = min(found, key=_cost)
        prices.append(_price(name, counts[name], left, usual, changed, free))
        prices.sort(key=lambda one: (-one.served, -one.cost))
    yield Prices(tuple(prices), "", saved)


def price_in_words(price: Price) -> str:
    """A row in words."""
    gains = [
        (price.served, f"{price.served:+d} orders served"),
        (price.vehicles, f"{price.vehicles} vehicles"),
        (round(price.duration_s / 60), f"{price.duration_s / 60:.0f} min"),
        (round(price.length_m / 1000), f"{price.length_m / 1000:.1f} km"),
        (round(price.cost), f"cost {price.cost:,.0f}"),
    ]
    told = ", ".join(words for value, words in gains if value)
    return f"without {price.constraint} ({price.count}): " + (f"{told} saved" if told else "nothing is saved")


def _price(name: str, count: int, problem: Problem, usual: Plan, changed: Problem, free: Plan) -> Price:
    return Price(
        name, count, cost_of_served(problem, usual) - cost_of_served(changed, free), usual.duration_s - free.duration_s,
        usual.length_m - free.length_m, len(usual.rounds) - len(free.rounds), len(usual.unserved) - len(free.unserved),
    )  # fmt: skip


def _cost(plan: Plan) -> float:
    return plan.cost

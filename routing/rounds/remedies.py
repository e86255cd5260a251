"""What would let an unserved order be served: the smallest changes of the problem, found by trying and checked exactly.

A vehicle with its round (or a new vehicle) and the order are a problem of their own. All limits that may stand in the way are
loosened; then one after the other is tightened again as far as the order can still be inserted, by bisection over exact
insertion. What stays loosened is a remedy: no part of it can be done without, at that vehicle and with the rest of the plan as
it is. Every remedy that is answered has been applied to the whole problem, inserted there and passed by the validator.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from routing.rounds.api import build_plan
from routing.rounds.arrays import build_arrays
from routing.rounds.errors import InfeasiblePlanError
from routing.rounds.places import insert_anywhere
from routing.rounds.plan import Plan
from routing.rounds.problem import Problem, Shipment, Vehicle
from routing.rounds.relax import COUNTED, WHOLE, Limit, Relaxation, duty_start_s, list_relaxations, one_more, relaxed
from routing.rounds.search import Search
from routing.rounds.travel_times import TravelTimes

STEP = 0.1
"""Amounts in seconds or metres are found to this much, and rounded up to it."""
MOST_LEFT_OUT = 30
"""So many orders of a vehicle are tried at most as ones to leave out instead."""
EFFORT_S = {
    Limit.STOPS: 600.0, Limit.SKILLS: 3600.0, Limit.LOCK: 1800.0, Limit.APART: 1800.0, Limit.TOGETHER: 1800.0,
    Limit.PRIZE: 600.0, Limit.LEFT_OUT: 7200.0, Limit.VEHICLE: 28_800.0,
}  # fmt: skip
"""How remedies are ranked: what a change counts as, in seconds of a window or a shift (those count as themselves)."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Changes that together let an order be served.

    Attributes
    ----------
    changes : tuple of Relaxation
        Mostly one; several where no single change is enough.
    shipment_idx, vehicle_idx : int
        The order, and who serves it then; the index after the last is that of one more vehicle.
    start_s : float
        When its last service begins then.
    cost_delta : float
        Cost of the plan then less that now, penalties of orders that are not served left out.
    """

    changes: tuple[Relaxation, ...]
    shipment_idx: int
    vehicle_idx: int
    start_s: float = 0.0
    cost_delta: float = 0.0


@dataclass(frozen=True, slots=True)
class Advice:
    """What is known of an unserved order.

    Attributes
    ----------
    remedies : tuple of Remedy
        Checked; least effort first.
    obstacles : tuple of Remedy
        For every vehicle the least that keeps it from serving the order; not checked in the whole plan, without cost.
    """

    remedies: tuple[Remedy, ...] = ()
    obstacles: tuple[Remedy, ...] = ()


def effort(problem: Problem, remedy: Remedy) -> float:
    """By what remedies are ranked: seconds, or what counts as so many."""
    total = 0.0
    for change in remedy.changes:
        if change.limit is Limit.CAPACITY:
            capacity = problem.vehicles[min(change.vehicle_idx, len(problem.vehicles) - 1)].capacity[change.place]
            total += 600.0 + 3600.0 * change.amount / max(1, capacity)
        elif change.limit is Limit.LENGTH:
            total += change.amount / 10.0
        elif change.limit is Limit.LEFT_OUT:
            own, other = problem.shipments[remedy.shipment_idx].penalty, problem.shipments[change.shipment_idx].penalty
            total += EFFORT_S[change.limit] * (1.0 if other < own else 3.0)
        else:
            total += EFFORT_S.get(change.limit, change.amount)
    return total


def find_remedies(
    problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], shipment_idx: int, *, most: int = 5,
    hosts: Collection[int] | None = None, models: Sequence[int] | None = None, earliest_s: float = -math.inf,
    should_stop: Callable[[], bool] = lambda: False,
) -> Advice:  # fmt: skip
    """Look for what lets `shipment_idx`, which is in none of `routes`, be served.

    Parameters
    ----------
    routes : visit indices, one list per vehicle
        A plan that `build_plan` accepts.
    most : int
        Remedies at most.
    hosts, models : vehicle indices, optional
        Who may serve the order, and what one more vehicle may be like; None = all.
    earliest_s : float
        No vehicle leaves before.
    should_stop : callable
        Read between vehicles; what was found so far is answered.
    """
    shipment = problem.shipments[shipment_idx]
    before = build_plan(problem, travel_times, routes)
    now = before.cost - sum(problem.shipments[one.shipment_idx].penalty for one in before.unserved)
    placed = _prize(problem, travel_times, routes, shipment_idx, now) if shipment.prize is not None else None
    if placed is not None:
        return Advice((placed,))
    found: list[Remedy] = []
    obstacles: list[Remedy] = []
    seen: set[tuple[Vehicle, bool]] = set()
    for r in range(len(problem.vehicles)) if hosts is None else hosts:
        vehicle = replace(problem.vehicles[r], id="")
        if should_stop():
            break
        if not routes[r] and (vehicle, problem.may_carry(r, shipment_idx)) in seen:
            continue
        if not routes[r]:
            seen.add((vehicle, problem.may_carry(r, shipment_idx)))
        own = _least(_Host.of(problem, travel_times, routes, r, shipment_idx), earliest_s)
        found += own
        obstacles += own[:1]
        if not should_stop():
            found += _instead(problem, travel_times, routes, r, shipment_idx)
    for r in _models(problem, shipment_idx) if models is None else models:
        if not should_stop():
            found += _least(_Host.of_new(problem, travel_times, routes, r, shipment_idx), earliest_s)[:1]
    checked = _checked(problem, travel_times, routes, found, now, most)
    return Advice(tuple(checked), tuple(obstacles))


def plan_with(
    problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], remedy: Remedy
) -> tuple[Problem, Plan] | None:
    """The problem with the changes of a remedy, and a validated plan that serves the order too; None if there is none."""
    left_out = {change.shipment_idx for change in remedy.changes if change.limit is Limit.LEFT_OUT}
    changed = relaxed(problem, remedy.changes)
    kept = [[v for v in route if problem.visits[v][0] not in left_out] for route in routes]
    search = Search(build_arrays(changed, travel_times), travel_times.arrays)
    absent = set(search.load(kept))
    if absent != set(_absent(problem, kept)) or not insert_anywhere(search, remedy.shipment_idx, remedy.vehicle_idx):
        return None
    try:
        return changed, build_plan(changed, travel_times, search.routes())
    except InfeasiblePlanError:
        return None


def _checked(
    problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], found: Iterable[Remedy], now: float, most: int
) -> list[Remedy]:
    """The remedies of least effort, one for each kind of change and vehicles alike, tried in the whole plan."""
    answer: list[Remedy] = []
    kinds: set[tuple[object, ...]] = set()
    singles = any(len(one.changes) == 1 for one in found)
    for remedy in sorted(found, key=lambda one: effort(problem, one)):
        kind = tuple(sorted((change.limit, change.is_delivery, change.place) for change in remedy.changes))
        if len(answer) >= most or kind in kinds or (singles and len(remedy.changes) > 1):
            continue
        tried = plan_with(problem, travel_times, routes, remedy)
        if tried is None:
            continue
        kinds.add(kind)
        changed, plan = tried
        cost = plan.cost - sum(changed.shipments[one.shipment_idx].penalty for one in plan.unserved)
        starts = [s.start_s for one in plan.rounds for s in one.stops if changed.visits[s.visit_idx][0] == remedy.shipment_idx]
        answer.append(replace(remedy, start_s=max(starts), cost_delta=cost - now))
    return answer


def _prize(problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], s: int, now: float) -> Remedy | None:
    """The prize at which an order that could be served is worth it."""
    search = Search(build_arrays(problem, travel_times), travel_times.arrays)
    search.load(routes)
    place = search.insert(s)
    if place is None:
        return None
    plan = build_plan(problem, travel_times, search.routes())
    cost = plan.cost - sum(problem.shipments[one.shipment_idx].penalty for one in plan.unserved) - now
    start = max(x.start_s for one in plan.rounds for x in one.stops if problem.visits[x.visit_idx][0] == s)
    more = max(0.0, cost - problem.shipments[s].penalty)
    return Remedy((Relaxation(Limit.PRIZE, more, s),), s, place[1], start, cost)


@dataclass(frozen=True, slots=True)
class _Host:
    """A vehicle with its round and the order to insert, as a problem of their own.

    `problem` has the vehicle as its only one and the order as its last shipment; `needed` are changes that nothing in it
    stands for, but without which the vehicle may not serve the order.
    """

    problem: Problem
    travel_times: TravelTimes
    route: list[int]
    vehicle_idx: int
    shipment_idx: int
    options: list[Relaxation]
    needed: frozenset[Limit] = frozenset()
    given: tuple[Relaxation, ...] = ()

    @classmethod
    def of(
        cls, problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], r: int, s: int, left_out: int = -1
    ) -> "_Host":
        """Of a vehicle of the plan; with `left_out` without one of its orders."""
        route = [v for v in routes[r] if problem.visits[v][0] != left_out]
        given = () if left_out < 0 else (Relaxation(Limit.LEFT_OUT, shipment_idx=left_out, vehicle_idx=r),)
        return cls._made(problem, travel_times, routes, route, r, s, given)

    @classmethod
    def of_new(cls, problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], like: int, s: int) -> "_Host":
        """Of one more vehicle like another."""
        more = replace(problem, vehicles=(*problem.vehicles, one_more(problem.vehicles, problem.vehicles[like])))
        given = (Relaxation(Limit.VEHICLE, vehicle_idx=like),)
        return cls._made(more, travel_times, [*routes, []], [], len(problem.vehicles), s, given)

    @classmethod
    def _made(
        cls, problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], route: list[int], r: int, s: int,
        given: tuple[Relaxation, ...],
    ) -> "_Host":  # fmt: skip
        vehicle, shipment = problem.vehicles[r], problem.shipments[s]
        members = [*dict.fromkeys(problem.visits[v][0] for v in route), s]
        shipments = tuple(_free(problem.shipments[k]) for k in members)
        small = Problem(problem.location_count, problem.depots, (vehicle,), shipments)
        index = {(members[k], is_delivery): v for v, (k, is_delivery) in enumerate(small.visits)}
        needed = set()
        if shipment.vehicle_ids and vehicle.id not in shipment.vehicle_ids:
            needed.add(Limit.LOCK)
        if shipment.together and _mates_elsewhere(problem, routes, r, shipment.together):
            needed.add(Limit.TOGETHER)
        return cls(
            small, travel_times, [index[problem.visits[v]] for v in route], r, s, list_relaxations(problem, r, s),
            frozenset(needed), given,
        )  # fmt: skip

    def serves(self, changes: Iterable[Relaxation]) -> bool:
        """Whether the order can be inserted, at the vehicle's present stops, with these changes."""
        changes = list(changes)
        if not self.needed <= {change.limit for change in changes}:
            return False
        last = len(self.problem.shipments) - 1
        own = [
            replace(change, vehicle_idx=min(change.vehicle_idx, 0), shipment_idx=last if change.shipment_idx >= 0 else -1)
            for change in changes
            if change.limit is not Limit.LOCK
        ]
        problem = relaxed(self.problem, own)
        search = Search(build_arrays(problem, self.travel_times), self.travel_times.arrays)
        return search.load([self.route]) == [last] and insert_anywhere(search, last, 0)

    def remedy(self, changes: Iterable[Relaxation]) -> Remedy:
        """Remedy of these changes with this vehicle."""
        return Remedy((*self.given, *changes), self.shipment_idx, self.vehicle_idx)


def _least(host: _Host, earliest_s: float) -> list[Remedy]:
    """Changes that let a vehicle serve an order: an irreducible set, then single ones that do it too."""
    longest = duty_start_s(host.problem, 0) - earliest_s
    earlier = [replace(one, amount=min(one.amount, longest)) if one.limit is Limit.SHIFT_START else one for one in host.options]
    options = [one for one in earlier if one.limit in WHOLE or one.amount > 0]
    kept = list(options)
    if not host.serves(kept):
        return []
    for option in options:
        without = [one for one in kept if one is not option]
        if host.serves(without):
            kept = without
    for k, option in enumerate(kept):
        kept[k] = _smallest(host, option, [*kept[:k], *kept[k + 1 :]])
    answer = [host.remedy(kept)]
    if len(kept) == 1 and not host.given:
        others = [one for one in options if one.limit is not kept[0].limit and host.serves([one])]
        answer += [host.remedy([_smallest(host, one, [])]) for one in others]
    return answer


def _smallest(host: _Host, option: Relaxation, others: list[Relaxation]) -> Relaxation:
    """The option with the smallest amount that does it beside `others`; it does as it is."""
    if option.limit in WHOLE:
        return option
    step = 1.0 if option.limit in COUNTED else STEP
    low, high = 0, math.ceil(option.amount / step)
    while high - low > 1:
        middle = (low + high) // 2
        if host.serves([*others, replace(option, amount=middle * step)]):
            high = middle
        else:
            low = middle
    return replace(option, amount=min(high * step, option.amount))


def _instead(problem: Problem, travel_times: TravelTimes, routes: Sequence[Sequence[int]], r: int, s: int) -> list[Remedy]:
    """An order of the vehicle's that makes room when it is left out: of no higher priority, the least valuable first."""
    own = problem.shipments[s].penalty
    alone = _Host.of(problem, travel_times, [[] if k == r else route for k, route in enumerate(routes)], r, s)
    if not routes[r] or not alone.serves([]):
        return []
    members = dict.fromkeys(problem.visits[v][0] for v in routes[r])
    candidates = sorted((x for x in members if problem.shipments[x].penalty <= own), key=lambda x: problem.shipments[x].penalty)
    for x in candidates[:MOST_LEFT_OUT]:
        host = _Host.of(problem, travel_times, routes, r, s, x)
        if host.serves([]):
            return [host.remedy([])]
    return []


def _mates_elsewhere(problem: Problem, routes: Sequence[Sequence[int]], r: int, name: str) -> bool:
    """Whether orders of a group ride with other vehicles than `r`."""
    others = (v for k, route in enumerate(routes) if k != r for v in route)
    return any(problem.shipments[problem.visits[v][0]].together == name for v in others)


def _models(problem: Problem, s: int) -> list[int]:
    """One of each kind of vehicle, those that may carry the order first."""
    kinds: dict[Vehicle, int] = {}
    for r in sorted(range(len(problem.vehicles)), key=lambda r: not problem.may_carry(r, s)):
        kinds.setdefault(replace(problem.vehicles[r], id=""), r)
    return list(kinds.values())


def _free(shipment: Shipment) -> Shipment:
    """The shipment without what refers to vehicles."""
    if not shipment.vehicle_ids and not shipment.preferred_vehicle_ids:
        return shipment
    return replace(shipment, vehicle_ids=frozenset(), preferred_vehicle_ids=frozenset(), other_vehicle_cost=0.0)


def _absent(problem: Problem, routes: Sequence[Sequence[int]]) -> list[int]:
    served = {problem.visits[v][0] for route in routes for v in route}
    return [s for s in range(len(problem.shipments)) if s not in served]

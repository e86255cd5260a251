"""Changes of plans that cannot stay in memory (`routing.rounds.plain`): cut at a moment, the rest planned anew, joined."""

from collections.abc import Mapping, Sequence

from routing.rounds.api import Plan, build_plan
from routing.rounds.change import Change
from routing.rounds.errors import InfeasiblePlanError
from routing.rounds.plan import DeliveryRound
from routing.rounds.polish import ENOUGH, visits_of
from routing.rounds.replan import NO_RELOADS, Residual, insert_shipment, merge, repair, residual
from services.common.errors import Unimplemented
from services.rounds.city import BuiltTimes
from services.rounds.codec import Begun, PolishOrder, SharedTimes, parts_of
from services.rounds.events import Rounds
from services.rounds.mapping import MappedProblem
from services.rounds.store import Reported


def inserted(mapped: MappedProblem, built: BuiltTimes, plan: Plan, reported: Reported, now_s: float) -> tuple[Plan, Change]:
    """Insert the last shipment of the problem, which `plan` does not know, where it costs least."""
    new = len(mapped.problem.shipments) - 1
    rest = rest_of(mapped, built, plan, reported, now_s)
    found = insert_shipment(rest, built.travel_times, new)
    after = merge(mapped.problem, built.travel_times, plan, rest, found.plan)
    if found.vehicle_idx is None:
        return after, Change(lost=tuple(one for one in after.unserved if one.shipment_idx == new))
    before, now = changed_rounds(plan, after)
    return after, Change(before, now, (new,), found.cost_delta, vehicle_idx=found.vehicle_idx)


def repaired(mapped: MappedProblem, built: BuiltTimes, plan: Plan, reported: Reported, now_s: float) -> tuple[Plan, Change]:
    """Keep what is left of the rounds as far as it is feasible after all that was reported, insert the rest anew."""
    rest = rest_of(mapped, built, plan, reported, now_s)
    repairs, moved = repair(rest, built.travel_times)
    after = merge(mapped.problem, built.travel_times, plan, rest, repairs)
    was, served = _served(mapped, plan), _served(mapped, after)
    told = tuple(s for s in (rest.shipment_of[k] for k in moved) if s in was or s in served)
    lost = tuple(one for one in after.unserved if one.shipment_idx in was)
    before, now = changed_rounds(plan, after)
    return after, Change(before, now, told, after.cost - plan.cost, lost)


def polished(
    mapped: MappedProblem, built: BuiltTimes, plan: Plan, reported: Reported, now_s: float, routes: Mapping[int, Sequence[int]]
) -> tuple[Plan, Change] | None:
    """Take over better rounds (visits by vehicle, frozen ones first); None if that is too late, or saves nothing any more."""
    rest = rest_of(mapped, built, plan, reported, now_s)
    visit_of = visits_of(rest, mapped.problem.visits)
    rest_visit = {v: k for k, v in enumerate(visit_of)}
    wanted = [list(route) for route in rest.routes]
    for r, route in routes.items():
        frozen = [stop.visit_idx for stop in rest.done[r]]
        if list(route[: len(frozen)]) != frozen or not all(v in rest_visit for v in route[len(frozen) :]):
            return None
        wanted[r] = [rest_visit[v] for v in route[len(frozen) :]]
    try:
        after = merge(mapped.problem, built.travel_times, plan, rest, build_plan(rest.problem, built.travel_times, wanted))
    except InfeasiblePlanError:
        return None
    if after.cost > plan.cost - ENOUGH:
        return None
    before, now = changed_rounds(plan, after)
    vehicle_of = {stop.visit_idx: r for r, one in before.items() for stop in one.stops}
    stops = [(r, stop.visit_idx) for r, one in now.items() for stop in one.stops]
    moved = tuple(dict.fromkeys(mapped.problem.visits[v][0] for r, v in stops if vehicle_of.get(v) != r))
    return after, Change(before, now, moved, after.cost - plan.cost)


def polish_order(
    rounds: Rounds, times: SharedTimes, plan: Plan, cut_s: float, move_cost: float, seconds: float, seed: int
) -> PolishOrder:
    """What a solver is told of a plan that it is to improve."""
    mapped, reported = rounds.mapped, rounds.reported
    held = {rounds.vehicles[name]: float(at - mapped.zero_s) for name, at in reported.held_until_s.items()}
    broken = tuple(rounds.vehicles[name] for name in reported.broken)
    refused = tuple(rounds.shipments[name] for name in reported.refused)
    parts = parts_of(mapped.problem)
    return PolishOrder(parts, times, plan, cut_s, held, broken, refused, move_cost, seconds, seed)


def begun(mapped: MappedProblem, plan: Plan, reported: Reported, now_s: float) -> Begun | None:
    """The plan as it is being driven; None before any vehicle has left.

    Raises
    ------
    Unimplemented
        A vehicle may reload, and the day has begun.
    """
    if all(one.departure_s > now_s for one in plan.rounds):
        return None
    refuse_reloads(mapped)
    problem = mapped.problem
    vehicles = {vehicle.id: r for r, vehicle in enumerate(problem.vehicles)}
    shipments = {shipment.id: s for s, shipment in enumerate(problem.shipments)}
    return Begun(
        plan, now_s, {vehicles[name]: float(at - mapped.zero_s) for name, at in reported.held_until_s.items()},
        tuple(vehicles[name] for name in reported.broken), tuple(shipments[name] for name in reported.refused),
    )  # fmt: skip


def refuse_reloads(mapped: MappedProblem) -> None:
    """Refuse to cut a plan with vehicles that may reload.

    Raises
    ------
    Unimplemented
    """
    for r, vehicle in enumerate(mapped.problem.vehicles):
        if vehicle.max_reloads:
            raise Unimplemented(f"vehicles[{r}].may_reload: {NO_RELOADS}", field=f"vehicles[{r}].may_reload")


def rest_of(mapped: MappedProblem, built: BuiltTimes, plan: Plan, reported: Reported, now_s: float) -> Residual:
    """What is left of a plan at a moment, after all that was reported up to then.

    Raises
    ------
    Unimplemented
        A vehicle may reload.
    """
    refuse_reloads(mapped)
    problem, held = mapped.problem, reported.held_until_s
    names = [vehicle.id for vehicle in problem.vehicles]
    return residual(
        problem,
        plan,
        now_s,
        held_until_s={r: float(held[name] - mapped.zero_s) for r, name in enumerate(names) if name in held},
        without_vehicles=frozenset(r for r, name in enumerate(names) if name in reported.broken),
        without_shipments=frozenset(s for s, one in enumerate(problem.shipments) if one.id in reported.refused),
        length_m=built.travel_times.length_m,
    )


def changed_rounds(before: Plan, after: Plan) -> tuple[dict[int, DeliveryRound], dict[int, DeliveryRound]]:
    """Rounds that differ, by vehicle, before and after."""
    was, now = ({one.vehicle_idx: one for one in plan.rounds} for plan in (before, after))
    changed = {r for r in was.keys() | now.keys() if was.get(r) != now.get(r)}
    return {r: one for r, one in was.items() if r in changed}, {r: one for r, one in now.items() if r in changed}


def _served(mapped: MappedProblem, plan: Plan) -> set[int]:
    return {mapped.problem.visits[stop.visit_idx][0] for one in plan.rounds for stop in one.stops}

"""ExplainUnserved: why orders are not served, and what would help, looked for in a solver process."""

from collections.abc import Collection
from dataclasses import replace

from traboule.rounds.v1 import explain_pb2, plan_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.api import Problem
from routing.rounds.relax import Limit, Relaxation, relaxed
from routing.rounds.remedies import Advice, Remedy
from routing.rounds.remedy_words import Clock, change_in_words, remedy_in_words
from routing.rounds.replan import Residual
from services.common.deadline import current_deadline, run_in_thread
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.clocks import city_clock
from services.rounds.codec import Advised, AdviseOrder, pack_times, parts_of
from services.rounds.live import LiveRounds, require_known
from services.rounds.mapping import MappedProblem
from services.rounds.plan_mapping import REASONS, unserved_to_proto
from services.rounds.pool import SolverPool
from services.rounds.rebuilt import rest_of
from services.rounds.store import StoredRounds

DEFAULT_TIME_LIMIT_S = 20.0
DEFAULT_REMEDIES = 5
MARGIN_S = 1.0
"""Kept back from the caller's deadline."""
REASON_OF = {
    Limit.WINDOW_LATER: "time_window", Limit.WINDOW_EARLIER: "time_window", Limit.RIDE: "ride", Limit.BREAK_LATER: "duration",
    Limit.BREAK_EARLIER: "duration", Limit.DURATION: "duration", Limit.SHIFT_END: "duration", Limit.SHIFT_START: "duration",
    Limit.LENGTH: "duration", Limit.STOPS: "duration", Limit.CAPACITY: "capacity", Limit.SKILLS: "skills", Limit.LOCK: "locked",
    Limit.APART: "bond", Limit.TOGETHER: "bond", Limit.PRIZE: "not_worth_it",
}  # fmt: skip
"""Limit that stands in the way → reason."""


async def explain(
    live: LiveRounds, city: RoundsCity, pool: SolverPool, stored: StoredRounds, request: pb.ExplainUnservedRequest
) -> pb.ExplainUnservedResponse:
    """Explain shipments that are not served, with remedies as far as there is time.

    Raises
    ------
    InvalidInput
        A shipment is not in the rounds.
    SolverCrashed, EngineRefused
    """
    require_known(list(request.shipment_ids), stored)
    plan, mapped, built = await live.explained(stored)
    clock = city_clock(city, mapped)
    wanted = set(request.shipment_ids)
    found = [one for one in plan.unserved if not wanted or mapped.problem.shipments[one.shipment_idx].id in wanted]
    found.sort(key=lambda one: (-mapped.problem.shipments[one.shipment_idx].penalty, one.shipment_idx))
    now_s = float(city.now() - mapped.zero_s)
    answer, asked, problem = Advised((), 0), list[int](), mapped.problem
    if not any(vehicle.max_reloads for vehicle in problem.vehicles):  # their rounds cannot be cut where they stand
        rest = await run_in_thread(rest_of, mapped, built, plan, stored.reported, now_s)
        asked = [one.shipment_idx for one in found if one.shipment_idx in rest.shipment_of]
        problem = _asked_problem(mapped.problem, rest, asked)
    if asked:
        longest = min(request.time_limit_s or DEFAULT_TIME_LIMIT_S, max(0.1, current_deadline().remaining_s - MARGIN_S))
        order = _order(mapped, built, stored, rest, asked, now_s, longest, request.max_remedies or DEFAULT_REMEDIES)
        async for message in pool.work(order):
            assert isinstance(message, Advised)
            answer = message
    advices = dict(zip(asked, answer.advices, strict=False))
    complete = set(asked[: answer.complete])
    return pb.ExplainUnservedResponse(
        explanations=[
            _explanation(told, advices.get(s), s in complete, problem, mapped, clock)
            for s, told in ((one.shipment_idx, unserved_to_proto(one, mapped, built, clock)) for one in found)
        ],
        stamp=city.stamp(built.traffic),
    )


def _order(
    mapped: MappedProblem, built: BuiltTimes, stored: StoredRounds, rest: Residual, asked: list[int], now_s: float,
    time_limit_s: float, most: int,
) -> AdviseOrder:  # fmt: skip
    """What a solver is told: what has been driven is fixed, vehicles that have left load nothing more."""
    names = [vehicle.id for vehicle in mapped.problem.vehicles]
    able = [r for r, name in enumerate(names) if name not in stored.reported.broken]
    grounded = tuple(r for r in able if not rest.done[r])
    hosts = tuple(grounded if mapped.problem.shipments[s].pickup is None else tuple(able) for s in asked)
    places = {s: k for k, s in enumerate(rest.shipment_of)}
    return AdviseOrder(
        parts_of(_asked_problem(mapped.problem, rest, asked)), pack_times(built.travel_times), time_limit_s, rest.routes,
        tuple(places[s] for s in asked), hosts, _models(rest.problem, grounded), most, now_s,
    )  # fmt: skip


def _asked_problem(whole: Problem, rest: Residual, asked: Collection[int]) -> Problem:
    """The rest, in which the orders asked about have their own vehicles and skills again."""
    shipments = tuple(
        replace(one, vehicle_ids=whole.shipments[s].vehicle_ids, skills=whole.shipments[s].skills) if s in asked else one
        for one, s in zip(rest.problem.shipments, rest.shipment_of, strict=True)
    )
    return replace(rest.problem, shipments=shipments)


def _models(problem: Problem, grounded: tuple[int, ...]) -> tuple[int, ...]:
    """One of each kind of the vehicles that have not left."""
    depots = problem.depots
    kinds = {
        replace(vehicle, id="", start_depot_idx=depots[vehicle.start_depot_idx].location_idx): r
        for r in reversed(grounded)
        for vehicle in (problem.vehicles[r],)
    }
    return tuple(sorted(kinds.values()))


def _explanation(
    told: plan_pb2.UnservedShipment, found: Advice | None, complete: bool, problem: Problem, mapped: MappedProblem, clock: Clock
) -> pb.Explanation:
    advice = found or Advice()
    remedies = [_remedy(remedy, problem, mapped, clock) for remedy in advice.remedies]
    return pb.Explanation(
        shipment_id=told.shipment_id, reason=told.reason, summary=told.explanation, complete=complete,
        remedies=[remedy.words for remedy in remedies], remedy_details=remedies,
        obstacles=[_obstacle(obstacle, problem, clock) for obstacle in advice.obstacles],
    )  # fmt: skip


def _remedy(remedy: Remedy, problem: Problem, mapped: MappedProblem, clock: Clock) -> explain_pb2.Remedy:
    changed, changes = problem, []
    for change in remedy.changes:
        changes.append(_relaxation(changed, change))
        changed = relaxed(changed, [change])
    return explain_pb2.Remedy(
        changes=changes, vehicle_id=changed.vehicles[remedy.vehicle_idx].id, start_unix_s=mapped.zero_s + round(remedy.start_s),
        cost_delta=remedy.cost_delta, words=remedy_in_words(problem, remedy, clock),
    )  # fmt: skip


def _relaxation(problem: Problem, change: Relaxation) -> explain_pb2.Relaxation:
    of_window = change.limit in (Limit.WINDOW_LATER, Limit.WINDOW_EARLIER)
    skills: list[str] = []
    if change.limit is Limit.SKILLS:
        skills = sorted(problem.shipments[change.shipment_idx].skills - problem.vehicles[change.vehicle_idx].skills)
    names_vehicle = change.vehicle_idx >= 0 and change.limit is not Limit.LEFT_OUT
    return explain_pb2.Relaxation(
        limit=explain_pb2.Relaxation.Limit.Value(f"LIMIT_{change.limit.name}"), amount=change.amount, place_index=change.place,
        shipment_id=problem.shipments[change.shipment_idx].id if change.shipment_idx >= 0 else "", skills=skills,
        vehicle_id=problem.vehicles[change.vehicle_idx].id if names_vehicle else "",
        pickup=of_window and not change.is_delivery,
    )  # fmt: skip


def _obstacle(obstacle: Remedy, problem: Problem, clock: Clock) -> pb.VehicleObstacle:
    """What keeps a vehicle from serving an order; the first of several changes is the one that is dearest."""
    change = obstacle.changes[0]
    words = ", ".join(change_in_words(problem, one, clock) for one in obstacle.changes)
    return pb.VehicleObstacle(
        vehicle_id=problem.vehicles[obstacle.vehicle_idx].id, reason=REASONS[REASON_OF[change.limit]], shortfall=change.amount,
        explanation=f"it would take: {words}",
    )  # fmt: skip

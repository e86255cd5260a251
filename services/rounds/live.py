"""Changes of planned rounds: new orders, and what happens on the road."""

import asyncio
import math
from dataclasses import dataclass
from weakref import WeakValueDictionary

import msgspec
from traboule.rounds.v1 import problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.api import Plan, build_plan
from routing.rounds.replan import Residual, insert_shipment, leaves_at, merge, repair, residual
from services.common.deadline import run_in_thread
from services.common.errors import Aborted, AlreadyExists, InvalidInput, NotFound, Unimplemented
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.mapping import MappedProblem, problem_from_proto
from services.rounds.store import Reported, RoundsStore, StoredRounds, planned


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed plan with what it belongs to."""

    plan: Plan
    mapped: MappedProblem
    built: BuiltTimes
    version: int


class LiveRounds:
    """Inserts orders and takes in events, one change of the same rounds at a time."""

    def __init__(self, store: RoundsStore, city: RoundsCity) -> None:
        self._store, self._city = store, city
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def lock(self, rounds_id: str) -> asyncio.Lock:
        """Lock of one job's rounds in this process, forgotten when nobody holds it; the version keeps off other processes."""
        return self._locks.setdefault(rounds_id, asyncio.Lock())

    async def times(
        self, rounds_id: str, problem: problem_pb2.Problem, *, keep: bool = True
    ) -> tuple[MappedProblem, BuiltTimes]:
        """Travel times of rounds: kept, extended by new locations, or built anew; what is only tried is not to be kept."""
        mapped = await run_in_thread(problem_from_proto, problem, self._city.resolve)
        kept = self._city.kept.find(rounds_id, mapped.points)
        if kept is not None:
            built = await run_in_thread(self._city.extend_times, kept[1], kept[0], mapped)
        else:
            built = await run_in_thread(self._city.build_times, mapped)
        if keep:
            self._city.kept.put(rounds_id, mapped.points, built)
        return mapped, built

    async def insert(self, request: pb.InsertOrderRequest, tenant: str) -> tuple[Changed, int, float, int | None]:
        """Insert an order: the plan, the shipment's index, the change of cost and the vehicle (None = not served)."""
        stored = await self._store.get(request.rounds_id, tenant)
        plan = planned(stored)
        if request.plan_version and request.plan_version != stored.version:
            raise Aborted(f"the plan has version {stored.version}, not {request.plan_version}: read it again and repeat")
        name = request.shipment.shipment_id
        if any(one.shipment_id == name for one in stored.problem.shipments):
            raise AlreadyExists(f"shipment.shipment_id: {name!r} is already in these rounds", field="shipment.shipment_id")
        problem = problem_pb2.Problem()
        problem.CopyFrom(stored.problem)
        problem.shipments.append(request.shipment)
        if stored.job.id not in self._city.kept:
            await self.times(stored.job.id, stored.problem)
        mapped, built = await self.times(stored.job.id, problem, keep=False)
        new = len(problem.shipments) - 1
        now_s = float(self._city.now() - mapped.zero_s)

        def work() -> tuple[Plan, float, int | None]:
            rest = self._rest(stored, stored.reported, mapped, plan, now_s)
            found = insert_shipment(rest, built.travel_times, new)
            return merge(mapped.problem, built.travel_times, plan, rest, found.plan), found.cost_delta, found.vehicle_idx

        after, delta, vehicle = await run_in_thread(work)
        version = stored.version
        if vehicle is not None and not request.dry_run:
            version = await self._store.change(stored, problem, after, self._city.now(), stored.reported)
            self._city.kept.put(stored.job.id, mapped.points, built)
        return Changed(after, mapped, built, version), new, delta, vehicle

    async def report(self, request: pb.ReportEventRequest, tenant: str) -> tuple[Changed, bool, list[str]]:
        """Take in an event: the plan, whether assignment or order changed, and what changed in words."""
        stored = await self._store.get(request.rounds_id, tenant)
        plan = planned(stored)
        mapped, built = await self.times(stored.job.id, stored.problem)
        now_s = float((request.observed_unix_s or self._city.now()) - mapped.zero_s)
        reported = self._reported(stored, request, mapped, plan, now_s)

        def work() -> tuple[Plan, Residual, list[int]]:
            rest = self._rest(stored, reported, mapped, plan, now_s)
            after, moved = repair(rest, built.travel_times)
            return merge(mapped.problem, built.travel_times, plan, rest, after), rest, moved

        after, rest, moved = await run_in_thread(work)
        version = await self._store.change(stored, stored.problem, after, self._city.now(), reported)
        changes = self._changes(mapped, plan, after, [rest.shipment_of[s] for s in moved])
        return Changed(after, mapped, built, version), bool(changes), changes

    async def explained(self, stored: StoredRounds) -> tuple[Plan, MappedProblem, BuiltTimes]:
        """Plan with a reason for every unserved shipment, and what it belongs to."""
        plan = planned(stored)
        mapped, built = await self.times(stored.job.id, stored.problem)
        if all(one.reasons for one in plan.unserved):
            return plan, mapped, built
        routes: list[list[int]] = [[] for _ in mapped.problem.vehicles]
        for one in plan.rounds:
            routes[one.vehicle_idx] = [stop.visit_idx for stop in one.stops]
        return await run_in_thread(build_plan, mapped.problem, built.travel_times, routes, explained=True), mapped, built

    def _reported(
        self, stored: StoredRounds, request: pb.ReportEventRequest, mapped: MappedProblem, plan: Plan, now_s: float
    ) -> Reported:
        """What is reported of the rounds after an event; unknown vehicles and shipments are NotFound."""
        before = stored.reported
        match request.WhichOneof("event"):
            case "delay":
                vehicle = self._vehicle(stored, request.delay.vehicle_id, "delay.vehicle_id")
                begins_s = mapped.problem.vehicles[vehicle].shift.start_s
                ready_s = max(leaves_at(plan, vehicle, now_s), begins_s) + request.delay.delay_s
                held = before.held_until_s | {request.delay.vehicle_id: math.ceil(ready_s) + mapped.zero_s}
                return msgspec.structs.replace(before, held_until_s=held)
            case "breakdown":
                self._vehicle(stored, request.breakdown.vehicle_id, "breakdown.vehicle_id")
                return msgspec.structs.replace(before, broken=_with(before.broken, request.breakdown.vehicle_id))
            case "refusal":
                self._shipment(stored, request.refusal.shipment_id, "refusal.shipment_id")
                return msgspec.structs.replace(before, refused=_with(before.refused, request.refusal.shipment_id))
            case event:
                raise Unimplemented(f"{event}: not taken in yet; send delay, refusal or breakdown", field=str(event))

    def _rest(self, stored: StoredRounds, reported: Reported, mapped: MappedProblem, plan: Plan, now_s: float) -> Residual:
        """What is left of a plan at a moment, after all that was reported up to then."""
        vehicles = [vehicle.vehicle_id for vehicle in stored.problem.vehicles]
        held = reported.held_until_s
        return residual(
            mapped.problem,
            plan,
            now_s,
            held_until_s={r: float(held[name] - mapped.zero_s) for r, name in enumerate(vehicles) if name in held},
            without_vehicles=frozenset(r for r, name in enumerate(vehicles) if name in reported.broken),
            without_shipments=frozenset(
                s for s, one in enumerate(stored.problem.shipments) if one.shipment_id in reported.refused
            ),
        )

    def _changes(self, mapped: MappedProblem, before: Plan, after: Plan, moved: list[int]) -> list[str]:
        """Say for every shipment that moved where it went; one served neither before nor after did not move."""

        def vehicle_of(plan: Plan, shipment: int) -> str | None:
            for one in plan.rounds:
                if any(mapped.problem.visits[stop.visit_idx][0] == shipment for stop in one.stops):
                    return mapped.problem.vehicles[one.vehicle_idx].id
            return None

        answer = []
        for shipment in moved:
            name, old, new = mapped.problem.shipments[shipment].id, vehicle_of(before, shipment), vehicle_of(after, shipment)
            if new is None and old is None:
                continue
            if new is None:
                answer.append(f"order {name} can no longer be served")
            elif new != old:
                answer.append(f"order {name} moved from {old or 'nobody'} to {new}")
            else:
                answer.append(f"order {name} is served at another place in the round of {new}")
        return answer

    @staticmethod
    def _vehicle(stored: StoredRounds, vehicle_id: str, field: str) -> int:
        for k, vehicle in enumerate(stored.problem.vehicles):
            if vehicle.vehicle_id == vehicle_id:
                return k
        raise NotFound(f"{field}: these rounds have no vehicle {vehicle_id!r}", field=field)

    @staticmethod
    def _shipment(stored: StoredRounds, shipment_id: str, field: str) -> int:
        for k, shipment in enumerate(stored.problem.shipments):
            if shipment.shipment_id == shipment_id:
                return k
        raise NotFound(f"{field}: these rounds have no shipment {shipment_id!r}", field=field)


def _with(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return names if name in names else (*names, name)


def require_known(wanted: list[str], stored: StoredRounds) -> None:
    """Check that all shipment ids exist; raises InvalidInput naming the first that does not."""
    known = {one.shipment_id for one in stored.problem.shipments}
    for k, name in enumerate(wanted):
        if name not in known:
            raise InvalidInput(f"shipment_ids[{k}]: {name!r} is not in these rounds", field=f"shipment_ids[{k}]")

"""Changes of planned rounds: new orders, and what happens on the road."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

import msgspec
from traboule.common.v1 import geo_pb2
from traboule.rounds.v1 import problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.api import Plan, build_plan
from routing.rounds.change import Change
from routing.rounds.live import LivePlan
from routing.rounds.plain import is_plain, is_plain_shipment
from routing.rounds.replan import leaves_at
from routing.rounds.stability import Stability
from services.common.deadline import run_in_thread
from services.common.errors import Aborted, AlreadyExists, InvalidInput, NotFound, Unimplemented
from services.rounds.changes import in_words
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.mapping import MappedProblem, joined, problem_from_proto
from services.rounds.rebuilt import inserted, repaired
from services.rounds.store import Reported, RoundsStore, StoredRounds, planned

T = TypeVar("T")
KEPT_PLANS = 8
"""Plans in memory."""
AT_STOP_S = 90.0
"""A vehicle this near the stop it is to serve now is there."""
NOT_IN_PLACE = (
    "not taken in where rounds hold dues, longest rides, bonds, preferred vehicles, service by vehicle, overtime or "
    "times to park"
)


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed plan with what it belongs to."""

    plan: Plan
    mapped: MappedProblem
    built: BuiltTimes
    version: int


@dataclass(slots=True)
class _Kept:
    """A plan in memory with what it belongs to.

    `names` are the ids of its shipments. Without `live` the problem is not plain: it is planned anew at every change.
    """

    stored: StoredRounds
    mapped: MappedProblem
    built: BuiltTimes
    live: LivePlan | None
    names: set[str]


class LiveRounds:
    """Inserts orders and takes in events, one change of the same rounds at a time."""

    def __init__(self, store: RoundsStore, city: RoundsCity) -> None:
        self._store, self._city = store, city
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._plans: OrderedDict[str, _Kept] = OrderedDict()

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

    async def insert(self, request: pb.InsertOrderRequest, tenant: str) -> tuple[Changed, Change, int]:
        """Insert an order: the plan as it is then, what changed, and the index of the order's shipment."""
        kept = await self._take(request.rounds_id, tenant)
        if request.plan_version and request.plan_version != kept.stored.version:  # another process may have changed the plan
            self._plans.pop(request.rounds_id, None)
            kept = await self._take(request.rounds_id, tenant)
        if request.plan_version and request.plan_version != kept.stored.version:
            raise Aborted(f"the plan has version {kept.stored.version}, not {request.plan_version}: read it again and repeat")
        name = request.shipment.shipment_id
        if name in kept.names:
            raise AlreadyExists(f"shipment.shipment_id: {name!r} is already in these rounds", field="shipment.shipment_id")
        live = kept.live
        shipment, mapped = await run_in_thread(joined, kept.mapped, request.shipment, self._city.resolve)
        if live is None or not is_plain_shipment(shipment) or any(mapped.parking_s):
            return await self._insert_anew(kept, request)

        def work() -> tuple[Change, MappedProblem, BuiltTimes, Plan]:
            before = live.times.used
            built = kept.built
            if len(mapped.points) > before:
                built = self._city.grow_times(live.times, built, mapped)
            live.advance(float(self._city.now() - mapped.zero_s))
            change = live.insert(shipment, dry_run=request.dry_run)
            problem, plan = live.problem, live.plan
            if request.dry_run or change.vehicle_idx is None:
                problem = problem.with_shipment(shipment, live.times.used)
                own = {**live.rounds, **change.after}
                left = (*plan.unserved, *change.lost)
                plan = replace(plan, rounds=tuple(own[r] for r in sorted(own)), unserved=left)
                live.times.drop(before)
            return change, replace(mapped, problem=problem), built, plan

        change, grown, built, plan = await run_in_thread(self._safely, request.rounds_id, work)
        new = len(grown.problem.shipments) - 1
        if change.vehicle_idx is not None and not request.dry_run:
            message = problem_pb2.Problem()
            message.CopyFrom(kept.stored.problem)
            message.shipments.append(request.shipment)
            await self._keep(kept, message, plan, kept.stored.reported, grown, built)
            kept.names.add(name)
            self._city.kept.put(request.rounds_id, grown.points, built)
        return Changed(plan, grown, built, kept.stored.version), change, new

    async def _insert_anew(self, kept: "_Kept", request: pb.InsertOrderRequest) -> tuple[Changed, Change, int]:
        """Insert an order into rounds that cannot change in place."""
        stored, problem = kept.stored, problem_pb2.Problem()
        problem.CopyFrom(stored.problem)
        problem.shipments.append(request.shipment)
        if stored.job.id not in self._city.kept:
            await self.times(stored.job.id, stored.problem)
        mapped, built = await self.times(stored.job.id, problem, keep=False)
        now_s = float(self._city.now() - mapped.zero_s)
        after, change = await run_in_thread(inserted, mapped, built, planned(stored), stored.reported, now_s)
        version = stored.version
        if change.vehicle_idx is not None and not request.dry_run:
            self._plans.pop(stored.job.id, None)
            version = await self._store.change(stored, problem, after, self._city.now(), stored.reported)
            self._city.kept.put(stored.job.id, mapped.points, built)
        return Changed(after, mapped, built, version), change, len(problem.shipments) - 1

    async def report(self, request: pb.ReportEventRequest, tenant: str) -> tuple[Changed, Change, list[str]]:
        """Take in an event: the plan, what changed, and that in words."""
        kept = await self._take(request.rounds_id, tenant, until_s=request.observed_unix_s)
        stored, mapped, live = kept.stored, kept.mapped, kept.live
        if live is None:
            return await self._report_anew(kept, request)
        now_s = float((request.observed_unix_s or self._city.now()) - mapped.zero_s)
        stability = Stability(request.stability.move_cost)
        reported = stored.reported

        def work() -> tuple[Change, str]:
            nonlocal reported
            live.advance(now_s)
            match request.WhichOneof("event"):
                case "delay":
                    name, by = request.delay.vehicle_id, request.delay.delay_s
                    r = self._vehicle(stored, name, "delay.vehicle_id")
                    change = live.delay(r, float(by), stability)
                    held = {mapped.problem.vehicles[k].id: math.ceil(at) + mapped.zero_s for k, at in live.held.items()}
                    reported = msgspec.structs.replace(reported, held_until_s=held)
                    return change, f"{name} is {by / 60:.0f} min late"
                case "breakdown":
                    name = request.breakdown.vehicle_id
                    r = self._vehicle(stored, name, "breakdown.vehicle_id")
                    reported = msgspec.structs.replace(reported, broken=_with(reported.broken, name))
                    return live.break_down(r, stability), f"{name} has broken down"
                case "refusal":
                    name = request.refusal.shipment_id
                    s = self._shipment(stored, name, "refusal.shipment_id")
                    reported = msgspec.structs.replace(reported, refused=_with(reported.refused, name))
                    return live.remove(s), f"order {name} is no longer wanted"
                case "position":
                    return self._position(kept, live, request.position, now_s, stability)
                case event:
                    raise Unimplemented(
                        f"{event}: not taken in yet; send position, delay, refusal or breakdown", field=str(event)
                    )

        change, cause = await run_in_thread(self._safely, request.rounds_id, work)
        await self._keep(kept, stored.problem, live.plan, reported, mapped, kept.built)
        changed = Changed(live.plan, replace(mapped, problem=live.problem), kept.built, kept.stored.version)
        return changed, change, in_words(live.problem, change, cause)

    async def _report_anew(self, kept: "_Kept", request: pb.ReportEventRequest) -> tuple[Changed, Change, list[str]]:
        """Take in an event of rounds that cannot change in place."""
        stored, mapped, built = kept.stored, kept.mapped, kept.built
        if request.stability.move_cost:
            raise Unimplemented(f"stability.move_cost: {NOT_IN_PLACE}; leave it out", field="stability.move_cost")
        now_s, plan = float((request.observed_unix_s or self._city.now()) - mapped.zero_s), planned(stored)
        reported, cause = self._reported(stored, request, mapped, plan, now_s)
        after, change = await run_in_thread(repaired, mapped, built, plan, reported, now_s)
        version = await self._store.change(stored, stored.problem, after, self._city.now(), reported)
        return Changed(after, mapped, built, version), change, in_words(mapped.problem, change, cause)

    def _reported(
        self, stored: StoredRounds, request: pb.ReportEventRequest, mapped: MappedProblem, plan: Plan, now_s: float
    ) -> tuple[Reported, str]:
        """What is reported of the rounds after an event, and the event in words; NotFound for unknown ids."""
        before = stored.reported
        match request.WhichOneof("event"):
            case "delay":
                name, by = request.delay.vehicle_id, request.delay.delay_s
                r = self._vehicle(stored, name, "delay.vehicle_id")
                ready_s = max(leaves_at(plan, r, now_s), mapped.problem.vehicles[r].shift.start_s) + by
                held = before.held_until_s | {name: math.ceil(ready_s) + mapped.zero_s}
                return msgspec.structs.replace(before, held_until_s=held), f"{name} is {by / 60:.0f} min late"
            case "breakdown":
                name = request.breakdown.vehicle_id
                self._vehicle(stored, name, "breakdown.vehicle_id")
                return msgspec.structs.replace(before, broken=_with(before.broken, name)), f"{name} has broken down"
            case "refusal":
                name = request.refusal.shipment_id
                self._shipment(stored, name, "refusal.shipment_id")
                words = f"order {name} is no longer wanted"
                return msgspec.structs.replace(before, refused=_with(before.refused, name)), words
            case event:
                raise Unimplemented(f"{event}: {NOT_IN_PLACE}; send delay, refusal or breakdown", field=str(event))

    def _position(
        self, kept: "_Kept", live: LivePlan, position: pb.VehiclePosition, now_s: float, stability: Stability
    ) -> tuple[Change, str]:
        """Time the way of a vehicle from where it is to the stop it is driving to."""
        name = position.vehicle_id
        r = self._vehicle(kept.stored, name, "position.vehicle_id")
        here = live.standing[r]
        if not here.done or here.done[-1].departure_s <= now_s or here.broken:
            return Change(), f"{name} is on its way"
        last, profile = here.done[-1], live.problem.vehicles[r].profile
        point = self._city.resolve(geo_pb2.Location(point=position.location), "position.location")
        drives_s = self._city.drive_s(kept.mapped, profile, point, kept.mapped.points[here.location_idx], now_s)
        at_stop = last.arrival_s <= now_s and drives_s < AT_STOP_S
        if at_stop:
            return Change(), f"{name} is where it should be"
        late = now_s + drives_s - last.arrival_s
        words = f"{name} is {abs(late) / 60:.0f} min {'behind' if late > 0 else 'ahead of'} its plan by its position"
        return live.reach(r, now_s + drives_s, stability), words

    async def _take(self, rounds_id: str, tenant: str, until_s: int = 0) -> "_Kept":
        """The plan of rounds in memory; made anew when it is not there, or when its clock is ahead of what is reported."""
        kept = self._plans.get(rounds_id)
        ahead = kept is not None and kept.live is not None and until_s and until_s - kept.mapped.zero_s < kept.live.now_s
        if kept is not None and not ahead and kept.stored.job.tenant == tenant:
            self._plans.move_to_end(rounds_id)
            return kept
        stored = await self._store.get(rounds_id, tenant)
        plan = planned(stored)
        mapped, built = await self.times(rounds_id, stored.problem)
        now_s = float((until_s or self._city.now()) - mapped.zero_s)
        vehicles = {vehicle.vehicle_id: r for r, vehicle in enumerate(stored.problem.vehicles)}
        shipments = {one.shipment_id: s for s, one in enumerate(stored.problem.shipments)}
        reported = stored.reported
        live = None
        if is_plain(mapped.problem, mapped.parking_s):
            make = partial(
                LivePlan, mapped.problem, built.travel_times, plan, now_s,
                held_until_s={vehicles[name]: float(at - mapped.zero_s) for name, at in reported.held_until_s.items()},
                broken=[vehicles[name] for name in reported.broken], refused=[shipments[name] for name in reported.refused],
            )  # fmt: skip
            live = await run_in_thread(make)
        kept = _Kept(stored, mapped, built, live, set(shipments))
        if live is None:
            return kept
        self._plans[rounds_id] = kept
        self._plans.move_to_end(rounds_id)
        while len(self._plans) > KEPT_PLANS:
            self._plans.popitem(last=False)
        return kept

    def _safely(self, rounds_id: str, work: Callable[[], T]) -> T:
        """Do `work` on a plan in memory; after an error the plan is made anew from what is stored."""
        try:
            return work()
        except BaseException:
            self._plans.pop(rounds_id, None)
            raise

    async def _keep(
        self,
        kept: "_Kept",
        problem: problem_pb2.Problem,
        plan: Plan,
        reported: Reported,
        mapped: MappedProblem,
        built: BuiltTimes,
    ) -> None:
        """Write a changed plan; if somebody else wrote meanwhile, or it cannot be written, what is in memory is forgotten."""
        now_s = self._city.now()
        try:
            version = await self._store.change(kept.stored, problem, plan, now_s, reported)
        except BaseException:
            self._plans.pop(kept.stored.job.id, None)
            raise
        kept.stored = replace(kept.stored, problem=problem, plan=plan, version=version, updated_s=now_s, reported=reported)
        kept.mapped, kept.built = mapped, built

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

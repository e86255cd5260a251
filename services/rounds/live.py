"""Changes of planned rounds: new orders, and what happens on the road."""

import asyncio
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from traboule.rounds.v1 import problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.api import Plan, build_plan
from routing.rounds.change import Change
from routing.rounds.errors import UnknownIdError
from routing.rounds.live import LivePlan
from routing.rounds.plain import is_plain, is_plain_shipment
from routing.rounds.stability import NO_STABILITY, Stability
from services.common.deadline import run_in_thread
from services.common.errors import Aborted, AlreadyExists, InvalidInput, ServiceError, Unimplemented
from services.rounds.changes import improved_in_words, in_words
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.codec import Polished, PolishOrder, share_times
from services.rounds.events import LATE_NEWS, NOT_IN_PLACE, Rounds, Taken, note, take_in
from services.rounds.hub_mapping import refuse_hubs
from services.rounds.incidents import RoadIncident
from services.rounds.mapping import MappedProblem, joined, problem_from_proto
from services.rounds.rebuilt import inserted, polish_order, polished, repaired
from services.rounds.store import Reported, RoundsStore, StoredRounds, planned

T = TypeVar("T")
LEAD_S = 2.0
"""Time from looking at a plan to taking a better one over, besides that of the search."""
MOST_CAUSES = 3
KEPT_PLANS = 8
"""Plans in memory."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed plan with what it belongs to."""

    plan: Plan
    mapped: MappedProblem
    built: BuiltTimes
    version: int
    reported: Reported


@dataclass(frozen=True, slots=True)
class Wish:
    """What a plan that changed may be improved for: whose it is, why it changed, what moves to other vehicles cost."""

    tenant: str
    cause: str
    stability: Stability = NO_STABILITY

    def and_then(self, later: "Wish") -> "Wish":
        """Both, with the last causes and the higher cost of moves."""
        cost = max(self.stability.move_cost, later.stability.move_cost)
        causes = dict.fromkeys((*self.cause.split("; "), *later.cause.split("; ")))
        return Wish(later.tenant, "; ".join(list(causes)[-MOST_CAUSES:]), Stability(cost))


@dataclass(slots=True)
class KeptPlan:
    """A plan in memory with what it belongs to.

    `vehicles` and `shipments` are indices by id. Without `live` the problem is not plain: it is planned anew at every change.
    """

    stored: StoredRounds
    mapped: MappedProblem
    built: BuiltTimes
    live: LivePlan | None
    vehicles: dict[str, int]
    shipments: dict[str, int]

    @property
    def rounds(self) -> Rounds:
        """What an event is about."""
        return Rounds(self.mapped, self.built, self.stored.reported, self.vehicles, self.shipments)

    def changed(self, plan: Plan, mapped: MappedProblem, built: BuiltTimes) -> Changed:
        """A plan as it is answered."""
        return Changed(plan, mapped, built, self.stored.version, self.stored.reported)


class LiveRounds:
    """Inserts orders and takes in events, one change of the same rounds at a time."""

    def __init__(self, store: RoundsStore, city: RoundsCity) -> None:
        self._store, self._city = store, city
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._plans: OrderedDict[str, KeptPlan] = OrderedDict()
        self.on_change: Callable[[str, Wish], None] = lambda *_: None

    def lock(self, rounds_id: str) -> asyncio.Lock:
        """Lock of one job's rounds in this process, forgotten when nobody holds it; the version keeps off other processes."""
        return self._locks.setdefault(rounds_id, asyncio.Lock())

    async def times(
        self,
        rounds_id: str,
        problem: problem_pb2.Problem,
        incidents: tuple[RoadIncident, ...] = (),
        *,
        keep: bool = True,
    ) -> tuple[MappedProblem, BuiltTimes]:
        """Travel times of rounds: kept, extended by new locations, or built anew; what is only tried is not to be kept."""
        mapped = await run_in_thread(problem_from_proto, problem, self._city.resolve)
        kept = self._city.kept.find(rounds_id, mapped.points)
        if kept is not None and kept[1].incidents == incidents:
            built = await run_in_thread(self._city.extend_times, kept[1], kept[0], mapped)
        else:
            built = await run_in_thread(self._city.build_times, mapped, incidents)
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
        if name in kept.shipments:
            raise AlreadyExists(f"shipment.shipment_id: {name!r} is already in these rounds", field="shipment.shipment_id")
        live = kept.live
        shipment, mapped = await run_in_thread(joined, kept.mapped, request.shipment, self._city.resolve)
        if live is None or not is_plain_shipment(shipment) or mapped.parks:
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
            words = in_words(grown.problem, change, f"order {name} is new")
            await self._keep(kept, message, plan, kept.stored.reported, grown, built, words)
            kept.shipments[name] = new
            self._city.kept.put(request.rounds_id, grown.points, built)
            self.on_change(request.rounds_id, Wish(tenant, f"order {name} is new"))
        return kept.changed(plan, grown, built), change, new

    async def _insert_anew(self, kept: KeptPlan, request: pb.InsertOrderRequest) -> tuple[Changed, Change, int]:
        """Insert an order into rounds that cannot change in place."""
        stored, problem = kept.stored, problem_pb2.Problem()
        problem.CopyFrom(stored.problem)
        problem.shipments.append(request.shipment)
        incidents = stored.reported.incidents
        if stored.job.id not in self._city.kept:
            await self.times(stored.job.id, stored.problem, incidents)
        mapped, built = await self.times(stored.job.id, problem, incidents, keep=False)
        now_s = float(self._city.now() - mapped.zero_s)
        after, change = await run_in_thread(inserted, mapped, built, planned(stored), stored.reported, now_s)
        if change.vehicle_idx is not None and not request.dry_run:
            words = in_words(mapped.problem, change, f"order {request.shipment.shipment_id} is new")
            await self._keep(kept, problem, after, stored.reported, mapped, built, words)
            self._plans.pop(stored.job.id, None)
            self._city.kept.put(stored.job.id, mapped.points, built)
            self.on_change(stored.job.id, Wish(stored.job.tenant, f"order {request.shipment.shipment_id} is new"))
        return kept.changed(after, mapped, built), change, len(problem.shipments) - 1

    async def report(self, request: pb.ReportEventRequest, tenant: str) -> tuple[Changed, Change, list[str]]:
        """Take in an event: the plan, what changed, and that in words."""
        until_s = 0 if request.WhichOneof("event") in LATE_NEWS else request.observed_unix_s
        kept = await self._take(request.rounds_id, tenant, until_s=until_s)
        mapped, live, rounds = kept.mapped, kept.live, kept.rounds
        self._refuse_beyond(request.observed_unix_s, mapped)
        now_s = float((request.observed_unix_s or self._city.now()) - mapped.zero_s)
        if live is None:
            return await self._report_anew(kept, request, now_s)

        def work() -> tuple[Change, Taken]:
            live.advance(now_s)
            return take_in(live, rounds, self._city, request, now_s)

        try:
            change, taken = await run_in_thread(work)
        except (ServiceError, UnknownIdError):  # told before anything was changed
            raise
        except BaseException:
            self._forget(request.rounds_id)
            raise
        words = in_words(live.problem, change, taken.cause)
        await self._keep(kept, kept.stored.problem, live.plan, taken.reported, mapped, taken.built, words)
        if taken.built is not rounds.built:
            self._city.kept.put(request.rounds_id, mapped.points, taken.built)
        self.on_change(request.rounds_id, Wish(tenant, taken.cause, Stability(request.stability.move_cost)))
        return kept.changed(live.plan, replace(mapped, problem=live.problem), taken.built), change, words

    async def _report_anew(
        self, kept: KeptPlan, request: pb.ReportEventRequest, now_s: float
    ) -> tuple[Changed, Change, list[str]]:
        """Take in an event of rounds that cannot change in place."""
        stored, mapped, rounds = kept.stored, kept.mapped, kept.rounds
        if request.stability.move_cost:
            raise Unimplemented(f"stability.move_cost: {NOT_IN_PLACE}; leave it out", field="stability.move_cost")

        def work() -> tuple[Plan, Change, Taken]:
            driven, taken = note(rounds, self._city, request, planned(stored), now_s)
            after, change = repaired(mapped, taken.built, driven, taken.reported, now_s)
            return after, change, taken

        after, change, taken = await run_in_thread(work)
        words = in_words(mapped.problem, change, taken.cause)
        await self._keep(kept, stored.problem, after, taken.reported, mapped, taken.built, words)
        self._city.kept.put(stored.job.id, mapped.points, taken.built)
        self.on_change(stored.job.id, Wish(stored.job.tenant, taken.cause))
        return kept.changed(after, mapped, taken.built), change, words

    async def look(self, rounds_id: str, wish: Wish, seconds: float) -> tuple[PolishOrder, int, int] | None:
        """What to tell a solver about a plan, the plan's version, and a file to close after; None if it is changing now.

        The rounds are not locked: that the version stayed the same says that nothing was read half changed.
        """
        async with self.lock(rounds_id):
            kept = await self._take(rounds_id, wish.tenant)
            stored, mapped, times = kept.stored, kept.mapped, kept.built.travel_times
            if kept.live is not None:
                times = kept.live.times.times
            plan, version = planned(stored), stored.version
        now_s = self._present_s(kept)
        cut_s = now_s + self._city.rate * (seconds + LEAD_S)

        def make() -> tuple[PolishOrder, int]:
            file, shared = share_times(times, now_s, len(mapped.points))
            return polish_order(kept.rounds, shared, plan, cut_s, wish.stability.move_cost, seconds, version), file

        order, file = await run_in_thread(make)
        if kept.stored.version != version:
            os.close(file)
            return None
        return order, version, file

    async def adopt(self, rounds_id: str, wish: Wish, version: int, found: Polished) -> list[str]:
        """Take over better rounds if the plan is still that of `version` and the vehicles can still go by them; the changes."""
        async with self.lock(rounds_id):
            kept = await self._take(rounds_id, wish.tenant)
            stored, mapped, built, live = kept.stored, kept.mapped, kept.built, kept.live
            if stored.version != version:
                return []
            now_s = self._present_s(kept)

            def work() -> tuple[Plan, Change] | None:
                if live is None:
                    return polished(mapped, built, planned(stored), stored.reported, now_s, found.routes)
                live.advance(now_s)
                change = live.adopt(found.routes, wish.stability)
                return None if change is None else (live.plan, change)

            better = await run_in_thread(self._safely, rounds_id, work)
            if better is None:
                return []
            plan, change = better
            words = improved_in_words(mapped.problem, change, wish.cause)
            await self._keep(kept, stored.problem, plan, stored.reported, mapped, built, words)
            return words

    def _refuse_beyond(self, observed_unix_s: int, mapped: MappedProblem) -> None:
        """Refuse what lies after the present and after all shifts: a clock that is wrong would count all as driven."""
        last_s = max(self._city.now(), mapped.zero_s + math.ceil(max(one.shift.end_s for one in mapped.problem.vehicles)))
        if observed_unix_s > last_s:
            raise InvalidInput(
                f"observed_unix_s: {observed_unix_s} is after the present and after the last shift, which ends at {last_s}: "
                "is the clock of the device right?",
                field="observed_unix_s",
            )

    def _present_s(self, kept: KeptPlan) -> float:
        """Engine time of a plan: that of the city, or of the last event if that was ahead."""
        now_s = float(self._city.now() - kept.mapped.zero_s)
        return now_s if kept.live is None else max(now_s, kept.live.now_s)

    async def _take(self, rounds_id: str, tenant: str, until_s: int = 0) -> KeptPlan:
        """The plan of rounds in memory; made anew when it is not there, or when its clock is ahead of what is reported."""
        kept = self._plans.get(rounds_id)
        ahead = kept is not None and kept.live is not None and until_s and until_s - kept.mapped.zero_s < kept.live.now_s
        if kept is not None and not ahead and kept.stored.job.tenant == tenant:
            self._plans.move_to_end(rounds_id)
            return kept
        stored = await self._store.get(rounds_id, tenant)
        refuse_hubs(stored.problem)
        plan = planned(stored)
        mapped, built = await self.times(rounds_id, stored.problem, stored.reported.incidents)
        self._refuse_beyond(until_s, mapped)  # before it becomes the clock of a plan in memory
        now_s = float((until_s or self._city.now()) - mapped.zero_s)
        vehicles = {vehicle.vehicle_id: r for r, vehicle in enumerate(stored.problem.vehicles)}
        shipments = {one.shipment_id: s for s, one in enumerate(stored.problem.shipments)}
        reported = stored.reported
        live = None
        if not mapped.kerbs.at and is_plain(mapped.problem, mapped.parking_s):
            make = partial(
                LivePlan, mapped.problem, built.travel_times, plan, now_s,
                held_until_s={vehicles[name]: float(at - mapped.zero_s) for name, at in reported.held_until_s.items()},
                broken=[vehicles[name] for name in reported.broken], refused=[shipments[name] for name in reported.refused],
            )  # fmt: skip
            live = await run_in_thread(make)
        kept = KeptPlan(stored, mapped, built, live, vehicles, shipments)
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

    def _forget(self, rounds_id: str) -> None:
        """Forget what is in memory: the plan, and travel times that may have been changed with it."""
        self._plans.pop(rounds_id, None)
        self._city.kept.drop(rounds_id)

    async def _keep(
        self,
        kept: KeptPlan,
        problem: problem_pb2.Problem,
        plan: Plan,
        reported: Reported,
        mapped: MappedProblem,
        built: BuiltTimes,
        words: Sequence[str],
    ) -> None:
        """Write a changed plan; if somebody else wrote meanwhile, or it cannot be written, what is in memory is forgotten."""
        now_s = self._city.now()
        try:
            version = await self._store.change(kept.stored, problem, plan, now_s, reported, words)
        except BaseException:
            self._plans.pop(kept.stored.job.id, None)
            if built.incidents != kept.built.incidents or built.traffic is not kept.built.traffic:
                self._forget(kept.stored.job.id)
            raise
        kept.stored = replace(
            kept.stored, problem=problem, plan=plan, version=version, updated_s=now_s, reported=reported, changes=tuple(words)
        )
        kept.mapped, kept.built = mapped, built

    async def explained(self, stored: StoredRounds) -> tuple[Plan, MappedProblem, BuiltTimes]:
        """Plan with a reason for every unserved shipment, and what it belongs to."""
        plan = planned(stored)
        mapped, built = await self.times(stored.job.id, stored.problem, stored.reported.incidents)
        if all(one.reasons for one in plan.unserved):
            return plan, mapped, built
        routes = plan.routes_by_vehicle(len(mapped.problem.vehicles))
        return await run_in_thread(build_plan, mapped.problem, built.travel_times, routes, explained=True), mapped, built


def require_known(wanted: list[str], stored: StoredRounds) -> None:
    """Check that all shipment ids exist; raises InvalidInput naming the first that does not."""
    known = {one.shipment_id for one in stored.problem.shipments}
    for k, name in enumerate(wanted):
        if name not in known:
            raise InvalidInput(f"shipment_ids[{k}]: {name!r} is not in these rounds", field=f"shipment_ids[{k}]")

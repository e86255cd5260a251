"""Changes of planned rounds: new orders, and what happens on the road."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakValueDictionary

import structlog
from traboule.rounds.v1 import problem_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.errors import RoutingError
from routing.rounds.api import Plan, build_plan
from routing.rounds.change import Change
from routing.rounds.errors import UnknownIdError
from routing.rounds.plain import is_plain_shipment
from routing.rounds.stability import Stability
from services.common.deadline import Deadline, run_in_thread, set_deadline
from services.common.errors import Aborted, AlreadyExists, InvalidInput, ServiceError, Unimplemented
from services.rounds.changes import improved_in_words, in_words
from services.rounds.city import BuiltTimes, RoundsCity
from services.rounds.codec import Polished, PolishOrder, share_times
from services.rounds.driving_ahead import compare_ahead
from services.rounds.driving_ahead import in_words as ahead_in_words
from services.rounds.events import LATE_NEWS, NOT_IN_PLACE, SHOW_DRIVING, Taken, note, take_in
from services.rounds.kept import Changed, KeptPlan, KeptPlans, Wish
from services.rounds.mapping import MappedProblem, joined
from services.rounds.rebuilt import inserted, polish_order, polished, repaired
from services.rounds.store import Followed, RoundsStore, StoredRounds, planned

log = structlog.get_logger("rounds")
LEAD_S = 2.0
"""Time from looking at a plan to taking a better one over, besides that of the search."""
AHEAD_S = 120.0
"""So far a device's clock may be ahead of the city's (times the rate of a recorded day)."""
USUAL_CHANGE = 0.1
"""Share by which the driving ahead of a vehicle must have changed for a plan to follow the traffic, where nothing is said."""


class LiveRounds:
    """Inserts orders and takes in events, one change of the same rounds at a time."""

    def __init__(self, store: RoundsStore, city: RoundsCity) -> None:
        self._store, self._city = store, city
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.kept = KeptPlans(store, city)
        self._preparing: set[asyncio.Task[None]] = set()
        self._one_after_the_other = asyncio.Lock()
        self.on_change: Callable[[str, Wish], None] = lambda *_: None

    def lock(self, rounds_id: str) -> asyncio.Lock:
        """Lock of one job's rounds in this process, forgotten when nobody holds it; the version keeps off other processes."""
        return self._locks.setdefault(rounds_id, asyncio.Lock())

    def prepare_soon(self, rounds_id: str, tenant: str) -> None:
        """Make a new plan ready for changes, those that came before first; what fails is left to the first change."""
        task = asyncio.get_running_loop().create_task(self._prepare(rounds_id, tenant), name="prepare rounds")
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)

    async def _prepare(self, rounds_id: str, tenant: str) -> None:
        set_deadline(Deadline())
        try:
            async with self._one_after_the_other, self.lock(rounds_id):
                await self.kept.prepare(rounds_id, tenant)
        except (ServiceError, RoutingError) as error:
            log.info("not_prepared", job=rounds_id, error=str(error))
        except Exception as error:
            # Nobody waits for this; what nobody foresaw here must not stay unsaid.
            log.error("preparing_broke", job=rounds_id, exc_info=error)

    async def close(self) -> None:
        """End what is being made ready."""
        for task in self._preparing:
            task.cancel()
        await asyncio.gather(*self._preparing, return_exceptions=True)

    async def insert(self, request: pb.InsertOrderRequest, tenant: str) -> tuple[Changed, Change, int]:
        """Insert an order: the plan as it is then, what changed, and the index of the order's shipment."""
        kept = await self.kept.take(request.rounds_id, tenant)
        if request.plan_version and request.plan_version != kept.stored.version:  # another process may have changed the plan
            self.kept.drop(request.rounds_id)
            kept = await self.kept.take(request.rounds_id, tenant)
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

        change, grown, built, plan = await run_in_thread(self.kept.safely, request.rounds_id, work)
        new = len(grown.problem.shipments) - 1
        if change.vehicle_idx is not None and not request.dry_run:
            message = problem_pb2.Problem()
            message.CopyFrom(kept.stored.problem)
            message.shipments.append(request.shipment)
            words = in_words(grown.problem, change, f"order {name} is new")
            await self.kept.keep(kept, message, plan, kept.stored.reported, grown, built, words)
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
            await self.kept.times(stored.job.id, stored.problem, incidents)
        mapped, built = await self.kept.times(stored.job.id, problem, incidents, keep=False)
        now_s = float(self._city.now() - mapped.zero_s)
        after, change = await run_in_thread(inserted, mapped, built, planned(stored), stored.reported, now_s)
        if change.vehicle_idx is not None and not request.dry_run:
            words = in_words(mapped.problem, change, f"order {request.shipment.shipment_id} is new")
            await self.kept.keep(kept, problem, after, stored.reported, mapped, built, words)
            self.kept.drop(stored.job.id)
            self._city.kept.put(stored.job.id, mapped.points, built)
            self.on_change(stored.job.id, Wish(stored.job.tenant, f"order {request.shipment.shipment_id} is new"))
        return kept.changed(after, mapped, built), change, len(problem.shipments) - 1

    async def report(self, request: pb.ReportEventRequest, tenant: str) -> tuple[Changed, Change, list[str]]:
        """Take in an event: the plan, what changed, and that in words."""
        self._refuse_ahead(request.observed_unix_s)
        event = request.WhichOneof("event")
        until_s = 0 if event in LATE_NEWS else request.observed_unix_s
        kept = await self.kept.take(request.rounds_id, tenant, until_s=until_s)
        found = await self._take_in(kept, request)
        if event in SHOW_DRIVING and kept.stored.request.traffic_following.when == pb.FOLLOW_TRAFFIC_UNSPECIFIED:
            await self._let_follow(kept)
        return found

    async def _let_follow(self, kept: KeptPlan) -> None:
        """Let a plan follow the traffic from now on; once. Where that cannot be written the next event tries again."""
        if kept.follows:
            return
        try:
            await self._store.keep_followed(kept.stored.job.id, Followed(kept.stored.job.tenant, self._city.now()))
            kept.follows = True
        except ServiceError as error:  # the event has been taken in, and is not to be told again
            log.info("not_followed_yet", job=kept.stored.job.id, error=str(error))

    async def follow(self, rounds_id: str, tenant: str) -> list[str] | None:
        """Compare the driving ahead with the traffic of now, and go by that where it changed enough.

        Answers what changed, in words; nothing, where the plan was left in peace; None, where nothing is driven any more.
        """
        async with self.lock(rounds_id):
            kept = await self.kept.take(rounds_id, tenant)
            plan, mapped, built, wish = planned(kept.stored), kept.mapped, kept.built, kept.stored.request.traffic_following
            now_s, traffic = self._present_s(kept), self._city.traffic
            if not plan.rounds or now_s > max(one.end_s for one in plan.rounds):
                return None
            if now_s < min(one.departure_s for one in plan.rounds):
                return []
            ahead = await run_in_thread(compare_ahead, self._city, mapped, built, plan, traffic, now_s)
            changed = {r: one for r, one in ahead.items() if one.matters(wish.min_change_share or USUAL_CHANGE)}
            if not changed or (traffic is built.traffic and traffic is kept.followed):
                return []
            request = pb.ReportEventRequest(rounds_id=rounds_id, traffic_change=pb.TrafficChange())
            if kept.live is not None:
                request.stability.CopyFrom(wish.stability)
            cause = ahead_in_words(mapped, changed)
            _, _, words = await self._take_in(kept, request, cause)
            kept.followed = traffic
            return [cause, *words]

    async def _take_in(
        self, kept: KeptPlan, request: pb.ReportEventRequest, cause: str = ""
    ) -> tuple[Changed, Change, list[str]]:
        """Take an event into a plan; `cause`: why, in other words than the event's own."""
        mapped, live, rounds = kept.mapped, kept.live, kept.rounds
        now_s = float((request.observed_unix_s or self._city.now()) - mapped.zero_s)
        if live is None:
            return await self._report_anew(kept, request, now_s, cause)

        def work() -> tuple[Change, Taken]:
            live.advance(now_s)
            return take_in(live, rounds, self._city, request, now_s)

        try:
            change, taken = await run_in_thread(work)
        except (ServiceError, UnknownIdError):  # told before anything was changed
            raise
        except BaseException:
            self.kept.forget(request.rounds_id)
            raise
        why = cause or taken.cause
        words = [*([cause] if cause else []), *in_words(live.problem, change, why)]
        await self.kept.keep(kept, kept.stored.problem, live.plan, taken.reported, mapped, taken.built, words)
        if taken.built is not rounds.built:
            self._city.kept.put(request.rounds_id, mapped.points, taken.built)
        self.on_change(request.rounds_id, Wish(kept.stored.job.tenant, why, Stability(request.stability.move_cost)))
        return kept.changed(live.plan, replace(mapped, problem=live.problem), taken.built), change, words

    async def _report_anew(
        self, kept: KeptPlan, request: pb.ReportEventRequest, now_s: float, cause: str
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
        why = cause or taken.cause
        words = [*([cause] if cause else []), *in_words(mapped.problem, change, why)]
        await self.kept.keep(kept, stored.problem, after, taken.reported, mapped, taken.built, words)
        self._city.kept.put(stored.job.id, mapped.points, taken.built)
        self.on_change(stored.job.id, Wish(stored.job.tenant, why))
        return kept.changed(after, mapped, taken.built), change, words

    async def look(self, rounds_id: str, wish: Wish, seconds: float) -> tuple[PolishOrder, int, int] | None:
        """What to tell a solver about a plan, the plan's version, and a file to close after; None if it is changing now.

        The rounds are not locked: that the version stayed the same says that nothing was read half changed.
        """
        async with self.lock(rounds_id):
            kept = await self.kept.take(rounds_id, wish.tenant)
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
            kept = await self.kept.take(rounds_id, wish.tenant)
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

            better = await run_in_thread(self.kept.safely, rounds_id, work)
            if better is None:
                return []
            plan, change = better
            words = improved_in_words(mapped.problem, change, wish.cause)
            await self.kept.keep(kept, stored.problem, plan, stored.reported, mapped, built, words)
            return words

    def _refuse_ahead(self, observed_unix_s: int) -> None:
        """Refuse what lies ahead of the city's clock: it would count as driven what is still to come."""
        now_s = self._city.now()
        if observed_unix_s > now_s + AHEAD_S * max(1.0, self._city.rate):
            raise InvalidInput(
                f"observed_unix_s: {observed_unix_s} lies {observed_unix_s - now_s} s ahead of the city's clock, which says "
                f"{now_s}: is the clock of the device right? Leave the field out for now",
                field="observed_unix_s",
            )

    def _present_s(self, kept: KeptPlan) -> float:
        """Engine time of a plan: that of the city, or of the last event if that was ahead."""
        now_s = float(self._city.now() - kept.mapped.zero_s)
        return now_s if kept.live is None else max(now_s, kept.live.now_s)

    async def explained(self, stored: StoredRounds) -> tuple[Plan, MappedProblem, BuiltTimes]:
        """Plan with a reason for every unserved shipment, and what it belongs to."""
        plan = planned(stored)
        mapped, built = await self.kept.times(stored.job.id, stored.problem, stored.reported.incidents)
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

"""RoundsService: read the request, map, have it solved, map back."""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
from traboule.rounds.v1 import plan_pb2, rounds_service_pb2_grpc
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.live import Change
from services.common.deadline import current_deadline, run_in_thread
from services.common.errors import InvalidInput
from services.common.identity import current_principal
from services.common.state import State
from services.rounds.city import RoundsCity
from services.rounds.clocks import city_clock
from services.rounds.explaining import ExplainingServicer
from services.rounds.following import Follower, require_followable
from services.rounds.kept import Changed
from services.rounds.live import LiveRounds
from services.rounds.mapping import problem_from_proto
from services.rounds.plan_mapping import LegSource, plan_to_proto, unserved_to_proto
from services.rounds.polishing import Polisher
from services.rounds.pool import SolverPool
from services.rounds.runner import order_of, prepare
from services.rounds.store import STATES, Followed, RoundsStore, StoredRounds

Context = grpc.aio.ServicerContext[Any, Any]
PAGE_TOKEN = re.compile("[0-9]{1,9}")
REPLY_MARGIN_S = 0.5
"""Kept back from the caller's deadline, so that the last plan arrives in time."""


class RoundsServicer(ExplainingServicer, rounds_service_pb2_grpc.RoundsServiceServicer):
    """Delivery rounds of one city.

    Parameters
    ----------
    city, pool, state
        What rounds are planned in, who solves them, where jobs are kept.
    polish_s : float
        How long plans are improved after each change; 0 = not at all.
    follow_s : float
        City seconds between two looks at the traffic ahead of plans that follow it; 0 = never.
    """

    def __init__(self, city: RoundsCity, pool: SolverPool, state: State, polish_s: float = 0.0, follow_s: float = 0.0) -> None:
        self._city, self._pool = city, pool
        self._store = RoundsStore(state)
        self._live = LiveRounds(self._store, city)
        self.polisher = Polisher(self._live, pool, polish_s)
        self.follower = Follower(self._store, self._live, city, follow_s)
        self.prepare = self._live.prepare_soon

    async def close(self) -> None:
        """End what is done beside the calls."""
        await self.polisher.close()
        await self._live.close()

    async def SolveRounds(  # noqa: N802
        self,
        request: pb.SolveRoundsRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.SolveRoundsResponse]:
        """Ever better plans until the time is used up."""
        began = time.monotonic()
        yield pb.SolveRoundsResponse(progress="building travel times from predicted traffic")
        mapped, built = await prepare(self._city, request)
        stamp = self._city.stamp(built.traffic)
        yield pb.SolveRoundsResponse(progress="solving", elapsed_s=time.monotonic() - began, stamp=stamp)
        longest_s = max(0.1, current_deadline().remaining_s - REPLY_MARGIN_S)
        work = self._pool.solve(order_of(mapped, built, request.limits, self._pool.backend, longest_s))
        try:
            async for found in work:
                legs = LegSource(self._city, built, request.limits.with_polylines) if found.final else None
                plan = await run_in_thread(plan_to_proto, found.plan, mapped, legs)
                yield pb.SolveRoundsResponse(
                    plan=plan, elapsed_s=time.monotonic() - began, iterations=found.plan.iterations, final=found.final,
                    progress="done" if found.final else "improving", stamp=stamp,
                )  # fmt: skip
        finally:
            await work.aclose()  # type: ignore[attr-defined]

    async def SubmitRounds(self, request: pb.SubmitRoundsRequest, context: Context) -> pb.SubmitRoundsResponse:  # noqa: N802, ARG002
        """Queue rounds as a job."""
        require_followable(request)
        await run_in_thread(problem_from_proto, request.problem, self._city.resolve)
        rounds_id = await self._store.submit(request, current_principal().tenant)
        if request.traffic_following.when == pb.FOLLOW_TRAFFIC_ALWAYS:
            await self._store.keep_followed(rounds_id, Followed(current_principal().tenant, self._city.now()))
        stored = await self._store.get(rounds_id, current_principal().tenant)
        return pb.SubmitRoundsResponse(rounds=await self._rounds(stored, with_plan=False))

    async def GetRounds(self, request: pb.GetRoundsRequest, context: Context) -> pb.GetRoundsResponse:  # noqa: N802, ARG002
        """State and plan of submitted rounds."""
        stored = await self._store.get(request.rounds_id, current_principal().tenant)
        return pb.GetRoundsResponse(rounds=await self._rounds(stored, geometry=request.with_polylines))

    async def WatchRounds(  # noqa: N802
        self,
        request: pb.WatchRoundsRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.WatchRoundsResponse]:
        """State and plan whenever they change, until the job is finished or, with `follow`, until the caller hangs up."""
        await self._store.get(request.rounds_id, current_principal().tenant)
        sent: tuple[str, int] | None = None
        async for stored in self._store.watch(request.rounds_id, follow=request.follow):
            now = stored.job.state, stored.version
            legs = stored.job.finished and (stored.version == 1 or not request.follow)
            if now != sent or not stored.job.finished:
                yield pb.WatchRoundsResponse(rounds=await self._rounds(stored, legs=legs))
            sent = now

    async def CancelRounds(self, request: pb.CancelRoundsRequest, context: Context) -> pb.CancelRoundsResponse:  # noqa: N802, ARG002
        """Stop the work; the best plan so far is kept."""
        stored = await self._store.cancel(request.rounds_id, current_principal().tenant)
        return pb.CancelRoundsResponse(rounds=await self._rounds(stored, legs=False))

    async def ListRounds(self, request: pb.ListRoundsRequest, context: Context) -> pb.ListRoundsResponse:  # noqa: N802, ARG002
        """Jobs of the caller, newest first."""
        if request.page_token and not PAGE_TOKEN.fullmatch(request.page_token):
            raise InvalidInput("page_token: give the next_page_token of the page before", field="page_token")
        start, size = int(request.page_token or 0), request.page_size or 50
        jobs = await self._store.list_rounds(current_principal().tenant, start + size + 1)
        page = jobs[start : start + size]
        wanted = set(request.states)
        rounds = [await self._rounds(await self._store.of_job(job), with_plan=False) for job in page]
        more = str(start + size) if len(jobs) > start + size else ""
        return pb.ListRoundsResponse(rounds=[one for one in rounds if not wanted or one.state in wanted], next_page_token=more)

    async def InsertOrder(self, request: pb.InsertOrderRequest, context: Context) -> pb.InsertOrderResponse:  # noqa: N802, ARG002
        """Insert a new shipment where it costs least."""
        async with self._live.lock(request.rounds_id):
            changed, change, shipment = await self._live.insert(request, current_principal().tenant)
        plan = await self._plan(changed, change if request.only_changed else None)
        stamp, vehicle = self._city.stamp(changed.built.traffic), change.vehicle_idx
        if vehicle is None:
            unserved = next(one for one in changed.plan.unserved if one.shipment_idx == shipment)
            return pb.InsertOrderResponse(
                served=False,
                unserved=unserved_to_proto(unserved, changed.mapped, changed.built, city_clock(self._city, changed.mapped)),
                plan=plan,
                stamp=stamp,
            )
        problem, one = changed.mapped.problem, change.after[vehicle]
        places = [k for k, stop in enumerate(one.stops) if problem.visits[stop.visit_idx][0] == shipment]
        arrival = changed.mapped.zero_s + round(one.stops[places[-1]].arrival_s)
        return pb.InsertOrderResponse(
            served=True, vehicle_id=problem.vehicles[vehicle].id, position=places[-1], arrival_unix_s=arrival,
            cost_delta=change.cost_delta, plan=plan, stamp=stamp,
        )  # fmt: skip

    async def ReportEvent(self, request: pb.ReportEventRequest, context: Context) -> pb.ReportEventResponse:  # noqa: N802, ARG002
        """Bring the plan up to date with what happened."""
        async with self._live.lock(request.rounds_id):
            changed, change, words = await self._live.report(request, current_principal().tenant)
        stamp = self._city.stamp(changed.built.traffic)
        plan = await self._plan(changed, change if request.only_changed else None)
        return pb.ReportEventResponse(reordered=bool(change.moved), changes=words, plan=plan, stamp=stamp)

    async def _plan(self, changed: Changed, only: Change | None = None) -> plan_pb2.Plan:
        """Message of a changed plan; with `only` of the rounds that changed alone, their ways not drawn."""
        if only is not None:
            part = replace(changed.plan, rounds=tuple(only.after.values()))
            return await run_in_thread(plan_to_proto, part, changed.mapped, None, changed.version, changed.reported.done)
        legs = LegSource(self._city, changed.built, geometry=False)
        done = changed.reported.done
        return await run_in_thread(plan_to_proto, changed.plan, changed.mapped, legs, changed.version, done)

    async def _rounds(
        self, stored: StoredRounds, *, with_plan: bool = True, geometry: bool = False, legs: bool = True
    ) -> pb.Rounds:
        """Message of stored rounds; `legs` off spares the street engine while plans still improve."""
        message = pb.Rounds(
            rounds_id=stored.job.id, state=STATES[stored.job.state], submitted_unix_s=stored.job.submitted_at,
            updated_unix_s=stored.updated_s, explanation=stored.job.error, display_name=stored.request.display_name,
            shipment_count=len(stored.problem.shipments), stamp=self._city.stamp(self._city.traffic), changes=stored.changes,
        )  # fmt: skip
        if with_plan and stored.plan is not None:
            if legs and stored.job.finished:
                mapped, built = await self._live.kept.times(stored.job.id, stored.problem, stored.reported.incidents)
                source = LegSource(self._city, built, geometry)
            else:
                mapped, source = await run_in_thread(problem_from_proto, stored.problem, self._city.resolve), None
            done = stored.reported.done
            message.plan.CopyFrom(await run_in_thread(plan_to_proto, stored.plan, mapped, source, stored.version, done))
        return message

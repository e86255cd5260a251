"""RPCs that explain plans: why not served, what constraints cost, how two plans differ."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
from traboule.rounds.v1 import explain_pb2, plan_pb2
from traboule.rounds.v1 import rounds_service_pb2 as pb

from routing.rounds.prices import CONSTRAINTS, price_in_words
from services.common.deadline import current_deadline, run_in_thread
from services.common.errors import InvalidInput
from services.common.identity import current_principal
from services.rounds.advice import explain
from services.rounds.city import RoundsCity
from services.rounds.codec import Priced, PriceOrder, pack_times, parts_of
from services.rounds.comparison import compare
from services.rounds.hub_mapping import refuse_hubs
from services.rounds.live import LiveRounds
from services.rounds.plan_mapping import LegSource, plan_to_proto
from services.rounds.pool import SolverPool
from services.rounds.rebuilt import begun
from services.rounds.store import RoundsStore, planned

Context = grpc.aio.ServicerContext[Any, Any]
PRICES_TIME_LIMIT_S = 20.0
REPLY_MARGIN_S = 0.5


class ExplainingServicer:
    """Part of the servicer of rounds, which sets these up."""

    _city: RoundsCity
    _pool: SolverPool
    _store: RoundsStore
    _live: LiveRounds

    async def ExplainUnserved(  # noqa: N802
        self,
        request: pb.ExplainUnservedRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.ExplainUnservedResponse:
        """Why shipments are not served, and what would help."""
        stored = await self._store.get(request.rounds_id, current_principal().tenant)
        refuse_hubs(stored.problem)
        return await explain(self._live, self._city, self._pool, stored, request)

    async def PriceConstraints(  # noqa: N802
        self,
        request: pb.PriceConstraintsRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[pb.PriceConstraintsResponse]:
        """What each kind of constraints costs."""
        began = time.monotonic()
        for k, name in enumerate(request.constraints):
            if name not in CONSTRAINTS:
                raise InvalidInput(
                    f"constraints[{k}]: {name!r} is no kind of constraints; these are: {', '.join(CONSTRAINTS)}",
                    field=f"constraints[{k}]",
                )
        stored = await self._store.get(request.rounds_id, current_principal().tenant)
        refuse_hubs(stored.problem)
        plan = planned(stored)
        mapped, built = await self._live.kept.times(stored.job.id, stored.problem, stored.reported.incidents)
        longest = max(0.1, current_deadline().remaining_s - REPLY_MARGIN_S)
        order = PriceOrder(
            parts_of(mapped.problem), pack_times(built.travel_times), min(request.time_limit_s or PRICES_TIME_LIMIT_S, longest),
            plan.routes_by_vehicle(len(mapped.problem.vehicles)), tuple(request.constraints), request.seed,
            begun(mapped, plan, stored.reported, float(self._city.now() - mapped.zero_s)),
        )  # fmt: skip
        stamp = self._city.stamp(built.traffic)
        async with aclosing(self._pool.work(order)) as answers:
            async for answer in answers:
                assert isinstance(answer, Priced)
                prices = [
                    explain_pb2.ConstraintPrice(
                        constraint=one.constraint, count=one.count, cost=one.cost, duration_s=one.duration_s,
                        distance_m=one.length_m, saved_vehicles=one.vehicles, served_count=one.served,
                        words=price_in_words(one),
                    )
                    for one in answer.prices.prices
                ]  # fmt: skip
                yield pb.PriceConstraintsResponse(
                    prices=prices, progress=answer.prices.doing or "done", elapsed_s=time.monotonic() - began,
                    final=answer.final, cost_delta=-answer.prices.improvement, stamp=stamp,
                )  # fmt: skip

    async def ComparePlans(self, request: pb.ComparePlansRequest, context: Context) -> pb.ComparePlansResponse:  # noqa: N802, ARG002
        """How two plans differ."""
        before, after = [await self._referred(one) for one in (request.before, request.after)]
        return pb.ComparePlansResponse(comparison=await run_in_thread(compare, before, after))

    async def _referred(self, reference: pb.PlanReference) -> plan_pb2.Plan:
        if reference.WhichOneof("source") == "plan":
            return reference.plan
        stored = await self._store.get(reference.rounds_id, current_principal().tenant)
        plan = planned(stored)
        mapped, built = await self._live.kept.times(stored.job.id, stored.problem, stored.reported.incidents)
        legs = LegSource(self._city, built, geometry=False)
        return await run_in_thread(plan_to_proto, plan, mapped, legs, stored.version, stored.reported.done)

"""`SignalsService`: read, ask the control room, answer."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import numpy.typing as npt
from traboule.common.v1 import stamp_pb2, time_pb2
from traboule.signals.v1 import control_pb2, performance_pb2, signals_service_pb2_grpc
from traboule.signals.v1 import signals_service_pb2 as pb

from services.common.clock import CityClock
from services.common.deadline import run_in_thread
from services.common.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied, ServiceError
from services.common.identity import current_principal
from services.common.rules import Role
from services.signals.audit import AuditLog
from services.signals.control_loop import ControlLoop
from services.signals.mapping import (
    MODE_FROM_PROTO,
    find_group,
    read_intersection,
    read_plan,
    unique,
    write_finding,
    write_plan,
)  # fmt: skip
from services.signals.modes import find_obstacle_uncontrolled
from services.signals.optimise import build_plans, share_demand
from services.signals.room import ControlRoom
from services.signals.site import ControlledSite
from services.signals.status import CLASS_TO_PROTO, build_status, write_priority
from traffic_lights.api import check_plan
from traffic_lights.errors import SignalsError
from traffic_lights.priority import PriorityRequest

HOUR_S = 3600
PRIORITY_AHEAD_S = 1800
_CLASS_FROM_PROTO = {value: key for key, value in CLASS_TO_PROTO.items()}
PAGE_TOKEN = re.compile(r"[0-9]{1,18}")


class SignalsServicer(signals_service_pb2_grpc.SignalsServiceServicer):
    """Traffic signals of one city.

    Parameters
    ----------
    room : ControlRoom
    loop : ControlLoop
    audit : AuditLog
    clock : CityClock
    stamp : stamp_pb2.AnswerStamp
        City and snapshot, copied into answers.
    """

    def __init__(
        self, room: ControlRoom, loop: ControlLoop, audit: AuditLog, clock: CityClock, stamp: stamp_pb2.AnswerStamp
    ) -> None:
        self._room, self._loop, self._audit, self._clock, self._stamp = room, loop, audit, clock, stamp
        self._owners: dict[str, str] = {}

    async def ImportIntersections(self, request: Any, context: Any) -> pb.ImportIntersectionsResponse:  # noqa: ARG002, D102, N802
        messages, only = list(request.intersections), request.validate_only
        created, updated, findings = await self._room.import_all(messages, validate_only=True)
        if not findings and not only:
            self._loop.require_control()
            for x in messages:
                await self._order("import_intersection", x.intersection_id, f"{len(x.stages)} stages")
            created, updated, findings = await self._room.import_all(messages, validate_only=False)
        return pb.ImportIntersectionsResponse(created_count=created, updated_count=updated, findings=findings)

    async def ListIntersections(self, request: Any, context: Any) -> pb.ListIntersectionsResponse:  # noqa: ARG002, D102, N802
        size, now = request.page_size or 100, self._clock.now()
        response = pb.ListIntersectionsResponse(stamp=self._now_stamp())
        area = request.area if request.HasField("area") else None
        for name in self._room.list_ids():
            if name <= request.page_token:
                continue
            try:
                x = self._room.describe(name)
            except SignalsError:
                continue  # a site whose geometry makes no safe intersection
            at = x.location
            if area is not None and not (
                area.south_deg <= at.lat_deg <= area.north_deg and area.west_deg <= at.lon_deg <= area.east_deg
            ):
                continue
            if len(response.intersections) == size:
                response.next_page_token = response.intersections[-1].intersection_id
                break
            summary = response.intersections.add(
                intersection_id=name, name=x.name, location=at, derived_from_map=x.derived_from_map
            )
            site = self._loop.sites.get(name)
            summary.not_active_reason = find_obstacle_uncontrolled(x)
            if site is not None:
                summary.status.CopyFrom(build_status(site, now))
                summary.not_active_reason = summary.status.not_active_reason
        return response

    async def GetIntersection(self, request: Any, context: Any) -> pb.GetIntersectionResponse:  # noqa: ARG002, D102, N802
        x = self._room.describe(request.intersection_id)
        response = pb.GetIntersectionResponse(intersection=x, stamp=self._now_stamp())
        site = self._loop.sites.get(request.intersection_id)
        if site is not None:
            response.status.CopyFrom(build_status(site, self._clock.now()))
        return response

    async def ValidatePlan(self, request: Any, context: Any) -> pb.ValidatePlanResponse:  # noqa: ARG002, D102, N802
        given = request.HasField("intersection")
        message = request.intersection if given else self._room.describe(request.plan.intersection_id)
        try:
            x = read_intersection(message)
            found = check_plan(x, read_plan(request.plan, x))
        except (SignalsError, ServiceError) as error:
            return pb.ValidatePlanResponse(findings=[write_finding("invalid", str(error), str(error.field or ""))])
        findings = [write_finding("guard_would_change", text, "plan.entries") for text in found]
        return pb.ValidatePlanResponse(valid=not findings, findings=findings)

    async def OptimisePlans(self, request: Any, context: Any) -> pb.OptimisePlansResponse:  # noqa: ARG002, D102, N802
        sites = [self._room.look_at(name) for name in request.intersection_ids]
        xs = [site.intersection for site in sites]
        demands = [self._demand(site, request) for site in sites]
        result = await run_in_thread(
            build_plans, xs, demands, min_cycle_s=request.min_cycle_s or 40, max_cycle_s=request.max_cycle_s or 120,
            time_limit_s=request.time_limit_s or 10.0,
        )  # fmt: skip
        response = pb.OptimisePlansResponse(
            forward_band_s=result.forward_band_s, backward_band_s=result.backward_band_s, stamp=self._now_stamp()
        )
        for x, webster, demand in zip(xs, result.plans, demands, strict=True):
            plan = write_plan(webster.plan, x)
            out = response.plans.add(plan=plan)
            out.expected.intersection_id = x.id
            out.expected.mean_delay_s, out.expected.throughput_vph = webster.mean_delay_s, float(demand.sum())
            out.expected.basis = performance_pb2.Performance.BASIS_ANALYTIC
            if webster.oversaturated:
                text = f"demand exceeds capacity (critical flow ratio {webster.flow_ratio:.2f}): queues will grow"
                out.findings.append(write_finding("oversaturated", text, forbidding=False))
            found = check_plan(x, webster.plan)
            out.findings.extend(write_finding("guard_would_change", text, "plan.entries") for text in found)
            if request.store and not found:
                self._loop.require_control()
                await self._order("store_plan", x.id, f"{plan.plan_id}, cycle {plan.cycle_s} s, offset {plan.offset_s} s")
                await self._room.store_plan(x.id, plan, webster.plan)
        return response

    async def ControlIntersections(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: ARG002, D102, N802
        wanted: set[str] = set()
        rejections: list[str] = []
        queue: asyncio.Queue[list[control_pb2.SignalCommand]] | None = None
        self._loop.require_control()
        who = str(current_principal())

        async def read() -> None:
            nonlocal queue
            async for request in requests:
                for name in request.intersection_ids:
                    self._room.control(name)
                if request.intersection_ids:
                    wanted.update(request.intersection_ids)
                    if queue is not None:
                        self._loop.replace(queue, wanted)
                    else:
                        queue = self._loop.subscribe(wanted)
                elif queue is None:
                    raise InvalidInput("the first message must name the intersections meant", field="intersection_ids")
                _, refused = self._loop.accept(request.detections, request.reports, who)
                rejections.extend(refused)

        reader = asyncio.ensure_future(read())
        try:
            while not reader.done() or reader.exception() is None:
                if queue is None:
                    await asyncio.wait([reader], timeout=0.02)
                    if reader.done() and queue is None:
                        break
                    continue
                waiting = asyncio.ensure_future(queue.get())
                await asyncio.wait([waiting] if reader.done() else [waiting, reader], return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    waiting.cancel()
                    if reader.done():
                        break  # the caller has nothing more to say: it is gone, or made a mistake
                    continue
                said, rejections = rejections[:1000], []
                yield pb.ControlIntersectionsResponse(commands=waiting.result(), rejections=said, sent_unix_ms=self._now_ms())
            if reader.done() and not reader.cancelled() and (error := reader.exception()) is not None:
                raise error
        finally:
            reader.cancel()
            if queue is not None:
                self._loop.unsubscribe(queue)

    async def SendDetections(self, request: Any, context: Any) -> pb.SendDetectionsResponse:  # noqa: ARG002, D102, N802
        self._loop.require_control()
        used, rejections = self._loop.accept(request.detections, request.reports, str(current_principal()))
        return pb.SendDetectionsResponse(accepted_count=used, rejections=rejections)

    async def WatchCommands(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ARG002, D102, N802
        self._loop.require_control()
        for name in request.intersection_ids:
            self._room.control(name)
        async for commands in self._loop.listen(list(request.intersection_ids)):
            yield pb.WatchCommandsResponse(commands=commands, sent_unix_ms=self._now_ms())

    async def SetMode(self, request: Any, context: Any) -> pb.SetModeResponse:  # noqa: ARG002, D102, N802
        mode, names = MODE_FROM_PROTO[request.mode], list(request.intersection_ids)
        self._loop.require_control()
        # Every order is on record before it takes effect.
        for site in self._room.check_mode(names, mode):
            detail = f"{site.controller.mode.name} → {mode.name}" + (f": {request.reason}" if request.reason else "")
            await self._order("set_mode", site.intersection.id, detail)
        sites = await self._room.set_mode(names, mode)
        return pb.SetModeResponse(statuses=[build_status(site, self._clock.now()) for site in sites])

    async def OverrideStage(self, request: Any, context: Any) -> pb.OverrideStageResponse:  # noqa: ARG002, D102, N802
        site = self._room.control(request.intersection_id)
        stage = site.intersection.stage_index(request.stage_id)
        if stage is None:
            raise InvalidInput(f"{request.intersection_id} has no stage {request.stage_id!r}", field="stage_id")
        until = int(self._clock.now()) + request.duration_s
        self._loop.require_control()
        detail = f"{request.stage_id} for {request.duration_s} s: {request.reason}"
        await self._order("override_stage", request.intersection_id, detail)
        site.controller.override(stage, until)
        site.override = control_pb2.StageOverride(
            stage_id=request.stage_id, until_unix_s=until, ordered_by=str(current_principal()), reason=request.reason
        )
        return pb.OverrideStageResponse(status=build_status(site, self._clock.now()))

    async def ClearOverride(self, request: Any, context: Any) -> pb.ClearOverrideResponse:  # noqa: ARG002, D102, N802
        site = self._room.control(request.intersection_id)
        self._loop.require_control()
        await self._order("clear_override", request.intersection_id, "")
        site.controller.clear_override()
        site.override = None
        return pb.ClearOverrideResponse(status=build_status(site, self._clock.now()))

    async def RequestPriority(self, request: Any, context: Any) -> pb.RequestPriorityResponse:  # noqa: ARG002, D102, N802
        wish, now = request.priority, self._clock.now()
        site = self._room.control(wish.intersection_id)
        x = site.intersection
        group = find_group(x, wish.signal_group_id)
        if wish.arrival_unix_s < now - 60:
            raise InvalidInput("the vehicle arrived more than a minute ago", field="priority.arrival_unix_s")
        if wish.arrival_unix_s > now + PRIORITY_AHEAD_S:
            raise InvalidInput(
                f"the vehicle arrives in more than {PRIORITY_AHEAD_S // 60} minutes: ask again when it is nearer",
                field="priority.arrival_unix_s",
            )
        who, emergency = current_principal(), control_pb2.PriorityRequest.VEHICLE_CLASS_EMERGENCY
        if wish.vehicle_class == emergency and who.role is not Role.TRAFFIC_CONTROL:
            raise PermissionDenied("priority for emergency vehicles is for TRAFFIC_CONTROL to ask for")
        if self._owners.get(wish.priority_id, who.tenant) != who.tenant:
            raise PermissionDenied(f"the request for priority {wish.priority_id!r} is another's")
        self._loop.require_control()
        engine = PriorityRequest(
            wish.priority_id or uuid.uuid4().hex, group, wish.arrival_unix_s, _CLASS_FROM_PROTO[wish.vehicle_class]
        )
        vehicle = " ".join(filter(None, (engine.vehicle_class.name, wish.vehicle_id)))
        await self._order("request_priority", x.id, f"{vehicle} for {wish.signal_group_id}")
        site.controller.request_priority(engine)
        self._remember_owner(engine.id, who.tenant)
        wait = max(0, int(site.controller.guard.tables.transition_bound_s.max()) - (wish.arrival_unix_s - int(now)))
        return pb.RequestPriorityResponse(
            priority=write_priority(engine, x.id, wish.signal_group_id), granted=True, expected_wait_s=wait,
            explanation="the green is extended, or brought forward, as far as the guard allows",
        )  # fmt: skip

    async def CancelPriority(self, request: Any, context: Any) -> pb.CancelPriorityResponse:  # noqa: ARG002, D102, N802
        who = current_principal()
        mine = who.role is Role.TRAFFIC_CONTROL or self._owners.get(request.priority_id) == who.tenant
        for site in self._loop.sites.values() if mine else ():
            if site.controller.cancel_priority(request.priority_id):
                await self._order("cancel_priority", site.intersection.id, request.priority_id)
                return pb.CancelPriorityResponse()
        raise NotFound(f"there is no request for priority {request.priority_id!r}", field="priority_id")

    async def GetPerformance(self, request: Any, context: Any) -> pb.GetPerformanceResponse:  # noqa: ARG002, D102, N802
        begin, end = self._span(request.period)
        names = unique(request.intersection_ids) or sorted(self._loop.sites)
        figures = [self._room.look_at(name).book.summarise(begin, end) for name in names]
        return pb.GetPerformanceResponse(performances=figures, stamp=self._now_stamp())

    async def GetAudit(self, request: Any, context: Any) -> pb.GetAuditResponse:  # noqa: ARG002, D102, N802
        if request.page_token and not PAGE_TOKEN.fullmatch(request.page_token):
            raise InvalidInput("not a page token of GetAudit", field="page_token")
        entries, more = await self._audit.read(
            after=int(request.page_token or 0), count=request.page_size or 100, intersection_id=request.intersection_id,
            from_s=request.period.start_unix_s, to_s=request.period.end_unix_s,
        )  # fmt: skip
        token = str(entries[-1].sequence) if more and entries else ""
        return pb.GetAuditResponse(entries=entries, next_page_token=token, chain_intact=await self._audit.is_intact())

    def _remember_owner(self, priority_id: str, tenant: str) -> None:
        """Who asked for a priority; owners of requests that are over are forgotten."""
        alive = {r.id for site in self._loop.sites.values() for r in site.controller.priorities}
        self._owners = {k: v for k, v in self._owners.items() if k in alive} | {priority_id: tenant}

    async def _order(self, action: str, intersection_id: str, detail: str) -> None:
        await self._audit.append_order(current_principal(), int(self._clock.now()), action, intersection_id, detail)

    def _demand(self, site: ControlledSite, request: pb.OptimisePlansRequest) -> npt.NDArray[np.float64]:
        """Demand given for an intersection, else the one observed."""
        x = site.intersection
        given = {find_group(x, d.signal_group_id): d.flow_vph for d in request.demands if d.intersection_id in ("", x.id)}
        if given:
            return share_demand(x, given)
        begin, end = self._span(request.period)
        observed = site.book.summarise(begin, end)
        if observed.vehicle_count == 0:
            raise FailedPrecondition(f"nothing was observed at {x.id} in this period; give its demand", field="demands")
        lanes = np.array([m.lanes for m in x.movements])
        return np.asarray(observed.throughput_vph * lanes / lanes.sum(), np.float64)

    def _span(self, period: time_pb2.TimeRange) -> tuple[int, int]:
        end = period.end_unix_s or int(self._clock.now()) + 1
        return period.start_unix_s or end - HOUR_S, end

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)

    def _now_stamp(self) -> stamp_pb2.AnswerStamp:
        stamp = stamp_pb2.AnswerStamp()
        stamp.CopyFrom(self._stamp)
        stamp.generated_unix_s = int(self._clock.now())
        return stamp

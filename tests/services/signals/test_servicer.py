"""SignalsService over real gRPC and a real state server: import, control, modes, override, audit, plans."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import grpc
import pytest
from traboule.common.v1 import stamp_pb2
from traboule.signals.v1 import control_pb2, signals_service_pb2_grpc
from traboule.signals.v1 import signals_service_pb2 as pb

from services.common.clock import CityClock
from services.common.identity import Principal
from services.common.rules import Role
from services.common.state import State
from services.common.state.embedded import EmbeddedState
from services.signals.audit import LOG, AuditLog, CommandSigner, verify_command
from services.signals.config import SignalsConfig
from services.signals.control_loop import ControlLoop
from services.signals.lease import Lease
from services.signals.mapping import write_intersection
from services.signals.room import ControlRoom
from services.signals.servicer import SignalsServicer
from tests.builders.servers import channel_of, config_for, grpc_server, state_of
from tests.builders.signals import find_violations, junction, limits_of
from tests.builders.waiting import PATIENCE_S
from traffic_lights.build import build_intersection

_ROLE = Role.TRAFFIC_CONTROL


@dataclass
class Desk:
    """One running service and a client."""

    stub: Any
    room: ControlRoom
    loop: ControlLoop
    state: State
    signer: CommandSigner


def _authority(name: str = "k1") -> Any:
    """An intersection as an authority would import it: detectors on every vehicle group, not derived from a map."""
    message = write_intersection(build_intersection(junction(0, 90, 180, 270, name=name)), derived=True)
    message.derived_from_map = False
    return message


@asynccontextmanager
async def _desk(servers: EmbeddedState, city: str | None = None) -> AsyncIterator[Desk]:
    config = config_for(servers.home)
    clock = CityClock()
    signer = CommandSigner.from_file(servers.home / "keys" / "signals.pem")
    stamp = stamp_pb2.AnswerStamp(city="drawn")
    # The service's own user at the state servers: the others may not write commands or their audit.
    own = {name.removeprefix("TRABOULE_"): url for name, url in servers.environment("signals").items()}
    async with state_of(servers, city, **own) as state:
        audit = AuditLog(state)
        lease = Lease(state)
        loop = ControlLoop(clock, signer, audit, SignalsConfig(), lease)
        room = ControlRoom(None, loop, state)
        loop.on_control = room.restore
        assert await lease.attempt()
        assert await loop.take_control()

        def register(server: grpc.aio.Server) -> list[str]:
            servicer = SignalsServicer(room, loop, audit, clock, stamp)
            signals_service_pb2_grpc.add_SignalsServiceServicer_to_server(servicer, server)
            return ["traboule.signals.v1.SignalsService"]

        async with grpc_server(config, register) as server, channel_of(server, config, _ROLE) as channel:
            yield Desk(signals_service_pb2_grpc.SignalsServiceStub(channel), room, loop, state, signer)
        await lease.release()


def _values(x: Any, now_ms: int, queue: dict[str, float]) -> list[control_pb2.Detection]:
    return [
        control_pb2.Detection(
            intersection_id=x.intersection_id, detector_id=d.detector_id, observed_unix_ms=now_ms,
            queue_vehicles=queue.get(d.signal_group_ids[0], 0.0), vehicle_count=1,
        )
        for d in x.detectors
    ]  # fmt: skip


async def test_commands_are_safe_signed_and_audited(servers: EmbeddedState) -> None:
    """A minute of ACTIVE control: every command verifies, the states pass the checker, the audit chain is whole."""
    async with _desk(servers) as desk:
        x = _authority()
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[x]))
        answer = await desk.stub.SetMode(
            pb.SetModeRequest(intersection_ids=["k1"], mode=control_pb2.CONTROL_MODE_ACTIVE, reason="trial")
        )
        assert answer.statuses[0].mode == control_pb2.CONTROL_MODE_ACTIVE
        start = int(desk.room.loop.clock.now())
        desk.loop.subscribe(["k1"])
        commands, shown, states = [], bytes(len(x.signal_groups)), []
        numbers = {g.signal_group_id: i for i, g in enumerate(x.signal_groups)}
        for t in range(start, start + 200):
            for value in _values(x, t * 1000, {"v0": 8.0}):
                assert desk.loop.sites["k1"].board.accept(value, t) is None
            for command in await desk.loop.tick(t):
                commands.append(command)
                state = bytearray(shown)
                for a in command.aspects:
                    state[numbers[a.signal_group_id]] = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4}[a.aspect]
                shown = bytes(state)
            states.append(shown)
        assert {c.source for c in commands} >= {control_pb2.SignalCommand.SOURCE_ADAPTIVE}
        assert all(verify_command(c, desk.signer.public_key) for c in commands)
        commands[0].stage_id += "x"
        assert not verify_command(commands[0], desk.signer.public_key)
        assert find_violations(limits_of(desk.loop.sites["k1"].intersection), states) == []
        entries, token = [], ""
        while True:
            page = await desk.stub.GetAudit(pb.GetAuditRequest(page_token=token, page_size=50))
            assert page.chain_intact
            entries += page.entries
            token = page.next_page_token
            if not token:
                break
        assert [e.sequence for e in entries] == list(range(1, len(entries) + 1))
        assert all(b.previous_hash == a.hash for a, b in pairwise(entries))
        assert [e.action for e in entries[:2]] == ["import_intersection", "set_mode"]
        assert {e.action for e in entries[2:4]} == {"take_control", "resume"}
        numbered = list(dict.fromkeys(c.sequence for c in commands))
        assert [e.command.sequence for e in entries if e.action == "command"] == numbered
        assert len(numbered) < len(commands), "commands repeated unchanged keep their number and are not written again"
        assert all(b == a + 1 for a, b in pairwise(numbered))
        assert "green: " in entries[-1].detail
        performance = await desk.stub.GetPerformance(pb.GetPerformanceRequest())
        assert performance.performances[0].vehicle_count > 0
        assert performance.performances[0].mode_share["active"] > 0.8


async def test_tampered_audit_is_noticed(servers: EmbeddedState) -> None:
    """Changing one stored entry breaks the chain that GetAudit reports."""
    async with _desk(servers) as desk:
        audit = AuditLog(desk.state)
        for k in range(3):
            await audit.append_order(Principal("t", _ROLE, "s", "jwt"), k, "set_mode", "k1", f"{k}")
        assert await audit.is_intact()
        connection = desk.state.audit.connection
        key = desk.state.audit.keys.audit(LOG)
        entries = await connection.read("XRANGE", key, "-", "+")
        await connection.execute("XDEL", key, entries[1][0])
        assert not (await desk.stub.GetAudit(pb.GetAuditRequest())).chain_intact


@pytest.mark.parametrize("token", ["x", "-1", "²", "9" * 40])
async def test_page_tokens_that_were_never_given_are_refused(servers: EmbeddedState, token: str) -> None:
    """Not numbers, numbers of other alphabets, numbers beyond all logs."""
    async with _desk(servers) as desk:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await desk.stub.GetAudit(pb.GetAuditRequest(page_token=token))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_control_stream_answers_detections_with_commands(servers: EmbeddedState) -> None:
    """The bidirectional stream returns commands of the intersections named, and says which detections it did not use."""
    async with _desk(servers) as desk:
        x = _authority()
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[x]))
        now = int(desk.loop.clock.now())
        running = asyncio.ensure_future(desk.loop.run())
        call = desk.stub.ControlIntersections(timeout=PATIENCE_S)
        await call.write(pb.ControlIntersectionsRequest(intersection_ids=["k1"], detections=_values(x, now * 1000, {})))
        await call.write(
            pb.ControlIntersectionsRequest(
                detections=[control_pb2.Detection(intersection_id="k1", detector_id="ghost", observed_unix_ms=now * 1000)]
            )
        )
        answer = await call.read()
        assert answer.commands[0].intersection_id == "k1"
        assert len(answer.commands[0].aspects) == len(x.signal_groups)
        while not answer.rejections:  # a second may pass between the two messages
            answer = await call.read()
        assert any("ghost" in text for text in answer.rejections)
        await call.done_writing()
        running.cancel()
        bad = desk.stub.ControlIntersections(timeout=PATIENCE_S)
        await bad.write(pb.ControlIntersectionsRequest())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await bad.read()
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_override_priority_and_restart(servers: EmbeddedState) -> None:
    """Orders take effect and are on record; imports and modes survive a restart of the service."""
    async with _desk(servers, "restarting") as desk:
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[_authority("k7")]))
        await desk.stub.SetMode(pb.SetModeRequest(intersection_ids=["k7"], mode=control_pb2.CONTROL_MODE_ACTIVE))
        status = await desk.stub.OverrideStage(
            pb.OverrideStageRequest(intersection_id="k7", stage_id="s2", duration_s=60, reason="parade")
        )
        assert status.status.override.stage_id == "s2"
        start = int(desk.loop.clock.now())
        for t in range(start, start + 50):
            await desk.loop.tick(t)
        found = await desk.stub.GetIntersection(pb.GetIntersectionRequest(intersection_id="k7"))
        assert found.status.stage_id == "s2"
        granted = await desk.stub.RequestPriority(
            pb.RequestPriorityRequest(
                priority=control_pb2.PriorityRequest(
                    intersection_id="k7", signal_group_id="v0", arrival_unix_s=start + 90,
                    vehicle_class=control_pb2.PriorityRequest.VEHICLE_CLASS_EMERGENCY,
                )
            )
        )  # fmt: skip
        await desk.stub.CancelPriority(pb.CancelPriorityRequest(priority_id=granted.priority.priority_id))
    async with _desk(servers, "restarting") as desk:
        found = await desk.stub.GetIntersection(pb.GetIntersectionRequest(intersection_id="k7"))
        assert found.status.mode == control_pb2.CONTROL_MODE_ACTIVE


async def test_bad_requests_say_which_field(servers: EmbeddedState) -> None:
    """Unknown ids, contradictory limits and forbidden modes get the right status; a bad import changes nothing."""
    async with _desk(servers) as desk:
        bad = _authority("bad")
        del bad.intergreens[:]
        answer = await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[_authority("good"), bad]))
        assert answer.findings[0].field_path == "intersections[1].intergreens"
        assert (answer.created_count, answer.updated_count) == (0, 0)
        assert (await desk.stub.ListIntersections(pb.ListIntersectionsRequest())).intersections == []
        mapped = _authority("map")
        mapped.derived_from_map = True
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[mapped]))
        cases = [
            (desk.stub.GetIntersection(pb.GetIntersectionRequest(intersection_id="no")), grpc.StatusCode.NOT_FOUND),
            (
                desk.stub.SetMode(pb.SetModeRequest(intersection_ids=["map"], mode=control_pb2.CONTROL_MODE_ACTIVE)),
                grpc.StatusCode.FAILED_PRECONDITION,
            ),
            (
                desk.stub.OverrideStage(
                    pb.OverrideStageRequest(intersection_id="map", stage_id="zz", duration_s=5, reason="r")
                ),
                grpc.StatusCode.INVALID_ARGUMENT,
            ),
            (desk.stub.OptimisePlans(pb.OptimisePlansRequest(intersection_ids=["map"])), grpc.StatusCode.FAILED_PRECONDITION),
        ]
        for call, code in cases:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is code
        listed = (await desk.stub.ListIntersections(pb.ListIntersectionsRequest())).intersections
        assert "derived from a map" in listed[0].not_active_reason
        assert not listed[0].status.commands_taken


async def test_active_needs_detectors_that_see_every_movement(servers: EmbeddedState) -> None:
    """A junction of which a part is blind is refused with the names; one imported anew without them falls back to FIXED."""
    async with _desk(servers) as desk:
        whole, blind = _authority("seen"), _authority("seen")
        del blind.detectors[1:]
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[blind]))
        order = pb.SetModeRequest(intersection_ids=["seen"], mode=control_pb2.CONTROL_MODE_ACTIVE)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await desk.stub.SetMode(order)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "no loop or area detector for signal group v1, v2, v3" in str(caught.value.details())
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[whole]))
        assert (await desk.stub.SetMode(order)).statuses[0].not_active_reason == ""
        whole.derived_from_map = True
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[whole]))
        found = await desk.stub.GetIntersection(pb.GetIntersectionRequest(intersection_id="seen"))
        assert found.status.mode == control_pb2.CONTROL_MODE_FIXED
        await desk.loop.tick(int(desk.loop.clock.now()))
        entries = (await desk.stub.GetAudit(pb.GetAuditRequest())).entries
        assert any("FIXED instead of ACTIVE" in e.detail for e in entries)


async def test_reading_puts_nothing_under_control_and_yellow_is_long_enough(servers: EmbeddedState) -> None:
    """GetPerformance of a junction that nobody controls is empty; a yellow of two seconds is not imported."""
    async with _desk(servers) as desk:
        short = _authority("k1")
        short.signal_groups[0].clearing_s = 2
        answer = await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[short]))
        assert answer.findings[0].field_path == "intersections[0].signal_groups[0].clearing_s"
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[_authority("k1")]))
        del desk.loop.sites["k1"]  # as a junction of the map is before the first order
        answer = await desk.stub.GetPerformance(pb.GetPerformanceRequest(intersection_ids=["k1"]))
        assert answer.performances[0].vehicle_count == 0
        assert desk.loop.sites == {}


async def test_a_service_that_stands_by_refuses_orders(servers: EmbeddedState) -> None:
    """Reading works; orders, detections and streams are UNAVAILABLE and say who commands."""
    async with _desk(servers, "two") as desk:
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[_authority("k1")]))
        await desk.loop.lease.release()
        assert await Lease(desk.state, holder="another").attempt()
        assert not await desk.loop.lease.attempt()
        assert len((await desk.stub.ListIntersections(pb.ListIntersectionsRequest())).intersections) == 1
        calls = [
            desk.stub.SetMode(pb.SetModeRequest(intersection_ids=["k1"], mode=control_pb2.CONTROL_MODE_SHADOW)),
            desk.stub.OverrideStage(pb.OverrideStageRequest(intersection_id="k1", stage_id="s1", duration_s=5, reason="r")),
            desk.stub.SendDetections(pb.SendDetectionsRequest()),
            desk.stub.WatchCommands(pb.WatchCommandsRequest()).read(),
        ]
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "another" in str(caught.value.details())


async def test_priority_is_bounded_in_time(servers: EmbeddedState) -> None:
    """A vehicle that arrives in a day cannot occupy a place until then."""
    async with _desk(servers) as desk:
        await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[_authority("k1")]))
        wish = control_pb2.PriorityRequest(
            intersection_id="k1", signal_group_id="v0", arrival_unix_s=int(desk.loop.clock.now()) + 86400,
            vehicle_class=control_pb2.PriorityRequest.VEHICLE_CLASS_BUS,
        )  # fmt: skip
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await desk.stub.RequestPriority(pb.RequestPriorityRequest(priority=wish))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "ask again" in str(caught.value.details())


async def test_optimised_plans_are_valid_and_coordinated(servers: EmbeddedState) -> None:
    """Plans of three intersections share a cycle, pass ValidatePlan, and a bad plan does not."""
    async with _desk(servers) as desk:
        names = ["c1", "c2", "c3"]
        for k, name in enumerate(names):
            x = _authority(name)
            x.location.lat_deg, x.location.lon_deg = 41.15, -8.6 + 0.003 * k
            await desk.stub.ImportIntersections(pb.ImportIntersectionsRequest(intersections=[x]))
        request = pb.OptimisePlansRequest(intersection_ids=names, store=True)
        for group, flow in (("v0", 120), ("v1", 400), ("v2", 120), ("v3", 400)):
            request.demands.add(signal_group_id=group, flow_vph=flow)
        answer = await desk.stub.OptimisePlans(request)
        assert len({p.plan.cycle_s for p in answer.plans}) == 1
        assert answer.forward_band_s > 0
        assert answer.plans[0].expected.mean_delay_s > 0
        for out in answer.plans:
            assert (await desk.stub.ValidatePlan(pb.ValidatePlanRequest(plan=out.plan))).valid
        short = answer.plans[0].plan
        short.entries[1].start_s = 1
        assert not (await desk.stub.ValidatePlan(pb.ValidatePlanRequest(plan=short))).valid
        assert desk.loop.sites["c2"].controller.plan.offset_s == answer.plans[1].plan.offset_s

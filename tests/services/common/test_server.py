"""The server as callers see it: rich errors, identity, deadlines, health, drain, ports. All over real connections."""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from traboule.feeds.v1 import feeds_service_pb2 as pb
from traboule.feeds.v1.feeds_service_pb2_grpc import FeedsServiceStub

from services.common import endpoints
from services.common.deadline import current_deadline, run_in_thread
from services.common.errors import (
    AlreadyExists,
    InvalidInput,
    NotFound,
    PortInUse,
    ServiceError,
    StaleData,
    Unavailable,
    Unimplemented,
)
from services.common.identity import Principal, current_principal
from services.common.rules import Role
from services.common.server import RunningServer, serve
from services.common.status import describe_error, read_problem
from tests.builders.city_service import SERVICE, Answer, DrawnServicer, registering
from tests.builders.servers import channel_of, config_for, grpc_server
from tests.builders.waiting import PATIENCE_S, soon, until

REQUEST = pb.GetFeedRequest(feed_id="stcp")


class EngineError(Exception):
    """An engine's error: knows kinds, knows nothing of this server."""

    kind = "out_of_range"
    field = "departure"


@contextlib.asynccontextmanager
async def _serving(
    home: Path, answer: Answer, role: Role | None = None, **variables: str
) -> AsyncIterator[tuple[Any, Any, Any]]:
    servicer = DrawnServicer(answer)
    config = config_for(home, **variables)
    async with grpc_server(config, registering(servicer)) as server, channel_of(server, config, role) as channel:
        yield FeedsServiceStub(channel), servicer, server  # type: ignore[arg-type]


async def _nothing(_request: Any, _context: Any) -> None:
    return None


def _raising(error: Exception) -> Answer:
    async def answer(_request: Any, _context: Any) -> None:
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "code", "field", "retry_s"),
    [
        (InvalidInput("no such stop", field="stops[2]"), "INVALID_ARGUMENT", "stops[2]", None),
        (NotFound("no feed stcp"), "NOT_FOUND", "", None),
        (AlreadyExists("there is one"), "ALREADY_EXISTS", "", None),
        (StaleData("positions are 90 s old"), "FAILED_PRECONDITION", "", None),
        (Unavailable("state is away", retry_after_s=2.5), "UNAVAILABLE", "", 2.5),
        (Unimplemented("not here"), "UNIMPLEMENTED", "", None),
        (EngineError("after the calendar's end"), "OUT_OF_RANGE", "departure", None),
        (ServiceError("something of ours"), "INTERNAL", "", None),
        (TimeoutError(), "DEADLINE_EXCEEDED", "", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_errors_arrive_as_rich_statuses(
    tmp_path: Path, error: Exception, code: str, field: str, retry_s: float | None
) -> None:
    """Code, sentence, field path, name and retry time come through to the client."""
    async with _serving(tmp_path, _raising(error)) as (feeds, _, _):
        with pytest.raises(grpc.RpcError) as caught:
            await feeds.GetFeed(REQUEST, metadata=(("x-request-id", "abc-1"),))
    problem = read_problem(caught.value)
    assert (problem.code.name, problem.retry_after_s, problem.request_id) == (code, retry_s, "abc-1")
    assert problem.violations == (((field, str(error)),) if field else ())
    assert str(error) in problem.message
    assert problem.message.split("(")[0] in describe_error(caught.value)


async def test_unforeseen_errors_tell_nothing_of_the_inside(tmp_path: Path) -> None:
    """The caller gets a request id to quote, not the exception's text."""
    async with _serving(tmp_path, _raising(ZeroDivisionError("secret path /etc"))) as (feeds, _, _):
        with pytest.raises(grpc.RpcError) as caught:
            await feeds.GetFeed(REQUEST)
    problem = read_problem(caught.value)
    assert problem.code is grpc.StatusCode.INTERNAL
    assert "secret" not in problem.message
    assert problem.request_id in problem.message
    assert len(problem.request_id) == 16


async def test_requests_against_the_contract_never_reach_the_servicer(tmp_path: Path) -> None:
    """All violated rules with their field paths, for single requests and streams of them."""
    async with _serving(tmp_path, _raising(AssertionError("reached"))) as (feeds, servicer, _):
        with pytest.raises(grpc.RpcError) as caught:
            await feeds.GetFeed(pb.GetFeedRequest())
        problem = read_problem(caught.value)
        assert problem.code is grpc.StatusCode.INVALID_ARGUMENT
        assert [field for field, _ in problem.violations] == ["feed_id"]

        async def requests() -> AsyncIterator[pb.PushFeedRequest]:
            yield pb.PushFeedRequest(feed_id="a", chunk=b"x")
            yield pb.PushFeedRequest(feed_id="a" * 64)

        with pytest.raises(grpc.RpcError) as caught:
            await feeds.PushFeed(requests())
        assert read_problem(caught.value).violations[0][0] == "feed_id"
        assert servicer.received == 1


async def test_servicers_know_the_caller(tmp_path: Path) -> None:
    """The token's tenant and role reach the servicer; roles without the right are turned away before it."""
    seen: list[Principal] = []

    async def answer(_request: Any, _context: Any) -> None:
        seen.append(current_principal())

    async with _serving(tmp_path, answer, Role.LOGISTICS) as (feeds, _, server):
        await feeds.GetFeed(REQUEST)
        assert (seen[0].tenant, seen[0].role, seen[0].method) == ("development", Role.LOGISTICS, "jwt")
        for metadata, code in (((), "UNAUTHENTICATED"), ((("authorization", "Bearer x"),), "UNAUTHENTICATED")):
            async with grpc.aio.insecure_channel(server.address) as bare:
                with pytest.raises(grpc.RpcError) as caught:
                    await FeedsServiceStub(bare).GetFeed(REQUEST, metadata=metadata)
                assert caught.value.code().name == code
        with pytest.raises(grpc.RpcError) as caught:
            await feeds.PushFeedFile(pb.PushFeedFileRequest(feed_id="a"))
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert len(seen) == 1


async def test_servicers_see_how_long_the_caller_waits(tmp_path: Path) -> None:
    """The caller's time, the server's own where the caller gives none, and never more than the server's maximum."""
    remaining: list[float] = []

    async def answer(_request: Any, _context: Any) -> None:
        remaining.append(current_deadline().remaining_s)

    limits = {"LIMITS_MAX_DEADLINE_S": "1000", "LIMITS_DEFAULT_DEADLINE_S": "500"}
    async with _serving(tmp_path, answer, **limits) as (feeds, _, _):
        for timeout_s in (200, None, 2000):
            await feeds.GetFeed(REQUEST, timeout=timeout_s)
    # gRPC rounds a caller's time up on its way, by as much as a second in these.
    assert remaining == pytest.approx([200, 500, 1000], abs=PATIENCE_S)
    assert max(remaining) <= 1000


class Endless:
    """Work in a thread that goes on until it is told that nobody waits; events say that it began and that it stopped."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.began, self.stopped = asyncio.Event(), asyncio.Event()

    def _work(self, should_stop: Any) -> None:
        self._loop.call_soon_threadsafe(self.began.set)
        while not should_stop():
            time.sleep(0.005)
        self._loop.call_soon_threadsafe(self.stopped.set)

    async def answer(self, _request: Any, _context: Any) -> None:
        """Answer of the servicer."""
        await run_in_thread(self._work, current_deadline().should_stop)


@pytest.mark.parametrize("timeout_s", [None, 600])
async def test_deadlines_stop_the_work(tmp_path: Path, timeout_s: float | None) -> None:
    """A call is cut off at the server's time, and the thread that works for it learns that nobody waits."""
    work = Endless()
    limits = {"LIMITS_MAX_DEADLINE_S": "0.5", "LIMITS_DEFAULT_DEADLINE_S": "0.3"}
    async with _serving(tmp_path, work.answer, **limits) as (feeds, _, _):
        with pytest.raises(grpc.RpcError) as caught:
            await feeds.GetFeed(REQUEST, timeout=timeout_s)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await soon(work.stopped.wait())


async def test_work_for_a_caller_that_left_stops(tmp_path: Path) -> None:
    """The thread learns it, long before any deadline."""
    work = Endless()
    async with _serving(tmp_path, work.answer, LIMITS_MAX_DEADLINE_S="600") as (feeds, _, _):
        call = feeds.GetFeed(REQUEST, timeout=600)
        await soon(work.began.wait())
        call.cancel()
        await soon(work.stopped.wait())


async def test_health_answers_while_all_threads_work(tmp_path: Path) -> None:
    """Work that releases the interpreter runs in threads; health checks do not wait for it."""
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        go_on.wait()

    async def answer(_request: Any, _context: Any) -> None:
        await run_in_thread(work)

    async with _serving(tmp_path, answer) as (feeds, _, server):
        calls = [asyncio.ensure_future(feeds.GetFeed(REQUEST)) for _ in range(8)]
        try:
            await until(lambda: begun.acquire(blocking=False), "the work")
            async with grpc.aio.insecure_channel(server.address) as channel:
                health = health_pb2_grpc.HealthStub(channel)
                for name in (SERVICE, ""):
                    await soon(health.Check(health_pb2.HealthCheckRequest(service=name)))
            assert not any(call.done() for call in calls)
        finally:
            go_on.set()
        await asyncio.gather(*calls)


async def test_reflection_lists_the_services(tmp_path: Path) -> None:
    """Tools like grpcurl find what is served without a token."""
    async with _serving(tmp_path, _nothing) as (_, _, server), grpc.aio.insecure_channel(server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        answers = [answer async for answer in stub.ServerReflectionInfo(requests)]
    assert SERVICE in {service.name for service in answers[0].list_services_response.service}


async def test_draining_ends_running_calls_well_and_sends_streams_away(tmp_path: Path) -> None:
    """Health says no first; a running call gets its answer; a stream ends with UNAVAILABLE and a time to try again."""
    running, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_request: Any, _context: Any) -> None:
        running.set()
        await go_on.wait()

    config = config_for(tmp_path, SERVER_DRAIN_DELAY_S="0.3", SERVER_STREAM_GRACE_S="0.2", SERVER_GRACE_S="600")
    servicer, stop, bound = DrawnServicer(answer), asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.ensure_future(serve(config, "feeds", registering(servicer), stop=stop, on_bound=bound.set_result))
    server: RunningServer = await bound
    assert endpoints.get_address(config, "feeds") == server.address
    async with channel_of(server, config) as channel:
        feeds = FeedsServiceStub(channel)  # type: ignore[arg-type]
        health = health_pb2_grpc.HealthStub(channel)  # type: ignore[arg-type]
        stream = feeds.WatchFeeds(pb.WatchFeedsRequest())
        await stream.read()
        await servicer.watching.wait()
        call = asyncio.ensure_future(feeds.GetFeed(REQUEST))
        await running.wait()
        watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        stop.set()
        assert (await soon(watch.read())).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not call.done()
        go_on.set()
        assert await call == pb.GetFeedResponse()
        with pytest.raises(grpc.RpcError) as caught:
            await stream.read()
        problem = read_problem(caught.value)
        assert (problem.code.name, problem.retry_after_s) == ("UNAVAILABLE", 1.0)
        await soon(serving)
        assert servicer.ended.is_set()
    assert endpoints.list_endpoints(tmp_path) == {}


async def test_readiness_and_background_work(tmp_path: Path) -> None:
    """Health follows the checks; background work that fails ends the server with its error."""
    reasons: list[str | None] = ["loading the city"]
    fail = asyncio.Event()

    async def check() -> str | None:
        return reasons[0]

    async def feed_engines() -> None:
        await fail.wait()
        raise Unavailable("the loader broke")

    config, bound = config_for(tmp_path), asyncio.get_running_loop().create_future()
    serving = asyncio.ensure_future(
        serve(
            config,
            "feeds",
            registering(DrawnServicer(_nothing)),
            readiness={"city": check},
            background=[feed_engines],
            on_bound=bound.set_result,
        )
    )
    server: RunningServer = await bound
    async with grpc.aio.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        reasons[0] = None
        assert (await soon(watch.read())).status == health_pb2.HealthCheckResponse.SERVING
    fail.set()
    with pytest.raises(Unavailable, match="the loader broke"):
        await soon(serving)


async def test_callers_that_leave_end_their_streams(tmp_path: Path) -> None:
    """Nothing goes on for a caller that is gone."""
    async with _serving(tmp_path, _nothing) as (feeds, servicer, _):
        stream = feeds.WatchFeeds(pb.WatchFeedsRequest())
        await stream.read()
        stream.cancel()
        await soon(servicer.ended.wait())


async def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    """For gRPC and metrics; two servers never share a port silently."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for name in ("SERVER_PORT", "METRICS_PORT"):
            with pytest.raises(PortInUse, match=f"port {port} of 127.0.0.1 .*TRABOULE_{name}"):
                async with grpc_server(config_for(tmp_path, **{name: port}), registering(DrawnServicer(_nothing))):
                    pass
    async with grpc_server(config_for(tmp_path), registering(DrawnServicer(_nothing))) as first:
        with pytest.raises(PortInUse):
            async with grpc_server(config_for(tmp_path, SERVER_PORT=str(first.port)), registering(DrawnServicer(_nothing))):
                pass


async def test_metrics_count_calls_by_code(tmp_path: Path) -> None:
    """What Prometheus reads over HTTP."""
    async with _serving(tmp_path, _raising(NotFound("no")), METRICS_PORT="0") as (feeds, _, server):
        with pytest.raises(grpc.RpcError):
            await feeds.GetFeed(REQUEST)
        text = await asyncio.to_thread(lambda: httpx.get(f"http://127.0.0.1:{server.metrics_port}/metrics").text)
    assert f'grpc_calls_total{{code="NOT_FOUND",method="/{SERVICE}/GetFeed"}} 1.0' in text
    assert "grpc_call_seconds_bucket" in text


async def test_too_large_messages_are_refused(tmp_path: Path) -> None:
    """With RESOURCE_EXHAUSTED, before anything is decoded."""
    async with _serving(tmp_path, _nothing, LIMITS_MAX_MESSAGE_BYTES="10000") as (feeds, _, _):
        with pytest.raises(grpc.RpcError) as caught:
            await feeds.PushFeedFile(pb.PushFeedFileRequest(feed_id="a", content=b"x" * 20000))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_missing_service_is_described_for_people(tmp_path: Path) -> None:
    """Neither announced nor answering: what to do."""
    with pytest.raises(Unavailable, match=r"journeys does not run .*traboule serve all"):
        endpoints.get_address(config_for(tmp_path), "journeys")
    endpoints.announce(tmp_path, "journeys", "127.0.0.1:9", pid=2**22 - 1)
    assert endpoints.list_endpoints(tmp_path) == {}
    assert endpoints.get_address(config_for(tmp_path, SERVER_PEERS="journeys=host:7"), "journeys") == "host:7"


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """GRPC logs aborted calls at error level; they are wanted here."""
    logging.getLogger("grpc._cython.cygrpc").setLevel(logging.CRITICAL)


async def test_a_call_for_another_city_is_refused(tmp_path: Path) -> None:
    """The city served, or none, is answered; for another one an answer would look right and be wrong."""
    async with _serving(tmp_path, _nothing, CITIES="porto") as (stub, _, _):
        await stub.GetFeed(REQUEST, metadata=(("traboule-city", "porto"),))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetFeed(REQUEST, metadata=(("traboule-city", "heidelberg"),))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        assert "'heidelberg' is not served here; this server answers for 'porto'" in (caught.value.details() or "")

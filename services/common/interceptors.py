"""What happens around every served call: request id, span, metrics, identity, deadline, contract, servicer, errors.

One interceptor does all of it, so that the order stands in one place and each servicer is wrapped once.
"""

import asyncio
import inspect
import math
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message

from services.common.config import LimitsConfig
from services.common.deadline import Deadline, set_deadline
from services.common.errors import DeadlineExceeded, NotFound, Unavailable
from services.common.identity import ANONYMOUS, Authenticator, set_principal
from services.common.metrics import Metrics
from services.common.rules import PUBLIC, find_rule
from services.common.status import DETAILS_KEY, kind_of, to_status, validate
from services.common.tracing import record_status, server_span

REQUEST_ID = "x-request-id"
CITY = "traboule-city"
"""Metadata by which a caller says which city it means."""
_USABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OWN_PACKAGE = "traboule."
_log = structlog.get_logger("calls")

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]


@dataclass(slots=True)
class _Call:
    """One call being served."""

    method: str
    context: Any
    request_id: str
    deadline: Deadline
    code: str = "OK"

    async def abort(self, error: BaseException) -> None:
        """End the call with the error's status; always raises."""
        status, code = to_status(error, self.request_id)
        self.code = code.name
        details = ((DETAILS_KEY, status.SerializeToString()), (REQUEST_ID, self.request_id))
        await self.context.abort(code, status.message, details)


@dataclass(slots=True)
class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps every servicer method; see the module's description.

    `limits` bound unary calls only: a stream lasts as long as its caller wants, and ends when the server drains.
    A call for another city than `city` is refused: an answer from the wrong one would look right.
    """

    authenticator: Authenticator
    limits: LimitsConfig
    metrics: Metrics
    city: str = ""
    _streams: "set[asyncio.Task[Any]]" = field(default_factory=set)
    _draining: bool = False

    async def intercept_service(  # type: ignore[override]
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handler of a method; unknown methods stay unknown."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        make, behaviour = _shape(handler)
        if handler.response_streaming and inspect.isasyncgenfunction(behaviour):
            wrapped: Any = self._wrap_generator(method, behaviour, handler.request_streaming)
        else:
            wrapped = self._wrap_coroutine(method, behaviour, handler.request_streaming, handler.response_streaming)
        return make(wrapped, handler.request_deserializer, handler.response_serializer)  # type: ignore[no-any-return]

    def drain(self) -> int:
        """End running streams with UNAVAILABLE, so that their callers go elsewhere; returns how many there were."""
        self._draining = True
        for task in tuple(self._streams):
            task.cancel()
        return len(self._streams)

    def _wrap_coroutine(self, method: str, behaviour: Any, request_streams: bool, response_streams: bool) -> Any:
        async def wrapped(request: Any, context: Any) -> Any:
            async with self._serve(method, context, streams=request_streams or response_streams):
                request = self._check(request, request_streams)
                answer = behaviour(request, context)
                return await answer if inspect.isawaitable(answer) else answer

        return wrapped

    def _wrap_generator(self, method: str, behaviour: Any, request_streams: bool) -> Any:
        async def wrapped(request: Any, context: Any) -> AsyncIterator[Any]:
            async with self._serve(method, context, streams=True):
                async for response in behaviour(self._check(request, request_streams), context):
                    yield response

        return wrapped

    def _check(self, request: Any, streams: bool) -> Any:
        """The request, or stream of requests, checked against the rules of its contract."""
        if not streams:
            _validate_own(request)
            return request
        return _validated(request)

    @asynccontextmanager
    async def _serve(self, method: str, context: Any, *, streams: bool) -> AsyncIterator[None]:
        started = time.perf_counter()
        metadata = [(name, value) for name, value in context.invocation_metadata() or ()]
        call = _Call(method, context, _request_id(metadata), self._deadline(context, streams))
        context.set_trailing_metadata(((REQUEST_ID, call.request_id),))
        set_deadline(call.deadline)
        structlog.contextvars.bind_contextvars(request_id=call.request_id, method=method)
        task = asyncio.current_task()
        async with AsyncExitStack() as stack:
            span = stack.enter_context(server_span(method, metadata))
            stack.enter_context(self.metrics.calls_running.track_inprogress())
            if streams and task is not None:
                self._streams.add(task)
                stack.callback(self._streams.discard, task)
            try:
                await self._guarded_start(call, metadata)
                async with asyncio.timeout(
                    None if math.isinf(call.deadline.remaining_s) or streams else call.deadline.remaining_s
                ):
                    yield
                code = context.code()
                call.code = code.name if isinstance(code, grpc.StatusCode) else "OK"
            except grpc.aio.AbortError:
                call.code = _code_of(context, call.code)
                raise
            except (asyncio.CancelledError, GeneratorExit):
                call.deadline.cancel()
                call.code = "CANCELLED"
                if self._draining and streams and not context.cancelled():
                    await call.abort(Unavailable("the server is shutting down; call again to reach another", retry_after_s=1.0))
                raise
            except BaseException as error:
                call.deadline.cancel()
                await self._fail(call, error)
            finally:
                self._record(call, span, time.perf_counter() - started)

    async def _guarded_start(self, call: _Call, metadata: list[tuple[str, str | bytes]]) -> None:
        principal = self.authenticator.authorize(call.method, metadata, call.context.auth_context() or {})
        set_principal(principal)
        wanted = {value for name, value in metadata if name == CITY and value}
        if self.city and wanted - {self.city}:
            other = min(str(value)[:60] for value in wanted - {self.city})
            raise NotFound(f"{CITY}: the city {other!r} is not served here; this server answers for {self.city!r}", field=CITY)
        if principal is not ANONYMOUS:
            structlog.contextvars.bind_contextvars(tenant=principal.tenant, role=str(principal.role))
        call.deadline.check()

    async def _fail(self, call: _Call, error: BaseException) -> None:
        """End the call with the status of an exception; always raises."""
        if isinstance(error, TimeoutError) and call.deadline.should_stop():
            error = DeadlineExceeded(str(error) or "the call took longer than this server allows; ask for less")
        if isinstance(error, grpc.RpcError) and not hasattr(error, "kind"):
            error = _downstream(error)
        if kind_of(error) == "internal":
            _log.error("call_failed", exc_info=error)
        if not isinstance(error, Exception):
            raise error
        await call.abort(error)

    def _deadline(self, context: Any, streams: bool) -> Deadline:
        remaining = context.time_remaining()
        asked_s = math.inf if remaining is None else float(remaining)
        if streams:
            return Deadline(asked_s)
        return Deadline(min(self.limits.default_deadline_s if math.isinf(asked_s) else asked_s, self.limits.max_deadline_s))

    def _record(self, call: _Call, span: Any, duration_s: float) -> None:
        record_status(span, call.code)
        self.metrics.calls_total.labels(call.method, call.code).inc()
        self.metrics.call_seconds.labels(call.method).observe(duration_s)
        write = _log.debug if find_rule(call.method) == PUBLIC else _log.info
        write("call", code=call.code, duration_ms=round(1000 * duration_s, 1))


def _shape(handler: Any) -> tuple[Any, Any]:
    """Factory and behaviour of a handler, by which sides of it stream."""
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler, handler.stream_stream
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler, handler.stream_unary
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    return grpc.unary_unary_rpc_method_handler, handler.unary_unary


def _validate_own(request: Any) -> None:
    if isinstance(request, Message) and request.DESCRIPTOR.full_name.startswith(_OWN_PACKAGE):
        validate(request)


async def _validated(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        _validate_own(request)
        yield request


def _request_id(metadata: list[tuple[str, str | bytes]]) -> str:
    """The caller's request id when it is usable, else a new one."""
    given = next((value for name, value in metadata if name == REQUEST_ID), "")
    return given if isinstance(given, str) and _USABLE_ID.fullmatch(given) else secrets.token_hex(8)


def _code_of(context: Any, default: str) -> str:
    code = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((known.name for known in grpc.StatusCode if known.value[0] == code), default)


def _downstream(error: Any) -> BaseException:
    """Error for a failed call to another service: not there, or what it said."""
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return Unavailable(f"another service of the city does not answer: {error.details()}")
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded(f"another service of the city took too long: {error.details()}")
    return RuntimeError(f"another service answered {error.code().name}: {error.details()}")

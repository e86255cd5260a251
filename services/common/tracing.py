"""OpenTelemetry spans around calls. Without an SDK configured by the operator they cost next to nothing and go nowhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

Metadata = Sequence[tuple[str, str | bytes]]
_tracer = trace.get_tracer("traboule")


@contextmanager
def server_span(method: str, metadata: Metadata) -> Iterator[Span]:
    """Span of one served call, child of the caller's span when its metadata name one (W3C traceparent)."""
    carrier = {name: value for name, value in metadata if isinstance(value, str)}
    service, _, name = method.strip("/").partition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
    context = propagate.extract(carrier)
    with _tracer.start_as_current_span(
        method.strip("/"), context, SpanKind.SERVER, attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span


def record_status(span: Span, code: str, message: str = "") -> None:
    """Note the call's status code (``OK``, ``NOT_FOUND``, …) on its span."""
    span.set_attribute("rpc.grpc.status", code)
    if code not in ("OK", "CANCELLED"):
        span.set_status(Status(StatusCode.ERROR, message))


def outgoing_metadata() -> list[tuple[str, str]]:
    """Metadata that hand the present span on to the next service."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return list(carrier.items())


@contextmanager
def span(name: str, **attributes: str | int | float | bool) -> Iterator[Span]:
    """Span around a part of the work, such as one call of an engine."""
    with _tracer.start_as_current_span(name, attributes=attributes) as inner:
        yield inner

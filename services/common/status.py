"""Errors as rich gRPC statuses, and back again for people.

One table (`CODES`) from an error's ``kind`` to the status code. Any exception with a ``kind`` attribute takes part: those of
`services.common.errors` and those of the engines, which know nothing of gRPC. Details are `google.rpc` messages:
BadRequest with field paths, ErrorInfo with the error's name, RetryInfo where trying again helps.
"""

import re
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from services.common.errors import ServiceError

DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "traboule"
_LONGEST_MESSAGE = 2000
_MOST_VIOLATIONS = 20

CODES: dict[str, grpc.StatusCode] = {
    "invalid_argument": grpc.StatusCode.INVALID_ARGUMENT,
    "not_found": grpc.StatusCode.NOT_FOUND,
    "already_exists": grpc.StatusCode.ALREADY_EXISTS,
    "failed_precondition": grpc.StatusCode.FAILED_PRECONDITION,
    "out_of_range": grpc.StatusCode.OUT_OF_RANGE,
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "permission_denied": grpc.StatusCode.PERMISSION_DENIED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "deadline_exceeded": grpc.StatusCode.DEADLINE_EXCEEDED,
    "resource_exhausted": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "unimplemented": grpc.StatusCode.UNIMPLEMENTED,
    "aborted": grpc.StatusCode.ABORTED,
    "cancelled": grpc.StatusCode.CANCELLED,
    "data_loss": grpc.StatusCode.DATA_LOSS,
    "internal": grpc.StatusCode.INTERNAL,
}
_PLAIN: tuple[tuple[type[BaseException], str, str], ...] = (
    (TimeoutError, "deadline_exceeded", "the time given for the call is used up; give more time or ask for less"),
    (NotImplementedError, "unimplemented", "this server cannot do that"),
    (MemoryError, "resource_exhausted", "the request needs more memory than there is; ask for less"),
)


class InvalidRequest(ServiceError):
    """A request breaks rules of its contract; `violations` are (field path, what is wrong)."""

    kind = "invalid_argument"

    def __init__(self, violations: list[tuple[str, str]]) -> None:
        shown = "; ".join(f"{field}: {description}" if field else description for field, description in violations[:5])
        more = f"; and {len(violations) - 5} more" if len(violations) > 5 else ""
        super().__init__(shown + more, field=violations[0][0])
        self.violations = tuple(violations)


def load_rules() -> None:
    """Load what `validate` needs, so that no first request waits for it."""
    import protovalidate  # noqa: PLC0415, F401


def validate(request: Message) -> None:
    """Check a request against the rules of its contract (the server does this before each servicer is called).

    Raises
    ------
    InvalidRequest
        With all violated rules and their field paths, such as ``visits[2].location``.
    """
    import protovalidate  # noqa: PLC0415 - loaded after the start (`load_rules`), which it would make longer

    found = protovalidate.collect_violations(request)
    if found:
        raise InvalidRequest([_describe_violation(violation.proto) for violation in found])


def _describe_violation(violation: Any) -> tuple[str, str]:
    path = ""
    for element in violation.field.elements if violation.field else ():
        path += ("." if path else "") + element.field_name
        if element.subscript is not None:
            value = element.subscript.value
            path += f"[{value!r}]" if isinstance(value, str) else f"[{value}]"
    return path, violation.message or violation.rule_id


def kind_of(error: BaseException) -> str:
    """Kind of any exception; ``internal`` for those that nobody foresaw."""
    kind = getattr(error, "kind", None)
    if isinstance(kind, str) and kind in CODES:
        return kind
    return next((kind for cls, kind, _ in _PLAIN if isinstance(error, cls)), "internal")


def to_status(error: BaseException, request_id: str = "") -> tuple[status_pb2.Status, grpc.StatusCode]:
    """Rich status of an exception; the sentence names the field. What nobody foresaw is told as internal, without its text."""
    kind = kind_of(error)
    code = CODES[kind]
    message = str(error)[:_LONGEST_MESSAGE]
    if not hasattr(error, "kind"):
        plain = next((text for cls, _, text in _PLAIN if isinstance(error, cls)), None)
        message = plain or f"internal error; quote request {request_id or 'id unknown'} when you report it"
    field = getattr(error, "field", "") or ""
    named = f"{field}: {message}" if field and not _names(message, field) else message
    status = status_pb2.Status(code=code.value[0], message=named)
    info = error_details_pb2.ErrorInfo(reason=_reason(error), domain=DOMAIN)
    if request_id:
        info.metadata["request_id"] = request_id
    status.details.add().Pack(info)
    violations = getattr(error, "violations", None) or [(field, message)]
    if kind in ("invalid_argument", "out_of_range") and violations[0][0]:
        bad = error_details_pb2.BadRequest()
        for field, description in violations[:_MOST_VIOLATIONS]:
            bad.field_violations.add(field=field, description=description)
        status.details.add().Pack(bad)
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        delay = Duration(seconds=int(retry_after_s), nanos=int(retry_after_s % 1 * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status, code


def _names(message: str, field: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(field)}(?!\w)", message) is not None


def _reason(error: BaseException) -> str:
    """Name of the error in the way of google.rpc.ErrorInfo: UPPER_SNAKE_CASE."""
    name = type(error).__name__ if hasattr(error, "kind") else kind_of(error)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


@dataclass(frozen=True, slots=True)
class Problem:
    """What a failed call said: code, sentence, (field, description) pairs, seconds after which to try again."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    request_id: str = ""
    violations: tuple[tuple[str, str], ...] = ()
    retry_after_s: float | None = None


def read_problem(error: grpc.RpcError) -> Problem:
    """Problem from a failed call, sync or aio."""
    call: Any = error
    code, message = call.code(), call.details() or ""
    metadata = dict(call.trailing_metadata() or ())
    data = metadata.get(DETAILS_KEY)
    if not isinstance(data, bytes):
        return Problem(code, message)
    status = status_pb2.Status.FromString(data)
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    retry_after_s = None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        if detail.Unpack(retry):
            retry_after_s = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    violations = tuple((violation.field, violation.description) for violation in bad.field_violations)
    return Problem(code, status.message, info.reason, info.metadata.get("request_id", ""), violations, retry_after_s)


_HINTS = {
    grpc.StatusCode.UNAVAILABLE: "is the city running? start it with `traboule serve all` or `traboule demo`",
    grpc.StatusCode.UNAUTHENTICATED: "check the token",
}


def describe_error(error: grpc.RpcError) -> str:
    """One or more lines for people about a failed call: what, where, what to do."""
    problem = read_problem(error)
    lines = [problem.message or problem.code.name.lower().replace("_", " ")]
    if len(problem.violations) > 1:
        lines = ["the request is wrong:"] + [f"  {field}: {description}" for field, description in problem.violations]
    elif problem.violations and problem.violations[0][0] not in lines[0]:
        lines[0] += f" (field {problem.violations[0][0]})"
    if problem.retry_after_s is not None:
        lines.append(f"try again in {problem.retry_after_s:g} s")
    elif not problem.reason and problem.code in _HINTS:
        lines.append(_HINTS[problem.code])
    return "\n".join(lines)

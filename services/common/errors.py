"""Errors of the services, and the protocol by which any error says what it is.

An error becomes a gRPC status through two class attributes, never through its type name, so engines need not import this
module: ``kind`` (one of `KINDS`) and, optionally, ``field`` (path of the offending field of the request) and
``retry_after_s``. `services.common.status` holds the one table from kind to status code.

::

    ServiceError
    ├── ConfigError          a setting is wrong: the start stops
    ├── InvalidInput         the request is wrong (field says where)
    ├── NotFound · AlreadyExists
    ├── FailedPrecondition
    │   └── StaleData        the data needed are too old
    ├── Unauthenticated · PermissionDenied
    ├── Unavailable          try again later
    │   ├── StateUnavailable the state server does not answer
    │   └── PortInUse
    ├── DeadlineExceeded · ResourceExhausted · Aborted · Unimplemented
    └── CorruptData          stored bytes cannot be read
"""

from typing import ClassVar

KINDS = (
    "invalid_argument", "not_found", "already_exists", "failed_precondition", "out_of_range", "unauthenticated",
    "permission_denied", "unavailable", "deadline_exceeded", "resource_exhausted", "unimplemented", "aborted", "cancelled",
    "data_loss", "internal",
)  # fmt: skip
"""Every value an error's ``kind`` may have; named like the gRPC status codes."""


class ServiceError(Exception):
    """Root of all errors of the services.

    Parameters
    ----------
    message
        A sentence: what was wrong, where, what to do.
    field
        Path of the offending request field (``visits[2].place``), empty when there is none.
    retry_after_s
        How long a caller should wait before trying again; None when trying again does not help.
    """

    kind: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, field: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.retry_after_s = retry_after_s


class ConfigError(ServiceError):
    """A setting is wrong; the sentence names field, value and what was expected."""

    kind = "failed_precondition"
    exit_code = 2


class InvalidInput(ServiceError):
    """The request is wrong; `field` says where."""

    kind = "invalid_argument"
    exit_code = 2


class NotFound(ServiceError):
    """What was asked for does not exist."""

    kind = "not_found"


class AlreadyExists(ServiceError):
    """What should be made exists already."""

    kind = "already_exists"


class FailedPrecondition(ServiceError):
    """The system is not in the state that the call needs."""

    kind = "failed_precondition"


class StaleData(FailedPrecondition):
    """The data that the answer needs are too old to be trusted."""


class Unauthenticated(ServiceError):
    """The caller did not prove who it is."""

    kind = "unauthenticated"


class PermissionDenied(ServiceError):
    """The caller's role may not call this method."""

    kind = "permission_denied"


class Unavailable(ServiceError):
    """Something needed does not answer now; trying again later may help."""

    kind = "unavailable"

    def __init__(self, message: str, *, field: str = "", retry_after_s: float | None = 1.0) -> None:
        super().__init__(message, field=field, retry_after_s=retry_after_s)


class StateUnavailable(Unavailable):
    """The state server does not answer."""


class PortInUse(Unavailable):
    """The address to listen on is taken by another program."""

    exit_code = 3


class DeadlineExceeded(ServiceError):
    """The time the caller gave is used up."""

    kind = "deadline_exceeded"


class ResourceExhausted(ServiceError):
    """A limit is reached (message size, number of jobs, …)."""

    kind = "resource_exhausted"


class Aborted(ServiceError):
    """Somebody else changed the same thing meanwhile: read again and repeat."""

    kind = "aborted"


class Unimplemented(ServiceError):
    """The server cannot do that."""

    kind = "unimplemented"


class CorruptData(ServiceError):
    """Stored bytes cannot be read: wrong version, damaged, or tampered with."""

    kind = "data_loss"

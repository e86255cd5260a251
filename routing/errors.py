"""Every error an engine of `routing` raises on purpose.

::

    RoutingError                 kind="internal"
    ├── InvalidInput             kind="invalid_argument"     a value that can never be right
    │   └── OutsideArea          kind="invalid_argument"     a position no street (or no stop) is near
    ├── NotFound                 kind="not_found"            an id nobody knows
    ├── Unreachable              kind="not_found"            both ends are known, no way leads from one to the other
    ├── StaleInput               kind="failed_precondition"  data too old, or of another epoch
    ├── LimitExceeded            kind="resource_exhausted"   a request larger than the engine accepts
    └── Interrupted              kind="cancelled"            the caller asked to stop

`kind` is the lower-case name of a gRPC status code; `field` names the input at fault when there is one (``stops[3].window``).
"""


class RoutingError(Exception):
    """Root of the engines' errors.

    Parameters
    ----------
    message : str
        What was wrong, where, and what to do about it.
    field : str, optional
        Path of the input at fault.
    """

    kind = "internal"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidInput(RoutingError, ValueError):
    """A value that can never be right."""

    kind = "invalid_argument"


class OutsideArea(InvalidInput):
    """A position that is not near anything the engine knows."""


class NotFound(RoutingError, LookupError):
    """An id or index that does not exist."""

    kind = "not_found"


class Unreachable(RoutingError):
    """Both ends exist but no way leads from one to the other."""

    kind = "not_found"


class StaleInput(RoutingError):
    """Data that are too old, or belong to another epoch."""

    kind = "failed_precondition"


class LimitExceeded(RoutingError):
    """A request larger than the engine accepts."""

    kind = "resource_exhausted"


class Interrupted(RoutingError):
    """The caller asked to stop before an answer was ready."""

    kind = "cancelled"

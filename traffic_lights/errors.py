"""Errors of the signals engine.

::

    SignalsError                    kind, optional field
    ├── InvalidIntersectionError    the description of an intersection contradicts itself
    ├── UnsafeIntersectionError     its limits cannot all be kept at once (no rescue cycle)
    ├── InvalidPlanError            a plan that the guard would have to change
    ├── InvalidRequestError         a mode, stage, override or priority request that makes no sense
    └── InvalidDetectionError       detections of the wrong shape or range
"""


class SignalsError(Exception):
    """Root of all errors of `traffic_lights`.

    Attributes
    ----------
    kind : str
        Stable machine-readable name, mapped to a gRPC status by the services.
    field : str or None
        Which input was wrong, as a dotted path.
    """

    kind = "internal"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidIntersectionError(SignalsError):
    """The description of an intersection contradicts itself."""

    kind = "invalid_argument"


class UnsafeIntersectionError(SignalsError):
    """The limits of an intersection cannot all be kept at once."""

    kind = "failed_precondition"


class InvalidPlanError(SignalsError):
    """A plan that the guard would have to change."""

    kind = "invalid_argument"


class InvalidRequestError(SignalsError):
    """A mode, stage, override or priority request that makes no sense."""

    kind = "invalid_argument"


class InvalidDetectionError(SignalsError):
    """Detections of the wrong shape or range."""

    kind = "invalid_argument"

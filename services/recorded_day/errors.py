"""Errors of the recorded day."""

from services.common.errors import ServiceError


class RecordedDayError(ServiceError):
    """The recorded day cannot be generated or replayed; the message says what is missing."""

    kind = "failed_precondition"

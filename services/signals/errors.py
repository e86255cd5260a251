"""Errors of the signals service."""

from services.common.errors import FailedPrecondition, NotFound


class IntersectionNotFound(NotFound):
    """No intersection with this id in the city."""


class NotControllable(FailedPrecondition):
    """The intersection may not be controlled in the way asked for."""


class CorridorNotFound(NotFound):
    """No street with enough signals of that name."""

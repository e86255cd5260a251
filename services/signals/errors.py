"""Errors of the signals service."""

from services.common.errors import FailedPrecondition, NotFound, Unavailable


class IntersectionNotFound(NotFound):
    """No intersection with this id in the city."""


class NotControllable(FailedPrecondition):
    """The intersection may not be controlled in the way asked for."""


class CorridorNotFound(NotFound):
    """No street with enough signals of that name."""


class StandingBy(Unavailable):
    """Another service commands the signals of this city."""

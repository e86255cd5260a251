"""Errors of the rounds service.

ServiceError
├── Unavailable
│   └── SolverCrashed     a solver process ended while it worked; it has been replaced, trying again may help
└── EngineRefused         the engine refused the order in its own process; kind and field are the engine's
"""

from services.common.errors import ServiceError, Unavailable


class SolverCrashed(Unavailable):
    """A solver process ended while it worked."""


class EngineRefused(ServiceError):
    """An error the engine raised in a solver process."""

    def __init__(self, kind: str, message: str, field: str = "") -> None:
        super().__init__(message, field=field)
        self.kind = kind  # type: ignore[misc]

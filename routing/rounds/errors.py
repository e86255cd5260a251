"""Errors of the rounds engine.

routing.errors.RoutingError
├── InvalidInput
│   └── InvalidProblemError       the problem is not well formed; each finding names its field
├── NotFound
│   └── UnknownIdError            a shipment, vehicle or round the problem does not hold
└── InfeasiblePlanError           a plan breaks a constraint (found by the validator; a defect if the engine made it)
"""

from collections.abc import Iterable
from dataclasses import dataclass

from routing.errors import InvalidInput, NotFound, RoutingError


@dataclass(frozen=True, slots=True)
class FieldFinding:
    """What is wrong with one field: its path and a sentence."""

    field: str
    message: str

    def within(self, prefix: str) -> "FieldFinding":
        """Return the same finding with its path inside `prefix`."""
        return FieldFinding(f"{prefix}.{self.field}" if self.field else prefix, self.message)


class InvalidProblemError(InvalidInput):
    """The problem is not well formed; `findings` names every field that is wrong."""

    def __init__(self, findings: Iterable[FieldFinding]) -> None:
        self.findings = tuple(findings)
        message = "; ".join(f"{finding.field}: {finding.message}" for finding in self.findings)
        super().__init__(message, self.findings[0].field if self.findings else None)

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidProblemError":
        """One finding."""
        return cls((FieldFinding(field, message),))

    def within(self, prefix: str) -> "InvalidProblemError":
        """Return the same error with every field inside `prefix`."""
        return InvalidProblemError(finding.within(prefix) for finding in self.findings)


class UnknownIdError(NotFound):
    """The problem or plan holds nothing by that id."""


class InfeasiblePlanError(RoutingError):
    """The plan breaks constraints; `violations` says each in words."""

    def __init__(self, violations: Iterable[str]) -> None:
        self.violations = tuple(violations)
        super().__init__("the plan breaks its constraints: " + "; ".join(self.violations))

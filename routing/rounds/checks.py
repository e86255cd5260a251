"""What numbers of a problem must be, and spans of time."""

import math
from dataclasses import dataclass

from routing.rounds.errors import InvalidProblemError


def check_time(name: str, value: float, low: float = -math.inf) -> None:
    """Refuse what is no finite number of seconds of at least `low`."""
    if math.isnan(value) or math.isinf(value):
        raise InvalidProblemError.of(name, f"must be a finite number of seconds, not {value}")
    if value < low:
        raise InvalidProblemError.of(name, f"must be at least {low:g}, not {value:g}")


def check_cost(name: str, value: float) -> None:
    """Refuse what is no finite cost of at least 0."""
    if not (math.isfinite(value) and value >= 0):
        raise InvalidProblemError.of(name, f"must be a finite cost of at least 0, not {value}")


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Service (or presence at a depot) starts within [start_s, end_s]."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        check_time("start_s", self.start_s)
        check_time("end_s", self.end_s)
        if self.end_s < self.start_s:
            raise InvalidProblemError.of(
                "end_s", f"the window closes at {self.end_s:g} s, before it opens at {self.start_s:g} s: swap or widen them"
            )

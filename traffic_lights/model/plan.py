"""A fixed-time plan: which stage is wanted at which second of the cycle."""

from dataclasses import dataclass

from traffic_lights.errors import InvalidPlanError


@dataclass(frozen=True, slots=True)
class SignalPlan:
    """A repeating order of stages.

    Stage ``stages[k]`` is asked for from second ``starts_s[k]`` of the cycle until the next start; its intergreen
    is part of that time. Second 0 of the cycle falls on times ``t`` with ``t % cycle_s == offset_s``.

    Attributes
    ----------
    stages : tuple[int, ...]
        Positions in `Intersection.stages`.
    starts_s : tuple[int, ...]
        Ascending, first is 0.
    cycle_s : int
    offset_s : int
    id : str
    """

    stages: tuple[int, ...]
    starts_s: tuple[int, ...]
    cycle_s: int
    offset_s: int = 0
    id: str = "plan"

    def __post_init__(self) -> None:
        if not self.stages or len(self.stages) != len(self.starts_s) or self.starts_s[0] != 0:
            raise InvalidPlanError(f"plan {self.id!r} needs as many starts as stages, the first at second 0", "starts_s")
        ends = (*self.starts_s[1:], self.cycle_s)
        if any(b <= a for a, b in zip(self.starts_s, ends, strict=True)):
            raise InvalidPlanError(
                f"plan {self.id!r}: starts must ascend and stay below the cycle of {self.cycle_s} s", "starts_s"
            )
        if not 0 <= self.offset_s < self.cycle_s:
            raise InvalidPlanError(f"plan {self.id!r}: offset {self.offset_s} s is not in [0, {self.cycle_s})", "offset_s")

    def stage_at(self, time_s: int) -> int:
        """Stage wanted at `time_s` (any integer clock, seconds)."""
        second = (time_s - self.offset_s) % self.cycle_s
        wanted = self.stages[0]
        for stage, start in zip(self.stages, self.starts_s, strict=True):
            if start > second:
                break
            wanted = stage
        return wanted

    def with_offset(self, offset_s: int) -> "SignalPlan":
        """Return the same plan shifted to `offset_s` (taken modulo the cycle)."""
        return SignalPlan(self.stages, self.starts_s, self.cycle_s, offset_s % self.cycle_s, self.id)

"""Simple strategies to compare with: greedy and actuated."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from traffic_lights.adaptive.strategy import StageView
from traffic_lights.detection import Detection
from traffic_lights.errors import InvalidRequestError
from traffic_lights.guard_tables import GuardTables
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan


class Greedy:
    """Serve the stage with most vehicles before its stop lines, standing or moving."""

    def __init__(self, intersection: Intersection) -> None:
        group = np.array([m.group for m in intersection.movements], np.intp)
        self._green = intersection.green[:, group].astype(np.float32)

    def choose(self, view: StageView, detection: Detection) -> int:
        """Stage with most vehicles; the present one on a tie."""
        count = self._green @ (detection.queue_veh + detection.approaching_veh)
        best = int(count.argmax())
        return best if count[best] > count[view.stage] else view.stage


@dataclass(frozen=True, slots=True)
class ActuatedParams:
    """How actuated control extends and ends its greens.

    Attributes
    ----------
    passage_s : float
        A green ends when no vehicle was on the detectors of its movements for this long (gap-out).
    longest_s : int
        And at the latest this long after somebody else called (max-out), where no plan says better.
    plan_factor : float
        Where there is a plan: longest green of a stage as a multiple of its green in the plan.
    permissive_call_veh : float
        A movement that may turn giving way calls its protected stage only with this many vehicles standing.
    """

    passage_s: float = 3.0
    longest_s: int = 50
    plan_factor: float = 1.75
    permissive_call_veh: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.passage_s < 60 or not 1 <= self.longest_s < 3600:
            raise InvalidRequestError("actuated: passage_s must be in (0, 60) and longest_s in [1, 3600)", "passage_s")
        if not 0 < self.plan_factor < 100 or not 0 <= self.permissive_call_veh < 1000:
            raise InvalidRequestError(
                "actuated: plan_factor must be in (0, 100), permissive_call_veh in [0, 1000)", "plan_factor"
            )


class Actuated:
    """Actuated control by stages: calls, gap-out, max-out, skipped stages, rest in green.

    A stage rests until a movement calls that it does not serve protected. From then on it is extended while vehicles
    follow one another on the detectors of the movements that only it serves (gap-out), up to its longest green (max-out,
    counted from the begin of green or from the first call, whichever is later). The next stage in the order of the rescue
    cycle that serves a call follows; stages nobody called are skipped. Minimum greens, yellow and all-red are the guard's.
    Where no extension detector reports (`Detection.gap_s`), any vehicle in the detected range extends.

    Parameters
    ----------
    intersection : Intersection
    tables : GuardTables
    params : ActuatedParams, optional
    plan : SignalPlan, optional
        Its greens scale the longest greens.

    References
    ----------
    Traffic Signal Timing Manual, 2nd edition (NCHRP report 812, 2015), chapters 5 and 6; without rings and barriers, since
    stages are given, and without volume-density timing.
    """

    def __init__(
        self,
        intersection: Intersection,
        tables: GuardTables,
        params: ActuatedParams | None = None,
        plan: SignalPlan | None = None,
    ) -> None:
        group = np.array([m.group for m in intersection.movements], np.intp)
        self._green = intersection.green[:, group]
        self._protected = self._green & ~tables.shows_yield[:, group]
        self._cycle = intersection.rescue_cycle
        self._allowed = intersection.transitions
        self._params = params or ActuatedParams()
        self._shortest_s = tables.stage_min_s
        self._longest_s = [float(self._params.longest_s)] * len(intersection.stages)
        if plan is not None:
            greens = _plan_greens_s(plan, tables)
            for stage, green_s in greens.items():
                self._longest_s[stage] = self._params.plan_factor * green_s
        self._stage, self._called_s = -1, 0

    def choose(self, view: StageView, detection: Detection) -> int:
        """Present stage while nobody calls or it is extended, else the next in order that serves a call."""
        here, p = view.stage, self._params
        present = detection.queue_veh + detection.approaching_veh > 0
        calls = np.where(self._green[here], detection.queue_veh >= p.permissive_call_veh, present) & ~self._protected[here]
        there = self._next(here, calls)
        if there == here:
            self._stage = -1
            return here
        if self._stage != here:
            early = view.held_s <= self._shortest_s[here]
            self._stage, self._called_s = here, view.time_s - (view.held_s if early else 0)
        if view.time_s - self._called_s >= self._longest_s[here]:
            return there
        following = present if detection.gap_s is None else detection.gap_s < p.passage_s
        mine = self._protected[here] if self._protected[here].any() else self._green[here]
        return here if (following & mine & ~self._protected[there]).any() else there

    def _next(self, here: int, calls: npt.NDArray[np.bool_]) -> int:
        """Next stage of the cycle with a call for it, the present one if there is none."""
        at = self._cycle.index(here) if here in self._cycle else -1
        for k in range(1, len(self._cycle) + 1):
            there = self._cycle[(at + k) % len(self._cycle)]
            if there != here and self._allowed[here, there] and (calls & self._protected[there]).any():
                return there
        return here


def _plan_greens_s(plan: SignalPlan, tables: GuardTables) -> dict[int, int]:
    """Longest green of every stage in one cycle of a plan, without the change of stage before it."""
    greens: dict[int, int] = {}
    for k, stage in enumerate(plan.stages):
        end_s = plan.starts_s[k + 1] if k + 1 < len(plan.stages) else plan.cycle_s
        change_s = int(tables.transition_s[plan.stages[k - 1], stage]) if plan.stages[k - 1] != stage else 0
        greens[stage] = max(greens.get(stage, 1), end_s - plan.starts_s[k] - change_s)
    return greens

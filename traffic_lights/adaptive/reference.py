"""Simple strategies to compare with: greedy and actuated."""

import numpy as np

from traffic_lights.adaptive.strategy import StageView
from traffic_lights.detection import Detection
from traffic_lights.guard_tables import GuardTables
from traffic_lights.model.intersection import Intersection


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


class Actuated:
    """Stages in the order of the rescue cycle; green is extended while vehicles come, empty stages are skipped.

    The classic gap control: a stage ends when no vehicle has been seen on its movements for `gap_s`, or after
    `longest_s` when somebody waits elsewhere.
    """

    def __init__(self, intersection: Intersection, tables: GuardTables, gap_s: int = 3, longest_s: int = 50) -> None:
        group = np.array([m.group for m in intersection.movements], np.intp)
        self._green = intersection.green[:, group]
        self._protected = self._green & ~tables.shows_yield[:, group]
        self._cycle = intersection.rescue_cycle
        self._allowed = intersection.transitions
        self._gap_s, self._longest_s, self._last_seen_s = gap_s, longest_s, 0

    def choose(self, view: StageView, detection: Detection) -> int:
        """Present stage while it is extended, else the next in order with somebody waiting."""
        here = view.stage
        seen = detection.queue_veh + detection.approaching_veh
        if (seen[self._protected[here]] >= 0.5).any():
            self._last_seen_s = view.time_s
        extended = view.time_s - self._last_seen_s < self._gap_s and view.held_s < self._longest_s
        if extended:
            return here
        at = self._cycle.index(here) if here in self._cycle else -1
        for k in range(1, len(self._cycle) + 1):
            there = self._cycle[(at + k) % len(self._cycle)]
            waits = seen[self._protected[there] & ~self._protected[here]].sum() > 0
            if there != here and waits and self._allowed[here, there]:
                return there
        return here
